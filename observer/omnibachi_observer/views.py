"""How a fold is shown: figures, threads with their turns, the path of a turn through the gateway's workflow, pictures.

Pure functions of a fold and, where something is said of signals, of a given time. `Projected` is what a server is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from omnibachi_model.decisions import ALLOW, DENY, ERROR

from .folding import Folds, Stop
from .picture import dot
from .renderer import render
from .signals import RULES, Signal, percentile, severities, signals
from .turns import Thread, Turn

_UNDECIDABLE = "policy.evaluation_error"
_BY_ERROR = {"outcome_unknown": ("OUTCOME_UNKNOWN", "record_unknown"), "internal_error": ("FAULT", "record_crash")}


def status(folds: Folds, now_ms: int, raised: Sequence[Signal] | None = None) -> dict[str, Any]:
    """Return the figures of a fold; `lag` is None while it is not known how long the ledger is."""
    ordered, turns = sorted(folds.latencies), len(folds.turns)
    stop, answered = folds.stopped, folds.answered_ms
    return {
        "event_count": folds.event_count,
        "last_index": folds.last_index,
        "lag": None if folds.length is None else max(folds.length - folds.event_count, 0),
        "thread_count": len(folds.threads),
        "turn_count": turns,
        "deny_rate": round(folds.deny_total / turns, 4) if turns else 0,
        "latency_ms": {
            "p50": percentile(ordered, 50),
            "p95": percentile(ordered, 95),
            "p99": percentile(ordered, 99),
            "sample_count": len(ordered),
        },
        "active_signals": severities(signals(folds, now_ms) if raised is None else raised),
        "verified": stop is None,
        "stopped": None if stop is None else {"what": stop.what, "at_index": stop.at_index, "why": stop.why},
        "head": folds.head,
        "normative_head": folds.normative_head,
        "answered_ms_ago": None if folds.length is None or answered is None else max(now_ms - answered, 0),
    }


def threads(folds: Folds, limit: int, offset: int) -> list[dict[str, Any]]:
    """Return threads, those of the latest events first."""
    return [_thread(thread) for thread in islice(reversed(folds.threads.values()), offset, offset + limit)]


def thread(folds: Folds, thread_id: str, limit: int | None, offset: int | None) -> dict[str, Any] | None:
    """Return a thread with its turns in the order in which they began, or None for an unknown one.

    All of them, or `limit` of them from `offset` on, or the newest `limit`.
    """
    found = folds.threads.get(thread_id)
    if found is None:
        return None
    count = len(found.turns)
    start = offset if offset is not None else 0 if limit is None else max(count - limit, 0)
    places = found.turns[start : None if limit is None else start + limit]
    return {"thread": _thread(found), "turns_offset": start, "turns": [_turn(folds.turns[place]) for place in places]}


def _thread(found: Thread) -> dict[str, Any]:
    return {
        "thread_id": found.thread_id,
        "turns_total": len(found.turns),
        "allow_total": found.allow,
        "deny_total": found.deny,
        "execution_ok_total": found.ok,
        "execution_error_total": found.error,
        "pending_total": found.pending,
        "first_index": found.first_index,
        "last_index": found.last_index,
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "turn_id": turn.turn_id,
        "parent_turn_id": turn.parent_turn_id,
        "correlation_id": turn.correlation_id,
        "decision_result": turn.result,
        "reason_codes": list(turn.reason_codes),
        "policy_id": turn.policy_id,
        "has_execution": turn.status is not None,
        "has_errors": turn.status == ERROR,
        "error_code": turn.error_code,
        "latency_ms": turn.latency_ms,
        "first_index": turn.first_index,
        "last_index": turn.last_index,
    }


def path(turn: Turn) -> tuple[list[tuple[str, str]], str | None]:
    """Return the nodes of the gateway's workflow that a turn passed, as far as its events tell, and its exit."""
    steps = [("record_intent", "SUCCESS")]
    if turn.result == DENY and _UNDECIDABLE in turn.reason_codes:
        steps += [("facts", "SUCCESS"), ("verdict", "FAULT"), ("record_undecidable", "SUCCESS")]
    elif turn.result == DENY:
        steps += [("facts", "SUCCESS"), ("verdict", "DENY"), ("record_deny", "SUCCESS")]
    elif turn.result == ALLOW:
        steps += [("facts", "SUCCESS"), ("verdict", "ALLOW"), ("record_allow", "SUCCESS")]
    if turn.status is not None:
        outcome = "PROVIDER_ERROR" if turn.status == ERROR else "SUCCESS"
        outcome, node = _BY_ERROR.get(turn.error_code or "", (outcome, "record_execution"))
        steps += [("call", outcome), (node, "SUCCESS")]
    return steps, "denied" if turn.result == DENY else None if turn.status is None else "executed"


def picture(workflow: dict[str, Any], turn: Turn | None) -> bytes:
    """Draw the gateway's workflow as SVG, with the path of a turn where one is given. Raises PictureFailed."""
    if turn is None:
        return render(dot(workflow), "svg")
    steps, ending = path(turn)
    return render(dot(workflow, steps, ending=ending), "svg")


class Projected:
    """A fold as a server is given it: what it takes in, and what it shows. One thread at a time."""

    __slots__ = ("_workflow", "folds")

    def __init__(self, folds: Folds, workflow: dict[str, Any]) -> None:
        self.folds = folds
        self._workflow = workflow

    @property
    def last_index(self) -> int:
        """Return the index of the last event that is held, -1 where there is none."""
        return self.folds.last_index

    @property
    def head(self) -> str:
        """Return the digest of the last event that is held."""
        return self.folds.head

    @property
    def stopped(self) -> Stop | None:
        """Return why the fold does not go on."""
        return self.folds.stopped

    def fold(self, events: Sequence[Any]) -> list[dict[str, Any]]:
        """Verify and fold the next events, and return those that were folded."""
        return self.folds.fold(events)

    def page(self, page: Mapping[str, Any], after: int, limit: int) -> list[dict[str, Any]]:
        """Fold a page that was asked for after an index; raises ValueError for what is none."""
        return self.folds.page(page, after, limit)

    def ingest(self, events: Sequence[Any]) -> tuple[list[dict[str, Any]], Stop | None]:
        """Fold events that somebody sent: all of them, or none and why."""
        fresh, wrong = self.folds.check(events)
        if wrong is not None:
            return [], wrong
        self.folds.put(fresh)
        return fresh, None

    def answered(self, now_ms: int) -> None:
        """Note when the gateway answered, or when it was first asked."""
        self.folds.answered_ms = now_ms

    def signals(self, now_ms: int) -> list[Signal]:
        """Return every signal that is raised, the most severe first."""
        return signals(self.folds, now_ms)

    def rules(self) -> list[dict[str, Any]]:
        """Return the table of rules."""
        return [rule.as_json() for rule in RULES]

    def status(self, now_ms: int, raised: Sequence[Signal]) -> dict[str, Any]:
        """Return the figures."""
        return status(self.folds, now_ms, raised)

    def threads(self, limit: int, offset: int) -> list[dict[str, Any]]:
        """Return threads, those of the latest events first."""
        return threads(self.folds, limit, offset)

    def thread(self, thread_id: str, limit: int | None, offset: int | None) -> dict[str, Any] | None:
        """Return a thread with turns, or None for an unknown one."""
        return thread(self.folds, thread_id, limit, offset)

    def turns(self, thread_id: str, turn_id: str) -> list[Turn]:
        """Return the turns of that name in a thread: one, or one in each stream."""
        found = self.folds.threads.get(thread_id)
        places = found.turns if found is not None else []
        return [turn for place in places if (turn := self.folds.turns[place]).turn_id == turn_id]

    def of_correlation(self, correlation_id: str) -> Turn | None:
        """Return the latest turn of a correlation."""
        return next((turn for turn in reversed(self.folds.turns) if turn.correlation_id == correlation_id), None)

    def picture(self, turn: Turn | None) -> bytes:
        """Draw the gateway's workflow as SVG, with a turn's path. Raises PictureFailed."""
        return picture(self._workflow, turn)
