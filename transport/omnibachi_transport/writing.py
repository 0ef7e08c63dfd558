"""The walkers: threads that own a gateway each and govern what comes in, and one that closes what was left behind.

A slot is taken before anything is appended; where there is none, the intent is refused and leaves nothing. Where a
provider is waited for, threads are added up to the number of slots, so that an INTENT is recorded at once, however long
others wait.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias

from omnibachi_model.boundary_ports import Govern, Governed
from omnibachi_model.diagnostics import Refused, Trouble

from .log_lines import Lines

LIMIT = 64  # runs in hand
FEW = 4  # walkers where no provider is waited for: while one waits for the disk, others go on
SWEEP_SECONDS = 2.0
UNAVAILABLE = "store.unavailable"
BROKEN = "OB820"
STUCK_SECONDS = 5.0  # that an intent waits for a walker, and the walkers still count as taking work

Asked: TypeAlias = "tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]"  # anchors, intent, identity, run id
_Job: TypeAlias = "tuple[float, Asked, Future[Governed]]"


class Walkers:
    """Threads that govern: as many as there may be runs in hand where the provider `waits`, else a few, and none where
    the ledger is `suspect`: then nothing is taken."""

    def __init__(
        self,
        open_govern: Callable[[], Govern],
        lines: Lines,
        *,
        waits: bool = True,
        limit: int = LIMIT,
        suspect: bool = False,
    ) -> None:
        self.limit = limit
        self.suspect = suspect
        self._open, self._lines, self._most = open_govern, lines, limit if waits else FEW
        lock = threading.Lock()
        self._stir, self._done = threading.Condition(lock), threading.Condition(lock)
        self._jobs: deque[_Job] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = self._in_hand = 0
        self._stopped = threading.Event()
        self._sound = True  # the last look of the sweep at the ledger went well
        self._sweeper: threading.Thread | None = None

    @property
    def depth(self) -> int:
        """How many runs are in hand, waiting ones too."""
        return self._in_hand

    def start(self) -> None:
        """Finish what dead processes left, and begin to take work; raises Trouble and Refused."""
        if self.suspect:
            return
        began: Future[None] = Future()
        self._sweeper = threading.Thread(target=self._sweep, args=(began,), name="sweep", daemon=True)
        self._sweeper.start()
        began.result()
        with self._stir:
            self._add()

    def takes(self) -> bool:
        """Tell whether work is taken: the ledger can be written, and no intent waits in vain."""
        if self.suspect or self._stopped.is_set() or not self._sound:
            return False
        with self._stir:
            return not self._jobs or time.monotonic() - self._jobs[0][0] < STUCK_SECONDS

    def govern(self, asked: Asked) -> Future[Governed] | None:
        """Take a slot and govern an intent; None where all are taken.

        The future gives what became of it, or raises Trouble or Refused where no gateway could be opened.
        """
        job: _Job = (time.monotonic(), asked, Future())
        with self._stir:
            if self._in_hand >= self.limit or self._stopped.is_set() or self.suspect:
                return None
            self._in_hand += 1
            self._jobs.append(job)
            if self._idle >= len(self._jobs) or len(self._threads) >= self._most:
                self._stir.notify()
            else:
                self._add()
        return job[2]

    def close(self, seconds: float) -> int:
        """Take no more, and wait for what is in hand, for so long at most; return how many runs did not end."""
        self._stopped.set()
        until = time.monotonic() + seconds
        with self._stir:
            self._stir.notify_all()
            while self._in_hand and time.monotonic() < until:
                self._done.wait(until - time.monotonic())
            left = self._in_hand
            waiting = [self._jobs.popleft() for _ in range(len(self._jobs))]
            self._stir.notify_all()
        for _, _, future in waiting:
            future.cancel()
        for thread in [*self._threads, *([self._sweeper] if self._sweeper else [])]:
            thread.join(max(0.0, until - time.monotonic()) + (0.5 if not left else 0.0))
        return left

    def _add(self) -> None:
        thread = threading.Thread(target=self._walk, name=f"walker-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _walk(self) -> None:
        door: Govern | None = None
        with contextlib.suppress(Trouble, Refused):
            door = self._open().__enter__()  # Where that fails, whoever asks next is told.
        while (job := self._next()) is not None:
            _, asked, future = job
            future.set_running_or_notify_cancel()
            found: Governed | None = None
            failed: BaseException | None = None
            try:
                if door is None:
                    door = self._open().__enter__()
                found = door.govern(*asked)
                if found.refused == UNAVAILABLE or found.run.exit is None:
                    self._doubt(found)
                    _close(door)
                    door = None  # The next one may find the database there again.
            except BaseException as error:
                failed = error
                _close(door)
                door = None
            with self._stir:
                self._in_hand -= 1
                self._done.notify()
            if failed is not None:
                future.set_exception(failed)
            elif found is not None:
                future.set_result(found)
        _close(door)

    def _doubt(self, found: Governed) -> None:
        """Take nothing more where the ledger does not hold: each walker looks at it first, and what one finds is so."""
        if not self.suspect and any(item.code == BROKEN for item in found.run.diagnostics):
            self.suspect = True
            self._lines.say("suspect", code=BROKEN)

    def _next(self) -> _Job | None:
        with self._stir:
            while not self._jobs and not self._stopped.is_set():
                self._idle += 1
                self._stir.wait()
                self._idle -= 1
            return self._jobs.popleft() if self._jobs else None

    def _sweep(self, began: Future[None]) -> None:
        door: Govern | None = None
        try:
            door = self._open().__enter__()
            self._tell("recovered", door.recover())
        except BaseException as error:
            _close(door)
            began.set_exception(error)
            return
        began.set_result(None)
        while not self._stopped.wait(SWEEP_SECONDS) and not self.suspect:
            try:
                door = door or self._open().__enter__()
                self._tell("swept", door.sweep())
                self._sound = True
            except (Trouble, Refused) as error:
                self._sound = False
                code = error.diagnostic.code if isinstance(error, Trouble) else error.diagnostics[0].code
                self._lines.say("sweep", code=code)
                _close(door)
                door = None
            except Exception as error:
                self._lines.say("defect", code="OB799", kind=type(error).__name__)
                _close(door)
                door = None
        _close(door)

    def _tell(self, event: str, runs: Any) -> None:
        for run in runs:
            codes = [item.code for item in run.diagnostics]
            self._lines.say(event, run=run.trace_id, exit=run.exit, code=codes[0] if codes else None)


def _close(door: Govern | None) -> None:
    if door is not None:
        with contextlib.suppress(Exception):
            door.__exit__(None, None, None)
