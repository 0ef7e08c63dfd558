"""Declarations: what each YAML document declares, as types, with names still as written.

Phase type between the shape check and the resolver. Every name keeps its span; schemas, templates and scenario data
stay trees until the phase that understands them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from omnibachi_model.diagnostics import Span

from .tree import Mapping


@dataclass(frozen=True, slots=True)
class Name:
    """A piece of text that names something or is an expression, and where it stands."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Route:
    """From an outcome to a node or an exit."""

    outcome: Name
    target: Name


@dataclass(frozen=True, slots=True)
class Use:
    """A node that calls a capability."""

    name: Name
    use: Name
    store: Name | None
    event: Name | None
    bindings: Mapping | None
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a decision: `when` is None in the last."""

    when: Name | None
    outcome: Name
    because: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Decide:
    """A node that decides: the first true row wins."""

    name: Name
    rows: tuple[Row, ...]
    bindings: Mapping | None
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Compute:
    """A node that computes fields, each (name, expression)."""

    name: Name
    fields: tuple[tuple[Name, Name], ...]
    bindings: Mapping | None
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A node whose shape is wrong, which is reported; `ways` are the routes of it that can be read. The other nodes of
    its workflow are judged without it."""

    name: Name
    ways: tuple[Route, ...]
    bindings: None = None
    routes: tuple[Route, ...] = ()


Node: TypeAlias = Use | Decide | Compute | Broken


@dataclass(frozen=True, slots=True)
class Exit:
    """A named end of a workflow with its status and the template of its result."""

    name: Name
    status: Name
    result: Mapping | None


@dataclass(frozen=True, slots=True)
class Workflow:
    """A graph from one intent to named exits."""

    name: Name
    domain: str
    summary: str
    intent: Name
    start: Name
    fault: Name | None
    routes: tuple[Route, ...]
    nodes: tuple[Node, ...]
    exits: tuple[Exit, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Field:
    """A named field with its schema."""

    name: Name
    schema: Mapping


@dataclass(frozen=True, slots=True)
class Outcome:
    """A declared outcome and the fields of its output."""

    name: Name
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Transform:
    """A pure capability; `examples` are trees of {with, gives, output}."""

    name: Name
    domain: str
    summary: str
    inputs: tuple[Field, ...]
    outcomes: tuple[Outcome, ...]
    examples: tuple[Mapping, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a side effect; `needs` are among `store` and `event`."""

    name: Name
    effect: Name
    needs: tuple[Name, ...]
    inputs: tuple[Field, ...]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class SideEffect:
    """An effectful capability; `keeps` says what kind of state its stores are (default `records`)."""

    name: Name
    domain: str
    summary: str
    keeps: str
    operations: tuple[Operation, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Store:
    """A named place for state; without a `record` any object may stand in it."""

    name: Name
    domain: str
    summary: str
    governed_by: Name
    record: Mapping | None
    seed: bool
    evidence: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Intent:
    """What a payload must look like to be admitted."""

    name: Name
    domain: str
    summary: str
    payload: Mapping
    span: Span


@dataclass(frozen=True, slots=True)
class EventShape:
    """The shape of a record in an append-only stream."""

    name: Name
    domain: str
    summary: str
    record: Mapping
    span: Span


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain, as `domain.yaml` names it."""

    name: Name
    summary: str
    hosts: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario: which workflow, what is given, and its steps, as a tree of the whole document."""

    name: Name
    domain: str
    workflow: Name | None
    given: Mapping | None
    steps: tuple[Mapping, ...]
    span: Span


Declaration: TypeAlias = Workflow | Transform | SideEffect | Store | Intent | EventShape | Domain | Scenario
