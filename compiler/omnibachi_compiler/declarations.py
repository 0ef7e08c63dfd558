"""Declarations: what each YAML document declares, as types, with names still as written.

Phase type between the shape check and the resolver. Every name keeps its span; schemas, templates and scenario data
stay trees until the phase that understands them.
"""

from __future__ import annotations

from typing import TypeAlias

from omnibachi_model.diagnostics import Span

from .declared_laws import Course as Course
from .declared_laws import Invariant as Invariant
from .declared_laws import Point as Point
from .declared_laws import Scope as Scope
from .declared_policies import Policy as Policy
from .frozen import dataclass
from .naming import Name as Name
from .tree import Entry, Mapping, Tree


@dataclass(frozen=True, slots=True)
class Route:
    """From an outcome to a node or an exit."""

    outcome: Name
    target: Name


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask again after one of `on`, at most `most` times, waiting `backoff` (as written) times `factor` ** attempt."""

    on: tuple[Name, ...]
    most: int
    backoff: Name | None
    factor: float
    span: Span


@dataclass(frozen=True, slots=True)
class Use:
    """A node that calls a capability, a contract or a workflow; `deadline` as written (`5s`)."""

    name: Name
    use: Name
    store: Name | None
    event: Name | None
    bindings: Mapping | None
    routes: tuple[Route, ...]
    retry: Retry | None = None
    deadline: Name | None = None


@dataclass(frozen=True, slots=True)
class Each:
    """A node that does its `call` for each of `items` (a template), known to it as `$.each.<item>`.

    The call carries the node's name, bindings and no routes; `good` is None where the text has none.
    """

    name: Name
    items: Tree
    item: Name
    most: int
    good: tuple[Name, ...] | None
    call: Use
    routes: tuple[Route, ...]

    @property
    def bindings(self) -> Mapping | None:
        """The `with` of its call."""
        return self.call.bindings


@dataclass(frozen=True, slots=True)
class Repeat:
    """A node that does its `call` again `until` an expression over its output is true, at most `most` times."""

    name: Name
    most: int
    until: Name
    every: Name | None
    call: Use
    routes: tuple[Route, ...]

    @property
    def bindings(self) -> Mapping | None:
        """The `with` of its call."""
        return self.call.bindings


@dataclass(frozen=True, slots=True)
class All:
    """A node that asks several READ operations in the order of the text; each call carries its member's name."""

    name: Name
    calls: tuple[Use, ...]
    good: tuple[Name, ...] | None
    routes: tuple[Route, ...]
    bindings: None = None


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
class Wait:
    """A node that waits for people: `kind` of them is `approval`, `within` as written (`24h`)."""

    name: Name
    kind: Name
    roles: tuple[Name, ...]
    quorum: int
    within: Name | None
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


Node: TypeAlias = Use | Decide | Compute | Each | Repeat | All | Wait | Broken


@dataclass(frozen=True, slots=True)
class Exit:
    """A named end of a workflow with its status and the template of its result."""

    name: Name
    status: Name
    result: Mapping | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a workflow promises not to exceed: node visits (None: not limited), and effects by class."""

    visits: int | None
    effects: tuple[tuple[Name, int], ...]
    span: Span


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
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A named field with its schema."""

    name: Name
    schema: Mapping


@dataclass(frozen=True, slots=True)
class Contract:
    """A reusable piece of graph: `exits` are its outcomes, with the status empty; a crash inside is the caller's."""

    name: Name
    domain: str
    summary: str
    inputs: tuple[Field, ...]
    start: Name
    routes: tuple[Route, ...]
    nodes: tuple[Node, ...]
    exits: tuple[Exit, ...]
    span: Span
    fault: None = None


Body: TypeAlias = Workflow | Contract


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
    """One operation of a side effect; `needs` are among `store`, `event` and `hosts`; `repeat` of what leaves the house
    says whether it may be asked again under the same key."""

    name: Name
    effect: Name
    needs: tuple[Name, ...]
    inputs: tuple[Field, ...]
    outcomes: tuple[Outcome, ...]
    repeat: Name | None = None


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
    accounts: tuple[Entry, ...] = ()  # the keys that only stores of accounts have, as written


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
class NamedSchema:
    """A schema that has a name, to be referred to from anywhere."""

    name: Name
    domain: str
    summary: str
    tree: Mapping
    span: Span


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain, as `domain.yaml` names it."""

    name: Name
    summary: str
    hosts: tuple[Name, ...]
    span: Span
    programs: Mapping | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario: which workflow, what is given, and its steps, as a tree of the whole document."""

    name: Name
    domain: str
    workflow: Name | None
    given: Mapping | None
    steps: tuple[Mapping, ...]
    span: Span


Declaration: TypeAlias = (
    Workflow
    | Contract
    | Transform
    | SideEffect
    | Store
    | Intent
    | EventShape
    | NamedSchema
    | Invariant
    | Policy
    | Domain
    | Scenario
)
