"""How long a call is waited for, and when it is tried again: deadlines and retries of side effects.

Each attempt is a whole of its own: what it did is undone before the next, and no transaction is open in between. Of
what came of an attempt that was not the last only the number is kept, in the event's `obs`. How long is waited follows
from the run's recorded chance, the path and the number of the attempt (docs/formats.md, "Attempts").
"""

from __future__ import annotations

from omnibachi_model.digests import digest_of
from omnibachi_model.sealed import FAULT, TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from omnibachi_model.ports import Journal

    from .walk import Walk

LONGEST_MS = 24 * 60 * 60 * 1000
MOST_RETRIES = 100
MS = 1_000_000
DIGITS = 13  # of the digest: 52 bits, which a float holds exactly


class Patience:
    """What a node declares of its attempts: outcomes that are tried again, how often, after what wait, how long each.

    Times are nanoseconds; `lasts` is None without a deadline.
    """

    __slots__ = ("backoff", "factor", "lasts", "most", "on")

    def __init__(self, lasts: int | None, on: frozenset[str], most: int, backoff: int, factor: float) -> None:
        self.lasts = lasts
        self.on = on
        self.most = most
        self.backoff = backoff
        self.factor = factor

    @staticmethod
    def of(node: dict[str, Any]) -> Patience:
        """Return what a CALL node with a retry or a deadline declares; raises ValueError."""
        retry, lasts = node.get("retry"), node.get("deadline_ms")
        if lasts is not None:
            _between("deadline", lasts, 1, LONGEST_MS)
            if TIMEOUT not in node["outcomes"]:
                raise ValueError("a deadline without the outcome TIMEOUT")
            lasts *= MS
        if retry is None:
            return Patience(lasts, frozenset(), 0, 0, 1)
        on = frozenset(retry["on"])
        if not on or not on <= node["outcomes"].keys() - {FAULT}:
            raise ValueError(f"no outcomes to try again after: {sorted(on)}")
        _between("retry", retry["max"], 1, MOST_RETRIES)
        _between("backoff", retry["backoff_ms"], 0, LONGEST_MS)
        factor = retry["factor"]
        if type(factor) not in (int, float) or not 1 <= factor <= 10:
            raise ValueError(f"no factor {factor!r}")
        return Patience(lasts, on, retry["max"], retry["backoff_ms"] * MS, factor)

    def deadline(self, run: Walk) -> int | None:
        """Return the instant after which an answer to an attempt that begins now comes too late."""
        return None if self.lasts is None else run.now_ns() + self.lasts

    def wait(self, chance: str | None, path: str, number: int) -> int:
        """Return how many nanoseconds are waited after the attempt with that number, from 1."""
        if not self.backoff:
            return 0
        drawn = int(digest_of([chance, path, number]).removeprefix("sha256:")[:DIGITS], 16) / 16**DIGITS
        return int(min(self.backoff * self.factor ** (number - 1) * (0.5 + drawn / 2), LONGEST_MS * MS))

    def answer(
        self, run: Walk, path: str, ask: Callable[[], Any], journal: Journal | None
    ) -> tuple[Any, dict[str, int]]:
        """Ask until an answer stands: (the answer of `ask`, what `obs` tells of the attempts).

        What `ask` returns is a tuple that begins with the outcome, or something else, which is never tried again. With
        a journal, a transaction is open then that holds what the last attempt did.
        """
        number, waited = 1, 0
        while True:
            if journal is not None:
                journal.begin()
            found = ask()
            if number > self.most or not isinstance(found, tuple) or found[0] not in self.on:
                break
            if journal is not None:
                journal.rollback()
            waited += run.wait(self.wait(run.chance, path, number))
            if journal is None and run.cancelled():
                break  # What was answered stands. With a journal, its next `begin` ends the walk.
            number += 1
        told = {"attempts": number} if number > 1 else {}
        if waited >= 1000:
            told["waited_us"] = waited // 1000
        return found, told


def _between(name: str, value: Any, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"no {name} {value!r}")
