"""`std::CS_RECORDS_V0`: keyed records that may change, each with a revision that only grows."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.ports import Call, Txn
    from omnibachi_model.values import Answer, Inputs


def create(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Write a record if its key is free."""
    key = inputs["key"]
    revision = store.put(key, inputs["value"], revision=0)
    if revision is not None:
        return "SUCCESS", {"revision": revision}
    found = store.get(key)
    assert found is not None
    return "ALREADY_EXISTS", {"value": found[0], "revision": found[1]}


def get(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Read the record of a key and its revision."""
    found = store.get(inputs["key"])
    return ("NOT_FOUND", {}) if found is None else ("SUCCESS", {"value": found[0], "revision": found[1]})


def put(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Write a record whatever is there."""
    return "SUCCESS", {"revision": store.put(inputs["key"], inputs["value"])}


def swap(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Write a record over the revision that the caller saw, and over no other."""
    key, seen = inputs["key"], inputs["revision"]
    found = store.get(key)
    if found is None:
        return "NOT_FOUND", {}
    if found[1] != seen:
        return "CONFLICT", {"value": found[0], "revision": found[1]}
    return "SUCCESS", {"revision": store.put(key, inputs["value"], revision=seen)}


def admit(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Write a record as `swap` does (revision 0: where none is), while fewer than `below` records match `where`."""
    key, seen = inputs["key"], inputs["revision"]
    found = store.get(key)
    if found is None and seen != 0:
        return "NOT_FOUND", {}
    if found is not None and found[1] != seen:
        return "CONFLICT", {"value": found[0], "revision": found[1]}
    count = store.count(inputs["where"])
    if count >= inputs["below"]:
        return "FULL", {"count": count}
    return "SUCCESS", {"revision": store.put(key, inputs["value"], revision=seen)}


def remove(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Remove the record of a key; the removal has a revision of its own."""
    revision = store.remove(inputs["key"])
    return ("NOT_FOUND", {}) if revision is None else ("SUCCESS", {"revision": revision})


def list_(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Read the first `limit` records whose fields equal those of `where`, oldest first, and count them all."""
    found, total = store.list(inputs["where"], inputs["limit"])
    items = [{"key": key, "value": value, "revision": revision} for key, value, revision in found]
    return "SUCCESS", {"items": items, "total": total}


def count(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Count the records whose fields equal those of `where`."""
    return "SUCCESS", {"count": store.count(inputs["where"])}
