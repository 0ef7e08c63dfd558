"""What an invariant declares, as types, with names still as written (a part of `declarations`)."""

from __future__ import annotations

from omnibachi_model.diagnostics import Span

from .frozen import dataclass
from .naming import Name


@dataclass(frozen=True, slots=True)
class Point:
    """What a law speaks of: one of `start`, `exit`, `status`, `node`, `use`, `effect`, told by `kind`; `names` are what
    stands behind it, any of them (for a plain `start` and `exit` the word itself). The rest narrows it: left by one of
    `outcomes`, or by any but `others`, where there are some; at one of `stores`, with one of `events`. With a status,
    `others` are exits that are not meant."""

    kind: str
    names: tuple[Name, ...]
    outcomes: tuple[Name, ...]
    others: tuple[Name, ...]
    stores: tuple[Name, ...]
    events: tuple[Name, ...]
    evidence: bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class Scope:
    """The workflows that a law binds: those named, or those that use one of `uses`, or (both None) all; in both of the
    latter without `others`."""

    workflows: tuple[Name, ...] | None
    uses: tuple[Name, ...] | None
    others: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """What a law says of paths: each from `source` passes `passes` before `before`; of the workflows in `scope` alone,
    where there is one."""

    source: Point
    passes: Point
    before: Point
    scope: Scope | None
    span: Span


@dataclass(frozen=True, slots=True)
class Invariant:
    """A law: every path of the workflows in `scope` keeps each of `courses` (`never`: avoids what it would pass).

    `failed_too`: also on paths to exits that are FAILED.
    """

    name: Name
    domain: str
    summary: str
    scope: Scope
    courses: tuple[Course, ...]
    never: bool
    failed_too: bool
    span: Span
