"""The graph of one workflow as types: nodes with what they use and where their outcomes go, exits, and their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibachi_model.diagnostics import Span
from omnibachi_model.sealed import FAULT

from .declarations import Body, Compute, Decide, Exit, Node, Wait
from .frozen import dataclass
from .library import Capability, SealedStore, Shape
from .templates import Record, Template

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a proven body promises to those who use it: the schema of its inputs (of a workflow: its payload) and the
    types of its outcomes (of a workflow: its exits, `rejected` among them). `gate`: a misfit of the inputs is the
    outcome `rejected`, not a crash."""

    address: str
    inputs: Schema
    outcomes: Mapping[str, Schema]
    gate: bool


@dataclass(frozen=True, slots=True)
class Linked:
    """A node with what it uses and where each of its outcomes goes (target name; FAULT included).

    At most one of `capability` and `body` is there. Of a loop both are None, and `calls` are its members, linked each
    as a node of its own without targets; `items` is the template of an EACH.
    """

    declaration: Node
    capability: Capability | None
    store: SealedStore | None
    event: Shape | None
    outcomes: Mapping[str, Schema]  # of a decision and a computation filled in by the flow phase
    targets: Mapping[str, str]
    route_spans: Mapping[str, Span]
    bindings: Record
    body: Signature | None = None
    calls: tuple[Linked, ...] = ()
    items: Template | None = None
    hosts: tuple[str, ...] | None = None  # to which a call that leaves the house is held
    programs: Mapping[str, Any] | None = None  # the same of programs, as sealed

    @property
    def templates(self) -> tuple[Template, ...]:
        """All that it reads."""
        own: tuple[Template, ...] = (self.bindings,) if self.items is None else (self.bindings, self.items)
        return (*own, *(template for call in self.calls for template in call.templates))

    @property
    def understood(self) -> bool:
        """Whether it is known what it does; else that was reported, and it stands for any node."""
        named = self.capability is not None or self.body is not None or self.calls != ()
        return named or isinstance(self.declaration, Decide | Compute | Wait)

    @property
    def name(self) -> str:
        """The node's name."""
        return self.declaration.name.text


@dataclass(frozen=True, slots=True)
class Ending:
    """An exit, or an outcome of a contract, with its result's template; `fault` is where it goes if that cannot be
    built."""

    declaration: Exit | None  # None for the reserved exit `rejected`, and for FAULT, where a contract's crashes end
    name: str
    status: str
    result: Record
    fault: str | None


@dataclass(frozen=True, slots=True)
class Graph:
    """The graph of one body; `order` is topological, ties by name.

    `scope` is what its inputs are called in paths, `payload` or `inputs`, and `inputs` their schema; only a workflow
    has an `intent`.
    """

    body: Body
    address: str
    intent: Shape | None
    scope: str
    inputs: Schema
    nodes: Mapping[str, Linked]
    exits: Mapping[str, Ending]
    order: tuple[str, ...]

    @property
    def composed(self) -> bool:
        """Whether its flat form has more than its own nodes."""
        return any(node.body is not None or node.calls for node in self.nodes.values())

    def edges(self, name: str) -> list[tuple[str, str]]:
        """Return (outcome, target) of a node or an exit."""
        if name in self.nodes:
            return sorted(self.nodes[name].targets.items())
        fault = self.exits[name].fault
        return [(FAULT, fault)] if fault else []
