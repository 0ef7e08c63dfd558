"""What people say about runs that wait: every statement that is handed in, with the verdict on it, written once.

A statement is judged inside the transaction that keeps it, so that two that arrive at once know of each other. Its
arrival is never before what the journal already recorded of its run, whatever the clock says.
"""

from __future__ import annotations

import orjson

from omnibachi_model.diagnostics import Defect
from omnibachi_model.record import WAITING
from omnibachi_model.waits import ACCEPTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from .seam import Database

    Parked: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"
    Voice: TypeAlias = "tuple[str, bytes, int]"
    # (what the run waits for, if it does; what counts already; the instant of arrival) -> (verdict, key id or empty)
    Judge: TypeAlias = "Callable[[Parked | None, list[Voice], int], tuple[str, str]]"

SINCE = 4  # the schema version that brought the table
MOST_REFUSED = 1000  # of one run: what is handed in beyond that is refused and not kept

_LAST = "SELECT CAST(body AS BLOB), CAST(obs AS BLOB) FROM events WHERE run=? ORDER BY seq DESC LIMIT 1"
_COUNTED = (
    "SELECT CAST(key AS TEXT), CAST(statement AS BLOB), CAST(at_us AS BIGINT) FROM approvals"
    " WHERE run=? AND path=? AND verdict=? ORDER BY number"
)
_ALL = (
    "SELECT CAST(number AS BIGINT), CAST(path AS TEXT), CAST(at_us AS BIGINT), CAST(statement AS BLOB),"
    " CAST(key AS TEXT), CAST(verdict AS TEXT) FROM approvals WHERE run=? ORDER BY number"
)
_SEEN = (
    "SELECT coalesce(max(at_us), 0), coalesce(sum(CASE WHEN verdict=? THEN 0 ELSE 1 END), 0) FROM approvals WHERE run=?"
)
_NUMBER = "SELECT coalesce(max(number), 0) + 1 FROM approvals"
_KEEP = "INSERT INTO approvals (number, run, path, at_us, statement, key, verdict) VALUES (?, ?, ?, ?, ?, ?, ?)"
_KEPT = "SELECT run, CAST(statement AS BLOB) FROM approvals WHERE number=?"


class Approval:
    """One statement as it was kept: commit number, node, instant of arrival, bytes, key id (or empty), verdict."""

    __slots__ = ("at_us", "key", "number", "path", "statement", "verdict")

    def __init__(self, number: int, path: str, at_us: int, statement: bytes, key: str, verdict: str) -> None:
        self.number = number
        self.path = path
        self.at_us = at_us
        self.statement = statement
        self.key = key
        self.verdict = verdict


class People:
    """What people say about the runs of one data root. Every method raises Trouble when the database cannot."""

    __slots__ = ("_db",)

    def __init__(self, db: Database) -> None:
        self._db = db

    def parked(self, run: str) -> Parked | None:
        """Return body and obs of the event at which a run waits for people; None where it does not."""
        found = self._db.row(_LAST, (run,))
        if found is None:
            return None
        try:
            body, obs = orjson.loads(found[0]), orjson.loads(found[1])
            return (body, obs) if body["kind"] == WAITING else None
        except (KeyError, TypeError, ValueError):
            return None

    def counted(self, run: str, path: str) -> tuple[list[Voice], int]:
        """Return the statements that count at a node, with key and arrival, and the latest arrival of any."""
        seen = self._db.row(_SEEN, (ACCEPTED, run))
        return self._db.rows(_COUNTED, (run, path, ACCEPTED)), int(seen[0]) if seen else 0

    def kept(self, run: str) -> list[Approval]:
        """Return every statement that was handed in for a run, in the order of arrival."""
        # One that is merely read may be of a version without the table.
        return [Approval(*row) for row in self._db.rows(_ALL, (run,))] if self._db.version >= SINCE else []

    def keep(self, run: str, statement: bytes, now_us: int, judge: Judge) -> Approval | None:
        """Judge a statement that arrives now and keep it with the verdict; None where too many were refused already."""
        db = self._db
        if db.in_transaction:
            raise Defect("a transaction is open already")
        db.begin(durable=True)
        try:
            waits = self.parked(run)
            path = str(waits[0]["path"]) if waits else ""
            voices, seen = self.counted(run, path)
            at = max(now_us, seen, int(waits[1]["at_us"]) if waits else 0)
            verdict, key = judge(waits, voices, at)
            refused = db.row(_SEEN, (ACCEPTED, run))
            if verdict != ACCEPTED and refused is not None and refused[1] >= MOST_REFUSED:
                db.rollback()
                return None
            found = db.row(_NUMBER)
            number = int(found[0]) if found else 1
            db.run(_KEEP, (number, run, path, at, statement, key, verdict))
            db.commit(lambda: db.row(_KEPT, (number,)) == (run, statement))
        except BaseException:
            db.rollback()
            raise
        return Approval(number, path, at, statement, key, verdict)
