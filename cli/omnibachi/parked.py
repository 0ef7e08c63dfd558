"""Runs that wait for people: what is known of the wait, whether it is over, and the result that says so.

A run is parked when the last of its events is WAITING; what people said since stands in the journal beside it.
"""

from __future__ import annotations

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import decode
from omnibachi_model.formats import write_time
from omnibachi_model.record import RESUMED_BODY, WAITING
from omnibachi_model.waits import APPROVE, decided, name_of, said

from .exits import PARKED
from .results import RunResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .engine import Linked
    from .wiring import Ledger, Walk

    Event = tuple[str, bytes, bytes]
    Parked = tuple[dict[str, Any], dict[str, Any]]


def waits_in(events: Sequence[Event]) -> Parked | None:
    """Return body and obs of the event at which a run waits; None where it does not."""
    last = next((event for event in reversed(events) if event[1] != RESUMED_BODY), None)
    if last is None:
        return None
    body = decode(last[1])
    return (body, decode(last[2])) if body.get("kind") == WAITING else None


def answered(ledger: Ledger, run: str, waits: Parked, now_ns: int) -> bool:
    """Tell whether people have decided what a run waits for, or its time is over."""
    voices, seen = ledger.people.counted(run, waits[0]["path"])
    return _decided(waits, voices, seen, now_ns) is not None


def _decided(waits: Parked, voices: list[tuple[str, bytes, int]], seen: int, now_ns: int) -> Any:
    body, obs = waits
    now = max(now_ns // 1000, seen, obs["at_us"])
    return decided(voices, body["quorum"], obs.get("until_us"), now)


def told(waits: Parked, approved: Sequence[str] = (), outcome: str | None = None) -> dict[str, Any]:
    """Say what a run waits for, as `run --json` prints it.

    `approved` are the ids of the keys that approved already, `outcome` what that comes to, once it is decided or over
    and the run has not gone on yet.
    """
    body, obs = waits
    until = obs.get("until_us")
    return {
        "path": body["path"],
        "roles": body["roles"],
        "quorum": body["quorum"],
        "subject": body["subject"],
        "since": write_time(obs["at_us"] * 1000),
        "until": None if until is None else write_time(until * 1000),
        "approved": list(approved),
        "decided": outcome,
    }


def told_here(ledger: Ledger, run: str, waits: Parked, now_ns: int = 0) -> dict[str, Any]:
    """Say the same, with who approved already by what the journal holds, and what that comes to at an instant."""
    voices, seen = ledger.people.counted(run, waits[0]["path"])
    approved = [key for key, statement, _ in voices if said(statement)["decision"] == APPROVE]
    found = _decided(waits, voices, seen, now_ns)
    return told(waits, approved, None if found is None else found[0])


def parked_result(
    run: str,
    workflow: str,
    events: Sequence[Event],
    waiting: dict[str, Any],
    *,
    workflow_digest: str,
    seal: str | None,
    origin: str | None,
    diagnostics: Sequence[Diagnostic] = (),
    repeated: bool = False,
) -> RunResult:
    """Say that a run waits: no exit, status WAITING, exit status 7."""
    result = RunResult(
        run, workflow, PARKED, status=WAITING, workflow_digest=workflow_digest, seal=seal, origin=origin,
        events=events, diagnostics=diagnostics, repeated=repeated,
    )  # fmt: skip
    result.waiting = waiting
    return result


def parked_walk(linked: Linked, ended: Walk) -> RunResult:
    """Say of a walk that has just begun to wait what it waits for."""
    waits = waits_in(ended.events)
    assert waits is not None
    program, snapshot = linked.program, linked.snapshot
    return parked_result(
        ended.run_id, program.address, ended.events, told(waits), workflow_digest=program.digest, seal=snapshot.seal,
        origin=snapshot.origin,
    )  # fmt: skip


def asked(waiting: dict[str, Any]) -> str:
    """Say for whom a run waits, in words, or that it may go on."""
    if waiting["decided"] is not None:
        return f"the wait of `{waiting['path']}` is over ({waiting['decided']}), and the run can go on"
    left = waiting["quorum"] - len(waiting["approved"])
    until = f" until {waiting['until']}" if waiting["until"] else ""
    more = " more" if waiting["approved"] else ""
    whose = " or ".join(waiting["roles"])
    return f"`{waiting['path']}` waits for {left}{more} approval{'' if left == 1 else 's'} by {whose}{until}"


def summary(result: RunResult) -> list[str]:
    """Say in lines what a run waits for and how to answer."""
    waiting: Any = result.waiting
    lines = [f"{result.workflow}: {result.status}", f"  {asked(waiting).replace('`', '')}"]
    lines += [f"  approved by {name_of(key)} ({key})" for key in waiting["approved"]]
    lines += [f"  subject {waiting['subject']}", f"  approve omnibachi approve {result.trace_id} --key FILE"]
    return lines


def voice(statement: bytes) -> dict[str, Any]:
    """Return the texts in what a kept statement says: none of one that cannot be read, whatever it is instead."""
    try:
        return {key: text for key, text in said(statement).items() if isinstance(text, str)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
