"""Locks of processes that live and that died: who is alive, what was left, and no lock file is lost in between."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from children import together
from omnibachi_ledger import Ledger, open_root
from omnibachi_ledger import locks as module
from omnibachi_ledger.journal import Journal
from omnibachi_ledger.locks import Locks
from omnibachi_model.diagnostics import Defect
from omnibachi_model.digests import digest
from performing import SEALED, events, everywhere, journal, ledger, root, trouble

__all__ = ["ledger", "root"]


def left_by(folder: Path, note: bytes = b"") -> str:
    """Leave what a process leaves that died; return its name."""
    other = Locks(str(folder), note)
    name = other.holder()
    other.release(done=False)
    return name


def test_a_holder_is_alive_while_it_holds(tmp_path: Path) -> None:
    one, other = Locks(str(tmp_path)), Locks(str(tmp_path), b"its note")
    name = other.holder()
    assert name == other.holder()
    assert one.elsewhere(name)
    assert not other.elsewhere(name), "nobody stands in its own way"
    assert one.living() == other.living() == {os.getpid()}
    assert one.dead() == {}
    other.release(done=False)
    assert not one.elsewhere(name)
    assert (one.dead(), one.living()) == ({name: b"its note"}, set())
    one.forget(name)
    assert one.dead() == {}
    assert os.listdir(tmp_path) == []


def test_who_is_done_leaves_nothing(tmp_path: Path) -> None:
    one = Locks(str(tmp_path))
    one.holder()
    one.release()
    one.release()
    assert os.listdir(tmp_path) == []


def test_only_what_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    one, other = Locks(str(tmp_path)), Locks(str(tmp_path))
    name = other.holder()
    one.forget(name)
    one.forget("1-0123456789abcdef")
    assert one.elsewhere(name)
    for foreign in ("mirror.lock", "1-0123456789abcdef", "x-0123456789abcdef.lock", "notes.txt"):
        (tmp_path / foreign).touch()
    assert one.dead() == {}
    other.release()


def test_two_who_ask_do_not_take_each_other_for_the_holder(tmp_path: Path) -> None:
    name = left_by(tmp_path)
    with module._asked(str(tmp_path / f"{name}.lock")) as free:
        assert free is not None
        assert not Locks(str(tmp_path)).elsewhere(name)
        assert list(Locks(str(tmp_path)).dead()) == [name]


def test_a_new_file_that_somebody_asks_about_is_given_up_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = module.acquire, []

    def acquire(path: str) -> int | None:
        if not asked:
            # Between making and locking, another process looks at the file.
            asked.append(path)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT))
            with module._asked(path):
                return real(path)
        return real(path)

    monkeypatch.setattr(module, "acquire", acquire)
    one = Locks(str(tmp_path), b"note")
    name = one.holder()
    assert f"{name}.lock" != os.path.basename(asked[0])
    assert Locks(str(tmp_path)).elsewhere(name)
    one.release()


def test_a_new_file_that_somebody_removed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, removed = module.acquire, []

    def acquire(path: str) -> int | None:
        found = real(path)
        if len(removed) < 2:
            # It was removed before it was locked, or another lies in its place since.
            os.unlink(path)
            if removed:
                Path(path).touch()
            removed.append(path)
        return found

    monkeypatch.setattr(module, "acquire", acquire)
    one = Locks(str(tmp_path), b"note")
    name = one.holder()
    assert len(set(removed)) == 2
    assert (tmp_path / f"{name}.lock").read_bytes() == b"note"
    assert Locks(str(tmp_path)).elsewhere(name)
    one.release()


def test_where_no_lock_file_stays_it_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "acquire", lambda path: None)
    assert trouble(Locks(str(tmp_path)).holder) == "OB720"


def hold_and_ask(barrier: Any, folder: str, count: int) -> list[int]:
    """Take and give up locks while others sweep; count how often this process was taken for dead while it lived."""
    barrier()
    mistaken = left = 0
    for number in range(count):
        one = Locks(folder, b"note")
        name = one.holder()
        for holder in Locks(folder).dead():
            Locks(folder).forget(holder)
        mistaken += not Locks(folder).elsewhere(name)
        left += number % 3 == 0
        one.release(done=number % 3 != 0)
    return [mistaken, left]


def test_processes_that_come_go_and_sweep_never_mistake_each_other(tmp_path: Path) -> None:
    said = together(*[("test_locks:hold_and_ask", str(tmp_path), 150)] * 3)
    assert [mistaken for mistaken, _ in said] == [0, 0, 0]
    one = Locks(str(tmp_path))
    for holder in one.dead():
        one.forget(holder)
    assert os.listdir(tmp_path) == []


# Taking over


def begun(root: str, run: str = "run") -> None:
    """Begin a run in a ledger that is then gone, with its note left."""
    other = open_root(root, note=b"a note")
    held = journal(other, run)
    held.begin()
    held.write(events(2)[:1])
    held.commit()
    other.close(done=False)


def taken(ledger: Ledger, run: str = "run") -> Journal | None:
    row = ledger.finished(run)
    assert row is not None
    return ledger.take_over(row, SEALED)


@everywhere
def test_a_run_of_the_dead_is_taken_over_and_finished(ledger: Ledger, root: str) -> None:
    begun(root)
    (name,) = ledger.left()
    assert ledger.left()[name][0] == b"a note"
    assert [row.run for row in ledger.left()[name][1]] == [row.run for row in ledger.unfinished()] == ["run"]
    held = taken(ledger)
    assert held is not None
    row = ledger.finished("run")
    assert row is not None and (row.fence, row.seq) == (2, 1)
    assert ledger.left()[name][1] == []
    ledger.forget(name)
    held.begin()
    held.write(events(2)[1:])
    held.finish("done", "COMPLETED", digest(b""))
    held.commit()
    assert [path for path, _, _ in ledger.events("run")] == ["", ""]
    assert ledger.unfinished() == []
    assert taken(ledger) is None
    with open_root(root) as other:
        assert other.left() == {}


@everywhere
def test_of_two_who_read_the_same_one_comes_too_late(ledger: Ledger, root: str) -> None:
    begun(root)
    row = ledger.finished("run")
    assert row is not None
    with open_root(root) as other:
        assert other.take_over(row, SEALED) is not None
        assert trouble(lambda: ledger.take_over(row, SEALED)) == "OB713"
        assert ledger.worked_on(row) is False, "the row is an old one"
        assert [ledger.worked_on(item) for item in ledger.unfinished()] == [True]
    assert ledger.take_over(row, SEALED) is None, "another one took it over, and is gone too"
    assert taken(ledger) is not None


def test_the_old_holder_writes_no_more(ledger: Ledger, root: str) -> None:
    held = journal(ledger, "run")
    held.begin()
    held.commit()
    os.unlink(next(path for path in Path(root, "locks").iterdir()))  # as if it had died, and it wakes
    with open_root(root) as other:
        assert taken(other) is not None
        assert trouble(held.begin) == "OB713"
        assert trouble(lambda: taken(ledger)) == "OB713"


@everywhere
def test_nothing_is_taken_over_in_the_middle_of_a_transaction(ledger: Ledger, root: str) -> None:
    begun(root)
    journal(ledger, "other").begin()
    with pytest.raises(Defect):
        taken(ledger)
