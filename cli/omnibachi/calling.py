"""Trying one capability: a run of one node, made on the spot from its sealed signature.

The node's inputs are the payload, so they are checked at the gate; each outcome leads to an exit of its own name whose
result is the output. What writes is journalled as any run; a transform or a read leaves nothing.
"""

from __future__ import annotations

import os

from omnibachi_model.addresses import split
from omnibachi_model.checks import listed
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import digest, pretty
from omnibachi_model.nearest import nearest_address
from omnibachi_model.sealed import (
    CALL,
    EXIT,
    EXTERNAL,
    FAULT,
    HOSTS,
    OUTCOME_UNKNOWN,
    PROGRAMS,
    REJECTED_EXIT,
    WORKFLOW_FORMAT,
    WRITES,
)
from omnibachi_model.secrecy import holds_secret

from . import wiring
from .clocks import Stamps, SystemClock, SystemEntropy
from .engine import Linked, admitted, link, opening
from .exits import FINDINGS
from .mishaps import crashes, pointers
from .results import CallResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from omnibachi_model.values import JSON

    from .catalogue import Capabilities
    from .wiring import Ledger, Snapshot

NODE = "call"
CRASHED = "failed"


class _Reading:
    """Stands where a journal stands in a run that must not write: its stores only read."""

    __slots__ = ("store",)

    def __init__(self, ledger: Ledger) -> None:
        self.store = ledger.store

    def stopped(self) -> bool:
        """Tell that nobody asks that it end: it is no run that others know."""
        return False


def call(
    snapshot: Snapshot,
    capabilities: Capabilities,
    capability: str,
    inputs: dict[str, JSON],
    *,
    store: str | None,
    event: str | None,
    data_root: str,
) -> CallResult:
    """Ask one capability; raises Refused and Trouble for what `Workspace.call` turns into diagnostics."""
    signature = _signature(snapshot, capability)
    workflow = _workflow(snapshot, capability, signature, store, event)
    locks = wiring.load_locks(snapshot, [capability], capabilities.source)
    data = pretty(workflow)
    sealed = wiring.Sealed(snapshot, data, digest(data), workflow, locks)
    linked = Linked(link(sealed, capabilities.functions(locks, strict=snapshot.strict)), snapshot, opening(sealed))
    if not workflow["journal"] and not workflow["stores"]:
        return _ask(linked, inputs, None)
    with wiring.open_root(data_root, create=workflow["journal"]) as ledger:
        return _ask(linked, inputs, ledger)


def _ask(linked: Linked, inputs: dict[str, JSON], ledger: Ledger | None) -> CallResult:
    program = linked.program
    gate = admitted(program, inputs, None)
    if gate[0]:
        message = f"the inputs do not fit `{program.address}`: {pointers(listed(gate[0]))}"
        help = "send what the declaration asks for"
        return CallResult(None, {}, [Diagnostic("OB744", message, help=help)])
    clock, entropy = SystemClock(), SystemEntropy()
    stamps = Stamps(clock, entropy)
    now, started_at = stamps.now()
    run_id = stamps.trace_id(now)
    journal: Any = None
    if ledger is not None and program.journal:
        journal = ledger.journal(
            run_id, workflow=program.address, workflow_digest=program.digest, sealed=program.sealed,
            seal=linked.snapshot.seal, payload_digest=digest(gate[2]), started_at=started_at,
        )  # fmt: skip
    elif ledger is not None:
        journal = _Reading(ledger)
    start = wiring.Start(run_id, now, started_at, None, linked.opening, clock, entropy, journal, None, os.environ.get)
    ended = wiring.walk(program, start, gate)
    trace_id = run_id if program.journal else None
    if ended.mishaps:
        return CallResult(FAULT, {}, crashes(ended.mishaps, ended.status, lambda: None), trace_id)
    return CallResult(ended.exit, ended.result, (), trace_id)


def _workflow(
    snapshot: Snapshot, capability: str, signature: dict[str, Any], store: str | None, event: str | None
) -> dict[str, Any]:
    """Write the workflow of one node in the sealed form."""
    needs = signature.get("needs", ())
    kept = _store(snapshot, capability, needs, store)
    shape = _event(snapshot, capability, needs, event)
    outside, answers = _outside(snapshot, capability, signature)
    outcomes = sorted(answers)
    crashed = len(outcomes) + 1
    effect = signature.get("effect", "PURE")
    node = {
        "kind": CALL, "name": NODE, "use": capability, "effect": effect, "store": store, "event": event,
        "with": ["ref", "payload", []], "check": None, "outcomes": answers, **outside,
        "next": {**{name: index for index, name in enumerate(outcomes, 1)}, FAULT: crashed},
    }  # fmt: skip
    hidden = sorted(name for name, schema in signature["inputs"].get("properties", {}).items() if holds_secret(schema))
    if hidden:
        node["secret"] = {"inputs": hidden}  # so that no mishap tells of them
    output = ["ref", 0, []]
    exits = [{"kind": EXIT, "name": name, "status": "COMPLETED", "result": output, "next": {}} for name in outcomes]
    ends = ((CRASHED, "FAILED"), (REJECTED_EXIT, "REJECTED"))
    exits += [
        {"kind": EXIT, "name": name, "status": status, "result": ["map", {}], "next": {}} for name, status in ends
    ]
    return {
        "format": WORKFLOW_FORMAT, "address": capability, "intent": "", "payload": _narrowed(signature, kept),
        "run": [], "journal": effect in WRITES or effect == EXTERNAL, "capabilities": [capability],
        "stores": {store: _sealed_with(kept)} if kept else {}, "events": {event: shape} if shape else {},
        "start": 0, "nodes": [node, *exits],
    }  # fmt: skip


def _sealed_with(store: dict[str, Any]) -> dict[str, Any]:
    """Return what a workflow that uses a store has sealed of it."""
    return {key: value for key, value in store.items() if key not in ("governed_by", "record", "seed", "evidence")}


def _outside(snapshot: Snapshot, capability: str, signature: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what only a call that leaves the house has in the sealed form, and the outcomes of the call.

    The hosts are those of the capability's own domain: nobody else speaks here.
    """
    found: dict[str, Any] = {}
    if HOSTS in signature.get("needs", ()):
        found[HOSTS] = wiring.load_domain(snapshot, split(capability)[0])[HOSTS]
    if PROGRAMS in signature.get("needs", ()):
        found[PROGRAMS] = wiring.load_domain(snapshot, split(capability)[0]).get(PROGRAMS, {})
    if "repeat" not in signature:
        return found, signature["outcomes"]
    closed = {"type": "object", "properties": {}, "additionalProperties": False}
    return {**found, "repeat": signature["repeat"]}, {**signature["outcomes"], OUTCOME_UNKNOWN: closed}


def _narrowed(signature: dict[str, Any], store: dict[str, Any] | None) -> dict[str, Any]:
    """Return the inputs' schema; an object that is called `value` is the store's record (docs/decisions/0003)."""
    inputs: dict[str, Any] = signature["inputs"]
    value = inputs.get("properties", {}).get("value")
    if store is None or value is None or value.get("type") != "object":
        return inputs
    return {**inputs, "properties": {**inputs["properties"], "value": store["record"]}}


def _signature(snapshot: Snapshot, capability: str) -> dict[str, Any]:
    section = "operations" if "." in split(capability)[1] else "transforms"
    found = _sealed(snapshot, section, capability)
    if found is None:
        raise _unknown("OB301", "capability", capability, snapshot.manifest["capabilities"])
    return found


def store_of(snapshot: Snapshot, store: str) -> dict[str, Any]:
    """Return the sealed entry of a store; raises Refused (OB303)."""
    found = _sealed(snapshot, "stores", store)
    if found is None:
        raise _unknown("OB303", "store", store, snapshot.manifest.get("stores", {}))
    return found


def _sealed(snapshot: Snapshot, section: str, address: str) -> dict[str, Any] | None:
    """Return what the address's domain has sealed under it in a section, or None."""
    domain = split(address)[0]
    if domain not in snapshot.manifest["domains"]:
        return None
    found: dict[str, Any] | None = wiring.load_domain(snapshot, domain)[section].get(address)
    return found


def _store(snapshot: Snapshot, capability: str, needs: Iterable[str], store: str | None) -> dict[str, Any] | None:
    if "store" not in needs:
        if store is not None:
            raise _refusal("OB404", f"`{capability}` takes no store", "leave `store` out")
        return None
    if store is None:
        raise _refusal("OB402", f"`{capability}` works on a store", "name one with `store`")
    found = store_of(snapshot, store)
    if found["governed_by"] != capability.rpartition(".")[0]:
        message = f"`{store}` is governed by `{found['governed_by']}`, not by `{capability.rpartition('.')[0]}`"
        raise _refusal("OB401", message, "use the side effect that governs the store")
    return found


def _event(snapshot: Snapshot, capability: str, needs: Iterable[str], event: str | None) -> dict[str, Any] | None:
    if "event" not in needs:
        if event is not None:
            raise _refusal("OB404", f"`{capability}` takes no event", "leave `event` out")
        return None
    if event is None:
        raise _refusal("OB403", f"`{capability}` takes an event", "name one with `event`")
    found = _sealed(snapshot, "events", event)
    if found is None:
        raise _unknown("OB304", "event", event, snapshot.manifest.get("events", {}))
    return found


def _unknown(code: str, kind: str, name: str, known: Iterable[str]) -> Refused:
    near = nearest_address(name, known)
    return _refusal(code, f"no {kind} is called `{name[:200]}`", f"did you mean `{near}`?" if near else None)


def _refusal(code: str, message: str, help: str | None) -> Refused:
    return Refused([Diagnostic(code, message, help=help)], FINDINGS)
