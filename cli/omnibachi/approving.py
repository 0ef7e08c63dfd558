"""Handing in what somebody says about a run that waits: it is judged and kept, and the run goes on if that decides it.

The statement is kept before anything else is done, in one transaction with the verdict on it. Going on is what
`resume` does, on the workflow as the journal stored it; whoever dies in between has lost nothing, since `resume` finds
a run whose wait is decided.
"""

from __future__ import annotations

import functools

from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import decode
from omnibachi_model.record import read
from omnibachi_model.values import Outside, admit
from omnibachi_model.waits import ACCEPTED

from . import wiring
from .clocks import SystemClock
from .engine import check_trace_id
from .exits import FINDINGS, UNPROVEN
from .parked import answered, parked_result, told_here, waits_in
from .results import RunResult
from .trusting import trust_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Any

    from omnibachi_model.ports import Clock
    from omnibachi_model.values import JSON

    from .parked import Parked
    from .wiring import Ledger, PrivateKey, RunRow, Trust
    from .workspace import Workspace


class Handed:
    """What came of a statement: how it was kept, why it does not count if so, and the run after it."""

    __slots__ = ("kept", "objection", "result")

    def __init__(self, kept: Any, objection: Diagnostic | None, result: RunResult) -> None:
        self.kept = kept
        self.objection = objection
        self.result = result

    @property
    def exit_code(self) -> int:
        """4 where the statement does not count, else that of the run."""
        return UNPROVEN if self.objection is not None else self.result.exit_code


def trusted(path: str) -> Trust:
    """Read the trust file; raises Refused (OB614) where it is none or not there."""
    found = trust_in(path)
    if found is None:
        help = "name another with `--trust`, or begin one with `omnibachi keys trust`"
        raise Refused([Diagnostic("OB614", f"`{path}` is not there", help=help)])
    return found


def signed(record: bytes, key: PrivateKey, decision: str, because: str | None, at: str) -> bytes:
    """Sign what is approved by the record of a run that waits; raises Refused (OB801, OB810)."""
    run, waits = waiting_in(record)
    try:
        admit(because)
    except Outside as outside:
        raise Refused([Diagnostic("OB801", f"this cannot be signed: {outside.reason}")], FINDINGS) from None
    data: bytes = wiring.sealed_envelope(wiring.approval_statement(waits[0], run, decision, because, at), key)
    try:
        wiring.approval_of(data)
    except wiring.Unreadable as error:
        raise Refused([Diagnostic("OB801", f"this cannot be signed: {error}")], FINDINGS) from None
    return data


def waiting_in(record: bytes) -> tuple[str, Parked]:
    """Return the run of a record and what it waits for; raises Refused (OB740, OB810)."""
    judged = wiring.verify(record)
    if not judged.holds:
        message = f"the record is broken at line {judged.line}: {judged.reason}"
        raise Refused([Diagnostic("OB740", message, help="get the record again")])
    events = [("", event.body_bytes, event.obs_bytes) for event in read(record)]
    run = str(decode(events[0][2])["trace_id"])
    waits = waits_in(events)
    if waits is None:
        help = f"`omnibachi examine {run}` tells what became of it"
        raise Refused([Diagnostic("OB810", f"the run `{run}` waits for nobody", help=help)])
    return run, waits


def hand_in(
    workspace: Workspace,
    trace_id: str,
    statement: bytes,
    trust: Trust,
    *,
    data_root: str | None = None,
    clock: Clock | None = None,
    accept: Collection[str] = (),
    payload: dict[str, JSON] | None = None,
    picture: bool = True,
) -> Handed:
    """Judge and keep a statement, and go on with the run if its wait is decided or over then.

    `payload` is what the run was given, where it goes on with secrets.

    Raises Refused (OB710 for what is no trace id, OB316 for an unknown run, OB811 where too much was refused already)
    and Trouble; once the statement is kept, what stands in the way of going on is in the result's diagnostics.
    """
    check_trace_id(trace_id)
    root = workspace.data_root if data_root is None else data_root
    now = clock or SystemClock()
    objections: list[Diagnostic | None] = []
    with wiring.open_root(root, create=False) as ledger:
        row = ledger.finished(trace_id)
        if row is None:
            from .resuming import unknown

            raise unknown(ledger, trace_id, workspace.traces)
        actor = _actor(ledger, trace_id)

        def judge(waits: Parked | None, voices: Sequence[tuple[str, bytes, int]], at_us: int) -> tuple[str, str]:
            key, objection = wiring.judge_approval(statement, trace_id, waits, voices, at_us, actor, trust)
            objections.append(objection)
            return (ACCEPTED if objection is None else objection.code), key

        # What is too large is kept as far as it may be: that it was handed in is told all the same.
        kept = ledger.people.keep(trace_id, statement[: wiring.LARGEST_APPROVAL + 1], now.now_ns() // 1000, judge)
        objection = objections[-1]
        if kept is None:
            message = f"too much was refused for the run `{trace_id}` already, and this is not kept"
            help = "look at what was handed in with `omnibachi examine`, and at who may write here"
            raise Refused([Diagnostic("OB811", message, help=help)])
        waits = ledger.people.parked(trace_id)
        undecided = waits is not None and not answered(ledger, trace_id, waits, now.now_ns())
        # One that counted and finds nobody waiting any more has decided it, and somebody else went on: `one` tells how.
        if undecided or (waits is None and objection is not None):
            return Handed(kept, objection, _unchanged(ledger, row, waits, objection))
    recoverer = functools.partial(workspace.recoverer, root, picture=picture, clock=clock)
    result = _go_on(trace_id, lambda: recoverer().one(trace_id, accept, payload))
    if objection is not None:
        result.diagnostics = (objection, *result.diagnostics)
    return Handed(kept, objection, result)


def _actor(ledger: Ledger, run: str) -> str | None:
    """Return who asked for a run; raises Trouble (OB723) where the journal does not tell."""
    try:
        found: str | None = decode(ledger.events(run)[0][2])["actor"]
    except (IndexError, KeyError, TypeError, ValueError):
        raise Trouble(Diagnostic("OB723", f"the journal does not hold the start of the run `{run}`")) from None
    return found


def _unchanged(ledger: Ledger, row: RunRow, waits: Parked | None, objection: Diagnostic | None) -> RunResult:
    """Say how the run stands on which the statement changed nothing yet."""
    events = ledger.events(row.run)
    found = () if objection is None else (objection,)
    if waits is not None:
        return parked_result(
            row.run, row.workflow, events, told_here(ledger, row.run, waits), workflow_digest=row.workflow_digest,
            seal=row.seal, origin=None, diagnostics=found, repeated=True,
        )  # fmt: skip
    ended = None if row.exit is None else decode(events[-1][1])["result"]
    return RunResult(
        row.run, row.workflow, UNPROVEN, exit=row.exit, status=row.status, result=ended,
        workflow_digest=row.workflow_digest, seal=row.seal, events=events, diagnostics=found, repeated=True,
    )  # fmt: skip


def _go_on(trace_id: str, resume: Callable[[], RunResult]) -> RunResult:
    """Resume the run; what stands in the way is told as what `resume` will say again."""
    try:
        result = resume()
    except Refused as refused:
        result = RunResult(trace_id, "", refused.exit_code, diagnostics=refused.diagnostics)
    if result.exit is not None or result.waiting is not None:
        return result
    if any(item.code == "OB713" for item in result.diagnostics):
        return result  # another process goes on with it
    note = Diagnostic(
        "OB812", f"the wait of `{trace_id}` is decided, and the run cannot go on yet",
        help=f"mend what is said here, then `omnibachi resume {trace_id}`", severity="warning",
    )  # fmt: skip
    result.diagnostics = (*result.diagnostics, note)
    return result
