"""Finishing one run whose process died: what it needs is found and compared, then the runtime walks on.

The workflow is the one that the run began with, as the journal stored it. Its capabilities are those of today; one that
is not what it was when the run began is refused, unless it is accepted by name. The run is taken over only after all
that was recorded has come out the same again, so whatever is refused leaves it as it was.
"""

from __future__ import annotations

import os

from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import decode, digest, digest_of
from omnibachi_model.record import RESUMED_BODY

from . import wiring
from .endings import ended_result, origins_of, recorded_result
from .engine import PROGRAM, Linked, check_trace_id, host, link
from .exits import FINDINGS, TROUBLE
from .handed_in import check_key, check_payload, unseen_by
from .mishaps import place_of, shown
from .results import RunResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from omnibachi_model.ports import Clock, Entropy

    from .catalogue import Capabilities
    from .engine import Engine
    from .traces_folder import Traces
    from .wiring import Difference, Ledger, Program, RunRow, Snapshot

    Event = tuple[str, bytes, bytes]

# Each further attempt means that yet another process went on with the run in the meantime, and died.
ATTEMPTS = 16
ENDED = "OB711"  # of an id that cannot be started since its run has ended
KNOWN = 1000


def resume(
    engine: Engine,
    capabilities: Capabilities,
    clock: Clock,
    entropy: Entropy,
    trace_id: str,
    accept: Sequence[str],
    payload: Any = None,
) -> RunResult:
    """Do what `Engine.resume` says."""
    row: RunRow | None = None
    try:
        check_trace_id(trace_id)
        for _ in range(ATTEMPTS):
            row = engine.ledger.finished(trace_id)
            if row is None:
                raise unknown(engine.ledger, trace_id)
            if row.exit is not None:
                return _ended(engine, row, accept)
            if engine.ledger.worked_on(row):
                held = engine.ledger.taken(trace_id)
                if held.code != ENDED:
                    raise Trouble(held)
                continue  # Whoever worked on it has finished it meanwhile.
            if engine.ledger.cancellations.of(trace_id) is not None:
                from .cancelling import end_cancelled

                ended = end_cancelled(engine, row, clock)
                if ended is not None:
                    return ended
                continue
            resumption = _Resumption(engine, row, payload)
            waits = resumption.waits(clock)
            if waits is not None:
                return waits
            result = resumption.finish(capabilities, clock, entropy, accept)
            if result is not None:
                return result
        raise Trouble(engine.ledger.taken(trace_id))
    except Refused as refused:
        return _failed(engine.snapshot, trace_id, row, refused.exit_code, refused.diagnostics)
    except Trouble as trouble:
        return _failed(engine.snapshot, trace_id, row, TROUBLE, [trouble.diagnostic])


def _failed(
    snapshot: Snapshot, trace_id: str, row: RunRow | None, code: int, diagnostics: Sequence[Diagnostic]
) -> RunResult:
    workflow, workflow_digest = (row.workflow, row.workflow_digest) if row else ("", None)
    return RunResult(
        trace_id, workflow, code, workflow_digest=workflow_digest, seal=row.seal if row else snapshot.seal,
        diagnostics=diagnostics,
    )  # fmt: skip


def _ended(engine: Engine, row: RunRow, accept: Sequence[str]) -> RunResult:
    found = recorded_result(engine.snapshot, row.run, engine.ledger.events(row.run))
    if accept:
        message = f"the run `{row.run}` has ended, so there was nothing to accept"
        found.diagnostics = (*found.diagnostics, Diagnostic("OB716", message, severity="warning"))
    return found


class _Resumption:
    """One unfinished run, as the journal has it."""

    __slots__ = ("engine", "events", "first", "locks", "payload", "row", "sealed", "started", "workflow")

    def __init__(self, engine: Engine, row: RunRow, payload: Any = None) -> None:
        self.engine = engine
        self.payload = payload
        self.row = row
        self.events: list[Event] = engine.ledger.events(row.run)
        self.sealed = stored_workflow(engine.ledger, row)
        try:
            self.workflow: dict[str, Any] = decode(self.sealed)
            first: dict[str, Any] = decode(self.events[0][2])
            self.first = first
            self.started: tuple[int, str, str | None] = (first["at_us"] * 1000, first["started_at"], first["actor"])
            self.locks: dict[str, str] = dict(first["capabilities"])
        except (IndexError, KeyError, TypeError, ValueError):
            raise Trouble(Diagnostic("OB723", f"the journal does not hold the start of the run `{row.run}`")) from None
        doubt = engine.ledger.doubt(row)
        if doubt is not None:
            raise Trouble(Diagnostic("OB723", f"the journal contradicts itself about the run `{row.run}`: {doubt}"))

    def waits(self, clock: Clock) -> RunResult | None:
        """Say what the run waits for while people have not decided it; None where it can go on."""
        from .parked import answered, parked_result, told_here, waits_in

        row, ledger = self.row, self.engine.ledger
        waits = waits_in(self.events)
        if waits is None or answered(ledger, row.run, waits, clock.now_ns()):
            return None
        return parked_result(
            row.run, row.workflow, self.events, told_here(ledger, row.run, waits), workflow_digest=row.workflow_digest,
            seal=row.seal, origin=self.first.get("origin"), repeated=True,
        )  # fmt: skip

    def finish(
        self, capabilities: Capabilities, clock: Clock, entropy: Entropy, accept: Sequence[str]
    ) -> RunResult | None:
        """Walk along the record and on to an exit; None when the run changed meanwhile. Raises Refused and Trouble."""
        row, ledger = self.row, self.engine.ledger
        locks = self._locks(capabilities)
        accepted, warnings = self._accepted(locks, accept)
        sealed = wiring.Sealed(self.engine.snapshot, self.sealed, row.workflow_digest, self.workflow, locks)
        functions = capabilities.functions(locks, strict=self.engine.snapshot.strict)
        program = link(sealed, functions)
        if program.secrets is not None:
            check_key(ledger, row.run, self.events)
            program.secrets.commit = self.engine.commit
        start = wiring.Start(
            row.run, *self.started, b"", clock, entropy, None, self._chance(program), self.engine.secrets
        )  # fmt: skip
        try:
            check_payload(program, self.payload, self.events, row.run)
            walk, index = wiring.retrace(program, start, self.events, self.payload)
        except wiring.Difference as difference:
            raise Refused([self._divergence(difference)]) from None
        except wiring.Unseen as unseen:
            raise unseen_by(row.run, unseen) from None
        if self.payload is None and program.secrets is not None:
            wiring.guarded(program)
        journal = ledger.take_over(row, self.sealed)
        if journal is None:
            return None
        known: dict[str, Any] = {"host": host(), "program": PROGRAM, "seal": self.engine.snapshot.seal}
        if accepted:
            known["accepted"] = accepted
        try:
            ended = wiring.resume(walk, index, journal, known)
        except wiring.Unseen as unseen:
            ledger.give_up(row.run)
            raise unseen_by(row.run, unseen) from None
        result = ended_result(Linked(program, self.engine.snapshot, b""), ended)
        result.seal, result.origin = self.first.get("seal"), self.first.get("origin")
        result.diagnostics = (*result.diagnostics, *warnings)
        return result

    def _chance(self, program: Program) -> str | None:
        """Return what the waits of the run are drawn from; raises Trouble (OB723) where it is not recorded."""
        chance = self.first.get("chance")
        if program.draws and type(chance) is not str:
            raise Trouble(Diagnostic("OB723", f"the journal does not hold the chance of the run `{self.row.run}`"))
        return chance

    def _locks(self, capabilities: Capabilities) -> dict[str, dict[str, Any]]:
        """Return the locks of the capabilities as they are today; raises Refused where one is not there any more."""
        snapshot, wanted = self.engine.snapshot, self.workflow["capabilities"]
        gone = [address for address in wanted if address not in snapshot.manifest["capabilities"]]
        if gone:
            help = "bring back its declaration and its function, run `omnibachi compile`, and resume again"
            raise Refused([
                Diagnostic("OB605", f"the run `{self.row.run}` calls `{address}`, which the snapshot lacks", help=help)
                for address in gone
            ])  # fmt: skip
        return wiring.load_locks(snapshot, wanted, capabilities.source)

    def _accepted(
        self, locks: dict[str, dict[str, Any]], accept: Sequence[str]
    ) -> tuple[dict[str, str], list[Diagnostic]]:
        """Return the digests of the changed locks that are accepted now, and warnings; raises Refused (OB714, OB716).

        What an earlier resumption accepted needs no second word.
        """
        known = {address: {found} for address, found in self.locks.items()}
        for _, body, obs in self.events:
            if body == RESUMED_BODY:
                for address, found in decode(obs).get("accepted", {}).items():
                    known.setdefault(address, set()).add(found)
        now = {address: digest_of(lock) for address, lock in locks.items()}
        unused = [address for address in accept if address not in now]
        if unused:
            raise Refused([_unused(self.row.run, address, now) for address in unused], FINDINGS)
        changed = {address: found for address, found in now.items() if found not in known.get(address, ())}
        refused = [address for address in changed if address not in accept]
        if refused:
            raise Refused([_changed(self.row.run, address, refused) for address in refused])
        warnings = [
            Diagnostic(
                "OB716", f"`{address}` has not changed since the run began, so there was nothing to accept",
                severity="warning",
            )
            for address in accept if address not in changed
        ]  # fmt: skip
        return changed, warnings

    def _divergence(self, found: Difference) -> Diagnostic:
        row = self.row
        origins = origins_of(self.engine.snapshot, row.workflow, row.workflow_digest)
        where = f"node `{found.path}`" if found.path else "the start" if found.field != "path" else "after the end"
        message = (
            f"{where}: `{found.field}` is recorded as {shown(found.recorded)} and comes out as"
            f" {shown(found.recomputed)} now"
        )
        help = "put back what it relies on as it was, and resume again; nothing was written"
        return Diagnostic("OB715", message, place_of(origins, found.path), help=help)


def stored_workflow(ledger: Ledger, row: RunRow) -> bytes:
    """Return the workflow that a run walks, as the journal stored it; raises Trouble (OB723) where that is damaged."""
    found = ledger.sealed(row.workflow_digest)
    if type(found) is not bytes or digest(found) != row.workflow_digest:
        message = f"the workflow that the journal stored for the run `{row.run}` is not what its digest says"
        raise Trouble(Diagnostic("OB723", message))
    return found


def _changed(run: str, address: str, all_changed: Sequence[str]) -> Diagnostic:
    message = f"`{address}` is not what it was when the run `{run}` began"
    options = " ".join(f"--accept {name}" for name in all_changed)
    help = f"put it back as it was, or go on with what it is now: `omnibachi resume {run} {options}`"
    return Diagnostic("OB714", message, help=help)


def _unused(run: str, address: str, known: Iterable[str]) -> Diagnostic:
    from omnibachi_model.nearest import nearest_address

    near = nearest_address(address, known)
    help = f"did you mean `{near}`?" if near else f"it calls {', '.join(f'`{name}`' for name in known) or 'none'}"
    return Diagnostic("OB716", f"the run `{run}` calls no capability `{address[:200]}`", help=help)


def unknown(ledger: Ledger, trace_id: str, traces: Traces | None = None) -> Refused:
    """Say that the journal holds no run of this id (OB316): the nearest one, or that it has a trace and no journal.

    Raises Refused (OB710) for what is no trace id.
    """
    check_trace_id(trace_id)
    from omnibachi_model.nearest import nearest

    near = nearest(trace_id, [row.run for row in ledger.runs(KNOWN)])
    help = f"did you mean `{near}`?" if near else "`omnibachi resume` lists what can be resumed"
    if traces is not None and os.path.exists(traces.path(trace_id, "jsonl")):
        help = "it has a trace and no journal here: nothing of it is left to do"
    return Refused([Diagnostic("OB316", f"the journal holds no run `{trace_id[:64]}`", help=help)], FINDINGS)
