"""Roads: which way through a sealed graph leads to a place, and what must hold on it.

A road is a list of steps, each a node and how it is left, from the start on. Every edge of a sealed graph leads
forward, so the cheapest road is found in one pass over the nodes; whoever finds that a step cannot be taken makes it
dear and asks again. A crash (FAULT) is only ever taken at a CALL, whose answer can be forced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnibachi_model.expressions import names as names_of
from omnibachi_model.sealed import ALL, CALL, COMPUTE, DECIDE, EACH, END, FAULT, LOOPS, PASS, REPEAT, SUCCESS

from .wishes import Wish, fits, row_wins, truth

Step = tuple[int, str]  # index of a node, and how it is left; "" enters a loop
Road = list[Step]

UNTRODDEN = 1
UNUSUAL = 3  # an outcome of a capability that is not its first
CRASH = 20
BARRED = 60
TYPES = ["string", "integer", "number", "boolean", "null", "list", "record"]


class Roads:
    """The edges of a sealed workflow, without the crashes that nobody can bring about."""

    def __init__(self, workflow: Mapping[str, Any]) -> None:
        self.nodes: list[Mapping[str, Any]] = workflow["nodes"]
        self.start: int = workflow["start"]
        self.edges = [list(_edges(node)) for node in self.nodes]

    def to(self, goal: int, weights: Mapping[Step, int], start: int | None = None) -> tuple[int, Road] | None:
        """Return cost and steps of the cheapest road that arrives at a node, or None where there is none."""
        start = self.start if start is None else start
        costs: dict[int, int] = {goal: 0}
        for index in range(goal - 1, start - 1, -1):
            known = [
                costs[target] + weights.get((index, by), dear)
                for by, target, dear in self.edges[index]
                if target in costs
            ]
            if known:
                costs[index] = min(known)
        if start not in costs:
            return None
        road: Road = []
        index = start
        while index != goal:
            there = [edge for edge in self.edges[index] if edge[1] in costs]
            by, target, _ = min(there, key=lambda edge: costs[edge[1]] + weights.get((index, edge[0]), edge[2]))
            road.append((index, by))
            index = target
        return costs[start], road

    def within(self, step: Step, weights: Mapping[Step, int]) -> Road:
        """Return what must be passed inside a loop so that it is left as a step says, the entry first."""
        index, outcome = step
        loop = self.nodes[index]
        if loop["kind"] not in LOOPS or outcome in ("", "OVERFLOW", "PARTIAL", FAULT):
            return []
        if loop["kind"] == EACH and outcome == SUCCESS:
            return []  # no items will do
        road: Road = [(index, "")]
        bodies = loop["bodies"] if loop["kind"] == ALL else [loop["body"]]
        if loop["kind"] == ALL and outcome != SUCCESS:
            bodies = bodies[:1]
        for body in bodies:
            ends = [end for end in self._ends(index, body) if _leads(loop, self.nodes[end]["outcome"], outcome)]
            found = [way for end in ends if (way := self.to(end, weights, body)) is not None]
            if found:
                road += min(found)[1]
        return road

    def _ends(self, loop: int, body: int) -> Iterator[int]:
        """Yield the ENDs of a loop behind the first node of a body."""
        for index in range(body, len(self.nodes)):
            if self.nodes[index]["kind"] == END and self.nodes[index]["of"] == loop:
                yield index


def _leads(loop: Mapping[str, Any], ended: str, outcome: str) -> bool:
    """Tell whether iterations that end so lead to an outcome of their loop."""
    if loop["kind"] == REPEAT:
        return ended == (SUCCESS if outcome == "EXHAUSTED" else outcome)
    return bool((ended in loop["good"]) is (outcome == SUCCESS)) and ended != FAULT


def _edges(node: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Yield how a node can be left, where that leads, and how dear it is."""
    kind = node["kind"]
    if kind in LOOPS:
        yield from (("", body, UNTRODDEN) for body in (node["bodies"] if kind == ALL else [node["body"]]))
    usual = next(iter(node["outcomes"]), None) if kind == CALL else None
    usual = SUCCESS if kind == CALL and SUCCESS in node["outcomes"] else usual
    for outcome, target in node["next"].items():
        if outcome == FAULT:
            if kind == CALL:
                yield outcome, target, CRASH
        else:
            yield outcome, target, UNUSUAL if kind == CALL and outcome != usual else UNTRODDEN


def wish_of(nodes: Sequence[Mapping[str, Any]], step: Step, row: int | None = None) -> Wish | None:
    """Return what must hold so that a step is taken, where payload and answers decide it; `row` (from 0) must win."""
    index, by = step
    node = nodes[index]
    kind = node["kind"]
    if kind == DECIDE:
        rows = [row] if row is not None else [at for at, item in enumerate(node["rows"]) if item["outcome"] == by]
        return row_wins(index, node, rows)
    if kind == COMPUTE:
        computed = [["in", ["type", tree], ["lit", TYPES]] for tree in node["fields"].values()]
        whole = computed[0]
        for more in computed[1:]:
            whole = ["and", whole, more]
        return truth(index, whole, node["with"])
    if kind == CALL and node["check"] and by != FAULT:
        return fits(index, node["with"], node["check"])
    if kind == PASS and node["check"]:
        return fits(index, node["with"], node["check"], wanted=by == SUCCESS)
    if kind == EACH:
        return _items(index, node, by)
    if kind == REPEAT and by in (SUCCESS, "EXHAUSTED"):
        return _until(nodes, index, by == SUCCESS)
    return None


def _items(index: int, node: Mapping[str, Any], by: str) -> Wish:
    """Wish for so many items that a loop over them is left, or entered, in a certain way."""
    size = ["size", ["name", "items"]]
    if by == "OVERFLOW":
        asked = ["gt", size, ["lit", node["max"]]]
    else:
        least = {SUCCESS: 0, "PARTIAL": 2}.get(by, 1)
        asked = ["and", ["ge", size, ["lit", least]], ["le", size, ["lit", node["max"]]]]
    return truth(index, asked, {"items": node["items"]})


def _until(nodes: Sequence[Mapping[str, Any]], index: int, wanted: bool) -> Wish | None:
    """Wish that the end of a loop's iteration says `until`, or never does."""
    for node in nodes[index:]:
        if node["kind"] == END and node["of"] == index and node["outcome"] == SUCCESS:
            return truth(index, nodes[index]["until"], _members(node["output"], nodes[index]["until"]), wanted)
    return None


def _members(output: Any, until: Any) -> dict[str, Any]:
    """Return the templates behind the names that an expression reads of an output."""
    names = names_of(until)
    if output[0] == "ref":
        return {name: ["ref", output[1], [*output[2], name]] for name in names}
    return {name: output[1][name] for name in names if name in output[1]} if output[0] == "map" else {}
