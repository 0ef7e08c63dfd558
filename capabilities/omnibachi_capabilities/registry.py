"""`std::CS_REGISTRY_V0`: one record per key, and the first writer wins."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.ports import Call, Txn
    from omnibachi_model.values import Answer, Inputs


def register(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Write a record if its key is free; the address is logical: `<store address>/<key>`."""
    key = inputs["key"]
    if store.put(key, inputs["value"], revision=0) is not None:
        return "SUCCESS", {"address": f"{store.address}/{key}"}
    found = store.get(key)
    assert found is not None
    return "ALREADY_EXISTS", {"value": found[0]}


def resolve(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Read the record of a key."""
    found = store.get(inputs["key"])
    return ("NOT_FOUND", {}) if found is None else ("SUCCESS", {"value": found[0]})
