"""Ledgers of decisions as an observer gets them: events made one after the other, and the pages of `/snapshot`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from omnibachi_model.decisions import ALLOW, DECISION, DENY, EXECUTION, INTENT, ZERO, event_of, next_head
from omnibachi_model.formats import write_time

Event = dict[str, Any]
START_MS = 1_769_860_800_000
PACK = "sha256:" + "a" * 64
ENDINGS = {
    "asked": (INTENT,),
    "allowed": (INTENT, DECISION),
    "denied": (INTENT, DECISION),
    "ok": (INTENT, DECISION, EXECUTION),
    "error": (INTENT, DECISION, EXECUTION),
}


def steps(number: int, ending: str = "ok", thread: str = "thread", **more: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the kinds of a story's events, each with all that it is made of; `more` are `pack`, `ms` and `error`."""
    anchors = {
        "stream_id": more.get("stream", "default"), "lane": "user_chat", "thread_id": thread,
        "turn_id": more.get("turn", f"turn-{number}"), "parent_turn_id": None, "correlation_id": f"c-{number}",
        "intent_type": "chat.message",
    }  # fmt: skip
    result = DENY if ending == "denied" else ALLOW
    said = {
        INTENT: {"message": f"message {number}", "_envelope": {"form": "flat", "identity": {"principal": "local"}}},
        DECISION: {
            "decision": result, "result": result, "reason_codes": [f"{result.lower()}_all"],
            "policy_id": "dbl::PL_X_V0", "policy_digest": more.get("pack", PACK),
        },
        EXECUTION: {"status": "ok", "output_text": "echo"}
        if ending == "ok"
        else {"status": "error", "error": {"code": more.get("error", "timeout")}},
    }  # fmt: skip
    actors = {INTENT: "user", DECISION: "policy", EXECUTION: "executor"}
    obs = {EXECUTION: {"latency_ms": more.get("ms", number)}}
    return [
        (kind, {"anchors": anchors, "actor": actors[kind], "payload": said[kind], "obs": obs.get(kind, {})})
        for kind in ENDINGS[ending]
    ]


def chained(made: Iterable[tuple[str, dict[str, Any]]], since: Sequence[Event] = ()) -> list[Event]:
    """Make events of such steps, each linked to the one before; they follow `since`."""
    events = list(since)
    for kind, parts in made:
        at = {"at": write_time((START_MS + 10 * len(events)) * 1_000_000), **parts["obs"]}
        prev = events[-1]["digest"] if events else ZERO
        events.append(event_of(len(events), kind, parts["anchors"], parts["actor"], parts["payload"], at, prev))
    return events


def ledger(*endings: str, thread: str = "thread", **more: Any) -> list[Event]:
    """Make the events of stories in one thread, one after the other."""
    return chained(step for number, ending in enumerate(endings) for step in steps(number, ending, thread, **more))


def heads(events: Sequence[Event]) -> dict[str, Any]:
    """Return what a page says of the whole ledger."""
    head, asked = ZERO, {}
    for event in events:
        if event["kind"] == INTENT:
            asked[event["correlation_id"]] = event["normative_digest"]
        elif event["kind"] == DECISION:
            head = next_head(head, asked[event["correlation_id"]], event["normative_digest"])
    return {"length": len(events), "v_digest": events[-1]["digest"] if events else ZERO, "normative_head": head}


def page(events: Sequence[Event], after: int = -1, limit: int = 2000) -> dict[str, Any]:
    """Return the page of a ledger after an index."""
    return {
        **heads(events), "matched": len(events), "offset": None, "limit": limit, "next_offset": None,
        "events": list(events[after + 1 : after + 1 + limit]),
    }  # fmt: skip
