"""What is known of a turn, of whether it was decided, and of a thread: the records of which a fold is made.

A turn is one intent with what became of it, and changes twice at most. It is an immutable tuple of few words; texts
that stand in many turns are held once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from omnibachi_model.decisions import ALLOW, DENY, ERROR, OK, PARENT
from omnibachi_model.formats import parse_time


class Turn(NamedTuple):
    """What is known of a turn. `status` is that of its EXECUTION, None while there is none."""

    thread_id: str
    stream_id: str
    turn_id: str
    parent_turn_id: str | None
    correlation_id: str
    first_index: int
    last_index: int
    result: str | None = None
    reason_codes: tuple[str, ...] = ()
    policy_id: str | None = None
    status: str | None = None
    error_code: str | None = None
    latency_ms: int | None = None


class Asked(NamedTuple):
    """An INTENT without a DECISION: where it stands, when it was asked (ms since 1970, None: unknown), and its
    normative digest."""

    at_index: int
    at_ms: int | None
    digest: str


@dataclass(slots=True)
class Thread:
    """A thread in numbers, and the places of its turns in the order in which they began."""

    thread_id: str
    first_index: int
    last_index: int
    turns: list[int]
    allow: int = 0
    deny: int = 0
    ok: int = 0
    error: int = 0
    pending: int = 0


def counted(turn: Turn) -> tuple[int, int, int, int, int]:
    """Return what a turn adds to its thread: allowed, denied, worked, failed, pending."""
    result, status = turn.result, turn.status
    return (result == ALLOW, result == DENY, status == OK, status == ERROR, status is None and result != DENY)


def begun(event: Mapping[str, Any]) -> Turn:
    """Return the turn that begins with an event."""
    names = ("thread_id", "stream_id", "turn_id", PARENT, "correlation_id", "index", "index")
    return held(Turn(*(event[name] for name in names)))


def decided(turn: Turn, payload: Mapping[str, Any]) -> Turn:
    """Return a turn with its DECISION."""
    codes, result = payload.get("reason_codes"), payload.get("result")
    told = tuple(sys.intern(code) for code in codes if type(code) is str) if type(codes) is list else ()
    return turn._replace(
        result=result if result in (ALLOW, DENY) else None, reason_codes=told, policy_id=text(payload.get("policy_id"))
    )


def executed(turn: Turn, payload: Mapping[str, Any], latency_ms: int | None) -> Turn:
    """Return a turn with its EXECUTION."""
    status, error = payload.get("status"), payload.get("error")
    code = text(error.get("code")) if type(error) is dict else None
    return turn._replace(status=status if status in (OK, ERROR) else "", error_code=code, latency_ms=latency_ms)


def held(turn: Turn) -> Turn:
    """Return a turn with those texts that stand in many held once."""
    turn_id = turn.turn_id
    return turn._replace(
        thread_id=turn_id if turn.thread_id == turn_id else turn.thread_id,
        stream_id=sys.intern(turn.stream_id),
        correlation_id=turn_id if turn.correlation_id == turn_id else turn.correlation_id,
        result=text(turn.result),
        reason_codes=tuple(map(sys.intern, turn.reason_codes)),
        policy_id=text(turn.policy_id),
        status=text(turn.status),
        error_code=text(turn.error_code),
    )


def text(value: Any) -> str | None:
    """Return a text, held once, or None for anything else."""
    return sys.intern(value) if type(value) is str else None


def milliseconds(value: Any) -> int | None:
    """Return whole milliseconds, or None for what are none."""
    return int(value) if type(value) in (int, float) and 0 <= value < 1e15 else None


def instant(value: Any) -> int | None:
    """Read an instant as whole milliseconds since 1970, or None for what is none."""
    try:
        return int(parse_time(value).timestamp() * 1000) if type(value) is str else None
    except (ValueError, OverflowError):
        return None
