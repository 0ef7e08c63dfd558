"""The processes of a batch: each gets one chunk after the other, and one that dies is replaced.

A chunk whose worker died is done again by another, which says before each line where it is. A line at which two such
workers died is given up, so a capability that takes its process with it costs its own line and no other.
"""

from __future__ import annotations

import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from omnibachi_model.diagnostics import Defect, Diagnostic, Refused, Trouble

from .payloads import Chunk
from .worker import Order, Task, lock_of, work

DEATHS_AT_A_LINE = 2
MOST_DEATHS = 12  # of one chunk's workers, after which each further one costs a line
PATIENCE = 2.0  # seconds that a worker is given to end by itself


class _Job:
    """A chunk on its way: how often workers died over it, and at which lines."""

    __slots__ = ("at", "chunk", "deaths", "given_up", "line", "lines")

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.deaths = 0
        self.lines: Counter[int] = Counter()
        self.given_up: dict[int, str] = {}
        self.line: int | None = None
        self.at = 0

    def died(self, how: str) -> None:
        """Take note that a worker died over this chunk; raises Trouble (OB758) where no line can be blamed."""
        self.deaths += 1
        self.at = 0
        if self.line is None and self.deaths > DEATHS_AT_A_LINE:
            message = f"workers die before they have begun a line ({how})"
            raise Trouble(Diagnostic("OB758", message, help="see what they wrote on standard error, and the memory"))
        if self.line is not None:
            self.lines[self.line] += 1
            if self.lines[self.line] >= DEATHS_AT_A_LINE or self.deaths > MOST_DEATHS:
                self.given_up[self.line] = f"the process that ran it died, twice ({how})"
        self.line = None


class Crew:
    """Some workers, and what is left for them to do; `tell` hears how many lines are done."""

    def __init__(self, task: Task, workers: int, chunks: Iterator[Chunk], tell: Callable[[int], None]) -> None:
        self._task = task
        self._workers = workers
        self._chunks = chunks
        self._tell = tell
        self._again: deque[_Job] = deque()
        self._context = get_context("spawn")
        self._hands: dict[Connection, tuple[BaseProcess, _Job]] = {}
        self._leaving: list[BaseProcess] = []
        self._done = 0

    def work(self) -> None:
        """Do all chunks; raises Refused, Trouble or Defect where none can be done, as soon as one worker says so."""
        try:
            for _ in range(self._workers):
                self._hire()
            while self._hands:
                for connection in wait(list(self._hands)):
                    assert isinstance(connection, Connection)
                    self._hear(connection)
                self._tell(self._done + sum(job.at for _, job in self._hands.values()))
        finally:
            self._dismiss()

    def _next(self) -> _Job | None:
        if self._again:
            return self._again.popleft()
        chunk = next(self._chunks, None)
        return None if chunk is None else _Job(chunk)

    def _hire(self) -> None:
        """Start a worker, if there is something to do."""
        job = self._next()
        if job is None:
            return
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, self._task), daemon=True)
        with _uninterrupted():
            process.start()
        theirs.close()
        self._hands[ours] = process, job
        self._order(ours, job)

    def _order(self, connection: Connection, job: _Job) -> None:
        with suppress(ConnectionError):  # Of one that is dead, the end of its pipe tells.
            connection.send(Order(job.chunk, job.deaths > 0, job.given_up))

    def _hear(self, connection: Connection) -> None:
        process, job = self._hands[connection]
        try:
            message = connection.recv()
        except (EOFError, OSError):
            del self._hands[connection]
            connection.close()
            process.join()
            with suppress(OSError):
                os.unlink(lock_of(self._task.folder, process.pid or 0))
            self._again.append(job)
            job.died(_how(process.exitcode))
            self._hire()
            return
        _OF_KIND[message[0]](self, connection, job, message)

    def _at(self, connection: Connection, job: _Job, message: Any) -> None:
        job.at = message[1]

    def _line(self, connection: Connection, job: _Job, message: Any) -> None:
        job.line = message[1]

    def _finished(self, connection: Connection, job: _Job, message: Any) -> None:
        self._done += len(job.chunk.lines)
        process, _ = self._hands.pop(connection)
        following = self._next()
        if following is None:
            with suppress(ConnectionError):
                connection.send(None)
            connection.close()
            self._leaving.append(process)  # Others still wait for what they are to do.
            return
        self._hands[connection] = process, following
        self._order(connection, following)

    def _refused(self, connection: Connection, job: _Job, message: Any) -> None:
        raise Refused(message[1], message[2])

    def _defect(self, connection: Connection, job: _Job, message: Any) -> None:
        raise Defect(message[1])

    def _dismiss(self) -> None:
        """End whoever still works; a run that is cut off is gone on with when the batch is."""
        for connection in self._hands:
            connection.close()
        for process in [*self._leaving, *(process for process, _ in self._hands.values())]:
            process.join(PATIENCE)
            if process.exitcode is None:
                process.terminate()
                process.join()
        self._hands.clear()
        self._leaving.clear()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep Ctrl-C from what is started here: the terminal sends it to all, and only who leads has to hear it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    ensure_running()  # Starting this helper of a spawned process would let signals through again.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_OF_KIND: dict[str, Callable[[Crew, Connection, _Job, Any], None]] = {
    "at": Crew._at,
    "line": Crew._line,
    "done": Crew._finished,
    "refused": Crew._refused,
    "defect": Crew._defect,
}


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"signal {-exitcode}"
    return f"exit status {exitcode}"
