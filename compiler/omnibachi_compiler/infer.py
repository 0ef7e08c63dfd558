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
- `string(x)` needs an integer, a boolean or a text. A macro goes over a list; its variable has the type of the items,
  and hides no other name. `filter` keeps that type, and what its condition tells of it; `map` gives what it makes.

What a condition has asked is known where it decides: after `type(x) == 'integer' &&` the name is an integer.

Soundness: where nothing is reported, evaluation gives a value of the inferred type or FAULT; where nothing is doubted
either, it gives a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.nearest import nearest
from omnibachi_model.values import admit

from .declarations import Name
from .expressions import MACROS, Expression, ExpressionError, Sealed, parse_expression
from .fits import Presence, literal, member, object_of
from .guards import narrowed
from .kinds import Schema, kinds, settled, values
from .loader import short
from .operations import BOOLEAN, NOTHING, RULES, Problem, Scope, Typed, items_of, joined, may_be, only, shown, truth
from .phase import Phase
from .sizes import held


@dataclass(frozen=True, slots=True)
class Inferred:
    """An expression's type, its sealed form, and what was found.

    A type without values stands for what was reported, a sealed form is of use only where nothing was. `may_fault`
    tells whether it ends in FAULT for some values of its names, `may_misfit` whether it does so because one is absent
    or of another type (and not only because of what a reckoning comes to); `otherwise` are the types of the names
    where the expression is false, as a later row of a decision sees them.
    """

    type: Schema
    sealed: Sealed
    problems: tuple[Problem, ...]
    may_fault: bool
    may_misfit: bool
    otherwise: Mapping[str, Schema]


def infer(expression: Expression, names: Mapping[str, Schema], giver: str = "`with`") -> Inferred:
    """Judge an expression over names of known types (OB306, OB310, OB508); `giver` is what gives them, for messages."""
    scope = Scope(names, giver)
    found = _infer(expression, scope)
    otherwise = narrowed(expression, names, truth=False)
    doubted = bool(scope.doubts)
    may_fault = doubted or bool(scope.limits)
    return Inferred(found.type, found.sealed, tuple(scope.problems), may_fault, doubted, otherwise)


def check_expression(text: Name, names: Mapping[str, Schema], giver: str = "`with`") -> Phase[Inferred | None]:
    """Parse and judge the expression of a declaration; its value is None where it cannot be read (OB215)."""
    parsed = parse_expression(text.text)
    if isinstance(parsed, ExpressionError):
        place = place_of(text, parsed.offset, parsed.offset + 1)
        message = f"`{short(text.text, 80)}` is no expression: {parsed.message}"
        return Phase(None, (Diagnostic(parsed.code, message, place, help=parsed.help),))
    found = infer(parsed, names, giver)
    return Phase(
        found,
        tuple(
            Diagnostic(item.code, item.message, place_of(text, item.start, item.end), help=item.help)
            for item in found.problems
        ),
    )


def check_condition(text: Name, names: Mapping[str, Schema], giver: str = "`with`") -> Phase[Inferred | None]:
    """Judge a `when`: an expression that may be true or false (OB509 besides what any expression may break)."""
    phase = check_expression(text, names, giver)
    found = phase.value
    if found is None or only(found.type, "boolean"):
        return phase
    if may_be(found.type, "boolean") or phase.diagnostics:
        return Phase(replace(found, may_fault=True, may_misfit=True), phase.diagnostics)
    message = f"`{short(text.text, 80)}` is {shown(found.type)}, not a condition"
    return Phase(found, (Diagnostic("OB509", message, text.span, help="a `when` is true or false"),))


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


def _infer(source: Expression, scope: Scope) -> Typed:
    operation, operands = source.operation, source.operands
    if operation == "lit":
        value = admit(operands[0])
        kind = literal(value)
        if isinstance(operands[0], float):
            kind["type"] = "number"  # `2.0` is a number, although the value is written 2 when sealed
        return Typed(kind, ["lit", value], source)
    if operation == "name":
        return Typed(_name(source, scope), ["name", operands[0]], source)
    if operation in MACROS:
        return _macro(source, scope)
    parts = _operands(source, scope)
    if scope.problems and not all(kinds(part.type) for part in parts):
        return Typed(NOTHING, ["lit", None], source)
    if operation == "list":
        kind = {"type": "array", "minItems": len(parts), "maxItems": len(parts)}
        if parts:
            kind["items"] = joined([part.type for part in parts])
        return Typed(kind, ["list", [part.sealed for part in parts]], source)
    if operation == "record":
        record = dict(zip(operands[0], parts, strict=True))
        kind = held(object_of({key: part.type for key, part in record.items()}))
        return Typed(kind, ["record", {key: part.sealed for key, part in record.items()}], source)
    if operation in ("get", "has"):
        kind = _field(source, parts[0].type, scope)
        return Typed(BOOLEAN if operation == "has" else kind, [operation, parts[0].sealed, operands[1]], source)
    name, kind = RULES[operation](source, parts, scope)
    return Typed(kind, [name, *(part.sealed for part in parts)], source)


def _operands(source: Expression, scope: Scope) -> list[Typed]:
    """Judge the operands, those that are reached only under a condition with what it has shown."""
    operands = [item for item in source.operands if isinstance(item, Expression)]
    if source.operation not in ("and", "or", "if"):
        return [_infer(item, scope) for item in operands]
    first = operands[0]
    yes, no = (replace(scope, names=narrowed(first, scope.names, truth=truth)) for truth in (True, False))
    scopes = {"and": (yes,), "or": (no,), "if": (yes, no)}[source.operation]
    return [_infer(first, scope), *(_infer(item, inner) for item, inner in zip(operands[1:], scopes, strict=True))]


def _macro(source: Expression, scope: Scope) -> Typed:
    """Judge a macro: its list, and what it asks or makes of each item, which its variable stands for."""
    operation, variable = source.operation, source.operands[1]
    owner = _infer(source.operands[0], scope)
    if not may_be(owner.type, "array"):
        scope.report(source, "OB508", f"`{operation}` goes over a list, not {shown(owner.type)}")
    scope.doubt(source, unless=only(owner.type, "array"))
    if variable in scope.names:
        message = f"`{operation}` calls its items `{variable}`, which is another value here"
        scope.report(source, "OB540", message, "give the variable a name that nothing else has here")
    items = settled(items_of(owner.type))
    inner = replace(scope, names={**scope.names, variable: items if kinds(items) else {}})
    body = _infer(source.operands[2], inner)
    if operation != "map":
        truth(body, operation, scope)
    if operation not in ("filter", "map"):
        return Typed(BOOLEAN, [operation, owner.sealed, variable, body.sealed], source)
    listed = [len(value) for value in values(owner.type) or () if isinstance(value, list)]
    most = max(listed, default=owner.type.get("maxItems"))
    kind: Schema = {"type": "array"} if most is None else {"type": "array", "maxItems": most}
    if most != 0:  # of a list that is always empty, nothing is known of the items
        told = narrowed(source.operands[2], inner.names, truth=True)[variable]
        kind["items"] = body.type if operation == "map" else told
    if operation == "map" and (least := min(listed, default=owner.type.get("minItems", 0))):
        kind["minItems"] = least
    return Typed(held(kind), [operation, owner.sealed, variable, body.sealed], source)


def _name(source: Expression, scope: Scope) -> Schema:
    name = source.operands[0]
    if name in scope.names:
        return scope.names[name]
    near = nearest(name, scope.names)
    known = ", ".join(f"`{item}`" for item in sorted(scope.names)[:8])
    bound = f"{scope.giver} gives {known}" if known else "bind it in `with`" if scope.giver == "`with`" else None
    scope.report(source, "OB306", f"{scope.giver} gives no `{name}`", f"did you mean `{near}`?" if near else bound)
    return NOTHING


def _field(source: Expression, owner: Schema, scope: Scope) -> Schema:
    """Judge `.f` or `has(… .f)` and return the type of the field."""
    name = source.operands[1]
    if not may_be(owner, "object"):
        scope.report(source, "OB508", f"{shown(owner)} has no fields, and `{name}` is read from it")
        return NOTHING
    kind, presence = member(owner, name)
    if presence is Presence.NEVER:
        known = sorted(owner.get("properties", {}))
        near = nearest(name, known)
        advice = f"did you mean `{near}`?" if near else f"there is {', '.join(f'`{item}`' for item in known[:8])}"
        scope.report(source, "OB310", f"there is no field `{name}`", advice if known else "the record has no fields")
        return NOTHING
    there = only(owner, "object") and (source.operation == "has" or presence is Presence.ALWAYS)
    scope.doubt(source, unless=there)
    return kind
