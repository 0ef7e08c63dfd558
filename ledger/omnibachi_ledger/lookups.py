"""Finding records by the equality of fields, at a cost that does not grow with their number.

A key set is what a `match` or `where` names: a store, an event (empty for keyed records) and field names. For each key
set that was ever asked for, `lookups` lists the records by the values of those fields, and `tallies` counts them. A key
set is built once, when it is first asked for; from then on every write keeps it. Two values are equal when their
canonical bytes are: 1 and 1.0 are the same value, 1 and true are not, and an absent field equals nothing.
"""

from __future__ import annotations

import hashlib

import orjson

from omnibachi_model.digests import encode
from omnibachi_model.values import admit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from .seam import Database

_LONG = 64

_KEYSET = "SELECT number FROM keysets WHERE store=? AND event=? AND keys=?"
_NEW = "INSERT INTO keysets (number, store, event, keys) SELECT coalesce(max(number), 0) + 1, ?, ?, ? FROM keysets"
_KEYSETS = "SELECT number, keys FROM keysets WHERE store=? AND event=?"
_ADD = "INSERT INTO lookups (keyset, value, sequence) VALUES (?, ?, ?)"
_DROP = "DELETE FROM lookups WHERE keyset=? AND value=? AND sequence=?"
_MORE = (
    "INSERT INTO tallies (keyset, value, n) VALUES (?, ?, 1) ON CONFLICT (keyset, value) DO UPDATE SET n=tallies.n+1"
)
_LESS = "UPDATE tallies SET n=n-1 WHERE keyset=? AND value=?"
_COUNT = (
    "INSERT INTO tallies (keyset, value, n) SELECT keyset, value, count(*) FROM lookups WHERE keyset=?"
    " GROUP BY keyset, value"
)
_NONE = "DELETE FROM tallies WHERE keyset=? AND value=? AND n=0"


def keyset(db: Database, store: str, event: str, match: Mapping[str, Any]) -> tuple[int, bytes]:
    """Return the number of the match's key set, building it if it is new, and the value to look up."""
    plain = admit(dict(match))
    names = sorted(match)
    keys = encode(names)
    value = _value(names, plain)
    assert value is not None
    found = db.row(_KEYSET, (store, event, keys))
    if found is not None:
        return found[0], value
    return _build(db, store, event, names, keys), value


def note(db: Database, store: str, event: str, sequence: int, old: Any, new: Any) -> None:
    """Keep all key sets of a store (and event) after a record went from `old` to `new`; None means absent."""
    for number, keys in db.rows(_KEYSETS, (store, event)):
        names = orjson.loads(keys)
        before, after = _value(names, old), _value(names, new)
        if before == after:
            continue
        if before is not None:
            db.run(_DROP, (number, before, sequence))
            db.run(_LESS, (number, before))
            db.run(_NONE, (number, before))
        if after is not None:
            db.run(_ADD, (number, after, sequence))
            db.run(_MORE, (number, after))


def tally(db: Database, number: int, value: bytes) -> int:
    """Return how many records of a key set have a value."""
    found = db.row("SELECT n FROM tallies WHERE keyset=? AND value=?", (number, value))
    return found[0] if found else 0


def _value(names: list[str], record: Any) -> bytes | None:
    """Return what a record is listed under: the canonical bytes of its fields, or their digest where they are long."""
    if record is None:
        return None
    try:
        data = encode([record[name] for name in names])
    except KeyError:
        return None
    # Canonical bytes begin with a bracket, so a digest is never taken for a value.
    return data if len(data) <= _LONG else b"#" + hashlib.sha256(data).digest()


def _build(db: Database, store: str, event: str, names: list[str], keys: bytes) -> int:
    if db.in_transaction:
        return _fill(db, store, event, names, keys)
    db.begin()
    try:
        number = _fill(db, store, event, names, keys)
        db.commit(lambda: db.row(_KEYSET, (store, event, keys)) == (number,))
    except BaseException:
        db.rollback()
        raise
    return number


def _fill(db: Database, store: str, event: str, names: list[str], keys: bytes) -> int:
    found = db.row(_KEYSET, (store, event, keys))
    if found is not None:  # Another process was faster.
        number: int = found[0]
        return number
    db.run(_NEW, (store, event, keys))
    found = db.row(_KEYSET, (store, event, keys))
    assert found is not None
    number = found[0]
    # Rows of a dropped key set may bear this number.
    db.run("DELETE FROM lookups WHERE keyset=?", (number,))
    db.run("DELETE FROM tallies WHERE keyset=?", (number,))
    db.many(_ADD, _listed(db, number, store, event, names))
    db.run(_COUNT, (number,))
    return number


def _listed(db: Database, number: int, store: str, event: str, names: list[str]) -> Iterator[tuple[int, bytes, int]]:
    if event:
        sql = "SELECT sequence, record FROM streams WHERE store=? AND event=?"
        rows = db.each(sql, (store, event))
    else:
        sql = "SELECT created, value FROM records WHERE store=? AND value IS NOT NULL"
        rows = db.each(sql, (store,))
    for sequence, data in rows:
        value = _value(names, orjson.loads(data))
        if value is not None:
            yield number, value, sequence
