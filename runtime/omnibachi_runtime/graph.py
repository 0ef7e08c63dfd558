"""The shape of a sealed graph: where loops begin and end, and which nodes belong to which.

All is checked that keeps a walk within bounds whatever a file says: every target lies behind its node and in the same
graph, a loop's nested graph lies right behind it, and names are such that no run gives two events the same path.
"""

from __future__ import annotations

from omnibachi_model.sealed import ALL, CALL, END, EXIT, FAULT, LOOPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Nodes = Sequence[dict[str, Any]]


class Nest:
    """The nested graph of one loop: the index behind it, and for each of its bodies the outcomes that may end it."""

    __slots__ = ("after", "outcomes")

    def __init__(self, after: int, outcomes: Sequence[Sequence[str]]) -> None:
        self.after = after
        self.outcomes = outcomes


def nests(nodes: Nodes, start: int) -> dict[int, Nest]:
    """Check the shape of a graph and return its loops by index; raises ValueError and what wrong types raise."""
    size = len(nodes)
    if type(start) is not int or not 0 <= start < size or nodes[start].get("of") is not None:
        raise ValueError(f"no start {start!r}")
    if len({node["name"] for node in nodes}) != size:
        raise ValueError("two nodes of one name")
    found = _behind(nodes)
    for index, node in enumerate(nodes):
        of = node.get("of")
        for target in node["next"].values():
            if type(target) is not int or not index < target < size:
                raise ValueError(f"no target {target!r} behind node {index}")
            if nodes[target].get("of") != of:
                raise ValueError(f"node {index} leads into another graph than its own")
        if node["kind"] == END and (of is None or node["next"] or type(node["outcome"]) is not str):
            raise ValueError(f"node {index} ends nothing")
        if node["kind"] == EXIT and of is not None:
            raise ValueError(f"node {index} is an exit inside a loop")
        _named(nodes, index, of)
    return {index: Nest(after, _outcomes(nodes, index, after)) for index, after in found.items()}


def _behind(nodes: Nodes) -> dict[int, int]:
    """Return, by index of each loop, the index behind its nested graph; the graphs lie in one another."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for index, node in enumerate(nodes):
        of = node.get("of")
        while opened and opened[-1] != of:
            found[opened.pop()] = index
        if (opened[-1] if opened else None) != of:
            raise ValueError(f"node {index} lies apart from its loop {of!r}")
        if node["kind"] in LOOPS:
            opened.append(index)
    return found


def _named(nodes: Nodes, index: int, of: int | None) -> None:
    """Check that a name has a pair of brackets for each numbered iteration around its node, and no others."""
    name, begins = nodes[index]["name"], ""
    if of is not None:
        begins = nodes[of]["name"] + ("/" if nodes[of]["kind"] == ALL else "[]")
    rest = name[len(begins) :]
    if not name.startswith(begins) or "[" in rest or "]" in rest or not name:
        raise ValueError(f"node {index} cannot be called {name!r}")


def _outcomes(nodes: Nodes, index: int, after: int) -> list[list[str]]:
    """Return the outcomes with which each body of a loop may end."""
    node = nodes[index]
    bodies = node["bodies"] if node["kind"] == ALL else [node["body"]]
    inside = [type(body) is int and index < body < after and nodes[body]["of"] == index for body in bodies]
    if not inside or not all(inside):
        raise ValueError(f"the loop {index} has no bodies {bodies!r}")
    for member, body in zip(node["members"], bodies, strict=True) if node["kind"] == ALL else ():
        found = nodes[body]
        wanted = (CALL, f"{node['name']}/{member}", "READ")
        if type(member) is not str or (found["kind"], found["name"], found.get("effect")) != wanted:
            raise ValueError(f"the member {member!r} is no call that reads")
    return [sorted(_ends(nodes, body)) for body in bodies]


def _ends(nodes: Nodes, body: int) -> set[str]:
    """Return the outcomes of all ENDs that are reached from a node, without FAULT."""
    seen: set[int] = set()
    waiting, found = [body], set()
    while waiting:
        index = waiting.pop()
        if index not in seen:
            seen.add(index)
            if nodes[index]["kind"] == END:
                found.add(nodes[index]["outcome"])
            waiting += nodes[index]["next"].values()
    return found - {FAULT}
