"""Cancelling: wherever a run is, it ends at `cancelled`, does nothing more, and its record tells who wanted that."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hooked import BUSY, DO, EACH, KEYED, PEOPLE, POLL, POST, PURELY, STRAIGHT, WAIT, lay_hooked
from omnibachi import RunResult, Workspace, examine, replay, verify
from omnibachi.__main__ import main
from omnibachi.cancelling import BEFORE, KEPT, LATE, cancel
from omnibachi_ledger import open_root
from omnibachi_ledger.cancellations import Cancellation
from omnibachi_model.diagnostics import Refused
from omnibachi_model.digests import decode
from postgres_server import Server

WANTED = Cancellation("2026-01-01T00:00:00.000Z", "somebody", None)


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """Give the address of a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory, silent: str) -> Workspace:
    return lay_hooked(tmp_path_factory.mktemp("hooked"), silent)


@pytest.fixture(autouse=True)
def without_traces(hooked: Workspace) -> None:
    shutil.rmtree(Path(hooked.root) / "traces", ignore_errors=True)


@pytest.fixture(params=["folder", "server"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "folder":
        yield str(tmp_path / "data")
    else:
        server: Server = request.getfixturevalue("postgres")
        yield server.root()


def ran(hooked: Workspace, workflow: str, root: str, folder: Path) -> RunResult:
    with hooked.engine(root) as engine:
        return engine.run(workflow, {"root": root, "file": str(folder / "called")}, trace_id="T1")


def kinds(record: bytes) -> list[str]:
    bodies = [decode(line)["body"] for line in record.splitlines()]
    return [str(body.get("outcome") or body.get("exit") or body["kind"]) for body in bodies]


def holds(hooked: Workspace, root: str, record: bytes) -> dict[str, Any]:
    """Hold the record of a cancelled run to all that is asked of one; return how it is examined."""
    judged = verify(record, data_root=root)
    assert (judged.verdict, judged.reason) == ("ANCHORED", None)
    again = replay(record, hooked.load())
    assert again.same, again
    with open_root(root, create=False) as ledger:
        row = ledger.finished("T1")
        assert row is not None and (row.exit, row.status, row.digest) == ("cancelled", "FAILED", judged.digest)
        assert ledger.doubt(row) is None
        assert ledger.record("T1") == record
        assert ledger.records("hooked::ST_DONE_V0") == []
    report = examine(record, snapshot=hooked.load()).as_json()
    assert "was cancelled by" in report["summary"] and report["failed"] is None and report["decided"] is None
    return report


@pytest.mark.parametrize(
    ("workflow", "events"),
    [
        (DO, ["RUN_STARTED", "INTENDED", "SUCCESS", "cancelled"]),
        (STRAIGHT, ["RUN_STARTED", "INTENDED", "SUCCESS", "cancelled"]),
        (PURELY, ["RUN_STARTED", "INTENDED", "SUCCESS", "SUCCESS", "cancelled"]),
        (EACH, ["RUN_STARTED", "INTENDED", "SUCCESS", "cancelled"]),
    ],
)
def test_nothing_more_is_done(hooked: Workspace, root: str, tmp_path: Path, workflow: str, events: list[str]) -> None:
    found = ran(hooked, workflow, root, tmp_path)
    assert (found.exit, found.status, found.exit_code, found.result) == ("cancelled", "FAILED", 1, {})
    (told,) = found.diagnostics
    assert (told.code, told.message) == ("OB732", "the run was cancelled by `the hook`: enough")
    assert kinds(found.record) == events
    assert (tmp_path / "called").read_text() == "called\n"
    report = holds(hooked, root, found.record)
    assert report["cancelled"] == {"at": "2026-01-01T00:00:00.000Z", "by": "the hook", "because": "enough"}
    with hooked.engine(root) as engine:
        again = engine.resume("T1")
    assert (again.exit, again.repeated, [item.code for item in again.diagnostics]) == ("cancelled", True, ["OB732"])


def started(hooked: Workspace, workflow: str, root: str, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    sets = (f"root={root}", f"file={folder / 'called'}", *more)
    words = ["run", "--wf", workflow, *(word for text in sets for word in ("--set", text)), "--trace-id", "T1",
             "--no-picture", "--json", "--data-root", root, "--workspace", str(hooked.root)]  # fmt: skip
    return subprocess.Popen([sys.executable, "-m", "omnibachi", *words], stdout=subprocess.PIPE)


def begun(child: subprocess.Popen[bytes], folder: Path | None, root: str) -> None:
    """Wait until the call is under way: it has left its mark, or is intended."""
    until = time.monotonic() + 20
    while True:
        assert time.monotonic() < until and child.poll() is None
        if folder is not None and (folder / "called").exists():
            return
        with open_root(root, create=False, reading=True) as ledger:
            if folder is None and any(b"INTENDED" in body for _, body, _ in ledger.events("T1")):
                return
        time.sleep(0.05)


def died(hooked: Workspace, root: str, folder: Path) -> None:
    """Let a run be killed in the middle of a call that left the house."""
    child = started(hooked, KEYED, root, folder)
    child.communicate(timeout=20)
    assert child.returncode < 0
    if root.startswith("postgresql"):
        time.sleep(0.3)  # until the server has noticed


@pytest.mark.parametrize(
    ("workflow", "outcome"),
    [(WAIT, "OUTCOME_UNKNOWN"), (POLL, "SUCCESS"), (BUSY, "BACKEND_ERROR"), (POST, "OUTCOME_UNKNOWN")],
)
def test_another_process_ends_its_run(
    hooked: Workspace, root: str, tmp_path: Path, silent: str, workflow: str, outcome: str
) -> None:
    child = started(hooked, workflow, root, tmp_path, f"url=http://{silent}/")
    begun(child, tmp_path if workflow != POST else None, root)
    found = cancel(hooked, "T1", "her", "why not", data_root=root, wait=15)
    assert (found.state, found.exit_code, found.ended, found.process) == (KEPT, 0, True, None)
    told, _ = child.communicate(timeout=15)
    answer = json.loads(told)
    assert (answer["exit"], answer["exit_code"], child.returncode) == ("cancelled", 1, 1)
    with open_root(root, create=False) as ledger:
        record = ledger.record("T1") or b""
    assert kinds(record)[-2:] == [outcome, "cancelled"]
    assert verify(record, data_root=root).verdict == "ANCHORED" and replay(record, hooked.load()).same
    assert workflow == POST or (tmp_path / "called").read_text() == "called\n"


def test_a_dead_run_is_ended_and_what_may_have_left_is_told(hooked: Workspace, root: str, tmp_path: Path) -> None:
    died(hooked, root, tmp_path)
    found = cancel(hooked, "T1", "her", data_root=root, wait=10, picture=False)
    assert (found.state, found.exit_code, found.ended) == (KEPT, 0, True)
    assert found.result is not None
    record = found.result.record
    assert kinds(record) == ["RUN_STARTED", "INTENDED", "RESUMED", "OUTCOME_UNKNOWN", "cancelled"]
    report = holds(hooked, root, record)
    assert any("ask the other side whether `call` was done" in advice for advice in report["advice"])
    assert (tmp_path / "called").read_text() == "called\n"
    assert Path(found.result.trace["jsonl"]).name == "T1.jsonl"
    assert cancel(hooked, "T1", "him", data_root=root).state == BEFORE


@pytest.mark.parametrize("everything", [True, False])
def test_who_died_after_it_was_kept_left_it_to_resume(
    hooked: Workspace, tmp_path: Path, everything: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(tmp_path / "data")
    died(hooked, root, tmp_path)
    with open_root(root) as ledger:
        assert ledger.cancellations.keep("T1", WANTED)
    asked = ["--all"] if everything else ["T1"]
    assert main(["resume", *asked, "--data-root", root, "--workspace", str(hooked.root), "--no-picture"]) == 1
    assert "cancelled (FAILED)" in capsys.readouterr().out
    with open_root(root) as ledger:
        holds(hooked, root, ledger.record("T1") or b"")


def test_a_run_that_waits_for_people(hooked: Workspace, root: str, tmp_path: Path) -> None:
    assert ran(hooked, PEOPLE, root, tmp_path).status == "WAITING"
    found = cancel(hooked, "T1", "her", data_root=root, picture=False)
    assert found.ended and found.result is not None
    assert kinds(found.result.record) == ["RUN_STARTED", "WAITING", "RESUMED", "cancelled"]
    holds(hooked, root, found.result.record)


def test_what_has_ended_stays(hooked: Workspace, root: str, tmp_path: Path) -> None:
    ran(hooked, DO, root, tmp_path)
    with hooked.engine(root) as engine:
        done = engine.record("T1")
    found = cancel(hooked, "T1", "her", data_root=root)
    assert (found.state, found.exit_code) == (BEFORE, 0)
    with hooked.engine(root) as engine:
        assert engine.record("T1") == done


def test_too_late_and_unknown(hooked: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(tmp_path / "data")
    (tmp_path / "called").write_text("called\n")
    assert ran(hooked, KEYED, root, tmp_path).exit == "done"
    found = cancel(hooked, "T1", "her", data_root=root)
    assert (found.state, found.exit_code, [item.code for item in found.diagnostics]) == (LATE, 1, ["OB729"])
    with open_root(root) as ledger:
        assert ledger.cancellations.of("T1") is None
        assert not ledger.cancellations.keep("T1", WANTED) and not ledger.cancellations.keep("T0", WANTED)
    words = ["--data-root", root, "--workspace", str(hooked.root), "--json"]
    assert main(["cancel", "T1", *words]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["state"], answer["exit"], answer["cancelled"]) == ("ended before", "done", None)
    assert main(["cancel", "T0", *words]) == 3
    for name, why in (("", "x"), ("her", ""), ("her", "x" * 2001), ("\ud800", None)):
        with pytest.raises(Refused):
            cancel(hooked, "T1", name, why, data_root=root)


def test_a_cancellation_is_written_once(hooked: Workspace, tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    ran(hooked, DO, root, tmp_path)
    with sqlite3.connect(tmp_path / "data" / "store.db") as db:
        for statement in (
            "UPDATE cancellations SET author='x'", "DELETE FROM cancellations",
            "INSERT OR REPLACE INTO cancellations VALUES ('T1', 'a', 'b', NULL)",
        ):  # fmt: skip
            with pytest.raises(sqlite3.IntegrityError, match="written once"):
                db.execute(statement)
    db.close()


def test_what_a_forged_end_tells_is_seen(hooked: Workspace, tmp_path: Path) -> None:
    from omnibachi_model.record import export, read

    record = ran(hooked, DO, str(tmp_path / "data"), tmp_path).record
    events = [(event.body_bytes, event.obs_bytes) for event in read(record)]
    for old, new in (
        (b'"by":"the hook"', b'"by":""'),
        (b'"because":"enough",', b""),
        (b'"because":"enough"', b'"because":1'),
    ):
        forged = [*events[:-1], (events[-1][0], events[-1][1].replace(old, new))]
        assert verify(export(forged)).verdict == "BROKEN"
    forged = [events[0], (events[1][0], events[1][1].replace(b'"at_us"', b'"cancelled":{},"at_us"', 1)), *events[2:]]
    assert verify(export(forged)).verdict == "BROKEN"
    unanswered = [*events[:2], events[-1]]
    assert verify(export(unanswered)).verdict == "BROKEN"
