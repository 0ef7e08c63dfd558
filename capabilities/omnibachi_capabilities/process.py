"""`std::CS_PROCESS_V0`: a program that the domain declares, run once, without a shell.

It gets what is declared and nothing else: its command line, the variables and the folder of its declaration, what the
workflow gives for its standard input. It is the first of a process group of its own, which is ended whole when it has
ended, when its time is over, or when the run is cancelled. What it says is kept up to a limit and read as UTF-8; where
that loses something, it is said.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
import time

from omnibachi_model.programs import Unfit, written
from omnibachi_model.sealed import BACKEND_ERROR, OUTCOME_UNKNOWN, SUCCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.ports import Call
    from omnibachi_model.values import Answer, Inputs

MOST_OUTPUT = 256 * 1024  # bytes that are kept of each of the two
SECONDS = 600.0  # of a call without a deadline
LOOK = 0.1  # seconds between two looks at the clock and at whether the call is still wanted
GRACE = 2.0  # seconds between asking a group to end and ending it
PIECE = 64 * 1024
NAMES = ("stdout", "stderr")


def run(inputs: Inputs, store: None, call: Call) -> Answer:
    """Run a declared program."""
    program: Any = call.programs.get(inputs["program"])
    if program is None:
        return "VIOLATION", {"reason": "the domain does not declare this program"}
    try:
        command = written(program, inputs.get("arguments", {}))
    except Unfit as unfit:
        return "VIOLATION", {"reason": str(unfit)}
    environment = {name: _value(part, call) for name, part in program.get("environment", {}).items()}
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        # Inherited from whoever started this process: then nobody can tell how a program ended.
        return BACKEND_ERROR, {"reason": "this process ignores how its children end (SIGCHLD)"}
    # All that it is given is made ready before there is a program that it could be given to.
    told = _Told(inputs.get("stdin"))
    end = time.monotonic() + _seconds(call)
    try:
        child = subprocess.Popen(
            command, env=environment, cwd=program.get("directory", "/"), start_new_session=True, close_fds=True,
            stdin=subprocess.PIPE if told.gives else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        told.close()
        # The child tells why it could not become the program; then there was none.
        reason = getattr(error, "strerror", None) or "it cannot be started"
        return BACKEND_ERROR, {"reason": reason.lower()}
    try:
        told.listen(child)
        whole = told.until(child, end, call)
    finally:
        _end(child, told)
    if not whole or child.returncode < 0:
        return OUTCOME_UNKNOWN, {}
    if child.returncode == 0:
        return SUCCESS, told.output()
    return "FAILED", {"status": child.returncode, **told.output()}


def _value(part: list[str], call: Call) -> str:
    return call.secret(part[1]) if part[0] == "secret" else part[1]


def _seconds(call: Call) -> float:
    return SECONDS if call.deadline is None else (call.deadline - call.clock.now_ns()) / 1e9 + 0.001


class _Told:
    """What a program says while it runs, and what it is given."""

    def __init__(self, given: str | None) -> None:
        self.gives = given is not None
        self.kept = {name: bytearray() for name in NAMES}
        self.cut: set[str] = set()
        self._left = memoryview((given or "").encode())
        self._selector = selectors.DefaultSelector()

    def listen(self, child: subprocess.Popen[bytes]) -> None:
        """Begin to hear a program, and to give it what it is given."""
        for name, pipe in (("stdout", child.stdout), ("stderr", child.stderr), ("stdin", child.stdin)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                event = selectors.EVENT_WRITE if name == "stdin" else selectors.EVENT_READ
                self._selector.register(pipe, event, name)

    def until(self, child: subprocess.Popen[bytes], end: float, call: Call) -> bool:
        """Go on until the program has ended; False where it must be ended instead."""
        looked = time.monotonic()
        while not _ended(child):
            now = time.monotonic()
            if now >= end:
                return False
            if now - looked >= LOOK:
                looked = now
                if call.cancelled():
                    return False
            self.step(min(LOOK, end - now))
        return True

    def step(self, seconds: float) -> bool:
        """Take and give what is there; tell whether there is anything left to listen to."""
        if not self._selector.get_map():
            time.sleep(min(seconds, 0.01))
            return False
        for key, _ in self._selector.select(seconds):
            pipe: Any = key.fileobj
            try:
                going = self._give(pipe) if key.data == "stdin" else self._take(pipe, key.data)
            except BlockingIOError:
                continue
            except OSError:
                going = False  # it reads no more
            if not going:
                self._selector.unregister(pipe)
                pipe.close()
        return bool(self._selector.get_map())

    def _give(self, pipe: Any) -> bool:
        self._left = self._left[os.write(pipe.fileno(), self._left[:PIECE]) :]
        return len(self._left) > 0

    def _take(self, pipe: Any, name: str) -> bool:
        data = os.read(pipe.fileno(), PIECE)
        room = MOST_OUTPUT - len(self.kept[name])
        self.kept[name] += data[:room]
        if len(data) > room:
            self.cut.add(name)
        return bool(data)

    def output(self) -> dict[str, Any]:
        """Return what the program said, and what of it was lost."""
        texts: dict[str, Any] = {}
        lost = [f"{name}-cut" for name in NAMES if name in self.cut]
        for name in NAMES:
            # Of what was cut, the last character may be a part of one.
            decoder = codecs.getincrementaldecoder("utf-8")("strict")
            data = bytes(self.kept[name])
            try:
                texts[name] = decoder.decode(data, final=name not in self.cut)
            except UnicodeDecodeError:
                texts[name] = data.decode("utf-8", "replace")
                lost.append(f"{name}-replaced")
        return {**texts, "lost": lost}

    def close(self) -> None:
        """Close what is open."""
        for key in list(self._selector.get_map().values()):
            pipe: Any = key.fileobj
            self._selector.unregister(pipe)
            pipe.close()
        self._selector.close()


def _ended(child: subprocess.Popen[bytes]) -> bool:
    """Tell whether a program has ended, without taking its number away from it."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(child: subprocess.Popen[bytes], told: _Told) -> None:
    """End what is left of a program's group, and hear what it said last."""
    try:
        if not _ended(child):
            _signal(child, signal.SIGTERM)
            until = time.monotonic() + GRACE
            while not _ended(child) and time.monotonic() < until:
                told.step(0.02)
        # Until it is waited for, nobody else gets its number.
        _signal(child, signal.SIGKILL)
        until = time.monotonic() + GRACE
        while told.step(0.05) and time.monotonic() < until:
            pass
    finally:
        child.wait()
        told.close()


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
