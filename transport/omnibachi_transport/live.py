"""What an observer tells while it follows: the newest events as they were verified, and that something has changed.

The newest events are kept as bytes, within bounds; older ones are the gateway's to tell. Whoever watches is told of
changes no more often than a person can see, however many events come; what was missed between two is told by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import orjson

from .tailing import COMMENT, HEARTBEAT_SECONDS

MOST_EVENTS, MOST_BYTES = 2000, 16 << 20  # of the newest events that are kept
MOST_WATCHERS = 64
CALM_SECONDS = 0.1  # between two changes that a watcher is told
LOOK_SECONDS = 0.5  # between two looks at what changes by time alone
HEADERS = {"x-accel-buffering": "no"}
EVENT_STREAM = "text/event-stream"


class Recent:
    """The newest events of a ledger, as JSON, by their correlation."""

    def __init__(self) -> None:
        self._events: deque[tuple[str, bytes]] = deque()
        self._size = 0

    def add(self, events: Sequence[dict[str, Any]]) -> None:
        """Keep events, and forget the oldest where there are too many."""
        for event in events[-MOST_EVENTS:]:
            data = orjson.dumps(event)
            self._events.append((event["correlation_id"], data))
            self._size += len(data)
        while len(self._events) > MOST_EVENTS or self._size > MOST_BYTES:
            self._size -= len(self._events.popleft()[1])

    def of(self, correlation_id: str) -> list[dict[str, Any]]:
        """Return the kept events of a correlation."""
        return [orjson.loads(data) for correlation, data in self._events if correlation == correlation_id]


class _Watcher:
    __slots__ = ("stir", "threads")

    def __init__(self) -> None:
        self.stir = asyncio.Event()
        self.threads: set[str] = set()  # of two it is told as of many


class Watchers:
    """Everybody who watches. `severities` counts the signals that are raised now, `last_index` is the newest event."""

    def __init__(self, last_index: Callable[[], int], severities: Callable[[], dict[str, int]]) -> None:
        self._last_index = last_index
        self._severities = severities
        self._watchers: set[_Watcher] = set()
        self._ended = False

    def free(self) -> bool:
        """Tell whether there is room for one more."""
        return len(self._watchers) < MOST_WATCHERS and not self._ended

    def told(self, events: Sequence[dict[str, Any]]) -> None:
        """Take note of what was folded."""
        if self._watchers:
            threads = {event["thread_id"] for event in events}
            for watcher in self._watchers:
                if len(watcher.threads) < 2:
                    watcher.threads |= threads
                watcher.stir.set()

    def stop(self) -> None:
        """Let every stream end."""
        self._ended = True
        for watcher in self._watchers:
            watcher.stir.set()

    async def stream(self) -> AsyncIterator[bytes]:
        """Give a change at once, then one whenever something changes, and a comment where nothing does for long."""
        with self._watching() as watcher:
            shown = self._shown(None)
            yield _frame(shown)
            sent = time.monotonic()
            while not self._ended:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await watcher.stir.wait()
                watcher.stir.clear()
                threads, watcher.threads = watcher.threads, set()
                before, shown = shown, self._shown(next(iter(threads)) if len(threads) == 1 else None)
                if threads or shown["signals"] != before["signals"]:
                    yield _frame(shown)
                elif time.monotonic() - sent >= HEARTBEAT_SECONDS:
                    yield COMMENT
                else:
                    continue
                sent = time.monotonic()
                await asyncio.sleep(CALM_SECONDS)

    @contextlib.contextmanager
    def _watching(self) -> Iterator[_Watcher]:
        watcher = _Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def _shown(self, thread_id: str | None) -> dict[str, Any]:
        return {"last_index": self._last_index(), "thread_id": thread_id, "signals": self._severities()}


def _frame(value: dict[str, Any]) -> bytes:
    return b"event: change\ndata: %b\n\n" % orjson.dumps(value)
