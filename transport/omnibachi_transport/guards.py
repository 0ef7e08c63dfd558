"""What stands before every route: limits, who asks from where, what they may, an id and a log line for each request.

Without tokens only this machine may ask: the `Host` must name loopback, so that no name that leads here by DNS does,
and a page of another origin is refused. With tokens who asks is what the token says, and nothing in a request changes
it. A crash behind the guards is an answer in the error shape, and its line in the log.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import refused_for
from .drawn_ids import Draws
from .log_lines import Lines
from .reasons import Finding

MOST_HEADERS = 16 * 1024  # bytes
MOST_BODY = 256 * 1024
DRAINED = 16 * MOST_BODY  # of a body that is too large, so that who sends it can read the answer
BODY_SECONDS = 30.0  # to send a body
HEADERS_TOO_LARGE = f"the headers are larger than {MOST_HEADERS} bytes"
INTENT, READ, INGEST = "intent", "read", "ingest"
_ID = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?\Z")
_LOOPBACK = re.compile(r"(?:127(?:\.[0-9]{1,3}){3}|localhost|\[::1\])(?::[0-9]{1,5})?\Z", re.IGNORECASE)
_METHODS = ("GET", "HEAD", "POST")
ALWAYS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
_BODY_TOO_LARGE = f"the body is larger than {MOST_BODY} bytes"


class Identify(Protocol):
    """Who may ask: the identity that an `Authorization` header proves, or what is wrong with it."""

    def identify(self, authorization: str | None) -> dict[str, Any] | Finding:
        """Return {principal, tenant, verified, roles}, or a finding."""
        ...


class Guards:
    """ASGI middleware before all routes. `role_of` gives the role that a request needs by method and path, None for
    one that needs no identity; `tokens` is None where the local caller may do all."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        role_of: Callable[[str, str], str | None],
        tokens: Identify | None,
        local: dict[str, Any],
        lines: Lines,
    ) -> None:
        self._app = app
        self._role_of = role_of
        self._tokens = tokens
        self._local = local
        self._lines = lines
        self._draws = Draws()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = _request_id(headers.get(b"x-request-id")) or self._draws.hex(8)
        status = 0

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message.setdefault("headers", [])
                message["headers"] = [*given, (b"x-request-id", request_id.encode()), *ALWAYS]
            await send(message)

        try:
            found = self._refusal(scope, headers)
            app = self._app if found is None else refused_for(scope, found.reason_code, found.detail)
            await app(scope, receive, answered)
        except (ClientDisconnect, asyncio.CancelledError):
            raise
        except Exception as error:
            self._lines.say("defect", request_id=request_id, code="OB799", kind=type(error).__name__)
            if status:
                raise
            await refused_for(scope, "transport.internal_error", "this is a mistake of the server itself")(
                scope, receive, answered
            )
        finally:
            said = {name: state.get(name) for name in ("code", "reason_code", "trouble", "correlation_id")}
            self._lines.say("request", request_id=request_id, route=_route(scope), status=status or None, **said)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> Finding | None:
        """Say why a request may not pass, and put beside one that may who asks."""
        if _head_size(scope) > MOST_HEADERS:
            return Finding("transport.too_large", HEADERS_TOO_LARGE)
        if self._tokens is None:
            if len([1 for name, _ in scope["headers"] if name == b"host"]) != 1 or not _is_local(headers[b"host"]):
                return Finding("auth.forbidden", "without tokens the host of a request is this machine alone")
            if b"origin" in headers and headers[b"origin"].lower() != b"http://" + headers[b"host"].lower():
                return Finding("auth.forbidden", "without tokens no other origin may ask")
        role = self._role_of(scope["method"], scope["path"])
        if role is None:
            return None
        identity: dict[str, Any] | Finding = self._local
        if self._tokens is not None:
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            identity = self._tokens.identify(given[0].decode("latin-1") if len(given) == 1 else None)
        if isinstance(identity, Finding):
            return identity
        if role not in identity["roles"]:
            return Finding("auth.forbidden", f"this needs the role `{role}`")
        scope["state"]["identity"] = identity
        return None


async def body_of(request: Request) -> bytes | Finding:
    """Return the body of a request, or that it is too large. Raises ClientDisconnect, and TimeoutError for a slow one.

    Of one that is too large no more than a bound is read, and nothing is kept.
    """
    body, size = bytearray(), 0
    async with asyncio.timeout(BODY_SECONDS):
        async for piece in request.stream():
            size += len(piece)
            if size > DRAINED:
                break
            if size <= MOST_BODY:
                body += piece
    return bytes(body) if size <= MOST_BODY else Finding("transport.too_large", _BODY_TOO_LARGE)


def cut(scope: Scope) -> None:
    """Cut the line of a request, whatever waits to be sent over it."""
    abort = scope.get("state", {}).get("abort")
    if abort is not None:
        abort()


def _head_size(scope: Scope) -> int:
    """Return how many bytes the first line of a request and its headers are, with what stands between them."""
    headers = sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"])
    return headers + len(scope["raw_path"]) + len(scope["query_string"])


def _request_id(given: bytes | None) -> str | None:
    text = (given or b"").decode("latin-1")
    return text if _ID.match(text) else None


def _is_local(host: bytes) -> bool:
    return _LOOPBACK.match(host.decode("latin-1")) is not None


def _route(scope: Scope) -> str | None:
    """Name the route, without what a caller wrote for a path or a method."""
    path = getattr(scope.get("route"), "path", None)
    return path and f"{scope['method'] if scope['method'] in _METHODS else 'other'} {path}"
