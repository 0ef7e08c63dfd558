"""The names of a project: what its documents declare, told from their trees alone.

A document whose shape is wrong declares its names all the same, so that naming them is no further mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from omnibachi_compiler.loader import load
from omnibachi_compiler.phase import Phase, Source
from omnibachi_compiler.tree import plain
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.sealed import REJECTED_EXIT, RESERVED_OUTCOMES

from .roles import GRAPHS, kind_of

# What loops end in; a decision's and a capability's outcomes are declared.
LOOPS = ("SUCCESS", "PARTIAL", "FAILED", "OVERFLOW", "EXHAUSTED")


@dataclass(frozen=True, slots=True)
class Names:
    """Names by role (`roles.ROLES`); addresses with and without their domain."""

    by_role: Mapping[str, frozenset[str]]


def names_of(sources: Iterable[Source]) -> Phase[Names]:
    """Gather what all documents of these sources declare, as far as they can be read."""
    complaints: list[Diagnostic] = []
    found: dict[str, set[str]] = {
        "node": set(),
        "exit": {REJECTED_EXIT},
        "outcome": {*RESERVED_OUTCOMES, *LOOPS, REJECTED_EXIT},
        "use": set(),
    }
    for source in sources:
        trees = load(source)
        complaints.extend(trees.diagnostics)
        for tree in trees.value:
            document = plain(tree)
            kind = kind_of(tuple(document)) if isinstance(document, dict) else None
            if kind is not None and isinstance(document, dict):
                _gather(kind, document, source.domain, found)
    found["target"] = found["node"] | found["exit"] | found["outcome"]
    return Phase(Names({role: frozenset(names) for role, names in found.items()}), tuple(complaints))


def _gather(kind: str, document: dict[str, Any], domain: str, found: dict[str, set[str]]) -> None:
    code = document[kind]
    if isinstance(code, str):
        addresses = {code, f"{domain}::{code}"}
        found.setdefault(kind, set()).update(addresses)
        if kind == "side_effect":
            own = _keys(document.get("operations"))
            found["use"].update(f"{address}.{name}" for address in addresses for name in own)
        if kind in (*GRAPHS, "transform", "side_effect"):
            found["use"].update(addresses)
    operations = document.get("operations")
    for owner in (document, *(operations.values() if isinstance(operations, dict) else ())):
        found["outcome"].update(_keys(owner.get("outcomes") if isinstance(owner, dict) else None))
    if kind in GRAPHS:
        found["exit"].update(_keys(document.get("exits")))
        found["outcome"].update(_keys(document.get("exits")))
        found["node"].update(_keys(document.get("nodes")))
        nodes = document.get("nodes")
        for node in nodes.values() if isinstance(nodes, dict) else ():
            rows = node.get("decide") if isinstance(node, dict) else None
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict) and isinstance(row.get("outcome"), str):
                    found["outcome"].add(row["outcome"])


def _keys(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, dict) else ()
