"""Servers as real processes: started at a free port, asked over real sockets, always stopped.

`with serving("gateway", "--data-root", root) as server:` starts one and waits for its address. What it writes on stderr
goes to a file, so that it is never held up; `server.log()` are its log lines. A server that does not stop in time is
killed by its handle.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

from omnibachi_model.decisions import FINAL

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 30.0  # for whatever a test waits for
READY = re.compile(r"omnibachi: \w+ at (http://\S+)\n")


class Server:
    """A running server and how to ask it."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        self.process = process
        self.errors = errors
        self.url = ""
        self.client = httpx2.Client(timeout=SECONDS, trust_env=False)

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> httpx2.Response:
        """Ask for a path."""
        return self.client.get(self.url + path, params=query or None, headers=dict(headers or {}))

    def read(self, path: str, **query: Any) -> Any:
        """Return the JSON of a path, which is there."""
        found = self.get(path, **query)
        assert found.status_code == 200, found.text
        return found.json()

    def post(self, body: Any, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """Send an intent in: a value, or the bytes of one."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json", **(headers or {})}
        return self.client.post(f"{self.url}/ingress/intent", content=data, headers=given)

    def say(self, message: str = "hello", **more: Any) -> Any:
        """Send a message in, which is accepted, and return the answer."""
        found = self.post({"intent_type": "chat.message", "payload": {"message": message}, **more})
        assert found.status_code == 202, found.text
        return found.json()

    def settled(self, answer: Mapping[str, Any]) -> str:
        """Wait until a correlation that was answered for has come to its end, and return its state."""
        asked = {"correlation_id": answer["correlation_id"]}
        return str(until(lambda: (state := self.read("/status", **asked)["state"]) in FINAL and state))

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """Return all matching events, page by page."""
        found: list[dict[str, Any]] = []
        while page := self.read("/snapshot", after=found[-1]["index"] if found else -1, limit=2000, **query)["events"]:
            found += page
        return found

    @contextlib.contextmanager
    def tail(self, headers: Mapping[str, str] | None = None, **query: Any) -> Iterator[Iterator[dict[str, Any]]]:
        """Follow the tail: give its events as they come. The connection is cut when this is left."""
        with self.client.stream("GET", f"{self.url}/tail", params=query, headers=dict(headers or {})) as found:
            assert found.status_code == 200, found.read()
            assert found.headers["content-type"] == "text/event-stream"
            yield frames(found.iter_lines())

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def connect(self) -> socket.socket:
        """Connect as any program may."""
        return socket.create_connection(self.place, SECONDS)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def said(self) -> str:
        """Return what it wrote on stderr so far."""
        return self.errors.read_text("utf-8")

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines so far."""
        return [json.loads(line) for line in self.said().splitlines(keepends=True) if line[:1] == "{" and "\n" in line]


def frames(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Read server-sent events as a browser does; each is one event of the ledger under its own index."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            event: dict[str, Any] = json.loads(fields["data"])
            assert (fields["event"], fields["id"]) == ("envelope", str(event["index"]))
            yield event
            fields = {}


def until(true: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Wait until something is true and return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
    return found


@contextlib.contextmanager
def starting(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start `omnibachi serve ARGUMENTS` at a free port and do not wait for it."""
    with tempfile.TemporaryDirectory(prefix="omnibachi-serving-") as folder:
        errors = Path(folder, "stderr")
        command = [sys.executable, "-m", "omnibachi", "serve", *arguments]
        if "--workspace" not in arguments:
            command += ["--workspace", str(ROOT)]
        if "--port" not in arguments:
            command += ["--port", "0"]
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=stderr,
            )  # fmt: skip
        server = Server(process, errors)
        try:
            yield server
        finally:
            server.client.close()
            process.kill()
            process.communicate()


@contextlib.contextmanager
def serving(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start `omnibachi serve ARGUMENTS` and wait until it is ready."""
    with starting(*arguments, env=env) as server:
        found = until(lambda: READY.search(server.said()) or server.process.poll() is not None)
        assert found is not True, server.said()
        server.url = found.group(1)
        yield server
