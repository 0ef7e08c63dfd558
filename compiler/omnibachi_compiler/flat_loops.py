"""Loops in the flat form: the loop's own step, the nested graph of each of its calls, and an END for each outcome.

The nested graph of an `each` or a `repeat` is named with empty brackets, `mint_all[]`, that of a member of an `all`
after it, `checks/sanctions`. An END is named after its outcome; where a body was laid in, whose way out has that name
already, with a dot behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from omnibachi_model.sealed import ALL, EACH, END, FAULT, REPEAT, SUCCESS

from .calling import Calling, origin_of
from .check import CheckedNode
from .check_loops import nested
from .declarations import All, Each, Repeat
from .flat import Step, rewritten
from .language.durations import milliseconds
from .templates import Record, Reference, Template

Json = dict[str, Any]
Lay = Callable[[Calling, Template], Iterable[Step]]


def loop_steps(node: CheckedNode, resolved: Callable[[Template], Template], lay: Lay) -> Iterator[Step]:
    """Yield the steps of a loop; `lay` gives those of one of its calls, with what that binds."""
    linked, origin = node.linked, origin_of(node)
    names = tuple(nested(linked, call.linked) for call in node.calls)
    templates = {"items": resolved(linked.items)} if linked.items is not None else {}
    yield Step(linked.name, _sealed(node), templates, linked.targets, origin, None, names)
    for name, call in zip(names, node.calls, strict=True):
        bindings = resolved(rewritten(call.bindings, lambda reference: _item(reference, linked.name)))
        ends = {outcome: _end_name(name, outcome, call) for outcome in (*call.linked.outcomes, FAULT)}
        yield from lay(Calling(name, call, ends, origin_of(call), linked.name), bindings)
        for outcome, end in ends.items():
            yield Step(end, {"kind": END, "outcome": outcome}, _output(name, outcome, call), {}, origin, linked.name)


def _sealed(node: CheckedNode) -> Json:
    """Return the members of a loop's sealed form that need neither names nor templates."""
    declaration = node.linked.declaration
    if isinstance(declaration, Each):
        return {"kind": EACH, "as": declaration.item.text, "max": declaration.most, "good": _good(declaration)}
    if isinstance(declaration, Repeat):
        every = milliseconds(declaration.every.text) if declaration.every else 0
        return {"kind": REPEAT, "max": declaration.most, "until": node.until, "every_ms": every}
    assert isinstance(declaration, All)
    return {"kind": ALL, "good": _good(declaration), "members": [call.linked.name for call in node.calls]}


def _good(declaration: Each | All) -> list[str]:
    return sorted(name.text for name in declaration.good) if declaration.good is not None else [SUCCESS]


def _item(reference: Reference, loop: str) -> Template:
    """Find the item of a round in the slot of its loop."""
    return replace(reference, scope="nodes", node=loop) if reference.scope == "each" else reference


def _end_name(name: str, outcome: str, call: CheckedNode) -> str:
    return f"{name}/{outcome}" if call.linked.body is None else f"{name}/{outcome}."


def _output(name: str, outcome: str, call: CheckedNode) -> dict[str, Template]:
    """Return what a round gives: what its call gave, or the way out of the body that was laid in; a crash nothing."""
    span = call.linked.declaration.name.span
    if outcome == FAULT:
        return {"output": Record((), span)}
    slot = name if call.linked.body is None else f"{name}/{outcome}"
    return {"output": Reference("nodes", slot, (), f"$.nodes.{slot}", span)}
