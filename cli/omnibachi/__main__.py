"""The command's door: `run` starts at once, everything else goes through click.

Whatever goes wrong inside OmniBachi itself ends here, as one message that says so (exit status 70); a traceback only
with OMNIBACHI_DEBUG=1.
"""

from __future__ import annotations

import errno
import gc
import os
import sys

from .exits import BROKEN_PIPE, DEFECT, INTERRUPTED, TROUBLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
else:
    # What `signal` wraps; it is always there, and the wrapper would be one more module to load before a run starts.
    import _signal as signal

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(given)
    except KeyboardInterrupt:
        return _told("OB745", "interrupted", "interrupted", "nothing was begun", INTERRUPTED, given)
    except BrokenPipeError:
        # Whoever read our output has gone.
        _turn_output_off()
        return BROKEN_PIPE
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
            # A file that cannot be opened has a name; this is our output, sent to a disk without space.
            _turn_output_off()
            message = f"standard output cannot be written: {error.strerror}".lower()
            help = "what was asked may be done: make space, or send the output elsewhere, and look"
            return _told("OB753", "output-unwritable", message, help, TROUBLE, [])
        return _defect(error, given)
    finally:
        if arguments is None:
            # All is done and said: a Ctrl-C while Python shuts down could only add a traceback to it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _turn_output_off() -> None:
    """Send the rest of the output to nowhere: Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(given: list[str]) -> int:
    if given[:1] == ["run"]:
        # Most of what one run makes lives until it ends: looking for garbage so soon costs a twentieth of its time.
        gc.set_threshold(100_000)
        return _uninterrupted(_run_command)(given[1:])
    return _uninterrupted(_other_commands)(given)


def _run_command() -> Callable[[Sequence[str]], int]:
    from .run_command import main as run

    return run


def _other_commands() -> Callable[[Sequence[str]], int]:
    from .commands import main as others

    return others


def _uninterrupted(imported: Callable[[], Callable[[Sequence[str]], int]]) -> Callable[[Sequence[str]], int]:
    """Import a command while Ctrl-C waits for it; raises KeyboardInterrupt afterwards.

    A module of C whose own imports are broken off may take the process with it: orjson dies of it (SIGSEGV).
    """
    waiting: list[bool] = []
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        return imported()
    try:
        signal.signal(signal.SIGINT, lambda *_: waiting.append(True))
    except ValueError:
        # Not the main thread: no signal is handled here.
        return imported()
    try:
        command = imported()
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        raise KeyboardInterrupt
    return command


def _defect(error: Exception, given: list[str]) -> int:
    if os.environ.get("OMNIBACHI_DEBUG"):
        import traceback

        traceback.print_exception(error)
        return DEFECT
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    message = f"this is a mistake of OmniBachi itself, not of what you wrote ({text})"
    help = "set OMNIBACHI_DEBUG=1 to see where, and report it"
    return _told("OB799", "defect", message, help, DEFECT, given)


def _told(code: str, slug: str, message: str, help: str, status: int, given: Sequence[str]) -> int:
    if "--json" in given:
        from omnibachi_model.diagnostics import Diagnostic
        from omnibachi_model.digests import encode

        answer = {"schema": "omnibachi.error/1", "ok": False, "exit_code": status}
        print(encode({**answer, "diagnostics": [Diagnostic(code, message, help=help).as_json()]}).decode())
    else:
        print(f"error[{code}] {slug}: {message}\n   = help: {help}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
