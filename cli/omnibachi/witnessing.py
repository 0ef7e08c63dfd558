"""What a witness sends and how it judges what both servers tell of it: pure, values in and values out.

A story is the events of one correlation. Of which kind it is follows from them alone, never from what a server says
about itself: *refused*, *failed* or *worked* where it is complete, else `unfinished`, or `broken` where an event is
none, is another's, is not covered by its digests, or stands where the grammar has no place for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibachi_model.decisions import (
    ANCHORS,
    DECISION,
    DENIED,
    DENY,
    DERIVED,
    EMPTY,
    ERROR,
    EXECUTED,
    EXECUTION,
    INTENT,
    digest_of_event,
    misshapen,
    next_state,
    normative_digest,
)  # fmt: skip

WORKED, FAILED, REFUSED = "worked", "failed", "refused"
UNFINISHED, BROKEN, NOT_TAKEN = "unfinished", "broken", "not taken"
DEMO = "dbl::PL_DEMO_V0"
TOO_LONG = 400
_LONG = "A message that is longer than the pack allows is refused before any provider hears of it. "


@dataclass(frozen=True, slots=True)
class Scenario:
    """One intent, and the kind of story that it is announced to become; only under `pack` where that is named."""

    name: str
    message: str
    announced: str
    because: str | None = None  # the reason code of what is refused, the error code of what fails
    pack: str | None = None


SCENARIOS = {
    item.name: item
    for item in (
        Scenario("happy_path", "hello from the witness", WORKED),
        Scenario("invalid_request", "", FAILED, "invalid_request_error"),
        Scenario("policy_deny", (_LONG * 5)[:TOO_LONG], REFUSED, "policy.message_too_long", DEMO),
    )
}


@dataclass(frozen=True, slots=True)
class Judged:
    """Of which kind a story is, and why: the reason of a refusal, the error of a failure, what is broken."""

    kind: str
    because: str | None = None

    @property
    def complete(self) -> bool:
        """Tell whether the story has come to its end."""
        return self.kind in (WORKED, FAILED, REFUSED)


@dataclass(frozen=True, slots=True)
class Story:
    """What both servers told of one scenario; `refusal` is the gateway's where it did not take the intent."""

    scenario: Scenario
    correlation_id: str
    judged: Judged
    events: list[dict[str, Any]]
    refusal: dict[str, Any] | None = None
    projection: dict[str, Any] | None = None  # `/threads/{id}` of the observer; None without one
    differs: tuple[str, ...] = ()  # in what the projection is not the ledger's
    signals: list[dict[str, Any]] | None = None
    unobserved: str | None = None  # why the observer told nothing

    @property
    def as_announced(self) -> bool:
        """Tell whether the story became what its scenario announced."""
        return (self.judged.kind, self.judged.because) == (self.scenario.announced, self.scenario.because)

    def as_json(self) -> dict[str, Any]:
        """Return the story as `--json` shows it."""
        return {
            "scenario": self.scenario.name, "announced": self.scenario.announced, "told": self.judged.kind,
            "because": self.judged.because, "complete": self.judged.complete, "as_announced": self.as_announced,
            "correlation_id": self.correlation_id, "refusal": self.refusal, "events": self.events,
            "projection": self.projection, "differs": list(self.differs), "signals": self.signals,
        }  # fmt: skip


def intent_of(scenario: Scenario, correlation: str) -> dict[str, Any]:
    """Return the body that a scenario sends, the flat form, in a thread and turn of its own."""
    return {
        "correlation_id": correlation, "thread_id": correlation, "turn_id": correlation, "actor": "witness",
        "intent_type": "chat.message", "payload": {"message": scenario.message},
    }  # fmt: skip


def judge(events: Sequence[Any], intent: Mapping[str, Any]) -> Judged:
    """Judge what a ledger holds of an intent: the events of its correlation, in order."""
    state, before = EMPTY, -1
    for event in events:
        wrong = "it is no object" if not isinstance(event, dict) else _wrong(event, intent)
        if wrong is not None:
            return Judged(BROKEN, f"event {_index(event)}: {wrong}")
        if event["index"] <= before:
            return Judged(BROKEN, f"event {event['index']}: it stands after event {before}")
        following = next_state(state, event["kind"], event["payload"])
        if following is None:
            return Judged(BROKEN, f"event {event['index']}: {event['kind']} has no place after {state}")
        state, before = following, event["index"]
    if state == DENIED:
        return Judged(REFUSED, str(events[-1]["payload"]["reason_codes"][0]))
    if state != EXECUTED:
        return Judged(UNFINISHED, state)
    said = events[-1]["payload"]
    return Judged(FAILED, str(said["error"]["code"])) if said["status"] == ERROR else Judged(WORKED)


def _wrong(event: Mapping[str, Any], intent: Mapping[str, Any]) -> str | None:
    found = misshapen(event)
    if found is not None:
        return found
    if any(name not in event for name in DERIVED):
        return "it has no digest"
    try:
        covered, normative = digest_of_event(event), normative_digest(event)
    except (ValueError, TypeError, RecursionError):
        return "it cannot be written canonically"
    if covered != (event["digest"], event["canon_len"]) or normative != event["normative_digest"]:
        return "its digest is another's"
    if event["is_authoritative"] is not (event["kind"] == DECISION):
        return "it says of itself that it decides, or that it does not"
    for name in ANCHORS:
        if name in intent and event[name] != intent[name]:
            return f"its {name} is another's"
    if event["kind"] == INTENT and (event["actor"], _plain(event)) != (intent["actor"], intent["payload"]):
        return "it is not what was sent"
    return None


def _plain(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an INTENT's payload as it was sent."""
    return {name: value for name, value in event["payload"].items() if not name.startswith("_")}


def _index(event: Any) -> str:
    index = event.get("index") if isinstance(event, dict) else None
    return str(index) if type(index) is int else "?"


# What an observer makes of it


def differences(events: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> list[str]:
    """Say in what an observer's `/threads/{id}` differs from the one complete story that its thread holds."""
    thread, turns = answer.get("thread"), answer.get("turns")
    if not isinstance(thread, dict) or not isinstance(turns, list) or len(turns) != 1 or not isinstance(turns[0], dict):
        return ["it shows another number of turns than one"]
    told = [*_unlike(_thread(events), thread), *_unlike(_turn(events), turns[0])]
    return [f"`{name}` is {_shown(is_)} where the ledger says {_shown(should)}" for name, is_, should in told]


def caught_up(events: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> bool:
    """Tell whether an observer has come to the end of a story."""
    thread = answer.get("thread")
    last = thread.get("last_index") if isinstance(thread, dict) else None
    return type(last) is int and last >= int(events[-1]["index"])


def _unlike(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    absent = object()
    return [(name, found.get(name), value) for name, value in expected.items() if found.get(name, absent) != value]


def _turn(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = {event["kind"]: event["payload"] for event in events}
    decision, execution = found[DECISION], found.get(EXECUTION)
    error = (execution or {}).get("error")
    return {
        "turn_id": events[0]["turn_id"], "parent_turn_id": events[0]["parent_turn_id"],
        "correlation_id": events[0]["correlation_id"], "decision_result": decision["result"],
        "reason_codes": decision["reason_codes"], "policy_id": decision.get("policy_id"),
        "has_execution": execution is not None, "has_errors": error is not None,
        "error_code": error["code"] if error is not None else None,
        "first_index": events[0]["index"], "last_index": events[-1]["index"],
    }  # fmt: skip


def _thread(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    turn = _turn(events)
    denied = turn["decision_result"] == DENY
    return {
        "thread_id": events[0]["thread_id"], "turns_total": 1, "allow_total": int(not denied),
        "deny_total": int(denied), "execution_ok_total": int(turn["has_execution"] and not turn["has_errors"]),
        "execution_error_total": int(turn["has_errors"]), "pending_total": 0, "first_index": turn["first_index"],
        "last_index": turn["last_index"],
    }  # fmt: skip


def _shown(value: Any) -> str:
    return f"`{str(value)[:80]}`" if value is not None else "absent"
