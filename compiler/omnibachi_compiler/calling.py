"""Calls in the flat form: the steps that one call becomes, and where nodes stand in the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibachi_model.diagnostics import Span

from .check import CheckedNode
from .declarations import Compute, Decide
from .flat import Origin
from .frozen import dataclass

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Calling:
    """A node to be laid out: under which name, where each of its outcomes leads, and inside which loop."""

    name: str  # of its step, or of the entry PASS of a body: the names of all that is laid in begin with it
    node: CheckedNode
    targets: Mapping[str, str]
    origin: Origin
    of: str | None = None


def origin_of(node: CheckedNode) -> Origin:
    """Return where a node stands: itself, its bindings, its routes, its rows or fields."""
    declaration = node.linked.declaration
    found: Json = {
        "span": written_span(declaration.name.span),
        "with": written_span(declaration.bindings.span) if declaration.bindings else None,
        "next": {outcome: written_span(place) for outcome, place in node.linked.route_spans.items()},
    }
    if isinstance(declaration, Decide):
        found["rows"] = [written_span(row.span) for row in declaration.rows]
    if isinstance(declaration, Compute):
        found["fields"] = {name.text: written_span(expression.span) for name, expression in declaration.fields}
    return Origin(declaration.name.span, found)


def written_span(place: Span) -> list[int]:
    """Write a span as origins do: line, column, end line, end column."""
    return [place.line, place.column, place.end_line, place.end_column]
