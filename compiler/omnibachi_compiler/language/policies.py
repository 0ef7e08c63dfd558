"""The schema of a policy: gates over a whitelist of facts, each fact with values of its own type."""

from __future__ import annotations

from omnibachi_model.packs import FACTS, GATES, MOST_CHARACTERS, MOST_TEXTS, SWITCH, TEXT, TEXTS, WHOLE

from .words import SUMMARY, Schema, code_of, listed, named, one_of, record, shown, text

MOST_GATES = 200
MOST_VALUES = 1_000
LIMIT = 2**53 - 1

_TEXT: Schema = {
    "type": "string",
    "maxLength": MOST_CHARACTERS,
    "title": "a text of at most 1000 characters",
    "examples": ["chat"],
}
_WHOLE: Schema = {
    "type": "integer",
    "minimum": -LIMIT,
    "maximum": LIMIT,
    "title": "a whole number",
    "examples": ["280"],
}
_VALUES: dict[str, Schema] = {
    TEXT: _TEXT,
    WHOLE: _WHOLE,
    SWITCH: {"type": "boolean", "title": "`true` or `false`"},
    TEXTS: shown({**listed("a list of at most 100 texts", _TEXT), "maxItems": MOST_TEXTS}, "[web.search]"),
}

FACT = one_of("a fact", FACTS)
REASON = named("a reason code", "(?![a-z0-9_.]{65})[a-z][a-z0-9_]*(?:\\.[a-z][a-z0-9_]*)*", "policy.message_too_long")


def _several(value: Schema) -> Schema:
    found = {**listed("a list of at most 1000 values", value, least=1), "uniqueItems": True, "maxItems": MOST_VALUES}
    return shown(found, "[chat.message]")


def _over(title: str, example: str, values: dict[str, Schema]) -> Schema:
    """Return the schema of a mapping from some facts to what is asked of each."""
    return shown({**record(title, values), "minProperties": 1}, example)


_BOUND = shown({**record("a bound", {"min": _WHOLE, "max": _WHOLE}), "minProperties": 1}, "{max: 280}")
_ASKED: dict[str, Schema] = {
    "require": FACT,
    "absent": FACT,
    "match": _over(
        "a mapping of facts to values", "{lane: user_chat}", {fact: _VALUES[kind] for fact, kind in FACTS.items()}
    ),
    "one_of": _over(
        "a mapping of facts to lists of values",
        "{intent_type: [chat.message]}",
        {fact: _several(_VALUES[kind]) for fact, kind in FACTS.items()},
    ),
    "bound": _over(
        "a mapping of facts that are whole numbers to bounds",
        "{input_chars: {max: 280}}",
        {fact: _BOUND for fact, kind in FACTS.items() if kind == WHOLE},
    ),
    "when": shown(text("an expression over facts"), "size(declared_tools) == 0"),
    "any_of": shown(
        {**listed("a list of at most 200 gates", {"$ref": "#/$defs/gate"}, least=1), "maxItems": MOST_GATES},
        "[{absent: lane}, {match: {lane: day}}]",
    ),
    "not": {"$ref": "#/$defs/gate"},
    "deny": {"const": True, "title": "`true`", "examples": ["true"]},
}
assert tuple(_ASKED) == GATES
_ONE = {"oneOf": [{"required": [kind]} for kind in GATES]}

_GATE = {**record("a gate", {**_ASKED, "because": REASON}, required=("because",)), **_ONE}
_INNER = shown({**record("a gate inside another", _ASKED), **_ONE}, "{absent: claimed.capability}")

POLICY: Schema = {
    **record(
        "a policy",
        {
            "policy": code_of("a policy", "PL", "PL_DEMO_V0"),
            "summary": SUMMARY,
            "gates": shown(
                {**listed("a list of at most 200 gates", _GATE, least=1), "maxItems": MOST_GATES},
                "[{require: tenant, because: policy.no_tenant}]",
            ),
            "allow": REASON,
        },
        required=("policy", "summary", "allow"),
    ),
    "$defs": {"gate": _INNER},
}
