"""Writers of one process take turns: in the order in which they asked, and with one wait for the disk for all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deciding import LEDGER, anchors, append, asked, tell
from governing import events, gateway, post, stories
from omnibachi_ledger import connect, open_root, turns
from omnibachi_ledger.turns import Turns
from omnibachi_model.decisions import INTENT
from omnibachi_model.diagnostics import Trouble

HERE = Path(__file__).parent
OTHER = """
import sys, governing
with governing.gateway(sys.argv[1]) as door:
    for number in range(20):
        governing.post(door, f"other-{number}")
"""


def test_threads_of_one_data_root_keep_one_chain_beside_another_process(tmp_path: Path) -> None:
    """Eight gateways of one process and one of another govern at once; every story is whole, and the ledger holds."""
    root, whole = tmp_path / "data", ["INTENT", "DECISION ALLOW", "EXECUTION ok"]
    with gateway(root) as first:
        post(first, "first")
        other = subprocess.Popen([sys.executable, "-c", OTHER, str(root)], cwd=HERE)

        def govern(number: int) -> None:
            with first.beside() as door:
                for turn in range(10):
                    assert post(door, f"{number}-{turn}").state == "EXECUTED"

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(govern, range(8)))
        assert other.wait(60) == 0
    told = stories(root)
    assert len(told) == 1 + 80 + 20 and all(story == whole for story in told.values())


def test_the_turn_goes_to_who_asked_next() -> None:
    order = Turns()
    queue: list[int] = []
    threads: list[threading.Thread] = []
    assert order.take(0)
    for number in range(6):
        threads.append(threading.Thread(target=_in_turn, args=(order, queue, number)))
        threads[-1].start()
        _until(lambda: len(order._waiting) == len(threads))
    order.give()
    for thread in threads:
        thread.join()
    assert queue == list(range(6)) and order.take(0)


def _in_turn(order: Turns, queue: list[int], number: int) -> None:
    assert order.take(30)
    queue.append(number)
    order.give()


def test_who_waited_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that never ends is Trouble for others, not a queue for ever; once it ends, all goes on."""
    order = Turns()
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.05)
    with open_root(str(tmp_path), turns=order) as ledger:
        assert append(ledger, INTENT, anchors(1), asked())[0] == "SUCCESS"
        assert order.take(0)
        with pytest.raises(Trouble) as told:
            append(ledger, INTENT, anchors(2), asked())
        assert told.value.diagnostic.code == "OB721"
        order.give()
        assert append(ledger, INTENT, anchors(2), asked())[0] == "SUCCESS"


def test_whatever_ends_a_transaction_gives_the_turn_up(tmp_path: Path) -> None:
    order = Turns()

    def free() -> bool:
        found = order.take(0)
        if found:
            order.give()
        return found

    db = connect.connect(str(tmp_path), create=True, turns=order)
    db.begin()
    assert not free()
    db.commit(lambda: True)
    assert free()
    db.begin(durable=True)
    db.rollback()
    assert free()
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    db.run("PRAGMA busy_timeout=10")
    with pytest.raises(Trouble, match="another process"):
        db.begin()
    assert free()
    other.close()
    db.begin()
    db.close()
    assert free()


def test_a_durable_commit_returns_after_a_flush_that_began_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many threads commit, and there are fewer flushes than commits; none returns before one that covers it."""
    order = Turns()
    flushes: list[int] = []

    def flush(log: int) -> None:
        before = order._commits
        time.sleep(0.002)  # a slow disk
        assert os.fstat(log).st_ino == os.stat(tmp_path / "store.db-wal").st_ino
        flushes.append(before)

    monkeypatch.setattr(turns, "_flush", flush)
    open_root(str(tmp_path)).close()

    def write(_: int) -> None:
        db = connect.connect(str(tmp_path), create=True, turns=order)
        for _ in range(12):
            db.begin(durable=True)
            db.run("INSERT INTO decision_tallies VALUES (1, 's', 'l', 'k', 1) ON CONFLICT DO UPDATE SET n=n+1")
            number = order._commits + 1  # it is this thread's turn, so nobody else counts
            db.commit(lambda: True)
            assert max(flushes) >= number
        db.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    assert order._commits == 96 and len(flushes) < 96


def test_a_flush_that_fails_is_told_and_the_turn_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(log: int) -> None:
        raise OSError(5, "Input/output error")

    order = Turns()
    db = connect.connect(str(tmp_path), create=True, turns=order)
    monkeypatch.setattr(turns, "_flush", broken)
    db.begin(durable=True)
    with pytest.raises(Trouble) as told:
        db.commit(lambda: True)
    assert told.value.diagnostic.code == "OB720" and order.take(0)
    db.close()


def test_an_intent_is_on_the_disk_before_it_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was decided, it was flushed; an EXECUTION need not be, nor what a replay adds."""
    flushed = [0]

    def flush(log: int) -> None:
        flushed[0] = events(tmp_path / "data")[-1]["index"]
        os.fsync(log)

    monkeypatch.setattr(turns, "_flush", flush)
    for policy, ending in (("deny_all", "DENIED"), ("allow_all", "EXECUTED")):
        with gateway(tmp_path / "data", policy=policy) as door:
            for number in range(3):
                found = post(door, f"{policy}-{number}")
                assert (found.state, found.index) == (ending, flushed[0] - 1)
                assert post(door, f"{policy}-{number}").replayed


def test_what_cannot_be_flushed_is_answered_as_unavailable_and_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(log: int) -> None:
        raise OSError(5, "Input/output error")

    with gateway(tmp_path / "data", policy="deny_all") as door:
        with monkeypatch.context() as patched:
            patched.setattr(turns, "_flush", broken)
            assert post(door, "a").refused == "store.unavailable"
        again = post(door, "a")
        assert again.replayed and again.state == "DENIED"


def test_a_ledger_with_turns_is_read_by_one_without(tmp_path: Path) -> None:
    with open_root(str(tmp_path), turns=Turns()) as ledger, open_root(str(tmp_path)) as other:
        for number in range(5):
            tell(ledger if number % 2 else other, number)
        assert other.decisions(LEDGER).verify().fold.length == 15


def _until(true: Any) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_who_only_reads_can_wait_for_what_others_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As whoever answers for an intent whose run goes on."""
    flushes: list[int] = []
    monkeypatch.setattr(turns, "_flush", flushes.append)
    order = Turns()
    with open_root(str(tmp_path), turns=order) as writer, open_root(str(tmp_path), turns=order) as reader:
        append(writer, INTENT, anchors(1), asked())
        assert flushes == []
        reader.decisions(LEDGER).flush()
        assert len(flushes) == 1
        writer.decisions(LEDGER).flush()
        assert len(flushes) == 1
