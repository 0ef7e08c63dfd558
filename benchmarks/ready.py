"""Ready events for a ledger of decisions, appended through the ledger's own port: one a transaction, or many.

A ready event is one of which nothing is left to be found out: the anchors and payloads are those of a story that was
governed, under names of its own. What the port does with it is what it does in a gateway: grammar, turn, index, link,
digests, head, counters, and the receipt of the effect with the one line of its journal that belongs to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from omnibachi.governing import LEDGER, Govern
from omnibachi_ledger import Ledger
from omnibachi_model.decisions import ANCHORS, DECISION, EXECUTION, INTENT
from omnibachi_model.digests import digest, encode

SEALED = encode({"format": "omnibachi.workflow/1", "stores": {LEDGER: {"keeps": "decisions"}}})
AT = "2026-01-01T00:00:00.000Z"
IDENTITY: dict[str, Any] = {"principal": "local", "tenant": None, "verified": False, "roles": ["intent", "read"]}
AT_ONCE = 3000  # events of a transaction that fills
_NAMES = {DECISION: "intent_normative_digest", EXECUTION: "decision_normative_digest"}
_runs = count(1)


def post(door: Govern, number: int, *, thread: str | None = None, parent: int | None = None) -> None:
    """Govern one intent, which is allowed and executed."""
    found = door.govern(anchors(number, thread, parent), {"payload": {"message": "hello"}, "form": "flat"}, IDENTITY)
    assert found.state == "EXECUTED" and not found.replayed, (found.refused, found.run.diagnostics)


def anchors(number: int, thread: str | None = None, parent: int | None = None) -> dict[str, Any]:
    """Return the anchors of an intent, in a thread of its own or as the next turn of one."""
    turn = f"turn-{number:09}"
    return {
        "stream_id": "default", "lane": "user_chat", "thread_id": thread or turn, "turn_id": turn,
        "parent_turn_id": None if parent is None else f"turn-{parent:09}", "correlation_id": f"c-{number:09}",
        "actor": "user", "intent_type": "chat.message",
    }  # fmt: skip


class Appending:
    """Appends stories like a sample, which was governed, by one run of its own on an open ledger."""

    def __init__(self, ledger: Ledger, sample: list[dict[str, Any]]) -> None:
        self._journal = ledger.journal(
            f"ready-{next(_runs)}", workflow="dbl::WF_READY_V0", workflow_digest=digest(SEALED), sealed=SEALED,
            seal=None, payload_digest=digest(b"{}"), started_at=AT,
        )  # fmt: skip
        self._kinds = [(event["kind"], dict(event["payload"]), event["obs"]) for event in sample]
        self._nodes = count(1)
        for kind, payload, _ in self._kinds:
            if kind in _NAMES:
                payload[_NAMES[kind]] = None  # The ledger puts it there.

    def each_alone(self, number: int) -> None:
        """Append a story, one event a transaction; as in a gateway one of the three outlives a power failure."""
        where, actor = _split(anchors(number))
        for kind, payload, obs in self._kinds:
            self._journal.begin(durable=kind == DECISION)
            self._append(kind, where, actor, payload, obs)
            self._receipt(kind)
            self._journal.commit()

    def fill(self, stories: Iterable[dict[str, Any]]) -> int:
        """Append many stories, given by their anchors, in transactions of many events; return how many events."""
        events = 0
        for where, actor in map(_split, stories):
            for kind, payload, obs in self._kinds:
                if events % AT_ONCE == 0:
                    self._journal.begin()
                self._append(kind, where, actor, payload, obs)
                events += 1
                if events % AT_ONCE == 0:
                    self._receipt(kind)
                    self._journal.commit()
        if events % AT_ONCE:
            self._receipt(EXECUTION)
            self._journal.commit()
        return events

    def _append(self, kind: str, where: dict[str, Any], actor: str, payload: dict[str, Any], obs: Any) -> None:
        store = self._journal.store(LEDGER)
        if kind == INTENT:
            outcome, _ = store.append_intent(where, actor, payload, obs)
        else:
            append = store.append_decision if kind == DECISION else store.append_execution
            outcome, _ = append(where, payload, obs)
        assert outcome == "SUCCESS", outcome

    def _receipt(self, kind: str) -> None:
        number = next(self._nodes)
        node, capability = f"node-{number}", f"dbl::CS_LEDGER_V0.APPEND_{kind}"
        receipt = self._journal.receipt(node, capability, "SUCCESS")
        body = encode({"capability": capability, "kind": "CALLED", "outcome": "SUCCESS", "path": node})
        self._journal.write([(node, body, encode({"receipt": receipt, "seq": number}))])


def _split(named: dict[str, Any]) -> tuple[dict[str, Any], str]:
    return {name: named[name] for name in ANCHORS}, named["actor"]


def blocks(times: int, once: Callable[[int], object], numbers: Iterator[int]) -> Callable[[], float]:
    """Make of what is done once under a new number what does it `times` times: the seconds that one took."""

    def measure() -> float:
        begun = time.perf_counter()
        for _ in range(times):
            once(next(numbers))
        return (time.perf_counter() - begun) / times

    return measure
