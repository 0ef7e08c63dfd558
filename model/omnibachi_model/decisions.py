"""The ledger of decisions in words and digests: kinds of events, their grammar as data, and what each digest covers.

An event is a JSON object: `index`, `kind`, the anchors, `actor`, `payload`, `obs`, `normative_digest`,
`prev_event_digest`, and what is derived of these, `digest`, `canon_len` and `is_authoritative`. Three rules hold a
ledger together:

- `digest` is that of the canonical bytes (RFC 8785) of the whole event without what is derived, so that nothing of it
  can be changed, and `prev_event_digest` is the digest of the event before.
- `normative_digest` is that of what must be the same every time: kind, anchors, actor and payload.
- The normative head steps at each DECISION, over its INTENT and itself. What was executed does not enter.

docs/formats.md specifies every byte ("Decisions").
"""

from __future__ import annotations

from .digests import ZERO as ZERO
from .digests import digest, digest_of, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    Event: TypeAlias = "dict[str, Any]"

INTENT, DECISION, EXECUTION = "INTENT", "DECISION", "EXECUTION"
KINDS = (INTENT, DECISION, EXECUTION)
ALLOW, DENY = "ALLOW", "DENY"
OK, ERROR = "ok", "error"

# States of a correlation. EMPTY is the one before its INTENT, and the phase of a ledger without events.
EMPTY, INTENTED, ALLOWED, DENIED, EXECUTED = "EMPTY", "INTENTED", "ALLOWED", "DENIED", "EXECUTED"
STATES = (INTENTED, ALLOWED, DENIED, EXECUTED)
FINAL = (DENIED, EXECUTED)
# (state, kind, result of a DECISION) -> state. What is not there cannot be appended.
GRAMMAR = {
    (EMPTY, INTENT, None): INTENTED,
    (INTENTED, DECISION, ALLOW): ALLOWED,
    (INTENTED, DECISION, DENY): DENIED,
    (ALLOWED, EXECUTION, None): EXECUTED,
}

PARENT = "parent_turn_id"  # of the anchors the one that may be null
LONGEST = 128  # characters of an anchor or an actor
ANCHORS = ("stream_id", "lane", "thread_id", "turn_id", PARENT, "correlation_id", "intent_type")
ACTORS = {DECISION: "policy", EXECUTION: "executor"}  # of an INTENT it is who the caller says
NORMATIVE = ("kind", *ANCHORS, "actor", "payload")
DERIVED = ("digest", "canon_len", "is_authoritative")
COVERED = ("index", *NORMATIVE, "obs", "normative_digest", "prev_event_digest")
ENVELOPE = "_envelope"  # of an INTENT's payload: what was said beside the message

# The closed list of what may go wrong with a provider: its code, and (status codes, whose it is, whether to try again).
# The first status code is the one where none was received. `error.type` equals the code.
PROVIDER_ERRORS: dict[str, tuple[tuple[int, ...], str, bool]] = {
    "invalid_request_error": ((400, 413, 422), "caller", False),
    "authentication_error": ((401,), "gateway", False),
    "permission_error": ((403,), "gateway", False),
    "not_found_error": ((404,), "gateway", False),
    "rate_limit_error": ((429,), "provider", True),
    "timeout": ((504, 408), "provider", True),
    "overloaded": ((503, 529), "provider", True),
    "provider_error": ((502,), "provider", True),
    "outcome_unknown": ((500,), "gateway", False),
    "internal_error": ((500,), "gateway", False),
}


def next_state(state: str, kind: str, payload: Mapping[str, Any]) -> str | None:
    """Return the state that a correlation has after such an event, or None where the grammar has no such step."""
    return GRAMMAR.get((state, kind, payload.get("result") if kind == DECISION else None))


def normative_digest(event: Mapping[str, Any]) -> str:
    """Return the digest of what must be the same every time: kind, anchors, actor and payload."""
    return digest_of({name: event[name] for name in NORMATIVE})


def digest_of_event(event: Mapping[str, Any]) -> tuple[str, int]:
    """Return the digest of an event, and how many canonical bytes it covers: all members but what is derived."""
    data = encode({name: event[name] for name in COVERED})
    return digest(data), len(data)


def event_of(
    index: int, kind: str, anchors: Mapping[str, Any], actor: str, payload: Mapping[str, Any], obs: Mapping[str, Any],
    prev: str,
) -> Event:  # fmt: skip
    """Make the event that stands at `index` after one whose digest is `prev`. All values are canonical."""
    event: Event = {
        "index": index,
        "kind": kind,
        **{name: anchors[name] for name in ANCHORS},
        "actor": actor,
        "payload": payload,
        "obs": obs,
        "prev_event_digest": prev,
    }
    event["normative_digest"] = normative_digest(event)
    event["digest"], event["canon_len"] = digest_of_event(event)
    event["is_authoritative"] = kind == DECISION
    return event


def next_head(head: str, intent_normative_digest: str, decision_normative_digest: str) -> str:
    """Return the normative head after a DECISION: the digest of [former head, INTENT's digest, DECISION's digest]."""
    return digest_of([head, intent_normative_digest, decision_normative_digest])


def said(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an INTENT says, the form in which it came left out, and of who said it the principal alone.

    Two INTENTs of one correlation are the same request where this is equal.
    """
    payload = dict(event["payload"])
    envelope = payload.get(ENVELOPE)
    if isinstance(envelope, dict):
        plain = {name: value for name, value in envelope.items() if name != "form"}
        if isinstance(plain.get("identity"), dict):
            plain["identity"] = plain["identity"].get("principal")
        payload[ENVELOPE] = plain
    return {**{name: event[name] for name in ANCHORS}, "actor": event["actor"], "payload": payload}


def misshapen(event: Mapping[str, Any]) -> str | None:
    """Say in which way an event is none, whatever stands before it; None where it is one.

    Its members and their types, its actor, and what the payload of its kind must hold. Digests are not looked at.
    """
    kind, payload, obs = event.get("kind"), event.get("payload"), event.get("obs")
    if kind not in KINDS:
        return "its kind is none"
    for name in (*ANCHORS, "actor", "normative_digest", "prev_event_digest"):
        value = event.get(name)
        none = name == PARENT and name in event and value is None
        if not none and not (type(value) is str and 0 < len(value) <= LONGEST):
            return f"its {name} is no text of 1 to {LONGEST} characters"
    if type(event.get("index")) is not int or event["index"] < 0:
        return "its index is no number"
    if type(payload) is not dict or type(obs) is not dict:
        return "its payload or its obs is no object"
    if event["actor"] != ACTORS.get(kind, event["actor"]):
        return "its actor is another's"
    if event[PARENT] == event["turn_id"]:
        return "it is its own parent"
    return _PAYLOADS[kind](payload)


def _intent(payload: Mapping[str, Any]) -> str | None:
    envelope = payload.get(ENVELOPE)
    if type(envelope) is not dict or type(envelope.get("identity")) is not dict:
        return f"its payload has no {ENVELOPE} with an identity"
    return None


def _decision(payload: Mapping[str, Any]) -> str | None:
    result, codes = payload.get("result"), payload.get("reason_codes")
    if result not in (ALLOW, DENY) or payload.get("decision") != result:
        return "it says neither ALLOW nor DENY, or both"
    if type(codes) is not list or not codes or any(type(code) is not str or not code for code in codes):
        return "it gives no reason"
    return None


def _execution(payload: Mapping[str, Any]) -> str | None:
    status = payload.get("status")
    if status == OK and "error" not in payload and type(payload.get("output_text")) is str:
        return None
    error = payload.get("error")
    code = error.get("code") if type(error) is dict else None
    if status == ERROR and "output_text" not in payload and type(code) is str and code:
        return None
    return "it tells neither an output nor an error, or both"


_PAYLOADS = {INTENT: _intent, DECISION: _decision, EXECUTION: _execution}
