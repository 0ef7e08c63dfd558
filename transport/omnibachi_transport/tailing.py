"""The tail: events as they are committed, sent to whoever follows (server-sent events).

One thread watches the head and reads each new event once; every tail takes from what it read what its filters match.
Who begins further back reads pages until it is there. The cursor is the index in the whole ledger, whatever the
filters, so a reader that comes back with the last id that it saw loses and repeats nothing. One that lets 2,000 events
wait before its socket is cut off, and may come back.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeAlias

import orjson
from starlette.types import Receive, Scope, Send

from omnibachi_model.boundary_ports import Ledger
from omnibachi_model.diagnostics import Trouble

from .guards import cut
from .log_lines import Lines
from .reading import OpenLedger, Readers

MOST_TAILS = 64
BEHIND = 2000  # events that may wait before a socket
HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 0.015
AT_ONCE = 200  # events of a page that catches up
_JUMP = 200  # new events, beyond which tails read pages
_HELD = 32 << 20  # bytes of events that are held for all tails
_PIECE = 64 * 1024  # bytes that are sent at once
COMMENT = b": still here\n\n"
HEADERS = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
# What ends a line for many readers of text, and not for server-sent events: U+0085, U+2028 and U+2029.
_ENDS = tuple((end.encode(), b"\\u%04x" % ord(end)) for end in "\x85\u2028\u2029")

Frame: TypeAlias = "tuple[int, dict[str, Any], bytes]"  # index, event, what is sent


def frame_of(event: dict[str, Any]) -> Frame:
    """Return an event as it is sent."""
    index, data = event["index"], orjson.dumps(event)
    for end, escaped in _ENDS:
        data = data.replace(end, escaped)
    return index, event, b"id: %d\nevent: envelope\ndata: %b\n\n" % (index, data)


class Tails:
    """All tails of a server, and the thread that watches the head for them while there is one."""

    def __init__(
        self, open_ledger: OpenLedger, readers: Readers, lines: Lines, *, heartbeat: float = HEARTBEAT_SECONDS
    ) -> None:
        self._open_ledger, self._readers, self._lines = open_ledger, readers, lines
        self._heartbeat = heartbeat
        self._tails: set[_Tail] = set()
        self._frames: deque[Frame] = deque()  # the last events
        self._held = 0  # bytes of these
        self._length = 0  # of the ledger, as far as the watcher told
        self._wanted, self._stopped = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def free(self) -> bool:
        """Tell whether there is room for one more."""
        return len(self._tails) < MOST_TAILS and not self._stopped.is_set()

    def stop(self) -> None:
        """End all tails; called in the event loop."""
        self._stopped.set()
        self._wanted.set()
        for tail in self._tails:
            tail.news.set()
            if tail.waits_from is not None:
                cut(tail.scope)

    def close(self) -> None:
        """Wait until the watcher has ended."""
        self._stopped.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(1.0)

    async def send(
        self, scope: Scope, receive: Receive, send: Send, since: int, filters: Mapping[str, str], *, follow: bool
    ) -> None:
        """Answer a request with its tail, until its head, or until either side ends it."""
        tail = _Tail(scope, since)
        self._tails.add(tail)
        self._wake()
        gone = asyncio.create_task(_gone(receive, tail))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            async for data in self._pieces(tail, filters, follow=follow):
                tail.waits_from = self._length
                await send({"type": "http.response.body", "body": data, "more_body": True})
                tail.waits_from = None
                if tail.ended:
                    return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Trouble as trouble:
            # The answer has begun: all that is left is to end it before its time, so that the reader comes back.
            self._lines.say("tail", code=trouble.diagnostic.code)
            cut(scope)
        finally:
            gone.cancel()
            self._tails.discard(tail)
            if not self._tails and not self._stopped.is_set():
                self._wanted.clear()

    async def _pieces(self, tail: _Tail, filters: Mapping[str, str], *, follow: bool) -> AsyncIterator[bytes]:
        while not tail.ended and not self._stopped.is_set():
            held = self._frames[0][0] if self._frames else self._length
            if follow and self._length and tail.cursor + 1 >= held:
                tail.live = True
                frames = [item for item in self._frames if item[0] > tail.cursor and _matches(item[1], filters)]
                whole, reached = True, self._length - 1
            else:
                reached = self._length - 1
                found = await self._readers.ask(lambda ledger: _read(ledger, tail.cursor, filters))
                frames, whole = found, len(found) < AT_ONCE
            for data, index in _joined(frames):
                yield data
                tail.cursor = index
            if not whole:
                continue
            tail.cursor = max(tail.cursor, reached)
            if not follow:
                return
            while self._length <= tail.cursor + 1 and not tail.ended and not self._stopped.is_set():
                tail.news.clear()
                try:
                    async with asyncio.timeout(self._heartbeat):
                        await tail.news.wait()
                except TimeoutError:
                    yield COMMENT

    def _wake(self) -> None:
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._watch, args=(loop,), name="tail", daemon=True)
            self._thread.start()
        self._wanted.set()

    def _take(self, frames: list[Frame], length: int) -> None:
        """Learn in the event loop how long the ledger is now; `frames` are its last events, or there are too many."""
        if not frames or frames[0][0] != self._length:
            self._frames.clear()
            self._held = 0
        self._frames.extend(frames)
        self._held += sum(len(data) for _, _, data in frames)
        while len(self._frames) > BEHIND or self._held > _HELD:
            self._held -= len(self._frames.popleft()[2])
        self._length = length
        for tail in self._tails:
            tail.live = tail.live and bool(frames)
            tail.news.set()
            if tail.behind(length) > BEHIND:
                self._lines.say("tail", reason_code="tail.behind", request_id=tail.request_id)
                tail.ended = True
                cut(tail.scope)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Follow the head while anybody wants to know of it."""
        known = 0
        while not self._stopped.is_set():
            try:
                with self._open_ledger() as ledger:
                    while not self._stopped.wait(POLL_SECONDS):
                        self._wanted.wait()
                        known = self._look(loop, ledger, known)
            except Trouble as trouble:
                self._lines.say("tail", code=trouble.diagnostic.code)
                self._stopped.wait(1.0)
            except RuntimeError:
                return  # The event loop has ended.

    def _look(self, loop: asyncio.AbstractEventLoop, ledger: Ledger, known: int) -> int:
        length: int = ledger.head()["length"]
        if length == known:
            return known
        frames: list[Frame] = []
        if known and length - known <= _JUMP:
            frames = [frame_of(event) for event in ledger.tail(known - 1, limit=_JUMP)]
            length = frames[-1][0] + 1 if frames else length
        loop.call_soon_threadsafe(self._take, frames, length)
        return length


class _Tail:
    """One reader: the last index that it was sent, or that its filters left out."""

    __slots__ = ("cursor", "ended", "live", "news", "scope", "waits_from")

    def __init__(self, scope: Scope, since: int) -> None:
        self.scope = scope
        self.cursor = since
        self.live = False  # it takes what the watcher read
        self.ended = False
        self.news = asyncio.Event()
        self.waits_from: int | None = None  # the length of the ledger when what it is being sent was

    @property
    def request_id(self) -> str | None:
        found: str | None = self.scope["state"].get("request_id")
        return found

    def behind(self, length: int) -> int:
        """Return how many events wait before its socket; one that reads old pages is behind by what comes meanwhile."""
        if self.live:
            return length - 1 - self.cursor
        return 0 if self.waits_from is None else length - self.waits_from


async def _gone(receive: Receive, tail: _Tail) -> None:
    """Notice that the other side has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    tail.ended = True
    tail.news.set()


def _read(ledger: Ledger, since: int, filters: Mapping[str, str]) -> list[Frame]:
    return [frame_of(event) for event in ledger.tail(since, filters, limit=AT_ONCE)]


def _matches(event: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    return all(event[name] == value for name, value in filters.items())


def _joined(frames: list[Frame]) -> list[tuple[bytes, int]]:
    """Join frames into pieces, each with the index of its last one."""
    found: list[tuple[bytes, int]] = []
    waiting: list[bytes] = []
    size = 0
    for index, _, data in frames:
        waiting.append(data)
        size += len(data)
        if size >= _PIECE:
            found.append((b"".join(waiting), index))
            waiting, size = [], 0
    if waiting:
        found.append((b"".join(waiting), frames[-1][0]))
    return found
