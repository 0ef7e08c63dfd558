"""Guards: what a condition that was found true or false tells of the names in it.

Understood are `type(p) == 'name'`, `p == null`, `has(p.f)`, and comparisons of `p` with a number, where `p` is a name
or a path of fields from one; joined by `&&`, `||` and `!`. Whatever else a condition says is left unused, so the types
only ever become narrower, never wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .expressions import MIRROR, Expression
from .fits import member
from .kinds import Schema, kinds

_JSON_TYPES = {"list": "array", "record": "object"}
_OPPOSITE = {"lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "eq": "ne", "ne": "eq"}
_BOUNDS = {"lt": "exclusiveMaximum", "le": "maximum", "gt": "exclusiveMinimum", "ge": "minimum"}


def narrowed(condition: Expression, names: Mapping[str, Schema], *, truth: bool) -> Mapping[str, Schema]:
    """Return the types of the names where the condition is known to be `truth`."""
    operation, operands = condition.operation, condition.operands
    if operation == "not":
        return narrowed(operands[0], names, truth=not truth)
    if operation == ("and" if truth else "or"):
        return narrowed(operands[1], narrowed(operands[0], names, truth=truth), truth=truth)
    if operation == "has" and truth:
        return _refined(names, operands[0], lambda schema: _having(schema, operands[1], None))
    if operation in MIRROR:
        operation = operation if truth else _OPPOSITE[operation]
        left, right = operands
        if left.operation == "lit":
            left, right, operation = right, left, MIRROR[operation]
        if right.operation == "lit":
            return _compared(names, operation, left, right.operands[0])
    return names


def _compared(names: Mapping[str, Schema], operation: str, left: Expression, value: Any) -> Mapping[str, Schema]:
    """Use `left <operation> value`, which is known to hold."""
    if left.operation == "type" and isinstance(value, str) and operation in ("eq", "ne"):
        if operation == "eq":
            return _refined(names, left.operands[0], lambda schema: _of_type(schema, value))
        return _refined(names, left.operands[0], _solid) if value == "null" else names
    if value is None:
        if operation == "eq":
            return _refined(names, left, lambda schema: _of_type(schema, "null"))
        return _refined(names, left, _solid) if operation == "ne" else names
    if isinstance(value, bool) or not isinstance(value, (int, float)) or operation not in _BOUNDS:
        return names
    return _refined(names, left, lambda schema: _bounded(schema, _BOUNDS[operation], value))


def _refined(
    names: Mapping[str, Schema], place: Expression, refine: Callable[[Schema], Schema | None]
) -> Mapping[str, Schema]:
    """Refine the type of a name, or of a field on a path from one; what is no path stays as it is."""
    fields: list[str] = []
    while place.operation == "get":
        fields.append(place.operands[1])
        place = place.operands[0]
    if place.operation != "name" or place.operands[0] not in names:
        return names
    found = _at(names[place.operands[0]], fields[::-1], refine)
    return names if found is None else {**names, place.operands[0]: found}


def _at(schema: Schema, fields: list[str], refine: Callable[[Schema], Schema | None]) -> Schema | None:
    if not fields:
        return refine(schema)
    inner = _at(member(schema, fields[0])[0], fields[1:], refine)
    return _having(schema, fields[0], inner)


def _having(schema: Schema, name: str, inner: Schema | None) -> Schema | None:
    """Return the records of a schema that have this field (of this type); None where that says nothing."""
    if "const" in schema or "enum" in schema or "object" not in kinds(schema):
        return None
    properties = schema.get("properties", {})
    kind = member(schema, name)[0] if inner is None else inner
    required = sorted({*schema.get("required", ()), name})
    return {**schema, "type": "object", "properties": {**properties, name: kind}, "required": required}


def _of_type(schema: Schema, name: str) -> Schema | None:
    """Return the values of a schema for which `type(x)` is `name`."""
    named = _JSON_TYPES.get(name, name)
    kind = "number" if named == "integer" else named
    if "const" in schema or "enum" in schema or kind not in kinds(schema):
        return None
    whole = kind == "number" and schema.get("type") in ("integer", ["integer", "null"])
    return {**schema, "type": "integer" if whole else named}


def _solid(schema: Schema) -> Schema | None:
    """Return the values of a schema that are not null."""
    named = schema.get("type")
    if not isinstance(named, list) or "const" in schema or "enum" in schema:
        return None
    return {**schema, "type": named[0]}


def _bounded(schema: Schema, keyword: str, value: float) -> Schema | None:
    """Return the numbers of a schema inside one more bound; a value that was compared with a number is one."""
    if "const" in schema or "enum" in schema or "number" not in kinds(schema):
        return None
    named = schema.get("type", "number")
    tighter = max if "Minimum" in keyword or keyword == "minimum" else min
    bound = tighter(schema[keyword], value) if keyword in schema else value
    return {**schema, "type": named[0] if isinstance(named, list) else named, keyword: bound}
