"""Reading changes nothing: every command that looks at a data root leaves its files as they are, and needs no right to
write there; a database that others are at work on, that a killed process left, or of another version, is read as well.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from children import SECONDS, Child, children, mounted, together
from dying import STORE, calls, dies_at, shop
from front_door import Call, call
from omnibachi.__main__ import main
from omnibachi_ledger import open_root
from omnibachi_ledger.schema import LATER, VERSION
from performing import STREAM, perform, trouble

__all__ = ["call"]

READING = (
    ("verify", "T1", "--require", "anchored"),
    ("verify", "traces/T1/T1.jsonl"),
    ("replay", "T1"),
    ("examine", "T1"),
    ("traces", "ls"),
    ("traces", "show", "T1"),
    ("data", "ls"),
    ("data", "show", STORE),
    ("resume",),
)
OF_THE_KILLED = (("verify", "T2", "--require", "anchored"), ("examine", "T2"), ("traces", "show", "T2"))
RUN = ("run", "--wf", "shop::WF_KEEP_V0", "--set", "text=tea", "--no-picture")
APPEND = "std::CS_EVENTS_V0.APPEND"
NOBODY = 65534


@pytest.fixture
def here(call: Call, tmp_path: Path) -> Path:
    """The present folder: a workspace with one finished run, T1."""
    shop(tmp_path)
    assert call(*RUN, "--trace-id", "T1").status == 0
    return tmp_path


def seen(folder: Path) -> dict[str, Any]:
    """Return everything that a write would change below a folder."""
    found: dict[str, Any] = {}
    for path in sorted([folder, *folder.rglob("*")]):
        stat = path.stat()
        data = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        found[str(path.relative_to(folder))] = (stat.st_mode, stat.st_mtime_ns, data)
    return found


def all_read(call: Call, commands: tuple[tuple[str, ...], ...] = READING) -> None:
    """Call each command and compare the data root before and after."""
    before = seen(Path("data"))
    for arguments in commands:
        said = call(*arguments)
        assert said.status == 0, (arguments, said.err)
        assert said.out, arguments
        assert seen(Path("data")) == before, arguments


def test_where_nobody_is_at_work(call: Call, here: Path) -> None:
    assert sorted(os.listdir("data")) == ["locks", "registry", "store.db"]
    all_read(call)


def test_what_a_killed_process_left(call: Call, here: Path) -> None:
    dies_at(here, "look", "run", "T2")
    assert {"store.db-wal", "store.db-shm"} <= set(os.listdir("data"))
    all_read(call, READING + OF_THE_KILLED)
    assert "T2" in call("resume").out
    assert call("resume", "T2", "--no-picture").status == 0


def test_a_log_and_an_index_with_nothing_in_them(call: Call, here: Path) -> None:
    for names in (("store.db-wal",), ("store.db-wal", "store.db-shm"), ("store.db-shm",)):
        for name in names:
            (here / "data" / name).touch(0o600)
        all_read(call)
        for name in names:
            (here / "data" / name).unlink()


def test_a_log_without_its_index_is_named(call: Call, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnibachi_ledger.connect.BUSY_SECONDS", 0.05)
    dies_at(here, "look", "run", "T2")
    (here / "data/store.db-shm").unlink()
    before = seen(here / "data")
    said = call("data", "ls", "--json")
    assert (said.status, seen(here / "data")) == (6, before)
    (found,) = said.json()["diagnostics"]
    assert (found["code"], "`store.db-shm` is not there" in found["message"]) == ("OB720", True)
    # What the help says.
    (here / "copy").mkdir()
    for name in ("store.db", "store.db-wal"):
        shutil.copy(here / "data" / name, here / "copy")
    assert call("data", "export", "--data-root", "copy").status == 0
    assert call("verify", "T2", "--require", "anchored", "--data-root", "copy").status == 0


def test_where_nothing_is(call: Call, here: Path) -> None:
    (here / "empty").mkdir()
    (here / "begun").mkdir()
    (here / "begun/store.db").touch()
    for root in ("none", "empty", "begun"):
        assert call("data", "ls", "--data-root", root).status == 0
        assert call("resume", "--data-root", root).out == "nothing to resume\n"
    assert not (here / "none").exists()
    assert os.listdir(here / "empty") == []
    assert [path.stat().st_size for path in (here / "begun").iterdir()] == [0]


def test_an_older_version_is_read_as_it_is(call: Call, here: Path) -> None:
    with sqlite3.connect("data/store.db") as db:
        for table in LATER:
            db.execute(f"DROP TABLE {table}")
        db.execute("DROP INDEX runs_started")
        db.execute("PRAGMA user_version=1")
    db.close()
    all_read(call)
    assert call("data", "ls", "--json").json()["loads"] == []
    assert call(*RUN, "--trace-id", "T2").status == 0
    with open_root("data", reading=True) as ledger:
        assert ledger._db.version == VERSION


@pytest.mark.parametrize(("version", "code"), [(VERSION + 1, "OB722"), (-1, "OB723"), (0, "OB723")])
def test_a_version_that_is_not_known(call: Call, here: Path, version: int, code: str) -> None:
    with sqlite3.connect("data/store.db") as db:
        db.execute(f"PRAGMA user_version={version}")
    db.close()
    before = seen(here / "data")
    assert trouble(lambda: open_root("data", reading=True)) == code
    said = call("verify", "T1", "--require", "anchored")
    assert (said.status, code in said.err, seen(here / "data")) == (6, True, before)


@pytest.mark.parametrize("content", [b"no database at all, only text " * 100, b"SQLite format 3\0" + b"\xff" * 4080])
def test_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.db").write_bytes(content)
    assert trouble(lambda: open_root(str(tmp_path), reading=True)) == "OB723"
    assert seen(tmp_path).keys() == {".", "store.db"}


def test_a_path_that_a_uri_would_misread(tmp_path: Path) -> None:
    root = str(tmp_path / "50% of #1? ä" / "a&b=c")
    with open_root(root) as ledger:
        perform(ledger, "run", APPEND, "APPEND_ONLY", {"record": {"a": "x"}}, STREAM)
    with open_root(root, reading=True) as ledger:
        assert [item["record"] for item in ledger.records(STREAM)] == [{"a": "x"}]
    with open_root("/" + root, reading=True) as ledger:
        assert len(ledger.runs()) == 1


def test_nothing_can_be_recorded(call: Call, here: Path) -> None:
    before = (here / "data/store.db").read_bytes()
    with open_root("data", reading=True) as ledger:
        record = {"record": {"a": "x"}}
        assert trouble(lambda: perform(ledger, "T3", APPEND, "APPEND_ONLY", record, STREAM)) == "OB720"
    with open_root("data", reading=True) as ledger:
        assert trouble(lambda: ledger.load({}, file_digest="", seal="", at="")) == "OB720"
    assert (here / "data/store.db").read_bytes() == before


def test_a_process_at_work_is_read_and_not_disturbed(call: Call, here: Path) -> None:
    (here / "hang-look").touch()
    started = Child("dying:run", "T2", folder=here)
    try:
        while calls(here).count("look") < 2:
            assert started.process.poll() is None
            time.sleep(0.01)
        for arguments in READING + OF_THE_KILLED:
            assert call(*arguments).status == 0, arguments
        assert f"process {started.process.pid} works on it" in call("resume").out
        (here / "hang-look").unlink()
        assert started.process.wait(SECONDS) == 0
    finally:
        started.end()
    assert call("verify", "T2", "--require", "anchored").status == 0


def test_a_writer_that_comes_meanwhile_is_seen(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    with open_root(root) as ledger:
        perform(ledger, "run", APPEND, "APPEND_ONLY", {"record": {"a": "0"}}, STREAM)
    with open_root(root, reading=True) as ledger:
        assert len(ledger.records(STREAM)) == 1
        for count in (1, 2):
            added = [{"record": {"a": f"{count}"}}]
            together(("errands:operate", root, f"by-{count}", APPEND, "APPEND_ONLY", STREAM, added))
            assert sorted(os.listdir(root)) == ["locks", "store.db"], "the writer left as the last one does"
            assert len(ledger.records(STREAM)) == len(ledger.runs()) == 1 + count


def append(barrier: Any, root: str, count: int) -> None:
    """Append records, each in a ledger of its own, so that the log comes and goes."""
    barrier()
    for number in range(count):
        with open_root(root) as ledger:
            perform(ledger, f"run-{number}", APPEND, "APPEND_ONLY", {"record": {"a": f"{number}"}}, STREAM)


def test_writers_that_come_and_go_are_never_seen_half(tmp_path: Path) -> None:
    root, count = str(tmp_path / "data"), 100
    open_root(root).close()
    past: list[Any] = []
    with children(("test_reading_only:append", root, count)) as started:
        deadline = time.monotonic() + SECONDS
        while len(past) < count and time.monotonic() < deadline:
            assert started[0].process.poll() in (None, 0)
            with open_root(root, reading=True) as ledger:
                for _ in range(3):
                    now = ledger.records(STREAM)
                    assert now[: len(past)] == past, "the past changed"
                    past = now
    assert [item["record"]["a"] for item in past] == [str(number) for number in range(count)]


# A data root of somebody else


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that everybody may read, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def a_copy(here: Path, elsewhere: Path) -> Path:
    """Copy the whole workspace, readable for all and writable for nobody but its owner."""
    copied = shutil.copytree(here, elsewhere / "copy")
    for path in [copied, *copied.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return copied


def as_a_stranger(folder: Path, commands: tuple[tuple[str, ...], ...]) -> list[int]:
    """Call the front door in a forked child that is nobody, in a folder; return the exit statuses."""
    sys.stdout.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            assert not os.access("data", os.W_OK)
            os.write(writing, bytes(main([*arguments]) for arguments in commands))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        statuses = list(told.read())
    os.waitpid(child, 0)
    return statuses


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("killed", [False, True])
def test_a_stranger_reads_what_nobody_may_write(call: Call, here: Path, elsewhere: Path, killed: bool) -> None:
    commands = READING
    if killed:
        dies_at(here, "look", "run", "T2")
        commands += OF_THE_KILLED
    all_read(call, commands)  # What is imported late is so in this process, which may read the interpreter's files.
    copied = a_copy(here, elsewhere)
    before = seen(copied)
    assert as_a_stranger(copied, commands) == [0] * len(commands)
    assert as_a_stranger(copied, ((*RUN, "--trace-id", "T3"),)) == [6]
    assert seen(copied) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_stranger_who_may_not_read_is_told(call: Call, here: Path, elsewhere: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("nobody else to be")
    all_read(call)
    copied = a_copy(here, elsewhere)
    (copied / "data/store.db").chmod(0o400)
    assert as_a_stranger(copied, (("verify", "T1", "--require", "anchored"), ("data", "ls"))) == [6, 6]


def read_all(barrier: Any, commands: list[list[str]]) -> list[int]:
    """Call the front door in the present folder; return the exit statuses."""
    barrier()
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        return [main(arguments) for arguments in commands]
    finally:
        sys.stdout = out


@pytest.mark.parametrize("killed", [False, True])
def test_a_device_that_is_only_for_reading(call: Call, here: Path, killed: bool) -> None:
    commands = READING
    if killed:
        dies_at(here, "look", "run", "T2")
        commands += OF_THE_KILLED
    within = mounted(f"mount --bind {here} {here} && mount -o remount,bind,ro {here} && cd {here}")
    if within is None:
        pytest.skip("nobody may mount here")
    before = seen(here)
    ran = [*RUN, "--trace-id", "T3"]
    with children(("test_reading_only:read_all", [*commands, ran]), folder=here, within=within) as started:
        assert started[0].said() == [0] * len(commands) + [6]
    assert seen(here) == before


def test_a_folder_where_the_database_should_be(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    assert trouble(lambda: open_root(str(tmp_path), reading=True)) == "OB720"


def test_a_writer_that_comes_when_a_reader_is_done_spoils_nothing(tmp_path: Path) -> None:
    """What was read on a quiet file is answered, although the file is another one when the reader lets go of it."""
    root = str(tmp_path / "data")

    def write(run: str) -> None:
        with open_root(root) as ledger:
            perform(ledger, run, APPEND, "APPEND_ONLY", {"record": {"a": run}}, STREAM)

    write("T1")
    with open_root(root, reading=True) as ledger:
        db = ledger._db
        db.look()
        before = db.rows("SELECT run FROM runs")
        write("T2")
        db.rollback()
        assert (before, db.in_transaction, len(ledger.runs())) == ([("T1",)], False, 2)
