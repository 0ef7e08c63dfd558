"""A sealed workflow for people: its graph, its bounds, its checked places, and what its digest depends on."""

from __future__ import annotations

from typing import Any

from omnibachi_model.sealed import CALL, COMPUTE, EXIT, FAULT

PURE = "PURE"


def bounds(workflow: dict[str, Any]) -> dict[str, Any]:
    """Return the most node visits, and the most effects of each class, that any run can make.

    Each is the largest over all paths, so no single run need reach all of them. Nodes stand in topological order.
    """
    nodes = workflow["nodes"]
    most: list[dict[str, int]] = [{} for _ in nodes]
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        after: dict[str, int] = {}
        for target in node["next"].values():
            for key, count in most[target].items():
                after[key] = max(after.get(key, 0), count)
        if node["kind"] != EXIT:
            after["visits"] = after.get("visits", 0) + 1
        if node["kind"] == CALL and node["effect"] != PURE:
            after[node["effect"]] = after.get(node["effect"], 0) + 1
        most[index] = after
    found = dict(most[workflow["start"]])
    return {"visits": found.pop("visits", 0), "effects": dict(sorted(found.items()))}


def depends_on(workflow: dict[str, Any]) -> list[str]:
    """Return what a run's digest depends on besides the workflow: payload, run inputs, and answers of side effects."""
    answers = [
        f"the answers of `{node['name']}` ({_used(node)})"
        for node in workflow["nodes"]
        if node["kind"] == CALL and node["effect"] != PURE
    ]
    return ["the payload", *(f"`$.run.{name}`" for name in workflow["run"]), *answers]


def outline(workflow: dict[str, Any], origins: dict[str, Any] | None, digest: str) -> list[str]:
    """Write a workflow as lines of text."""
    told = origins or {}
    nodes = workflow["nodes"]
    lines = [workflow["address"]]
    if told:
        lines += [told["summary"], f"declared in {told['file']}:{told['span'][0]}"]
    lines += ["", f"digest  {digest}", f"intent  {workflow['intent']}", "", "graph"]
    for index, node in enumerate(nodes):
        if node["kind"] == EXIT:
            continue
        mark = ">" if index == workflow["start"] else " "
        lines.append(f"{mark} {node['name']}  {_kind(node)}")
        for outcome, target in sorted(node["next"].items(), key=lambda route: (route[0] == FAULT, route[0])):
            lines.append(f"      {outcome} -> {nodes[target]['name']}")
    lines += ["", "exits"]
    lines += [f"  {node['name']}  {node['status']}" for node in nodes if node["kind"] == EXIT]
    limit = bounds(workflow)
    lines += ["", "bounds", f"  at most {limit['visits']} node visits"]
    for name, count in limit["effects"].items():
        lines.append(f"  at most {count} effect{'' if count == 1 else 's'} of class {name}")
    lines += ["", "checked when run"]
    checked = [f"  {place['file']}:{place['line']} {place['reason']}" for place in told.get("checked", [])]
    lines += checked or ["  nothing"]
    lines += ["", "its digest depends on", *(f"  {item}" for item in depends_on(workflow))]
    return lines


def _used(node: dict[str, Any]) -> str:
    return f"{node['use']} on {node['store']}" if node["store"] else str(node["use"])


def _kind(node: dict[str, Any]) -> str:
    if node["kind"] == CALL:
        event = f", {node['event']}" if node["event"] else ""
        return f"{_used(node)}{event} ({node['effect']})"
    if node["kind"] == COMPUTE:
        return f"computes {', '.join(sorted(node['fields']))}"
    return f"decides by {len(node['rows'])} rows"
