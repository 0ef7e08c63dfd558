"""Where time and chance come from outside of tests, and the ids that are drawn from them."""

from __future__ import annotations

import os
import time

from omnibachi_model.formats import write_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from omnibachi_model.ports import Clock, Entropy


class SystemClock:
    """The machine's clock."""

    __slots__ = ("now_ns",)

    def __init__(self) -> None:
        self.now_ns: Callable[[], int] = time.time_ns

    def pause(self, ns: int) -> None:
        """Sleep so many nanoseconds; a signal, Ctrl-C above all, ends the sleep with what it raises."""
        time.sleep(ns / 1_000_000_000)


class SystemEntropy:
    """The machine's source of random bytes."""

    __slots__ = ("draw",)

    def __init__(self) -> None:
        self.draw: Callable[[int], bytes] = os.urandom


class Stamps:
    """Gives each run of one engine its start as text and an id: ids sort by time, to the microsecond.

    An id is `20260101T000000123456-9f86d081`: the start in UTC, and a number that is drawn once and counts on, so that
    runs of one engine never share an id, whatever its clock says, and those of two seldom do.
    """

    __slots__ = ("_clock", "_entropy", "_number", "_prefix", "_second", "_text")

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._number = -1
        self._second = -1
        self._text = self._prefix = ""

    def now(self) -> tuple[int, str]:
        """Read the clock: nanoseconds since 1970, and the same as RFC 3339 text with milliseconds."""
        now_ns = self._clock.now_ns()
        second, rest = divmod(now_ns, 1_000_000_000)
        if second != self._second:
            # Kept, because an engine starts thousands of runs in one second.
            text = write_time(now_ns)
            self._text = text[:20]
            self._prefix = text[:19].replace("-", "").replace(":", "")
            self._second = second
        return now_ns, f"{self._text}{rest // 1_000_000:03}Z"

    def trace_id(self, now_ns: int) -> str:
        """Return the id of a run that starts at the instant that `now` gave last."""
        if self._number < 0:
            self._number = int.from_bytes(self._entropy.draw(4), "big")
        number = self._number
        self._number = (number + 1) & 0xFFFF_FFFF
        return f"{self._prefix}{now_ns // 1000 % 1_000_000:06}-{number:08x}"

    def draw(self) -> str:
        """Return the id of a run that starts now."""
        return self.trace_id(self.now()[0])


def new_trace_id() -> str:
    """Draw the id of a run that starts now."""
    return Stamps(SystemClock(), SystemEntropy()).draw()
