"""Questions: what the conditions of a decision table ask, of what, and the finitely many values that matter to them.

A condition is a combination (`&&`, `||`, `!`, `?:`) of questions. A question asks a *subject* for its value: it
compares it with literals, looks for it in a list of literals, or takes it for true or false. The subject may be a name,
a field, or any other expression. The literals that a table compares a subject with cut its values into finitely many
cells on which all rows answer alike: each literal, and each gap between neighbours that holds a value of its type.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

from .expressions import MIRROR
from .fits import member
from .kinds import Schema, integral, kinds, values

Condition: TypeAlias = list[Any] | None


class _Without:
    """What is no scalar: a list, a record, or (FAULT) no value at all."""


FAULT, LIST, RECORD = _Without(), _Without(), _Without()
BOOLEANS = frozenset(("eq", "ne", "lt", "le", "gt", "ge", "in", "has", "startsWith", "endsWith", "contains"))
BOOLEANS |= {"all", "exists", "exists_one"}
ORDERS = frozenset(("lt", "le", "gt", "ge"))


@dataclass(slots=True)
class Subject:
    """An expression that is asked for its value, and the scalars that it is compared with."""

    expression: list[Any]
    literals: list[Any] = field(default_factory=list)


def key(expression: list[Any]) -> str:
    """Return what tells one subject from another."""
    return json.dumps(expression, sort_keys=True)


def gather(into: dict[str, Subject], found: Mapping[str, Subject]) -> None:
    """Add subjects, and what they are compared with, to others."""
    for name, subject in found.items():
        into.setdefault(name, Subject(subject.expression)).literals.extend(subject.literals)


def subjects(condition: Condition) -> dict[str, Subject]:
    """Return the subjects of a condition by key."""
    found: dict[str, Subject] = {}
    pending = [] if condition is None else [condition]
    while pending:
        expression = pending.pop()
        operation = expression[0]
        if operation in ("and", "or", "not", "if"):
            pending.extend(expression[1:])
            continue
        if operation == "lit":
            continue
        asked = question(expression)
        subject, literals = (expression, []) if asked is None else (asked[1], asked[2])
        found.setdefault(key(subject), Subject(subject)).literals.extend(literals)
    return found


def question(expression: list[Any]) -> tuple[str, list[Any], list[Any]] | None:
    """Take a comparison with literals apart: (operation, subject, literals); None for anything else."""
    operation = expression[0]
    if operation == "in":
        items = _literals(expression[2])
        return None if items is None or expression[1][0] == "lit" else (operation, expression[1], items)
    if operation not in MIRROR:
        return None
    left, right = expression[1], expression[2]
    if left[0] == "lit":
        left, right, operation = right, left, MIRROR[operation]
    if left[0] == "lit" or right[0] != "lit" or isinstance(right[1], (list, dict)):
        return None
    return operation, left, [right[1]]


def _literals(expression: list[Any]) -> list[Any] | None:
    """Return the scalars of a list that holds nothing else, or None."""
    if expression[0] != "list" or any(item[0] != "lit" for item in expression[1]):
        return None
    found = [item[1] for item in expression[1]]
    return None if any(isinstance(item, (list, dict)) for item in found) else found


def kind(value: Any) -> Any:
    """Return what values must share to be compared: numbers are of one kind."""
    if isinstance(value, (bool, str)) or value is None:
        return type(value)
    return value if isinstance(value, _Without) else int


def cells(subject: Subject, types: Mapping[str, Schema]) -> list[Any]:
    """Return one value of each cell of a subject."""
    schema, sure = _type(subject.expression, types)
    found: list[Any] = [] if sure else [FAULT]
    listed = values(schema)
    if listed is not None:
        # A list or a record cannot be compared with the scalars of a question, so one stands for all.
        scalars = [value for value in listed if not isinstance(value, (list, dict))]
        return [*found, *scalars, *([LIST] if len(scalars) < len(listed) else [])]
    allowed = kinds(schema)
    if "number" in allowed:
        found.extend(_numbers(subject.literals, schema))
    if "string" in allowed:
        found.extend(_texts(subject.literals))
    if "boolean" in allowed:
        found.extend((True, False))
    if "null" in allowed:
        found.append(None)
    found.extend(stand for kind, stand in (("array", LIST), ("object", RECORD)) if kind in allowed)
    return found


def _type(expression: list[Any], types: Mapping[str, Schema]) -> tuple[Schema, bool]:
    """Return the type of a subject and whether it always has a value."""
    operation = expression[0]
    if operation == "name":
        return types.get(expression[1], {}), True
    if operation == "get":
        return member(_type(expression[1], types)[0], expression[2])[0], False
    return ({"type": "boolean"} if operation in BOOLEANS else {}), False


def _numbers(literals: list[Any], schema: Schema) -> list[Any]:
    """Return one number of each cell that the schema allows: the points, and the gaps before, between and after."""
    bounds = [schema[key] for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if key in schema]
    points = sorted(
        {item for item in (*literals, *bounds) if isinstance(item, (int, float)) and type(item) is not bool}
    )
    if not points:
        return [0]
    found: list[Any] = []
    if not integral(schema):
        found = [points[0] - 1, points[-1] + 1]
        found.extend(Fraction(low) + (Fraction(high) - Fraction(low)) / 2 for low, high in itertools.pairwise(points))
    else:
        found = [points[0] - 1 if isinstance(points[0], int) else math.ceil(points[0]) - 1]
        found.append(points[-1] + 1 if isinstance(points[-1], int) else math.floor(points[-1]) + 1)
        found.extend(math.floor(low) + 1 for low, high in itertools.pairwise(points) if math.floor(low) + 1 < high)
        points = [point for point in points if float(point).is_integer()]
    return [number for number in (*points, *found) if _inside(number, schema)]


def _inside(number: Any, schema: Schema) -> bool:
    return not (
        ("minimum" in schema and number < schema["minimum"])
        or ("maximum" in schema and number > schema["maximum"])
        or ("exclusiveMinimum" in schema and number <= schema["exclusiveMinimum"])
        or ("exclusiveMaximum" in schema and number >= schema["exclusiveMaximum"])
    )


def _texts(literals: list[Any]) -> list[str]:
    """Return one text of each cell: the points and the gaps, by code points; the next text after `s` is `s` and NUL."""
    points = sorted({item for item in literals if isinstance(item, str)})
    if not points:
        return ["a"]
    found = [] if points[0] == "" else [""]
    for low, high in itertools.pairwise(points):
        if low + "\0" < high:
            found.append(low + "\0")
    return [*points, *found, points[-1] + "\0"]
