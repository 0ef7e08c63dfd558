"""The clients of both servers before answers that are none: whatever comes, they end in time and say in words why."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from omnibachi_transport.clients import Reader
from omnibachi_transport.intents import LARGEST, Intents
from omnibachi_transport.whole_answers import Unanswered

TOKEN = "omnibachi_t0ken-of-somebody"
OK = b"HTTP/1.1 200 OK\r\n"


@contextlib.contextmanager
def answering(pieces: Callable[[], Iterator[bytes]]) -> Iterator[tuple[str, list[bytes]]]:
    """Answer every connection with pieces of bytes, whatever was asked; what was asked is kept."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                with line, contextlib.suppress(OSError):
                    line.settimeout(5)
                    asked.append(_request(line))
                    for piece in pieces():
                        line.sendall(piece)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _request(line: socket.socket) -> bytes:
    """Read one request whole: a line that is closed over what was not read breaks off what was sent."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(1 << 16)
    length = re.search(rb"content-length: (\d+)", data.lower())
    while length and len(data.split(b"\r\n\r\n", 1)[1]) < int(length[1]):
        data += line.recv(1 << 16)
    return data


def drip() -> Iterator[bytes]:
    yield OK + b"\r\n"
    for _ in range(100):
        time.sleep(0.05)
        yield b" "


def endless() -> Iterator[bytes]:
    yield OK + b"\r\n"
    while True:
        yield b" " * (1 << 20)


def silence() -> Iterator[bytes]:
    time.sleep(0.7)
    yield b""


def once(data: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([data])


ANSWERS: dict[str, tuple[Callable[[], Iterator[bytes]], str]] = {
    "nothing": (once(b""), "broke"),
    "noise": (once(b"\x00\xff\r\n\r\n"), "broke"),
    "half": (once(OK + b"content-length: 50\r\n\r\n{"), "broke"),
    "chunks": (once(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n"), "broke"),
    "headers": (once(OK + b"a: " + b"x" * (1 << 20)), "broke"),
    "latin": (once(OK + b"\r\n" + b'{"a": "\xe9"}'), "cannot be read"),
    "twice": (once(OK + b"\r\n" + b'{"a": 1, "a": 2}'), "cannot be read"),
    "deep": (once(OK + b"\r\n" + b"[" * 5000 + b"]" * 5000), "cannot be read"),
    "packed": (once(OK + b"content-encoding: gzip\r\n\r\n\x1f\x8b\x08"), "cannot be read"),
    "drip": (drip, "no end"),
    "endless": (endless, "larger than"),
    "silence": (silence, "in time"),
}


@pytest.mark.parametrize("name", list(ANSWERS))
def test_an_answer_that_is_none_is_told_in_words(name: str) -> None:
    pieces, because = ANSWERS[name]
    with answering(pieces) as (url, asked):
        for ask in (
            lambda: Intents(url, token=TOKEN, seconds=0.5).post({"a": 1}),
            lambda: Reader(url, token=TOKEN, seconds=0.5).get("/status"),
        ):
            with pytest.raises(Unanswered) as caught:
                ask()
            assert because in caught.value.because and caught.value.url == url
            assert TOKEN not in str(caught.value) and "\n" not in caught.value.because
    assert [data.split(b" ")[:2] for data in asked] == [[b"POST", b"/ingress/intent"], [b"GET", b"/status"]]
    assert all(f"Bearer {TOKEN}".encode() in data for data in asked)


def test_a_redirection_is_an_answer_and_nobody_goes_there() -> None:
    with answering(once(OK + b"\r\n{}")) as (elsewhere, there):
        moved = f"HTTP/1.1 307 Moved\r\nlocation: {elsewhere}/\r\ncontent-length: 2\r\n\r\n{{}}".encode()
        with answering(once(moved)) as (url, _), Intents(url) as intents, Reader(url) as reader:
            assert intents.post({}) == (307, {}) and reader.get("/x") == (307, {})
    assert there == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = once(OK + b"content-length: 2\r\n\r\n{}")
    with answering(plain) as (proxy, seen), answering(plain) as (url, _):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        with Intents(url) as intents, Reader(url) as reader:
            assert intents.post({}) == reader.get("/x") == (200, {})
    assert seen == []


def test_as_much_as_is_allowed_is_read() -> None:
    body = b'"' + b"x" * (LARGEST - 2) + b'"'
    with answering(once(OK + b"\r\n" + body)) as (url, _), Intents(url) as intents:
        assert intents.post({}) == (200, "x" * (LARGEST - 2))
    with answering(once(OK + b"\r\n" + body + b" ")) as (url, _), Intents(url) as intents, pytest.raises(Unanswered):
        intents.post({})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://[", "nonsense", "http://a b", "http://\ud800", "http://x:99999"]
)
def test_where_nobody_is(url: str) -> None:
    with pytest.raises(Unanswered):
        Intents(url, seconds=0.5).post({})
    with pytest.raises(Unanswered):
        Reader(url, seconds=0.5).get("/status")
