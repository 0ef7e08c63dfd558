"""Inference: the type of an expression, what is wrong with it, and its sealed form.

Types are schemas; an expression distinguishes the kinds `boolean`, `integer`, `number`, `string`, `null`, `list` and
`record` of their values. What is known to be wrong for every value is reported; what is right for some values only is
left to the run, where it is FAULT and never true or false:

- `== !=` compare two values of one kind (integers and numbers are one) or anything that may be null with null;
  `< <= > >=` compare numbers or texts.
- `+` adds numbers, or joins texts or lists; `- *` need numbers; `%` needs integers. Integer with integer gives
  integer, any other mixture number.
- `/` of two integers truncates toward zero and is sealed as `div`; any other division is sealed as `quo`, which
  divides as numbers do. So whether a run-time value happens to be a whole number never changes what `/` means.
- `&& || !` and the condition of `?:` need booleans; `in` needs a list, or a text and a record.
- `.f` and `[i]` need a record or a list that may have that member; one that may be absent is FAULT when it is.

Soundness: where nothing is reported, evaluation gives a value of the inferred type or FAULT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from omnibachi_model.checks import types_of
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.nearest import nearest
from omnibachi_model.values import admit

from .declarations import Name
from .expressions import Expression, ExpressionError, Sealed, parse_expression
from .fits import Presence, join, join_all, literal, member
from .kinds import Schema, integral, kinds, values
from .phase import Phase

BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
STRING: Schema = {"type": "string"}
SIZE: Schema = {"type": "integer", "minimum": 0}

WORDS = {"array": "list", "object": "record"}
TYPE_NAMES = ("boolean", "integer", "list", "null", "number", "record", "string")
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"}


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding: the stretch of the expression's text, code, message and help."""

    start: int
    end: int
    code: str
    message: str
    help: str | None


@dataclass(frozen=True, slots=True)
class Inferred:
    """An expression's type, its sealed form, and what was found."""

    type: Schema
    sealed: Sealed
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Typed:
    """One node while it is judged."""

    type: Schema
    sealed: Sealed
    source: Expression


@dataclass(frozen=True, slots=True)
class _Scope:
    """The types of the names, and the findings so far."""

    names: Mapping[str, Schema]
    problems: list[Problem] = field(default_factory=list)

    def report(self, at: Expression, code: str, message: str, help: str | None = None) -> None:
        """Add a finding."""
        self.problems.append(Problem(at.start, at.end, code, message, help))


def infer(expression: Expression, names: Mapping[str, Schema]) -> Inferred:
    """Judge an expression over names of known types (OB306, OB310, OB508)."""
    scope = _Scope(names)
    typed = _infer(expression, scope)
    return Inferred(typed.type, typed.sealed, tuple(scope.problems))


def check_expression(text: Name, names: Mapping[str, Schema]) -> Phase[Inferred | None]:
    """Parse and judge the expression of a declaration; its value is None where it cannot be read (OB215)."""
    parsed = parse_expression(text.text)
    if isinstance(parsed, ExpressionError):
        place = place_of(text, parsed.offset, parsed.offset + 1)
        message = f"`{_short(text.text)}` is no expression: {parsed.message}"
        return Phase(None, (Diagnostic("OB215", message, place, help=parsed.help),))
    found = infer(parsed, names)
    return Phase(
        found,
        tuple(
            Diagnostic(item.code, item.message, place_of(text, item.start, item.end), help=item.help)
            for item in found.problems
        ),
    )


def check_condition(text: Name, names: Mapping[str, Schema]) -> Phase[Inferred | None]:
    """Judge a `when`: an expression that may be true or false (OB509 besides what any expression may break)."""
    phase = check_expression(text, names)
    if phase.value is None or phase.diagnostics or "boolean" in kinds(phase.value.type):
        return phase
    message = f"`{_short(text.text)}` is {shown(phase.value.type)}, not a condition"
    advice = "a `when` is true or false"
    return Phase(phase.value, (*phase.diagnostics, Diagnostic("OB509", message, text.span, help=advice)))


def place_of(text: Name, start: int, end: int) -> Span:
    """Return the span of a stretch of a declaration's text, the whole span where it cannot be told.

    It can where the text stands on one line just as it is, plain or in quotes.
    """
    span = text.span
    width = span.end_column - span.column - len(text.text)
    if span.line != span.end_line or width not in (0, 2):
        return span
    first = span.column + width // 2
    return Span(span.file, span.line, first + start, span.line, first + max(end, start + 1))


def shown(schema: Schema) -> str:
    """Say a type in one or a few words."""
    found = kinds(schema)
    if len(found) > 2:
        return "of open type"
    words = [("integer" if integral(schema) else kind) if kind == "number" else WORDS.get(kind, kind) for kind in found]
    return " or ".join(
        f"{'an' if word[0] in 'aeiou' else 'a'} {word}" if word != "null" else word for word in sorted(words)
    )


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _infer(source: Expression, scope: _Scope) -> _Typed:
    operation, operands = source.operation, source.operands
    if operation == "lit":
        value = admit(operands[0])
        kind = literal(value)
        if isinstance(operands[0], float):
            kind["type"] = "number"  # `2.0` is a number, although the value is written 2 when sealed
        return _Typed(kind, ["lit", value], source)
    if operation == "name":
        return _Typed(_name(source, scope), ["name", operands[0]], source)
    parts = [_infer(item, scope) for item in operands if isinstance(item, Expression)]
    if operation == "list":
        kind = {"type": "array", "minItems": len(parts), "maxItems": len(parts)}
        if parts:
            kind["items"] = _joined([part.type for part in parts])
        return _Typed(kind, ["list", [part.sealed for part in parts]], source)
    if operation in ("get", "has"):
        kind = _field(source, parts[0].type, scope)
        return _Typed(BOOLEAN if operation == "has" else kind, [operation, parts[0].sealed, operands[1]], source)
    name, kind = _RULES[operation](source, parts, scope)
    return _Typed(kind, [name, *(part.sealed for part in parts)], source)


def _joined(types: list[Schema]) -> Schema:
    """Join types; whole numbers joined with numbers are numbers, also where all values happen to be whole."""
    joined = join_all(types)
    if (
        "number" in kinds(joined)
        and integral(joined)
        and not all(integral(kind) for kind in types if _is(kind, "number"))
    ):
        return {**joined, "type": "number" if joined["type"] == "integer" else ["number", "null"]}
    return joined


def _is(schema: Schema, kind: str) -> bool:
    """Tell whether values of a schema may be of a kind; a schema that allows nothing is not judged."""
    found = kinds(schema)
    return kind in found or not found


def _name(source: Expression, scope: _Scope) -> Schema:
    name = source.operands[0]
    if name in scope.names:
        return scope.names[name]
    near = nearest(name, scope.names)
    known = ", ".join(f"`{item}`" for item in sorted(scope.names)[:8])
    advice = f"did you mean `{near}`?" if near else f"`with` gives {known}" if known else "bind it in `with`"
    scope.report(source, "OB306", f"`with` gives no `{name}`", advice)
    return {}


def _field(source: Expression, owner: Schema, scope: _Scope) -> Schema:
    field_name = source.operands[1]
    if not _is(owner, "object"):
        scope.report(source, "OB508", f"{shown(owner)} has no fields, and `{field_name}` is read from it")
        return {}
    kind, presence = member(owner, field_name)
    if presence is Presence.NEVER:
        known = sorted(owner.get("properties", {}))
        near = nearest(field_name, known)
        advice = f"did you mean `{near}`?" if near else f"there is {', '.join(f'`{item}`' for item in known[:8])}"
        scope.report(source, "OB310", f"there is no field `{field_name}`", advice if known else "it has no fields")
    return kind


_Rule: TypeAlias = Callable[[Expression, list[_Typed], _Scope], tuple[str, Schema]]


def _equal(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    if not _share(a, b):
        _mixed(source, a, b, scope, "a type is asked for with `type(x)`")
    return source.operation, BOOLEAN


def _share(a: Schema, b: Schema, among: frozenset[str] | None = None) -> bool:
    """Tell whether values of both may be of one kind (among these)."""
    left, right = kinds(a), kinds(b)
    if not left or not right:
        return True
    return bool(left & right if among is None else left & right & among)


def _mixed(source: Expression, a: Schema, b: Schema, scope: _Scope, help: str | None = None) -> None:
    sign = COMPARISONS.get(source.operation) or ARITHMETIC.get(source.operation) or source.operation
    scope.report(source, "OB508", f"`{sign}` cannot take {shown(a)} and {shown(b)}", help)


def _ordered(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    if not _share(a, b, frozenset({"number", "string"})):
        _mixed(source, a, b, scope, "numbers and texts have an order")
    return source.operation, BOOLEAN


def _add(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    found: list[Schema] = []
    if _is(a, "number") and _is(b, "number"):
        found.append(INTEGER if integral(a) and integral(b) else NUMBER)
    if _is(a, "string") and _is(b, "string"):
        found.append(STRING)
    if _is(a, "array") and _is(b, "array"):
        found.append({"type": "array", "items": join(_items(a), _items(b))})
    if not found:
        _mixed(source, a, b, scope, "`+` adds numbers and joins texts or lists")
        return "add", {}
    return "add", join_all(found)


def _items(schema: Schema) -> Schema:
    listed = values(schema)
    if listed is not None:
        found = [literal(item) for value in listed if isinstance(value, list) for item in value]
        return join_all(found) if found else {"enum": []}
    items: Schema = schema.get("items", {})
    return items


def _arithmetic(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    operation = source.operation
    if not (_is(a, "number") and _is(b, "number")):
        _mixed(source, a, b, scope, f"`{ARITHMETIC[operation]}` needs numbers")
        return operation, NUMBER
    if operation in ("div", "mod") and values(b) == [0]:
        scope.report(source, "OB508", f"`{ARITHMETIC[operation]}` by zero never has a result")
    whole = integral(a) and integral(b)
    if operation == "mod":
        if not ("integer" in types_of(a) and "integer" in types_of(b)):
            _mixed(source, a, b, scope, "`%` needs integers")
        return operation, INTEGER
    if operation == "div" and not whole:
        operation = "quo"
    return operation, INTEGER if whole else NUMBER


def _negated(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    kind = parts[0].type
    if not _is(kind, "number"):
        scope.report(source, "OB508", f"`-` cannot take {shown(kind)}")
    return "neg", INTEGER if integral(kind) else NUMBER


def _logical(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    sign = {"and": "&&", "or": "||", "not": "!"}[source.operation]
    for part in parts:
        if not _is(part.type, "boolean"):
            scope.report(part.source, "OB508", f"`{sign}` needs true or false, not {shown(part.type)}")
    return source.operation, BOOLEAN


def _condition(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    if not _is(parts[0].type, "boolean"):
        scope.report(parts[0].source, "OB508", f"`?` needs true or false before it, not {shown(parts[0].type)}")
    return "if", _joined([parts[1].type, parts[2].type])


def _contained(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    a, b = parts[0].type, parts[1].type
    if not (_is(b, "array") or _is(b, "object")):
        scope.report(source, "OB508", f"`in` needs a list or a record after it, not {shown(b)}")
        return "in", BOOLEAN
    among_items = _is(b, "array") and (_share(a, _items(b)) or b.get("maxItems") == 0)
    among_fields = _is(b, "object") and _is(a, "string")
    if not among_items and not among_fields:
        what = f"a list of {shown(_items(b))}s" if _is(b, "array") else "the fields of a record"
        scope.report(
            source, "OB508", f"{shown(a)} is never in {what}".replace(" of a ", " of ").replace(" of an ", " of ")
        )
    return "in", BOOLEAN


def _sized(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    kind = parts[0].type
    if not any(_is(kind, name) for name in ("string", "array", "object")):
        scope.report(source, "OB508", f"`size` needs a text, a list or a record, not {shown(kind)}")
    return "size", SIZE


def _typed(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    kind = parts[0].type
    found = {WORDS.get(item, item) for item in kinds(kind)}
    if "number" in found:
        found.add("integer")
        if integral(kind):
            found.remove("number")
    return "type", {"type": "string", "enum": sorted(found or TYPE_NAMES)}


def _textual(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    for part in parts:
        if not _is(part.type, "string"):
            scope.report(part.source, "OB508", f"`{source.operation}` needs texts, not {shown(part.type)}")
    return source.operation, BOOLEAN


def _indexed(source: Expression, parts: list[_Typed], scope: _Scope) -> tuple[str, Schema]:
    owner, index = parts[0].type, parts[1].type
    in_list = _is(owner, "array") and "integer" in types_of(index) and _is(index, "number")
    in_record = _is(owner, "object") and _is(index, "string")
    if not in_list and not in_record:
        scope.report(source, "OB508", f"{shown(index)} is no index into {shown(owner)}", "a list counts from 0")
        return "at", {}
    if in_record:
        return "at", {}
    listed = values(index)
    if listed is None or len(listed) != 1:
        return "at", _items(owner)
    if listed[0] < 0:
        scope.report(source, "OB508", "an index counts from 0, never backwards")
        return "at", {}
    kind, presence = member(owner, listed[0])
    if presence is Presence.NEVER:
        scope.report(source, "OB310", f"the list has no item {listed[0]}")
    return "at", kind


_RULES: dict[str, _Rule] = {
    "eq": _equal,
    "ne": _equal,
    **dict.fromkeys(("lt", "le", "gt", "ge"), _ordered),
    "add": _add,
    **dict.fromkeys(("sub", "mul", "div", "mod"), _arithmetic),
    "neg": _negated,
    **dict.fromkeys(("and", "or", "not"), _logical),
    "if": _condition,
    "in": _contained,
    "size": _sized,
    "type": _typed,
    **dict.fromkeys(("startsWith", "endsWith", "contains"), _textual),
    "at": _indexed,
}
