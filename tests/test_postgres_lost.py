"""Lines that are cut, servers that go away: what was committed is found out, and nothing is lost or done twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from cut_lines import Line, line_to
from omnibachi import Workspace
from omnibachi_ledger import Ledger, open_root
from omnibachi_ledger.journal import Journal
from omnibachi_ledger.postgres import server as module
from omnibachi_ledger.postgres.troubles import of_postgres
from omnibachi_model.diagnostics import Trouble
from omnibachi_model.digests import digest
from performing import RECORDS, REGISTRY, SEALED, STREAM, events, journal, perform, raw, trouble
from postgres_server import Server, started
from trial import CLAIM, NAMES, lay_trial

REGISTER = "std::CS_REGISTRY_V0.REGISTER"
COMMIT = b"COMMIT\0"


@pytest.fixture
def root(postgres: Server) -> str:
    return postgres.root()


@pytest.fixture
def line(root: str) -> Iterator[Line]:
    with line_to(root) as found:
        yield found


@pytest.fixture
def ledger(line: Line) -> Iterator[Ledger]:
    with open_root(line.address) as opened:
        yield opened


def done(held: Journal, key: str, *, end: bool = False) -> None:
    """Do an effect up to its commit and beyond."""
    held.begin()
    held.store(REGISTRY).put(key, {"a": 1}, revision=0)
    held.receipt(key, REGISTER, "SUCCESS")
    held.write([(key, b"{}", b"{}")])
    if end:
        held.finish("done", "COMPLETED", digest(b""))
    held.commit()


def kept(root: str) -> tuple[list[Any], list[Any], list[Any]]:
    """Return receipts, keys, and events by their places, as any other tool reads them."""
    with raw(root) as db:
        return (
            db.execute("SELECT number, path FROM receipts ORDER BY number").fetchall(),
            [key for (key,) in db.execute("SELECT key FROM records ORDER BY created").fetchall()],
            db.execute("SELECT seq, path FROM events ORDER BY seq").fetchall(),
        )


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_lost_before_the_commit_nothing_was_recorded(ledger: Ledger, line: Line, root: str, nth: int) -> None:
    held = journal(ledger, "run")
    for number in range(1, nth):
        done(held, str(number))
    line.cut(COMMIT, after=False)
    assert trouble(lambda: done(held, str(nth), end=nth == 3)) == "OB784"
    before = [str(number) for number in range(1, nth)]
    assert kept(root)[1] == before and line.cuts == 1
    # The journal stands where it stood, on a new connection, and the same effect is done once.
    done(held, str(nth), end=nth == 3)
    names = [*before, str(nth)]
    numbers = list(enumerate(names, 1))
    assert kept(root) == (numbers, names, numbers)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_lost_after_the_commit_it_is_found_out(ledger: Ledger, line: Line, root: str, nth: int) -> None:
    held = journal(ledger, "run")
    for number in range(1, nth):
        done(held, str(number))
    line.cut(COMMIT, after=True)
    done(held, str(nth), end=nth == 3)
    assert line.cuts == 1
    names = [str(number) for number in range(1, nth + 1)]
    assert kept(root) == (list(enumerate(names, 1)), names, list(enumerate(names, 1)))
    row = ledger.finished("run")
    assert row is not None and (row.seq, row.exit) == (nth, "done" if nth == 3 else None)
    if nth < 3:
        done(held, "more")
        assert kept(root)[1] == [*names, "more"]


@pytest.mark.parametrize("after", [False, True])
def test_other_commits_are_found_out_too(ledger: Ledger, line: Line, root: str, after: bool) -> None:
    """Taking over, loading facts, and building an index in the middle of reading."""
    with open_root(root) as other:
        held = journal(other, "run")
        held.begin()
        held.write(events(2)[:1])
        held.commit()
        perform(other, "more", "std::CS_EVENTS_V0.APPEND", "APPEND_ONLY", {"record": {"a": "x"}}, STREAM)
    row = ledger.finished("run")
    assert row is not None
    given: dict[str, Any] = {"file_digest": digest(b""), "seal": digest(b"seal"), "at": "2026-01-01T00:00:00.000Z"}
    actions: list[Any] = [
        lambda: ledger.take_over(row, SEALED) is not None,
        lambda: ledger.load({RECORDS: {"k": {"a": 1}}}, **given)[1][RECORDS]["loaded"] == 1,
        lambda: ledger.store(STREAM).count({"a": "x"}, event="shop::EV_SOLD_V0") == 1,
    ]
    for number, action in enumerate(actions, 1):
        line.cut(COMMIT, after=after)
        if not after:
            assert trouble(action) == "OB784"
        assert action()
        assert line.cuts == number
    with raw(root) as db:
        assert db.execute("SELECT fence FROM runs WHERE run='run'").fetchall() == [(2,)]
        assert db.execute("SELECT count(*) FROM loads").fetchall() == [(1,)]
        assert db.execute("SELECT count(*) FROM keysets").fetchall() == [(1,)]


@pytest.mark.parametrize("after", [False, True])
def test_where_nobody_can_be_asked_it_is_said(
    ledger: Ledger, line: Line, root: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays open whether it was done (OB785); a resumption finds it out."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.2)
    held = journal(ledger, "run")
    done(held, "1")
    line.cut(COMMIT, after=after, then=lambda: setattr(line, "dead", True))
    assert trouble(lambda: done(held, "2")) == "OB785"
    assert trouble(held.begin) == "OB784"
    with open_root(root) as other:
        (row,) = other.unfinished()
        assert row.seq == (2 if after else 1) and not other.worked_on(row)
        again = other.take_over(row, SEALED)
        assert again is not None
        done(again, "3")
    names = ["1", "2", "3"] if after else ["1", "3"]
    assert kept(root) == (list(enumerate(names, 1)), names, list(enumerate(names, 1)))
    line.dead = False
    assert trouble(held.begin) == "OB713"


def test_lost_between_two_effects_the_run_goes_on(ledger: Ledger, line: Line, root: str) -> None:
    held = journal(ledger, "run")
    done(held, "1")
    line.drop()
    assert ledger.stores() == {REGISTRY: 1}
    line.drop()
    done(held, "2")
    with open_root(root) as other:
        (row,) = other.unfinished()
        assert other.worked_on(row) and other.living() == {os.getpid()} and other.left() == {}
        assert trouble(lambda: other.take_over(row, SEALED)) == "OB713"
    assert kept(root)[1] == ["1", "2"]


def test_lost_in_an_effect_nothing_of_it_slips_out(ledger: Ledger, line: Line, root: str) -> None:
    """A capability that swallows the trouble and goes on writes into the void, and not beside the transaction."""
    held = journal(ledger, "run")
    held.begin()
    store = held.store(REGISTRY)
    store.put("1", {})
    line.drop()
    for key in "234":
        assert trouble(lambda key=key: store.put(key, {})) == "OB784"
    assert trouble(lambda: held.receipt("1", REGISTER, "SUCCESS")) == "OB784"
    held.rollback()
    assert kept(root) == ([], [], [])
    done(held, "5")
    assert kept(root)[1] == ["5"]


@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_was_taken_over_meanwhile_is_left_to_the_other(
    ledger: Ledger, line: Line, root: str, after: bool
) -> None:
    held = journal(ledger, "run")
    done(held, "1")
    taken: list[Journal | None] = []
    with open_root(root) as other:

        def take() -> None:
            while not taken or taken[-1] is None:
                row = other.finished("run")
                assert row is not None
                try:
                    taken.append(other.take_over(row, SEALED))
                except Trouble as found:
                    assert found.diagnostic.code == "OB713"  # The server has not noticed yet.

        line.cut(COMMIT, after=after, then=take)
        assert trouble(lambda: done(held, "2")) == "OB713"
        assert taken[-1] is not None
        done(taken[-1], "3")
        assert trouble(held.begin) == "OB713"
    assert kept(root)[1] == (["1", "2", "3"] if after else ["1", "3"])


def test_a_lock_that_stays_held_is_busy(ledger: Ledger, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    held = journal(ledger, "run")
    held.begin()
    with open_root(root) as patient:
        assert trouble(journal(patient, "other").begin) == "OB721"
        held.commit()
        journal(patient, "other").begin()


def test_a_server_that_takes_no_writes(ledger: Ledger, root: str) -> None:
    done(journal(ledger, "run"), "1")
    with open_root(f"{root}%20-cdefault_transaction_read_only%3Don") as other:
        assert trouble(journal(other, "other").begin) == "OB720"
        assert [item["key"] for item in other.records(REGISTRY)] == ["1"]
    with open_root(root, reading=True) as other:
        assert trouble(lambda: perform(other, "x", REGISTER, "IDEMPOTENT", {"key": "2", "value": {}}, REGISTRY)) == (
            "OB720"
        )
        assert [item["key"] for item in other.records(REGISTRY)] == ["1"]


@pytest.mark.parametrize(
    ("state", "code"),
    [("53100", "OB724"), ("53300", "OB720"), ("40P01", "OB721"), ("57014", "OB721"), ("XX001", "OB723"),
     ("42501", "OB720"), ("28P01", "OB720"), ("3D000", "OB720")],
)  # fmt: skip
def test_what_else_a_server_may_say(state: str, code: str) -> None:
    found = of_postgres(psycopg.errors.lookup(state)("no. such thing."), "postgresql://u@h/d", "such")
    assert isinstance(found, Trouble) and found.diagnostic.code == code
    assert "such" not in found.diagnostic.message


def test_a_server_that_is_restarted(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in good order and killed: between runs, in an effect, and for longer than anybody waits."""
    lay_trial(tmp_path)
    with started() as (address, keeper), Workspace(tmp_path).engine(address) as engine:

        def claim(name: str) -> str:
            result = engine.run(CLAIM, {"name": name, "by": "A"}, trace_id=f"T-{name}")
            return result.exit or result.diagnostics[0].code

        assert claim("1") == "claimed"
        for number, word in enumerate(("stop", "kill"), 2):
            keeper.ask(word)
            keeper.ask("start")
            assert claim(str(number)) == "claimed"
            held = journal(engine.ledger, f"J{number}")
            held.begin()
            held.store(REGISTRY).put("k", {})
            keeper.ask(word)
            assert trouble(lambda held=held: held.receipt("n", REGISTER, "SUCCESS")) == "OB784"
            held.rollback()
            monkeypatch.setattr(module, "BUSY_SECONDS", 0.2)
            assert claim("late") == "OB784"
            monkeypatch.undo()
            keeper.ask("start")
        assert claim("late") == "claimed"
        assert engine.ledger.stores() == {NAMES: 4}
