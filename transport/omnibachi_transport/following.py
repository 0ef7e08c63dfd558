"""The observer's reader: it pages to the head of a gateway's ledger, follows its tail, and polls while that is broken.

Every page begins with an event that is held already, so that each answer proves that the past is still the one that was
folded. While the tail is followed, one page a second looks at the past, a little further each time and from the
beginning again at its end; it tells how long the ledger is and that the gateway answers, too. All of it happens in one
event loop, where folding is never interrupted: there is nothing to lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any

from omnibachi_model.boundary_ports import Projection

from .clients import Source
from .log_lines import Lines
from .whole_answers import Unanswered

AT_ONCE = 1000  # events of a page on the way to the head
FEW = 100  # events of a page that looks at the past
POLL_SECONDS = 0.1  # between two attempts while the tail is broken
LOOK_SECONDS = 1.0  # between two looks at the past, and at an event at which the fold stopped

Told = Callable[[Sequence[dict[str, Any]]], None]


class Follower:
    """Follows one gateway and folds what it tells. `told` is called with what was folded, in the event loop."""

    def __init__(self, source: Source, projection: Projection, lines: Lines, told: Told) -> None:
        self._source = source
        self._projection = projection
        self._lines = lines
        self._told = told
        self._task: asyncio.Task[None] | None = None
        self._looked = -1  # the index up to which the past was looked at
        self._tailing = False  # the tail has begun to answer
        self._state = ""

    @property
    def alive(self) -> bool:
        """Tell whether it is at work."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._projection.answered(_now_ms())
        self._task = asyncio.get_running_loop().create_task(self._follow(), name="follower")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._source.aclose()

    async def _follow(self) -> None:
        while True:
            pause, caught_up = POLL_SECONDS, False
            try:
                await self._catch_up()
                caught_up = True
                if self._projection.stopped is None:
                    await self._along_the_tail()
                if self._projection.stopped is not None:
                    pause = LOOK_SECONDS
            except Unanswered as silent:
                self._say("polling" if caught_up else "silent", because=silent.because)
            except Exception as error:
                self._lines.say("defect", code="OB799", kind=type(error).__name__)
                pause = LOOK_SECONDS
            await asyncio.sleep(pause)

    async def _catch_up(self) -> None:
        """Page to the head from what is held, or from where the fold stopped; the next page comes meanwhile."""
        stop = self._projection.stopped
        last = self._projection.last_index
        after = max(min(last, last if stop is None else stop.at_index) - 1, -1)
        asking = self._ask(after, AT_ONCE)
        try:
            while True:
                held, page = await asking
                whole = len(page["events"]) >= AT_ONCE
                if whole:
                    asking = self._ask(after + AT_ONCE, AT_ONCE)
                self._take(page, after, AT_ONCE, held)
                if not whole or self._projection.stopped is not None:
                    return
                after += AT_ONCE
        finally:
            asking.cancel()

    async def _along_the_tail(self) -> None:
        """Follow the tail until it breaks or the fold stops, and look at the past meanwhile."""
        self._tailing = False
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._along(), name="tail"), loop.create_task(self._look_back(), name="looking")]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _along(self) -> None:
        async with aclosing(self._source.tail(max(self._projection.last_index - 1, -1))) as tail:
            async for events in tail:
                if not self._tailing:
                    self._tailing = True
                    self._say("following")
                self._projection.answered(_now_ms())
                if events:
                    self._tell(self._projection.fold(events))
                if self._projection.stopped is not None:
                    return

    async def _look_back(self) -> None:
        """Look at the past, piece after piece, or at the head until the tail begins. End where the tail is behind."""
        behind = -1
        while self._projection.stopped is None:
            last = self._projection.last_index
            if not self._tailing:
                await asyncio.sleep(POLL_SECONDS)
                held, page = await self._ask(max(last - 1, -1), AT_ONCE)
                self._take(page, max(last - 1, -1), AT_ONCE, held)
                continue
            await asyncio.sleep(LOOK_SECONDS)
            after = self._looked if self._looked < self._projection.last_index else -1
            held, page = await self._ask(after, FEW)
            self._take(page, after, FEW, held)
            self._looked = after + len(page["events"])
            last = self._projection.last_index
            if page["length"] - 1 <= last:
                behind = -1
            elif behind == last:
                return
            else:
                behind = last

    def _ask(self, after: int, limit: int) -> asyncio.Task[tuple[int, dict[str, Any]]]:
        """Ask for a page; with it comes how many events were held when it was asked for."""
        held = self._projection.last_index + 1

        async def ask() -> tuple[int, dict[str, Any]]:
            page = await self._source.page(limit, after=after)
            self._projection.answered(_now_ms())
            return held, page

        task = asyncio.get_running_loop().create_task(ask())
        # What nobody waits for any more may fail unheard.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    def _take(self, page: dict[str, Any], after: int, limit: int, held: int) -> None:
        self._tell(self._projection.page(page, after, limit, held))

    def _tell(self, fresh: Sequence[dict[str, Any]]) -> None:
        stop = self._projection.stopped
        if stop is not None:
            self._say(f"stopped.{stop.what}", index=stop.at_index)
        if fresh:
            self._told(fresh)

    def _say(self, event: str, **ids: Any) -> None:
        """Write a line where something is otherwise than before."""
        if event != self._state:
            self._state = event
            self._lines.say(event, **ids)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
