"""The schemas of capabilities: transforms and side effects."""

from __future__ import annotations

from omnibachi_model.sealed import EFFECTS, HOSTS, KEEPS, PROGRAMS, REPEATS

from .words import (
    BINDINGS,
    DEFS,
    FIELDS,
    OUTCOME,
    OUTCOME_NAME,
    OUTCOMES,
    SUMMARY,
    Schema,
    code_of,
    entries,
    listed,
    named,
    one_of,
    record,
)

_EXAMPLE = record(
    "an example", {"with": BINDINGS, "gives": OUTCOME_NAME, "output": BINDINGS}, required=("with", "gives")
)

TRANSFORM: Schema = {
    **record(
        "a transform",
        {
            "transform": code_of("a transform", "CT", "CT_GENERATE_ID_V0"),
            "summary": SUMMARY,
            "inputs": FIELDS,
            "outcomes": OUTCOMES,
            "examples": listed("a list of examples", _EXAMPLE),
        },
        required=("transform", "summary", "inputs", "outcomes"),
    ),
    "$defs": DEFS,
}

_OPERATION = record(
    "an operation",
    {
        "effect": one_of("an effect class", EFFECTS[1:]),
        "needs": {
            **listed(
                "a list of `store`, `event`, `hosts` and `programs`",
                one_of("a need", ("store", "event", HOSTS, PROGRAMS)),
            ),
            "uniqueItems": True,
        },
        "repeat": one_of("`key` or `never`", REPEATS),
        "inputs": FIELDS,
        "outcomes": OUTCOMES,
    },
    required=("effect", "outcomes"),
)

SIDE_EFFECT: Schema = {
    **record(
        "a side effect",
        {
            "side_effect": code_of("a side effect", "CS", "CS_REGISTRY_V0"),
            "summary": SUMMARY,
            "keeps": one_of("a kind of state", KEEPS),
            "operations": entries(
                "a mapping of names to operations",
                named("the name of an operation", OUTCOME, "REGISTER"),
                _OPERATION,
                least=1,
            ),
        },
        required=("side_effect", "summary", "operations"),
    ),
    "$defs": DEFS,
}
