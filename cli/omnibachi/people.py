"""What people have to do with one run, for those who examine its record: whom it asks, and what was handed in.

What counts stands in the record; what was refused stands in the journal alone, so it is told where that is at hand.
"""

from __future__ import annotations

import os

from omnibachi_model.diagnostics import Trouble
from omnibachi_model.formats import write_time
from omnibachi_model.record import WAITED, read
from omnibachi_model.waits import DECISIONS

from . import wiring
from .clocks import SystemClock
from .parked import told, told_here, voice, waits_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any

    from .wiring import Ledger, Report


def say(report: Report, record: bytes, run: str, data_root: str | PathLike[str] | None) -> None:
    """Add to a report what its run waits for, and what people handed in as far as the journal of a data root tells."""
    if report.verdict == "BROKEN":
        return
    events = list(read(record))
    waits = waits_in([("", event.body_bytes, event.obs_bytes) for event in events])
    if waits is None and not any(event.body["kind"] == WAITED for event in events):
        return
    report.waiting = None if waits is None else told(waits)
    if data_root is None or not wiring.may_be_there(os.fspath(data_root)):
        return
    try:
        with wiring.open_root(os.fspath(data_root), reading=True) as ledger:
            report.statements = statements(ledger, run)
            if waits is not None:
                report.waiting = told_here(ledger, run, waits, SystemClock().now_ns())
    except Trouble:
        return  # That it cannot be read is told already.
    if report.waiting is not None and report.waiting["decided"] is not None:
        report.advice = [f"its wait is over ({report.waiting['decided']}): go on with `omnibachi resume {run}`"]


def statements(ledger: Ledger, run: str) -> list[dict[str, Any]]:
    """Return what was handed in for a run, as people read it: refused statements too."""
    found = []
    for item in ledger.people.kept(run):
        said = voice(item.statement)
        found.append(
            {
                "number": item.number,
                "path": item.path,
                "at": write_time(item.at_us * 1000),
                "key": item.key or None,
                "verdict": item.verdict,
                "decision": said.get("decision") if said.get("decision") in DECISIONS else None,
                "because": said.get("because"),
            }
        )
    return found
