"""Whether a ledger of decisions holds: all of it, its latest events when it is opened, or an export of it.

A row is judged as it lies there: each column has the type that was written, an object is the very bytes that canonical
JSON has, and no event is left out. What is found names the first index that is bad; nothing is mended.
"""

from __future__ import annotations

import orjson

from omnibachi_model.decisions import COVERED, DECISION, DERIVED
from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import encode
from omnibachi_model.values import Outside, parse

from .fold import COUNTED, Fold, alone
from .rows import LIST, NAMES, SINCE, STORED_HEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO, TypeAlias

    from omnibachi_ledger.seam import Database

    Watch: TypeAlias = "Callable[[dict[str, Any]], object] | None"
    Row: TypeAlias = "tuple[Any, ...]"
    Bad: TypeAlias = "tuple[int, str]"

RECENT = 1000  # events that are verified when a ledger is opened
_BATCH = 500
_LONGEST = 1 << 26  # bytes of a line of an export; more is no event
_AFTER = f"SELECT {LIST} FROM decisions WHERE ledger=? AND position>? ORDER BY position LIMIT ?"
_TALLIES = "SELECT stream_id, lane, kind, n FROM decision_tallies WHERE ledger=?"
_STORES = "SELECT store FROM decision_heads ORDER BY store"
_ORPHANS = (
    "SELECT min(position) FROM decisions WHERE ledger NOT IN (SELECT ledger FROM decision_heads)"
    " UNION ALL SELECT min(0) FROM decision_tallies WHERE ledger NOT IN (SELECT ledger FROM decision_heads)"
)
_OBJECTS = ("payload", "obs")
_MEMBERS = {*COVERED, *DERIVED}


class Sound:
    """Which ledgers of one open data root were found sound when they were first looked at, and which were not."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, Bad | None] = {}

    def of(self, db: Database, store: str) -> Bad | None:
        """Return (first bad index, why) of a ledger as it was when it was first asked for; None where it held."""
        if store not in self._known:
            self._known[store] = recent(db, store)
        return self._known[store]


class Verdict:
    """What verification found: the fold as far as it goes, the first bad index with its reason, or None, and the two
    heads that the ledger had at the length that was asked for, or None where it never had that."""

    __slots__ = ("first_bad_index", "fold", "reason", "store", "then")

    def __init__(self, store: str | None, fold: Fold, bad: Bad | None, then: tuple[str, str] | None) -> None:
        self.store = store
        self.fold = fold
        self.first_bad_index = bad and bad[0]
        self.reason = bad and bad[1]
        self.then = then

    def as_json(self) -> dict[str, Any]:
        """Return it as commands print it."""
        fold = self.fold
        return {
            "store": self.store,
            "length": fold.length,
            "v_digest": fold.v_digest,
            "normative_head": fold.normative_head,
            "correlations": dict(zip(COUNTED, fold.counters, strict=True)),
            "first_bad_index": self.first_bad_index,
            "reason": self.reason,
        }


def unsound(code: str, head: str, index: int, reason: str) -> Diagnostic:
    """Say that a ledger does not hold, where and why."""
    help = "look at it with `omnibachi verify DATA_ROOT`, and go on from a copy that holds"
    return Diagnostic(code, f"{head}: event {index} is bad, {reason}", help=help)


def ledgers(db: Database) -> list[str]:
    """Return the stores that have a ledger of decisions, in their order."""
    return [str(store) for (store,) in db.rows(_STORES)] if db.version >= SINCE else []


def _orphaned(db: Database) -> int | None:
    """Return the first index of an event or of a count that belongs to no ledger, None where there is none."""
    found = [row[0] for row in db.rows(_ORPHANS) if row[0] is not None] if db.version >= SINCE else []
    return min(found) if found else None


def recent(db: Database, store: str) -> Bad | None:
    """Verify the head of a ledger and its latest events: (first bad index, why), or None."""
    head = db.row(STORED_HEAD, (store,))
    if head is None:
        return None
    ledger, length = head[0], head[1]
    if type(length) is not int or length <= RECENT:
        found = verify(db, store)
        return None if found.reason is None else (found.first_bad_index or 0, found.reason)
    index, prev = length - RECENT, None
    for row in _rows(db, ledger, index - 1):
        event = _event(row)
        wrong = event if isinstance(event, str) else alone(event, index, prev)
        if isinstance(event, str) or wrong is not None:
            return index, wrong or ""
        index, prev = index + 1, event["digest"]
    if (index, prev) != (length, head[2]):
        return min(index, length), "the head is another than the last event's"
    return None


def verify(db: Database, store: str, length: int | None = None, watch: Watch = None) -> Verdict:
    """Verify a whole ledger: every event, its head, its counters; `length` is one whose heads shall be told.

    The ledger of no store, an empty name, holds what belongs to none, and so nothing. `watch` is shown each event that
    holds, in order.
    """
    fold, then = Fold(), None
    if not store:
        lost = _orphaned(db)
        return Verdict(None, fold, None if lost is None else (lost, "it belongs to no ledger"), None)
    head = db.row(STORED_HEAD, (store,))
    if head is None:
        return Verdict(store, fold, None, _heads(fold, length))
    bad: Bad | None = None
    for row in _rows(db, head[0], None):
        then = then or _heads(fold, length)
        event = _event(row)
        wrong = event if isinstance(event, str) else fold.take(event)
        if isinstance(event, str) or wrong is not None:
            bad = fold.length, str(wrong)
            break
        if watch is not None:
            watch(event)
    if bad is None:
        bad = _ended(db, head, fold)
    return Verdict(store, fold, bad, then or _heads(fold, length))


def _ended(db: Database, head: Row, fold: Fold) -> Bad | None:
    """Compare what is kept beside the events with what they say."""
    _, length, v_digest, normative_head, *counters = head
    if type(length) is not int or length != fold.length:
        # The first one that is missing, or that it does not count.
        first = min(fold.length, max(length, 0)) if type(length) is int else fold.length
        return first, f"the head counts {length!r:.40} events, and {fold.length} are there"
    last = max(fold.length - 1, 0)
    if v_digest != fold.v_digest:
        return last, "the head has another v_digest than the last event"
    if normative_head != fold.normative_head:
        return last, "the head has another normative_head than the decisions give"
    if counters != fold.counters:
        return last, "the head counts the correlations otherwise than the events"
    tallies = {(stream, lane, kind): n for stream, lane, kind, n in db.rows(_TALLIES, (head[0],))}
    if tallies != fold.tallies:
        return last, "the tallies count otherwise than the events"
    return None


def verify_export(file: BinaryIO, length: int | None = None, watch: Watch = None) -> Verdict:
    """Verify an export, one event a line, byte for byte; what only a database keeps beside is not there.

    `watch` is shown each event that holds, in order. No more than a line is held at a time; raises OSError.
    """
    fold, then = Fold(), None
    bad: Bad | None = None
    while bad is None and (line := file.readline(_LONGEST)):
        then = then or _heads(fold, length)
        event = _exported(line)
        wrong = event if isinstance(event, str) else fold.take(event)
        if isinstance(event, str) or wrong is not None:
            bad = fold.length, str(wrong)
        elif watch is not None:
            watch(event)
    return Verdict(None, fold, bad, then or _heads(fold, length))


def _exported(line: bytes) -> dict[str, Any] | str:
    """Return the event of a line, or why it is none."""
    if not line.endswith(b"\n"):
        return "its line has no end: the export was cut"
    line = line[:-1]
    try:
        event = parse(line, limit=max(len(line), 1))
    except Outside as error:
        return f"its line is no canonical JSON ({error.reason})"
    if type(event) is not dict or event.keys() != _MEMBERS:
        return "its line has other members than an event"
    if encode(event) != line:
        return "its line is not in canonical form"
    return event


def _heads(fold: Fold, length: int | None) -> tuple[str, str] | None:
    return (fold.v_digest, fold.normative_head) if fold.length == length else None


def _rows(db: Database, ledger: int, after: int | None) -> Iterator[Row | None]:
    """Give the rows of a ledger after a position; None for the first one that cannot be read, and then no more."""
    last = -(1 << 62) if after is None else after
    count = _BATCH
    while True:
        try:
            rows = db.rows(_AFTER, (ledger, last, count))
        except Trouble as trouble:
            if trouble.diagnostic.code != "OB723":
                raise
            if count == 1:
                yield None
                return
            count = 1  # One by one, to find it.
            continue
        yield from rows
        if len(rows) < count:
            return
        last = rows[-1][0]


def _event(row: Row | None) -> dict[str, Any] | str:
    """Return the event of a row, or why it is none: a value of another type, or an object in other bytes."""
    if row is None:
        return "its row cannot be read"
    event: dict[str, Any] = {}
    for name, value in zip(NAMES, row, strict=True):
        if name in _OBJECTS:
            try:
                found = orjson.loads(value) if type(value) is bytes else None
            except ValueError:
                found = None
            if type(found) is not dict or encode(found) != value:
                return f"its {name} is not what was written"
            value = found
        event[name] = value
    event["is_authoritative"] = event["kind"] == DECISION
    return event
