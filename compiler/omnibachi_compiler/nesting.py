"""How deep what a run builds may be nested: never deeper than a line of its record can hold.

What comes from outside (a payload, a capability's output, what a computation gives) has at most 64 levels, which is
checked when it comes. Templates put such values into records of their own, and what is laid in hands those on to
templates again, so the levels grow along the graph. They are counted on the sealed nodes, once each in the order of
their indices: a reference is as deep as what it reads, less a level for each segment.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.sealed import ALL, CALL, COMPUTE, DECIDE, EACH, END, EXIT, PASS, WAIT
from omnibachi_model.values import MAX_DEPTH
from omnibachi_model.ways import holders

Json = dict[str, Any]
Slots = Mapping[Any, int]
MOST_LEVELS = 190  # a line of a record has 200; what is built stands some levels down in it
_BUILT = {CALL: "with", WAIT: "with", PASS: "with", EACH: "items", END: "output", EXIT: "result"}


def check_nesting(workflow: Json, name: Span) -> list[Diagnostic]:
    """Report the first node of a sealed workflow that may build something nested too deep (OB525, at `name`)."""
    slots: dict[Any, int] = {"payload": _levels(workflow["payload"]), "run": 1}
    items: dict[Any, int] = {}  # the slot of an EACH while it goes on
    for index, node in enumerate(workflow["nodes"]):
        around = holders(workflow["nodes"], index)
        built = _built(
            node, ChainMap({loop: items[loop] for loop in around if loop in items}, slots) if around else slots
        )
        if built > MOST_LEVELS:
            message = f"what `{node['name']}` builds may be nested {built} levels deep; at most {MOST_LEVELS} may be"
            return [Diagnostic("OB525", message, name, help="bind the members that are needed, not all that is there")]
        slots[index] = built
        if node["kind"] == CALL:
            slots[index] = max(map(_levels, node["outcomes"].values()), default=1)
        elif node["kind"] == WAIT:
            slots[index] = 3
        elif node["kind"] == COMPUTE:
            slots[index] = MAX_DEPTH + 1
        elif node["kind"] == EACH:
            slots[index], items[index] = 1, built  # {as: item} is as deep as the list
        elif node["kind"] == END:
            loop = workflow["nodes"][node["of"]]["kind"]
            slots[node["of"]] = max(slots[node["of"]], built + {EACH: 2, ALL: 1}.get(loop, 0))
    return []


def _built(node: Json, slots: Slots) -> int:
    """Return how many levels what a node builds may have."""
    if node["kind"] in (DECIDE, COMPUTE):
        return 1 + max((_deep(template, slots) for template in node["with"].values()), default=0)
    key = _BUILT.get(node["kind"])
    return _deep(node[key], slots) if key else 1


def _deep(template: list[Any], slots: Slots) -> int:
    """Return how many levels a template may give."""
    kind, content = template[0], template[1]
    if kind == "ref":
        # What comes later is never there when this is read.
        return max(0, slots.get(content, 0) - len(template[2]))
    if kind == "lit":
        return _levels_of(content)
    if kind == "secret":
        return 1  # as it is recorded
    if kind == "optional":
        return _deep(content, slots)
    levels = [_deep(part, slots) for part in (content.values() if kind == "map" else content)]
    return max(levels, default=0) + (0 if kind in ("first", "merge") else 1)


def _levels_of(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_levels_of, value.values() if isinstance(value, dict) else value), default=0)


def _levels(schema: Json) -> int:
    """Return how many levels a value from outside may have that fits a sealed schema; at most `MAX_DEPTH`."""
    kinds = schema.get("type")
    if "const" in schema or "enum" in schema:
        return max(map(_levels_of, schema.get("enum", [schema.get("const")])))
    if kinds is None:
        return MAX_DEPTH
    inside = [0]
    if "array" in kinds:
        inside.append(1 + _levels(schema.get("items", {})))
    if "object" in kinds:
        rest = schema.get("additionalProperties", True)
        members = [*schema.get("properties", {}).values(), *([{}] if rest is True else [rest] if rest else [])]
        inside.append(1 + max(map(_levels, members), default=0))
    return min(MAX_DEPTH, max(inside))
