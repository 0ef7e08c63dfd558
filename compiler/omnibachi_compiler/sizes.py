"""Sizes of types: what is inferred is kept within what may be sealed.

A type that is inferred may hold another twice, and that one a third twice: laid over some uses of uses it would grow
without end. So a type that is too deep or too large is cut where it is deepest: what was there may be any value.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.digests import encode

Schema = dict[str, Any]
MOST_LEVELS = 48  # of JSON
MOST_PARTS = 2_000  # objects and lists inside one type
CUTS = (12, 8, 5, 3, 2, 1)  # levels of members and items that are kept, tried in this order
ANY_RECORD: Schema = {"type": "object"}


def bounded(schema: Schema) -> Schema:
    """Return a type that holds the values of this one, is not too large to be sealed, and lists values in one order."""
    if _fitting(schema):
        return _ordered(schema)
    return next((_ordered(cut) for cut in (_cut(schema, depth) for depth in CUTS) if _fitting(cut)), ANY_RECORD)


def held(schema: Schema) -> Schema:
    """Return this type, or where it is too large one that holds its values: what is built may hold a value twice, and
    what is built of that twice again."""
    if _fitting(schema):
        return schema
    return next((cut for cut in (_cut(schema, depth) for depth in CUTS) if _fitting(cut)), {})


def _ordered(schema: Schema) -> Schema:
    """Return a type whose lists of values are sorted: which came first says nothing of the values."""
    out = dict(schema)
    if "enum" in out:
        out["enum"] = sorted(out["enum"], key=encode)
    if "properties" in out:
        out["properties"] = {key: _ordered(inner) for key, inner in out["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _ordered(out[key])
    return out


def _fitting(schema: Schema) -> bool:
    """Tell whether a type is within the bounds, looking at no more of it than that takes."""
    waiting: list[tuple[Any, int]] = [(schema, 1)]
    seen = 0
    while waiting:
        at, level = waiting.pop()
        seen += 1
        if seen > MOST_PARTS or level > MOST_LEVELS:
            return False
        inside = at.values() if isinstance(at, dict) else at
        waiting.extend((inner, level + 1) for inner in inside if isinstance(inner, dict | list))
    return True


def _cut(schema: Schema, depth: int) -> Schema:
    """Return a type in which everything deeper is any value."""
    if depth == 0:
        return {}
    listed = [schema["const"]] if "const" in schema else schema.get("enum", [])
    out = dict(schema)
    if any(isinstance(value, dict | list) for value in listed):
        out.pop("const", None)
        out.pop("enum", None)
    if "properties" in out:
        out["properties"] = {key: _cut(inner, depth - 1) for key, inner in out["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _cut(out[key], depth - 1)
    return out
