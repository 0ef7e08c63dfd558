"""Small sealed graphs with loops, and every run of them, one by one: what bounds and laws are compared with.

The runs are enumerated by following the words of docs/formats.md and nothing else: an EACH with every number of items,
a REPEAT until it stops, an ALL member by member. A loop may crash before it begins (EACH) and after any iteration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st

from omnibachi_model.sealed import SILENT, sealed_name

Json = dict[str, Any]
Moment = tuple[Any, ...]  # ("start",) | ("reached", index) | ("left", index, outcome) | ("ended", index)
EFFECTS = ("PURE", "READ", "MUTABLE")
STATUSES = ("COMPLETED", "COMPLETED", "FAILED")


@dataclass(frozen=True)
class Run:
    """One run: its moments, and the steps that people see."""

    moments: tuple[Moment, ...] = ()
    steps: tuple[str, ...] = ()

    def __add__(self, other: Run) -> Run:
        return Run(self.moments + other.moments, self.steps + other.steps)


@st.composite
def graphs(draw: st.DrawFn) -> Json:
    """Draw a sealed workflow of a few nodes, with loops and loops in loops."""
    depth = draw(st.sampled_from((1, 1, 2)))
    nodes: list[Json] = []
    ends = [{"kind": "EXIT", "name": f"exit{at}", "status": draw(st.sampled_from(STATUSES))} for at in range(3)]
    _level(draw, nodes, "", [{**end, "next": {}} for end in ends], depth, None, count())
    index = {node["name"]: at for at, node in enumerate(nodes)}
    for node in nodes:
        node["next"] = {outcome: index[target] for outcome, target in node["next"].items()}
        if "of" in node:
            node["of"] = index[node["of"]]
        if "body" in node:
            node["body"] = index[node["body"]]
        if "bodies" in node:
            node["bodies"] = [index[name] for name in node["bodies"]]
    return {"address": "shop::WF_X_V0", "start": 0, "nodes": nodes}


def _level(draw: st.DrawFn, nodes: list[Json], prefix: str, ends: list[Json], depth: int, of: str | None,
           numbers: Iterator[int]) -> str:  # fmt: skip
    """Lay the nodes of one graph down, each loop followed by what is inside; return the first one's name."""
    some = draw(st.integers(1, 2))
    names = [f"{prefix}n{next(numbers)}" for _ in range(some)] + [end["name"] for end in ends]
    for at in range(some):
        kind = draw(st.sampled_from(("EACH", "CALL", "REPEAT", "ALL"))) if depth else "CALL"
        later = st.sampled_from(names[at + 1 :])
        node = {"kind": kind, "name": names[at], **({} if of is None else {"of": of})}
        outcomes = {
            "CALL": ("SUCCESS", "OTHER", "FAULT"),
            "EACH": ("SUCCESS", "PARTIAL", "FAILED", "OVERFLOW", "FAULT"),
            "REPEAT": ("SUCCESS", "EXHAUSTED", "OTHER", "FAULT"),
            "ALL": ("SUCCESS", "FAILED", "FAULT"),
        }[kind]
        if kind == "CALL":
            again = draw(st.integers(0, 2))
            node |= {"effect": draw(st.sampled_from(EFFECTS)), "retry": {"max": again} if again else None}
        node["next"] = {outcome: draw(later) for outcome in outcomes}
        nodes.append(node)
        if kind != "CALL":
            _inside(draw, nodes, node, depth - 1, numbers)
    nodes.extend({**end, **({} if of is None else {"of": of})} for end in ends)
    return names[0]


def _inside(draw: st.DrawFn, nodes: list[Json], loop: Json, depth: int, numbers: Iterator[int]) -> None:
    name = loop["name"]
    loop["good"] = draw(st.sampled_from((["SUCCESS"], ["OTHER"], ["OTHER", "SUCCESS"])))
    if loop["kind"] == "ALL":
        loop["bodies"] = [_body(draw, nodes, f"{name}/m{at}/", name, 0, numbers) for at in range(2)]
        return
    loop["max"] = draw(st.integers(1, 2 if depth else 3))
    loop["body"] = _body(draw, nodes, f"{name}[]/", name, depth, numbers)


def _body(draw: st.DrawFn, nodes: list[Json], prefix: str, of: str, depth: int, numbers: Iterator[int]) -> str:
    ends = [
        {"kind": "END", "name": f"{prefix}{outcome}", "outcome": outcome, "next": {}}
        for outcome in ("SUCCESS", "OTHER", "FAULT")
    ]
    return _level(draw, nodes, prefix, ends, depth, of, numbers)


def runs(workflow: Json) -> Iterator[Run]:
    """Yield every run of a workflow."""
    for run, _ in _from(workflow["nodes"], workflow["start"]):
        yield Run((("start",),)) + run


def _from(nodes: list[Json], index: int) -> Iterator[tuple[Run, int]]:
    """Yield every way from a node to an EXIT or an END of its graph."""
    node = nodes[index]
    if node["kind"] == "EXIT":
        yield Run((("ended", index),), (node["name"],)), index
        return
    if node["kind"] == "END":
        yield Run(), index
        return
    for inner, outcome in _ways(nodes, node):
        here = Run((("reached", index),)) + inner
        here += Run((("left", index, outcome),), (f"{node['name']} {outcome}",))
        for rest, end in _from(nodes, node["next"][outcome]):
            yield here + rest, end


def _ways(nodes: list[Json], node: Json) -> Iterator[tuple[Run, str]]:
    """Yield what may happen in a node, with the outcome that it then has."""
    if node["kind"] == "CALL":
        yield from ((Run(), outcome) for outcome in node["next"])
    elif node["kind"] == "EACH":
        yield from ((Run(), outcome) for outcome in ("SUCCESS", "OVERFLOW", "FAULT"))
        yield from _items(nodes, node, Run(), ())
    elif node["kind"] == "REPEAT":
        yield from _again(nodes, node, Run(), 1)
    else:
        yield from _members(nodes, node, Run(), ())


def _items(nodes: list[Json], loop: Json, before: Run, answered: tuple[bool, ...]) -> Iterator[tuple[Run, str]]:
    if len(answered) == loop["max"]:
        return
    for body, end in _from(nodes, loop["body"]):
        outcome, done = nodes[end]["outcome"], before + body
        if outcome == "FAULT":
            yield done, "FAULT"
            continue
        given = (*answered, outcome in loop["good"])
        yield done, "SUCCESS" if all(given) else "PARTIAL" if any(given) else "FAILED"
        yield done, "FAULT"
        yield from _items(nodes, loop, done, given)


def _again(nodes: list[Json], loop: Json, before: Run, number: int) -> Iterator[tuple[Run, str]]:
    for body, end in _from(nodes, loop["body"]):
        outcome, done = nodes[end]["outcome"], before + body
        if outcome != "SUCCESS":
            yield done, outcome
            continue
        yield done, "SUCCESS"
        yield done, "FAULT"
        if number == loop["max"]:
            yield done, "EXHAUSTED"
        else:
            yield from _again(nodes, loop, done, number + 1)


def _members(nodes: list[Json], loop: Json, before: Run, answered: tuple[bool, ...]) -> Iterator[tuple[Run, str]]:
    if len(answered) == len(loop["bodies"]):
        yield before, "SUCCESS" if all(answered) else "FAILED"
        yield before, "FAULT"
        return
    for body, end in _from(nodes, loop["bodies"][len(answered)]):
        outcome = nodes[end]["outcome"]
        if outcome == "FAULT":
            yield before + body, "FAULT"
        else:
            yield from _members(nodes, loop, before + body, (*answered, outcome in loop["good"]))


def counted(workflow: Json, run: Run, what: str) -> int:
    """Return the visits of a run, or its effects of a class when every call takes all its attempts."""
    nodes = [workflow["nodes"][moment[1]] for moment in run.moments if moment[0] == "reached"]
    if what == "visits":
        return len(nodes)
    return sum(1 + (node["retry"] or {"max": 0})["max"] for node in nodes if node.get("effect") == what)


def within_bounds(workflow: Json, events: Iterable[tuple[Json, Json]]) -> None:
    """Assert that what a run left (bodies and obs) is no more than the bounds that are sealed."""
    seen = {node["name"] for node in workflow["nodes"] if node["kind"] not in (*SILENT, "EXIT")}
    visits, effects = 0, Counter[str]()
    for body, obs in events:
        if sealed_name(body.get("path", "")) in seen:
            visits += 1
            effects[body.get("effect") or "PURE"] += obs.get("attempts", 1)
    bounds = workflow["bounds"]
    assert visits <= bounds["visits"], (visits, bounds)
    del effects["PURE"]
    assert all(count <= bounds["effects"].get(name, 0) for name, count in effects.items()), (effects, bounds)
