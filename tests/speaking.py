"""A client of the Language Server Protocol: it starts `omnibachi lsp`, speaks JSON-RPC with it over stdio, and ends it.

Whatever is waited for has its limit, after which the process is killed and the test fails; nothing is left running.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PATIENCE = 60.0  # seconds; a busy machine may take long to start an interpreter


class Silence(AssertionError):
    """The server said nothing in time, or went."""


class Client:
    """One conversation: `ask` waits for an answer, `findings` for what is published about a file."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.heard: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.published: dict[str, list[dict[str, Any]]] = {}
        self.count: dict[str, int] = {}
        self.number = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while True:
            length = 0
            while line := self.process.stdout.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            body = self.process.stdout.read(length) if length else b""
            if not body:
                self.heard.put(None)
                return
            self.heard.put(json.loads(body))

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def tell(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Send a notification."""
        self.send({"method": method, "params": params or {}})

    def ask(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Send a request and return its result; what is refused comes back as {"error": …}."""
        self.number += 1
        self.send({"id": self.number, "method": method, **({"params": params} if params is not None else {})})
        answer = self._until(lambda message: message.get("id") == self.number and "method" not in message)
        return answer["result"] if "result" in answer else {"error": answer["error"]}

    def hear(self, method: str) -> Any:
        """Wait for something that the server asks or tells; return its parameters."""
        return self._until(lambda message: message.get("method") == method)["params"]

    def _until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                message = self.heard.get(timeout=max(end - time.monotonic(), 0.01))
            except queue.Empty:
                raise Silence("the server does not answer") from None
            if message is None:
                raise Silence(f"the server went, with exit status {self.process.wait(PATIENCE)}")
            if message.get("method") == "textDocument/publishDiagnostics":
                uri = message["params"]["uri"]
                self.published[uri] = message["params"]["diagnostics"]
                self.count[uri] = self.count.get(uri, 0) + 1
            assert not str(message.get("method")).startswith("window/"), message
            if wanted(message):
                return message

    def findings(self, file: Path, wanted: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Return what is published about a file, as soon as it is as wanted."""
        uri = file.as_uri()
        if uri not in self.published or not wanted(self.published[uri]):
            self._until(lambda _: uri in self.published and wanted(self.published[uri]))
        return self.published[uri]

    def start(self, root: Path, **capabilities: Any) -> Any:
        """Introduce ourselves; return what the server can do."""
        answer = self.ask(
            "initialize", {"processId": os.getpid(), "rootUri": root.as_uri(), "capabilities": capabilities}
        )
        self.tell("initialized")
        return answer["capabilities"]

    def open(self, file: Path, text: str) -> None:
        document = {"uri": file.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})

    def change(self, file: Path, text: str, version: int = 2) -> None:
        document = {"uri": file.as_uri(), "version": version}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def at(self, method: str, file: Path, text: str, offset: int, **more: Any) -> Any:
        """Ask about an offset of a text, in UTF-16 units as is the rule."""
        line = text.count("\n", 0, offset)
        before = text[text.rfind("\n", 0, offset) + 1 : offset]
        place = {"line": line, "character": len(before.encode("utf-16-le")) // 2}
        return self.ask(f"textDocument/{method}", {"textDocument": {"uri": file.as_uri()}, "position": place, **more})

    def leave(self) -> int:
        """Say goodbye as the protocol asks; return the exit status."""
        assert self.ask("shutdown") is None
        self.tell("exit")
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def speaking(*options: str, folder: Path) -> Iterator[Client]:
    """Start a server in a folder; it is gone afterwards, whatever happens."""
    with tempfile.TemporaryFile() as said, subprocess.Popen(
        [sys.executable, "-m", "omnibachi", "lsp", *options],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
    ) as process:  # fmt: skip
        try:
            yield Client(process)
        finally:
            process.kill()
            process.wait()
            said.seek(0)
            assert b"Traceback" not in said.read()


def applied(text: str, edits: list[dict[str, Any]]) -> str:
    """Return a text with an editor's edits done."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def offset(place: dict[str, int]) -> int:
        line = text[starts[place["line"]] :].partition("\n")[0]
        units = line.encode("utf-16-le")[: 2 * place["character"]]
        return starts[place["line"]] + len(units.decode("utf-16-le"))

    for edit in sorted(edits, key=lambda item: offset(item["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text
