"""The schema of an invariant: a law that every path of the graphs that it binds must keep."""

from __future__ import annotations

from omnibachi_model.sealed import EFFECTS, STATUSES

from .nodes import USE
from .words import (
    EXIT_NAME,
    NAME,
    RESULT_NAME,
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
    "status": ("except",),
    "node": ("outcome", "except"),
    "use": ("outcome", "except", "store", "event", "evidence"),
    "effect": ("outcome", "except", "store", "event", "evidence"),
}
_NARROWING = ("outcome", "except", "store", "event", "evidence")


def _advice(kind: str) -> str:
    taken = _NARROWED[kind]
    return f"beside `{kind}` may stand {', '.join(f'`{key}`' for key in taken)}" if taken else f"`{kind}` stands alone"


def _only(title: str, taken: tuple[str, ...], advice: str) -> Schema:
    """Return the schema of a point that is narrowed by nothing but what is `taken`."""
    forbidden = [key for key in _NARROWING if key not in taken]
    return {"propertyNames": {"not": {"enum": forbidden}, "title": title, "description": advice}}


def _several(item: Schema) -> Schema:
    """Return the schema of a list that names some things of a form, each once."""
    return {**listed("a list of at least one", item, least=1), "uniqueItems": True}


def _some(item: Schema) -> Schema:
    """Return the schema of one thing or a list of such."""
    return either(f"one or a list, each {item['title']}", item, _several(item))


_POINT = {
    **record(
        "a point",
        {
            "exit": _some(EXIT_NAME),
            "status": _some(one_of("a status", STATUSES)),
            "node": _some(
                named("the path of a node", f"{NAME}(?:\\[\\])?(?:/{NAME}(?:\\[\\])?)*", "license", "license/read")
            ),
            "use": _some(USE),
            "effect": _some(one_of("an effect class", EFFECTS)),
            "store": _some(address_of("a store", "ST", "ST_ACTORS_V0")),
            "event": _some(address_of("an event", "EV", "EV_ACTOR_REGISTERED_V0")),
            "evidence": SWITCH,
            "outcome": _some(RESULT_NAME),
            "except": _some(RESULT_NAME),
        },
    ),
    "oneOf": [{"required": [kind]} for kind in KINDS_OF_POINT],
    "dependentSchemas": {
        **{kind: _only(f"a point with `{kind}`", taken, _advice(kind)) for kind, taken in _NARROWED.items()},
        "outcome": _only("a point with `outcome`", _NARROWING[:1] + _NARROWING[2:], "an outcome is named or excepted"),
    },
}

POINT = shown(
    either("`start`, `exit` or a mapping", one_of("a point", ("start", "exit")), _POINT), "{node: license}", "exit"
)

_WORKFLOWS = _several(address_of("a workflow", "WF", "WF_GRANT_V0"))
_BOUND = {
    **record("a choice of workflows", {"workflows": _WORKFLOWS, "uses": _some(USE), "except": _WORKFLOWS}),
    "minProperties": 1,
    "dependentSchemas": {
        "workflows": {
            "propertyNames": {
                "not": {"enum": ["uses", "except"]},
                "title": "a choice of workflows by name",
                "description": "`workflows` stands alone",
            }
        }
    },
}
APPLIES_TO = shown(
    either("`all` or a mapping", one_of("a choice of workflows", ("all",)), _BOUND), "{workflows: [WF_GRANT_V0]}", "all"
)

_PATH = record(
    "a law",
    {"from": POINT, "passes": POINT, "before": POINT, "applies_to": APPLIES_TO},
    required=("passes",),
)
_EXAMPLE = "{passes: {node: license, outcome: SUCCESS}, before: {node: grant}}"

INVARIANT: Schema = record(
    "an invariant",
    {
        "invariant": code_of("an invariant", "IV", "IV_LICENCE_BEFORE_GRANT_V0"),
        "summary": SUMMARY,
        "applies_to": APPLIES_TO,
        "every_path": shown(
            either("a law or a list of laws", _PATH, listed("a list of laws", _PATH, least=1)), _EXAMPLE
        ),
        "never": SWITCH,
        "exits": one_of("a choice of exits", ("all",)),
    },
    required=("invariant", "summary", "applies_to", "every_path"),
)
