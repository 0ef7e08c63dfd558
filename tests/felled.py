"""A gateway that serves in a forked child and dies (SIGKILL) where it is told to: before or after the n-th time that
something is committed once its door is open. Nobody is asked whether that is a good moment."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omnibachi import wiring
from omnibachi.__main__ import main
from serving import ROOT, SECONDS

KILLED = -signal.SIGKILL
BEFORE, AFTER = "before", "after"


class Commits:
    """Counts transactions that insert, in every thread of this process, and ends it at one of them."""

    def __init__(self, fatal: int, moment: str, *, early: bool) -> None:
        self.count = 0 if early else -1  # the door is not open yet
        self.early, self.fatal, self.moment = early, fatal, moment

    def install(self) -> None:
        """Put the counter where databases are opened, for the rest of this process."""
        counter, connect = self, sqlite3.connect

        class Connection(sqlite3.Connection):
            writing = False

            def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
                self.writing = sql.startswith("INSERT INTO") or (self.writing and not sql.startswith("BEGIN"))
                counts = sql == "COMMIT" and self.writing and counter.count >= 0
                if counts:
                    counter.count += 1
                    counter.die(BEFORE)
                done = super().execute(sql, *given)
                if counts:
                    counter.die(AFTER)
                return done

        sqlite3.connect = lambda *a, **k: connect(*a, **k, factory=Connection)  # type: ignore[assignment]

    def die(self, moment: str) -> None:
        """End this process if this is the moment."""
        if (self.count, moment) == (self.fatal, self.moment):
            os.kill(os.getpid(), signal.SIGKILL)


class Felled:
    """A child that serves, or dies before it does: its URL (empty then), and how it ended."""

    def __init__(self, pid: int, telling: int) -> None:
        self.pid = pid
        self._telling = telling
        self.url = self._line()
        self.count = 0

    def _line(self) -> str:
        told = b""
        while not told.endswith(b"\n"):
            assert select.select([self._telling], [], [], SECONDS)[0], "it never said"
            more = os.read(self._telling, 4096)
            if not more:
                return ""
            told += more
        return told.decode().strip()

    def wait(self) -> int:
        """Wait for its end; return its exit status, and note how often it committed where it could still tell."""
        self.count = int(self._line() or 0)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def stop(self) -> int:
        """Ask it to stop, and wait."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()


@contextlib.contextmanager
def felled(
    root: Path, *arguments: str, fatal: int = 0, moment: str = AFTER, early: bool = False
) -> Iterator[Felled]:  # fmt: skip
    """Serve a gateway on a data root in a child that dies at a commit; `fatal` 0 is none. Its end is waited for.

    Commits are counted once its door is open, with `early` from the beginning.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 99
        try:
            os.close(reading)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            status = _serve(root, arguments, writing, Commits(fatal, moment, early=early))
        finally:
            os._exit(status)
    os.close(writing)
    ended = False
    try:
        found = Felled(child, reading)
        yield found
        ended = True
    finally:
        os.close(reading)
        if not ended:
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _serve(root: Path, arguments: tuple[str, ...], telling: int, commits: Commits) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    commits.install()
    serve, address_of = wiring.serve, wiring.address_of

    def told(app: Any, listening: Any, *, ready: Any, **more: Any) -> float:
        def opened() -> None:
            ready()
            commits.count = max(commits.count, 0)
            os.write(telling, f"{address_of(listening)}\n".encode())

        return serve(app, listening, ready=opened, **more)

    wiring.serve = told  # type: ignore[assignment]
    where = ["--workspace", str(ROOT), "--data-root", str(root), "--port", "0"]
    status = main(["serve", "gateway", *where, *arguments])
    os.write(telling, f"{commits.count}\n".encode())
    return status
