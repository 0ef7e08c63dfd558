"""The graph of one body, a workflow or a contract: uses resolved, every outcome routed, acyclic, reachable, ending in
exits or outcomes.

Phase between the library and the data flow. A `Graph` holds names, not indices; lowering numbers its nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from omnibachi_model.diagnostics import Diagnostic, Fix, Span
from omnibachi_model.nearest import nearest, only_nearest
from omnibachi_model.sealed import FAULT, REJECTED_EXIT, RESERVED_EXITS, RESERVED_OUTCOMES, SUCCESS

from .declarations import (
    All,
    Body,
    Broken,
    Compute,
    Contract,
    Decide,
    Each,
    Name,
    Node,
    Repeat,
    Route,
    Use,
    Wait,
    Workflow,
)
from .fixes import removed, renamed, replaced
from .library import Library, lookup
from .links import Ending, Graph, Linked, Signature
from .loops import imaginable, link_loop
from .phase import Phase
from .reach import check_form
from .templates import Record, parse_bindings, references
from .uses import Known, link_use
from .waits import waited_outcomes

MAX_NODES = 5000
MAX_EDGES = 250_000
Schema = dict[str, Any]


def build_graph(address: str, body: Body, library: Library, signatures: Mapping[str, Signature]) -> Phase[Graph | None]:
    """Resolve and check one body; no graph comes out where its form is too broken to go on.

    A graph with unknown capabilities or targets does, so that the data flow of the rest is judged at the same time.
    `signatures` are those of the bodies that were proven before, by address.
    """
    found: list[Diagnostic] = []
    names = _names(body, found)
    intent = None
    if isinstance(body, Workflow):
        intent = lookup(body.intent, body.domain, library.intents, "OB302", "intent", found, library.broken)
    if len(body.nodes) > MAX_NODES:
        message = f"the graph has {len(body.nodes)} nodes; at most {MAX_NODES} may be"
        return Phase(None, (*found, Diagnostic("OB514", message, body.name.span)))
    _targets(body, names, found)
    known = Known(body.domain, library, signatures, {node.name.text: node for node in body.nodes})
    nodes = _links(body, known, found)
    if nodes is None:
        message = f"the graph has more than {MAX_EDGES} edges: as many outcomes are declared by what its nodes use"
        return Phase(None, (*found, Diagnostic("OB514", message, body.name.span)))
    _needless_routes(body, nodes, found)
    exits = dict(_endings(body, found))
    ends = {body.start.text, *([body.fault.text] if body.fault else ())}
    if names.get(body.start.text) != "node" or not ends <= names.keys():
        return Phase(None, tuple(found))
    complete = all(node is not None for node in nodes.values()) and all(item.code != "OB305" for item in found)
    linked = {node.name.text: nodes[node.name.text] or _opaque(node, body) for node in body.nodes}
    if not complete:
        linked = {name: _with_targets(node, dict.fromkeys(exits, "") | names) for name, node in linked.items()}
    order = check_form(body, linked, exits, complete, found)
    if order is None or (intent is None and isinstance(body, Workflow)):
        return Phase(None, tuple(found))
    shape, scope = (library.intents[intent], "payload") if intent else (None, "inputs")
    graph = Graph(body, address, shape, scope, known.inputs(body), linked, exits, order)
    return Phase(graph, tuple(found))


def _names(body: Body, found: list[Diagnostic]) -> dict[str, str]:
    """Return every name of the body with what it names; nodes and exits share one space."""
    names: dict[str, str] = {}
    if isinstance(body, Contract):
        return {node.name.text: "node" for node in body.nodes} | _outcomes(body, found)
    for node in body.nodes:
        if node.name.text in RESERVED_EXITS:
            found.append(Diagnostic("OB314", f"`{node.name.text}` is a reserved exit", node.name.span))
        names[node.name.text] = "node"
    for leaving in body.exits:
        text = leaving.name.text
        if text in RESERVED_EXITS:
            found.append(
                Diagnostic(
                    "OB314",
                    f"`{text}` is there without being declared",
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


def _outcomes(contract: Contract, found: list[Diagnostic]) -> dict[str, str]:
    for leaving in contract.exits:
        _reserved(leaving.name, found)
    return {leaving.name.text: "outcome" for leaving in contract.exits}


def _targets(body: Body, names: Mapping[str, str], found: list[Diagnostic]) -> None:
    """Report a start that is no node, and what leads to no node and no exit (of a contract: no outcome)."""
    start = body.start
    what, end = ("workflow", "exit") if isinstance(body, Workflow) else ("contract", "outcome")
    if names.get(start.text) == end:
        message = f"`{start.text}` is an {end}, and a {what} starts at a node"
        found.append(Diagnostic("OB305", message, start.span, help="name the node that comes first"))
    elif start.text not in names:
        nodes = [name for name, kind in names.items() if kind == "node"]
        message = f"there is no node called `{start.text}`"
        fix = renamed(start.span, start.text, nodes)
        found.append(Diagnostic("OB305", message, start.span, help=_nearest(start.text, nodes), fix=fix))
    routes = [*body.routes, *(route for node in body.nodes for route in node.routes)]
    targets = [*([body.fault] if body.fault else ()), *(route.target for route in routes)]
    # Many routes may lead to one misspelt name, and looking for the nearest of many names takes its time.
    unknown = {target.text for target in targets} - names.keys()
    advice = {text: _nearest(text, names) for text in unknown}
    meant = {text: only_nearest(text, names) for text in unknown}
    for target in targets:
        if target.text in advice:
            message = f"there is no node or {end} called `{target.text}`"
            fix = replaced(target.span, target.text, meant[target.text])
            found.append(Diagnostic("OB305", message, target.span, help=advice[target.text], fix=fix))


def _nearest(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    listed = ", ".join(f"`{name}`" for name in sorted(known)[:8])
    return f"did you mean `{near}`?" if near else f"known: {listed}"


def _links(body: Body, known: Known, found: list[Diagnostic]) -> dict[str, Linked | None] | None:
    """Link every node; None where the graph has more edges than may be."""
    nodes: dict[str, Linked | None] = {}
    edges = 0
    for node in body.nodes:
        linked = nodes[node.name.text] = _link(node, body, known, found)
        edges += len(linked.targets) if linked is not None else 0
        if edges > MAX_EDGES:
            return None
    return nodes


def _link(node: Node, body: Body, known: Known, found: list[Diagnostic]) -> Linked | None:
    linked: Linked | None = None
    if isinstance(node, Use):
        linked = link_use(node, known, found)
    elif isinstance(node, Decide | Compute | Wait):
        bindings = parse_bindings(node.bindings, node.name.span)
        found.extend(bindings.diagnostics)
        outcomes: dict[str, Schema] = {SUCCESS: {}}
        if isinstance(node, Decide):
            outcomes = {row.outcome.text: {} for row in node.rows}
            for row in node.rows:
                _reserved(row.outcome, found)
        elif isinstance(node, Wait):
            outcomes = waited_outcomes(node, found)
        linked = Linked(node, None, None, None, outcomes, {}, {}, bindings.value)
    elif isinstance(node, Each | Repeat | All):
        linked = link_loop(node, body, known, found)
    if linked is None:
        return None
    targets, spans = _route(node, linked.outcomes, body, found)
    return replace(linked, targets=targets, route_spans=spans)


def _crash(body: Body) -> Name | None:
    """Return where a crash goes that its node does not route: out of a contract, in a workflow to its `fault`."""
    return Name(FAULT, body.name.span) if isinstance(body, Contract) else body.fault


def _opaque(node: Node, body: Body) -> Linked:
    """Stand in for a node that is not understood: it may give anything on the ways that it names itself.

    So the other nodes of a body are judged all the same; nothing is sealed of it.
    """
    ways = node.ways if isinstance(node, Broken) else node.routes
    targets = {route.outcome.text: route.target.text for route in ways}
    crash = _crash(body)
    if crash is not None:
        targets.setdefault(FAULT, crash.text)
    outcomes: dict[str, Schema] = {outcome: {} for outcome in targets if outcome != FAULT}
    bindings = Record((), node.name.span)
    if isinstance(node, Use | Decide | Compute | Wait):
        bindings = parse_bindings(node.bindings, node.name.span).value
    return Linked(node, None, None, None, outcomes, targets, {}, bindings)


def _with_targets(node: Linked, names: Mapping[str, str]) -> Linked:
    """Leave out the ways that lead to nothing: what is found on the others holds for them."""
    return replace(node, targets={outcome: to for outcome, to in node.targets.items() if to in names})


def _reserved(outcome: Name, found: list[Diagnostic]) -> None:
    if outcome.text in RESERVED_OUTCOMES:
        found.append(Diagnostic("OB314", f"`{outcome.text}` is a reserved outcome", outcome.span, help="name another"))


def _route(
    node: Node, outcomes: Mapping[str, Schema], body: Body, found: list[Diagnostic]
) -> tuple[dict[str, str], dict[str, Span]]:
    own = {route.outcome.text: route for route in node.routes}
    common = {route.outcome.text: route for route in body.routes}
    crash, end = _crash(body), "exit" if isinstance(body, Workflow) else "outcome"
    targets: dict[str, str] = {}
    spans: dict[str, Span] = {}
    for route in node.routes:
        if route.outcome.text not in (*outcomes, *imaginable(node), FAULT):
            _undeclared(route, outcomes, f"`{node.name.text}` does not declare the outcome", found)
    for outcome in [*outcomes, FAULT]:
        taken = own.get(outcome) or common.get(outcome)
        if taken is not None:
            targets[outcome], spans[outcome] = taken.target.text, taken.outcome.span
        elif outcome == FAULT and crash is not None:
            targets[outcome] = crash.text
            if isinstance(body, Workflow):
                spans[outcome] = crash.span
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
                    help=f"add `{outcome}: <node or {end}>` to its `next`",
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
            fix=renamed(route.outcome.span, route.outcome.text, outcomes) if near else _without(route),
        )
    )


def _without(route: Route) -> Fix:
    """Return the fix that takes a needless route away."""
    a, b = route.outcome.span, route.target.span
    return removed(Span(a.file, a.line, a.column, b.end_line, b.end_column), route.outcome.text)


def _needless_routes(body: Body, nodes: Mapping[str, Linked | None], found: list[Diagnostic]) -> None:
    """Report a common route that no node declares; silent where a node could not be resolved."""
    if any(node is None for node in nodes.values()):
        return
    declared: dict[str, Schema] = {
        outcome: {}
        for node in nodes.values()
        if node is not None
        for outcome in (*node.outcomes, *imaginable(node.declaration))
    }
    declared[FAULT] = {}
    for route in body.routes:
        if route.outcome.text not in declared:
            _undeclared(route, declared, "no node declares the outcome", found)


def _endings(body: Body, found: list[Diagnostic]) -> list[tuple[str, Ending]]:
    """Return the exits or outcomes of a body, and the end that is there without being declared."""
    crash = _crash(body)
    fault = crash.text if crash else None
    endings: list[tuple[str, Ending]] = []
    for leaving in body.exits:
        result = parse_bindings(leaving.result, leaving.name.span)
        found.extend(result.diagnostics)
        reads = any(item.scope != "run" for item in references(result.value))
        ending = Ending(leaving, leaving.name.text, leaving.status.text, result.value, fault if reads else None)
        endings.append((leaving.name.text, ending))
    name, status = (REJECTED_EXIT, "REJECTED") if isinstance(body, Workflow) else (FAULT, "")
    endings.append((name, Ending(None, name, status, Record((), body.span), None)))
    return endings
