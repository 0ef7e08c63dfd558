"""A provider next door, on a port that the system chose: it speaks both protocols and answers as the model's name asks.

`status-429` answers with that status, `stall` says nothing until it is closed, `late` nothing until `release` is set,
`cut` breaks off, `garbage` is no JSON, `huge` is more than may be read, `echo-key` says the key that it was asked with.
Everything that arrived is counted.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import pytest

from neighbours import Asked, answer


class ModelHouse(socketserver.ThreadingTCPServer):
    """The server; a context manager that stops it and every answer that is under way."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[Asked] = []
        self.closing, self.release = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> ModelHouse:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.closing.set()
        self.release.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        """Say nothing: whoever asks may hang up."""


class _Visit(socketserver.StreamRequestHandler):
    """One connection: one question."""

    server: ModelHouse
    timeout = 5

    def handle(self) -> None:
        method, target, _ = self.rfile.readline().decode("latin-1").split(" ")
        headers: dict[str, str] = {}
        while (line := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.server.asked.append(Asked(method, target, headers, body))
        question = json.loads(body)
        self.wfile.write(self._answer(str(question["model"]), target, headers, question))

    def _answer(self, model: str, target: str, headers: dict[str, str], question: dict[str, Any]) -> bytes:
        key = headers.get("authorization", "").removeprefix("Bearer ")
        kind, _, more = model.partition("-")
        if kind == "status":
            code, said = int(more), f"no {key}\n" + "x" * 600
            return answer(
                json.dumps({"error": {"code": "theirs", "message": said}}).encode(), f"{code} Said", "application/json",
                *(["Location: http://127.0.0.1:1/"] if 300 <= code < 400 else []),
            )  # fmt: skip
        if kind == "stall":
            self.server.closing.wait(60)
            return b""
        if kind == "late":
            self.server.release.wait(60)
        fixed = {
            "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", "garbage": answer(b"\xff{no"),
            "torn": answer(b'{"message": {"content": "\\ud800"}, "choices": [{"message": {"content": "\\ud800"}}]}'),
            "void": answer(b'{"choices": [], "message": {}}'), "huge": answer(b" " * 1_100_000 + b"{}"), "hang": b"",
        }  # fmt: skip
        if kind in fixed:
            return fixed[kind]
        message = question["messages"][0]["content"]
        text = {"echo": key, "spell": key.encode().hex()}.get(kind, f"{model} heard {message}")
        if target.endswith("/api/chat"):
            found: Any = {"message": {"role": "assistant", "content": text}, "prompt_eval_count": 3, "eval_count": 5}
        else:
            usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8, "details": {"cached": 0}}
            found = {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}
        return answer(json.dumps(found).encode())


@pytest.fixture(scope="module", name="open_house")
def the_open_house() -> Iterator[ModelHouse]:
    with ModelHouse() as house:
        yield house


@pytest.fixture(name="house")
def a_quiet_house(open_house: ModelHouse) -> ModelHouse:
    open_house.asked.clear()
    return open_house
