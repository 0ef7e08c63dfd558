"""`std::CS_EVENTS_V0`: an append-only stream; the node names the event that it speaks of."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.ports import Call, Event, Txn
    from omnibachi_model.values import Answer, Inputs


def append(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Append a record, or list how it breaks the event's schema."""
    event = _event(call)
    violations = event.violations(inputs["record"])
    if violations:
        return "VIOLATION", {"violations": violations}
    return "SUCCESS", {"sequence": store.append(event.address, inputs["record"])}


def append_once(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Append a record unless one of the event is there already whose fields equal those of `match`."""
    found = store.find(_event(call).address, inputs["match"])
    if found is not None:
        return "ALREADY_EXISTS", {"record": found[0], "sequence": found[1]}
    return append(inputs, store, call)


def find(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Read the latest record of the event whose fields equal those of `match`."""
    found = store.find(_event(call).address, inputs["match"])
    return ("NOT_FOUND", {}) if found is None else ("SUCCESS", {"record": found[0], "sequence": found[1]})


def count(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Count the records of the event whose fields equal those of `match`."""
    return "SUCCESS", {"count": store.count(inputs["match"], event=_event(call).address)}


def _event(call: Call) -> Event:
    if call.event is None:
        raise ValueError("the node names no event")
    return call.event
