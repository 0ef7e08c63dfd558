"""`dbl::CS_LEDGER_V0`: a thin shell over the ledger of decisions.

It makes of what a workflow binds the payload of each kind of event and its observations, and completes the two short
forms: a decision `{undecidable: code}` is a DENY for that reason, an execution `{failed: code}` an error of the closed
list. What an event must be, and when it may come, is the ledger's to say.
"""

from __future__ import annotations

from omnibachi_model.decisions import DECISION, ENVELOPE, ERROR, PROVIDER_ERRORS
from omnibachi_model.packs import undecided

from .instants import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.ports import Call, DecisionTxn
    from omnibachi_model.values import Answer, Inputs

UNDECIDABLE, FAILED = "undecidable", "failed"
_EPOCH = 62_135_596_800  # seconds from 0001-01-01 to 1970-01-01
_DECISION = (
    "decision", "result", "reason_codes", "reasons", "policy_id", "policy_version", "policy_digest", "snapshot",
    "facts", "facts_digest", "intent_normative_digest", "budget", "provider", "model_id",
)  # fmt: skip
_MESSAGES = {
    "outcome_unknown": "the call left, and nobody knows what came of it",
    "internal_error": "the gateway failed before an answer was there",
}


def append_intent(inputs: Inputs, store: DecisionTxn, call: Call) -> Answer:
    """Record what was asked; who asked, and how, stands in the payload's `_envelope`."""
    intent, anchors = dict(inputs["intent"]), dict(inputs["anchors"])
    actor = anchors.pop("actor")
    payload = intent.pop("payload")
    if ENVELOPE in payload:
        raise ValueError(f"a message has no `{ENVELOPE}`")
    envelope = {**intent, "identity": inputs["identity"]}
    outcome, found = store.append_intent(anchors, actor, {**payload, ENVELOPE: envelope}, _observed(call))
    if outcome == "ALREADY_EXISTS":
        return outcome, {**_told(found), "state": store.read(anchors["correlation_id"])[0]}
    return outcome, _told(found) if found else {}


def append_decision(inputs: Inputs, store: DecisionTxn, call: Call) -> Answer:
    """Record what was decided."""
    given, boundary = dict(inputs["decision"]), inputs["boundary"] or {}
    if UNDECIDABLE in given:
        given = _undecidable(given, boundary)
    unknown = sorted(given.keys() - set(_DECISION))
    if unknown:
        raise ValueError(f"a decision has no `{unknown[0]}`")
    # What the boundary alone knows is put there where the decision does not say it.
    payload = {name: given.get(name) if given.get(name) is not None else boundary.get(name) for name in _DECISION}
    return _answer(*store.append_decision(_anchors(inputs), payload, _observed(call)))


def append_execution(inputs: Inputs, store: DecisionTxn, call: Call) -> Answer:
    """Record what came of it; `provider` and `model_id` of a short form are those of the decision."""
    payload, latency = dict(inputs["execution"]), inputs["latency_ms"]
    if FAILED in payload:
        payload = _failed(payload, store.read(inputs["anchors"]["correlation_id"])[1])
    obs = _observed(call) if latency is None else {**_observed(call), "latency_ms": latency}
    return _answer(*store.append_execution(_anchors(inputs), payload, obs))


def read(inputs: Inputs, store: DecisionTxn, call: Call) -> Answer:
    """Read the state of a correlation and its events."""
    state, events = store.read(inputs["correlation_id"])
    return ("SUCCESS", {"state": state, "events": events}) if events else ("NOT_FOUND", {})


def _undecidable(given: dict[str, Any], boundary: dict[str, Any]) -> dict[str, Any]:
    code = given.pop(UNDECIDABLE)
    if given or type(code) is not str:
        raise ValueError("a short form has one code and nothing else")
    return undecided(code, boundary.get("policy") or {})


def _failed(given: dict[str, Any], story: list[dict[str, Any]]) -> dict[str, Any]:
    code = given.pop(FAILED)
    if given or code not in PROVIDER_ERRORS:
        raise ValueError("a short form has one code, which is a provider's error, and nothing else")
    (status, *_), responsibility, retryable = PROVIDER_ERRORS[code]
    decision: dict[str, Any] = next((event["payload"] for event in story if event["kind"] == DECISION), {})
    return {
        "status": ERROR,
        "provider": decision.get("provider"),
        "model_id": decision.get("model_id"),
        "release_digest": None,
        "error": {
            "code": code,
            "type": code,
            "status_code": status,
            "message": _MESSAGES.get(code, code.replace("_", " ")),
            "responsibility": responsibility,
            "retryable": retryable,
        },
    }


def _anchors(inputs: Inputs) -> dict[str, Any]:
    """Return the anchors of an event that the gateway says itself: its actor is not the caller's."""
    return {name: value for name, value in inputs["anchors"].items() if name != "actor"}


def _observed(call: Call) -> dict[str, Any]:
    seconds, rest = divmod(call.clock.now_ns(), 1_000_000_000)
    return {"at": write(_EPOCH + seconds, f"{rest // 1_000_000:03}"), "trace_id": call.run}


def _told(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in ("index", "digest", "normative_digest")}


def _answer(outcome: str, found: dict[str, Any]) -> Answer:
    return outcome, _told(found) if outcome == "SUCCESS" else found
