"""Lowering: the flat form of a workflow becomes the sealed workflow of docs/formats.md, and its origins.

Names become indices, paths become segments, routes become numbers; the runtime parses nothing. Nothing here depends on
the order or the layout of the text, so two spellings of one graph have one digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from omnibachi_model.sealed import (
    ALL,
    COMPUTE,
    DECIDE,
    EACH,
    EXIT,
    ORIGINS_FORMAT,
    REPEAT,
    WAIT,
    WORKFLOW_FORMAT,
)

from .calling import written_span
from .check import Checked
from .declarations import Limits, Workflow
from .flat import Flat, Step, calls
from .library import Shape
from .templates import First, Items, Literal, Merge, Perhaps, Record, Reference, Secret, Template, references

Json = dict[str, Any]


def lower(checked: Checked, flat: Flat, secret: Mapping[str, Json]) -> Json:
    """Return the sealed workflow; `secret` is what `taint` proved of its steps, by name."""
    steps = flat.steps
    index = {step.name: number for number, step in enumerate(steps)}
    parts = list(calls(flat.steps))
    stores = {part.store.address: part.store for part in parts if part.store is not None}
    events = {part.event.address: part.event for part in parts if part.event is not None}
    capabilities = {part.capability.address: part.capability for part in parts}
    intent = checked.graph.intent
    assert intent is not None
    return {
        "format": WORKFLOW_FORMAT,
        "address": flat.address,
        "intent": intent.address,
        "payload": intent.schema,
        "run": sorted(_run_fields(steps)),
        "journal": any(capability.governor is not None for capability in capabilities.values())
        or any(step.kind == WAIT for step in steps),
        "capabilities": sorted(capabilities),
        "stores": {address: {"keeps": store.keeps, **store.rules} for address, store in stores.items()},
        "events": {address: event.schema for address, event in events.items()},
        "start": index[flat.start],
        "nodes": [_node(step, index, secret) for step in steps],
    }


def _run_fields(steps: Iterable[Step]) -> set[str]:
    return {
        str(item.segments[0])
        for step in steps
        for template in step.templates.values()
        for item in references(template)
        if item.scope == "run"
    }


def _node(step: Step, index: Mapping[str, int], secret: Mapping[str, Json]) -> Json:
    """Return the sealed node of a step."""
    node: Json = {**step.sealed, "name": step.name}
    if step.name in secret:
        node["secret"] = secret[step.name]
    for member, value in step.templates.items():
        node[member] = template(value, index)
    if step.kind in (DECIDE, COMPUTE):
        node["with"] = node["with"][1]
    if step.kind in (EACH, REPEAT):
        node["body"] = index[step.bodies[0]]
    elif step.kind == ALL:
        node["bodies"] = [index[name] for name in step.bodies]
    if step.of is not None:
        node["of"] = index[step.of]
    node["next"] = {outcome: index[target] for outcome, target in step.targets.items()}
    return node


def template(item: Template, index: Mapping[str, int]) -> list[Any]:
    """Lower a template: literals stay, references become a scope and segments."""
    if isinstance(item, Literal):
        return ["lit", item.value]
    if isinstance(item, Reference):
        scope: int | str = index[item.node] if item.node is not None else item.scope
        return ["ref", scope, list(item.segments)]
    if isinstance(item, Record):
        return ["map", {key: template(value, index) for key, value in item.entries}]
    if isinstance(item, Items):
        return ["list", [template(value, index) for value in item.items]]
    if isinstance(item, Perhaps):
        return ["optional", template(item.value, index)]
    if isinstance(item, Merge):
        return ["merge", [template(value, index) for value in item.records]]
    if isinstance(item, Secret):
        return ["secret", item.name]
    assert isinstance(item, First)
    return ["first", [template(value, index) for value in item.alternatives]]


def origins(checked: Checked, flat: Flat) -> Json:
    """Return where everything of a workflow was declared."""
    graph = checked.graph
    assert graph.intent is not None
    return {
        "format": ORIGINS_FORMAT,
        "workflow": graph.address,
        "summary": graph.body.summary,
        "file": graph.body.span.file,
        "span": written_span(graph.body.name.span),
        "sources": sorted(flat.files),
        "gate": _gate(graph.intent),
        "limits": _limits(graph.body.limits) if isinstance(graph.body, Workflow) else None,
        "nodes": {step.name: _origin(step) for step in flat.steps if step.kind != EXIT},
        "exits": {
            name: {"span": written_span(ending.declaration.name.span)}
            for name, ending in graph.exits.items()
            if ending.declaration is not None
        },
        "checked": [
            {
                "node": note.name,
                "file": note.span.file,
                "line": note.span.line,
                "column": note.span.column,
                "reason": note.reason,
            }
            for note in flat.notes
        ],
    }


def _gate(intent: Shape) -> Json:
    place = intent.payload or intent.span
    members = {pointer: written_span(found) for pointer, found in intent.members.items()}
    return {"file": place.file, "span": written_span(place), "members": members}


def _limits(limits: Limits | None) -> Json | None:
    """Return what a workflow promises at most: it is kept, or nothing would be sealed."""
    if limits is None:
        return None
    return {"visits": limits.visits, "effects": {name.text: most for name, most in limits.effects}}


def _origin(step: Step) -> Json:
    """Return where a step stands; of one that came through uses also in which file, and through which."""
    found: Json = dict(step.origin.place)
    if step.origin.via:
        found["file"] = step.origin.span.file
        found["via"] = [
            {"node": way.node, "use": way.use, "file": way.span.file, "span": written_span(way.span)}
            for way in step.origin.via
        ]
    return found
