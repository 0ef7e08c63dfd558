"""Several processes that try mutants: each takes every nth, and says of each whether a scenario noticed it.

A worker is a fresh process that is handed what was compiled. It ends when the other end of its pipe is gone.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

from omnibachi.catalogue import Capabilities
from omnibachi.wiring import Compilation
from omnibachi_model.diagnostics import Diagnostic, Trouble

from .mutation import Bench, Trial

PATIENCE = 2.0  # seconds that a worker is given to end by itself


def try_all(
    compilation: Compilation, folder: str, selector: str, trials: Sequence[Trial], workers: int
) -> Iterator[bool]:
    """Yield of each trial, in their order, whether it was noticed; `folder` is the workspace's `capabilities/`.

    Raises Trouble (OB758) where a worker dies.
    """
    context = get_context("spawn")
    hands = []
    try:
        for first in range(min(workers, len(trials))):
            ours, theirs = context.Pipe(duplex=False)
            task = (theirs, compilation, folder, selector, trials[first::workers])
            process = context.Process(target=work, args=task, daemon=True)
            process.start()
            theirs.close()
            hands.append((process, ours))
        for number in range(len(trials)):
            process, connection = hands[number % workers]
            try:
                yield connection.recv()
            except EOFError:
                process.join(PATIENCE)
                message = f"a process that tried mutants died (exit status {process.exitcode})"
                help = "see what it wrote on standard error, and try them in one process: `--workers 1`"
                raise Trouble(Diagnostic("OB758", message, help=help)) from None
    finally:
        for process, connection in hands:
            connection.close()
            process.join(PATIENCE)
            if process.exitcode is None:
                process.terminate()
                process.join()


def work(connection: Connection, compilation: Compilation, folder: str, selector: str, trials: Sequence[Trial]) -> None:
    """Try mutants one after the other and send of each whether it was noticed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Only who leads has to hear it.
    bench = Bench(compilation, Capabilities(folder), selector)
    gc.freeze()  # What was compiled stays to the end, and is not looked through again.
    with suppress(ConnectionError):
        for trial in trials:
            connection.send(bench.kills(trial))
