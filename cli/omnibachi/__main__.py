"""The command's door: `run` starts at once, everything else goes through click.

Whatever goes wrong inside OmniBachi itself ends here, as one message that says so (exit status 70); a traceback only
with OMNIBACHI_DEBUG=1.
"""

from __future__ import annotations

import gc
import os
import sys

from .exits import BROKEN_PIPE, DEFECT, INTERRUPTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(given)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        return _defect(error, given)


def _dispatch(given: list[str]) -> int:
    if given[:1] == ["run"]:
        # Most of what one run makes lives until it ends: looking for garbage so soon costs a twentieth of its time.
        gc.set_threshold(100_000)
        from .run_command import main as run

        return run(given[1:])
    from .commands import main as others

    return others(given)


def _defect(error: Exception, given: list[str]) -> int:
    if os.environ.get("OMNIBACHI_DEBUG"):
        import traceback

        traceback.print_exception(error)
        return DEFECT
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    message = f"this is a mistake of OmniBachi itself, not of what you wrote ({text})"
    help = "set OMNIBACHI_DEBUG=1 to see where, and report it"
    if "--json" in given:
        from omnibachi_model.diagnostics import Diagnostic
        from omnibachi_model.digests import encode

        found = {"schema": "omnibachi.error/1", "ok": False, "exit_code": DEFECT}
        print(encode({**found, "diagnostics": [Diagnostic("OB799", message, help=help).as_json()]}).decode())
    else:
        print(f"error[OB799] defect: {message}\n   = help: {help}", file=sys.stderr)
    return DEFECT


if __name__ == "__main__":
    sys.exit(main())
