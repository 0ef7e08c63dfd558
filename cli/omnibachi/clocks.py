"""Where time and chance come from outside of tests, and the ids that are drawn from them."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from omnibachi_model.ports import Clock, Entropy


class SystemClock:
    """The machine's clock."""

    __slots__ = ("now_ns",)

    def __init__(self) -> None:
        self.now_ns: Callable[[], int] = time.time_ns


class SystemEntropy:
    """The machine's source of random bytes."""

    __slots__ = ("draw",)

    def __init__(self) -> None:
        self.draw: Callable[[int], bytes] = os.urandom


def draw_trace_id(now_ns: int, started_at: str, entropy: Entropy) -> str:
    """Draw the id of a run that starts at `now_ns` (`started_at` as text): ids sort by time, to the microsecond.

    For instance `20260101T000000123456-9f86d081`.
    """
    date, clock = started_at[:10].replace("-", ""), started_at[11:19].replace(":", "")
    return f"{date}T{clock}{now_ns // 1000 % 1_000_000:06}-{entropy.draw(4).hex()}"


def new_trace_id(clock: Clock, entropy: Entropy) -> str:
    """Draw the id of a run that starts now."""
    from omnibachi_model.formats import write_time

    now_ns = clock.now_ns()
    return draw_trace_id(now_ns, write_time(now_ns), entropy)
