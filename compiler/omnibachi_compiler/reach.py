"""The form of a graph: without circles, every node reached, every node reaching an exit; and its topological order."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping

import networkx as nx

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.sealed import FAULT

from .declarations import Body, Workflow
from .links import Ending, Linked
from .sorting import sorted_topologically

MOST_SHOWN = 8  # of a cycle's nodes in the message; the path holds all of them


def check_form(
    body: Body,
    nodes: Mapping[str, Linked],
    exits: Mapping[str, Ending],
    complete: bool,
    found: list[Diagnostic],
) -> tuple[str, ...] | None:
    """Check reachability and acyclicity; return the topological order, or None where there is none."""
    edges: dict[str, list[str]] = {name: [] for name in exits}
    # A node that has the name of an exit, which is reported, is judged as a node.
    edges |= {name: list(node.targets.values()) for name, node in nodes.items()}
    end = "exit" if isinstance(body, Workflow) else "outcome"
    if complete:
        _ways_out(nodes, exits, end, found)
    order = sorted_topologically(edges)
    if len(order) < len(edges):
        _cycles(edges, nodes, found)
        return None
    start = body.start.text
    if start in edges and complete:
        reached = _reached([start], edges)
        for name, node in nodes.items():
            if name not in reached:
                message = f"no path from `{start}` reaches `{name}`"
                place, never = node.declaration.name.span, _impossible(name, nodes)
                found.append(Diagnostic("OB503", message, place, help=never and f"{never}, which cannot come"))
        for name, ending in exits.items():
            if ending.declaration is not None and name not in reached:
                message, place = f"no path reaches the {end} `{name}`", ending.declaration.name.span
                found.append(Diagnostic("OB515", message, place, severity="warning"))
    return tuple(order)


def _impossible(name: str, nodes: Mapping[str, Linked]) -> str | None:
    """Say which routes to a node are of outcomes that a loop cannot have."""
    routes = [
        f"`{route.outcome.text}` of `{source}`"
        for source, node in nodes.items()
        for route in node.declaration.routes
        if route.target.text == name and node.calls and route.outcome.text not in node.targets
    ]
    return f"only {' and '.join(routes)} would lead there" if routes else None


def _reached(names: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    """Return these names and all that ways lead to from them."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(edges.get(name, ()))
    return found


def _ways_out(nodes: Mapping[str, Linked], exits: Mapping[str, Ending], end: str, found: list[Diagnostic]) -> None:
    """Report nodes from which only a crash leads to an end."""
    back: dict[str, list[str]] = collections.defaultdict(list)
    for name, node in nodes.items():
        for outcome, target in node.targets.items():
            if outcome != FAULT:
                back[target].append(name)
    ends = _reached(exits, back)
    for name, node in nodes.items():
        if name not in ends and all(outcome in node.targets for outcome in node.outcomes):
            message = f"`{name}` can reach no {end} other than by a crash"
            found.append(Diagnostic("OB504", message, node.declaration.name.span))


def _cycles(edges: Mapping[str, Iterable[str]], nodes: Mapping[str, Linked], found: list[Diagnostic]) -> None:
    """Report one cycle of each knot of the graph."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((name, target) for name, targets in edges.items() for target in targets)
    cycles = [part for part in nx.strongly_connected_components(graph) if len(part) > 1]
    cycles += [{name} for name in nodes if graph.has_edge(name, name)]
    for part in cycles:
        first = min(part)
        steps = nx.find_cycle(graph.subgraph(part), first)
        path = [_step(nodes[before], after) for before, after in steps]
        names = [before for before, _ in steps]
        lowest = names.index(min(names))
        names, path = names[lowest:] + names[:lowest], path[lowest:] + path[:lowest]
        shown = [f"`{name}`" for name in [*names, names[0]]]
        if len(shown) > MOST_SHOWN:
            shown[MOST_SHOWN - 1 : -1] = [f"… {len(shown) - MOST_SHOWN} more …"]
        found.append(
            Diagnostic(
                "OB505",
                f"the graph has a cycle: {' -> '.join(shown)}",
                nodes[names[0]].declaration.name.span,
                help="break the cycle: a graph is acyclic",
                path=path,
            )
        )


def _step(node: Linked, target: str) -> str:
    outcome = min(outcome for outcome, to in node.targets.items() if to == target)
    return f"{node.name} {outcome}"
