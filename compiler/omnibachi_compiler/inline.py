"""Inlining: a proven body becomes one flat list of steps, with everything that it uses laid in.

A use becomes an entry PASS (the inputs, in a slot of their own), the steps of what is used under the name of the
calling node, and one leaving PASS for each outcome, whose slot holds what that outcome gives. So what was proven once
in the used body's own file holds wherever it is laid in: nothing of it is judged again. The form is that of `flat`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.sealed import CALL, COMPUTE, DECIDE, EXIT, FAULT, PASS, REJECTED_EXIT, SUCCESS

from .calling import Calling, origin_of, written_span
from .check import Checked, CheckedNode
from .declarations import Compute, Decide, Use, Wait
from .facts import walk
from .fits import Presence
from .flat import OWN, Flat, Note, Origin, Parts, Step, Via, ordered, rewritten
from .flat_loops import loop_steps
from .graph import MAX_NODES
from .leaving import sealed_leaving
from .library import Library
from .links import Ending
from .phase import Phase
from .retries import sealed
from .templates import First, Reference, Template
from .waits import sealed_wait

Json = dict[str, Any]
MAX_STEPS = 100_000  # silent ones too: an outcome that nobody sees takes its room all the same
MAX_DEPTH = 16  # of uses: each level makes the names longer


def flatten(checked: Checked, flats: Mapping[str, Flat], library: Library) -> Phase[Flat | None]:
    """Lay everything that a proven body uses into it; nothing comes out of one that grows too large or too deep
    (OB514, OB516).

    `flats` are the flat forms of the bodies that it uses, by address.
    """
    graph = checked.graph
    size = sum(size_of(node, flats) for node in checked.nodes.values())
    used = [flats[call.linked.body.address] for call in _calls(checked) if call.linked.body is not None]
    depth = max((inner.depth + 1 for inner in used), default=0)
    too_much = _too_much(size, sum(len(inner.steps) for inner in used), depth)
    if too_much is not None:
        return Phase(None, (Diagnostic(*too_much, graph.body.name.span),))
    slots = {name: node.linked.outcomes for name, node in checked.nodes.items() if node.linked.body is not None}

    def resolved(template: Template) -> Template:
        return rewritten(template, lambda reference: _slot(reference, slots)) if slots else template

    steps: list[Step] = []
    notes = [Note(place.node, place.span, place.reason) for place in checked.places]
    files = {graph.body.span.file, *([graph.intent.span.file] if graph.intent else ())}

    def laid(calling: Calling, bindings: Template) -> Iterable[Step]:
        linked = calling.node.linked
        if linked.body is None:
            files.update(_files(calling.node, library))
            return [_own(calling, bindings)]
        inner = flats[linked.body.address]
        notes.extend(noted(inner, calling))
        files.update(inner.files)
        return inlined(inner, calling, bindings)

    for name, node in checked.nodes.items():
        if node.calls:
            steps.extend(loop_steps(node, resolved, laid))
        else:
            steps.extend(laid(Calling(name, node, node.linked.targets, origin_of(node)), resolved(node.bindings)))
    for ending in graph.exits.values():
        if ending.name != FAULT:
            steps.append(_end(ending, checked, resolved))
    start, found = graph.body.start.text, ordered(steps)
    return Phase(Flat(graph.address, start, found, tuple(notes), frozenset(files), size, depth), ())


def _calls(checked: Checked) -> Iterator[CheckedNode]:
    """Yield every node that may use a body: those of the graph, and the calls of its loops."""
    for node in checked.nodes.values():
        yield from node.calls or (node,)


def _too_much(size: int, steps: int, depth: int) -> tuple[str, str] | None:
    """Return code and message where a body is too large or too deep to be laid out."""
    if size > MAX_NODES:
        return "OB514", f"the graph has {size} nodes with those of what it uses; at most {MAX_NODES} may be"
    if steps > MAX_STEPS:
        return "OB514", f"what the graph uses has {steps} nodes, entries and outcomes too; at most {MAX_STEPS} may be"
    if depth > MAX_DEPTH:
        return "OB516", f"uses are nested {depth} deep; at most {MAX_DEPTH} levels may be"
    return None


def size_of(node: CheckedNode, flats: Mapping[str, Flat]) -> int:
    """Return how many visible nodes a node becomes."""
    body = node.linked.body
    if body is not None:
        return flats[body.address].size
    return 1 + sum(size_of(call, flats) for call in node.calls)


def _slot(reference: Reference, slots: Mapping[str, Mapping[str, Json]]) -> Template:
    """Return where what a use gives is found: in the slot of the outcome that gives it, or the first of several."""
    node = reference.node
    if node is None or node not in slots:
        return reference
    outcomes = slots[node]
    giving = [name for name, schema in outcomes.items() if walk(schema, reference.segments)[1] is not Presence.NEVER]
    found = [replace(reference, node=joined(node, name)) for name in sorted(giving or outcomes)]
    return found[0] if len(found) == 1 else First(tuple(found), reference.span)


def joined(prefix: str, name: str) -> str:
    """Return the name of an inlined step."""
    return f"{prefix}/{name}" if name != OWN else prefix


def _own(calling: Calling, bindings: Template) -> Step:
    """Return the step of a node that is a capability's call, a decision or a computation."""
    node = calling.node
    templates = {"with": bindings}
    return Step(calling.name, shape(node), templates, calling.targets, calling.origin, calling.of, parts=parts(node))


def parts(node: CheckedNode) -> Parts | None:
    """Return what a call of a capability works with."""
    linked = node.linked
    return Parts(linked.capability, linked.store, linked.event) if linked.capability else None


def shape(node: CheckedNode) -> Json:
    """Return the members of a node's sealed form that need neither names nor templates."""
    linked = node.linked
    if isinstance(linked.declaration, Decide):
        rows = [{"when": row.when, "outcome": row.outcome, "because": row.because} for row in node.rows]
        return {"kind": DECIDE, "rows": rows}
    if isinstance(linked.declaration, Compute):
        return {"kind": COMPUTE, "fields": dict(node.fields)}
    if isinstance(linked.declaration, Wait):
        return sealed_wait(linked.declaration)
    assert isinstance(linked.declaration, Use) and linked.capability is not None
    return {
        "kind": CALL,
        "use": linked.capability.address,
        "effect": linked.capability.effect,
        "store": linked.store.address if linked.store else None,
        "event": linked.event.address if linked.event else None,
        "check": node.check,
        "outcomes": dict(linked.outcomes),
        **sealed(linked.declaration),
        **sealed_leaving(linked.capability, linked.hosts, linked.programs),
    }


def _end(ending: Ending, checked: Checked, resolved: Callable[[Template], Template]) -> Step:
    """Return the step of an exit or an outcome; FAULT leads on only where its result may be absent."""
    targets = {FAULT: ending.fault} if ending.name in checked.risky_exits and ending.fault else {}
    written = ending.declaration
    span = written.name.span if written else checked.graph.body.name.span
    bound = written.result.span if written and written.result else None
    place: Json = {"span": written_span(span), "with": written_span(bound) if bound else None, "next": {}}
    sealed = {"kind": EXIT, "status": ending.status}
    return Step(ending.name, sealed, {"result": resolved(ending.result)}, targets, Origin(span, place))


def inlined(flat: Flat, calling: Calling, bindings: Template) -> Iterator[Step]:
    """Yield the steps of a used body as those of the calling node: entry, what is inside, and the ways out."""
    name, node = calling.name, calling.node
    assert node.linked.body is not None
    gate = node.linked.body.gate
    targets = {SUCCESS: joined(name, flat.start), FAULT: calling.targets[FAULT]}
    if gate and node.check is not None:
        targets[REJECTED_EXIT] = joined(name, REJECTED_EXIT)
    sealed = {"kind": PASS, "gate": gate, "check": node.check}
    takes = node.linked.body.inputs
    yield Step(name, sealed, {"with": bindings}, targets, calling.origin, calling.of, takes=takes)
    ways: dict[tuple[Via, ...], tuple[Via, ...]] = {}  # few, and shared by the steps of one use
    for step in flat.steps:
        via = step.origin.via
        if via not in ways:
            ways[via] = _ways(via, calling)
        yield _laid_in(step, calling, ways[via])


def _laid_in(step: Step, calling: Calling, via: tuple[Via, ...]) -> Step:
    """Return a step of a used body under its name in the body that uses it."""
    prefix = calling.name

    def renamed(reference: Reference) -> Template:
        if reference.scope == "run":
            return reference
        node = joined(prefix, reference.node or OWN)
        return Reference("nodes", node, reference.segments, reference.text, reference.span)

    templates = {member: rewritten(template, renamed) for member, template in step.templates.items()}
    targets = {
        outcome: calling.targets[FAULT] if target == FAULT else joined(prefix, target)
        for outcome, target in step.targets.items()
    }
    sealed = step.sealed
    if step.kind == EXIT:
        sealed, templates = {"kind": PASS, "gate": False, "check": None}, {"with": templates["result"]}
        targets[SUCCESS] = calling.targets[step.name]
    return Step(
        joined(prefix, step.name),
        sealed,
        templates,
        targets,
        Origin(step.origin.span, step.origin.place, via),
        joined(prefix, step.of) if step.of is not None else calling.of,
        tuple(joined(prefix, body) for body in step.bodies),
        step.parts,
        step.takes,
    )


def _ways(via: tuple[Via, ...], calling: Calling) -> tuple[Via, ...]:
    inner = tuple(Via(joined(calling.name, way.node), way.span, way.use) for way in via)
    body = calling.node.linked.body
    return (*inner, Via(calling.name, calling.origin.span, body.address if body else ""))


def noted(flat: Flat, calling: Calling) -> Iterator[Note]:
    """Yield the places of a used body that are checked when run, as those of the calling node."""
    for note in flat.notes:
        yield Note(joined(calling.name, note.name), note.span, note.reason)


def _files(node: CheckedNode, library: Library) -> set[str]:
    """Return the files that say what a node works with."""
    linked = node.linked
    found = {part.span.file for part in (linked.capability, linked.store, linked.event) if part is not None}
    if linked.store is not None and linked.store.governed_by:
        found.add(library.side_effects[linked.store.governed_by].span.file)
    return found
