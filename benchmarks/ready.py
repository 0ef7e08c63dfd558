"""Ready events for a ledger of decisions, appended through the ledger's own port: one a transaction, or many.

A ready event is one of which nothing is left to be found out: the anchors and payloads are those of a story that was
governed, under names of its own. What the port does with it is what it does in a gateway: grammar, turn, index, link,
digests, head, counters, the receipt of the effect with its line in the journal, and a run for each story.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from typing import Any

from omnibachi.governing import LEDGER, Govern
from omnibachi_ledger import Ledger
from omnibachi_ledger.journal import Journal
from omnibachi_model.decisions import ANCHORS, DECISION, EXECUTION, INTENT
from omnibachi_model.digests import digest, encode

SEALED = encode({"format": "omnibachi.workflow/1", "stores": {LEDGER: {"keeps": "decisions"}}})
DIGEST = digest(SEALED)
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
    """Appends stories like a sample, which was governed, on an open ledger."""

    def __init__(self, ledger: Ledger, sample: list[dict[str, Any]]) -> None:
        self._ledger = ledger
        self._kinds = [(event["kind"], dict(event["payload"]), event["obs"]) for event in sample]
        for kind, payload, _ in self._kinds:
            if kind in _NAMES:
                payload[_NAMES[kind]] = None  # The ledger puts it there.

    def each_alone(self, number: int) -> None:
        """Append a story by a run of its own, one event a transaction; as in a gateway one waits for the disk."""
        where, actor = _split(anchors(number))
        journal = self._run()
        for place, (kind, payload, obs) in enumerate(self._kinds, 1):
            journal.begin(durable=kind == DECISION)
            _append(journal, kind, where, actor, payload, obs)
            _receipt(journal, kind, place, last=place == len(self._kinds))
            journal.commit()

    def fill(self, stories: Iterable[dict[str, Any]]) -> int:
        """Append many stories, given by their anchors, in transactions of many events; return how many events."""
        ready = ((*_split(story), *event) for story in stories for event in self._kinds)
        events = 0
        while some := list(islice(ready, AT_ONCE)):
            journal = self._run()
            journal.begin()
            for where, actor, kind, payload, obs in some:
                _append(journal, kind, where, actor, payload, obs)
            _receipt(journal, INTENT, 1, last=True)
            journal.commit()
            events += len(some)
        return events

    def _run(self) -> Journal:
        return self._ledger.journal(
            f"ready-{next(_runs):09}", workflow="dbl::WF_READY_V0", workflow_digest=DIGEST, sealed=SEALED, seal=None,
            payload_digest=DIGEST, started_at=AT,
        )  # fmt: skip


def _append(journal: Journal, kind: str, where: dict[str, Any], actor: str, payload: dict[str, Any], obs: Any) -> None:
    store = journal.store(LEDGER)
    if kind == INTENT:
        outcome, _ = store.append_intent(where, actor, payload, obs)
    else:
        append = store.append_decision if kind == DECISION else store.append_execution
        outcome, _ = append(where, payload, obs)
    assert outcome == "SUCCESS", outcome


def _receipt(journal: Journal, kind: str, place: int, *, last: bool) -> None:
    """Leave what an effect leaves beside its store: the receipt, the line of its journal, and at last the run's end."""
    node, capability = f"node-{place}", f"dbl::CS_LEDGER_V0.APPEND_{kind}"
    receipt = journal.receipt(node, capability, "SUCCESS")
    body = encode({"capability": capability, "kind": "CALLED", "outcome": "SUCCESS", "path": node})
    journal.write([(node, body, encode({"receipt": receipt, "seq": place}))])
    if last:
        journal.finish("done", "COMPLETED", DIGEST)


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
