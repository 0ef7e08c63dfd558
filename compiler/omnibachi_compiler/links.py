"""The graph of one workflow as types: nodes with what they use and where their outcomes go, exits, and their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnibachi_model.diagnostics import Span
from omnibachi_model.sealed import FAULT

from .declarations import Exit, Node, Workflow
from .library import Capability, SealedStore, Shape
from .templates import Record

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Linked:
    """A node with what it uses and where each of its outcomes goes (target name; FAULT included)."""

    declaration: Node
    capability: Capability | None
    store: SealedStore | None
    event: Shape | None
    outcomes: Mapping[str, Schema]  # of a decision and a computation filled in by the flow phase
    targets: Mapping[str, str]
    route_spans: Mapping[str, Span]
    bindings: Record

    @property
    def name(self) -> str:
        """The node's name."""
        return self.declaration.name.text


@dataclass(frozen=True, slots=True)
class Ending:
    """An exit with its result's template; `fault` is where it goes if its result cannot be built."""

    declaration: Exit | None  # None for the reserved exit `rejected`
    name: str
    status: str
    result: Record
    fault: str | None


@dataclass(frozen=True, slots=True)
class Graph:
    """One workflow's graph; `order` is topological, ties by name."""

    workflow: Workflow
    address: str
    intent: Shape
    nodes: Mapping[str, Linked]
    exits: Mapping[str, Ending]
    order: tuple[str, ...]

    def edges(self, name: str) -> list[tuple[str, str]]:
        """Return (outcome, target) of a node or an exit."""
        if name in self.nodes:
            return sorted(self.nodes[name].targets.items())
        fault = self.exits[name].fault
        return [(FAULT, fault)] if fault else []
