"""What a picture of a workflow shows, decided before anything is drawn.

A picture stays calm and its layout stays fast by drawing less: a route to an exit that was not taken is a line beside
its node, not an edge to a box that all nodes share; a crash route that was not taken is told once, below the title;
above `MOST` nodes only the taken path and what lies one hop from it is drawn, and the rest is counted; so are the many
ways of a node that were not taken, above `FAN` of them; a long path is folded into columns, and then every route that
was not taken is a line beside its node.

Silent nodes are passed over. What a loop does is drawn behind it; its iterations are one, and how often each node was
visited is told.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from omnibachi_model.sealed import EACH, EXIT, FAULT, SILENT, SUCCESS
from omnibachi_model.ways import bodies, holders, named, onward, ways

from .story import nodes_of

MOST = 60
LONGEST_COLUMN = 24
SHARED = 3
FAN = 8
MOST_QUIET = 75


@dataclass(frozen=True, slots=True)
class Route:
    """An edge that is drawn: from a node by these outcomes to a node or an exit."""

    source: str
    outcomes: tuple[str, ...]
    target: str
    taken: bool


@dataclass(slots=True)
class Plan:
    """What is drawn: nodes and exits by name, edges, lines beside nodes, columns of a folded path, and what is not.

    `steps` numbers the nodes of the taken path from 1, `visits` says how often each was visited; `beside` holds
    (outcomes, target) for each node whose further routes are told beside it; `columns` is empty where the path is not
    folded, `first` is where the start leads.
    """

    nodes: dict[str, dict[str, Any]]
    exits: dict[str, dict[str, Any]]
    steps: dict[str, int]
    visits: Counter[str] = field(default_factory=Counter)
    routes: list[Route] = field(default_factory=list)
    beside: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    columns: list[list[str]] = field(default_factory=list)
    first: str | None = None
    left_out: int = 0
    crash: str | None = None


def plan(workflow: dict[str, Any], path: list[tuple[str, str]] | None, ending: str | None) -> Plan:
    """Decide what a picture shows; `path` is None where no run is shown, `ending` the exit that the run reached."""
    sealed = nodes_of(workflow)
    went = [(named(name), outcome) for name, outcome in path or ()]
    noisy = {name for name, _ in went}
    told = {index for index, node in enumerate(sealed) if node.get("kind") in SILENT and node.get("name") in noisy}
    everything = {
        str(node["name"]): node
        for index, node in enumerate(sealed)
        if "name" in node and (node.get("kind") not in SILENT or index in told)
    }
    nodes = {name: node for name, node in everything.items() if node.get("kind") != EXIT}
    exits = {name: node for name, node in everything.items() if node.get("kind") == EXIT}
    inside = _insides(sealed, everything, told)
    first = _first(workflow, sealed, told)
    targets = {
        name: {**inside.get(name, {}), **_targets(sealed, index, told)}
        for index, name in enumerate(str(node.get("name")) for node in sealed)
        if name in everything
    }
    order = _entered(went, sealed, everything)
    walked = [name for name in order if name in nodes]
    chosen = _chosen(nodes, targets, walked, first, path is not None)
    folded = len(walked) > LONGEST_COLUMN or (bool(walked) and len(chosen) > MOST)
    if folded:
        chosen = set(walked)
    out = Plan({name: node for name, node in nodes.items() if name in chosen}, {}, {})
    out.first = first
    out.left_out = len(nodes) - len(out.nodes)
    out.steps = {name: number for number, name in enumerate(order, 1)}
    out.visits = Counter(name for name, _ in went)
    out.crash = _crash(nodes, targets)
    if folded:
        out.columns = _columns(walked)
    last = went[-1] if went and ending is None else None
    entered = [(name, word) for name in order for word, to in inside.get(name, {}).items() if to in out.steps]
    # Of an entry that let some items in, the record tells only of those that it did not.
    doors = [str(sealed[index].get("name")) for index in sorted(told)]
    doors = [name for name in doors if any(inner.startswith(f"{name}/") for inner in nodes)]
    entered += [(name, SUCCESS) for name in doors if targets[name].get(SUCCESS) in out.steps]
    taken = {*entered, *went} - {last}
    _take(out, [step for step in dict.fromkeys([*entered, *went]) if step in taken], targets)
    if path is None:
        out.exits = _exits_of_all(exits, out.nodes, targets)
    else:
        out.exits = {name: exits[name] for name in (*order, ending) if name in exits}
    for name in out.nodes:
        _further(out, name, targets[name], taken, folded, path is None)
    if path is not None:
        _prune(out, {*walked, str(first)})
    _thin(out, {name: index for index, name in enumerate(everything)})
    return out


def _first(workflow: dict[str, Any], sealed: list[dict[str, Any]], told: set[int]) -> str | None:
    """Return the name of the first node that people see."""
    index = onward(sealed, workflow.get("start"), told)
    return str(sealed[index].get("name")) if index is not None else None


def _targets(sealed: list[dict[str, Any]], index: int, told: set[int]) -> dict[str, str]:
    return {outcome: str(sealed[to].get("name")) for outcome, to in ways(sealed, index, told).items()}


def _insides(sealed: list[dict[str, Any]], everything: dict[str, Any], told: set[int]) -> dict[str, dict[str, str]]:
    """Return the ways of each loop to what it does, by a word of ours or, of an ALL, the member's name."""
    found: dict[str, dict[str, str]] = {}
    for index, node in enumerate(sealed):
        first = [str(sealed[body].get("name")) for body in bodies(sealed, index, told)]
        kind, members = node.get("kind"), node.get("members")
        words = members if isinstance(members, list) else ["each item" if kind == EACH else "again"]
        if first and str(node.get("name")) in everything:
            found[str(node.get("name"))] = dict(zip(map(str, words), first, strict=False))
    return found


def _entered(went: list[tuple[str, str]], sealed: list[dict[str, Any]], everything: dict[str, Any]) -> list[str]:
    """Return what a path visited in the order in which it was entered: a loop, whose event comes last, before what it
    does."""
    found: dict[str, None] = {}
    at = {str(node.get("name")): index for index, node in enumerate(sealed)}
    for name, _ in went:
        if name in everything:
            found.update({str(sealed[holder].get("name")): None for holder in holders(sealed, at[name])})
            found[name] = None
    return list(found)


def _chosen(
    nodes: dict[str, Any], targets: dict[str, dict[str, str]], walked: list[str], start: str | None, ran: bool
) -> set[str]:
    """Return the nodes that are drawn: all of a small graph; else the path and one hop, or what lies near the start."""
    if len(nodes) <= MOST:
        return set(nodes)
    if ran:
        near = {target for name in walked for outcome, target in targets[name].items() if outcome != FAULT}
        return (set(walked) | near | ({start} if start else set())) & set(nodes)
    found: dict[str, None] = {}
    row = [start] if start in nodes else []
    while row and len(found) < MOST:
        found.update(dict.fromkeys(row[: MOST - len(found)]))
        following = [target for name in row for outcome, target in targets[str(name)].items() if outcome != FAULT]
        row = [name for name in dict.fromkeys(following) if name in nodes and name not in found]
    return set(found)


def _columns(walked: list[str]) -> list[list[str]]:
    """Fold a path into columns of one length so that the picture comes out about square."""
    longest = max(LONGEST_COLUMN // 2, math.ceil(math.sqrt(3 * len(walked))))
    count = math.ceil(len(walked) / longest)
    longest = math.ceil(len(walked) / count)
    return [walked[index : index + longest] for index in range(0, len(walked), longest)]


def _crash(nodes: dict[str, Any], targets: dict[str, dict[str, str]]) -> str | None:
    """Return where a crash of any node goes if that is one place, else the empty text; None without nodes."""
    places = {targets[name].get(FAULT) for name in nodes}
    if not places:
        return None
    only = places.pop()
    return only if not places and only else ""


def _take(out: Plan, steps: list[tuple[str, str]], targets: dict[str, dict[str, str]]) -> None:
    """Add the taken edges; between two columns of a folded path there is none, since connectors stand for it."""
    heads = {column[0] for column in out.columns[1:]}
    for name, outcome in steps:
        target = targets.get(name, {}).get(outcome)
        if target is not None and target not in heads:
            out.routes.append(Route(name, (outcome,), target, True))


def _exits_of_all(
    exits: dict[str, Any], nodes: dict[str, Any], targets: dict[str, dict[str, str]]
) -> dict[str, dict[str, Any]]:
    """Return the exits that are drawn as boxes where no run is shown: those that few nodes lead to."""
    sources: dict[str, set[str]] = {name: set() for name in exits}
    for name in nodes:
        for outcome, target in targets[name].items():
            if outcome != FAULT and target in sources:
                sources[target].add(name)
    return {name: exits[name] for name, found in sources.items() if 0 < len(found) <= SHARED}


def _further(
    out: Plan, name: str, targets: dict[str, str], taken: set[tuple[str, str]], folded: bool, whole: bool
) -> None:
    """Add the routes of a node that were not taken, as edges to what is drawn or as lines beside the node."""
    grouped: dict[str, list[str]] = {}
    for outcome, target in targets.items():
        if outcome != FAULT and (name, outcome) not in taken:
            grouped.setdefault(target, []).append(outcome)
    told = folded or (not whole and sum(target in out.nodes for target in grouped) > FAN)
    for target, outcomes in grouped.items():
        if not told and (target in out.nodes or (whole and target in out.exits)):
            out.routes.append(Route(name, tuple(outcomes), target, False))
        else:
            out.beside.setdefault(name, []).extend((outcome, target) for outcome in outcomes)


def _prune(out: Plan, roots: set[str]) -> None:
    """Leave out the nodes that no edge leads to from the taken path any more."""
    reached, waiting = set(roots), list(roots)
    following: dict[str, list[str]] = {}
    for route in out.routes:
        following.setdefault(route.source, []).append(route.target)
    while waiting:
        new = [target for target in following.get(waiting.pop(), ()) if target not in reached]
        reached.update(new)
        waiting += new
    gone = out.nodes.keys() - reached
    out.nodes = {name: node for name, node in out.nodes.items() if name not in gone}
    out.left_out += len(gone)
    out.routes = [route for route in out.routes if route.source not in gone]
    for name in gone:
        out.beside.pop(name, None)


def _thin(out: Plan, order: dict[str, int]) -> None:
    """Keep the shortest of the edges that were not taken where there are too many, and tell the others beside."""
    quiet = [route for route in out.routes if not route.taken]
    if len(quiet) <= MOST_QUIET:
        return
    quiet.sort(key=lambda route: (order[route.target] - order[route.source], order[route.source]))
    far = set(quiet[MOST_QUIET:])
    out.routes = [route for route in out.routes if route not in far]
    for route in quiet[MOST_QUIET:]:
        out.beside.setdefault(route.source, []).extend((outcome, route.target) for outcome in route.outcomes)
