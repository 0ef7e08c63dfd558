"""Measuring two things against each other on a machine that has other work too, and the table of what was found.

Both take turns in many short rounds, so that whatever slows the machine slows both. Of each the first decile
counts: what it costs when little else is in the way. The quartiles of the ratios of neighbours tell how calm it was.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

HEADS = ("case", "floor", "ours", "ratio", "quartiles", "allowed", "holds")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one case cost, in seconds: its floor, ours, and the quartiles of the ratios of neighbours."""

    case: str
    floor: float
    ours: float
    low: float
    high: float
    allowed: float | None

    @property
    def ratio(self) -> float:
        """How many times its floor it costs."""
        return self.ours / self.floor

    @property
    def holds(self) -> bool:
        """Whether it stays within what is allowed; what is measured for comparison alone always does."""
        return self.allowed is None or self.ratio <= self.allowed


def compared(
    case: str, allowed: float | None, floor: Callable[[], float], ours: Callable[[], float], rounds: int
) -> Measured:
    """Let both take turns, each first in every other round; both return the seconds that one time took."""
    floor(), ours()
    gc.collect()
    pairs = []
    for number in range(rounds):
        if number % 2:
            second = ours()
            first = floor()
        else:
            first = floor()
            second = ours()
        pairs.append((first, second))
    low, _, high = statistics.quantiles((b / a for a, b in pairs), n=4)
    least, most = (statistics.quantiles((pair[index] for pair in pairs), n=10)[0] for index in (0, 1))
    return Measured(case, least, most, low, high, allowed)


def timed(times: int, once: Callable[[], None]) -> Callable[[], float]:
    """Make of something that is done once what does it `times` times and returns the seconds that one took."""

    def measure() -> float:
        begun = time.perf_counter()
        for _ in range(times):
            once()
        return (time.perf_counter() - begun) / times

    return measure


def table(rows: Iterable[Measured]) -> int:
    """Print the table of what was measured; return 1 where something does not hold."""
    found = list(rows)
    lines = [
        (
            row.case, _time(row.floor), _time(row.ours), f"{row.ratio:.2f}x", f"{row.low:.2f} to {row.high:.2f}",
            *(("", "") if row.allowed is None else (f"{row.allowed:.2f}x", "yes" if row.holds else "NO")),
        )
        for row in found
    ]  # fmt: skip
    print(f"\n{machine()}\n")
    print("| " + " | ".join(HEADS) + " |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for line in lines:
        print("| " + " | ".join(line) + " |")
    return int(not all(row.holds for row in found))


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def machine() -> str:
    """Say in one line what was measured on."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{os.cpu_count()} cores of {model}, {platform.system()}, Python {platform.python_version()}, {day}"
