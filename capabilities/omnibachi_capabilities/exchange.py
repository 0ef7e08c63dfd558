"""One HTTP exchange with a checked address: connect, send, read one whole answer, all within a time and within limits.

The name is resolved once, every address is judged, and the connection goes to one that passed, so that a name cannot
mean another address at the call than at the check. Nothing is kept open, no proxy is asked, no redirection followed.
What goes wrong before the first byte of the request is sent is `Unsent`; afterwards nobody knows, which is `Unsure`.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import selectors
import socket
import ssl
import threading
import time

from omnibachi_model.hosts import reachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from omnibachi_model.hosts import Place
    from omnibachi_model.ports import Call

MOST_BODY = 1024 * 1024  # of a request and of an answer
MOST_HEADERS = 64 * 1024  # of an answer
PIECE = 64 * 1024
LOOK = 0.25  # seconds between two looks whether a call that is under way is still wanted
SECONDS = 30.0  # of a call without a deadline, and the most of any


class Closed(Exception):
    """No address of the host may be reached."""


class Unsent(Exception):
    """Nothing of the request left; the reason in one word or two."""


class Unsure(Exception):
    """Something of the request may have left, and no whole answer came."""


class Reply:
    """One whole answer: status, headers (names in lower case), body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def never() -> bool:
    """Tell that nobody asks that a call be cut."""
    return False


def exchange(
    place: Place,
    hosts: Iterable[str],
    method: str,
    request: bytes,
    seconds: float,
    cancelled: Callable[[], bool] = never,
) -> Reply:
    """Send a request, written out whole, to the host of `place` and read the answer, all in so many seconds.

    `hosts` are those that the domain declares; `cancelled`, asked a few times a second, cuts the exchange. Raises
    Closed, Unsent and Unsure.
    """
    end = until(seconds)
    if seconds <= 0:
        raise Unsent("no-time")
    connection = connected(place, tuple(hosts), end, cancelled)
    try:
        with watched(lambda: connection, end, cancelled) as cut:
            connection.sendall(request)
            reply = _read(connection, method)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unsure from error
    finally:
        connection.close()
    if cut.is_set():
        raise Unsure
    return reply


def seconds_of(call: Call) -> float:
    """Return for how long a call may go on: to its deadline, and no longer than half a minute."""
    if call.deadline is None:
        return SECONDS
    # A little more, so that what comes just at the deadline has come after it.
    return min((call.deadline - call.clock.now_ns()) / 1e9 + 0.001, SECONDS)


def until(seconds: float) -> float:
    """Return the instant, by the clock of this process, so many seconds from now."""
    return time.monotonic() + seconds


@contextlib.contextmanager
def watched(
    connection: Callable[[], socket.socket], end: float, cancelled: Callable[[], bool] = never
) -> Iterator[threading.Event]:
    """Cut a connection when its time is over, or somebody asks for it; give what tells whether that was done.

    Limits of a socket hold for each piece alone: one that drips would never end.
    """
    cut, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(max(min(end - time.monotonic(), LOOK), 0.001)):
            if time.monotonic() >= end or cancelled():
                cut.set()
                # Not by its own method, which of TLS would take the session from whoever reads from it just now.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection(), socket.SHUT_RDWR)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield cut
    finally:
        over.set()
        # What it asks belongs to whoever waits here.
        watcher.join()


def connected(place: Place, hosts: tuple[str, ...], end: float, cancelled: Callable[[], bool] = never) -> socket.socket:
    """Connect to the first address that may be reached and answers, over TLS where the scheme says so.

    Raises Closed and Unsent.
    """
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unsent("no-address") from error
    allowed = [entry for entry in found if reachable(place, str(entry[4][0]), hosts)]
    if not allowed:
        raise Closed
    for left, (family, kind, protocol, _, address) in zip(range(len(allowed), 0, -1), allowed, strict=True):
        # One that says nothing leaves time for the others.
        share = until((end - time.monotonic()) / left)
        try:
            return _opened(place, socket.socket(family, kind, protocol), address, share, end, cancelled)
        except ssl.SSLError as error:
            raise Unsent("no-trust") from error
        except OSError:
            continue
    raise Unsent("no-connection")


def _opened(
    place: Place, plain: socket.socket, address: Any, share: float, end: float, cancelled: Callable[[], bool]
) -> socket.socket:
    """Connect to one address until `share`, and be ready to speak until `end`."""
    try:
        _reached(plain, address, share, cancelled)
        plain.settimeout(max(end - time.monotonic(), 0.001))
        return secured(plain, place.host, end, cancelled) if place.scheme == "https" else plain
    except BaseException:
        plain.close()
        raise


def _reached(plain: socket.socket, address: Any, share: float, cancelled: Callable[[], bool]) -> None:
    """Connect, looking now and then whether that is still wanted; raises OSError and Unsent."""
    plain.setblocking(False)
    code = plain.connect_ex(address)
    with selectors.DefaultSelector() as selector:
        selector.register(plain, selectors.EVENT_WRITE)
        while code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            left = share - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if selector.select(min(left, LOOK)):
                code = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            elif cancelled():
                raise Unsent("cancelled")
    if code:
        raise OSError(code, "no connection")


def secured(plain: socket.socket, host: str, end: float, cancelled: Callable[[], bool] = never) -> ssl.SSLSocket:
    """Go over to TLS with a host that proves its name, until an instant; raises OSError."""
    context = ssl.create_default_context()
    spoken = context.wrap_socket(
        plain, server_hostname=host, suppress_ragged_eofs=False, do_handshake_on_connect=False
    )  # fmt: skip
    try:
        with watched(lambda: spoken, end, cancelled):
            spoken.do_handshake()
    except BaseException:
        spoken.close()
        raise
    return spoken


def _read(connection: socket.socket, method: str) -> Reply:
    """Read one answer; raises Unsure, OSError, HTTPException and ValueError for what is none, or too large."""
    response = http.client.HTTPResponse(_Heard(connection), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        pairs = response.getheaders()
        broken = response.status < 200 or bool(response.headers.defects)
        if broken or sum(len(name) + len(value) for name, value in pairs) > MOST_HEADERS:
            raise Unsure
        _sized(response.headers.get_all("content-length", []), response.headers.get_all("transfer-encoding", []))
        parts: list[bytes] = []
        size = 0
        while piece := response.read(PIECE):
            parts.append(piece)
            size += len(piece)
            if size > MOST_BODY:
                raise Unsure
        if response.length:
            raise Unsure  # the connection ended before its body did
        headers: dict[str, str] = {}
        for name, value in pairs:
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        return Reply(response.status, headers, b"".join(parts))
    finally:
        response.close()


class _Heard:
    """A connection as `http.client` reads it: through lines that have their end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def makefile(self, mode: str) -> _Lines:
        return _Lines(self._connection.makefile("rb", buffering=0))


class _Lines(io.BufferedReader):
    """What the other side says; a line that breaks off is none, where `http.client` would take it for the last one."""

    def readline(self, size: int | None = -1) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n"):
            raise Unsure
        return line


def _sized(lengths: list[str], codings: list[str]) -> None:
    """Refuse an answer whose end different readers would see at different places."""
    if codings and (lengths or [item.strip().lower() for item in codings] != ["chunked"]):
        raise Unsure
    if len(set(lengths)) > 1 or any(not (item.isascii() and item.isdecimal()) for item in lengths):
        raise Unsure
