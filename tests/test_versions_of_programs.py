"""Two versions of the program on one data root: an older one leaves a newer database alone, and records tell which."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from crashing import files
from front_door import Call, call
from omnibachi import Workspace, engine, resuming, verify
from omnibachi_ledger import connect, open_root, schema
from omnibachi_model.record import read
from performing import everywhere, raw, root, trouble
from test_bad_luck import Ready
from trial import CLAIM, EVERY_KIND, NAMES, a_copy, lay_trial

__all__ = ["call", "root"]

RUN = ("run", "--wf", EVERY_KIND, "--set", "name=a", "--no-picture", "--trace-id")
MORE = "CREATE TABLE extras (number INTEGER PRIMARY KEY, name TEXT NOT NULL)"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    lay_trial(folder)
    return folder


@pytest.fixture
def home(trial: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a finished run whose database a newer version has opened since."""
    folder = a_copy(trial, tmp_path / "home")
    monkeypatch.chdir(folder)
    assert call(*RUN, "T1").status == 0
    assert call("keys", "new", "log", "--role", "checkpoint").status == 0
    Path("lines.jsonl").write_text('{"name": "b"}\n{"name": "c"}\n', "utf-8")
    Path("facts.json").write_text('{"schema": "omnibachi.seed/1", "stores": {}}', "utf-8")
    db = sqlite3.connect("data/store.db")
    db.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return folder


COMMANDS = [
    ("run", "--wf", CLAIM, "--set", "name=b", "--no-picture"),
    (*RUN, "T1"),
    ("batch", "--wf", CLAIM, "lines.jsonl", "--output", "out.jsonl"),
    ("resume",),
    ("resume", "T1"),
    ("resume", "--all"),
    ("cancel", "T1"),
    ("data", "ls"),
    ("data", "show", NAMES),
    ("data", "export"),
    ("data", "load", "facts.json"),
    ("examine", "T2"),
    ("traces", "ls"),
    ("verify", "T1", "--require", "anchored"),
    ("checkpoint", "make", "--key", "keys/log.key"),
]


def left(home: Path) -> Any:
    """Return the database and all other files; an empty one to hold a lock on is none."""
    return Path("data/store.db").read_bytes(), {name: data for name, data in files(home).items() if data}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_older_program_leaves_a_newer_database_as_it_is(call: Call, home: Path, command: tuple[str, ...]) -> None:
    before = left(home)
    said = call(*command)
    assert (said.status, said.out) == (6, "") and "error[OB722] store-newer" in said.err, said
    assert f"has schema version {schema.VERSION + 1}; this version knows {schema.VERSION}" in said.err
    assert left(home) == before


# Who was at work when another version came


def newer(patch: pytest.MonkeyPatch) -> None:
    """Be the next version of the program from here on, whose schema has one table more."""
    more = {**schema.UPGRADES, schema.VERSION: (MORE,)}
    patch.setattr(connect, "UPGRADES", more)
    patch.setattr(schema, "UPGRADES", more)
    patch.setattr(connect, "VERSION", schema.VERSION + 1)
    patch.setattr(schema, "VERSION", schema.VERSION + 1)


@everywhere
@pytest.mark.parametrize("reading", [2, 5, 9, 13])
def test_who_was_at_work_when_a_newer_one_came_ends_its_run(trial: Path, root: str, reading: int) -> None:
    """What a newer version lays beside what is there disturbs nobody; who opens the database after that is too old."""
    laid: list[int] = []

    def come() -> None:
        with pytest.MonkeyPatch.context() as patch:
            newer(patch)
            with open_root(root) as opened:
                laid.append(len(opened.runs()))

    workspace = Workspace(trial)
    with workspace.engine(root, clock=Ready(10_000, None)) as before:
        before.run(EVERY_KIND, {"name": "z"}, trace_id="T0")
    with workspace.engine(root, clock=Ready(reading, come)) as at_work:
        result = at_work.run(EVERY_KIND, {"name": "a"}, trace_id="T1")
        assert (result.exit, [item.code for item in result.diagnostics]) == ("done", ["OB707", "OB702"])
        assert at_work.run(EVERY_KIND, {"name": "b"}, trace_id="T2").exit == "done"
    assert laid == [1 if reading == 2 else 2]
    assert trouble(lambda: open_root(root)) == "OB722"
    assert [item.code for item in workspace.run(CLAIM, {"name": "c"}, data_root=root).diagnostics] == ["OB722"]
    with pytest.MonkeyPatch.context() as patch:
        newer(patch)
        with open_root(root) as opened:
            assert [row.exit for row in opened.runs()] == ["done"] * 3
            assert opened.record("T1") == result.record
        assert verify(result.record, data_root=root).verdict == "ANCHORED"
    with raw(root) as db:
        assert db.execute("SELECT count(*) FROM extras").fetchall() == [(0,)]


def test_the_record_tells_which_program_did_what(trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    workspace = Workspace(trial)

    def dies() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "PROGRAM", "omnibachi 0.0.1")
    with pytest.raises(KeyboardInterrupt), workspace.engine(data, clock=Ready(9, dies)) as older:
        older.run(EVERY_KIND, {"name": "a"}, trace_id="T1")
    monkeypatch.undo()
    with workspace.engine(data) as today:
        result = today.resume("T1")
    assert result.exit == "done"
    told = [event.obs["program"] for event in read(result.record) if event.body["kind"] in ("RUN_STARTED", "RESUMED")]
    assert told == ["omnibachi 0.0.1", resuming.PROGRAM]
    assert verify(result.record, data_root=data).verdict == "ANCHORED"
