"""A client of the boundary's servers that is in nobody's way: a process of its own, a selector, bytes made beforehand.

It reads one command a line, and answers each with one JSON line:
`burst COUNT` sends so many intents over the kept connections, one in hand on each, and tells the seconds;
`paced COUNT RATE` sends so many at that rate, and tells for each the seconds from its 202 until the observer has
projected its last event, as far as asking every few milliseconds shows.

Started as `python posting.py GATEWAY_PORT OBSERVER_PORT CONNECTIONS PREFIX`; the observer's port may be 0.
"""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import sys
import threading
import time
from itertools import count
from typing import Any

ASK_SECONDS = 0.004
LONGEST = 60.0
HEAD = (
    b"POST /ingress/intent HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
)


class Line:
    """One kept connection to a gateway, with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.came = b""

    def send(self, name: str) -> None:
        """Post an intent under a name of its own."""
        body = json.dumps({"correlation_id": name, "payload": {"message": "hello"}, "intent_type": "chat.message"})
        self.came = b""
        self.socket.sendall(HEAD % len(body) + body.encode())

    def answer(self) -> dict[str, Any] | None:
        """Read on; return the answer once it is whole, and refuse any other than 202."""
        data = self.socket.recv(65536)
        assert data, "the gateway closed the connection"
        self.came += data
        head, found, body = self.came.partition(b"\r\n\r\n")
        if not found:
            return None
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < length:
            return None
        assert head.startswith(b"HTTP/1.1 202"), self.came
        told: dict[str, Any] = json.loads(body)
        return told


def burst(lines: list[Line], names: Any, times: int) -> float:
    """Send so many intents, one in hand on each line; return the seconds."""
    with selectors.DefaultSelector() as ready:
        begun = time.perf_counter()
        waiting = times
        for line in lines:
            ready.register(line.socket, selectors.EVENT_READ, line)
            line.send(next(names))
            waiting -= 1
        in_hand = len(lines)
        while in_hand:
            for key, _ in ready.select(LONGEST):
                if key.data.answer() is None:
                    continue
                if waiting > 0:
                    key.data.send(next(names))
                    waiting -= 1
                else:
                    in_hand -= 1
        return time.perf_counter() - begun


class Watch(threading.Thread):
    """Asks an observer how far it is, again and again, and notes when it was."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.seen: list[tuple[int, float]] = []
        self.enough = threading.Event()

    def run(self) -> None:
        """Ask until it is enough."""
        asked = http.client.HTTPConnection("127.0.0.1", self.port)
        while not self.enough.is_set():
            asked.request("GET", "/status", headers={"host": "127.0.0.1"})
            last = json.loads(asked.getresponse().read())["last_index"]
            self.seen.append((-1 if last is None else last, time.perf_counter()))
            time.sleep(ASK_SECONDS)


def paced(line: Line, names: Any, times: int, rate: float, observer: int) -> list[float]:
    """Send intents at a rate; return how long after each 202 the observer had its story."""
    watch = Watch(observer)
    watch.start()
    answered: list[tuple[int, float]] = []
    begun = time.perf_counter()
    for number in range(times):
        time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        line.send(next(names))
        while (told := line.answer()) is None:
            pass
        answered.append((told["index"] + 2, time.perf_counter()))  # the index of its EXECUTION
    deadline = time.perf_counter() + LONGEST
    while time.perf_counter() < deadline and not (watch.seen and watch.seen[-1][0] >= answered[-1][0]):
        time.sleep(ASK_SECONDS)
    watch.enough.set()
    watch.join()
    delays, place = [], 0
    for index, at in answered:
        while watch.seen[place][0] < index:
            place += 1
        delays.append(max(0.0, watch.seen[place][1] - at))
    return delays


def main(gateway: int, observer: int, connections: int, prefix: str) -> None:
    """Do what the lines of stdin say."""
    lines = [Line(gateway) for _ in range(connections)]
    names = (f"{prefix}-{number:09}" for number in count())
    for command in sys.stdin:
        what, *numbers = command.split()
        if what == "burst":
            found: Any = burst(lines, names, int(numbers[0]))
        else:
            found = paced(lines[0], names, int(numbers[0]), float(numbers[1]), observer)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
