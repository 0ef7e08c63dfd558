"""A real server next door, on a port that the system chose, that answers as the path asks: well, late, not at all.

It counts what was *done*: an asking that acts with an `Idempotency-Key` is done once for each key, and answered with
what came of it the first time; without a key each is done. `asked` is everything that arrived.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class House(socketserver.ThreadingTCPServer):
    """The server; a context manager that stops it and every answer that is under way."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.port: int = self.server_address[1]
        self.asked: list[Asked] = []
        self.done: list[str] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def base(self) -> str:
        """The URL of its root, without the last slash."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> House:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def forget(self) -> None:
        """Begin anew."""
        with self.lock:
            self.asked, self.done, self._numbers = [], [], {}

    def act(self, asked: Asked) -> int:
        """Do what is asked, once for each key; return which of all that was done it is."""
        with self.lock:
            key = asked.headers.get("idempotency-key", f"none {len(self.done)}")
            if key not in self._numbers:
                self.done.append(f"{asked.method} {asked.target}")
                self._numbers[key] = len(self.done)
            return self._numbers[key]

    def handle_error(self, *_: Any) -> None:
        """Say nothing: whoever asks may hang up."""


def answer(body: bytes, status: str = "200 OK", kind: str = "application/json", *more: str) -> bytes:
    """Write a whole answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Write an answer in chunks; with another `end` it breaks off."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


WHOLE = answer(b"{}")
# What is sent after the asking was done, by path; nothing more comes then.
SENT: dict[str, bytes] = {
    "/nothing": b"",
    "/twice": answer(b'{"n":1}') + answer(b'{"n":2}'),
    "/garbage": bytes(range(256)) * 4,
    "/half-a-line": b"HTTP/1.1 20",
    "/no-head": b"HTTP/1.1 200 OK\r\n",
    "/words-in-the-head": b"HTTP/1.1 200 OK\r\nnot a header\r\n\r\n{}",
    "/half-a-head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "/no-status": b"HTTP/1.1 abc OK\r\n\r\n",
    "/other-protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    "/two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nabcd",
    "/length-and-chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    "/no-length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nab",
    "/broken-chunk": chunked(b"ab", end=b"zz\r\n"),
    "/chunks-that-stop": chunked(b"ab", end=b""),
    "/zipped-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "/hints": b"HTTP/1.1 103 Early Hints\r\n\r\n" + WHOLE,
    "/long-line": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    "/many-lines": b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n",
    "/large-head": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: %b\r\n" % (n, b"x" * 4000) for n in range(20)) + b"\r\n",
    "/huge": b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 4_000_000,
    "/huge-chunks": chunked(*[b"x" * 100_000] * 20),
    "/chunks": chunked(b"one ", b"and two"),
    "/text": answer("grün".encode(), "200 OK", "text/plain; charset=utf-8"),
    "/bytes": answer(b"\xff\x00", "200 OK", "image/png"),
    "/wide": answer(b'{"n": 123456789012345678901234567890}'),
    "/nan": answer(b"[NaN]"),
    "/error": answer(b'{"what": "no"}', "503 Service Unavailable", "application/problem+json; charset=utf-8"),
    "/empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/until-closed": b"HTTP/1.0 200 OK\r\n\r\nall of it",
    "/cookies": answer(b"", "200 OK", "text/plain", "Set-Cookie: a=1", "set-cookie: b=2", "X-Latin: \xe9"),
    "/moved": answer(b"", "302 Found", "text/plain", "Location: http://127.0.0.1:1/elsewhere"),
}
BROKEN = (
    "/nothing", "/garbage", "/half-a-line", "/half-a-head", "/no-head", "/words-in-the-head", "/no-status",
    "/other-protocol", "/short", "/two-lengths", "/length-and-chunks", "/no-length", "/broken-chunk",
    "/chunks-that-stop", "/zipped-chunks", "/hints", "/long-line", "/many-lines", "/large-head", "/huge",
    "/huge-chunks",
)  # fmt: skip


class _Visit(socketserver.StreamRequestHandler):
    """One connection: one asking."""

    server: House
    timeout = 5

    def handle(self) -> None:
        house = self.server
        method, target, _ = self.rfile.readline().decode("latin-1").split(" ")
        headers: dict[str, str] = {}
        while (line := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        asked = Asked(method, target, headers, body)
        with house.lock:
            house.asked.append(asked)
            times = sum(item.target == target for item in house.asked)
        if target == "/before" or (target == "/before-once" and times == 1):
            return
        number = house.act(asked)
        found: Callable[[House, int], bytes | None] | None = _MOVES.get(target)
        if target == "/drip":
            self._drip()
        elif target in SENT:
            self.wfile.write(SENT[target])
        elif found is None or found(house, times) is not None:
            self.wfile.write(answer(json.dumps({"n": number}).encode()))

    def _drip(self) -> None:
        """Send a byte every now and then, for ever."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not self.server.closing.wait(0.01):
            self.wfile.write(b".")


def _after_once(_: House, times: int) -> bytes | None:
    return None if times == 1 else b""


def _late(house: House, _: int) -> bytes | None:
    return None if house.closing.wait(0.6) else b""


def _never(house: House, _: int) -> bytes | None:
    house.closing.wait(60)
    return None


def _never_once(house: House, times: int) -> bytes | None:
    return _never(house, times) if times == 1 else b""


_MOVES = {"/after-once": _after_once, "/late": _late, "/never": _never, "/never-once": _never_once}
