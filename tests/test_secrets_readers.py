"""Everything that reads runs with secrets: exports, bundles, comparisons, batches, sites, and a server's tables."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vault
from crashing import in_child
from omnibachi import Workspace
from omnibachi.__main__ import main
from postgres_server import Server
from vault import LOOK, OPEN

Say = Callable[..., Any]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vault")
    space = vault.compiled(folder)
    for trace, more in (("T1", {}), ("T2", {"words": "x"}), ("T3", {"fail": "raise"})):
        space.run(OPEN, {**vault.PAYLOAD, **more}, data_root=folder / "data", trace_id=trace, picture=False)
    return folder


@pytest.fixture
def place(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(template, tmp_path / "w")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def say(place: Path, capfd: pytest.CaptureFixture[str]) -> Say:
    """Give what gives a command: what it prints, which holds no secret."""

    def given(*words: str, status: int = 0) -> str:
        capfd.readouterr()
        ended = main([*words])
        told = capfd.readouterr()
        assert not vault.found_in((told.out + told.err).encode())
        assert ended == status, told.out + told.err
        return told.out

    return given


@pytest.mark.parametrize("form", ["otlp", "cloudevents", "openlineage"])
def test_exports_hold_no_secret(say: Say, form: str) -> None:
    for trace in ("T1", "T3"):
        assert "WF_OPEN_V0" in say("export", trace, "--format", form)


def test_a_bundle_holds_no_secret_and_its_verifier_takes_it(say: Say, place: Path) -> None:
    say("bundle", "T1", "--output", "T1.zip")
    with zipfile.ZipFile("T1.zip") as bundle:
        for name in bundle.namelist():
            assert not vault.found_in(bundle.read(name)), name
        bundle.extractall("their")
    assert "INTACT" in say("verify", "T1.zip")
    done = subprocess.run(["python3", "their/verify.py", "T1.zip"], capture_output=True, check=False, timeout=60)
    assert not vault.found_in(done.stdout + done.stderr)


def test_what_differs_is_told_without_a_secret(say: Say) -> None:
    told = json.loads(say("diff", "T1", "T2", "--json", status=1))
    cause = told["cause"]
    assert cause["kind"] == "payload" and [place["pointer"] for place in cause["places"]] == ["/words"]
    assert "withheld" in (cause["note"] or "")
    for command in (("show", OPEN), ("traces", "ls"), ("traces", "show", "T1"), ("examine", "T1"), ("examine", "T3")):
        say(*command)
    shown = say("show", OPEN)
    assert "withheld from its record" in shown and "$.payload.pins[*]" in shown and "mix: both, seed, words" in shown


def test_compat_judges_what_it_can(say: Say, place: Path) -> None:
    assert json.loads(say("compat", ".", "--json"))["ok"]
    changed = place / "protocols" / "vault" / "vault.yaml"
    changed.write_text(changed.read_text("utf-8").replace("size(seed) > 8", "size(seed) > 9"), "utf-8")
    other = shutil.copytree(place, place.parent / "other", ignore=shutil.ignore_patterns("traces", "data"))
    assert main(["compile", "--workspace", str(other)]) == 0
    told = json.loads(say("compat", str(other), "--json", status=1))
    assert len(told["unjudged"]) == 3 and all("withheld" in run["reason"] for run in told["unjudged"])


def test_marks_that_change_are_told(say: Say, place: Path) -> None:
    (place / "protocols" / "vault" / "doors.yaml").unlink()  # it tells what is no longer public then
    assert main(["compile"]) == 0
    old = shutil.copytree(place / "protocol_snapshot", place.parent / "old")
    changed = place / "protocols" / "vault" / "vault.yaml"
    text = changed.read_text("utf-8").replace(
        "name: {type: string, maxLength: 40}", "name: {type: string, maxLength: 41}"
    )
    text = text.replace("length: {type: integer, public: true}", "length: {type: integer}")
    text = (
        text.replace("length: $.nodes.seed.length", "length: 1")
        .replace("label: {type: string, maxLength: 40}", "label: {type: string, maxLength: 40, secret: true}")
        .replace(", label: $.nodes.mix.label}", "}")
    )
    changed.write_text(text, "utf-8")
    assert main(["compile"]) == 0
    told = json.loads(say("diff", str(old), ".", "--json", status=1))
    rules = {(item["rule"], item["part"]) for item in told["changes"]}
    assert {rule for rule, _ in rules} >= {"secret-added", "withheld-otherwise"}
    assert any(rule == "secret-added" and "label" in part for rule, part in rules), rules
    back = json.loads(say("diff", ".", str(old), "--json", status=1))
    assert any(item["rule"] == "secret-dropped" for item in back["changes"])


def test_a_batch_leaves_no_secret(say: Say, place: Path) -> None:
    lines = [{**vault.PAYLOAD, "name": f"V{number}"} for number in range(4)]
    lines += [{**vault.PAYLOAD, "fail": "raise"}, {"wordz": vault.WORDS}]
    for workflow in (OPEN, LOOK):
        file = place.parent / "lines.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines) + vault.WORDS + "\n", "utf-8")
        told = json.loads(say("batch", "--wf", workflow, str(file), "--workers", "2", "--json", status=3))
        assert told["lines"] == 7 or told
        assert json.loads(say("batch", "--wf", workflow, str(file), "--json", status=3))["batch"] == told["batch"]
    assert vault.leaks(place / "batches") == [] and vault.leaks(place / "data") == []
    summary = next((place / "batches").glob("*.summary.json")).read_text("utf-8")
    import hashlib

    assert hashlib.sha256(file.read_bytes()).hexdigest() not in summary


def test_a_site_tells_marks_and_no_secret(say: Say, place: Path) -> None:
    say("docs", "--output", "site")
    assert vault.leaks(place / "site") == []
    page = next(path for path in (place / "site").rglob("*.html") if "IN_OPEN_V0" in path.name).read_text("utf-8")
    assert "secret" in page


def searched(postgres: Server, root: str) -> list[str]:
    """Return the tables of a server's data root, after every cell of them was searched for secrets."""
    with postgres.connect(root) as db:
        asked = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        tables = [str(row[0]) for row in db.execute(asked)]
        for table in tables:
            for row in db.execute(f'SELECT * FROM "{table}"').fetchall():  # type: ignore[arg-type]
                cells = [bytes(cell) if isinstance(cell, (bytes, memoryview)) else str(cell).encode() for cell in row]
                assert not vault.found_in(b"\0".join(cells)), table
    return tables


def test_killed_on_a_server_it_goes_on_with_its_payload(postgres: Server, place: Path) -> None:
    payload = place.parent / "payload.json"
    payload.write_text(json.dumps(vault.PAYLOAD), "utf-8")
    words = ["run", "--wf", OPEN, "--payload", str(payload), "--trace-id", "K1", "--json", "--no-picture"]
    undisturbed = in_child([*words, "--data-root", postgres.root()], place)
    assert undisturbed.status == 0, undisturbed.out
    digest = json.loads(undisturbed.out)["digest"]
    commits = [number for number, name in enumerate(undisturbed.edges, 1) if name == "after COMMIT"]
    for edge in (commits[len(commits) // 2], commits[-2]):
        root = postgres.root()
        shutil.rmtree(place / "traces" / "K1", ignore_errors=True)
        assert in_child([*words, "--data-root", root], place, fatal=edge).status < 0
        postgres.settled(root)
        searched(postgres, root)
        stopped = in_child(["resume", "K1", "--json", "--no-picture", "--data-root", root], place)
        postgres.settled(root)
        assert stopped.status == 3 and "OB790" in stopped.out, stopped.out
        again = ["resume", "K1", "--payload", str(payload), "--json", "--no-picture", "--data-root", root]
        done = in_child(again, place)
        assert done.status == 0 and not vault.found_in(done.out.encode()), done.out
        assert json.loads(done.out)["digest"] == digest  # chance falls the same way, so the key is the same
        postgres.settled(root)
        searched(postgres, root)


def test_a_server_keeps_no_secret(postgres: Server, place: Path, say: Say) -> None:
    """Every table is searched, its key is written once, and another process on the server uses the same."""
    root = postgres.root()
    payload = place.parent / "payload.json"
    payload.write_text(json.dumps(vault.PAYLOAD), "utf-8")
    told = []
    for trace, workflow in (("S1", OPEN), ("S2", LOOK), ("S3", LOOK)):
        say(
            "run", "--wf", workflow, "--payload", str(payload), "--trace-id", trace, "--data-root", root, "--no-picture"
        )
        told.append((place / "traces" / trace / f"{trace}.jsonl").read_bytes())
    assert told[1].splitlines()[0].split(b'"obs"')[0] == told[2].splitlines()[0].split(b'"obs"')[0]
    assert "commitments" in searched(postgres, root)
    with postgres.connect(root) as db:
        for change in ("DELETE FROM commitments", "UPDATE commitments SET key = ''", "TRUNCATE commitments"):
            with pytest.raises(Exception, match="written once"), db.transaction():
                db.execute(change)  # type: ignore[arg-type]
    replayed = say("replay", "S1", "--payload", str(payload), "--data-root", root, "--json")
    assert json.loads(replayed)["withheld"] == []
    with Workspace(place).engine(root) as engine:
        assert engine.ledger.commitment_key() is not None
        result = engine.run(LOOK, vault.PAYLOAD)
        assert not vault.found_in(result.record)


def test_a_file_that_no_record_can_hold_is_told_without_its_secrets(place: Path, say: Say) -> None:
    file = place.parent / "outside.json"
    for member in ("note", "nota"):
        file.write_text(json.dumps({**vault.PAYLOAD, member: {vault.PASS: 1e300}}), "utf-8")
        for words in (("run", "--wf", OPEN), ("resume", "T1"), ("replay", "T1")):
            say(*words, "--payload", str(file), "--json", status=0 if words[0] == "resume" else 3)
