"""Trees: strict YAML as data, with a span for every key and every value.

Phase type between the loader and the declarations. A tree holds JSON values only: mappings with string keys, sequences,
and scalars that are null, booleans, integers, numbers or strings. Nothing changes a tree once it is built; the classes
are not frozen, because that would double what loading costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from omnibachi_model.diagnostics import Span

if TYPE_CHECKING:
    from omnibachi_model.values import JSON


@dataclass(slots=True)
class Scalar:
    """A scalar value and where it stands; `plain` tells an unquoted one."""

    value: bool | int | float | str | None
    span: Span
    plain: bool = True


@dataclass(slots=True)
class Entry:
    """One key and value of a mapping."""

    key: str
    key_span: Span
    value: Tree


@dataclass(slots=True)
class Mapping:
    """A mapping in the order of its text; keys are unique."""

    entries: tuple[Entry, ...]
    span: Span
    _index: dict[str, Entry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._index = {entry.key: entry for entry in self.entries}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def get(self, key: str) -> Tree | None:
        """Return the value of a key, or None when it is not there."""
        found = self.entry(key)
        return found.value if found else None

    def entry(self, key: str) -> Entry | None:
        """Return the entry of a key, or None when it is not there."""
        return self._index.get(key)


@dataclass(slots=True)
class Sequence:
    """A sequence of trees."""

    items: tuple[Tree, ...]
    span: Span

    def __iter__(self) -> Iterator[Tree]:
        return iter(self.items)


Tree: TypeAlias = Scalar | Mapping | Sequence


def plain(tree: Tree) -> JSON:
    """Return the JSON value of a tree, without its spans."""
    if isinstance(tree, Scalar):
        return tree.value
    if isinstance(tree, Mapping):
        return {entry.key: plain(entry.value) for entry in tree.entries}
    return [plain(item) for item in tree.items]
