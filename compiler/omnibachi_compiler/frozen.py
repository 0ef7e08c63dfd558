"""Dataclasses that are frozen to the type checker alone: what a compile makes by the hundred thousand.

To refuse assignments when run as well, Python sets every field of a frozen dataclass through a function call, which
costs a tenth of a whole compile. mypy refuses them all the same: to it, this is `dataclasses.dataclass`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses

    def dataclass(*, slots, frozen=False):
        """Make a dataclass with slots; a frozen one has a hash, and nothing of it is assigned to."""
        return dataclasses.dataclass(slots=slots, unsafe_hash=frozen)
