"""Clients that read, and can do nothing else: there is no way to make them send anything but GET.

`Reader` asks one server from a thread, `Source` is an observer's, in an event loop: pages of a gateway's ledger, and
its tail. Whatever answers is read with limits, follows no redirection and goes through no proxy.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2
import orjson

from .whole_answers import CONNECT_SECONDS, SECONDS, Unanswered, asked, client_of, unanswered

if TYPE_CHECKING:
    from omnibachi_model.values import JSON

LARGEST = 256 << 20  # bytes of a page: 1,000 events with messages of 64 KiB find room
LARGEST_VALUE = 16 << 20  # bytes of another answer
LARGEST_FRAME = 4 << 20  # bytes of an event of a tail
QUIET_SECONDS = 20.0  # that a tail may be silent: it comments every 15 s
_IDENTITY = {"accept-encoding": "identity"}


class Reader:
    """Asks one server, GET alone; a context manager, for one thread. `token` goes along as a bearer's."""

    def __init__(self, url: str, *, token: str | None = None, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/")
        self._seconds = seconds
        self._client = client_of(_headers(token, "application/json"), seconds)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> tuple[int, JSON]:
        """Ask for a path, which is quoted here; return the status and the value that came. Raises Unanswered."""
        return asked(
            self._client, "GET", self.url, quote(path), seconds=self._seconds, most=LARGEST_VALUE,
            params=dict(parameters or {}),
        )  # fmt: skip


class Source:
    """A gateway's ledger, to be read in an event loop. Close it with `aclose`."""

    def __init__(self, url: str, *, token: str | None = None, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/")
        self._client = httpx2.AsyncClient(
            headers=_headers(token, "application/json"), trust_env=False, follow_redirects=False,
            timeout=httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        )  # fmt: skip

    async def page(self, limit: int, **query: str | int) -> dict[str, Any]:
        """Return a page of `/snapshot`. Raises Unanswered, also for an answer that is no page."""
        found = bytearray()
        try:
            async with self._client.stream("GET", f"{self.url}/snapshot", params={"limit": limit, **query}) as answer:
                async for piece in answer.aiter_raw():
                    found += piece
                    if len(found) > LARGEST:
                        raise Unanswered(self.url, f"its page is larger than {LARGEST} bytes")
            page = orjson.loads(found) if answer.status_code == 200 else None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise unanswered(self.url, error) from None
        if page is None:
            raise Unanswered(self.url, f"it answers with status {answer.status_code}")
        if type(page) is not dict or type(page.get("events")) is not list or type(page.get("length")) is not int:
            raise Unanswered(self.url, "its answer is no page")
        return page

    async def tail(self, since: int) -> AsyncGenerator[list[Any]]:
        """Give the events after an index as they come, those together that come together; none for a sign of life, of
        which the first comes when the gateway begins to answer.

        Ends where the gateway ends it. Raises Unanswered.
        """
        waiting = bytearray()
        quiet = httpx2.Timeout(SECONDS, connect=CONNECT_SECONDS, read=QUIET_SECONDS)
        headers = {"accept": "text/event-stream"}
        try:
            async with self._client.stream(
                "GET", f"{self.url}/tail", params={"since": since}, headers=headers, timeout=quiet
            ) as answer:
                if answer.status_code != 200:
                    raise Unanswered(self.url, f"its tail is answered with status {answer.status_code}")
                yield []
                async for piece in answer.aiter_raw():
                    waiting += piece
                    whole, found, rest = waiting.rpartition(b"\n\n")
                    if len(rest) > LARGEST_FRAME:
                        raise Unanswered(self.url, f"an event of its tail is larger than {LARGEST_FRAME} bytes")
                    waiting = rest
                    yield events_of(bytes(whole)) if found else []
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise unanswered(self.url, error) from None

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def events_of(frames: bytes) -> list[Any]:
    """Return what whole frames of a tail hold as JSON; raises ValueError for what is none. Comments hold nothing."""
    return [orjson.loads(line[5:]) for line in frames.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data:")]


def _headers(token: str | None, accept: str) -> dict[str, str]:
    return {"accept": accept, **_IDENTITY, **({} if token is None else {"authorization": f"Bearer {token}"})}
