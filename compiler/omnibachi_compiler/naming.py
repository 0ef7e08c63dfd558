"""Names as they are written: what every declaration is made of."""

from __future__ import annotations

from omnibachi_model.diagnostics import Span

from .frozen import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """A piece of text that names something or is an expression, and where it stands."""

    text: str
    span: Span
