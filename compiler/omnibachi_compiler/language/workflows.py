"""The schema of a workflow: its nodes (`use`, `decide`, `compute`), routes and exits."""

from __future__ import annotations

from omnibachi_model.addresses import code_form
from omnibachi_model.sealed import STATUSES

from .words import (
    BINDINGS,
    EXIT_NAME,
    FIELD_NAME,
    NAME,
    NODE_NAME,
    OUTCOME,
    OUTCOME_NAME,
    ROUTES,
    SUMMARY,
    TARGET,
    Schema,
    address_of,
    code_of,
    entries,
    listed,
    named,
    one_of,
    record,
    shown,
    text,
)

ACTIONS = ("use", "decide", "compute")
LATER_ACTIONS = ("each", "repeat", "all", "wait")

# Contracts, workflows and side effects without an operation are well-formed here and refused where uses are resolved,
# which knows the operations.
_USE = named(
    "a transform, or a side effect with its operation",
    f"(?:{NAME}::)?(?:{code_form('(?:CT|CC|WF)')}|{code_form('CS')}(?:\\.{OUTCOME})?)",
    "CT_GENERATE_ID_V0",
    "CS_REGISTRY_V0.REGISTER",
)

_EXPRESSION = shown(text("an expression, as text"), "quantity > 10")

_ROW = shown(
    record(
        "a row of a decision",
        {"when": _EXPRESSION, "outcome": OUTCOME_NAME, "because": text("the reason, as text")},
        required=("outcome",),
    ),
    "{when: quantity > 10, outcome: LARGE}",
)

_NODE: Schema = {
    **record(
        "a node",
        {
            "use": _USE,
            "store": address_of("a store", "ST", "ST_ACTORS_V0"),
            "event": address_of("an event", "EV", "EV_ACTOR_REGISTERED_V0"),
            "decide": shown(
                listed("a list of rows", _ROW, least=1), "[{when: quantity > 10, outcome: LARGE}, {outcome: SMALL}]"
            ),
            "compute": shown(
                entries("a mapping of fields to expressions", FIELD_NAME, _EXPRESSION, least=1),
                "{total: price * quantity}",
            ),
            "with": BINDINGS,
            "next": ROUTES,
        },
        later=(*LATER_ACTIONS, "as", "max", "good", "retry", "deadline"),
    ),
    "oneOf": [{"required": [action]} for action in ACTIONS],
    "dependentSchemas": {
        action: {"propertyNames": {"not": {"enum": ["store", "event"]}}} for action in ("decide", "compute")
    },
}

_EXIT = shown(
    record("an exit", {"status": one_of("a status", STATUSES), "result": BINDINGS}, required=("status",)),
    "{status: COMPLETED}",
)

WORKFLOW: Schema = record(
    "a workflow",
    {
        "workflow": code_of("a workflow", "WF", "WF_REGISTER_ACTOR_V0"),
        "summary": SUMMARY,
        "intent": address_of("an intent", "IN", "IN_ACTOR_REGISTERED_V0"),
        "start": named("the name of a node", NAME, "read_licence"),
        "fault": TARGET,
        "next": ROUTES,
        "nodes": entries("a mapping of names to nodes", NODE_NAME, _NODE, least=1),
        "exits": entries("a mapping of names to exits", EXIT_NAME, _EXIT, least=1),
    },
    required=("workflow", "summary", "intent", "start", "nodes", "exits"),
    later=("limits",),
)
