"""Runs with secrets that were killed: nothing of them lies anywhere, and they go on with their payload."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vault
from crash_cases import fresh_place
from crashing import in_child, state
from forging import forged
from omnibachi import Workspace, replay, verify
from omnibachi.__main__ import main
from omnibachi_model.digests import decode
from vault import LOOK, OPEN

place = fresh_place
RUN = ["run", "--wf", OPEN, "--payload", "../payload.json", "--trace-id", "T1", "--json", "--no-picture"]
RESUME = ["resume", "T1", "--json", "--no-picture"]
WITH = [*RESUME, "--payload", "../payload.json"]
KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vault")
    vault.compiled(folder)
    Workspace(folder).run(LOOK, vault.PAYLOAD, data_root=tmp_path_factory.mktemp("d"), picture=False)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "payload.json").write_text(json.dumps(vault.PAYLOAD), "utf-8")
    (tmp_path / "other.json").write_text(json.dumps({**vault.PAYLOAD, "words": "other"}), "utf-8")
    yield shutil.copytree(template, tmp_path / "w")


def fresh(template: Path, folder: Path) -> Path:
    shutil.rmtree(folder)
    return shutil.copytree(template, folder)


def done(folder: Path, command: list[str]) -> tuple[int, dict[str, Any]]:
    ended = in_child(command, folder)
    assert not vault.found_in(ended.out.encode())
    return ended.status, json.loads(ended.out)


def codes(told: dict[str, Any]) -> list[str]:
    return [item["code"] for item in told["diagnostics"]]


def test_killed_on_its_way(template: Path, folder: Path) -> None:
    """Whatever lies there then holds no secret; from what was committed it goes on with its payload alone."""
    undisturbed = in_child(RUN, folder)
    assert undisturbed.status == 0, undisturbed.out
    wanted, digest = state(folder / "data"), json.loads(undisturbed.out)["digest"]
    asked = 0
    for edge, name in enumerate(undisturbed.edges, 1):
        if name != "after COMMIT" and edge % 7:
            continue  # any of them may be the one, and they are many
        fresh(template, folder)
        assert in_child(RUN, folder, fatal=edge).status == KILLED
        assert vault.leaks(folder / "data") == [] and vault.leaks(folder / "traces") == [], name
        if name != "after COMMIT":
            continue
        status, told = done(folder, ["resume", "--all", "--json", "--no-picture"])
        if status == 3:
            asked += 1
            assert codes(told) == ["OB790"]
            assert codes(done(folder, [*RESUME, "--payload", "../other.json"])[1]) == ["OB791"]
            status, told = done(folder, WITH)
        assert status == 0, told
        if not told["runs"]:
            status, told = done(folder, RUN)  # nothing had been committed
        else:
            (told,) = told["runs"]
        assert (status, told["exit"], told["digest"]) == (0, "opened", digest)
        assert vault.leaks(folder / "data") == [] and vault.leaks(folder / "traces") == []
        assert state(folder / "data") == wanted
        assert verify((folder / "traces/T1/T1.jsonl").read_bytes(), data_root=folder / "data").verdict == "ANCHORED"
    assert asked == 2


def stopped_after(folder: Path, effect: str) -> None:
    """Run it, and leave it as if its process had died after an effect was committed."""
    undisturbed = in_child(RUN, folder)
    commits = [number for number, name in enumerate(undisturbed.edges, 1) if name == "after COMMIT"]
    for edge in commits:
        shutil.rmtree(folder / "data")
        shutil.rmtree(folder / "traces", ignore_errors=True)
        assert in_child(RUN, folder, fatal=edge).status == KILLED
        with Workspace(folder).engine(folder / "data") as engine:
            events = engine.ledger.events("T1")
        if events and events[-1][0] == effect:
            return
    raise AssertionError(effect)


def test_without_the_payload_it_goes_as_far_as_it_can(folder: Path) -> None:
    stopped_after(folder, "keep")
    before = state(folder / "data")
    status, told = done(folder, RESUME)
    assert (status, codes(told)) == (3, ["OB790"]) and "`again/seed`" in told["diagnostics"][0]["message"]
    assert told["exit"] is None and told["runs"][0]["state"] == "refused"
    assert state(folder / "data") == before
    with Workspace(folder).engine(folder / "data") as engine:
        assert engine.resume("T1").exit_code == 3
        assert engine.resume("T1", payload={**vault.PAYLOAD, "name": "V2"}).exit_code == 3
        with Workspace(folder).engine(folder / "data") as other:
            # What one process gives up another may go on with, while the first one lives.
            result = other.resume("T1", payload=vault.PAYLOAD)
    assert result.exit == "opened" and not vault.found_in(result.record)


def test_a_loop_over_what_is_secret_needs_the_payload(folder: Path) -> None:
    stopped_after(folder, "tell")
    status, told = done(folder, RESUME)
    assert (status, codes(told)) == (3, ["OB790"]) and "`pins`" in told["diagnostics"][0]["message"]
    assert done(folder, WITH)[0] == 0


def test_all_goes_on_with_others(template: Path, folder: Path) -> None:
    stopped_after(folder, "keep")
    plain = folder / "plain.json"
    plain.write_text("{}", "utf-8")
    status, told = done(folder, ["resume", "--all", "--json", "--no-picture"])
    assert status == 3 and [run["state"] for run in told["runs"]] == ["refused"]
    assert done(folder, WITH)[0] == 0
    assert done(folder, ["resume", "--all", "--json"])[1]["runs"] == []


def test_a_key_that_was_damaged_is_named_and_nothing_is_lost(folder: Path) -> None:
    stopped_after(folder, "keep")
    key = folder / "data" / "commitments.key"
    kept = key.read_bytes()
    for wrong in (b"", b"short", kept + b"x"):
        key.write_bytes(wrong)
        status, told = done(folder, WITH)
        assert (status, codes(told)) == (6, ["OB792"])
    key.write_bytes(bytes(32 - 1) + b"x")
    assert codes(done(folder, WITH)[1]) == ["OB791"]
    key.write_bytes(kept)
    assert oct(key.stat().st_mode & 0o777) == "0o600"
    assert done(folder, WITH)[0] == 0


def test_a_payload_for_a_run_without_secrets_is_compared_too(folder: Path) -> None:
    with Workspace(folder).engine(folder / "data") as engine:
        assert engine.resume("T9", payload={}).exit_code == 3
    assert main(["resume", "--all", "--payload", "x", "--workspace", str(folder)]) == 2


def record_of(folder: Path) -> bytes:
    assert in_child(RUN, folder).status == 0
    return (folder / "traces/T1/T1.jsonl").read_bytes()


def test_replay_tells_what_it_cannot_do_again(folder: Path) -> None:
    record_of(folder)
    status, told = done(folder, ["replay", "T1", "--json"])
    assert (status, told["same"]) == (0, True)
    assert told["withheld"][:6] == ["seed", "long", "mix", "key", "again/seed", "again/key"]
    assert {"pins", "pins[0]/seed", "pins[1]/key"} <= set(told["withheld"])
    assert not {"keep", "tell", "pinned"} & set(told["withheld"])
    status, told = done(folder, ["replay", "T1", "--json", "--payload", "../payload.json"])
    assert (status, told["same"], told["withheld"]) == (0, True, [])
    status, told = done(folder, ["replay", "T1", "--json", "--payload", "../other.json"])
    assert (status, codes(told)) == (3, ["OB791"])
    assert "WITHHELD" in in_child(["replay", "T1"], folder).out
    # A stranger has the record and the snapshot, and no key.
    shutil.copy(folder / "traces/T1/T1.jsonl", folder / "their.jsonl")
    shutil.move(folder / "data", folder / "elsewhere")
    status, told = done(folder, ["replay", "their.jsonl", "--json"])
    assert (status, told["same"]) == (0, True) and "seed" in told["withheld"]
    assert codes(done(folder, ["replay", "their.jsonl", "--json", "--payload", "../payload.json"])[1]) == ["OB793"]


def test_replay_finds_what_was_changed_in_public(folder: Path) -> None:
    record = record_of(folder)
    lines = [decode(line) for line in record.splitlines()]
    places = [
        (1, lambda body: body["output"].update(length=6)), (2, lambda body: body.update(row=1)),
        (1, lambda body: body["inputs"].update(fail="x")), (3, lambda body: body["output"].update(label="x")),
        (4, lambda body: body["output"].update(address="AD_x")), (1, lambda body: body.update(outcome="VIOLATION")),
        (2, lambda body: body["inputs"].update(words="shown")), (4, lambda body: body["output"].pop("private_key")),
        (1, lambda body: body["output"].update(seed="shown")), (4, lambda body: body.update(path="kex")),
        (13, lambda body: body["inputs"].update(count=3)), (13, lambda body: body["inputs"].update(count=1)),
        (13, lambda body: body["output"]["items"].pop()), (13, lambda body: body.update(outcome="FAILED")),
        (12, lambda body: body["output"].update(address="AD_y")),
    ]  # fmt: skip
    snapshot = Workspace(folder).load()
    for number, change in places:
        made = forged(
            record, lambda bodies, obs, at=number, change=change: (change(bodies[at]), obs[0].update(trace_id="X"))
        )
        blind = replay(made, snapshot)
        seeing = replay(made, snapshot, data_root=folder / "data", payload=vault.PAYLOAD)
        assert not seeing.same, number
        # What only the secret could tell goes unsaid: it was told as withheld.
        assert not blind.same or (number < 13 and lines[number]["body"]["path"] in blind.withheld)


DOORS = vault.DOORS_OPEN


def test_through_doors_and_waits(template: Path, tmp_path: Path) -> None:
    """A run waits for people; when it goes on it needs its payload, and ends as one that was never stopped."""
    space = Workspace(template)
    root = tmp_path / "d"
    parked = space.run(DOORS, vault.PAYLOAD, data_root=root, trace_id="P1", picture=False)
    assert parked.exit_code == 7 and not vault.found_in(parked.record)
    time.sleep(1.1)
    stopped = space.resume("P1", data_root=root, picture=False)
    assert [item.code for item in stopped.diagnostics] == ["OB790"] and "`key`" in stopped.diagnostics[0].message
    done = space.resume("P1", data_root=root, payload=vault.PAYLOAD, picture=False)
    assert (done.exit, done.diagnostics) == ("done", ()) and not vault.found_in(done.record)
    assert vault.leaks(root) == []
    snapshot = space.load()
    blind = replay(done.record, snapshot)
    assert blind.same and blind.withheld[:2] == ("short", "short/seed") and "key" in blind.withheld
    assert replay(done.record, snapshot, data_root=root, payload=vault.PAYLOAD).withheld == ()


def test_a_door_that_turns_a_secret_away(template: Path, tmp_path: Path) -> None:
    space = Workspace(template)
    long = {**vault.PAYLOAD, "words": vault.WORDS * 3}
    result = space.run(DOORS, long, data_root=tmp_path / "d", picture=False)
    assert result.exit == "long" and not vault.found_in(result.record)
    told = decode(result.record.splitlines()[2])
    assert told["obs"]["fault"]["violations"] == [{"keyword": "maxLength", "pointer": "/words"}]
    blind = replay(result.record, space.load())
    assert blind.same and blind.withheld == ("short",)
    # Without its row nobody knows whether it would go in.
    cut = forged(
        result.record, lambda bodies, obs: (bodies.__delitem__(slice(2, None)), obs.__delitem__(slice(2, None)))
    )
    stopped = replay(cut, space.load())
    assert stopped.same and not stopped.finished and stopped.stops_at == "short"


def test_scenarios_have_secrets_too(template: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(template, tmp_path / "s")
    (folder / "protocols" / "vault" / "vault.test.yaml").write_text(
        "test: a vault is opened\nworkflow: WF_OPEN_V0\nsteps:\n"
        + "".join(
            f"  - payload: {json.dumps({**vault.PAYLOAD, **more})}\n    expect: {{exit: {exit}}}\n"
            for more, exit in (({}, "opened"), ({"fail": "raise"}, "failed"))
        ),
        "utf-8",
    )
    assert main(["test", "--workspace", str(folder), "vault"]) == 0
