"""Turns: the writers of one process on one data root, one after another, and one wait for the disk for all who wait.

SQLite lets in one writer at a time. Whoever comes meanwhile sleeps and looks again, so of eight threads some sleep for
a second while others pass. Here threads write in the order in which they asked; other processes are SQLite's affair.

What must outlive a power failure is committed into the log as everything is, the turn is given up, and then the log is
flushed, once for all whose commits are in it. A commit at `synchronous=FULL` does the same, but for itself alone and
with everybody else shut out meanwhile (docs/decisions/0044).
"""

from __future__ import annotations

import os
import threading
from collections import deque

LOG_PAGES = 4000  # how far the log grows before it is moved into the database; SQLite's own measure is 1000
_flush = getattr(os, "fdatasync", os.fsync)


class Turns:
    """The order of the writers of one process on one data root; for any number of threads."""

    __slots__ = ("_commits", "_flushed", "_flushing", "_guard", "_taken", "_waiting")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._flushing = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False
        self._commits = 0
        self._flushed = 0

    def take(self, seconds: float) -> bool:
        """Wait for the turn, for so long at most; tell whether it came."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=seconds):
            return True
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True  # It was handed over just now.

    def give(self) -> None:
        """Give up the turn: to who asked next, if somebody waits."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False

    def committed(self) -> int:
        """Give up the turn after a commit; return the number of that."""
        self._commits += 1
        number = self._commits
        self.give()
        return number

    @property
    def commits(self) -> int:
        """How many commits there were."""
        return self._commits

    def flush(self, number: int, log: int) -> None:
        """Return once a commit outlives a power failure; `log` is a descriptor of the log. Raises OSError."""
        with self._flushing:
            if self._flushed >= number:
                return
            # Whoever comes in meanwhile is behind this number, and waits for the next time.
            last = self._commits
            _flush(log)
            self._flushed = last
