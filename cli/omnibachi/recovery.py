"""What processes that died left behind: runs that have not ended, and runs that ended and were not published.

The journal tells the first. The second is told by the lock file that a process removes only when all is done: one that
is there and free names a dead process, and its note says where it would have published (docs/formats.md, "Locks").
What was left by one process is finished as that process would have done it: same folder, with or without pictures.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from omnibachi_model.diagnostics import Diagnostic, Trouble, in_order
from omnibachi_model.digests import decode
from omnibachi_model.record import WAITING

from . import wiring
from .catalogue import Capabilities
from .clocks import SystemClock
from .engine import Engine, check_trace_id
from .exits import TROUBLE
from .parked import answered, asked, told_here
from .publish import publish, unwritten
from .records import is_workflow
from .results import RunResult
from .resuming import ATTEMPTS, stored_workflow, unknown
from .traces_folder import Traces, noted
from .wiring import Ledger, RunRow, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.ports import Clock
    from omnibachi_model.values import JSON

Gone = Mapping[str, tuple[bytes, list[RunRow]]]

UNFINISHED, UNPUBLISHED, HELD, WAITS = "unfinished", "unpublished", "held", "waiting"
ALONE = (HELD, WAITS)  # left alone: another process works on it, or people have not decided
# From what needs nobody to what needs somebody: the exit status of several runs is the last of theirs.
SEVERITY = (0, 7, 5, 1, 3, 4, 6)


@dataclass(frozen=True, slots=True)
class Left:
    """A run that was left behind, or that another process holds.

    `state` is `unfinished`, `unpublished` (ended, and something of its trace is missing), `held` or `waiting` (for
    people, who have not decided yet; `asked` says whom); `missing` are the kinds of its files that are not there.
    """

    row: RunRow
    state: str
    traces: Traces
    picture: bool
    missing: tuple[str, ...] = ()
    asked: str | None = None

    @property
    def process(self) -> int | None:
        """The number of the process that worked on it last, where that is known."""
        number = (self.row.holder or "").partition("-")[0]
        return int(number) if number.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What resuming all runs of a data root gave: a result for each run, the runs that others hold, and warnings."""

    results: tuple[RunResult, ...]
    held: tuple[Left, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def exit_code(self) -> int:
        """The worst of the results' exit codes: 6, 4, 3, 1, 5, 7, 0 in this order. Runs that are left alone do not
        count."""
        return max((result.exit_code for result in self.results), key=SEVERITY.index, default=0)


@dataclass(frozen=True, slots=True)
class Recoverer:
    """Finishes what was left in the data root `root`; `traces` is where runs are published of which nothing is noted.

    `picture` False draws none, True draws them unless the process that died would not have; `mirrors` is the folder of
    the mirrors of a server.
    """

    snapshot: Snapshot
    capabilities: Capabilities
    root: str
    traces: Traces
    picture: bool = True
    mirrors: str | None = None
    clock: Clock | None = None

    def survey(self, ledger: Ledger, left: Gone | None = None) -> list[Left]:
        """Return all runs that were left or are held, the unfinished ones first. Raises Trouble.

        `left` is what the ledger's `left` gave, where it was asked already.
        """
        left = ledger.left() if left is None else left
        found = []
        for row in ledger.unfinished():
            traces, picture = self._published(left.get(row.holder or "", (b"", []))[0])
            if ledger.worked_on(row):
                found.append(Left(row, HELD, traces, picture))
                continue
            asked = self._asked(ledger, row) if row.status == WAITING else None
            found.append(Left(row, UNFINISHED if asked is None else WAITS, traces, picture, asked=asked))
        for note, rows in left.values():
            traces, picture = self._published(note)
            if noted(note) is not None:
                for row in rows:
                    missing = traces.missing(row.run, picture=picture)
                    if row.exit is not None and missing:
                        found.append(Left(row, UNPUBLISHED, traces, picture, tuple(missing)))
        return found

    def _asked(self, ledger: Ledger, row: RunRow) -> str | None:
        """Say whom a parked run asks; None where they have decided or the wait is over, so that it can go on."""
        waits = ledger.people.parked(row.run)
        if waits is None or ledger.cancellations.of(row.run) is not None:
            return None
        if answered(ledger, row.run, waits, (self.clock or SystemClock()).now_ns()):
            return None
        return asked(told_here(ledger, row.run, waits))

    def _published(self, note: bytes) -> tuple[Traces, bool]:
        traces, picture = noted(note) or (self.traces, True)
        if not os.path.isdir(os.path.dirname(traces.folder)):
            traces = self.traces  # The workspace was moved.
        return traces, picture and self.picture

    def one(self, trace_id: str, accept: Collection[str] = (), payload: dict[str, JSON] | None = None) -> RunResult:
        """Finish one run, with its payload where that is needed again, or what is missing of one that has ended.

        Raises Refused (OB316, OB710) and Trouble.
        """
        check_trace_id(trace_id)
        with wiring.open_root(self.root, create=False) as ledger:
            row = ledger.finished(trace_id)
            if row is None:
                raise unknown(ledger, trace_id, self.traces)
            notes = {holder: note for holder, (note, _) in ledger.left().items()}
        traces, picture = self._published(notes.get(row.holder or "", b""))
        with self._engine(traces, picture) as engine:
            result = _finished(engine, trace_id, accept, traces, picture, payload)
            result.diagnostics = in_order([*result.diagnostics, *engine.warnings])
            engine.close(done=not unwritten(result))
        self._tidy()
        return result

    def all(self, accept: Collection[str] = ()) -> Recovery:
        """Finish every run that was left and leave alone what others hold. Raises Trouble."""
        with wiring.open_root(self.root, create=False) as ledger:
            found = self.survey(ledger)
            called = {item.row.run: _calls(ledger, item) if accept else frozenset() for item in found}
        groups: dict[tuple[str, bool], list[Left]] = {}
        for item in found:
            if item.state not in ALONE:
                groups.setdefault((item.traces.folder, item.picture), []).append(item)
        results, held = [], [item for item in found if item.state in ALONE]
        warnings: tuple[Diagnostic, ...] = ()
        for items in groups.values():
            traces, picture = items[0].traces, items[0].picture
            with self._engine(traces, picture) as engine:
                for item in items:
                    wanted = [address for address in accept if address in called[item.row.run]]
                    for _ in range(ATTEMPTS):
                        result = _finished(engine, item.row.run, wanted, traces, picture)
                        row = engine.ledger.finished(item.row.run) if result.exit is None else None
                        busy = row is not None and engine.ledger.worked_on(row)
                        if busy or not _was_held(result):
                            break  # Else whoever was faster has ended it, or died, since this process was told.
                    if row is not None and busy:
                        held.append(replace(item, row=row, state=HELD))
                    else:
                        results.append(result)
                warnings = engine.warnings
                engine.close(done=not any(map(unwritten, results)))
        self._tidy()
        unused = [address for address in accept if not any(address in addresses for addresses in called.values())]
        return Recovery(tuple(results), tuple(held), (*_unused(unused), *warnings))

    def _engine(self, traces: Traces, picture: bool) -> Engine:
        note = traces.note(picture=picture)
        return Engine(self.snapshot, self.capabilities, self.root, clock=self.clock, note=note, mirrors=self.mirrors)

    def _tidy(self) -> None:
        """Remove what dead processes left in locks and folders, of those whose runs are all done."""
        with wiring.open_root(self.root, create=False) as ledger:
            # Asked once: what a process leaves that dies from here on is not looked at.
            left = ledger.left()
            waiting = {item.row.holder for item in self.survey(ledger, left)}
            living = ledger.living()
            for holder, (note, rows) in left.items():
                if holder not in waiting:
                    for row in rows:
                        self._published(note)[0].clean(row.run, living.__contains__)
                    ledger.forget(holder)


def _finished(
    engine: Engine,
    trace_id: str,
    accept: Collection[str],
    traces: Traces,
    picture: bool,
    payload: dict[str, JSON] | None = None,
) -> RunResult:
    """Resume a run, or take it as recorded, and publish what is missing."""
    result = engine.resume(trace_id, accept=accept, payload=payload)
    if result.exit is None or not is_workflow(result.workflow):
        return result
    try:
        row = engine.ledger.finished(trace_id)
        assert row is not None
        # Held, so that others see that what is written aside now is not what a dead process left.
        engine.ledger.hold()
        traces.clean(trace_id, engine.ledger.living().__contains__)
        found = publish(engine, traces, result, stored_workflow(engine.ledger, row), picture=picture)
    except Trouble as trouble:
        result.exit_code = TROUBLE
        found = [trouble.diagnostic]
    result.diagnostics = in_order([*result.diagnostics, *found])
    return result


def _was_held(result: RunResult) -> bool:
    return result.exit is None and any(item.code == "OB713" for item in result.diagnostics)


def _calls(ledger: Ledger, item: Left) -> frozenset[str]:
    if item.state != UNFINISHED:
        return frozenset()
    try:
        return frozenset(decode(stored_workflow(ledger, item.row))["capabilities"])
    except (Trouble, ValueError, KeyError, TypeError):
        return frozenset()  # Resuming it will say what is wrong.


def _unused(addresses: Iterable[str]) -> list[Diagnostic]:
    return [
        Diagnostic("OB716", f"no unfinished run calls `{address[:200]}`, so there was nothing to accept",
                   severity="warning")
        for address in addresses
    ]  # fmt: skip
