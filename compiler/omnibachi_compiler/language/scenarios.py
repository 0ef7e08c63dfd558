"""The schema of a scenario: what is given, and steps with what they are expected to give."""

from __future__ import annotations

from omnibachi_model.sealed import REJECTED_EXIT, STATUSES

from .words import (
    BINDINGS,
    DATA,
    EXIT_NAME,
    NAME,
    OUTCOME,
    OUTCOME_NAME,
    Schema,
    address_of,
    entries,
    listed,
    named,
    one_of,
    record,
    text,
)

SOURCES = ("payload", "payload_of", "load")

_WORKFLOW = address_of("a workflow", "WF", "WF_REGISTER_ACTOR_V0")
_STORE = address_of("a store", "ST", "ST_ACTORS_V0")
_COUNT: Schema = {"type": "integer", "minimum": 0, "title": "a whole number"}

_TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,9})?Z$(?!\\n)",
    "title": "a time in UTC",
    "examples": ["2026-01-01T00:00:00Z"],
}

# {store: {key: record}}
_FACTS = entries(
    "a mapping of stores to their records",
    _STORE,
    {"type": "object", "title": "a mapping of keys to records", "additionalProperties": BINDINGS},
)

# What a run names: a node, one inside a contract or a loop; iterations count from 0.
_STEP_NAME = f"{NAME}(?:\\[[0-9]+\\])?"
_PATH = f"{_STEP_NAME}(?:/{_STEP_NAME})*"
_NODE = _PATH.replace("[0-9]+", "[0-9]*")  # without a number: in every iteration

_ANSWER = record("an answer", {"outcome": OUTCOME_NAME, "output": BINDINGS}, required=("outcome",))

_GIVEN = record(
    "what is given",
    {
        "clock": _TIME,
        "entropy": {"type": "integer", "minimum": 0, "title": "a whole number"},
        "stores": _FACTS,
        "answers": entries(
            "a mapping of nodes to forced answers",
            named("the path of a node", _NODE, "read_licence", "licence/read", "mint_all[]", "mint_all[3]/read"),
            _ANSWER,
        ),
    },
)

_EXPECT = record(
    "what is expected",
    {
        "exit": EXIT_NAME,
        "status": one_of("a status", STATUSES),
        "waiting": named("the path of a node", _PATH, "review", "checks/review"),
        "path": listed(
            "a list of nodes with their outcomes",
            named("a node and its outcome", f"{_PATH} (?:{OUTCOME}|{REJECTED_EXIT})", "register ALREADY_EXISTS"),
        ),
        "result": DATA,
        "asked": entries(
            "a mapping of nodes to what they were given",
            named("the path of a node", _PATH, "notify", "mint_all[3]/read"),
            {"type": "object", "title": "a mapping"},
        ),
        "stores": entries(
            "a mapping of stores to what they hold",
            _STORE,
            record("what a store holds", {"count": _COUNT, "records": DATA}),
        ),
    },
)

_STEP: Schema = {
    **record(
        "a step",
        {
            "payload": {"type": "object", "title": "a mapping"},
            "payload_of": {"type": "integer", "minimum": 1, "title": "the number of an earlier step"},
            "load": record("what is loaded", {"stores": _FACTS}, required=("stores",)),
            "workflow": _WORKFLOW,
            "expect": _EXPECT,
        },
    ),
    "oneOf": [{"required": [source]} for source in SOURCES],
}

TEST: Schema = record(
    "a scenario",
    {
        "test": text("what the scenario shows, as text"),
        "workflow": _WORKFLOW,
        "given": _GIVEN,
        "steps": listed("a list of steps", _STEP, least=1),
    },
    required=("test", "steps"),
)
