"""Reading the ledger for whoever asks: a small pool of threads with a handle each, so that the event loop never waits
for the database; and the query parameters of the routes that read."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from omnibachi_model.boundary_ports import Ledger
from omnibachi_model.decisions import KINDS
from omnibachi_model.diagnostics import Trouble

from .queries import MOST_INTEGER, integer

T = TypeVar("T")
OpenLedger: TypeAlias = "Callable[[], AbstractContextManager[Ledger]]"

READERS = 2
USUAL, MOST = 200, 2000  # events of a page
LONGEST = 128  # characters of an id
# What an id can be: nobody has another, and no database is asked for one.
ID: dict[str, Any] = {
    "type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
}  # fmt: skip
_EVERYWHERE = {"stream_id": ID, "lane": ID, "thread_id": ID}
SNAPSHOT: dict[str, Any] = {
    "limit": {**integer(1, MOST, "most events of the page"), "default": USUAL},
    "offset": integer(0, description="the page begins here, counted in matching events; without it, the newest events"),
    "after": integer(-1, description="events with a greater index; not together with `offset`"),
    **_EVERYWHERE,
    "correlation_id": ID,
    "kind": {"type": "string", "enum": list(KINDS)},
}
STATUS: dict[str, Any] = {"correlation_id": ID}
TIMELINE: dict[str, Any] = {"include_payload": {"type": "string", "enum": ["0", "1"], "default": "0"}}
TAIL: dict[str, Any] = {
    "since": {**integer(-1, MOST_INTEGER, "events with a greater index; `Last-Event-ID` wins"), "default": -1},
    **_EVERYWHERE,
    "follow": {"type": "string", "enum": ["0", "1"], "default": "1", "description": "`0` ends at the head"},
}
_FILTERS = ("stream_id", "lane", "thread_id", "correlation_id", "kind")


class Readers:
    """Handles for reading, and the threads that use them. One that failed is opened anew when it is needed next: the
    database may be there again. Close them when nobody asks any more."""

    def __init__(self, open_ledger: OpenLedger, count: int = READERS) -> None:
        """Open all handles; raises Trouble."""
        self._free: SimpleQueue[_Handle] = SimpleQueue()
        self._handles = [_Handle(open_ledger) for _ in range(count)]
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="reader")
        try:
            for handle in self._handles:
                handle.open()
                self._free.put(handle)
        except BaseException:
            self.close()
            raise

    def now(self, question: Callable[[Ledger], T]) -> T:
        """Ask in this thread; raises Trouble."""
        handle = self._free.get()
        try:
            return question(handle.open())
        except Trouble:
            handle.close()
            raise
        finally:
            self._free.put(handle)

    async def ask(self, question: Callable[[Ledger], T]) -> T:
        """Ask in a thread of the pool; raises Trouble."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.now, question)

    def close(self) -> None:
        """Close all handles, once every question is answered."""
        self._pool.shutdown()
        for handle in self._handles:
            handle.close()


class _Handle:
    """A ledger that is opened when it is asked for."""

    __slots__ = ("_entered", "_ledger", "_open")

    def __init__(self, open_ledger: OpenLedger) -> None:
        self._open = open_ledger
        self._entered: AbstractContextManager[Ledger] | None = None
        self._ledger: Ledger | None = None

    def open(self) -> Ledger:
        if self._ledger is None:
            entered = self._open()
            self._ledger = entered.__enter__()
            self._entered = entered
        return self._ledger

    def close(self) -> None:
        entered, self._entered, self._ledger = self._entered, None, None
        if entered is not None:
            with contextlib.suppress(Trouble):
                entered.__exit__(None, None, None)


def is_id(text: str) -> bool:
    """Tell whether a text can be an id."""
    return 1 <= len(text) <= LONGEST and re.search(ID["pattern"], text) is not None


def filters_of(query: Mapping[str, Any]) -> dict[str, str]:
    """Return what of a query's values filters events."""
    return {name: query[name] for name in _FILTERS if name in query}
