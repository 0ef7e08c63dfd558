"""What a ledger of decisions must be, event after event: shape, digests, links, grammar, heads and counters.

A fold takes events in their order and stops at the first that does not belong there. It knows nothing of databases:
the same fold judges tables and exports.
"""

from __future__ import annotations

from omnibachi_model.decisions import (
    ALLOWED,
    ANCHORS,
    DECISION,
    DENIED,
    EMPTY,
    EXECUTION,
    FINAL,
    INTENT,
    INTENTED,
    OK,
    PARENT,
    ZERO,
    digest_of_event,
    misshapen,
    next_head,
    next_state,
    normative_digest,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COUNTED = ("intented", "allowed", "denied", "executed_ok", "executed_error")
_PLACES = {INTENTED: 0, ALLOWED: 1, DENIED: 2}
_DIGESTS = {DECISION: "intent_normative_digest", EXECUTION: "decision_normative_digest"}


def alone(event: dict[str, Any], index: int, prev: str | None) -> str | None:
    """Say why an event is none at `index` after the one with digest `prev` (None: any); None where it is one."""
    if event["index"] != index:
        return "it does not stand where its index says"
    wrong = misshapen(event)
    if wrong is not None:
        return wrong
    if event["normative_digest"] != normative_digest(event):
        return "its normative_digest is another's"
    if prev is not None and event["prev_event_digest"] != prev:
        return "its prev_event_digest is not the digest of the event before"
    if (event["digest"], event["canon_len"]) != digest_of_event(event):
        return "its digest is another's: it was changed"
    if event["is_authoritative"] is not (event["kind"] == DECISION):
        return "it says wrongly whether it is authoritative"
    return None


class Fold:
    """A ledger as far as it was read. `counters` are of correlations by state, `tallies` of events by stream, lane and
    kind."""

    __slots__ = ("_stories", "_turns", "counters", "length", "normative_head", "tallies", "v_digest")

    def __init__(self) -> None:
        self.length = 0
        self.v_digest = ZERO
        self.normative_head = ZERO
        self.counters = [0, 0, 0, 0, 0]
        self.tallies: dict[tuple[str, str, str], int] = {}
        self._turns: set[tuple[str, str, str]] = set()
        # Of each correlation its state, and while it is not final its anchors and its last normative digest.
        self._stories: dict[str, tuple[str, tuple[Any, ...], str]] = {}

    def take(self, event: dict[str, Any]) -> str | None:
        """Take the next event in; return why it does not belong there, and then take nothing."""
        wrong = alone(event, self.length, self.v_digest) or self._grammar(event)
        if wrong is not None:
            return wrong
        self.length += 1
        self.v_digest = event["digest"]
        key = (event["stream_id"], event["lane"], event["kind"])
        self.tallies[key] = self.tallies.get(key, 0) + 1
        return None

    def _grammar(self, event: dict[str, Any]) -> str | None:
        kind, correlation, payload = event["kind"], event["correlation_id"], event["payload"]
        anchors = tuple(event[name] for name in ANCHORS)
        state, begun, before = self._stories.get(correlation, (EMPTY, anchors, ""))
        new = next_state(state, kind, payload)
        if new is None:
            return f"its correlation is {state} and takes no such {kind}"
        if kind == INTENT:
            place = (event["stream_id"], event["thread_id"])
            if (*place, event["turn_id"]) in self._turns:
                return "its turn belongs to another correlation"
            if event[PARENT] is not None and (*place, event[PARENT]) not in self._turns:
                return "its parent is no turn of its thread"
            self._turns.add((*place, event["turn_id"]))
        elif anchors != begun:
            return "its anchors are not those of its INTENT"
        elif payload.get(_DIGESTS[kind]) != before:
            return f"its {_DIGESTS[kind]} is another's"
        if kind == DECISION:
            self.normative_head = next_head(self.normative_head, before, event["normative_digest"])
        self._count(state, new, payload)
        self._stories[correlation] = (new, (), "") if new in FINAL else (new, anchors, event["normative_digest"])
        return None

    def _count(self, old: str, new: str, payload: dict[str, Any]) -> None:
        if old in _PLACES:
            self.counters[_PLACES[old]] -= 1
        self.counters[_PLACES.get(new, 3 if payload.get("status") == OK else 4)] += 1
