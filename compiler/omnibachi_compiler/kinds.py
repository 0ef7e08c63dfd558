"""Kinds: what a sealed schema says of its values, read once and plainly.

The questions that proofs about schemas are made of: which kinds of values, which values where they are listed, which
numbers, which members. A schema is taken for that of a value after defaults were filled in.
"""

from __future__ import annotations

import functools
import math
from typing import Any, TypeAlias

from omnibachi_model.checks import filler, link, types_of
from omnibachi_model.values import LIMIT

Schema: TypeAlias = dict[str, Any]
Range: TypeAlias = tuple[float, bool, float, bool]  # low, whether low is left out, high, whether high is left out

_OF_TYPE = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


_MAY_CHANGE = frozenset(("default", "items", "additionalProperties", "properties"))


def kinds(schema: Schema) -> frozenset[str]:
    """Return the kinds of values that a schema allows, by their JSON types; `number` stands for integers too."""
    if "const" in schema or "enum" in schema:
        return frozenset(_OF_TYPE[type(value)] for value in values(schema) or ())
    return _named(schema)


def _named(schema: Schema) -> frozenset[str]:
    return _kinds_of(types_of(schema))


@functools.cache  # there are few combinations of types, and every reading asks for one
def _kinds_of(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset("number" if name == "integer" else name for name in names)


def integral(schema: Schema) -> bool:
    """Tell whether every number that a schema allows is an integer, by its `type`."""
    return "integer" in types_of(schema) and "number" not in types_of(schema)


def values(schema: Schema) -> list[Any] | None:
    """Return all values of a schema where `const`, `enum` or `type` lists them, defaults filled in; else None."""
    if "const" in schema:
        listed = [schema["const"]]
    elif "enum" in schema:
        listed = schema["enum"]
    else:
        named = _named(schema)
        if not named <= {"null", "boolean"}:
            return None
        listed = [
            value for kind, few in (("null", [None]), ("boolean", [False, True])) if kind in named for value in few
        ]
    check, fill = link(schema), filler(schema)
    return [value if fill is None else fill(value) for value in listed if not check(value)]


def number_range(schema: Schema, *, whole: bool) -> Range:
    """Return the numbers that a schema's bounds leave, inside the canonical profile; of integers both ends belong."""
    low, low_open, high, high_open = 1.0 - LIMIT, False, LIMIT - 1.0, False
    for key, left_out in (("minimum", False), ("exclusiveMinimum", True)):
        if key in schema and (schema[key] > low or (left_out and schema[key] == low)):
            low, low_open = schema[key], left_out
    for key, left_out in (("maximum", False), ("exclusiveMaximum", True)):
        if key in schema and (schema[key] < high or (left_out and schema[key] == high)):
            high, high_open = schema[key], left_out
    if whole:
        low = math.floor(low) + 1 if low_open else math.ceil(low)
        high = math.ceil(high) - 1 if high_open else math.floor(high)
        return low, False, high, False
    return low, low_open, high, high_open


def always(schema: Schema) -> set[str]:
    """Return the members that every object of a schema has once defaults are filled in."""
    defaulted = {key for key, inner in schema.get("properties", {}).items() if "default" in inner}
    return defaulted | set(schema.get("required", ()))


def inner_of(schema: Schema, key: str) -> Schema | None:
    """Return the schema of a member, or None where the schema allows no such member."""
    found: Schema | None = schema.get("properties", {}).get(key)
    if found is not None:
        return found
    extra = schema.get("additionalProperties", True)
    return None if extra is False else {} if extra is True else extra


def settled(schema: Schema) -> Schema:
    """Return the schema of a value whose defaults were filled in: members with a default are required, and it has none.

    The same object comes back where nothing had to change.
    """
    if not _MAY_CHANGE.isdisjoint(schema):
        return _settled(schema)
    return schema


def _settled(schema: Schema) -> Schema:
    out = dict(schema)
    changed = out.pop("default", None) is not None or "default" in schema
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            out[key] = settled(schema[key])
            changed = changed or out[key] is not schema[key]
    properties = schema.get("properties")
    if properties:
        out["properties"] = {key: settled(inner) for key, inner in properties.items()}
        if any(out["properties"][key] is not inner for key, inner in properties.items()):
            changed = True
            out["required"] = sorted(always(schema))
            if not out["required"]:
                del out["required"]
    return out if changed else schema
