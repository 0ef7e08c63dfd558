"""The words that the schemas of all kinds are made of: names, codes, addresses, text, fields, schemas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from omnibachi_model.addresses import NAME_FORM, OUTCOME_FORM, code_form
from omnibachi_model.sealed import RESERVED_OUTCOMES

Schema = dict[str, Any]

LATER: Schema = {"not": {}}

NAME = NAME_FORM
OUTCOME = OUTCOME_FORM


def whole(pattern: str) -> str:
    """Anchor a pattern at both ends, also before a final line end (which `$` alone would let through)."""
    return f"^(?:{pattern})$(?!\\n)"


def text(title: str) -> Schema:
    """Return the schema of a text that is not empty."""
    return {"type": "string", "minLength": 1, "title": title}


def named(title: str, pattern: str, *examples: str) -> Schema:
    """Return the schema of a name of a certain form."""
    return {"type": "string", "pattern": whole(pattern), "title": title, "examples": list(examples)}


def code_of(kind: str, prefix: str, example: str) -> Schema:
    """Return the schema of the name that a document declares: a bare code of its kind."""
    return named(f"the name of {kind}", code_form(prefix), example)


def address_of(kind: str, prefix: str, example: str) -> Schema:
    """Return the schema of a reference: a code of that kind, with or without its domain."""
    return named(f"the address of {kind}", f"(?:{NAME}::)?{code_form(prefix)}", example, f"std::{example}")


def record(
    title: str, properties: Mapping[str, Schema], *, required: Iterable[str] = (), later: Iterable[str] = ()
) -> Schema:
    """Return the schema of a mapping with exactly these keys; those in `later` are reserved."""
    return {
        "type": "object",
        "title": title,
        "properties": {**properties, **dict.fromkeys(later, LATER)},
        "required": list(required),
        "additionalProperties": False,
    }


def entries(title: str, names: Schema, values: Schema, *, least: int = 0) -> Schema:
    """Return the schema of a mapping from names of one form to values of one form."""
    return {
        "type": "object",
        "title": title,
        "propertyNames": names,
        "additionalProperties": values,
        "minProperties": least,
    }


def listed(title: str, items: Schema, *, least: int = 0) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "title": title, "items": items, "minItems": least}


def one_of(title: str, values: Iterable[str]) -> Schema:
    """Return the schema of a text that is one of a few."""
    return {"type": "string", "enum": list(values), "title": title}


def either(title: str, *choices: Schema) -> Schema:
    """Return the schema of a value of one of several types, each told by its `type`."""
    return {"anyOf": list(choices), "title": title}


def whole_number(least: int, most: int) -> Schema:
    """Return the schema of a whole number in bounds."""
    return {"type": "integer", "minimum": least, "maximum": most, "title": f"a whole number from {least} to {most}"}


def shown(schema: Schema, *examples: str) -> Schema:
    """Return a schema with examples of how a value of it is written."""
    return {**schema, "examples": list(examples)}


SUMMARY = text("one sentence that says what it is for")
SWITCH: Schema = {"type": "boolean", "title": "`true` or `false`"}
DATA: Schema = {}
BINDINGS = shown({"type": "object", "title": "a mapping of names to data"}, "{amount: $.payload.amount}")

OUTCOME_NAME = named("the name of an outcome", OUTCOME, "SUCCESS", "NOT_FOUND")
DECLARED_OUTCOME: Schema = {**OUTCOME_NAME, "not": {"enum": list(RESERVED_OUTCOMES)}}
FIELD_NAME = named("the name of a field", NAME, "actor_id")
NODE_NAME = named("the name of a node", NAME, "read_licence")
EXIT_NAME = named("the name of an exit", NAME, "registered")
TARGET = named("the name of a node or an exit", NAME, "registered")

CONTRACT_TARGET = named("the name of a node or an outcome", f"{NAME}|{OUTCOME}", "read_licence", "NOT_FOUND")


# An outcome, or, of a workflow that is used, the name of an exit.
RESULT_NAME = named("the name of an outcome", f"{OUTCOME}|{NAME}", "SUCCESS", "NOT_FOUND")


def routes(target: Schema) -> Schema:
    """Return the schema of routes from outcomes to names of a form."""
    return shown(entries("a mapping of outcomes to nodes or exits", RESULT_NAME, target), "{SUCCESS: registered}")


# What a schema may say is decided by the phase that seals schemas; here only the marks are looked at, at any depth.
VALUE_SCHEMA: Schema = {
    "type": "object",
    "title": "a schema",
    "examples": ["{type: string}"],
    "properties": {
        "secret": SWITCH,
        "public": SWITCH,
        "properties": {"additionalProperties": {"$ref": "#/$defs/inner"}},
        "$defs": {"additionalProperties": {"$ref": "#/$defs/inner"}},
        "items": {"$ref": "#/$defs/inner"},
        "$ref": {"title": "the address of a schema", "examples": ["SC_ACTOR_RECORD_V0", "#/$defs/amount"]},
        "additionalProperties": {"$ref": "#/$defs/inner"},
    },
}

# The same below the top, where something else than a mapping is left to that phase.
DEFS: Schema = {"inner": {"properties": VALUE_SCHEMA["properties"]}}

FIELDS = shown(entries("a mapping of fields to their schemas", FIELD_NAME, VALUE_SCHEMA), "{amount: {type: integer}}")
OUTCOMES = shown(
    entries("a mapping of outcomes to the fields of their output", DECLARED_OUTCOME, FIELDS, least=1),
    "{SUCCESS: {id: {type: string}}}",
)
