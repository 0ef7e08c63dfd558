"""What a policy declares, as a type, with its gates as they are written (a part of `declarations`)."""

from __future__ import annotations

from omnibachi_model.diagnostics import Span

from .frozen import dataclass
from .naming import Name
from .tree import Mapping


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be decided, and why: `tree` is the whole document, whose shape has been checked."""

    name: Name
    domain: str
    summary: str
    tree: Mapping
    span: Span
