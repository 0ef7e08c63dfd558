"""Places of the shape check: values inside a document, with the keys under which they stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from omnibachi_model.diagnostics import Span

from .loader import short
from .tree import Mapping, Scalar, Sequence, Tree


@dataclass(frozen=True, slots=True)
class Place:
    """A value inside a document, with the key or the position under which it stands."""

    tree: Tree
    key: str | None = None
    key_span: Span | None = None
    root: bool = False

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"`{short(self.key)}`" if self.key is not None else "this"

    @property
    def span(self) -> Span:
        """The value if it stands on one line, else its key, else its beginning."""
        span = self.tree.span
        if span.line == span.end_line:
            return span
        return self.key_span or Span(span.file, span.line, span.column, span.line, span.column + 1)

    @property
    def label(self) -> Span:
        """Where something missing is reported: the key, else the first key inside, else the beginning."""
        if self.key_span is not None:
            return self.key_span
        if isinstance(self.tree, Mapping) and self.tree.entries:
            first = self.tree.entries[0]
            # A document is named by the value of its first key.
            return first.value.span if self.root and isinstance(first.value, Scalar) else first.key_span
        return self.span


def at(tree: Tree, path: Iterable[Any]) -> Place:
    """Follow the validator's path."""
    place = Place(tree, root=True)
    for part in path:
        if isinstance(place.tree, Mapping):
            entry = place.tree.entry(part)
            if entry is None:
                return place
            place = Place(entry.value, entry.key, entry.key_span)
        elif isinstance(place.tree, Sequence):
            place = Place(place.tree.items[part])
    return place
