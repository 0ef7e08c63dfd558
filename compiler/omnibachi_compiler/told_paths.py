"""Steps of a path through a sealed graph, as people read them: names with outcomes, what is silent left out."""

from __future__ import annotations

from typing import Any

from omnibachi_model.sealed import PASS, SUCCESS

Json = dict[str, Any]


def is_entry(nodes: list[Json], node: Json) -> bool:
    """Tell whether a node is the PASS by which what is inlined is entered (and not one by which it is left)."""
    return node["kind"] == PASS and str(nodes[node["next"][SUCCESS]]["name"]).startswith(f"{node['name']}/")


def written_step(nodes: list[Json], node: Json, outcome: str) -> str | None:
    """Write one step; entering what is inlined is none, and leaving it is the calling node's outcome."""
    if node["kind"] != PASS or outcome != SUCCESS:
        return f"{node['name']} {outcome}"
    if is_entry(nodes, node):
        return None
    caller, _, given = node["name"].rpartition("/")
    return f"{caller} {given}"
