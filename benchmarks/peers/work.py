"""The work that all do: nodes in line, and nodes that branch; told in a way that is nobody's own.

Every node takes `n` and `name`, calls one function and goes where its outcome leads. The functions are those of the
benchmarks' workspace (`shop.py`), which a test holds to. Nothing but the standard library is imported here, since this
is loaded in the environment of every peer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

Inputs = dict[str, Any]
Answer = tuple[str, dict[str, Any]]
Function = Callable[[Inputs], Answer]
Graph = dict[str, tuple[Function, dict[str, str | None]]]  # node -> its function, and the next node of each outcome

PAYLOAD: dict[str, Any] = {"n": 1, "name": "an order of something"}
TURNS = ("LEFT", "MIDDLE", "RIGHT")
WORKS = {"ten": 10, "hundred": 100, "branches": 10}  # and how many nodes a run passes
LEVELS = WORKS["branches"]


def step(inputs: Inputs) -> Answer:
    """Count one further."""
    return "SUCCESS", {"n": inputs["n"] + 1}


def turn(inputs: Inputs) -> Answer:
    """Count one further and turn."""
    n = inputs["n"] + 1
    if n % 3 == 0:
        return "LEFT", {"n": n}
    if n % 3 == 1:
        return "MIDDLE", {"n": n}
    return "RIGHT", {"n": n}


def graph(work: str, seen: list[str] | None = None) -> Graph:
    """Return the nodes of a work, the first one first; where `seen` is given, every call leaves its node there."""
    if work == "branches":
        return {
            node_of(level, side): (_noted(turn, node_of(level, side), seen), _following(level))
            for level in range(LEVELS)
            for side in range(3 if level else 1)
        }
    size = WORKS[work]
    return {
        f"node_{index}": (
            _noted(step, f"node_{index}", seen), {"SUCCESS": f"node_{index + 1}" if index + 1 < size else None}
        )
        for index in range(size)
    }  # fmt: skip


def node_of(level: int, side: int) -> str:
    """Name a node of the branching work; the first level has one."""
    return f"node_{level}_{side if level else 0}"


def expected(work: str) -> tuple[int, list[str]]:
    """Return the number that a run ends with, and the nodes that it passes, found by walking the graph here."""
    nodes, n, path = graph(work), PAYLOAD["n"], []
    name: str | None = next(iter(nodes))
    while name is not None:
        path.append(name)
        function, following = nodes[name]
        outcome, output = function({"n": n, "name": PAYLOAD["name"]})
        n, name = output["n"], following[outcome]
    return n, path


def _following(level: int) -> dict[str, str | None]:
    return {turn: node_of(level + 1, side) if level + 1 < LEVELS else None for side, turn in enumerate(TURNS)}


def _noted(function: Function, name: str, seen: list[str] | None) -> Function:
    return function if seen is None else partial(_note, function, name, seen)


def _note(function: Function, name: str, seen: list[str], inputs: Inputs) -> Answer:
    seen.append(name)
    return function(inputs)
