"""What an observer draws people's attention to: one table of rules, each a pure function of a fold and a given time.

A signal is there while its rule says so, and nothing remembers that it was. It advises people: nobody who decides reads
it. `RULES` is the table; what a rule needs besides the fold is the time in ms since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from .folding import GAP, LATENCIES, MISMATCH, PACKS, REWRITTEN, Folds

Signal: TypeAlias = "dict[str, Any]"

INFO, WARN, CRITICAL = "info", "warn", "critical"
SEVERITIES = (CRITICAL, WARN, INFO)  # the most severe first
SYSTEM, THREAD = "system", "thread"

SLOW_MS, ELEVATED_MS = 15_000, 5_000
LEAST_TURNS, MOST_DENIED, MANY_DENIED = 5, 0.8, 0.5
CLUSTER = 3
UNDECIDED_MS, SILENT_MS = 5_000, 3_000
CHANGES = 3
_NAMED = 10  # correlations that the evidence names


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table: what it is about, the function that says what is raised, and each id with its severity and
    the words for when it is raised."""

    scope: str
    signals: Callable[[Folds, int], Iterator[Signal]]
    raises: tuple[tuple[str, str, str], ...]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the row as people read it, one object for each id."""
        return [
            {"id": id, "severity": severity, "scope": self.scope, "raised_while": words}
            for id, severity, words in self.raises
        ]


def signals(folds: Folds, now_ms: int) -> list[Signal]:
    """Return every signal that is raised, the most severe first, then by id."""
    found = [signal for rule in RULES for signal in rule.signals(folds, now_ms)]
    return sorted(found, key=lambda signal: (SEVERITIES.index(signal["severity"]), signal["id"]))


def severities(raised: Sequence[Signal]) -> dict[str, int]:
    """Count signals by severity."""
    counts = {INFO: 0, WARN: 0, CRITICAL: 0}
    for signal in raised:
        counts[signal["severity"]] += 1
    return counts


def percentile(ordered: Sequence[int], share: int) -> int | None:
    """Return the least of ordered numbers that `share` percent of them do not exceed; None where there are none."""
    return ordered[max(-(-len(ordered) * share // 100), 1) - 1] if ordered else None


def _raise(
    id: str, severity: str, key: str, title: str, detail: str, at: int, scope: str = SYSTEM, **evidence: Any
) -> Signal:
    return {
        "id": id, "severity": severity, "scope": scope, "key": key, "title": title, "detail": detail,
        "at_index": at if at >= 0 else None, "evidence": evidence,
    }  # fmt: skip


_STOPS = {
    MISMATCH: "An event does not hold",
    GAP: "An event is missing",
    REWRITTEN: "The past was written anew",
}


def _stopped(folds: Folds, _: int) -> Iterator[Signal]:
    stop = folds.stopped
    if stop is not None:
        yield _raise(
            f"system.ledger.{stop.what}", CRITICAL, "ledger", _STOPS[stop.what],
            f"{stop.why}; nothing is folded from there on", stop.at_index,
            held_events=folds.event_count, held_head=folds.head,
        )  # fmt: skip


def _slow(folds: Folds, _: int) -> Iterator[Signal]:
    p95 = percentile(sorted(folds.latencies), 95)
    if p95 is not None and p95 >= ELEVATED_MS:
        name, severity = ("critical", CRITICAL) if p95 >= SLOW_MS else ("elevated", WARN)
        yield _raise(
            f"system.latency.p95.{name}", severity, "latency", "Providers answer slowly",
            f"95 % of the last {len(folds.latencies)} calls took up to {p95} ms", folds.last_index,
            p95_ms=p95, sample_count=len(folds.latencies),
        )  # fmt: skip


def _denied(folds: Folds, _: int) -> Iterator[Signal]:
    for thread in folds.marked.values():
        turns = len(thread.turns)
        share = thread.deny / turns
        if turns >= LEAST_TURNS and share >= MANY_DENIED:
            name, severity = ("critical", CRITICAL) if share >= MOST_DENIED else ("elevated", WARN)
            yield _raise(
                f"thread.{thread.thread_id}.deny_rate.{name}", severity, thread.thread_id, "Most of a thread is denied",
                f"{thread.deny} of {turns} turns were denied", thread.last_index, THREAD,
                deny_total=thread.deny, turns_total=turns, deny_rate=round(share, 4),
            )  # fmt: skip


def _failing(folds: Folds, _: int) -> Iterator[Signal]:
    for thread in folds.marked.values():
        if thread.error >= CLUSTER:
            yield _raise(
                f"thread.{thread.thread_id}.error_cluster", WARN, thread.thread_id, "A thread fails again and again",
                f"{thread.error} executions ended with an error", thread.last_index, THREAD,
                execution_error_total=thread.error,
            )  # fmt: skip


def _undecided(folds: Folds, now_ms: int) -> Iterator[Signal]:
    waiting: dict[str, list[tuple[int, str]]] = {}
    for place, asked in folds.asked.items():
        # An INTENT that does not tell its time may have waited for any.
        if asked.at_ms is None or now_ms - asked.at_ms >= UNDECIDED_MS:
            turn = folds.turns[place]
            waiting.setdefault(turn.thread_id, []).append((asked.at_index, turn.correlation_id))
    for thread_id, found in waiting.items():
        yield _raise(
            f"thread.{thread_id}.undecided", WARN, thread_id, "An intent waits for its decision",
            f"{len(found)} without a DECISION for {UNDECIDED_MS // 1000} s or more", min(found)[0], THREAD,
            undecided=len(found), correlation_ids=[correlation for _, correlation in sorted(found)[:_NAMED]],
        )  # fmt: skip


def _silent(folds: Folds, now_ms: int) -> Iterator[Signal]:
    answered = folds.answered_ms
    if answered is not None and now_ms - answered >= SILENT_MS:
        yield _raise(
            "system.gateway.unreachable", WARN, "gateway", "The gateway does not answer",
            f"no page from it for {(now_ms - answered) // 1000} s (why stands in the log); this may be out of date",
            folds.last_index, silent_ms=now_ms - answered,
        )  # fmt: skip


def _changing(folds: Folds, _: int) -> Iterator[Signal]:
    changes = sum(old != new for old, new in pairwise(folds.packs))
    if changes > CHANGES:
        yield _raise(
            "system.policy.frequent_changes", INFO, "policy", "The policy changes often",
            f"{changes} times within the last {len(folds.packs)} decisions", folds.last_index,
            changes=changes, decisions=len(folds.packs), packs=len(set(folds.packs)),
        )  # fmt: skip


_P95 = f"p95 of the last {LATENCIES} latencies is at least"
_SHARE = f"of at least {LEAST_TURNS} turns the share that was denied is at least"
RULES = (
    Rule(SYSTEM, _stopped, (
        (f"system.ledger.{MISMATCH}", CRITICAL, "the hash or the link of an event fails, or a head of the ledger"),
        (f"system.ledger.{GAP}", CRITICAL, "an index is missing"),
        (f"system.ledger.{REWRITTEN}", CRITICAL, "an event that is held is another now, or there are fewer than were"),
    )),
    Rule(SYSTEM, _slow, (
        ("system.latency.p95.critical", CRITICAL, f"{_P95} {SLOW_MS} ms"),
        ("system.latency.p95.elevated", WARN, f"{_P95} {ELEVATED_MS} ms, and less than {SLOW_MS} ms"),
    )),
    Rule(THREAD, _denied, (
        ("thread.{id}.deny_rate.critical", CRITICAL, f"{_SHARE} {MOST_DENIED}"),
        ("thread.{id}.deny_rate.elevated", WARN, f"{_SHARE} {MANY_DENIED}, and less than {MOST_DENIED}"),
    )),
    Rule(THREAD, _failing, (
        ("thread.{id}.error_cluster", WARN, f"at least {CLUSTER} executions ended with an error"),
    )),
    Rule(THREAD, _undecided, (
        ("thread.{id}.undecided", WARN, f"an INTENT has had no DECISION for {UNDECIDED_MS} ms"),
    )),
    Rule(SYSTEM, _silent, (
        ("system.gateway.unreachable", WARN, f"the gateway has not answered for {SILENT_MS} ms"),
    )),
    Rule(SYSTEM, _changing, (
        ("system.policy.frequent_changes", INFO, f"the pack changed more than {CHANGES} times in {PACKS} DECISIONs"),
    )),
)  # fmt: skip
