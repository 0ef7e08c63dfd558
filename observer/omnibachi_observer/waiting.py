"""Waits for people in words: what a run waits for, who said what, and how it went on."""

from __future__ import annotations

from omnibachi_model.formats import write_time
from omnibachi_model.sealed import APPROVED, EXPIRED
from omnibachi_model.waits import written_duration

from .words import Code, Prose, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.record import Event

    from .story import Step
    from .words import Words


def still_waits(event: Event) -> Words:
    """Say of a WAITING without an answer what the run waits for; a clause without a final stop."""
    body, until = event.body, event.obs.get("until_us")
    out: Words = [Code(str(body.get("path", "?"))), " waits for ", *_wanted(body.get("quorum"), body.get("roles"))]
    return [*out, " until ", Code(instant(until))] if type(until) is int else out


def waits_for(node: dict[str, Any]) -> Words:
    """Say what a sealed WAIT, or a WAITING event, waits for."""
    out: Words = ["waits for ", *_wanted(node.get("quorum"), node.get("roles"))]
    within = node.get("within_ms")
    return [*out, f", at most {written_duration(within)}"] if type(within) is int else out


def who_said(step: Step) -> Words:
    """Say who decided a wait and how; a clause without a final stop."""
    if step.outcome == EXPIRED:
        return ["nobody decided it in time"]
    if step.outcome == APPROVED:
        found = step.output.get("approvals")
        return [*_joined([_voice(item) for item in found or () if isinstance(item, dict)]), " approved"]
    because = step.output.get("because")
    why: Words = [", because ", Prose(because)] if isinstance(because, str) else []
    return [Code(str(step.output.get("key", "?"))), " rejected", *why]


def instant(us: int) -> str:
    """Write microseconds since 1970; as a number where no instant of ours is meant."""
    try:
        return write_time(us * 1000)
    except (OverflowError, ValueError):
        return str(us)


def _wanted(quorum: Any, roles: Any) -> Words:
    whose: list[str] = [Code(str(role)) for role in roles] if isinstance(roles, list) else []
    return [f"{quorum} approval{'' if quorum == 1 else 's'} by ", *listed(whose, "or")]


def _voice(item: dict[str, Any]) -> Words:
    because = item.get("because")
    return [Code(str(item.get("key", "?"))), *([" (", Prose(because), ")"] if isinstance(because, str) else [])]


def _joined(parts: list[Words]) -> Words:
    out: Words = []
    for index, part in enumerate(parts):
        out += [", " if 0 < index < len(parts) - 1 else " and " if index else "", *part]
    return out
