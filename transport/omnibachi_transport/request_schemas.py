"""The three bodies of an intent as JSON Schemas (2020-12): what admission judges by, and what OpenAPI shows.

`flat` has every field at the top, `v2` and `v3` are envelopes. Every leaf has a `description`, which also ends the
sentence that tells why a value does not fit. Optional fields of the intent may be null, which means that they are not
given; ids may not.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from omnibachi_model.packs import CLAIMS

Schema = dict[str, Any]

FLAT, V2, V3 = "flat", "v2", "v3"
LARGEST_MESSAGE = 64 * 1024  # bytes of UTF-8
MOST_TOOLS = 20

# What is printed as it is read: no control, format or unassigned character, and of blanks the space alone.
NAME: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 128,
    "pattern": r"^[^\p{C}\p{Z}]+( +[^\p{C}\p{Z}]+)*$",
    "description": "a text of 1 to 128 printable characters without blanks at its ends",
}


def _whole(least: int, most: int) -> Schema:
    about = f"a whole number from {least} to {most}"
    return {"type": "integer", "minimum": least, "maximum": most, "description": about}


def _or_null(schema: Schema) -> Schema:
    kinds = {"type": [schema["type"], "null"]}
    return {**schema, **kinds, **({"enum": [*schema["enum"], None]} if "enum" in schema else {})}


ANCHORS: Mapping[str, Schema] = {
    "stream_id": NAME,
    "lane": NAME,
    "actor": NAME,
    "intent_type": NAME,
    "thread_id": NAME,
    "turn_id": NAME,
    "parent_turn_id": _or_null({**NAME, "description": f"null or {NAME['description']}"}),
}
OPTIONS: Mapping[str, Schema] = {
    "requested_model_id": _or_null(NAME),
    "inputs": _or_null({"type": "object", "description": "an object of claims"}),
    "declared_tools": _or_null({
        "type": "array",
        "items": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9_.]{0,63}$",
            "description": "a name of at most 64 small letters, digits, `_` and `.`, a letter first",
        },
        "maxItems": MOST_TOOLS,
        "description": f"a list of at most {MOST_TOOLS} names",
    }),
    "tool_scope": _or_null({"type": "string", "enum": ["strict", "advisory"], "description": "`strict` or `advisory`"}),
    "budget": _or_null({
        "type": "object",
        "properties": {"max_tokens": _whole(1, 1_000_000), "max_duration_ms": _whole(1_000, 300_000)},
        "additionalProperties": False,
        "description": "an object of `max_tokens` and `max_duration_ms`",
    }),
    "declared_refs": _or_null({"type": "array", "description": "a list, which must be empty"}),
}  # fmt: skip
_MESSAGE: Schema = {"type": "object", "description": "an object"}
_FIELDS: Mapping[str, Schema] = {**ANCHORS, **OPTIONS, "payload": _MESSAGE}


def _object(properties: Mapping[str, Schema], required: tuple[str, ...]) -> Schema:
    return {
        "type": "object", "properties": dict(properties), "required": list(required), "additionalProperties": False,
        "description": "an object",
    }  # fmt: skip


def _envelope(version: int, required: tuple[str, ...]) -> Schema:
    fields = {"interface_version": {"const": version}, "correlation_id": NAME, "payload": _object(_FIELDS, required)}
    return _object(fields, tuple(fields))


FORMS: Mapping[str, Schema] = {
    FLAT: _object({**_FIELDS, "correlation_id": NAME}, ("intent_type", "payload")),
    V2: _envelope(2, ("stream_id", "lane", "actor", "intent_type", "thread_id", "turn_id", "payload")),
    V3: _envelope(3, ("intent_type", "payload")),
}
# What the meaning of a body asks for beyond its shape, as far as a schema can say it.
_CLAIM: Schema = {"type": ["string", "integer", "boolean", "null", "array", "object"]}
_MEANT: Schema = {
    "properties": {
        "inputs": {"properties": dict.fromkeys(CLAIMS, _CLAIM), "additionalProperties": False},
        "declared_refs": {"maxItems": 0},
        "payload": {"propertyNames": {"not": {"pattern": "^_"}}},
    }
}


def body_schema(intent_types: Mapping[str, Schema]) -> Schema:
    """Return the schema of a body of any form, for OpenAPI: the very forms, and what the types of intent ask for."""
    typed = [
        {"properties": {"intent_type": {"const": name}, "payload": payload}} for name, payload in intent_types.items()
    ]
    fields = {"allOf": [_MEANT, {"anyOf": typed}]}
    return {
        "oneOf": [
            {"allOf": [FORMS[FLAT], fields]},
            *({"allOf": [FORMS[form], {"properties": {"payload": fields}}]} for form in (V2, V3)),
        ]
    }


@functools.cache
def judge_of(form: str) -> jsonschema_rs.Draft202012Validator:
    """Return what judges bodies of a form."""
    return jsonschema_rs.Draft202012Validator(FORMS[form])
