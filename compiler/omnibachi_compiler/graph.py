"""The graph of one workflow: uses resolved, every outcome routed, acyclic, reachable, ending in exits.

Phase between the library and the data flow. A `Graph` holds names, not indices; lowering numbers its nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.nearest import nearest
from omnibachi_model.sealed import FAULT, REJECTED_EXIT, RESERVED_OUTCOMES, SUCCESS

from .declarations import Broken, Decide, Name, Node, Route, Use, Workflow
from .library import Capability, Library, SealedStore, Shape, lookup
from .links import Ending, Graph, Linked
from .narrowing import narrow_outcomes
from .phase import Phase
from .reach import check_form
from .templates import Record, parse_bindings, references

MAX_NODES = 5000
Schema = dict[str, Any]


def build_graph(address: str, workflow: Workflow, library: Library) -> Phase[Graph | None]:
    """Resolve and check one workflow; no graph comes out where its form is too broken to go on.

    A graph with unknown capabilities or targets does, so that the data flow of the rest is judged at the same time.
    """
    found: list[Diagnostic] = []
    intent = lookup(workflow.intent, workflow.domain, library.intents, "OB302", "intent", found, library.broken)
    names = _names(workflow, found)
    if len(workflow.nodes) > MAX_NODES:
        found.append(
            Diagnostic(
                "OB514", f"the graph has {len(workflow.nodes)} nodes; at most {MAX_NODES} may be", workflow.name.span
            )
        )
        return Phase(None, tuple(found))
    _targets(workflow, names, found)
    nodes = {node.name.text: _link(node, workflow, library, found) for node in workflow.nodes}
    _needless_routes(workflow, nodes, found)
    exits = dict(_endings(workflow, found))
    ends = {workflow.start.text, *([workflow.fault.text] if workflow.fault else ())}
    if names.get(workflow.start.text) != "node" or not ends <= names.keys():
        return Phase(None, tuple(found))
    complete = all(node is not None for node in nodes.values()) and all(item.code != "OB305" for item in found)
    linked = {node.name.text: nodes[node.name.text] or _opaque(node, workflow) for node in workflow.nodes}
    if not complete:
        linked = {name: _with_targets(node, names) for name, node in linked.items()}
    order = check_form(workflow, linked, exits, complete, found)
    if intent is None or order is None:
        return Phase(None, tuple(found))
    graph = Graph(workflow, address, library.intents[intent], linked, exits, order)
    return Phase(graph, tuple(found))


def _names(workflow: Workflow, found: list[Diagnostic]) -> dict[str, str]:
    """Return every name of the workflow with what it names; nodes and exits share one space."""
    names: dict[str, str] = {}
    for node in workflow.nodes:
        if node.name.text == REJECTED_EXIT:
            found.append(Diagnostic("OB314", f"`{REJECTED_EXIT}` is the reserved exit", node.name.span))
        names[node.name.text] = "node"
    for leaving in workflow.exits:
        text = leaving.name.text
        if text == REJECTED_EXIT:
            found.append(
                Diagnostic(
                    "OB314",
                    f"`{REJECTED_EXIT}` is there without being declared",
                    leaving.name.span,
                    help="remove it, or choose another name",
                )
            )
        elif text in names:
            found.append(
                Diagnostic("OB314", f"`{text}` names a node and an exit", leaving.name.span, help="rename one")
            )
        names.setdefault(text, "exit")
    names.setdefault(REJECTED_EXIT, "exit")
    return names


def _targets(workflow: Workflow, names: Mapping[str, str], found: list[Diagnostic]) -> None:
    """Report a start that is no node, and what leads to no node and no exit."""
    start = workflow.start
    if names.get(start.text) == "exit":
        message = f"`{start.text}` is an exit, and a workflow starts at a node"
        found.append(Diagnostic("OB305", message, start.span, help="name the node that comes first"))
    elif start.text not in names:
        nodes = [name for name, kind in names.items() if kind == "node"]
        message = f"there is no node called `{start.text}`"
        found.append(Diagnostic("OB305", message, start.span, help=_nearest(start.text, nodes)))
    routes = [*workflow.routes, *(route for node in workflow.nodes for route in node.routes)]
    targets = [*([workflow.fault] if workflow.fault else ()), *(route.target for route in routes)]
    # Many routes may lead to one misspelt name, and looking for the nearest of many names takes its time.
    advice = {text: _nearest(text, names) for text in {target.text for target in targets} - names.keys()}
    for target in targets:
        if target.text in advice:
            message = f"there is no node or exit called `{target.text}`"
            found.append(Diagnostic("OB305", message, target.span, help=advice[target.text]))


def _nearest(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    listed = ", ".join(f"`{name}`" for name in sorted(known)[:8])
    return f"did you mean `{near}`?" if near else f"known: {listed}"


def _link(node: Node, workflow: Workflow, library: Library, found: list[Diagnostic]) -> Linked | None:
    if isinstance(node, Broken):
        return None
    bindings = parse_bindings(node.bindings, node.name.span)
    found.extend(bindings.diagnostics)
    capability: Capability | None = None
    store: SealedStore | None = None
    event: Shape | None = None
    outcomes: Mapping[str, Schema]
    if isinstance(node, Use):
        capability = _capability(node.use, workflow.domain, library, found)
        store, event = _places(node, capability, workflow.domain, library, found)
        if capability is None:
            return None
        outcomes = narrow_outcomes(capability, store, event)
    elif isinstance(node, Decide):
        outcomes = {row.outcome.text: {} for row in node.rows}
        _reserved(node, found)
    else:
        outcomes = {SUCCESS: {}}
    targets, spans = _route(node, outcomes, workflow, found)
    return Linked(node, capability, store, event, outcomes, targets, spans, bindings.value)


def _opaque(node: Node, workflow: Workflow) -> Linked:
    """Stand in for a node that is not understood: it may give anything on the ways that it names itself.

    So the other nodes of a workflow are judged all the same; nothing is sealed of it.
    """
    ways = node.ways if isinstance(node, Broken) else node.routes
    targets = {route.outcome.text: route.target.text for route in ways}
    if workflow.fault is not None:
        targets.setdefault(FAULT, workflow.fault.text)
    outcomes: dict[str, Schema] = {outcome: {} for outcome in targets if outcome != FAULT}
    bindings = parse_bindings(node.bindings, node.name.span).value
    return Linked(node, None, None, None, outcomes, targets, {}, bindings)


def _with_targets(node: Linked, names: Mapping[str, str]) -> Linked:
    """Leave out the ways that lead to nothing: what is found on the others holds for them."""
    return replace(node, targets={outcome: to for outcome, to in node.targets.items() if to in names})


def _reserved(node: Decide, found: list[Diagnostic]) -> None:
    for row in node.rows:
        if row.outcome.text in RESERVED_OUTCOMES:
            found.append(
                Diagnostic(
                    "OB314", f"`{row.outcome.text}` is a reserved outcome", row.outcome.span, help="name another"
                )
            )


def _capability(use: Name, domain: str, library: Library, found: list[Diagnostic]) -> Capability | None:
    code, _, operation = use.text.partition(".")
    bare = split(code)[1]
    if bare.startswith(("CC_", "WF_")):
        found.append(Diagnostic("OB212", f"`use: {use.text}` is not yet built", use.span))
        return None
    if not operation and bare.startswith("CS_"):
        address = lookup(use, domain, library.side_effects, "OB301", "capability", found, library.broken)
        if address is not None:
            known = [item.name.text for item in library.side_effects[address].operations]
            listed = ", ".join(f"`{code}.{name}`" for name in known)
            found.append(
                Diagnostic("OB309", f"`{use.text}` names no operation", use.span, help=f"write one of {listed}")
            )
        return None
    if not operation:
        address = lookup(use, domain, library.transforms, "OB301", "capability", found, library.broken)
        return library.capabilities[address] if address else None
    address = lookup(Name(code, use.span), domain, library.side_effects, "OB301", "capability", found, library.broken)
    if address is None:
        return None
    capability = library.capabilities.get(f"{address}.{operation}")
    if capability is None:
        known = [item.name.text for item in library.side_effects[address].operations]
        near = nearest(operation, known)
        advice = f"did you mean `{code}.{near}`?" if near else f"it has {', '.join(f'`{name}`' for name in known)}"
        found.append(Diagnostic("OB309", f"`{address}` has no operation `{operation}`", use.span, help=advice))
    elif capability.effect == "EXTERNAL":
        found.append(Diagnostic("OB212", "EXTERNAL effects are not yet built", use.span))
        return None
    return capability


def _places(
    node: Use, capability: Capability | None, domain: str, library: Library, found: list[Diagnostic]
) -> tuple[SealedStore | None, Shape | None]:
    store = event = None
    if node.store is not None:
        address = lookup(node.store, domain, library.stores, "OB303", "store", found, library.broken)
        store = library.stores[address] if address else None
    if node.event is not None:
        address = lookup(node.event, domain, library.events, "OB304", "event", found, library.broken)
        event = library.events[address] if address else None
    if capability is None:
        return store, event
    for a, key, given, code in (("a", "store", node.store, "OB402"), ("an", "event", node.event, "OB403")):
        if key in capability.needs and given is None:
            found.append(
                Diagnostic(
                    code, f"`{capability.address}` needs {a} {key}", node.use.span, help=f"add `{key}:` to the node"
                )
            )
        if key not in capability.needs and given is not None:
            found.append(
                Diagnostic("OB404", f"`{capability.address}` takes no {key}", given.span, help=f"remove `{key}`")
            )
    if node.store and store and "store" in capability.needs and store.governed_by not in ("", capability.governor):
        found.append(
            Diagnostic(
                "OB401",
                f"`{store.address}` is governed by `{store.governed_by}`, not by `{capability.governor}`",
                node.store.span,
                help=f"use an operation of `{store.governed_by}`, or another store",
                related=[(store.span, "declared here")],
            )
        )
        store = None
    return store, event


def _route(
    node: Node, outcomes: Mapping[str, Schema], workflow: Workflow, found: list[Diagnostic]
) -> tuple[dict[str, str], dict[str, Span]]:
    own = {route.outcome.text: route for route in node.routes}
    common = {route.outcome.text: route for route in workflow.routes}
    targets: dict[str, str] = {}
    spans: dict[str, Span] = {}
    for route in node.routes:
        if route.outcome.text not in outcomes and route.outcome.text != FAULT:
            _undeclared(route, outcomes, f"`{node.name.text}` does not declare the outcome", found)
    for outcome in [*outcomes, FAULT]:
        taken = own.get(outcome) or common.get(outcome)
        if taken is not None:
            targets[outcome], spans[outcome] = taken.target.text, taken.outcome.span
        elif outcome == FAULT and workflow.fault is not None:
            targets[outcome], spans[outcome] = workflow.fault.text, workflow.fault.span
        elif outcome == FAULT:
            found.append(
                Diagnostic(
                    "OB513",
                    f"nothing says where a crash of `{node.name.text}` goes",
                    node.name.span,
                    help="give the workflow a `fault:`",
                )
            )
        else:
            found.append(
                Diagnostic(
                    "OB501",
                    f"`{node.name.text}` declares the outcome `{outcome}`, and no route takes it",
                    node.name.span,
                    help=f"add `{outcome}: <node or exit>` to its `next`",
                )
            )
    return targets, spans


def _undeclared(route: Route, outcomes: Mapping[str, Schema], message: str, found: list[Diagnostic]) -> None:
    near = nearest(route.outcome.text, outcomes)
    declared = ", ".join(f"`{name}`" for name in outcomes)
    found.append(
        Diagnostic(
            "OB502",
            f"{message} `{route.outcome.text}`",
            route.outcome.span,
            help=f"did you mean `{near}`?" if near else f"declared: {declared}",
        )
    )


def _needless_routes(workflow: Workflow, nodes: Mapping[str, Linked | None], found: list[Diagnostic]) -> None:
    """Report a common route that no node declares; silent where a node could not be resolved."""
    if any(node is None for node in nodes.values()):
        return
    declared: dict[str, Schema] = {
        outcome: {} for node in nodes.values() if node is not None for outcome in node.outcomes
    }
    declared[FAULT] = {}
    for route in workflow.routes:
        if route.outcome.text not in declared:
            _undeclared(route, declared, "no node declares the outcome", found)


def _endings(workflow: Workflow, found: list[Diagnostic]) -> list[tuple[str, Ending]]:
    fault = workflow.fault.text if workflow.fault else None
    endings: list[tuple[str, Ending]] = []
    for leaving in workflow.exits:
        result = parse_bindings(leaving.result, leaving.name.span)
        found.extend(result.diagnostics)
        reads = any(item.scope != "run" for item in references(result.value))
        ending = Ending(leaving, leaving.name.text, leaving.status.text, result.value, fault if reads else None)
        endings.append((leaving.name.text, ending))
    endings.append((REJECTED_EXIT, Ending(None, REJECTED_EXIT, "REJECTED", Record((), workflow.span), None)))
    return endings
