"""The past stands, seen from outside: whatever is done to a stored ledger, an observer of its pages signals it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from deciding import LEDGER, tell
from observing import chained, page, steps
from omnibachi_ledger import open_root
from omnibachi_ledger.decisions.rows import COLUMNS
from omnibachi_model.decisions import DECISION, ZERO, digest_of_event, event_of
from omnibachi_observer.folding import Folds
from omnibachi_observer.signals import signals

ENDINGS = ("ok", "denied", "error", "asked", "allowed")
LIMIT = 4


class Spoilt:
    """A ledger under the hands of somebody who may write to its database, and what an observer makes of it."""

    def __init__(self, root: Path) -> None:
        with open_root(str(root)) as ledger:
            for number, ending in enumerate(ENDINGS):
                tell(ledger, number, ending)
        self.root = root
        self.db = sqlite3.connect(root / "store.db", isolation_level=None)
        self.db.execute("PRAGMA synchronous=OFF")
        for (name,) in self.db.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
            self.db.execute(f"DROP TRIGGER {name}")
        self.was = {table: self.rows(table) for table in ("decisions", "decision_heads")}

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Return all that a table holds."""
        return self.db.execute(f"SELECT * FROM {table}").fetchall()

    def do(self, sql: str, *values: Any) -> None:
        """Execute one statement."""
        self.db.execute(sql, values)

    def restore(self) -> None:
        """Put everything back."""
        self.do("BEGIN")
        for table, rows in self.was.items():
            self.do(f"DELETE FROM {table}")
            self.db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        self.do("COMMIT")

    def followed(self, folds: Folds) -> Folds:
        """Page to the head as a follower does, from where the fold stopped or from what is held."""
        after = folds.last_index if folds.stopped is None else min(folds.stopped.at_index, folds.last_index)
        after = max(after - 1, -1)
        with open_root(str(self.root), reading=True) as ledger:
            while True:
                found = ledger.decisions(LEDGER).page(limit=LIMIT, after=after)
                folds.page(found, after, LIMIT, folds.event_count)
                if folds.stopped is not None or len(found["events"]) < LIMIT:
                    return folds
                after += LIMIT

    def reread(self, folds: Folds) -> Folds:
        """Read the whole past again as a follower does."""
        with open_root(str(self.root), reading=True) as ledger:
            for after in range(-1, folds.last_index + 1, LIMIT):
                folds.page(ledger.decisions(LEDGER).page(limit=LIMIT, after=after), after, LIMIT, folds.event_count)
                if folds.stopped is not None:
                    break
        return folds


@pytest.fixture
def spoilt(tmp_path: Path) -> Iterator[Spoilt]:
    found = Spoilt(tmp_path / "data")
    assert found.followed(Folds()).stopped is None
    yield found
    found.db.close()


def changed(value: Any, at: int) -> Any:
    if value is None:
        return "x"
    if isinstance(value, int):
        return value + 1000
    at %= len(value)
    if isinstance(value, str):
        return value[:at] + chr(ord(value[at]) ^ 64) + value[at + 1 :]
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def told(folds: Folds) -> tuple[str, int] | None:
    """Return the one signal of the ledger and where."""
    raised = [item for item in signals(folds, 0) if item["id"].startswith("system.ledger.")]
    assert len(raised) <= 1
    return (raised[0]["id"], raised[0]["at_index"]) if raised else None


def test_a_flipped_byte_of_any_column_is_signalled(spoilt: Spoilt) -> None:
    """14.1: at its event, to who reads for the first time and to who reads again; and it is over when it is mended."""
    chance = random.Random(5)
    rows = spoilt.db.execute(f"SELECT {', '.join(COLUMNS)} FROM decisions ORDER BY position").fetchall()
    for index, row in enumerate(rows):
        for column, value in zip(COLUMNS, row, strict=True):
            known = spoilt.followed(Folds())
            spoilt.do(f"UPDATE decisions SET {column}=? WHERE position=?", changed(value, chance.randrange(99)), index)
            for folds in (spoilt.followed(Folds()), spoilt.reread(known)):
                found = told(folds)
                assert found is not None and found[1] == index, (column, index, found)
            spoilt.restore()
            assert told(spoilt.followed(known)) is None and known.event_count == len(rows)


@pytest.mark.parametrize("index", [0, 4, 10])
def test_what_is_deleted_or_cut_is_signalled(spoilt: Spoilt, index: int) -> None:
    known = spoilt.followed(Folds())
    spoilt.do("DELETE FROM decisions WHERE position=?", index)
    assert told(spoilt.followed(Folds())) == ("system.ledger.gap", index)
    assert told(spoilt.reread(known)) == ("system.ledger.gap", index)
    spoilt.restore()
    spoilt.do("DELETE FROM decisions WHERE position>=?", index)
    spoilt.do("UPDATE decision_heads SET length=?", index)
    assert told(spoilt.reread(spoilt.followed(Folds()))) is not None
    known = Folds()
    spoilt.restore()
    spoilt.followed(known)
    spoilt.do("DELETE FROM decisions WHERE position>=?", index)
    spoilt.do("UPDATE decision_heads SET length=?", index)
    assert told(spoilt.followed(known)) == ("system.ledger.rewritten", index)


def test_swapped_events_and_other_heads_are_signalled(spoilt: Spoilt) -> None:
    for old, new in ((3, -1), (6, 3), (-1, 6)):
        spoilt.do("UPDATE decisions SET position=? WHERE position=?", new, old)
    found = told(spoilt.followed(Folds()))
    assert found is not None and found[1] == 3
    for column in ("v_digest", "normative_head"):
        spoilt.restore()
        known = spoilt.followed(Folds())
        spoilt.do(f"UPDATE decision_heads SET {column}=?", ZERO)
        for folds in (Folds(), known):
            assert told(spoilt.followed(folds)) == ("system.ledger.mismatch", 10)


def remade(events: Sequence[dict[str, Any]], index: int, **others: Any) -> list[dict[str, Any]]:
    """Return the events with one that says something else, and whose digest covers it."""
    event = {**events[index], **others}
    event["digest"], event["canon_len"] = digest_of_event(event)
    return [*events[:index], event, *events[index + 1 :]]


def test_a_digest_made_anew_over_something_false_is_signalled() -> None:
    """The digest holds, and what it covers does not."""
    events = chained(step for number in range(3) for step in steps(number))
    forged = [
        (remade(events, 4, normative_digest=ZERO), 4),
        (remade(events, 4, prev_event_digest=ZERO), 4),
        (remade(events, 8, actor="another"), 8),
    ]
    for spoilt, at in forged:
        folds = Folds()
        folds.page({**page(events), "events": spoilt}, -1, 2000, 0)
        assert told(folds) == ("system.ledger.mismatch", at) and folds.event_count == at
    # Whole in itself, where another stood: its successor does not follow it.
    other = event_of(4, DECISION, events[4], "policy", {**events[4]["payload"], "reason_codes": ["x"]},
                     events[4]["obs"], events[4]["prev_event_digest"])  # fmt: skip
    folds = Folds()
    folds.page({**page(events), "events": [*events[:4], other, *events[5:]]}, -1, 2000, 0)
    assert told(folds) == ("system.ledger.mismatch", 5)
