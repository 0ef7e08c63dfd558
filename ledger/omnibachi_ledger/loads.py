"""Loading facts: records that are put into keyed stores beside any run, all in one transaction or not at all.

A load is a commit like an effect's: it has a receipt, whose number the records bear that it wrote, and a row in `loads`
that tells which file it was, when, and how many records it changed.
"""

from __future__ import annotations

import orjson

from omnibachi_model.diagnostics import Defect
from omnibachi_model.digests import encode
from omnibachi_model.values import admit

from .journal import NUMBER, RECEIPT
from .stores import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from omnibachi_model.values import JSON

    from .seam import Database

    Facts: TypeAlias = "Mapping[str, Mapping[str, Mapping[str, JSON]]]"

CAPABILITY = "load"
SINCE = 2  # the schema version that brought them
# No run has this id, and the path is the commit number, so receipts of loads never meet those of runs.
RUN = ""

_LOAD = "INSERT INTO loads (number, at, file_digest, seal, stores) VALUES (?, ?, ?, ?, ?)"
_STANDS = "SELECT at, file_digest FROM loads WHERE number=?"
_LOADS = "SELECT number, at, file_digest, seal, stores FROM loads ORDER BY number"


def load(db: Database, facts: Facts, *, file_digest: str, seal: str, at: str) -> tuple[int, dict[str, dict[str, int]]]:
    """Put facts, {store: {key: record}}, into their stores; a record that is there already stays as it is.

    Returns the commit number, and by store how many were `loaded` and `unchanged`. Raises Trouble (OB72x); then
    nothing was loaded.
    """
    if db.in_transaction:
        raise Defect("a load inside a transaction")
    db.begin()
    try:
        found = db.row(NUMBER)
        assert found is not None
        number: int = found[0]
        counts = {address: _put(Store(db, address, lambda: number), records) for address, records in facts.items()}
        db.run(RECEIPT, (number, RUN, str(number), CAPABILITY, "SUCCESS"))
        db.run(_LOAD, (number, at, file_digest, seal, encode(counts)))
        db.commit(lambda: db.row(_STANDS, (number,)) == (at, file_digest))
    except BaseException:
        db.rollback()
        raise
    return number, counts


def _put(store: Store, records: Mapping[str, Mapping[str, JSON]]) -> dict[str, int]:
    counts = {"loaded": 0, "unchanged": 0}
    for key, record in records.items():
        there = store.get(key)
        if there is not None and encode(there[0]) == encode(admit(dict(record))):
            counts["unchanged"] += 1
        else:
            store.put(key, record)
            counts["loaded"] += 1
    return counts


def past(db: Database) -> list[dict[str, JSON]]:
    """Return all loads, oldest first: {number, at, file_digest, seal, stores: {store: {loaded, unchanged}}}."""
    if db.version < SINCE:
        return []
    return [
        {"number": number, "at": at, "file_digest": file_digest, "seal": seal, "stores": orjson.loads(stores)}
        for number, at, file_digest, seal, stores in db.rows(_LOADS)
    ]
