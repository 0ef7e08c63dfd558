"""The servers of the decision boundary as processes, for what is measured of them: started, asked, and stopped."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LONGEST = 120.0


@contextmanager
def serving(*command: str) -> Iterator[int]:
    """Start `omnibachi serve` with these words on a free port; give the port once it answers, stop it at the end."""
    with tempfile.TemporaryFile() as told:
        full = [sys.executable, "-m", "omnibachi", "serve", *command, "--port", "0", "--workspace", str(HERE.parent)]
        process = subprocess.Popen(full, stderr=told, stdout=subprocess.DEVNULL)
        try:
            yield _port(process, told)
        finally:
            process.terminate()
            process.wait(LONGEST)


def _port(process: subprocess.Popen[bytes], told: Any) -> int:
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        told.seek(0)
        for line in told.read().decode().splitlines(keepends=True):
            if line.startswith("omnibachi:") and " at http://" in line and line.endswith("\n"):
                return int(line.rstrip().rstrip("/").rpartition(":")[2])
        if process.poll() is not None:
            break
        time.sleep(0.005)
    told.seek(0)
    raise RuntimeError(f"the server did not start: {told.read().decode()}")


class Client:
    """The process of `posting.py`, asked line by line."""

    def __init__(self, gateway: int, observer: int, connections: int, prefix: str) -> None:
        command = [sys.executable, str(HERE / "posting.py"), str(gateway), str(observer), str(connections), prefix]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(LONGEST)

    def ask(self, command: str) -> Any:
        """Have a command done; return what it gave."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def asked(port: int, path: str) -> Any:
    """Ask a server once; return its JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def caught_up(gateway: int, events: int) -> float:
    """Let a fresh observer read a ledger of so many events; return the seconds that it took, once it had started."""
    with serving("observer", "--gateway", f"http://127.0.0.1:{gateway}") as port:
        begun = time.perf_counter()
        first = int(asked(port, "/status")["event_count"])  # what it had before it could be asked does not count
        while asked(port, "/status")["event_count"] < events:
            time.sleep(0.01)
        return (time.perf_counter() - begun) * events / max(events - first, 1)
