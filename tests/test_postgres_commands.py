"""Every command that speaks of state, on a PostgreSQL in place of a folder; and the same through the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnibachi import Workspace, examine, replay, verify
from omnibachi.__main__ import main
from omnibachi_ledger import open_root
from performing import events, journal
from postgres_server import Server
from trial import CLAIM, EVERY_KIND, NAMES, THINGS, a_copy, lay_trial

Say = Callable[..., Any]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    lay_trial(folder)
    return folder


@pytest.fixture
def place(trial: Path, tmp_path: Path) -> Path:
    return a_copy(trial, tmp_path / "w")


@pytest.fixture
def root(postgres: Server) -> str:
    return postgres.root()


@pytest.fixture
def say(place: Path, root: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Say]:
    """Give what gives a command on the server in the workspace: its answer, whose status must be that of the exit."""
    monkeypatch.chdir(place)

    def given(*words: str, status: int = 0) -> Any:
        capsys.readouterr()
        ended = main([*words, "--data-root", root, "--json"])
        out, _ = capsys.readouterr()
        assert ended == status, out
        return json.loads(out)

    return given


def test_a_run_from_its_payload_to_its_proof(say: Say, place: Path, root: str) -> None:
    told = say("run", "--wf", EVERY_KIND, "--set", "name=a", "--trace-id", "T1", "--no-picture")
    assert told["exit"] == "done" and not (place / "data" / "store.db").exists()
    assert say("run", "--wf", EVERY_KIND, "--set", "name=a", "--trace-id", "T1")["repeated"]
    assert say("run", "--wf", EVERY_KIND, "--set", "name=b", "--trace-id", "T1", status=3)["exit"] is None
    assert say("verify", "T1", "--require", "anchored")["verdict"] == "ANCHORED"
    assert say("replay", "T1")["same"]
    assert say("examine", "T1")["trace_id"] == "T1"
    assert [item["trace_id"] for item in say("traces", "ls")["traces"]] == ["T1"]
    counts = {item["store"]: item["count"] for item in say("data", "ls")["stores"]}
    assert counts[NAMES] == 1 and counts[THINGS] == 2
    assert [item["key"] for item in say("data", "show", NAMES)["records"]] == ["a"]
    mirrors = place / "data" / "postgresql"
    before = {path: path.read_bytes() for path in mirrors.rglob("*.jsonl")}
    assert [path.stem for path in before] != []
    for path in before:
        path.unlink()
    assert set(before) <= {Path(name) for name in say("data", "export")["files"]}
    assert {path: path.read_bytes() for path in before} == before
    # The same in a folder gives the same, but for time, chance and the run's id.
    assert main(["run", "--wf", EVERY_KIND, "--set", "name=a", "--trace-id", "T2", "--no-picture"]) == 0
    for path in before:
        there = place / "data" / path.relative_to(mirrors)
        assert _places(there) == _places(path) != []


def _places(mirror: Path) -> list[Any]:
    lines = [json.loads(line) for line in mirror.read_text("utf-8").splitlines()]
    return [[line.get(name) for name in ("number", "key", "sequence", "event", "revision")] for line in lines]


def test_facts_are_loaded_and_told(say: Say, root: str) -> None:
    with open_root(root) as ledger:
        ledger.load({THINGS: {"k": {"n": 1}}}, file_digest="d", seal="s", at="2026-01-01T00:00:00.000Z")
    (load,) = say("data", "ls")["loads"]
    assert (load["number"], load["stores"]) == (1, {THINGS: {"loaded": 1, "unchanged": 0}})
    assert [item["key"] for item in say("data", "show", THINGS)["records"]] == ["k"]


def test_what_died_is_listed_and_resumed_and_what_lives_is_named(say: Say, place: Path, root: str) -> None:
    with open_root(root) as ledger:
        held = journal(ledger, "H1")
        held.begin()
        held.write(events(2)[:1])
        held.commit()
        (left,) = say("resume")["left"]
        assert (left["trace_id"], left["state"]) == ("H1", "held")
        refused = say("resume", "H1", status=6)
        assert [item["code"] for item in refused["diagnostics"]] == ["OB713", "OB787"]
        ledger.close(done=False)
    (left,) = say("resume")["left"]
    assert (left["trace_id"], left["state"]) == ("H1", "unfinished")
    found = say("resume", "--all", status=6)
    assert {item["code"] for item in found["diagnostics"]} == {"OB723", "OB787"}, "it has no start, and stays as it is"


def test_the_api_speaks_to_it_too(place: Path, root: str) -> None:
    here = Workspace(place)
    with here.engine(root) as engine:
        result = engine.run(CLAIM, {"name": "a", "by": "A"}, trace_id="T1")
        assert result.exit == "claimed"
        assert [item.code for item in engine.warnings] == ["OB787"]
        record = engine.record("T1")
    assert verify(record, data_root=root).verdict == "ANCHORED"
    assert examine(record, data_root=root).verdict == "ANCHORED"
    assert replay(record, here.load()).same
    assert here.records(NAMES, data_root=root) == [{"key": "a", "value": {"owner": "A"}}]
    inputs: dict[str, Any] = {"key": "b", "value": {"owner": "B"}}
    called = here.call("std::CS_REGISTRY_V0.REGISTER", inputs, store=NAMES, data_root=root)
    assert called.outcome == "SUCCESS"
    assert here.resume("T1", data_root=root, picture=False).repeated
    assert (place / "traces" / "T1" / "T1.jsonl").read_bytes() == record


def test_a_folder_keeps_its_meaning(place: Path, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may hold a colon or a word of an address, and is a path."""
    monkeypatch.chdir(place)
    for name in ("postgres", "a:b", "./postgresql", "x/postgresql:y"):
        assert main(["run", "--wf", CLAIM, "--set", "name=a", "--data-root", name, "--no-picture"]) == 0
        assert (place / name / "store.db").exists()
