"""Remembering a fold while it goes on: written in a thread of its own, seldom enough to cost next to nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

LEAST_SECONDS = 5.0  # between two times
SHARE = 50  # of the time, at most one part in so many is spent on it


async def remember(last_index: Callable[[], int], said: Callable[[], Any], keep: Callable[[Any], None]) -> None:
    """Keep what is said of a fold whenever there is more of it, until this is cancelled.

    `said` is called in the event loop and returns what nothing changes later; `keep` writes that in a thread.
    """
    kept = last_index()
    pause = LEAST_SECONDS
    while True:
        await asyncio.sleep(pause)
        if last_index() != kept:
            kept, began = last_index(), time.monotonic()
            await asyncio.to_thread(keep, said())
            pause = max(LEAST_SECONDS, SHARE * (time.monotonic() - began))
