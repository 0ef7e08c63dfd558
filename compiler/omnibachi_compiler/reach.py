"""The form of a graph: without circles, every node reached, every node reaching an exit; and its topological order."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.sealed import FAULT

from .declarations import Body, Workflow
from .links import Ending, Linked

MOST_SHOWN = 8  # of a cycle's nodes in the message; the path holds all of them


def check_form(
    body: Body,
    nodes: Mapping[str, Linked],
    exits: Mapping[str, Ending],
    complete: bool,
    found: list[Diagnostic],
) -> tuple[str, ...] | None:
    """Check reachability and acyclicity; return the topological order, or None where there is none."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from([*nodes, *exits])
    for name, node in nodes.items():
        graph.add_edges_from((name, target) for target in node.targets.values())
    if complete:
        _ways_out(nodes, exits, "exit" if isinstance(body, Workflow) else "outcome", found)
    if not _acyclic(graph, nodes, found):
        return None
    start = body.start.text
    if start in graph and complete:
        end = "exit" if isinstance(body, Workflow) else "outcome"
        reached = {start, *nx.descendants(graph, start)}
        for name, node in nodes.items():
            if name not in reached:
                found.append(
                    Diagnostic("OB503", f"no path from `{start}` reaches `{name}`", node.declaration.name.span)
                )
        for name, ending in exits.items():
            if ending.declaration is not None and name not in reached:
                found.append(
                    Diagnostic(
                        "OB515", f"no path reaches the {end} `{name}`", ending.declaration.name.span, severity="warning"
                    )
                )
    return tuple(nx.lexicographical_topological_sort(graph))


def _ways_out(nodes: Mapping[str, Linked], exits: Mapping[str, Ending], end: str, found: list[Diagnostic]) -> None:
    """Report nodes from which only a crash leads to an end."""
    calm: nx.DiGraph[str] = nx.DiGraph()
    calm.add_nodes_from([*nodes, *exits])
    for name, node in nodes.items():
        calm.add_edges_from((name, target) for outcome, target in node.targets.items() if outcome != FAULT)
    ends = set(exits)
    for name in exits:
        ends |= nx.ancestors(calm, name)
    for name, node in nodes.items():
        if name not in ends and all(outcome in node.targets for outcome in node.outcomes):
            found.append(
                Diagnostic("OB504", f"`{name}` can reach no {end} other than by a crash", node.declaration.name.span)
            )


def _acyclic(graph: nx.DiGraph[str], nodes: Mapping[str, Linked], found: list[Diagnostic]) -> bool:
    cycles = [part for part in nx.strongly_connected_components(graph) if len(part) > 1]
    cycles += [{name} for name in nodes if graph.has_edge(name, name)]
    for part in cycles:
        first = min(part)
        edges = nx.find_cycle(graph.subgraph(part), first)
        path = [_step(nodes[before], after) for before, after in edges]
        names = [before for before, _ in edges]
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
    return not cycles


def _step(node: Linked, target: str) -> str:
    outcome = min(outcome for outcome, to in node.targets.items() if to == target)
    return f"{node.name} {outcome}"
