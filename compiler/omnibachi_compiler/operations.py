"""Operations: what each operator and function of an expression asks of its operands, and what it gives.

One rule for each operation of the sealed form. A rule reports what is wrong for all values (OB508, OB310), notes a
doubt where some values end in FAULT because they are absent or of another type, notes a limit where only reckoning
does (a divisor of zero, a result out of range), and returns the sealed operation with the type of its result. Integers
carry their bounds along, so that a sum of bounded integers is known to stay in range.

Not counted at all: texts and lists that outgrow the limits of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from omnibachi_model.checks import types_of
from omnibachi_model.values import LIMIT

from .expressions import Expression, Sealed
from .fits import Presence, join_all, literal, member
from .kinds import Schema, integral, kinds, number_range, values

BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
STRING: Schema = {"type": "string"}
NOTHING: Schema = {"enum": []}  # the type of what was reported: no value, and nothing more is said about it
SIZE: Schema = {"type": "integer", "minimum": 0, "maximum": 2**32}

WORDS = {"array": "list", "object": "record"}
TYPE_NAMES = ("boolean", "integer", "list", "null", "number", "record", "string")
SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "add": "+", "sub": "-", "mul": "*"}
SIGNS.update({"div": "/", "mod": "%", "and": "&&", "or": "||", "not": "!", "neg": "-"})


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding: the stretch of the expression's text, code, message and help."""

    start: int
    end: int
    code: str
    message: str
    help: str | None


@dataclass(frozen=True, slots=True)
class Typed:
    """One judged node: its type, its sealed form, and where it stands."""

    type: Schema
    sealed: Sealed
    source: Expression


@dataclass(frozen=True, slots=True)
class Scope:
    """The types of the names at one place, who gives them, and what was found so far in the whole expression: problems,
    doubts where a value may be absent or of another type, limits where a number may leave its range or be divided by
    zero."""

    names: Mapping[str, Schema]
    giver: str = "`with`"
    problems: list[Problem] = field(default_factory=list)
    doubts: list[Expression] = field(default_factory=list)
    limits: list[Expression] = field(default_factory=list)

    def report(self, at: Expression, code: str, message: str, help: str | None = None) -> None:
        """Add a finding."""
        self.problems.append(Problem(at.start, at.end, code, message, help))

    def doubt(self, at: Expression, *, unless: bool = False) -> None:
        """Note that some values that this operation meets are absent, or of a type that it does not take."""
        if not unless:
            self.doubts.append(at)

    def limit(self, at: Expression, *, unless: bool = False) -> None:
        """Note that this operation has no result for some numbers."""
        if not unless:
            self.limits.append(at)


def shown(schema: Schema) -> str:
    """Say a type in one or a few words."""
    found = kinds(schema)
    if len(found) > 2:
        return "a value of open type"
    words = [("integer" if integral(schema) else kind) if kind == "number" else WORDS.get(kind, kind) for kind in found]
    return " or ".join(
        f"{'an' if word[0] in 'aeiou' else 'a'} {word}" if word != "null" else word for word in sorted(words)
    )


def may_be(schema: Schema, kind: str) -> bool:
    """Tell whether values of a schema may be of a kind; a schema that allows nothing is not judged."""
    found = kinds(schema)
    return kind in found or not found


def only(schema: Schema, *named: str) -> bool:
    """Tell whether all values of a schema are of these kinds."""
    return kinds(schema) <= set(named)


def joined(types: list[Schema]) -> Schema:
    """Join types; integers joined with numbers are numbers, also where all values happen to be whole."""
    found = join_all(types)
    if (
        "number" in kinds(found)
        and integral(found)
        and not all(integral(kind) for kind in types if may_be(kind, "number"))
    ):
        return {**found, "type": "number" if found["type"] == "integer" else ["number", "null"]}
    return found


Rule: TypeAlias = Callable[[Expression, list[Typed], Scope], tuple[str, Schema]]


def _equal(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    if not _share(a, b):
        _mixed(source, a, b, scope, "compare values of one type")
    scope.doubt(source, unless=_comparable(a, b))
    return source.operation, BOOLEAN


def _share(a: Schema, b: Schema, *among: str) -> bool:
    """Tell whether values of both may be of one kind (among these)."""
    left, right = kinds(a), kinds(b)
    if not left or not right:
        return True
    return bool(left & right & set(among) if among else left & right)


def _comparable(a: Schema, b: Schema) -> bool:
    """Tell whether `==` has an answer for all values of both."""
    return only(a, "null") or only(b, "null") or len((kinds(a) | kinds(b)) - {"null"}) < 2


def _mixed(source: Expression, a: Schema, b: Schema, scope: Scope, help: str | None = None) -> None:
    sign = SIGNS.get(source.operation, source.operation)
    scope.report(source, "OB508", f"`{sign}` cannot take {shown(a)} and {shown(b)}", help)


def _ordered(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    if not _share(a, b, "number", "string"):
        _mixed(source, a, b, scope, "numbers and texts have an order")
    scope.doubt(source, unless=len(kinds(a) | kinds(b)) < 2)
    return source.operation, BOOLEAN


def _add(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    found: list[Schema] = []
    if may_be(a, "number") and may_be(b, "number"):
        found.append(_numeric(source, a, b, scope))
    if may_be(a, "string") and may_be(b, "string"):
        found.append(STRING)
    if may_be(a, "array") and may_be(b, "array"):
        sides = [items_of(side) for side in (a, b) if side.get("maxItems") != 0]
        found.append({"type": "array", **({"items": join_all(sides)} if sides else {"maxItems": 0})})
    if not found:
        _mixed(source, a, b, scope, "`+` adds numbers and joins texts or lists")
        return "add", NOTHING
    scope.doubt(source, unless=len(kinds(a) | kinds(b)) < 2)
    return "add", join_all(found)


def items_of(schema: Schema) -> Schema:
    """Return the type of the items of a schema's lists; one without values where there is none."""
    listed = values(schema)
    if listed is not None:
        found = [literal(item) for value in listed if isinstance(value, list) for item in value]
        return join_all(found) if found else NOTHING
    items: Schema = schema.get("items", {})
    return items


def _bounds(schema: Schema) -> tuple[int, int]:
    """Return the least and the greatest integer of a schema of integers."""
    listed = [value for value in values(schema) or () if type(value) is int]
    if listed:
        return min(listed), max(listed)
    low, _, high, _ = number_range(schema, whole=True)
    return int(low), int(high)


def _integer(source: Expression, low: int, high: int, scope: Scope) -> Schema:
    """Return the type of integers in these bounds, which may leave the canonical range."""
    if low >= LIMIT or high <= -LIMIT:
        scope.report(source, "OB508", f"`{SIGNS[source.operation]}` always leaves the range |x| < 2^53 here")
    scope.limit(source, unless=low > -LIMIT and high < LIMIT)
    kind = dict(INTEGER)
    if low > 1 - LIMIT:
        kind["minimum"] = low
    if high < LIMIT - 1:
        kind["maximum"] = high
    return kind


def _numeric(source: Expression, a: Schema, b: Schema, scope: Scope) -> Schema:
    """Return the type of a sum, a difference or a product of numbers."""
    if not (integral(a) and integral(b)):
        scope.limit(source)  # the result may be too small or too great for the canonical range
        return NUMBER
    (low, high), (least, most) = _bounds(a), _bounds(b)
    if source.operation == "add":
        return _integer(source, low + least, high + most, scope)
    if source.operation == "sub":
        return _integer(source, low - most, high - least, scope)
    corners = [one * other for one in (low, high) for other in (least, most)]
    return _integer(source, min(corners), max(corners), scope)


def _arithmetic(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    if not (may_be(a, "number") and may_be(b, "number")):
        _mixed(source, a, b, scope, f"`{SIGNS[source.operation]}` needs numbers")
        return source.operation, NOTHING
    scope.doubt(source, unless=only(a, "number") and only(b, "number"))
    return source.operation, _numeric(source, a, b, scope)


def _divided(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    sign = SIGNS[source.operation]
    remainder = source.operation == "mod"
    if not (may_be(a, "number") and may_be(b, "number")):
        _mixed(source, a, b, scope, f"`{sign}` needs numbers")
        return source.operation, NOTHING
    if remainder and not ("integer" in types_of(a) and "integer" in types_of(b)):
        _mixed(source, a, b, scope, "`%` needs integers")
        return source.operation, NOTHING
    if values(b) == [0]:
        scope.report(source, "OB508", f"`{sign}` by zero never has a result", "divide by something else")
    whole = integral(a) and integral(b)
    scope.doubt(source, unless=only(a, "number") and only(b, "number") and (whole or not remainder))
    if not whole:
        scope.limit(source)
        return ("mod", INTEGER) if remainder else ("quo", NUMBER)
    (low, high), (least, most) = _bounds(a), _bounds(b)
    scope.limit(source, unless=least > 0 or most < 0)
    reach = max(abs(low), abs(high))
    if remainder:
        reach = min(reach, max(abs(least), abs(most), 1) - 1)
    negative = low < 0 or (least < 0 and not remainder)
    positive = high > 0 or (least < 0 and not remainder)
    return source.operation, _integer(source, -reach if negative else 0, reach if positive else 0, scope)


def _negated(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    kind = parts[0].type
    if not may_be(kind, "number"):
        scope.report(source, "OB508", f"`-` cannot take {shown(kind)}")
        return "neg", NOTHING
    scope.doubt(source, unless=only(kind, "number"))
    if not integral(kind):
        return "neg", NUMBER
    low, high = _bounds(kind)
    return "neg", _integer(source, -high, -low, scope)


def _logical(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    for part in parts:
        truth(part, SIGNS[source.operation], scope)
    return source.operation, BOOLEAN


def truth(part: Typed, sign: str, scope: Scope) -> None:
    """Judge an operand that must be true or false."""
    if not may_be(part.type, "boolean"):
        advice = "write a condition, such as a comparison"
        scope.report(part.source, "OB508", f"`{sign}` needs true or false, not {shown(part.type)}", advice)
    scope.doubt(part.source, unless=only(part.type, "boolean"))


def _condition(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    truth(parts[0], "?", scope)
    return "if", joined([parts[1].type, parts[2].type])


def _contained(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    if not (may_be(b, "array") or may_be(b, "object")):
        advice = "`text.contains(part)` looks into a text" if may_be(b, "string") else None
        scope.report(source, "OB508", f"`in` needs a list or a record after it, not {shown(b)}", advice)
        return "in", BOOLEAN
    among_items = may_be(b, "array") and (_share(a, items_of(b)) or b.get("maxItems") == 0)
    among_fields = may_be(b, "object") and may_be(a, "string")
    if not among_items and not among_fields:
        what = f"a list whose items are {shown(items_of(b))}" if may_be(b, "array") else "the fields of a record"
        scope.report(source, "OB508", f"`in` cannot look for {shown(a)} in {what}")
    in_list = only(b, "array") and _comparable(a, items_of(b))
    scope.doubt(source, unless=in_list or (only(b, "object") and only(a, "string")))
    return "in", BOOLEAN


def _sized(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    kind = parts[0].type
    if not any(may_be(kind, name) for name in ("string", "array", "object")):
        scope.report(source, "OB508", f"`size` needs a text, a list or a record, not {shown(kind)}")
    scope.doubt(source, unless=only(kind, "string", "array", "object"))
    return "size", SIZE


def _typed(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    kind = parts[0].type
    found = {WORDS.get(item, item) for item in kinds(kind)}
    if "number" in found:
        found.add("integer")
        if integral(kind):
            found.remove("number")
    return "type", {"type": "string", "enum": sorted(found or TYPE_NAMES)}


def _worded(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    kind = parts[0].type
    whole = may_be(kind, "number") and "integer" in types_of(kind)
    if not (whole or may_be(kind, "boolean") or may_be(kind, "string")):
        advice = "a text is made of integers, booleans and texts"
        scope.report(source, "OB508", f"`string` cannot take {shown(kind)}", advice)
    known = only(kind, "boolean", "number", "string") and (integral(kind) or only(kind, "boolean", "string"))
    scope.doubt(source, unless=known)
    return "string", STRING


def _textual(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    for part in parts:
        if not may_be(part.type, "string"):
            scope.report(part.source, "OB508", f"`{source.operation}` needs texts, not {shown(part.type)}")
        scope.doubt(part.source, unless=only(part.type, "string"))
    return source.operation, BOOLEAN


def _indexed(source: Expression, parts: list[Typed], scope: Scope) -> tuple[str, Schema]:
    owner, index = parts[0].type, parts[1].type
    in_list = may_be(owner, "array") and "integer" in types_of(index) and may_be(index, "number")
    in_record = may_be(owner, "object") and may_be(index, "string")
    if not in_list and not in_record:
        scope.report(source, "OB508", f"{shown(index)} is no index into {shown(owner)}", "a list counts from 0")
        return "at", NOTHING
    listed = values(index)
    if in_record or listed is None or len(listed) != 1:
        scope.doubt(source)
        return "at", {} if in_record else items_of(owner)
    if listed[0] < 0:
        scope.report(source, "OB508", "an index counts from 0, never backwards", "`x[size(x) - 1]` is the last")
        return "at", NOTHING
    kind, presence = member(owner, listed[0])
    if presence is Presence.NEVER:
        scope.report(source, "OB310", f"the list has no item {listed[0]}", "a list counts from 0")
        return "at", NOTHING
    scope.doubt(source, unless=presence is Presence.ALWAYS)
    return "at", kind


RULES: dict[str, Rule] = {
    **dict.fromkeys(("eq", "ne"), _equal),
    **dict.fromkeys(("lt", "le", "gt", "ge"), _ordered),
    "add": _add,
    **dict.fromkeys(("sub", "mul"), _arithmetic),
    **dict.fromkeys(("div", "mod"), _divided),
    "neg": _negated,
    **dict.fromkeys(("and", "or", "not"), _logical),
    "if": _condition,
    "in": _contained,
    "size": _sized,
    "type": _typed,
    "string": _worded,
    **dict.fromkeys(("startsWith", "endsWith", "contains"), _textual),
    "at": _indexed,
}
