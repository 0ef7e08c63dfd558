"""How a fold is shown: figures, and threads with their turns.

Pure functions of a fold and, where signals are told, of a given time. `Projected` is what a server is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from omnibachi_model.decisions import ERROR

from .folding import Folds, Stop
from .renderer import PictureFailed
from .signals import RULES, Signal, percentile, severities, signals
from .turn_picture import TurnPath, draw_path, turn_path
from .turns import Thread, Turn

_NO_PATH = TurnPath((), None)


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


class Projected:
    """A fold as a server is given it: what it takes in, and what it shows. All but `draw` are for one thread."""

    __slots__ = ("_known", "_workflow", "folds")

    def __init__(self, folds: Folds, workflow: dict[str, Any] | None) -> None:
        """Show a fold; `workflow` is the gateway's as it was sealed, None where there is none to draw."""
        self.folds = folds
        self._workflow = workflow
        self._known: tuple[tuple[Any, ...], list[Signal]] | None = None

    @property
    def last_index(self) -> int:
        """Return the index of the last event that is held, -1 where there is none."""
        return self.folds.last_index

    @property
    def stopped(self) -> Stop | None:
        """Return why the fold does not go on."""
        return self.folds.stopped

    def fold(self, events: Sequence[Any]) -> list[dict[str, Any]]:
        """Verify and fold the next events, and return those that were folded."""
        return self.folds.fold(events)

    def page(self, page: Mapping[str, Any], after: int, limit: int, held: int) -> list[dict[str, Any]]:
        """Fold a page that was asked for after an index; raises ValueError for what is none."""
        return self.folds.page(page, after, limit, held)

    def ingest(self, events: Sequence[Any]) -> tuple[list[dict[str, Any]], Stop | None]:
        """Fold events that somebody sent: all of them, or none and why."""
        fresh, wrong = self.folds.check(events)
        if wrong is not None:
            return [], wrong
        self.folds.put(fresh)
        return fresh, None

    def digest_at(self, index: int) -> str:
        """Return the digest of an event that is held."""
        return self.folds.digest_at(index)

    def answered(self, now_ms: int) -> None:
        """Note when the gateway answered, or from when on it is asked."""
        self.folds.answered_ms = now_ms

    def signals(self, now_ms: int) -> list[Signal]:
        """Return every signal that is raised, the most severe first. Within a tenth of a second it is asked once."""
        folds = self.folds
        state = (folds.event_count, folds.stopped, folds.answered_ms, now_ms // 100)
        if self._known is None or self._known[0] != state:
            self._known = (state, signals(folds, now_ms))
        return self._known[1]

    def rules(self) -> list[dict[str, Any]]:
        """Return the table of rules."""
        return [row for rule in RULES for row in rule.as_json()]

    def severities(self, now_ms: int) -> dict[str, int]:
        """Return how many signals of each severity are raised."""
        return severities(self.signals(now_ms))

    def status(self, now_ms: int) -> dict[str, Any]:
        """Return the figures."""
        return status(self.folds, now_ms, self.signals(now_ms))

    def threads(self, limit: int, offset: int) -> list[dict[str, Any]]:
        """Return threads, those of the latest events first."""
        return threads(self.folds, limit, offset)

    def thread(self, thread_id: str, limit: int | None, offset: int | None) -> dict[str, Any] | None:
        """Return a thread with turns, or None for an unknown one."""
        return thread(self.folds, thread_id, limit, offset)

    def correlations(self, thread_id: str, turn_id: str) -> list[str]:
        """Return the correlations of the turns of that name in a thread: one in each stream."""
        found = self.folds.threads.get(thread_id)
        places = [] if found is None else found.turns
        turns = [turn for place in places if (turn := self.folds.turns[place]).turn_id == turn_id]
        return [turn.correlation_id for turn in turns]

    def path(self, events: Sequence[dict[str, Any]]) -> TurnPath:
        """Return the path that a correlation's events took through the gateway's workflow."""
        try:
            return _NO_PATH if self._workflow is None else turn_path(self._workflow, events)
        except (KeyError, IndexError, TypeError):
            return _NO_PATH  # Such an event no gateway of ours appends.

    def draw(self, path: TurnPath) -> bytes | None:
        """Draw a path as SVG, in any thread; None where that cannot be done."""
        try:
            return None if self._workflow is None else draw_path(self._workflow, path).encode()
        except PictureFailed:
            return None
