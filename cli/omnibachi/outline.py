"""A sealed workflow for people: graph, bounds and limits, laws, checked places, and what its digest depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omnibachi_model.named_secrets import needed
from omnibachi_model.sealed import ALL, CALL, COMPUTE, EACH, EXIT, FAULT, LOOPS, REPEAT, SILENT, WAIT
from omnibachi_model.secrecy import SECRET
from omnibachi_model.waits import written_duration
from omnibachi_model.ways import bodies, holders, onward, rounds, ways

PURE = "PURE"


def depends_on(workflow: dict[str, Any]) -> list[str]:
    """Return what a run's digest depends on besides the workflow: payload, run inputs, and answers of side effects."""
    answers = [
        f"the answers of `{node['name']}` ({_used(node)})"
        for node in workflow["nodes"]
        if node["kind"] == CALL and node["effect"] != PURE
    ]
    answers += [f"what people say at `{node['name']}`" for node in workflow["nodes"] if node["kind"] == WAIT]
    return ["the payload", *(f"`$.run.{name}`" for name in workflow["run"]), *answers]


def outline(
    workflow: dict[str, Any], origins: dict[str, Any] | None, digest: str, laws: Mapping[str, str]
) -> list[str]:
    """Write a workflow as lines of text; `laws` are those that are proven of it, with their summaries."""
    told = origins or {}
    lines = [workflow["address"]]
    if told:
        lines += [told["summary"], f"declared in {told['file']}:{told['span'][0]}"]
    lines += ["", f"digest  {digest}", f"intent  {workflow['intent']}", "", "graph", *_graph(workflow)]
    lines += ["", "exits"]
    lines += [f"  {node['name']}  {node['status']}" for node in workflow["nodes"] if node["kind"] == EXIT]
    lines += ["", "bounds", *_bounds(workflow.get("bounds"), told.get("limits"))]
    lines += ["", "laws", *([f"  {law}  {summary}".rstrip() for law, summary in laws.items()] or ["  none"])]
    lines += ["", "checked when run"]
    checked = [f"  {place['file']}:{place['line']} {place['reason']}" for place in told.get("checked", [])]
    lines += checked or ["  nothing"]
    secrets = needed(workflow)
    if secrets:
        lines += ["", "secrets", *(f"  {name}  for {', '.join(nodes)}" for name, nodes in secrets.items())]
    hidden = [*withheld_places(workflow["payload"]), *(_hidden(node) for node in workflow["nodes"] if _hidden(node))]
    if hidden:
        lines += ["", "withheld from its record", *(f"  {item}" for item in hidden)]
    lines += ["", "its digest depends on", *(f"  {item}" for item in depends_on(workflow))]
    return lines


def withheld_places(schema: Any, at: str = "$.payload") -> list[str]:
    """Return what of a payload is secret, as paths; `[*]` stands for any item or member that is not named."""
    if not isinstance(schema, dict):
        return []
    if schema.get(SECRET):
        return [at]
    inside = [(f"{at}.{name}", inner) for name, inner in sorted(schema.get("properties", {}).items())]
    inside += [(f"{at}[*]", schema.get(key)) for key in ("items", "additionalProperties")]
    return [path for place, inner in inside for path in withheld_places(inner, place)]


def _hidden(node: dict[str, Any]) -> str:
    """Say which fields of a node's events are withheld, by name; nothing of a node that leaves no event as a rule."""
    secret = node.get("secret", {})
    outputs = secret.get("outputs", {}).values()
    names = {*secret.get("inputs", ()), *secret.get("fields", ()), *(name for some in outputs for name in some)}
    return "" if not names or node["kind"] in (*SILENT, EACH) else f"{node['name']}: {', '.join(sorted(names))}"


def _graph(workflow: dict[str, Any]) -> Iterator[str]:
    """Write what people see of the graph; what is inside a loop stands under it, further in."""
    nodes = workflow["nodes"]
    start = onward(nodes, workflow["start"])
    for index, node in enumerate(nodes):
        if node["kind"] in (*SILENT, EXIT):
            continue
        margin = "    " * len(holders(nodes, index))
        mark = ">" if index == start else " "
        yield f"{mark} {margin}{node['name']}  {_kind(node)}"
        if node["kind"] in LOOPS:
            yield f"      {margin}does {', '.join(nodes[body]['name'] for body in bodies(nodes, index))}"
        for outcome, target in sorted(ways(nodes, index).items(), key=lambda route: (route[0] == FAULT, route[0])):
            yield f"      {margin}{outcome} -> {nodes[target]['name']}"
        for outcome, ended in sorted(rounds(nodes, index).items()):
            yield f"      {margin}{outcome} ends the round{'' if ended == outcome else f' as {ended}'}"


def _bounds(bounds: dict[str, Any] | None, limits: dict[str, Any] | None) -> Iterator[str]:
    """Write the proven bounds, each with the limit that is declared for it."""
    if bounds is None:
        yield "  not stated: the snapshot is of an older version"
        return
    limited = limits or {"visits": None, "effects": {}}
    most = limited["visits"]
    yield f"  at most {bounds['visits']} node visits{'' if most is None else f' (limit {most})'}"
    for name in sorted(bounds["effects"].keys() | limited["effects"].keys()):
        count, most = bounds["effects"].get(name, 0), limited["effects"].get(name)
        kept = "" if most is None else f" (limit {most})"
        yield f"  at most {count} effect{'' if count == 1 else 's'} of class {name}{kept}"


def awaited(node: dict[str, Any]) -> str:
    """Say for whom a WAIT waits, and for how long."""
    count, roles = node["quorum"], " or ".join(node["roles"])
    until = "" if node["within_ms"] is None else f", at most {written_duration(node['within_ms'])}"
    return f"waits for {count} approval{'' if count == 1 else 's'} by {roles}{until}"


def _used(node: dict[str, Any]) -> str:
    return f"{node['use']} on {node['store']}" if node["store"] else str(node["use"])


def _kind(node: dict[str, Any]) -> str:
    if node["kind"] == CALL:
        event = f", {node['event']}" if node["event"] else ""
        repeat = f", repeat: {node['repeat']}" if "repeat" in node else ""
        hosts = f", reaches {', '.join(node['hosts']) or 'nobody'}" if "hosts" in node else ""
        runs = f", runs {', '.join(sorted(node['programs'])) or 'nothing'}" if "programs" in node else ""
        return f"{_used(node)}{event} ({node['effect']}{repeat}{hosts}{runs})"
    if node["kind"] == COMPUTE:
        return f"computes {', '.join(sorted(node['fields']))}"
    if node["kind"] == EACH:
        return f"for each, at most {node['max']} times"
    if node["kind"] == REPEAT:
        return f"again and again, at most {node['max']} times"
    if node["kind"] == ALL:
        return "all of its members"
    if node["kind"] == WAIT:
        return awaited(node)
    return f"decides by {len(node['rows'])} rows"
