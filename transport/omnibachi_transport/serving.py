"""Serving in the foreground: a socket that is bound before anything else, one line when ready, and a stop in time.

The protocol adds to uvicorn's own what the boundary promises: what is no HTTP is refused in the error shape, headers
have a bound and an end in time, and a connection can be cut whose other side does not read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import h11
import orjson
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import HANDLED_SIGNALS

from .guards import ALWAYS, HEADERS_TOO_LARGE, MOST_HEADERS
from .reasons import Finding, refusal
from .strict_json import MALFORMED

STOP_SECONDS = 5.0  # for what is in hand when a server is stopped
IDLE_SECONDS = 30  # that a kept connection may be silent, or take for the headers of a request
BACKLOG = 512


def bound(host: str, port: int) -> socket.socket:
    """Bind a listening socket, at a free port for 0; raises OSError, and socket.gaierror for a host that is none."""
    family, kind, proto, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listening = socket.socket(family, kind, proto)
    try:
        if os.name == "posix":  # Elsewhere it would let two servers have one port.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def address_of(listening: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Protocol(H11Protocol):
    """uvicorn's own, with an end for slow headers, an answer for what is no HTTP, and a way to cut the line."""

    _slow: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": transport.abort}
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._at_work():
            self._forget_headers()
        elif self._slow is None:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_headers()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        # h11 keeps what it could not read; of headers that have no end that is too much, of anything else a little.
        long = len(self.conn.trailing_data[0]) > MOST_HEADERS
        found = Finding("transport.too_large", HEADERS_TOO_LARGE) if long else Finding(MALFORMED, "this is no HTTP/1.1")
        status, body = refusal([found])
        headers = [
            (b"content-type", b"application/json"), (b"connection", b"close"),
            (b"x-request-id", os.urandom(8).hex().encode()), *ALWAYS,
        ]  # fmt: skip
        response = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
        data = h11.Data(data=orjson.dumps(body))
        with contextlib.suppress(h11.LocalProtocolError):
            for part in (response, data, h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_headers(self) -> None:
        self._slow = self.loop.call_later(IDLE_SECONDS, self._too_slow)

    def _forget_headers(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _too_slow(self) -> None:
        self._slow = None
        if not self._at_work():
            self.transport.abort()


class _Server(uvicorn.Server):
    """Tells when it is ready and when it stops, and ends quietly on the signals that ask it to."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready, self._stopping = ready, stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    app: ASGIApp, listening: socket.socket, *, ready: Callable[[], None], stopping: Callable[[], None] = lambda: None
) -> float:
    """Serve until a signal asks to stop; answer what is in hand then, for `STOP_SECONDS` at most.

    `ready` is called when requests are taken, `stopping`, in the event loop, when no more are. Return the seconds that
    are left of those.
    """
    until = [0.0]

    def stop() -> None:
        until[0] = time.monotonic() + STOP_SECONDS
        stopping()

    config = uvicorn.Config(
        app, http=_Protocol, ws="none", lifespan="off", loop="asyncio", log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=int(STOP_SECONDS), h11_max_incomplete_event_size=MOST_HEADERS, backlog=BACKLOG,
    )  # fmt: skip
    with _unheard("uvicorn.error", "asyncio"):
        _Server(config, ready, stop).run(sockets=[listening])
    return max(0.0, until[0] - time.monotonic())


@contextlib.contextmanager
def _unheard(*names: str) -> Iterator[None]:
    """Let loggers say nothing: what they would tell is not one JSON line an event, and might hold what was sent."""
    loggers = [(logger, logger.disabled) for logger in map(logging.getLogger, names)]
    for logger, _ in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, before in loggers:
            logger.disabled = before
