"""Answers of servers, read whole and within limits: what our clients, of whatever kind, have in common.

A server that stalls or never ends holds nobody up and fills no memory: neither a silence nor a body for ever, no
redirections, no proxies.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx2

from omnibachi_model.values import Outside, parse

if TYPE_CHECKING:
    from omnibachi_model.values import JSON

SECONDS = 15.0  # for an answer, its last byte included
CONNECT_SECONDS = 3.0


class Unanswered(Exception):
    """A server did not answer, or with nothing that can be read. `because` says what happened, in few words."""

    def __init__(self, url: str, because: str) -> None:
        super().__init__(f"{url}: {because}")
        self.url = url
        self.because = because


def unanswered(url: str, error: Exception) -> Unanswered:
    """Say in few words why a server did not answer, or with nothing that can be read."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Unanswered(url, "nobody answers there")
    if isinstance(error, httpx2.TimeoutException):
        return Unanswered(url, "no answer in time")
    if isinstance(error, httpx2.HTTPError):
        return Unanswered(url, f"the connection broke ({type(error).__name__})")
    if isinstance(error, Outside):
        return Unanswered(url, f"its answer cannot be read: {error.reason}")
    if isinstance(error, httpx2.InvalidURL | UnicodeError):
        return Unanswered(url, "the url is none")
    return Unanswered(url, "its answer is no JSON")


def client_of(headers: Mapping[str, str], seconds: float) -> httpx2.Client:
    """Return a client for one thread, whose every silence is bounded by `seconds`."""
    limits = httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
    return httpx2.Client(headers=dict(headers), timeout=limits, trust_env=False, follow_redirects=False)


def asked(
    client: httpx2.Client, method: str, url: str, path: str, *, seconds: float, most: int, **sent: Any
) -> tuple[int, JSON]:
    """Ask once, within so many seconds and for `most` bytes; return the status and the value that came.

    `sent` is what the client takes besides: `params`, `content`. Raises Unanswered.
    """
    until = time.monotonic() + seconds
    found = bytearray()
    try:
        with client.stream(method, url + path, **sent) as answer:
            for piece in answer.iter_raw():
                found += piece
                if len(found) > most:
                    raise Unanswered(url, f"its answer is larger than {most} bytes")
                if time.monotonic() > until:
                    raise Unanswered(url, f"its answer has no end after {seconds:g} s")
        return answer.status_code, parse(bytes(found), limit=most)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, Outside) as error:
        raise unanswered(url, error) from None
