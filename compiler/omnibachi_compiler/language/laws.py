"""The schema of an invariant: a law that every path of the graphs that it binds must keep."""

from __future__ import annotations

from omnibachi_model.sealed import EFFECTS, STATUSES

from .nodes import RESULT_NAME, USE
from .words import (
    EXIT_NAME,
    NAME,
    SUMMARY,
    SWITCH,
    Schema,
    address_of,
    code_of,
    either,
    listed,
    named,
    one_of,
    record,
    shown,
)

KINDS_OF_POINT = ("exit", "status", "node", "use", "effect")
_NARROWED = {
    "exit": (),
    "status": (),
    "node": ("outcome",),
    "use": ("outcome", "store", "event", "evidence"),
    "effect": ("outcome", "store", "event", "evidence"),
}
_NARROWING = ("outcome", "store", "event", "evidence")


def _advice(kind: str) -> str:
    taken = _NARROWED[kind]
    return f"beside `{kind}` may stand {', '.join(f'`{key}`' for key in taken)}" if taken else f"`{kind}` stands alone"


_POINT = {
    **record(
        "a point",
        {
            "exit": EXIT_NAME,
            "status": one_of("a status", STATUSES),
            "node": named("the path of a node", f"{NAME}(?:\\[\\])?(?:/{NAME}(?:\\[\\])?)*", "license", "license/read"),
            "use": USE,
            "effect": one_of("an effect class", EFFECTS),
            "outcome": RESULT_NAME,
            "store": address_of("a store", "ST", "ST_ACTORS_V0"),
            "event": address_of("an event", "EV", "EV_ACTOR_REGISTERED_V0"),
            "evidence": SWITCH,
        },
    ),
    "oneOf": [{"required": [kind]} for kind in KINDS_OF_POINT],
    "dependentSchemas": {
        kind: {
            "propertyNames": {
                "not": {"enum": [key for key in _NARROWING if key not in taken]},
                "title": f"a point with `{kind}`",
                "description": _advice(kind),
            }
        }
        for kind, taken in _NARROWED.items()
    },
}

POINT = shown(
    either("`start`, `exit` or a mapping", one_of("a point", ("start", "exit")), _POINT), "{node: license}", "exit"
)

_BOUND = {
    **record(
        "a choice of workflows",
        {
            "workflows": {
                **listed("a list of workflows", address_of("a workflow", "WF", "WF_GRANT_V0"), least=1),
                "uniqueItems": True,
            },
            "uses": USE,
        },
    ),
    "oneOf": [{"required": ["workflows"]}, {"required": ["uses"]}],
}

INVARIANT: Schema = record(
    "an invariant",
    {
        "invariant": code_of("an invariant", "IV", "IV_LICENCE_BEFORE_GRANT_V0"),
        "summary": SUMMARY,
        "applies_to": shown(
            either("`all` or a mapping", one_of("a choice of workflows", ("all",)), _BOUND),
            "{workflows: [WF_GRANT_V0]}",
            "all",
        ),
        "every_path": shown(
            record("a law", {"from": POINT, "passes": POINT, "before": POINT}, required=("passes",)),
            "{passes: {node: license, outcome: SUCCESS}, before: {node: grant}}",
        ),
        "never": SWITCH,
        "exits": one_of("a choice of exits", ("all",)),
    },
    required=("invariant", "summary", "applies_to", "every_path"),
)
