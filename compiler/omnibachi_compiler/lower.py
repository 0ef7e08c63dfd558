"""Lowering: a checked graph becomes the sealed workflow of docs/formats.md, and its origins.

Names become indices, paths become segments, routes become numbers; the runtime parses nothing. Nothing here depends on
the order or the layout of the text, so two spellings of one graph have one digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx

from omnibachi_model.diagnostics import Span
from omnibachi_model.sealed import CALL, COMPUTE, DECIDE, EXIT, FAULT, ORIGINS_FORMAT, WORKFLOW_FORMAT

from .check import Checked, CheckedNode
from .declarations import Compute, Decide, Use
from .library import Shape
from .templates import First, Items, Literal, Record, Reference, Template, references

Json = dict[str, Any]


def lower(checked: Checked) -> Json:
    """Return the sealed workflow."""
    graph = checked.graph
    names = _order(checked)
    index = {name: number for number, name in enumerate(names)}
    nodes = [
        _node(checked.nodes[name], index) if name in checked.nodes else _exit(name, checked, index) for name in names
    ]
    calls = [node.linked for node in checked.nodes.values() if node.linked.capability is not None]
    stores = {node.store.address: node.store for node in calls if node.store is not None}
    events = {node.event.address: node.event for node in calls if node.event is not None}
    capabilities = {node.capability.address: node.capability for node in calls if node.capability is not None}
    return {
        "format": WORKFLOW_FORMAT,
        "address": graph.address,
        "intent": graph.intent.address,
        "payload": graph.intent.schema,
        "run": sorted(_run_fields(checked)),
        "journal": any(capability.governor is not None for capability in capabilities.values()),
        "capabilities": sorted(capabilities),
        "stores": {address: {"keeps": store.keeps} for address, store in stores.items()},
        "events": {address: event.schema for address, event in events.items()},
        "start": index[graph.workflow.start.text],
        "nodes": nodes,
    }


def _order(checked: Checked) -> list[str]:
    """Number nodes and exits so that every edge leads forward: nodes before exits where both may come, then by name."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from([*checked.graph.nodes, *checked.graph.exits])
    for name in checked.graph.order:
        if name in checked.graph.nodes or name in checked.risky_exits:
            graph.add_edges_from((name, target) for _, target in checked.graph.edges(name))
    exits = checked.graph.exits
    return list(nx.lexicographical_topological_sort(graph, key=lambda name: (name in exits, name)))


def _run_fields(checked: Checked) -> set[str]:
    templates: list[Template] = [node.bindings for node in checked.nodes.values()]
    templates += [ending.result for ending in checked.graph.exits.values()]
    return {str(item.segments[0]) for template in templates for item in references(template) if item.scope == "run"}


def _node(node: CheckedNode, index: Mapping[str, int]) -> Json:
    linked = node.linked
    targets = {outcome: index[target] for outcome, target in linked.targets.items()}
    if isinstance(linked.declaration, Use):
        assert linked.capability is not None
        return {
            "kind": CALL,
            "name": linked.name,
            "use": linked.capability.address,
            "effect": linked.capability.effect,
            "store": linked.store.address if linked.store else None,
            "event": linked.event.address if linked.event else None,
            "with": template(node.bindings, index),
            "check": node.check,
            "outcomes": dict(linked.outcomes),
            "next": targets,
        }
    bindings = {key: template(value, index) for key, value in node.bindings.entries}
    if isinstance(linked.declaration, Decide):
        rows = [{"when": row.when, "outcome": row.outcome, "because": row.because} for row in node.rows]
        return {"kind": DECIDE, "name": linked.name, "with": bindings, "rows": rows, "next": targets}
    return {"kind": COMPUTE, "name": linked.name, "with": bindings, "fields": dict(node.fields), "next": targets}


def _exit(name: str, checked: Checked, index: Mapping[str, int]) -> Json:
    ending = checked.graph.exits[name]
    risky = name in checked.risky_exits and ending.fault is not None
    return {
        "kind": EXIT,
        "name": name,
        "status": ending.status,
        "result": template(ending.result, index),
        "next": {FAULT: index[ending.fault]} if risky and ending.fault else {},
    }


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
    assert isinstance(item, First)
    return ["first", [template(value, index) for value in item.alternatives]]


def origins(checked: Checked, sources: list[str]) -> Json:
    """Return where everything of a workflow was declared."""
    graph = checked.graph
    workflow = graph.workflow
    return {
        "format": ORIGINS_FORMAT,
        "workflow": graph.address,
        "summary": workflow.summary,
        "file": workflow.span.file,
        "span": span(workflow.name.span),
        "sources": sources,
        "gate": _gate(graph.intent),
        "nodes": {name: _node_origin(node) for name, node in checked.nodes.items()},
        "exits": {
            name: {"span": span(ending.declaration.name.span)}
            for name, ending in graph.exits.items()
            if ending.declaration is not None
        },
        "checked": [
            {
                "node": place.node,
                "file": place.span.file,
                "line": place.span.line,
                "column": place.span.column,
                "reason": place.reason,
            }
            for place in checked.places
        ],
    }


def _gate(intent: Shape) -> Json:
    place = intent.payload or intent.span
    members = {pointer: span(found) for pointer, found in intent.members.items()}
    return {"file": place.file, "span": span(place), "members": members}


def _node_origin(node: CheckedNode) -> Json:
    declaration = node.linked.declaration
    found: Json = {
        "span": span(declaration.name.span),
        "with": span(declaration.bindings.span) if declaration.bindings else None,
        "next": {outcome: span(place) for outcome, place in node.linked.route_spans.items()},
    }
    if isinstance(declaration, Decide):
        found["rows"] = [span(row.span) for row in declaration.rows]
    if isinstance(declaration, Compute):
        found["fields"] = {name.text: span(expression.span) for name, expression in declaration.fields}
    return found


def span(place: Span) -> list[int]:
    """Write a span as origins do: line, column, end line, end column."""
    return [place.line, place.column, place.end_line, place.end_column]
