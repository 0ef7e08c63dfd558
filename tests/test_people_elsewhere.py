"""Runs that waited for people, for strangers and later versions: bundles, batches, comparisons, the command."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from front_door import Call, call
from omnibachi import diff
from omnibachi.batches.batching import Asked, Batch, run_batch
from omnibachi.foretelling import DIFFERENT, SAME, UNJUDGED, Foreteller
from omnibachi_model.digests import digest
from omnibachi_model.record import export, read
from peopled import ASK, PAY, SOURCE, Desk, codes

__all__ = ["call"]


@pytest.fixture(scope="module", name="compiled")
def compiled_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = Desk(tmp_path_factory.mktemp("desk") / "desk")
    for key in desk.keys.values():
        (desk.folder / f"{key.name}.key").write_text(key.text + "\n")
    return desk.folder


@pytest.fixture(name="desk")
def fresh_desk(compiled: Path, tmp_path: Path) -> Desk:
    shutil.copytree(compiled, tmp_path / "desk")
    return Desk(tmp_path / "desk", compiled=False)


RUN = ("run", "--wf", ASK, "--set", "to=x", "--set", "amount:=5", "--trace-id", "T1", "--no-picture")


def test_the_command_on_two_machines(desk: Desk, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    said = call(*RUN)
    assert said.status == 7 and "ask waits for 1 approval by board" in said.out and "approve T1 --key" in said.out
    assert "waiting" in call("traces", "ls").out and "ask waits for 1 approval" in call("resume").out
    shown = call("approve", "T1", "--show", "--output", "T1.jsonl", "--json").json()
    assert (shown["inputs"], shown["waiting"]["roles"], shown["statements"]) == ({"to": "x"}, ["board"], [])
    there = ("approve", "T1.jsonl", "--key", "second.key", "--because", "seen", "--sign-only", "--output", "yes.json")
    shutil.move("data", "away")
    assert call(*there).status == 0
    shutil.move("away", "data")
    done = call("approve", "T1", "--statement", "yes.json", "--no-picture", "--json").json()
    assert (done["exit"], done["statement"]["verdict"], done["exit_code"]) == ("done", "ACCEPTED", 0)
    again = call("approve", "T1", "--statement", "yes.json")
    assert again.status == 4 and "OB810" in again.err
    assert "OB810" in call("approve", "T1", "--show").err


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--show", "--sign-only"),
        ("--show", "--key", "second.key"),
        ("--statement", "x", "--reject"),
        ("--key", "second.key", "--sign-only"),
        ("--key", "second.key", "--output", "x"),
    ],
)
def test_options_that_contradict_one_another(desk: Desk, call: Call, options: tuple[str, ...]) -> None:
    assert call("approve", "T1", *options, "--workspace", str(desk.folder)).status == 2


def test_what_cannot_be_signed(desk: Desk, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    call(*RUN)
    for options, code in (
        (("--path", "elsewhere"), "OB806"),
        (("--because", ""), "OB801"),
        (("--because", "x" * 3000), "OB801"),
        (("--because", "caf\udce9"), "OB801"),
    ):
        said = call("approve", "T1", "--key", "second.key", *options)
        assert said.status != 0 and code in said.err, said
    assert desk.kept() == []


def strangers(folder: Path, parts: dict[str, bytes], *more: str) -> tuple[int, str]:
    """Let the verifier of a bundle, by itself, judge the parts of one in a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    index = json.loads(parts["bundle.json"])
    index["parts"] = {name: digest(data) for name, data in parts.items() if name != "bundle.json"}
    listed = json.dumps(index, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    for name, data in {**parts, "bundle.json": listed}.items():
        (folder / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "verify.py"), *more], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_a_stranger_checks_who_approved(desk: Desk, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run()
    desk.approve("first", because="seen")
    desk.approve("second")
    monkeypatch.chdir(desk.folder)
    assert call("bundle", "T1", "--output", "T1.zip").status == 0
    with zipfile.ZipFile(io.BytesIO((desk.folder / "T1.zip").read_bytes())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert len(json.loads(parts["keys.json"])["keys"]) == 2
    place = desk.folder / "unpacked"
    status, said = strangers(place, parts)
    ids = [desk.keys[name].public.id for name in ("first", "second")]
    assert status == 0 and all(f"signed by {key}" in said for key in ids) and "INTACT" in said
    assert call("verify", "T1.zip", "--trust", "trust.json").status == 0

    desk.trust(first={"roles": ["clerk"]})
    status, said = strangers(place, parts, "--trust", str(desk.folder / "trust.json"))
    assert "not trusted as `board` or `compliance`" in said and status == 1
    events = [(event.body, event.obs) for event in read(parts["trace.jsonl"])]
    for change in (
        lambda body, obs: obs["approvals"][0]["envelope"]["signatures"][0].update(sig="A" * 86 + "=="),
        lambda body, obs: obs["approvals"][0].update(envelope=obs["approvals"][1]["envelope"]),
        lambda body, obs: obs["approvals"].pop(),
        lambda body, obs: body["output"]["approvals"].pop(),
        lambda body, obs: body["output"]["approvals"][0].update(because="else"),
        lambda body, obs: body.update(outcome="REJECTED", output=body["output"]["approvals"][0]),
    ):
        assert strangers(place, {**parts, "trace.jsonl": changed(events, change)})[0] == 4


def changed(events: list[tuple[Any, Any]], change: Any) -> bytes:
    """Return a record with all its hashes made anew, in which something was changed where people answered."""
    copy = json.loads(json.dumps(events))
    change(*next(pair for pair in copy if pair[0]["kind"] == "WAITED"))
    from omnibachi_model.digests import encode

    return export([(encode(body), encode(obs)) for body, obs in copy])


def test_a_batch_with_runs_that_wait(desk: Desk) -> None:
    (desk.folder / "lines.jsonl").write_text('{"to": "a", "amount": 1}\n{"to": "b", "amount": 2}\n{"to": 3}\n')
    desk.data = desk.workspace.data_root

    def batch() -> Batch:
        asked = Asked(ASK, str(desk.folder / "lines.jsonl"), batch="B1", actor="clerk")
        return run_batch(desk.workspace, asked, lambda done, of: None)

    first = batch()
    assert (first.exit_code, first.summary["by_status"]) == (1, {"REJECTED": 1, "WAITING": 2})
    assert [item["line"] for item in first.summary["waiting"]] == [1, 2]
    assert (first.summary["refused"], [item["line"] for item in first.summary["failed"]]) == (0, [3])
    assert desk.approve("second", run="B1-00000001").exit == "done"
    second = batch()
    assert second.summary["by_status"] == {"COMPLETED": 1, "REJECTED": 1, "WAITING": 1}
    desk.approve("third", run="B1-00000002", decision="REJECT")
    third = batch()
    assert third.summary["by_status"] == {"COMPLETED": 1, "DENIED": 1, "REJECTED": 1}
    assert "waiting" not in third.summary and not third.repeated and batch().repeated
    assert Path(third.record_file).read_bytes().count(b'"WAITED"') == 2


def test_the_same_run_on_a_later_version(desk: Desk) -> None:
    desk.run()
    desk.approve("first")
    desk.approve("second")
    record = desk.record()

    def foretold(old: str = "", new: str = "") -> tuple[str, str | None]:
        source = SOURCE.replace(old, new, 1) if old else SOURCE
        assert not old or source != SOURCE
        (desk.folder / "protocols" / "desk" / "desk.yaml").write_text(source)
        assert desk.workspace.compile().ok
        found = Foreteller(desk.workspace.load()).judge("T1", record)
        return found.verdict, found.reason

    assert foretold() == (SAME, None)
    assert foretold("within: 24h}", "within: 48h}")[0] == SAME
    verdict, reason = foretold("quorum: 2", "quorum: 3")
    assert verdict == UNJUDGED and "does not decide" in str(reason)
    verdict, reason = foretold("with: {subject: $.payload}", "with: {subject: $.payload.to}")
    assert verdict == UNJUDGED and "something else" in str(reason)
    assert foretold('{by: "$.nodes.review.approvals[1].name"}', "{by: nobody}")[0] == DIFFERENT


def test_what_people_said_is_a_cause_when_runs_part(desk: Desk) -> None:
    for run, decision in (("T1", "APPROVE"), ("T2", "REJECT")):
        desk.run(ASK, run=run)
        desk.approve("second", run=run, decision=decision)
    parting = diff(desk.record("T1"), desk.record("T2"))
    assert [(cause.kind, cause.path) for cause in parting.causes] == [("recorded answer", "ask")]


def test_a_run_that_waits_in_exports_and_lists(desk: Desk, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    assert call(*RUN).status == 7
    for form in ("otlp", "cloudevents", "openlineage"):
        assert call("export", "T1", "--format", form).status == 0
    assert codes(desk.run(ASK)) == ["OB712"]
    assert call("bundle", "T1").status != 0 and call("sign", "T1", "--key", "second.key").status != 0
    assert PAY in call("show", PAY).out


def test_what_is_shown_hides_nothing(desk: Desk, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    desk.run(ASK, to="a\u202eb\x1b[2J\u200bc")
    said = call("approve", "T1", "--show").out
    assert "\\u202e" in said and "\\u200b" in said and not set(said) & {"\u202e", "\x1b", "\u200b"}
