"""The one client here that may change something: it posts intents to a gateway, and nothing to anybody else.

What answers is read with limits, so that a server that stalls or never ends holds nobody up and fills no memory: no
redirections, no proxies, no more than 1 MiB, and neither a silence nor a body for ever. Reading, of both servers, is
the business of `clients`, which has GET only.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx2

from omnibachi_model.digests import encode
from omnibachi_model.values import Outside, parse

if TYPE_CHECKING:
    from omnibachi_model.values import JSON

INGRESS = "/ingress/intent"
LARGEST = 1 << 20  # bytes of an answer
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


class Intents:
    """Posts intents to one gateway; a context manager. `token` goes along as a bearer's, and is in no message."""

    def __init__(self, url: str, *, token: str | None = None, seconds: float = SECONDS) -> None:
        headers = {"accept": "application/json", "accept-encoding": "identity", "content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        self.url = url.rstrip("/")
        self._seconds = seconds
        limits = httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
        self._client = httpx2.Client(headers=headers, timeout=limits, trust_env=False, follow_redirects=False)

    def __enter__(self) -> Intents:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._client.close()

    def post(self, intent: dict[str, Any]) -> tuple[int, JSON]:
        """Post an intent; return the status and the value that came back. Raises Unanswered."""
        until = time.monotonic() + self._seconds
        found = bytearray()
        try:
            with self._client.stream("POST", self.url + INGRESS, content=encode(intent)) as answer:
                for piece in answer.iter_raw():
                    found += piece
                    if len(found) > LARGEST:
                        raise Unanswered(self.url, f"its answer is larger than {LARGEST} bytes")
                    if time.monotonic() > until:
                        raise Unanswered(self.url, f"its answer has no end after {self._seconds:g} s")
            return answer.status_code, parse(bytes(found), limit=LARGEST)
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, Outside) as error:
            raise unanswered(self.url, error) from None
