"""The proof that secrets stay inside: where they flow in a body, laid out flat, and that they never leave it.

Asked of the flat form, so uses and loops are walked through like any other step, in the order of their numbers. A
secret comes from the payload (of a contract: its inputs) or from a transform that says so of what it gives. What a
transform gives is secret where it says so, and where any of its inputs is, unless the field is `public`. A secret that
would reach the input of a side effect, the result of an exit, or what people are asked about is refused with its path.

What is proven is sealed: each node that a secret touches says which of its fields are withheld from the record.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.sealed import (
    ALL,
    CALL,
    COMPUTE,
    DECIDE,
    EACH,
    END,
    EXIT,
    FAULT,
    ITEM,
    LOOPS,
    PASS,
    REPEAT,
)  # fmt: skip
from omnibachi_model.secrecy import PUBLIC, holds_secret

from .flat import OWN, Flat, Step
from .links import Graph
from .shades import Shade, below, merged, names_in, of_schema, of_template, trail
from .templates import Reference, Template, references

Json = dict[str, Any]
PURE = "PURE"
_ADVICE = "give it to a transform, and go on with what that says is `public`"


@dataclass(slots=True)
class _Flow:
    """What is known while one body is walked: the shade of each slot, what rounds give, what is sealed and found."""

    slots: dict[str, Shade]
    rounds: dict[str, list[tuple[str, Shade]]] = field(default_factory=lambda: collections.defaultdict(list))
    sealed: dict[str, Json] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)

    def read(self, reference: Reference) -> Shade:
        """Return the shade of what a reference reads."""
        if reference.scope == "run":
            return None
        return below(self.slots.get(reference.node or OWN), reference.segments)

    def of(self, template: Template | None) -> Shade:
        """Return the shade of what a template builds."""
        return None if template is None else of_template(template, self.read)

    def refuse(self, code: str, step: Step, template: Template | None, where: str) -> None:
        """Report every reference of a template that reads what is secret, where nothing may be."""
        for reference in references(template) if template is not None else ():
            came = trail(self.read(reference))
            if came is not None:
                related = [(way.span, f"`{way.use}` is used here") for way in step.origin.via]
                message = f"`{came[0]}` is secret and would reach {where}"
                self.found.append(
                    Diagnostic(code, message, reference.span, help=_ADVICE, related=related, path=(*came, step.name))
                )


def prove_secrets(graph: Graph, flat: Flat) -> tuple[dict[str, Json], list[Diagnostic]]:
    """Return what is sealed of secrets, by step, and what would leave (OB532 to OB534)."""
    flow = _Flow({OWN: of_schema(graph.inputs, f"$.{graph.scope}")})
    if trail(flow.slots[OWN]) is None and not any(_may_begin(step) for step in flat.steps):
        return {}, []
    for step in _each_loop_closed(flat.steps, flow):
        _STEPS[step.kind](step, flow, graph) if step.kind in _STEPS else _other(step, flow)
    return flow.sealed, flow.found


def _may_begin(step: Step) -> bool:
    """Tell whether something secret may come from a step that was given nothing secret."""
    if step.takes is not None and holds_secret(step.takes):
        return True
    outcomes = step.sealed.get("outcomes") or {}
    pure = step.parts is not None and step.parts.capability.effect == PURE
    return pure and (any(map(holds_secret, outcomes.values())) or holds_secret(_inputs(step)))


def _inputs(step: Step) -> Json:
    return step.parts.capability.inputs if step.parts is not None else {}


def _each_loop_closed(steps: tuple[Step, ...], flow: _Flow) -> Iterator[Step]:
    """Yield the steps in order; before the first that lies behind a loop, say what the loop gives."""
    opened: list[Step] = []
    for step in steps:
        while opened and step.of != opened[-1].name:
            _leave(opened.pop(), flow)
        yield step
        if step.kind in LOOPS:
            opened.append(step)
    while opened:
        _leave(opened.pop(), flow)


def _leave(loop: Step, flow: _Flow) -> None:
    """Give a loop's slot the shade of what its rounds gave, and seal which fields of it are secret."""
    rounds = flow.rounds[loop.name]
    if loop.kind == EACH:
        shade: Shade = {"items": {ITEM: merged([given for _, given in rounds])}}
    elif loop.kind == ALL:
        shade = {
            member: merged([given for end, given in rounds if end.startswith(f"{body}/")])
            for body, member in zip(loop.bodies, loop.sealed["members"], strict=True)
        }
    else:
        shade = merged([given for _, given in rounds])
    flow.slots[loop.name] = shade
    names = names_in(shade, ())
    if names:
        outcomes = sorted(outcome for outcome in loop.targets if outcome != FAULT)
        flow.sealed.setdefault(loop.name, {})["outputs"] = dict.fromkeys(outcomes, names)


def _call(step: Step, flow: _Flow, graph: Graph) -> None:
    bound = step.templates.get("with")
    given = flow.of(bound)
    assert step.parts is not None
    if step.parts.capability.effect != PURE:
        flow.refuse("OB532", step, bound, f"the side effect `{step.parts.capability.address}`")
        return
    declared = _inputs(step).get("properties", {})
    names = names_in(given, declared)
    names = sorted({*names, *(name for name, schema in declared.items() if holds_secret(schema))})
    came = trail(given) or next(((f"`{step.name}`.{name}",) for name in names), None)
    outputs: dict[str, list[str]] = {}
    shades: list[Shade] = []
    for outcome, schema in sorted(step.sealed["outcomes"].items()):
        found: dict[str, Shade] = {}
        for name, inner in schema.get("properties", {}).items():
            if holds_secret(inner):
                found[name] = (f"$.nodes.{step.name}.{name}",)
            elif came is not None and not inner.get(PUBLIC):
                found[name] = (*came, step.name)
        shades.append(found)
        if found:
            outputs[outcome] = sorted(found)
    flow.slots[step.name] = merged(shades)
    if names or outputs:
        flow.sealed[step.name] = {"inputs": names, "outputs": outputs}


def _compute(step: Step, flow: _Flow, graph: Graph) -> None:
    given = flow.of(step.templates.get("with"))
    names = names_in(given, ())
    found: dict[str, Shade] = {}
    for name, expression in step.sealed["fields"].items():
        used = [key for key in names if key in _words(expression)]
        came = trail(given[used[0]]) if used and isinstance(given, dict) else None
        if came is not None:
            found[name] = (*came, step.name)
    flow.slots[step.name] = found
    if names:
        flow.sealed[step.name] = {"inputs": names, "fields": sorted(found)}


def _words(expression: Any) -> set[str]:
    """Return every text in a sealed expression: the names that it uses are among them."""
    if isinstance(expression, str):
        return {expression}
    parts = expression.values() if isinstance(expression, dict) else expression
    return {word for part in parts for word in _words(part)} if isinstance(expression, list | dict) else set()


def _decide(step: Step, flow: _Flow, graph: Graph) -> None:
    names = names_in(flow.of(step.templates.get("with")), ())
    if names:
        flow.sealed[step.name] = {"inputs": names}


def _pass(step: Step, flow: _Flow, graph: Graph) -> None:
    shade = flow.of(step.templates.get("with"))
    if step.takes is not None:
        shade = merged([shade, of_schema(step.takes, f"$.nodes.{step.name}")])
    flow.slots[step.name] = shade
    names = names_in(shade, (step.takes or {}).get("properties", {}))
    if names:
        flow.sealed[step.name] = {"inputs": names}


def _loop(step: Step, flow: _Flow, graph: Graph) -> None:
    items = flow.of(step.templates.get("items"))
    if step.kind == EACH:
        flow.slots[step.name] = {step.sealed["as"]: below(items, (0,))}
        if trail(items) is not None:
            flow.sealed[step.name] = {"inputs": ["items"]}


def _end(step: Step, flow: _Flow, graph: Graph) -> None:
    if step.of is not None:
        flow.rounds[step.of].append((step.name, flow.of(step.templates.get("output"))))


def _exit(step: Step, flow: _Flow, graph: Graph) -> None:
    if graph.intent is not None:
        flow.refuse("OB533", step, step.templates.get("result"), f"the result of `{step.name}`")


def _other(step: Step, flow: _Flow) -> None:
    """Let no secret into a step that asks somebody outside, whatever it asks."""
    for template in step.templates.values():
        flow.refuse("OB534", step, template, f"those whom `{step.name}` asks")


_STEPS: Mapping[str, Callable[[Step, _Flow, Graph], None]] = {
    CALL: _call, COMPUTE: _compute, DECIDE: _decide, PASS: _pass, EACH: _loop, REPEAT: _loop, ALL: _loop, END: _end,
    EXIT: _exit,
}  # fmt: skip
