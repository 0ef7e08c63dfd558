"""What a phase returns, and what it is given first: sources and implementations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from omnibachi_model.diagnostics import Diagnostic, Span

from .frozen import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Phase(Generic[T]):
    """A phase's value and what it found; the value holds whatever could still be understood."""

    value: T
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One YAML file: its path as shown and sealed (`protocols/…`, forward slashes), its domain (the folder below
    `protocols/`), and its bytes."""

    path: str
    domain: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Implementation:
    """What stands behind a capability's address: `module:function` (the function empty where it could not be found),
    the number of positional parameters that it takes (-1 if it cannot be told), the source bytes of its module and of
    the modules of its own package that it reaches (module name: bytes), and where a catalogue names it."""

    module: str
    function: str
    parameters: int
    modules: Mapping[str, bytes]
    place: Span | None = None
