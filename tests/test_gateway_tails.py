"""Tails of a gateway and their bounds: how many, how far behind, how silent, and that they end with the server."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from pathlib import Path
from typing import Any

from governing import LEDGER, gateway, post
from omnibachi import wiring
from omnibachi_transport.log_lines import Lines
from omnibachi_transport.reading import Readers
from omnibachi_transport.tailing import COMMENT, MOST_TAILS, Tails
from serving import serving, until

IDS = re.compile(rb"\nid: (\d+)\nevent: envelope\ndata: .*\n")  # of events that came whole


@contextlib.contextmanager
def opened(root: Path) -> Any:
    """Open a ledger as the server does."""
    with wiring.open_root(str(root)) as found:
        yield found.decisions(LEDGER)


def test_a_silent_tail_says_that_it_is_there(tmp_path: Path) -> None:
    with gateway(tmp_path) as door:
        post(door, "a")

    async def listened() -> list[bytes]:
        readers = Readers(lambda: opened(tmp_path))
        tails = Tails(lambda: opened(tmp_path), readers, Lines(None), heartbeat=0.05)
        pieces: list[bytes] = []
        here = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await here.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            pieces.append(message.get("body", b""))
            if pieces.count(COMMENT) == 3:
                here.set()

        try:
            await asyncio.wait_for(tails.send({"state": {}}, receive, send, -1, {}, follow=True), 30)
        finally:
            tails.close()
            readers.close()
        return pieces

    pieces = asyncio.run(listened())
    assert b"".join(pieces).count(b"event: envelope\n") == 3 and pieces[-2:] == [COMMENT, b""]


def test_there_are_so_many_tails_and_no_more(tmp_path: Path) -> None:
    with serving("gateway", "--data-root", str(tmp_path)) as server, contextlib.ExitStack() as stack:
        lines = [stack.enter_context(server.connect()) for _ in range(MOST_TAILS)]
        for line in lines:
            line.sendall(b"GET /tail HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 200 ")
        found = server.get("/tail")
        assert (found.status_code, found.json()["reason_code"]) == (503, "queue.full")
        assert found.headers["retry-after"]
        lines[0].close()
        until(lambda: server.get("/tail", follow=0).status_code == 200)
        assert server.read("/healthz") == {"status": "ok"}


def test_who_does_not_read_is_cut_off_and_may_come_back(tmp_path: Path) -> None:
    """What the system takes in for it counts as read; beyond that 2,000 events may wait."""
    with serving("gateway", "--data-root", str(tmp_path)) as server:
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(server.place)
            line.sendall(b"GET /tail HTTP/1.1\r\nhost: localhost\r\nx-request-id: slow\r\n\r\n")
            with gateway(tmp_path) as door:
                for number in range(60):
                    post(door, f"c{number}", "x" * 60_000)
                for number in range(60, 760):
                    post(door, f"c{number}")
            cut = until(lambda: [item for item in server.log() if item.get("reason_code") == "tail.behind"])
            assert [item["request_id"] for item in cut] == ["slow"]
            found = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := line.recv(1 << 20):
                    found += piece
            last = max(int(item) for item in IDS.findall(found))
            assert last < 2279
        with server.tail(since=last, follow=0) as events:
            assert [event["index"] for event in events] == list(range(last + 1, 2280))
