"""How runs ended: results told from a walk that has just ended, and from what was recorded of one."""

from __future__ import annotations

from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import decode
from omnibachi_model.record import CANCELLED_BODY
from omnibachi_model.sealed import EXIT_CODES, REJECTED_EXIT

from . import wiring
from .mishaps import cancelled, crashes, rejection
from .results import RunResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .engine import Linked
    from .wiring import Mishap, Snapshot, Walk

    Event = tuple[str, bytes, bytes]


def ended_result(linked: Linked, ended: Walk) -> RunResult:
    """Say how a walk ended."""
    program, snapshot = linked.program, linked.snapshot
    if not ended.exit:
        from .parked import parked_walk

        return parked_walk(linked, ended)
    diagnostics = _faults(snapshot, program.address, program.digest, ended.mishaps, ended.status, ended.events)
    # A node may lead there too, without any.
    if not diagnostics and ended.exit == REJECTED_EXIT and "violations" in ended.result:
        origins = origins_of(snapshot, program.address, program.digest)
        diagnostics = (rejection(ended.result["violations"], origins),)
    return RunResult(
        ended.run_id, program.address, EXIT_CODES[ended.status], exit=ended.exit, status=ended.status,
        result=ended.result, workflow_digest=program.digest, seal=snapshot.seal, origin=snapshot.origin,
        events=ended.events, diagnostics=diagnostics,
    )  # fmt: skip


def recorded_result(snapshot: Snapshot, run_id: str, events: list[tuple[str, bytes, bytes]]) -> RunResult:
    """Say how a run ended, by its events; raises Trouble (OB723) where they do not tell it."""
    try:
        return _recorded(snapshot, run_id, events)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise Trouble(Diagnostic("OB723", f"the journal does not tell how the run `{run_id}` ended")) from None


def _recorded(snapshot: Snapshot, run_id: str, events: list[tuple[str, bytes, bytes]]) -> RunResult:
    asked, last = decode(events[0][1]), decode(events[-1][1])
    address, workflow_digest = asked["workflow"], asked["workflow_digest"]
    mishaps = []
    for path, body, obs in events:
        fault = decode(obs).get("fault") if path else None
        if fault:
            mishaps.append(wiring.Mishap(path, decode(body)["capability"], fault, None))
    diagnostics = _faults(snapshot, address, workflow_digest, mishaps, last["status"], events)
    if not mishaps and len(events) == 2 and last["exit"] == REJECTED_EXIT:
        diagnostics = (rejection(last["result"]["violations"], origins_of(snapshot, address, workflow_digest)),)
    started = decode(events[0][2])
    return RunResult(
        run_id, address, EXIT_CODES[last["status"]], exit=last["exit"], status=last["status"],
        result=last["result"], workflow_digest=workflow_digest, seal=started["seal"], origin=started["origin"],
        events=events, diagnostics=diagnostics, repeated=True,
    )  # fmt: skip


def _faults(
    snapshot: Snapshot, address: str, workflow_digest: str, mishaps: list[Mishap], status: str, events: list[Event]
) -> tuple[Diagnostic, ...]:
    found = crashes(mishaps, status, lambda: origins_of(snapshot, address, workflow_digest))
    return (*found, cancelled(events[-1][2])) if events[-1][1] == CANCELLED_BODY else found


def origins_of(snapshot: Snapshot, address: str, workflow_digest: str) -> dict[str, Any] | None:
    """Return where the nodes of a workflow were declared, or None where the snapshot holds another form of it."""
    entry = snapshot.manifest["workflows"].get(address)
    return wiring.load_origins(snapshot, address) if entry and entry["sha256"] == workflow_digest else None
