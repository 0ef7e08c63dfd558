"""Calls that are cut because their run was cancelled: at once, and told as what they are."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from omnibachi_capabilities import mail, web
from omnibachi_runtime.sites import Call
from test_mail import LETTER
from test_web import Ticking, Wall


@pytest.fixture(name="silent")
def never_answers() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture(name="full")
def never_lets_in() -> Iterator[socket.socket]:
    """Give a server whose door is full: whoever comes now waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for other in waiting:
            other.setblocking(False)
            other.connect_ex(server.getsockname())
        time.sleep(0.05)
        yield server
        for other in waiting:
            other.close()


def a_call(server: socket.socket, after: float) -> Any:
    began = time.monotonic()
    hosts = (f"127.0.0.1:{server.getsockname()[1]}",)

    def cancelled() -> bool:
        return time.monotonic() - began >= after

    wall: Any = Wall()
    return Call("R1", "ask", None, wall, Ticking(), None, hosts, {}, {}, cancelled, str)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ask", "answer"),
    [(web.post, ("OUTCOME_UNKNOWN", {})), (web.get, ("BACKEND_ERROR", {"reason": "no-answer"}))],
)
def test_one_that_waits_for_an_answer(silent: socket.socket, ask: Any, answer: Any) -> None:
    began = time.monotonic()
    assert ask({"url": f"http://127.0.0.1:{silent.getsockname()[1]}/"}, None, a_call(silent, 0.2)) == answer
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("ask", [web.post, web.get])
def test_one_that_was_never_let_in_is_certain(full: socket.socket, ask: Any) -> None:
    began = time.monotonic()
    answer = ask({"url": f"http://127.0.0.1:{full.getsockname()[1]}/"}, None, a_call(full, 0.2))
    assert answer == ("BACKEND_ERROR", {"reason": "cancelled"})
    assert time.monotonic() - began < 3


def test_a_letter_that_nobody_takes(silent: socket.socket) -> None:
    letter = {"server": f"127.0.0.1:{silent.getsockname()[1]}", **LETTER}
    assert mail.send(letter, None, a_call(silent, 0.2)) == ("BACKEND_ERROR", {"reason": "no-answer"})
