"""The ledger: journals, receipts and leases, and what is read back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from omnibachi_ledger import Ledger, open_root
from omnibachi_model.diagnostics import Defect, Trouble
from omnibachi_model.digests import digest
from omnibachi_model.record import digest_of, export, read
from performing import (
    KEEPS,
    RECORDS,
    REGISTRY,
    SEALED,
    STREAM,
    events,
    everywhere,
    journal,
    ledger,
    perform,
    raw,
    root,
    trouble,
)  # fmt: skip

__all__ = ["ledger", "root"]

REGISTER = "std::CS_REGISTRY_V0.REGISTER"
APPEND = "std::CS_EVENTS_V0.APPEND"


# Journal


@everywhere
def test_nothing_is_written_before_the_first_begin(ledger: Ledger) -> None:
    journal(ledger, "run")
    assert ledger.finished("run") is None
    assert ledger.runs() == []
    assert ledger.sealed(digest(SEALED)) is None


@everywhere
def test_an_effect_its_receipt_and_its_events_are_one_transaction(ledger: Ledger, root: str) -> None:
    held = journal(ledger, "run")
    held.begin()
    held.store(REGISTRY).put("k", {"a": 1}, revision=0)
    assert held.receipt("node", REGISTER, "SUCCESS") == 1
    held.write(events(3)[:2])
    with open_root(root) as other:
        assert other.finished("run") is None
        assert other.records(REGISTRY) == []
    held.commit()
    with open_root(root) as other:
        assert other.records(REGISTRY) == [{"key": "k", "value": {"a": 1}}]
        assert len(other.events("run")) == 2
        assert other.sealed(digest(SEALED)) == SEALED
        row = other.finished("run")
        assert row is not None
        assert (row.run, row.workflow, row.exit, row.status, row.digest) == (
            "run",
            "shop::WF_SELL_V0",
            None,
            None,
            None,
        )


@everywhere
def test_a_workflow_is_stored_with_the_first_commit_that_holds(ledger: Ledger) -> None:
    undone = journal(ledger, "undone")
    undone.begin()
    undone.rollback()
    assert ledger.sealed(digest(SEALED)) is None
    for run in ("first", "second"):
        held = journal(ledger, run)
        held.begin()
        held.commit()
        assert ledger.sealed(digest(SEALED)) == SEALED


@everywhere
def test_the_record_is_the_events_in_order(ledger: Ledger) -> None:
    written = events(4)
    held = journal(ledger, "run")
    held.begin()
    held.write(written[:3])
    held.commit()
    held.begin()
    held.write(written[3:])
    bodies = digest_of(body for _, body, _ in written)
    held.finish("done", "COMPLETED", bodies)
    held.commit()
    assert ledger.events("run") == list(written)
    record = ledger.record("run")
    assert record == export((body, obs) for _, body, obs in written)
    assert [event.body["path"] for event in read(record)] == [path for path, _, _ in written]
    row = ledger.finished("run")
    assert row is not None
    assert (row.exit, row.status, row.digest) == ("done", "COMPLETED", bodies)
    assert ledger.record("other") is None


@everywhere
def test_a_rollback_undoes_all_of_it_and_the_next_attempt_starts_afresh(ledger: Ledger) -> None:
    held = journal(ledger, "run")
    held.begin()
    held.store(REGISTRY).put("k", {"a": 1}, revision=0)
    held.receipt("node", REGISTER, "SUCCESS")
    held.write(events(3))
    held.rollback()
    held.rollback()
    assert ledger.finished("run") is None
    assert ledger.records(REGISTRY) == []
    held.begin()
    held.store(REGISTRY).put("k", {"a": 2}, revision=0)
    assert held.receipt("node", REGISTER, "SUCCESS") == 1
    held.write(events(3))
    held.commit()
    assert ledger.records(REGISTRY) == [{"key": "k", "value": {"a": 2}}]
    assert len(ledger.events("run")) == 3


@everywhere
def test_commit_numbers_count_through_all_runs_and_mark_what_was_written(ledger: Ledger, root: str) -> None:
    perform(ledger, "run-1", APPEND, "APPEND_ONLY", {"record": {"a": "x"}}, STREAM)
    perform(ledger, "run-2", REGISTER, "IDEMPOTENT", {"key": "k", "value": {}}, REGISTRY)
    perform(ledger, "run-3", REGISTER, "IDEMPOTENT", {"key": "k", "value": {}}, REGISTRY)
    perform(ledger, "run-4", APPEND, "APPEND_ONLY", {"record": {"a": "x"}}, STREAM)
    with raw(root) as db:
        assert db.execute("SELECT number, run, outcome FROM receipts").fetchall() == [
            (1, "run-1", "SUCCESS"), (2, "run-2", "SUCCESS"), (3, "run-3", "ALREADY_EXISTS"), (4, "run-4", "SUCCESS"),
        ]  # fmt: skip
        assert db.execute("SELECT sequence, number FROM streams").fetchall() == [(1, 1), (2, 4)]
        assert db.execute("SELECT key, number FROM records").fetchall() == [("k", 2)]
        first = db.execute("SELECT run, seq, holder FROM runs ORDER BY run").fetchall()[0]
        assert first[:2] == ("run-1", 3)
        assert first[2].startswith(f"{os.getpid()}-")
    db.close()


@everywhere
def test_what_must_not_be_written_is_a_defect(ledger: Ledger) -> None:
    held = journal(ledger, "run")
    for write in (
        lambda: held.store(REGISTRY).put("k", {}),
        lambda: held.store(REGISTRY).remove("k"),
        lambda: held.store(STREAM).append("e", {}),
        lambda: ledger.store(REGISTRY).put("k", {}),
    ):
        with pytest.raises(PermissionError, match="READ"):  # a capability's mistake, not ours
            write()
    for action in (
        lambda: held.receipt("node", REGISTER, "SUCCESS"),
        lambda: held.write(events(2)),
        lambda: held.finish("done", "COMPLETED", "d"),
        held.commit,
    ):
        with pytest.raises(Defect):
            action()
    held.begin()
    with pytest.raises(Defect):
        held.begin()
    with pytest.raises(Defect):
        journal(ledger, "other").begin()
    held.store(REGISTRY).put("k", {})
    with pytest.raises(Defect, match="receipt"):
        held.commit()
    assert ledger.records(REGISTRY) == []


def test_the_same_path_twice_is_a_defect_and_undone(ledger: Ledger) -> None:
    held = journal(ledger, "run")
    held.begin()
    held.receipt("node", REGISTER, "SUCCESS")
    with pytest.raises(Defect):
        held.receipt("node", REGISTER, "SUCCESS")
    with pytest.raises(Defect):
        held.write([("node", b"{}", b"{}"), ("node", b"{}", b"{}")])
    held.rollback()
    assert ledger.runs() == []


@everywhere
def test_a_run_is_begun_once(ledger: Ledger, root: str) -> None:
    held = journal(ledger, "run")
    held.begin()
    held.write(events(2)[:1])
    held.commit()
    assert trouble(journal(ledger, "run").begin) == "OB712"  # nobody else works on it
    with open_root(root) as other:
        with pytest.raises(Trouble, match=f"process {os.getpid()} works on the run `run`"):
            journal(other, "run").begin()
        held.begin()
        held.finish("done", "COMPLETED", digest(b""))
        held.commit()
        assert trouble(journal(other, "run").begin) == "OB711"


@everywhere
def test_a_lost_lease_stops_the_run(ledger: Ledger, root: str) -> None:
    held = journal(ledger, "run")
    held.begin()
    held.commit()
    with raw(root) as db:
        db.execute("UPDATE runs SET fence=fence+1")
    db.close()
    assert trouble(held.begin) == "OB713"
    held.rollback()
    assert ledger.finished("run") is not None


@everywhere
def test_a_dead_holder_is_known_at_once(root: str) -> None:
    code = (
        "import os, signal, sys; from performing import events, journal; from omnibachi_ledger import open_root\n"
        "held = journal(open_root(sys.argv[1]), 'run'); held.begin(); held.write(events(2)[:1]); held.commit()\n"
        "print('ready', flush=True); sys.stdin.readline()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, root], cwd=Path(__file__).parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        assert child.stdout.readline() == b"ready\n"
        with open_root(root) as ledger:
            with pytest.raises(Trouble, match=f"process {child.pid} works"):
                journal(ledger, "run").begin()
            child.kill()
            child.wait()
            assert trouble(journal(ledger, "run").begin) == "OB712"
            assert len(ledger.events("run")) == 1


def test_a_holder_that_cannot_be_asked_is_not_taken_for_dead(ledger: Ledger, root: str) -> None:
    held = journal(ledger, "run")
    held.begin()
    held.commit()
    with raw(root) as db:
        db.execute("UPDATE runs SET holder='other'")
    db.close()
    os.mkdir(os.path.join(root, "locks", "other.lock"))
    assert trouble(journal(ledger, "run").begin) == "OB720"


def test_closing_removes_this_process_lock(root: str) -> None:
    with open_root(root) as ledger:
        assert not os.path.exists(os.path.join(root, "locks"))
        perform(ledger, "run", REGISTER, "IDEMPOTENT", {"key": "k", "value": {}}, REGISTRY)
        assert [f"{row.holder}.lock" for row in ledger.runs()] == os.listdir(os.path.join(root, "locks"))
    assert os.listdir(os.path.join(root, "locks")) == []


@everywhere
def test_closing_in_the_middle_undoes_it(root: str) -> None:
    with open_root(root) as ledger:
        held = journal(ledger, "run")
        held.begin()
        held.store(REGISTRY).put("k", {})
    with open_root(root) as ledger:
        assert ledger.runs() == []
        assert ledger.stores() == {}


# Reading


@everywhere
def test_stores_and_records(ledger: Ledger) -> None:
    assert ledger.stores() == {}
    assert ledger.records(REGISTRY) == []
    for index, key in enumerate(("z", "a", "m")):
        perform(ledger, f"r{index}", REGISTER, "IDEMPOTENT", {"key": key, "value": {"n": index}}, REGISTRY)
    perform(ledger, "s", APPEND, "APPEND_ONLY", {"record": {"a": "x"}}, STREAM)
    assert ledger.stores() == {REGISTRY: 3, STREAM: 1}
    assert [item["key"] for item in ledger.records(REGISTRY)] == ["z", "a", "m"]
    assert ledger.records(STREAM) == [{"sequence": 1, "event": "shop::EV_SOLD_V0", "record": {"a": "x"}}]
    assert ledger.store(REGISTRY).get("a") == ({"n": 1}, 1)
    assert [row.run for row in ledger.runs(limit=2)] == ["s", "r2"]


def test_memory_holds_nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_root(None) as ledger:
        perform(ledger, "run", REGISTER, "IDEMPOTENT", {"key": "k", "value": {}}, REGISTRY)
        ledger.mirror(KEEPS)
        assert ledger.export(KEEPS) == []
        assert ledger.stores() == {REGISTRY: 1}
        held = journal(ledger, "open")
        held.begin()
        held.commit()
        assert trouble(journal(ledger, "open").begin) == "OB712"
    assert os.listdir(tmp_path) == []


def test_looking_leaves_nothing(root: str) -> None:
    with open_root(root, create=False) as ledger:
        assert ledger.stores() == {}
        assert ledger.runs() == []
    assert not os.path.exists(root)


@everywhere
@pytest.mark.parametrize("key", [None, 3, True, b"k", ["k"], {"k": 1}])
def test_what_is_no_key_is_the_capabilitys_mistake(ledger: Ledger, key: Any) -> None:
    held = journal(ledger, "R1")
    held.begin()
    records, stream = held.store(RECORDS), held.store(STREAM)
    for mistake in (
        lambda: records.get(key),
        lambda: records.put(key, {}),
        lambda: records.remove(key),
        lambda: stream.append(key, {}),
        lambda: stream.find(key, {}),
        lambda: records.list({}, "3"),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError):
            mistake()
    held.rollback()
