"""Trying mutants: do scenarios notice them? In this process, or in several, of which each takes every nth.

A worker is a fresh process that is handed what was compiled. It ends when the other end of its pipe is gone.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

from omnibachi.catalogue import Capabilities
from omnibachi.wiring import Compilation
from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import decode, encode

from .mutants import Mutant, mutants
from .playing import play
from .runner import chosen
from .stage import Stage

PATIENCE = 2.0  # seconds that a worker is given to end by itself


class Place(NamedTuple):
    """A mutant in one sealed workflow: its number among that workflow's mutants."""

    workflow: str
    number: int


class Trial(NamedTuple):
    """A mutant of a declaration: its places, the one that stands for it first, and who plays it where, cheapest first:
    (index of a place, index of a scenario)."""

    places: tuple[Place, ...]
    plays: tuple[tuple[int, int], ...]


class Bench:
    """Where trials are made: the stage, the scenarios that may be played, and the mutants of each workflow."""

    def __init__(self, compilation: Compilation, capabilities: Capabilities, selector: str = "") -> None:
        self.stage = Stage(compilation, capabilities)
        self.scenarios = chosen(compilation, self.stage, selector)
        self._mutants: dict[str, list[Mutant]] = {}

    def mutants(self, address: str) -> list[Mutant]:
        """Return the mutants of a workflow, always in the same order."""
        if address not in self._mutants:
            laws = [law.sealed for law in self.stage.laws(address).values()]
            self._mutants[address] = list(mutants(self.stage.sealed(address), laws))
        return self._mutants[address]

    def kills(self, trial: Trial) -> bool:
        """Tell whether a scenario notices a mutant; what stops a scenario half-way counts as noticing."""
        changed: dict[int, Stage] = {}
        for at, number in trial.plays:
            if at not in changed:
                changed[at] = self._changed(trial.places[at])
            if any(True for _ in play(changed[at], self.scenarios[number], lambda result, forced: None)):
                return True
        return False

    def _changed(self, place: Place) -> Stage:
        sealed = decode(self.stage.bytes_of(place.workflow))
        self.mutants(place.workflow)[place.number].apply(sealed)
        return self.stage.changed(place.workflow, encode(sealed))


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
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            hands.append((process, ours))
            # By the pipe, not with the start: a process that dies over it must not leave this one waiting.
            with suppress(ConnectionError):
                ours.send((compilation, folder, selector, trials[first::workers]))
        for number in range(len(trials)):
            process, connection = hands[number % workers]
            try:
                yield connection.recv()
            except (EOFError, ConnectionError):
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


def work(connection: Connection) -> None:
    """Try the mutants that come by the pipe, one after the other, and send of each whether it was noticed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Only who leads has to hear it.
    compilation, folder, selector, trials = connection.recv()
    bench = Bench(compilation, Capabilities(folder), selector)
    gc.freeze()  # What was compiled stays to the end, and is not looked through again.
    with suppress(ConnectionError):
        for trial in trials:
            connection.send(bench.kills(trial))
