"""The checks of a loop: what it goes over, what its calls bind, and when it has done enough.

Its calls are judged as those of any node, by a reader that knows the item; findings and places stand as the loop's
own, the places under the names that its nested nodes are sealed with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from omnibachi_model.expressions import names as names_of
from omnibachi_model.sealed import SUCCESS

from .binding import Reader, describe, type_of
from .declarations import Each, Repeat, Use
from .fits import Fit, Presence, fits, join_all, literal, member
from .infer import check_expression
from .kinds import values
from .links import Linked
from .loader import short
from .operations import may_be, only, shown
from .tables import MISFIT, NO_RESULT

T = TypeVar("T")
Schema = dict[str, Any]
LIST: Schema = {"type": "array"}


def judge_loop(
    node: Linked, reader: Reader, judge_call: Callable[[Linked, Use, Reader], T]
) -> tuple[tuple[T, ...], list[Any] | None]:
    """Judge a loop: its calls in order, and its `until` as sealed. Diagnostics: OB415, OB518, and of expressions."""
    declaration = node.declaration
    item = None
    until = None
    if isinstance(declaration, Each):
        item = (declaration.item.text, _item(node, declaration, reader))
    calls: list[T] = []
    for call in node.calls:
        inner = Reader(reader.name, reader.facts, item=item)
        assert isinstance(call.declaration, Use)
        calls.append(judge_call(call, call.declaration, inner))
        reader.found.extend(inner.found)
        reader.places.extend(replace(place, node=nested(node, call)) for place in inner.places)
    if isinstance(declaration, Repeat):
        until = _until(declaration, node.calls[0].outcomes[SUCCESS], reader)
    reader.facts.outputs[node.name] = dict(node.outcomes)
    return tuple(calls), until


def nested(node: Linked, call: Linked) -> str:
    """Return the sealed name of a call inside a loop: `mint_all[]`, `checks/sanctions`."""
    return f"{node.name}[]" if isinstance(node.declaration, Each | Repeat) else f"{node.name}/{call.name}"


def _item(node: Linked, declaration: Each, reader: Reader) -> Schema:
    """Judge what an `each` goes over and return the type of one item."""
    assert node.items is not None
    before = len(reader.found)
    found = type_of(node.items, reader)
    verdict = fits(found, LIST)
    if verdict is Fit.DISJOINT and len(reader.found) == before:
        message = f"`each` goes over a list, and this is {describe(found)}"
        reader.report("OB415", message, declaration.items.span, help="name a field that holds a list")
    elif verdict is Fit.CHECK:
        reader.check(declaration.items.span, "what `each` goes over may be no list")
    listed = values(found) if "const" in found or "enum" in found else None
    if listed is not None:
        inside = [literal(value) for items in listed if isinstance(items, list) for value in items]
        return join_all(inside) if inside else {}
    return member({**found, "type": "array", "minItems": 1, "maxItems": 1}, 0)[0]


def _until(declaration: Repeat, gives: Schema, reader: Reader) -> list[Any]:
    """Judge when a `repeat` has done enough: a condition over the fields that SUCCESS of its body gives."""
    names = {key: member(gives, key) for key in gives.get("properties", {})}
    giver = f"`{SUCCESS}` of `{declaration.call.use.text}`"
    text = declaration.until
    phase = check_expression(text, {key: schema for key, (schema, _) in names.items()}, giver)
    reader.found.extend(phase.diagnostics)
    found = phase.value
    if found is None:
        return ["lit", True]
    if not may_be(found.type, "boolean") and not phase.diagnostics:
        message = f"`{short(text.text, 80)}` is {shown(found.type)}, not a condition"
        reader.report("OB518", message, text.span, help="`until` is true when enough is done, and else false")
    absent = [key for key in names_of(found.sealed) if names.get(key, ({}, None))[1] is Presence.OPTIONAL]
    if absent:
        reader.check(text.span, f"`{absent[0]}` may be absent")
    elif found.may_misfit or not only(found.type, "boolean"):
        reader.check(text.span, f"`{short(text.text)}` {MISFIT}")
    elif found.may_fault:
        reader.check(text.span, f"`{short(text.text)}` {NO_RESULT}")
    return found.sealed
