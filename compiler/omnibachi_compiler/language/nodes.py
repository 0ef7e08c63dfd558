"""The schemas of nodes: `use`, `decide`, `compute`, `all`, `wait`, and the loops `each` and `repeat` around a `use`."""

from __future__ import annotations

from omnibachi_model.addresses import code_form

from .durations import DURATION
from .waits import WAIT
from .words import (
    BINDINGS,
    FIELD_NAME,
    NAME,
    NODE_NAME,
    OUTCOME,
    OUTCOME_NAME,
    RESULT_NAME,
    Schema,
    address_of,
    entries,
    listed,
    named,
    record,
    shown,
    text,
    whole_number,
)

ACTIONS = ("use", "decide", "compute", "all", "wait")
MOST_ROUNDS = 10_000  # of a loop
MOST_AGAIN = 100  # further attempts of a call

EXPRESSION = shown(text("an expression, as text"), "quantity > 10")

# A side effect without an operation is well-formed here and refused where uses are resolved: the operations are known
# there.
USE = named(
    "a transform, a side effect with its operation, a contract or a workflow",
    f"(?:{NAME}::)?(?:{code_form('(?:CT|CC|WF)')}|{code_form('CS')}(?:\\.{OUTCOME})?)",
    "CT_GENERATE_ID_V0",
    "CS_REGISTRY_V0.REGISTER",
)

_ROW = shown(
    record(
        "a row of a decision",
        {"when": EXPRESSION, "outcome": OUTCOME_NAME, "because": text("the reason, as text")},
        required=("outcome",),
    ),
    "{when: quantity > 10, outcome: LARGE}",
)

_GOOD = shown({**listed("a list of outcomes", RESULT_NAME, least=1), "uniqueItems": True}, "[SUCCESS, ALREADY_EXISTS]")

_RETRY = shown(
    record(
        "a retry",
        {
            "on": shown({**listed("a list of outcomes", OUTCOME_NAME, least=1), "uniqueItems": True}, "[TIMEOUT]"),
            "max": whole_number(1, MOST_AGAIN),
            "backoff": DURATION,
            "factor": {"type": "number", "minimum": 1, "maximum": 10, "title": "a number from 1 to 10"},
        },
        required=("on", "max"),
    ),
    "{on: [TIMEOUT], max: 3, backoff: 200ms, factor: 2}",
)

_CALL: dict[str, Schema] = {
    "use": USE,
    "store": address_of("a store", "ST", "ST_ACTORS_V0"),
    "event": address_of("an event", "EV", "EV_ACTOR_REGISTERED_V0"),
    "with": BINDINGS,
    "retry": _RETRY,
    "deadline": DURATION,
}

_LOOPS: dict[str, Schema] = {
    "each": {
        "type": ["string", "array", "object"],
        "title": "a list, or a path to one",
        "examples": ["$.payload.recipients"],
    },
    "as": named("the name of an item", NAME, "item"),
    "max": whole_number(1, MOST_ROUNDS),
    "repeat": shown(
        record(
            "a repetition",
            {"max": whole_number(1, MOST_ROUNDS), "until": EXPRESSION, "every": DURATION},
            required=("max", "until"),
        ),
        "{max: 10, until: status == 'done', every: 2s}",
    ),
    "all": shown(
        entries("a mapping of names to calls", NODE_NAME, record("a call", _CALL, required=("use",)), least=1),
        "{credit: {use: CS_RECORDS_V0.READ, store: ST_CREDIT_V0, with: {key: $.payload.id}}}",
    ),
    "good": _GOOD,
}


def _without(what: str, advice: str, *keys: str) -> Schema:
    """Return the schema of a mapping that has none of some keys: what it is for messages, and what to do instead."""
    return {"propertyNames": {"not": {"enum": list(keys)}, "title": what, "description": advice}}


_CALLS_NOTHING = _without(
    "a node that calls nothing",
    "only a node with `use` takes `store`, `event`, `retry`, `deadline`, `each` and `repeat`",
    *("store", "event", "retry", "deadline", "each", "repeat"),
)


def node(outcomes: Schema, target: Schema) -> Schema:
    """Return the schema of a node whose routes lead from names of one form to names of another; where a workflow is
    used, also from the names of its exits."""
    routes = shown(
        {"type": "object", "title": "a mapping of outcomes to nodes or exits", "additionalProperties": target},
        "{SUCCESS: registered}",
    )
    return {
        **record(
            "a node",
            {
                **_CALL,
                **_LOOPS,
                "decide": shown(
                    listed("a list of rows", _ROW, least=1),
                    "[{when: quantity > 10, outcome: LARGE}, {outcome: SMALL}]",
                ),
                "compute": shown(
                    entries("a mapping of fields to expressions", FIELD_NAME, EXPRESSION, least=1),
                    "{total: price * quantity}",
                ),
                "wait": WAIT,
                "next": routes,
            },
        ),
        "oneOf": [{"required": [action]} for action in ACTIONS],
        "dependentRequired": {
            "each": ["use", "max"],
            "repeat": ["use"],
            "as": ["each"],
            "max": ["each"],
            "wait": ["with"],
        },
        "dependentSchemas": {
            "decide": _CALLS_NOTHING,
            "compute": _CALLS_NOTHING,
            "wait": _CALLS_NOTHING,
            "each": _without("a node with `each`", "put one of the two into a contract, and use that", "repeat"),
            "all": _without(
                "a node with `all`",
                "each of its calls has its own",
                *("with", "store", "event", "retry", "deadline", "each", "repeat"),
            ),
            "good": {"oneOf": [{"required": ["each"]}, {"required": ["all"]}]},
        },
        "if": {
            "properties": {"use": {"pattern": f"^(?:{NAME}::)?WF_"}},
            "required": ["use"],
            "not": {"required": ["each"]},
        },
        "then": {"properties": {"next": {"propertyNames": RESULT_NAME}}},
        "else": {"properties": {"next": {"propertyNames": outcomes}}},
    }
