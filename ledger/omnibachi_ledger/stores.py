"""One store as a capability sees it: keyed records with revisions, or a stream of events.

A store reads at any time and writes only inside a journal's transaction. Every row that it writes bears the commit
number that the transaction's receipt will have. In the store of a registry a key, once written, is `fixed`.
"""

from __future__ import annotations

import orjson

from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import encode
from omnibachi_model.values import admit

from .lookups import keyset, note, tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Mapping

    from omnibachi_model.values import JSON, Record

    from .seam import Database

_GET = "SELECT value, revision FROM records WHERE store=? AND key=? AND value IS NOT NULL"
_SEEN = "SELECT value, revision, created, fixed FROM records WHERE store=? AND key=?"
# Read at once what a write needs to know: what is there, where a new one stands, whether there are key sets to keep.
_PLACE = (
    "SELECT value, revision, created, coalesce(fixed, (SELECT fixed FROM records WHERE store=?1 LIMIT 1)),"
    " (SELECT coalesce(max(created), 0) + 1 FROM records WHERE store=?1),"
    " EXISTS (SELECT 1 FROM keysets WHERE store=?1 AND event='') FROM (SELECT 1) AS one"
    " LEFT JOIN records ON store=?1 AND key=?2"
)
_CREATE = "INSERT INTO records (store, key, value, revision, created, number, fixed) VALUES (?, ?, ?, 1, ?, ?, ?)"
_CHANGE = "UPDATE records SET value=?, revision=?, created=?, number=? WHERE store=? AND key=?"
_LIST = (
    "SELECT r.key, r.value, r.revision FROM lookups l CROSS JOIN records r ON r.store=? AND r.created=l.sequence"
    " WHERE l.keyset=? AND l.value=? ORDER BY l.sequence LIMIT ?"
)
_LAST = (
    "SELECT coalesce(max(sequence), 0) + 1, EXISTS (SELECT 1 FROM keysets WHERE store=?1 AND event=?2)"
    " FROM streams WHERE store=?1"
)
_APPEND = "INSERT INTO streams (store, sequence, event, record, number) VALUES (?, ?, ?, ?, ?)"
_FIND = (
    "SELECT s.record, s.sequence FROM lookups l CROSS JOIN streams s ON s.store=? AND s.sequence=l.sequence"
    " WHERE l.keyset=? AND l.value=? ORDER BY l.sequence DESC LIMIT 1"
)


READS_ONLY = "an operation of class READ changes nothing in its store"


def read_row(data: bytes, store: str) -> Record:
    """Read a record as it is kept; raises Trouble (OB723) for a row that holds none."""
    try:
        value = orjson.loads(data)
    except ValueError:
        value = None
    if type(value) is not dict:
        raise Trouble(Diagnostic("OB723", f"the store `{store}` holds a row that is no record"))
    return value


class Store:
    """Implements `ports.Txn`. `number` gives the commit number of the open transaction, or raises PermissionError
    where none is open, as in an operation of class READ.

    A key or an event that is no text and a limit that is no integer raise TypeError.
    """

    __slots__ = ("_db", "_fixed", "_number", "address")

    def __init__(self, db: Database, address: str, number: Callable[[], int], *, fixed: bool = False) -> None:
        self._db = db
        self._number = number
        self._fixed = int(fixed)
        self.address = address

    def get(self, key: str) -> tuple[Record, int] | None:
        """Return (value, revision) of a key, or None."""
        found = self._db.row(_GET, (self.address, _text(key)))
        return None if found is None else (read_row(found[0], self.address), found[1])

    def put(self, key: str, value: Mapping[str, JSON], *, revision: int | None = None) -> int | None:
        """Write a record: always, only if absent (`revision` 0), or only over that revision.

        Returns the new revision, or None when the expectation does not hold. Raises ValueError for a second value in
        a registry, `Outside` for a value outside the canonical profile, and Trouble (OB789) where what is there is
        kept for good and this store is no registry, or the other way round.
        """
        number = self._number()
        plain = admit(dict(value))
        place = self._db.row(_PLACE, (self.address, _text(key)))
        assert place is not None
        old, seen, created, fixed, last, keysets = place
        self._agrees(fixed)
        if revision is not None and revision != (0 if old is None else seen):
            return None
        if old is None:
            created = last
        if seen is None:
            new = 1
            self._db.run(_CREATE, (self.address, key, encode(plain), created, number, self._fixed))
        else:
            if self._fixed:
                raise ValueError(f"the registry `{self.address}` never changes a record")
            new = seen + 1
            self._db.run(_CHANGE, (encode(plain), new, created, number, self.address, key))
        if keysets:
            note(self._db, self.address, "", created, old and read_row(old, self.address), plain)
        return new

    def remove(self, key: str) -> int | None:
        """Remove a record; return the revision that the removal has, or None if there was none."""
        number = self._number()
        seen = self._db.row(_SEEN, (self.address, _text(key)))
        if seen is None or seen[0] is None:
            return None
        old, revision, created, fixed = seen
        self._agrees(fixed)
        if self._fixed:
            raise ValueError(f"the registry `{self.address}` never removes a record")
        self._db.run(_CHANGE, (None, revision + 1, created, number, self.address, key))
        note(self._db, self.address, "", created, read_row(old, self.address), None)
        return int(revision) + 1

    def _agrees(self, fixed: int | None) -> None:
        """Refuse to write where another version of the workspace keeps this store in another way."""
        if fixed is not None and bool(fixed) is not bool(self._fixed):
            kept, taken = ("a registry", "records that change")[:: 1 if fixed else -1]
            message = f"the store `{self.address}` is kept as {kept} in this data root, and taken for {taken}"
            raise Trouble(Diagnostic("OB789", message))

    def list(self, where: Mapping[str, JSON], limit: int) -> tuple[builtins.list[tuple[str, Record, int]], int]:
        """Return the first `limit` (key, value, revision) in order of creation, and how many there are in all."""
        if type(limit) is not int:
            raise TypeError(f"a limit is an integer, not a `{type(limit).__name__}`")
        number, value = keyset(self._db, self.address, "", where)
        rows = self._db.rows(_LIST, (self.address, number, value, limit))
        items = [(key, read_row(data, self.address), revision) for key, data, revision in rows]
        return items, tally(self._db, number, value)

    def append(self, event: str, record: Mapping[str, JSON]) -> int:
        """Append a record under an event's address; return its sequence."""
        number = self._number()
        plain = admit(dict(record))
        last = self._db.row(_LAST, (self.address, _text(event)))
        assert last is not None
        sequence: int = last[0]
        self._db.run(_APPEND, (self.address, sequence, event, encode(plain), number))
        if last[1]:
            note(self._db, self.address, event, sequence, None, plain)
        return sequence

    def find(self, event: str, match: Mapping[str, JSON]) -> tuple[Record, int] | None:
        """Return (record, sequence) of the latest such event, or None."""
        number, value = keyset(self._db, self.address, _text(event), match)
        found = self._db.row(_FIND, (self.address, number, value))
        return None if found is None else (read_row(found[0], self.address), found[1])

    def count(self, match: Mapping[str, JSON], *, event: str | None = None) -> int:
        """Return how many records (of a stream: of that event) match."""
        return tally(self._db, *keyset(self._db, self.address, _text(event or ""), match))


def _text(key: str) -> str:
    """Refuse what is no text, whatever a capability makes of its inputs: that is its mistake, not the database's."""
    if type(key) is not str:
        raise TypeError(f"a key and an event are texts, not a `{type(key).__name__}`")
    return key
