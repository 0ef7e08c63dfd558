"""Real processes beside the test's own: Python children that wait at a barrier and say as JSON what they found.

`Child("module:function", …)` starts one. It says when it is ready, begins when `go` is called, and what its function
returns is what `said` gives. A child that takes too long is killed by its handle, and none outlives its test.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent
SECONDS = 60.0


class Child:
    """One process that runs a function `(barrier, *arguments)`; `barrier()` returns when the test says go.

    `within` is a command that runs the command that follows it.
    """

    def __init__(self, function: str, *arguments: Any, folder: Path | None = None, within: Sequence[str] = ()) -> None:
        command = [*within, sys.executable, str(HERE / "children.py"), function, json.dumps(arguments)]
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.name = function

    def ready(self) -> None:
        """Wait until the child stands at its barrier."""
        out = self._pipe(self.process.stdout)
        if not select.select([out], [], [], SECONDS)[0]:
            self.process.kill()
        line = out.readline()
        assert line == "ready\n", f"{self.name}: {line}{self._pipe(self.process.stderr).read()}"

    def go(self) -> None:
        """Let the child begin."""
        into = self._pipe(self.process.stdin)
        into.write("go\n")
        into.flush()

    def said(self) -> Any:
        """Wait for the end and return what the function returned."""
        try:
            out, err = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"{self.name} took more than {SECONDS} s: {err}") from None
        assert self.process.returncode == 0, err
        return json.loads(out)

    def end(self) -> None:
        """Kill the child if it still runs, and give up its pipes."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                self._pipe(pipe).close()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


@contextlib.contextmanager
def children(*calls: tuple[Any, ...], folder: Path | None = None, within: Sequence[str] = ()) -> Iterator[list[Child]]:
    """Start a child for each `(function, *arguments)` and let all begin when all are ready."""
    started: list[Child] = []
    try:
        for call in calls:
            started.append(Child(*call, folder=folder, within=within))
        for child in started:
            child.ready()
        for child in started:
            child.go()
        yield started
    finally:
        for child in started:
            child.end()


def together(*calls: tuple[Any, ...], within: Sequence[str] = ()) -> list[Any]:
    """Run a child for each `(function, *arguments)`, all at once; return what they said."""
    with children(*calls, within=within) as started:
        return [child.said() for child in started]


def mounted(script: str) -> list[str] | None:
    """Return a command that runs what follows it after a shell script that mounts; None where nobody may mount here.

    What is mounted is in a namespace of its own, seen by nobody else, and ends with the command.
    """
    for options in ("-m", "-Urm"):
        command = ["unshare", options, "sh", "-c", f'{script} && exec "$@"', "mounted"]
        with contextlib.suppress(OSError):
            if subprocess.run([*command, "true"], capture_output=True, timeout=SECONDS, check=False).returncode == 0:
                return command
    return None


def _barrier() -> None:
    print("ready", flush=True)
    assert sys.stdin.readline() == "go\n"


def _serve(name: str, arguments: str) -> None:
    module, _, function = name.partition(":")
    called: Callable[..., Any] = getattr(import_module(module), function)
    print(json.dumps(called(_barrier, *json.loads(arguments))), flush=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
