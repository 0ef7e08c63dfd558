"""The one client here that may change something: it posts intents to a gateway, and nothing to anybody else.

Reading, of both servers, is the business of `clients`, which has GET only.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from omnibachi_model.digests import encode

from .whole_answers import SECONDS, asked, client_of

if TYPE_CHECKING:
    from omnibachi_model.values import JSON

INGRESS = "/ingress/intent"
LARGEST = 1 << 20  # bytes of an answer


class Intents:
    """Posts intents to one gateway; a context manager. `token` goes along as a bearer's, and is in no message."""

    def __init__(self, url: str, *, token: str | None = None, seconds: float = SECONDS) -> None:
        headers = {"accept": "application/json", "accept-encoding": "identity", "content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        self.url = url.rstrip("/")
        self._seconds = seconds
        self._client = client_of(headers, seconds)

    def __enter__(self) -> Intents:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._client.close()

    def post(self, intent: dict[str, Any]) -> tuple[int, JSON]:
        """Post an intent; return the status and the value that came back. Raises Unanswered."""
        return asked(
            self._client, "POST", self.url, INGRESS, seconds=self._seconds, most=LARGEST, content=encode(intent)
        )
