"""Log lines of a server: one JSON object a line, with ids and codes, and no text that anybody sent.

A thread of its own writes them, so that whoever does not read the log cannot hold the server up: lines that find no
room are counted and told once there is some.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import IO, Any

import orjson

from omnibachi_model.formats import write_time

ROOM = 10_000  # lines that wait to be written


class Lines:
    """Writes log lines to a stream of bytes until it is closed; None writes nowhere."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._stream = stream
        self._waiting: deque[bytes] = deque()
        self._missed = 0
        self._stir = threading.Condition()
        self._open = stream is not None
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        if self._open:
            self._thread.start()

    def say(self, event: str, **ids: Any) -> None:
        """Write that an event happened; members that are None are left out."""
        if not self._open:
            return
        told = {"at": write_time(time.time_ns()), "event": event}
        told.update((name, value) for name, value in ids.items() if value is not None)
        line = orjson.dumps(told) + b"\n"
        with self._stir:
            if len(self._waiting) >= ROOM:
                self._missed += 1
                return
            self._waiting.append(line)
            self._stir.notify()

    def close(self, seconds: float = 1.0) -> None:
        """Write what waits, for so long at most, and no more afterwards."""
        with self._stir:
            self._open = False
            self._stir.notify()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _write(self) -> None:
        assert self._stream is not None
        while True:
            with self._stir:
                while not self._waiting and self._open:
                    self._stir.wait()
                lines, missed = list(self._waiting), self._missed
                self._waiting.clear()
                self._missed = 0
                ended = not self._open
            if missed:
                lines.append(
                    orjson.dumps({"at": write_time(time.time_ns()), "event": "missed", "count": missed}) + b"\n"
                )
            try:
                self._stream.write(b"".join(lines))
                self._stream.flush()
            except (OSError, ValueError):
                pass  # Nobody reads it any more; the server goes on.
            if ended:
                return
