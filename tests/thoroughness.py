"""How much a test tries: as a rule what takes minutes in all; with OMNIBACHI_THOROUGH=1 all that there is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

THOROUGH = bool(os.environ.get("OMNIBACHI_THOROUGH"))

T = TypeVar("T")


def many(usual: int, thorough: int) -> int:
    """Return how many examples are tried."""
    return thorough if THOROUGH else usual


def some(items: Sequence[T], every: int) -> Sequence[T]:
    """Return the first, the last, and of those between one in so many."""
    return items if THOROUGH else [*items[:-1:every], *items[-1:]]
