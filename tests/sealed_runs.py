"""Sealed workflows written by hand in the normative format, and records of runs of them, for the rooms that read both.

Nothing here runs a workflow: a record is made of the bodies that a run would leave, so that every kind of mishap can
be written down, also those that no run of ours makes.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.digests import digest, encode, pretty
from omnibachi_model.record import export

Pair = tuple[dict[str, Any], dict[str, Any]]
SEAL = "sha256:" + "5" * 64
LOCK = "sha256:" + "c" * 64
TEXT = {"type": "string"}
AT_US = 1_767_225_600_000_000


def fields(*names: str, **more: Any) -> dict[str, Any]:
    """Return an object schema whose named fields are texts."""
    members = {**dict.fromkeys(names, TEXT), **more}
    return {"type": "object", "properties": members, "required": sorted(members), "additionalProperties": False}


def call(name: str, use: str, effect: str, inputs: dict[str, Any], following: dict[str, int], **more: Any) -> Any:
    """Return a sealed CALL node."""
    outcomes = {outcome: fields() for outcome in following if outcome != "FAULT"}
    return {
        "kind": "CALL", "name": name, "use": use, "effect": effect, "store": None, "event": None, "check": None,
        "with": ["map", inputs], "outcomes": outcomes, "next": following, **more,
    }  # fmt: skip


def payload(*segments: str | int) -> Any:
    """Return the template of a payload's member."""
    return ["ref", "payload", list(segments)]


def leave(name: str, status: str, result: Any = None) -> Any:
    """Return a sealed EXIT."""
    return {"kind": "EXIT", "name": name, "status": status, "result": result or ["lit", {}], "next": {}}


def sealed(address: str, nodes: list[Any]) -> dict[str, Any]:
    """Return a sealed workflow of these nodes, the first of which is the start."""
    stores = {node["store"]: {"keeps": "registry"} for node in nodes if node.get("store")}
    return {
        "format": "omnibachi.workflow/1", "address": address, "intent": address.replace("WF_", "IN_"),
        "payload": {"type": "object"}, "run": ["started_at"], "journal": bool(stores),
        "capabilities": sorted({node["use"] for node in nodes if "use" in node}), "stores": stores, "events": {},
        "start": 0, "nodes": nodes,
    }  # fmt: skip


def register() -> dict[str, Any]:
    """Return the workflow that registers an actor: a transform, a registry, a stream."""
    return sealed(
        "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0",
        [
            call("actor_id", "std::CT_GENERATE_ID_V0", "PURE",
                 {"data": payload("actor_record"), "prefix": ["lit", "AC"]},
                 {"FAULT": 3, "SUCCESS": 1}),
            call("register", "std::CS_REGISTRY_V0.REGISTER", "IDEMPOTENT",
                 {"key": ["ref", 0, ["id"]], "value": payload("actor_record")},
                 {"ALREADY_EXISTS": 2, "FAULT": 3, "SUCCESS": 2}, store="blockchain::ST_ACTORS_V0"),
            call("announce", "std::CS_EVENTS_V0.APPEND", "APPEND_ONLY",
                 {"record": ["map", {"actor_id": ["ref", 0, ["id"]], "at": ["ref", "run", ["started_at"]]}]},
                 {"FAULT": 3, "SUCCESS": 4, "VIOLATION": 3}, store="blockchain::ST_IDENTITY_EVENTS_V0",
                 event="blockchain::EV_ACTOR_REGISTERED_V0"),
            leave("failed", "FAILED"),
            leave("registered", "COMPLETED", ["map", {"actor_id": ["ref", 0, ["id"]]}]),
            leave("rejected", "REJECTED"),
        ],
    )  # fmt: skip


def order() -> dict[str, Any]:
    """Return a workflow with a decision and a computation: a tier limits a quantity, a fee is computed."""
    tier, quantity = ["name", "tier"], ["name", "quantity"]
    rows = [
        {"when": ["eq", tier, ["lit", "enterprise"]], "outcome": "SUCCESS", "because": None},
        {"when": ["and", ["eq", tier, ["lit", "standard"]], ["le", quantity, ["lit", 100]]], "outcome": "SUCCESS",
         "because": "standard tier, within its limit"},
        {"when": None, "outcome": "VIOLATION", "because": "quantity is over the limit of the tier"},
    ]  # fmt: skip
    return sealed(
        "shop::WF_ORDER_V0",
        [
            {"kind": "DECIDE", "name": "within_tier",
             "with": {"tier": payload("tier"), "quantity": payload("quantity")},
             "rows": rows, "next": {"FAULT": 3, "SUCCESS": 1, "VIOLATION": 5}},
            {"kind": "COMPUTE", "name": "fee", "with": {"price": payload("price"), "quantity": payload("quantity")},
             "fields": {"total": ["mul", ["name", "price"], quantity]}, "next": {"FAULT": 3, "SUCCESS": 2}},
            call("record", "std::CS_RECORDS_V0.CREATE", "IDEMPOTENT",
                 {"key": payload("id"), "value": ["map", {"total": ["ref", 1, ["total"]]}]},
                 {"ALREADY_EXISTS": 4, "FAULT": 3, "SUCCESS": 4}, store="shop::ST_ORDERS_V0"),
            leave("failed", "FAILED"),
            leave("ordered", "COMPLETED", ["map", {"total": ["ref", 1, ["total"]]}]),
            leave("refused", "DENIED"),
            leave("rejected", "REJECTED"),
        ],
    )  # fmt: skip


def origins(workflow: dict[str, Any], file: str = "protocols/shop/order.yaml") -> dict[str, Any]:
    """Return origins for a workflow: the node with index i stands on line 10 (i + 1)."""
    nodes: dict[str, Any] = {}
    exits: dict[str, Any] = {}
    for index, node in enumerate(workflow["nodes"]):
        line = 10 * (index + 1)
        if node["kind"] == "EXIT":
            exits[node["name"]] = {"span": [line, 3, line, 20]}
            continue
        place: dict[str, Any] = {"span": [line, 3, line + 5, 1], "with": [line + 1, 11, line + 1, 40], "next": {}}
        if node["kind"] == "DECIDE":
            place["rows"] = [[line + 2 + row, 9, line + 2 + row, 60] for row in range(len(node["rows"]))]
        if node["kind"] == "COMPUTE":
            place["fields"] = {name: [line + 2, 15, line + 2, 30] for name in node["fields"]}
        nodes[node["name"]] = place
    return {
        "format": "omnibachi.origins/1", "workflow": workflow["address"],
        "summary": "A *summary* of <b>what</b> it does.", "file": file,
        "span": [1, 1, 100, 1], "sources": [file], "nodes": nodes, "exits": exits, "checked": [],
    }  # fmt: skip


def started(workflow: dict[str, Any], asked: Any, *, trace_id: str = "T1") -> Pair:
    """Return the first event of a run."""
    at = "2026-01-01T00:00:00.000Z"
    body = {
        "kind": "RUN_STARTED", "workflow": workflow["address"], "workflow_digest": digest(pretty(workflow)),
        "payload": asked, "run": {"started_at": at},
    }  # fmt: skip
    obs = {
        "trace_id": trace_id, "seal": SEAL, "origin": "unpinned", "started_at": at, "actor": None, "host": "h",
        "program": "omnibachi 0.1.0", "capabilities": dict.fromkeys(workflow["capabilities"], LOCK),
    }  # fmt: skip
    return body, obs


def called(workflow: dict[str, Any], name: str, inputs: Any, outcome: str, output: Any = None, **obs: Any) -> Pair:
    """Return the event of a call."""
    node = next(node for node in workflow["nodes"] if node["name"] == name)
    body = {
        "kind": "CALLED", "path": name, "capability": node["use"], "effect": node["effect"], "inputs": inputs,
        "outcome": outcome, "output": output or {},
    }  # fmt: skip
    return body, {"took_us": 12, **obs}


def decided(name: str, inputs: Any, outcome: str, row: int | None, because: str | None = None, **obs: Any) -> Pair:
    """Return the event of a decision."""
    output = {} if outcome == "FAULT" else {"because": because}
    body = {
        "kind": "DECIDED", "path": name, "capability": None, "effect": None, "inputs": inputs, "outcome": outcome,
        "output": output, "row": row, "because": because,
    }  # fmt: skip
    return body, {"took_us": 3, **obs}


def computed(name: str, inputs: Any, outcome: str, output: Any = None, **obs: Any) -> Pair:
    """Return the event of a computation."""
    body = {
        "kind": "COMPUTED", "path": name, "capability": None, "effect": None, "inputs": inputs, "outcome": outcome,
        "output": output or {},
    }  # fmt: skip
    return body, {"took_us": 3, **obs}


def finished(exit: str, status: str, result: Any = None) -> Pair:
    """Return the last event of a run."""
    return {"kind": "RUN_FINISHED", "exit": exit, "status": status, "result": result or {}}, {"took_us": 1234}


def record(*pairs: Pair) -> bytes:
    """Write events as a record, giving each its `seq` and `at_us`."""
    return export(
        (encode(body), encode({"seq": number, "at_us": AT_US + number, **obs}))
        for number, (body, obs) in enumerate(pairs, 1)
    )


ACTOR = {"first_name": "Given", "last_name": "Family", "email_registration": "actor@example.org"}


def registered(*, again: bool = False, asked: Any = None, trace_id: str = "T1") -> bytes:
    """Return the record of a registration that completed; `again`: the actor was there already."""
    workflow = register()
    actor = (asked or {"actor_record": ACTOR})["actor_record"]
    key = {"id": "AC_0123456789abcdef"}
    place = {"address": "blockchain::ST_ACTORS_V0/AC_0123456789abcdef"}
    told = {"actor_id": key["id"], "at": "2026-01-01T00:00:00.000Z"}
    answer = ("ALREADY_EXISTS", {"value": actor}) if again else ("SUCCESS", place)
    return record(
        started(workflow, asked or {"actor_record": ACTOR}, trace_id=trace_id),
        called(workflow, "actor_id", {"data": actor, "length": 16, "prefix": "AC"}, "SUCCESS", key),
        called(workflow, "register", {"key": key["id"], "value": actor}, *answer, receipt=1),
        called(workflow, "announce", {"record": told}, "SUCCESS", {"sequence": 1}, receipt=2),
        finished("registered", "COMPLETED", {"actor_id": key["id"]}),
    )


def ordered(quantity: int = 7) -> bytes:
    """Return the record of an order that completed (up to 100), or that the decision denied."""
    workflow = order()
    asked = {"id": "o1", "price": 5, "quantity": quantity, "tier": "standard"}
    saw = {"quantity": quantity, "tier": "standard"}
    if quantity > 100:
        because = "quantity is over the limit of the tier"
        return record(
            started(workflow, asked),
            decided("within_tier", saw, "VIOLATION", 2, because),
            finished("refused", "DENIED"),
        )
    total = {"total": 5 * quantity}
    return record(
        started(workflow, asked),
        decided("within_tier", saw, "SUCCESS", 1, "standard tier, within its limit"),
        computed("fee", {"price": 5, "quantity": quantity}, "SUCCESS", total),
        called(workflow, "record", {"key": "o1", "value": total}, "SUCCESS", {"revision": 1}, receipt=9),
        finished("ordered", "COMPLETED", total),
    )


def order_failed(*pairs: Pair, asked: Any = None) -> bytes:
    """Return the record of an order that ended at `failed` after these events."""
    given = asked or {"id": "o1", "price": 5, "quantity": 7, "tier": "standard"}
    return record(started(order(), given), *pairs, finished("failed", "FAILED"))
