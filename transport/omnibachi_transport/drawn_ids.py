"""Ids that are drawn from the system's chance, for an event loop: many at once, for each time that the system is asked
other threads go first."""

from __future__ import annotations

import os

AT_ONCE = 4096  # bytes


class Draws:
    """Draws ids; for one thread."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def hex(self, count: int) -> str:
        """Return so many random bytes as hex digits."""
        if len(self._rest) < count:
            self._rest = os.urandom(AT_ONCE)
        drawn, self._rest = self._rest[:count], self._rest[count:]
        return drawn.hex()
