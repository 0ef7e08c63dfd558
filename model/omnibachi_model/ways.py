"""Where each outcome leads, as people see a sealed graph: silent nodes passed over, and paths of a run by their node.

A record speaks of `mint_all[3]/read` where the sealed node is called `mint_all[]/read`; a route may pass silent nodes
(`sealed.SILENT`) that leave no event. Observers ask here, so that each of them need not know it. Nothing is raised for
a workflow that was edited: a way that leads nowhere is left out.
"""

from __future__ import annotations

import re

from .sealed import ALL, END, EXIT, FAULT, LOOPS, PASS, SUCCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from typing import Any

    Nodes = Sequence[dict[str, Any]]

_INDEX = re.compile(r"\[\d+\]")


def named(path: str) -> str:
    """Return the sealed name of the node that a path of a record speaks of: indices of iterations emptied."""
    return _INDEX.sub("[]", path) if "[" in path else path


def onward(nodes: Nodes, index: Any, told: Container[int] = ()) -> int | None:
    """Follow silent nodes from an index to what people see; None where an iteration ends or nothing is there.

    Silent nodes in `told` are seen: those that left an event after all. An iteration that ends in FAULT ends its loop,
    so it leads where the loop's FAULT does.
    """
    while type(index) is int and 0 <= index < len(nodes) and index not in told:
        node = nodes[index]
        kind = node.get("kind")
        if kind == END and node.get("outcome") == FAULT and _holder(nodes, index) is not None:
            following = nodes[node["of"]].get("next", {}).get(FAULT)
        elif kind == END:
            return None
        elif kind == PASS:
            following = node.get("next", {}).get(SUCCESS)
        else:
            return index
        if type(following) is not int or following <= index:
            return None
        index = following
    return index if type(index) is int and 0 <= index < len(nodes) else None


def ways(nodes: Nodes, index: int, told: Container[int] = ()) -> dict[str, int]:
    """Return where each outcome of a node leads, by index; ways that only end an iteration are left out."""
    routes = nodes[index].get("next")
    found = {name: onward(nodes, to, told) for name, to in routes.items()} if isinstance(routes, dict) else {}
    return {name: to for name, to in found.items() if to is not None}


def completing(nodes: Nodes) -> frozenset[int]:
    """Return the nodes from which a COMPLETED exit can be reached without a crash, by index; such exits too."""
    found: set[int] = set()
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        at = nodes[_holder(nodes, index) or 0] if node.get("kind") == END else node
        routes = at.get("next")
        led = routes.items() if isinstance(routes, dict) and node.get("outcome") != FAULT else ()
        done = node.get("kind") == EXIT and node.get("status") == "COMPLETED"
        if done or any(type(to) is int and to in found for outcome, to in led if outcome != FAULT):
            found.add(index)
    return frozenset(found)


def rounds(nodes: Nodes, index: int) -> dict[str, str]:
    """Return the outcomes of a node that end an iteration, each with what that one's outcome is; FAULT left out."""
    routes = nodes[index].get("next")
    found: dict[str, str] = {}
    for outcome, target in routes.items() if isinstance(routes, dict) else ():
        to = target
        while type(to) is int and 0 <= to < len(nodes) and nodes[to].get("kind") == PASS:
            following = nodes[to].get("next", {}).get(SUCCESS)
            to = following if type(following) is int and following > to else None
        if type(to) is int and 0 <= to < len(nodes) and nodes[to].get("kind") == END and outcome != FAULT:
            found[outcome] = str(nodes[to].get("outcome"))
    return found


def bodies(nodes: Nodes, index: int, told: Container[int] = ()) -> list[int]:
    """Return the first visible nodes of what a loop does: one, or those of the members of an ALL."""
    node = nodes[index]
    if node.get("kind") not in LOOPS:
        return []
    first = node.get("bodies") if node.get("kind") == ALL else [node.get("body")]
    found = [onward(nodes, item, told) for item in first] if isinstance(first, list) else []
    return [item for item in found if item is not None]


def _holder(nodes: Nodes, index: int) -> int | None:
    found = nodes[index].get("of")
    return found if type(found) is int and 0 <= found < index else None


def holders(nodes: Nodes, index: int) -> list[int]:
    """Return the loops that hold a node, from the outermost."""
    found: list[int] = []
    inner = _holder(nodes, index)
    while inner is not None:
        found.append(inner)
        inner = _holder(nodes, inner)
    return found[::-1]
