"""The schemas of graphs: workflows and contracts, with their nodes, routes, exits and outcomes."""

from __future__ import annotations

from omnibachi_model.sealed import EFFECTS, STATUSES

from .nodes import node
from .words import (
    BINDINGS,
    CONTRACT_TARGET,
    DECLARED_OUTCOME,
    DEFS,
    EXIT_NAME,
    FIELDS,
    NAME,
    NODE_NAME,
    OUTCOME_NAME,
    SUMMARY,
    TARGET,
    Schema,
    address_of,
    code_of,
    entries,
    named,
    one_of,
    record,
    routes,
    shown,
)

_EXIT = shown(
    record("an exit", {"status": one_of("a status", STATUSES), "result": BINDINGS}, required=("status",)),
    "{status: COMPLETED}",
)

_COUNT: Schema = {"type": "integer", "minimum": 0, "title": "a whole number"}

_LIMITS = shown(
    record(
        "limits",
        {
            "visits": {**_COUNT, "minimum": 1},
            "effects": shown(
                record("a mapping of effect classes to numbers", dict.fromkeys(EFFECTS[1:], _COUNT)), "{MUTABLE: 10}"
            ),
        },
    ),
    "{visits: 200, effects: {MUTABLE: 10}}",
)

_START = named("the name of a node", NAME, "read_licence")

WORKFLOW: Schema = record(
    "a workflow",
    {
        "workflow": code_of("a workflow", "WF", "WF_REGISTER_ACTOR_V0"),
        "summary": SUMMARY,
        "intent": address_of("an intent", "IN", "IN_ACTOR_REGISTERED_V0"),
        "start": _START,
        "fault": TARGET,
        "next": routes(TARGET),
        "nodes": entries("a mapping of names to nodes", NODE_NAME, node(OUTCOME_NAME, TARGET), least=1),
        "exits": entries("a mapping of names to exits", EXIT_NAME, _EXIT, least=1),
        "limits": _LIMITS,
    },
    required=("workflow", "summary", "intent", "start", "nodes", "exits"),
)

CONTRACT: Schema = {
    **record(
        "a contract",
        {
            "contract": code_of("a contract", "CC", "CC_RESOLVE_LICENCE_V0"),
            "summary": SUMMARY,
            "inputs": FIELDS,
            "start": _START,
            "next": routes(CONTRACT_TARGET),
            "nodes": entries("a mapping of names to nodes", NODE_NAME, node(OUTCOME_NAME, CONTRACT_TARGET), least=1),
            "outcomes": shown(
                entries("a mapping of outcomes to what they give", DECLARED_OUTCOME, BINDINGS, least=1),
                "{SUCCESS: {tier: $.nodes.read.value.tier}, NOT_FOUND: {}}",
            ),
        },
        required=("contract", "summary", "inputs", "start", "nodes", "outcomes"),
    ),
    "$defs": DEFS,
}
