"""Cancelling a run: that somebody asks for it is kept first, then the run ends, whoever ends it.

A run on which a process works sees it by itself and ends; one on which nobody works, because its process died or
because it waits for people, is taken over and ended here. So it does with `resume`, where this process dies in between.
"""

from __future__ import annotations

import time

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.formats import write_time
from omnibachi_model.sealed import CANCELLED_EXIT
from omnibachi_model.values import Outside, admit

from . import wiring
from .clocks import SystemClock
from .endings import recorded_result
from .engine import PROGRAM, check_trace_id, host
from .exits import FINDINGS, OK
from .resuming import stored_workflow, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from omnibachi_model.diagnostics import Diagnostic as Found
    from omnibachi_model.ports import Clock

    from .engine import Engine
    from .results import RunResult
    from .wiring import Cancellation, Ledger, RunRow
    from .workspace import Workspace

LONGEST = 2000  # characters of a reason
LOOK = 0.05  # seconds between two looks at a run that is about to end
KEPT, BEFORE, LATE = "cancelled", "cancelled before", "ended before"


class Cancelled:
    """What came of it: `state` is KEPT, BEFORE (somebody had asked already) or LATE (the run had ended), `by` who
    asked first, `ended` whether the run has ended, `process` which process still works on it, and `result` the run,
    where it was ended here."""

    __slots__ = ("asked", "diagnostics", "process", "result", "row", "state")

    def __init__(self, state: str, asked: Cancellation | None, row: RunRow) -> None:
        self.state = state
        self.asked = asked
        self.row = row
        self.process: str | None = None
        self.result: RunResult | None = None
        self.diagnostics: Sequence[Found] = ()

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self.result.exit is not None if self.result is not None else self.row.exit is not None

    @property
    def exit_code(self) -> int:
        """0 where the run is cancelled, or about to be; 1 where it had ended before; else what stands in the way."""
        if self.state == LATE:
            return 1
        return self.result.exit_code if self.result is not None and self.result.exit is None else OK


def cancel(
    workspace: Workspace,
    trace_id: str,
    by: str,
    because: str | None = None,
    *,
    data_root: str | None = None,
    wait: float = 0.0,
    clock: Clock | None = None,
    picture: bool = True,
) -> Cancelled:
    """Keep that somebody asks that a run end, and see to it that it does.

    Where a process works on it, wait so many seconds for that process to end it. Raises Refused (OB710 for what is no
    trace id, OB316 for an unknown run, OB122 for texts that cannot be recorded) and Trouble.
    """
    check_trace_id(trace_id)
    for text in (by, because):
        _recordable(text)
    root = workspace.data_root if data_root is None else data_root
    at = write_time((clock or SystemClock()).now_ns())
    with wiring.open_root(root, create=False) as ledger:
        row = ledger.finished(trace_id)
        if row is None:
            raise unknown(ledger, trace_id, workspace.traces)
        kept = row.exit is None and ledger.cancellations.keep(trace_id, wiring.Cancellation(at, by, because))
        asked, row = ledger.cancellations.of(trace_id), _ended(ledger, trace_id, wait)
        if asked is None:
            found = Cancelled(LATE, None, row)
            message = f"the run `{trace_id}` had ended at `{row.exit}` before it was cancelled; nothing was changed"
            found.diagnostics = [Diagnostic("OB729", message)]
            return found
        found = Cancelled(KEPT if kept else BEFORE, asked, row)
        if row.exit is None and ledger.worked_on(row):
            found.process = (row.holder or "").partition("-")[0]
            return found
    # One that has ended has its picture, or its process was told to draw none.
    found.result = workspace.resume(trace_id, data_root=root, picture=picture and row.exit is None)
    # That it was cancelled is what was asked for.
    found.diagnostics = [item for item in found.result.diagnostics if item.code != "OB732"]
    return found


def _recordable(text: str | None) -> None:
    try:
        admit(text)
    except Outside as outside:
        raise Refused([Diagnostic("OB122", f"this cannot be recorded: {outside.reason}")], FINDINGS) from None
    if text is not None and not 1 <= len(text) <= LONGEST:
        message = f"a name and a reason have 1 to {LONGEST} characters"
        raise Refused([Diagnostic("OB122", message, help="say it shorter")], FINDINGS)


def _ended(ledger: Ledger, trace_id: str, seconds: float) -> RunRow:
    """Return how a run stands once no other process works on it, or once that took too long."""
    until = time.monotonic() + seconds
    while True:
        row = ledger.finished(trace_id)
        assert row is not None
        if not ledger.worked_on(row) or time.monotonic() >= until:
            return row
        time.sleep(LOOK)


def end_cancelled(engine: Engine, row: RunRow, clock: Clock) -> RunResult | None:
    """End a run that was cancelled and on which nobody works; None where it changed meanwhile. Raises Trouble."""
    ledger = engine.ledger
    events = ledger.events(row.run)
    journal = ledger.take_over(row, stored_workflow(ledger, row))
    if journal is None:
        return None
    known = {"host": host(), "program": PROGRAM, "seal": engine.snapshot.seal}
    wiring.end_left(journal, events, clock.now_ns(), known)
    found = recorded_result(engine.snapshot, row.run, ledger.events(row.run))
    assert found.exit == CANCELLED_EXIT
    found.repeated = False
    return found
