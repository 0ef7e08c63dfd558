"""On which runs does a law say something: where what it starts from and what it protects were both passed.

A law reads `every path from A passes B before C`. A run that never comes to A, or from there never to C, keeps it
without having tried it. Where a law is silent on exits that are FAILED, such a run does not count either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnibachi_model.sealed import CALL, EXIT, FAULT, LOOPS, PASS, SUCCESS

from .tours import Stop

Law = Mapping[str, Any]


def says_something(law: Law, workflow: Mapping[str, Any], stops: Sequence[Stop]) -> bool:
    """Tell whether a run's tour passed what the law starts from and, behind that, what it protects."""
    nodes = workflow["nodes"]
    last = nodes[stops[-1].at] if stops else None
    if last is None or last["kind"] != EXIT or (last["status"] == "FAILED" and law.get("exits") != "all"):
        return False
    path = law["every_path"]
    starts = list(_passed(path.get("from", "start"), nodes, stops))
    ends = list(_passed(path.get("before", "exit"), nodes, stops))
    return bool(starts and ends) and min(starts) <= max(ends)


def _passed(point: Any, nodes: Sequence[Mapping[str, Any]], stops: Sequence[Stop]) -> Iterator[int]:
    """Yield the positions in a tour at which a point was passed; the start lies before all."""
    if point == "start":
        yield -1
        return
    for position, stop in enumerate(stops):
        node = nodes[stop.at]
        is_exit = node["kind"] == EXIT and not stop.left_by
        if point == "exit":
            found = is_exit
        elif "exit" in point:
            found = is_exit and node["name"] == point["exit"]
        elif "status" in point:
            found = is_exit and node["status"] == point["status"]
        else:
            found = _is_node(point, node, stop)
        if found:
            yield position


def _is_node(point: Mapping[str, Any], node: Mapping[str, Any], stop: Stop) -> bool:
    outcome = point.get("outcome")
    if "node" in point:
        name = point["node"]
        if node["kind"] == PASS and outcome is not None and node["name"] == f"{name}/{outcome}":
            return stop.left_by == SUCCESS  # the way out of a contract that was inlined
        if node["name"] != name or node["kind"] == EXIT or (node["kind"] in LOOPS and not stop.left_by):
            return False
        return outcome is None or (node["kind"] != PASS and stop.left_by == outcome)
    if node["kind"] != CALL or stop.left_by == FAULT:
        return False
    if "use" in point and point["use"] not in (node["use"], node["use"].rpartition(".")[0]):
        return False
    if "effect" in point and point["effect"] != node["effect"]:
        return False
    if outcome is not None and stop.left_by != outcome:
        return False
    return all(point.get(key) in (None, node[key]) for key in ("store", "event"))
