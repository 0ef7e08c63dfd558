"""Tours: what a run passed, its events laid along the sealed graph, so that silent nodes and loops are seen too.

A tour is a list of stops in the order of the run: (index of the node, how it was left, its event). A node is left by an
outcome, an exit by nothing (`""`); a loop that was entered has one stop `""` for that and another for its outcome, and
the end of an iteration (END) is left by the outcome that it hands on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from omnibachi_model.record import RUN_FINISHED, STEPS
from omnibachi_model.sealed import ALL, END, EXIT, FAULT, LOOPS, PASS, REJECTED_EXIT, SILENT, SUCCESS, sealed_name


class Stop(NamedTuple):
    """One node that a run passed."""

    at: int
    left_by: str
    event: Mapping[str, Any] | None


def visible(node: Mapping[str, Any]) -> bool:
    """Tell whether people count a sealed node: silent ones and exits are not."""
    return node["kind"] not in (*SILENT, EXIT)


def tour(workflow: Mapping[str, Any], bodies: Iterable[Mapping[str, Any]]) -> list[Stop]:
    """Lay the events of a whole run along its workflow; a run that the gate rejected passed nothing."""
    bodies = list(bodies)
    events = [body for body in bodies if body["kind"] in STEPS]
    last = bodies[-1] if bodies else {}
    if not events and last.get("kind") == RUN_FINISHED and last["exit"] == REJECTED_EXIT:
        return []
    return _Follower(workflow["nodes"], events).follow(workflow["start"])


class _Follower:
    """A tour in the making: `loops` are the loops that are open, with the number of iterations that ended."""

    def __init__(self, nodes: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> None:
        self.nodes = nodes
        self.events = events
        self.stops: list[Stop] = []
        self.loops: list[list[int]] = []
        self.taken = 0
        # A record that is of another workflow must not keep us here for ever.
        self.most = 4 * (len(events) + 1) * (len(nodes) + 1)

    def follow(self, index: int | None) -> list[Stop]:
        while index is not None and len(self.stops) < self.most:
            index = self._next(index)
        return self.stops

    def _next(self, index: int) -> int | None:
        node = self.nodes[index]
        kind = node["kind"]
        event = self._own(node["name"])
        if event is not None:
            self.taken += 1
            return self._leave(index, event["outcome"], event)
        if kind == EXIT:
            self.stops.append(Stop(index, "", None))
            return None
        if kind == PASS:
            return self._leave(index, SUCCESS, None)
        if kind == END:
            return self._ended(index, node)
        if kind in LOOPS:
            self.stops.append(Stop(index, "", None))
            self.loops.append([index, 0])
            return int(node["bodies"][0] if kind == ALL else node["body"])
        return None

    def _own(self, name: str) -> Mapping[str, Any] | None:
        event = self.events[self.taken] if self.taken < len(self.events) else None
        return event if event is not None and sealed_name(event["path"]) == name else None

    def _leave(self, index: int, outcome: str, event: Mapping[str, Any] | None) -> int | None:
        self.stops.append(Stop(index, outcome, event))
        target: int | None = self.nodes[index]["next"].get(outcome)
        return target

    def _ended(self, index: int, node: Mapping[str, Any]) -> int | None:
        self.stops.append(Stop(index, node["outcome"], None))
        if not self.loops:
            return None
        open_loop = self.loops[-1]
        loop = self.nodes[open_loop[0]]
        if node["outcome"] == FAULT:
            self.loops.pop()
            return self._leave(open_loop[0], FAULT, None)
        if self._own(loop["name"]) is not None:
            self.loops.pop()
            return open_loop[0]
        open_loop[1] += 1
        if loop["kind"] != ALL:
            return int(loop["body"])
        return int(loop["bodies"][open_loop[1]]) if open_loop[1] < len(loop["bodies"]) else None
