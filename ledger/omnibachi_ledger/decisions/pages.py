"""Reading a ledger of decisions: pages under filters, the tail, one correlation, a thread's turns, and numbers.

Each answer is one state of the ledger, whatever others write meanwhile. The newest page, a page after an index and the
status cost the same at any length; a page at an offset under a filter costs what lies before it.
"""

from __future__ import annotations

from omnibachi_model.decisions import EMPTY, FINAL, ZERO
from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import encode

from .appending import state_of
from .fold import COUNTED, Fold
from .rows import HEAD, LIST, SINCE, STORY, event_in, plain
from .verifying import Sound, Verdict, verify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, TypeAlias, TypeVar

    from omnibachi_ledger.seam import Database

    Event: TypeAlias = "dict[str, Any]"
    T = TypeVar("T")

FILTERS = ("stream_id", "lane", "thread_id", "correlation_id", "kind")
USUAL, MOST = 200, 2000  # events of a page
_COUNTED_BY = ("stream_id", "lane", "kind")  # what the tallies know
_NARROW = ("correlation_id", "thread_id")  # what few events have, whatever else is asked
_ATTEMPTS = 100
_NOTHING = (None, 0, ZERO, ZERO, 0, 0, 0, 0, 0)
_THREAD = f"SELECT {LIST} FROM decisions INDEXED BY decisions_thread WHERE ledger=? AND thread_id=? ORDER BY position"
_LAST = "SELECT correlation_id FROM decisions WHERE ledger=? AND position=?"
# Those that were denied are among them; a payload is not looked into by a database.
_OPEN = (
    "SELECT i.position, i.correlation_id FROM decisions AS i INDEXED BY decisions_kind"
    " WHERE i.ledger=? AND i.kind='INTENT' AND i.position<?"
    " AND NOT EXISTS (SELECT 1 FROM decisions e WHERE e.ledger=i.ledger AND e.correlation_id=i.correlation_id"
    " AND e.kind='EXECUTION') ORDER BY i.position DESC LIMIT ?"
)
_ALL = f"SELECT {LIST} FROM decisions WHERE ledger=? ORDER BY position"


class Decisions:
    """The ledger of one store, for reading. Every method raises Trouble when the database cannot."""

    __slots__ = ("_db", "_sound", "address")

    def __init__(self, db: Database, address: str, sound: Sound) -> None:
        self._db = db
        self._sound = sound
        self.address = address

    def page(
        self, filters: Mapping[str, str] | None = None, *, limit: int = USUAL, offset: int | None = None,
        after: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Return matching events, ascending: the newest `limit`, those from `offset` on, or those `after` an index.

        {length, matched, offset, limit, next_offset, v_digest, normative_head, events}: length and heads are of the
        whole ledger, `matched` is of the filters; with `after` both offsets are null, without either `next_offset` is.
        Raises ValueError for a limit that is not 1 to 2000, an unknown filter, and an offset together with `after`.
        """
        wanted = dict(filters or {})
        if type(limit) is not int or not 1 <= limit <= MOST:
            raise ValueError(f"a limit is an integer from 1 to {MOST}")
        if not set(FILTERS).issuperset(wanted):
            raise ValueError(f"filters are {', '.join(FILTERS)}")
        if (offset is not None and after is not None) or (offset or 0) < 0:
            raise ValueError("an offset is not below zero, and stands alone")

        def read() -> dict[str, Any]:
            head = self._head()
            matched = self._matched(head, wanted)
            start, following = offset, None
            if after is not None:
                events = self._events(head, wanted, "position>?", after, "", limit)
            elif offset is None:
                events = self._events(head, wanted, "", None, " DESC", limit)[::-1]
                start = matched - len(events)
            elif wanted:
                events = self._events(head, wanted, "", None, "", limit, offset)
            else:  # Without gaps, an offset into everything is an index.
                events = self._events(head, wanted, "position>=?", offset, "", limit)
            if offset is not None and offset + len(events) < matched:
                following = offset + len(events)
            return {
                "length": head[1], "matched": matched, "offset": start, "limit": limit, "next_offset": following,
                "v_digest": head[2], "normative_head": head[3], "events": events,
            }  # fmt: skip

        return self._looking(read)

    def tail(self, since: int, filters: Mapping[str, str] | None = None, *, limit: int = MOST) -> list[Event]:
        """Return the first `limit` matching events with a greater index than `since`."""
        wanted = dict(filters or {})
        return self._looking(lambda: self._events(self._head(), wanted, "position>?", since, "", limit))

    def head(self) -> dict[str, Any]:
        """Return {length, v_digest, normative_head}."""
        head = self._looking(self._head)
        return {"length": head[1], "v_digest": head[2], "normative_head": head[3]}

    def status(self) -> dict[str, Any]:
        """Return {ledger: {length, v_digest, normative_head, health, first_bad_index}, correlations, phase}.

        `health` is `suspect` where head or latest events did not hold when this process first looked at them;
        `correlations` counts them by state, and `phase` is the state of the one that was appended to last.
        """

        def read() -> dict[str, Any]:
            head = self._head()
            bad = self._sound.of(self._db, self.address) if head[0] is not None else None
            last = self._db.row(_LAST, (head[0], head[1] - 1)) if head[1] else None
            return {
                "ledger": {
                    "length": head[1], "v_digest": head[2], "normative_head": head[3],
                    "health": "suspect" if bad else "ok", "first_bad_index": bad[0] if bad else None,
                },
                "correlations": dict(zip(COUNTED, head[4:], strict=True)),
                "phase": EMPTY if last is None else state_of(self._story(head, last[0])),
            }  # fmt: skip

        return self._looking(read)

    def correlation(self, correlation_id: str) -> dict[str, Any] | None:
        """Return {correlation_id, state, indexes: {kind: index}, reason_codes}; None for an unknown one."""
        story = self.story(correlation_id)
        if not story:
            return None
        return {
            "correlation_id": correlation_id,
            "state": state_of(story),
            "indexes": {event["kind"]: event["index"] for event in story},
            "reason_codes": story[1]["payload"].get("reason_codes", []) if len(story) > 1 else [],
        }

    def story(self, correlation_id: str) -> list[Event]:
        """Return the events of a correlation."""
        return self._looking(lambda: self._story(self._head(), correlation_id))

    def timeline(self, thread_id: str, *, payloads: bool = False) -> dict[str, Any]:
        """Return {thread_id, turns: [{turn_id, parent_turn_id, events: [{index, kind, correlation_id, digest}]}]}.

        In the order in which the turns began; with `payloads` each event has its payload too.
        """
        turns: dict[tuple[str, str], dict[str, Any]] = {}
        for event in self._looking(lambda: self._told(_THREAD, self._head(), thread_id)):
            turn = turns.setdefault(
                (event["stream_id"], event["turn_id"]),
                {"turn_id": event["turn_id"], "parent_turn_id": event["parent_turn_id"], "events": []},
            )
            shown = ("index", "kind", "correlation_id", "digest", *(("payload",) if payloads else ()))
            turn["events"].append({name: event[name] for name in shown})
        return {"thread_id": thread_id, "turns": list(turns.values())}

    def unfinished(self) -> list[str]:
        """Return all correlations that are neither denied nor executed, in the order of their INTENTs.

        The counters tell how many there are, and the latest are looked at first.
        """

        def read() -> list[str]:
            head, found = self._head(), list[str]()
            wanted, before = head[4] + head[5], head[1]
            while len(found) < wanted:
                rows = self._db.rows(_OPEN, (head[0], before, USUAL))
                for position, correlation in rows:
                    if state_of(self._story(head, correlation)) not in FINAL:
                        found.append(correlation)
                    before = position
                if len(rows) < USUAL:
                    break
            return found[::-1]

        return self._looking(read)

    def flush(self) -> None:
        """Return once what this handle of the data root has committed, in turns, outlives a power failure; of one that
        has only read, what it has read."""
        self._db.flush()

    def verify(
        self, length: int | None = None, watching: Callable[[], Callable[[Event], object]] | None = None
    ) -> Verdict:
        """Verify all of it; `length` is one whose heads shall be told.

        `watching` makes what is shown each event that holds, in order; it is asked anew where all is read once more,
        because a writer came.
        """
        if self._db.version < SINCE:
            return Verdict(self.address or None, Fold(), None, None)
        return self._looking(lambda: verify(self._db, self.address, length, None if watching is None else watching()))

    def _head(self) -> tuple[Any, ...]:
        found = self._db.row(HEAD, (self.address,)) if self._db.version >= SINCE else None
        return _NOTHING if found is None else tuple(map(plain, found))

    def _matched(self, head: tuple[Any, ...], wanted: Mapping[str, str]) -> int:
        if not wanted or head[0] is None:
            return int(head[1])
        where = "".join(f" AND {name}=?" for name in wanted)
        if set(_COUNTED_BY).issuperset(wanted):
            sql = f"SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM decision_tallies WHERE ledger=?{where}"
        else:
            sql = f"SELECT count(*) FROM decisions{self._by(head, wanted)} WHERE ledger=?{where}"
        found = self._db.row(sql, (head[0], *wanted.values()))
        return int(found[0]) if found else 0

    def _by(self, head: tuple[Any, ...], wanted: Mapping[str, str]) -> str:
        """Return which index to go along: that of the filter that the fewest events match."""
        name = next((name for name in _NARROW if name in wanted), None)
        if name is None and wanted:
            name = min(wanted, key=lambda name: self._matched(head, {name: wanted[name]})) if len(wanted) > 1 else None
            name = name or next(iter(wanted))
        return "" if name is None else f" INDEXED BY decisions_{name.removesuffix('_id')}"

    def _events(
        self, head: tuple[Any, ...], wanted: Mapping[str, str], bound: str, value: int | None, order: str, limit: int,
        offset: int = 0,
    ) -> list[Event]:  # fmt: skip
        if head[0] is None:
            return []
        where = "".join(f" AND {name}=?" for name in wanted) + (f" AND {bound}" if bound else "")
        by = self._by(head, wanted)
        sql = f"SELECT {LIST} FROM decisions{by} WHERE ledger=?{where} ORDER BY position{order} LIMIT ? OFFSET ?"
        bounds = () if value is None else (value,)
        return [event_in(row) for row in self._db.rows(sql, (head[0], *wanted.values(), *bounds, limit, offset))]

    def _story(self, head: tuple[Any, ...], correlation_id: str) -> list[Event]:
        return self._told(STORY, head, correlation_id)

    def _told(self, sql: str, head: tuple[Any, ...], *values: Any) -> list[Event]:
        return [event_in(row) for row in self._db.rows(sql, (head[0], *values))] if head[0] is not None else []

    def _looking(self, read: Callable[[], T]) -> T:
        """Ask inside one transaction. A database that is read without locks may lose it to a writer: then once more."""
        db = self._db
        if db.in_transaction or db.version < SINCE:
            return read()
        for _ in range(_ATTEMPTS):
            db.look()
            try:
                found = read()
                if db.in_transaction:
                    return found
            finally:
                db.rollback()
        raise Trouble(Diagnostic("OB721", f"the database `{db.path}` was written over and over"))


def lines(db: Database, address: str) -> Iterator[bytes]:
    """Give the events of a ledger as the lines of its export: canonical JSON, one event a line."""
    head = db.row(HEAD, (address,)) if db.version >= SINCE else None
    if head is not None:
        for row in db.each(_ALL, (head[0],)):
            yield b"%b\n" % encode(event_in(row))
