"""What the observer answers, as JSON Schemas (2020-12), and the query parameters of its routes.

Every answer says that it is an observation: `observer_version`, and `normative`, which is false.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.decisions import ALLOW, DENY

from .gateway_schemas import COUNT, DIGEST, EVENT, TEXT, listed, record
from .openapi import Schema
from .queries import integer
from .reading import ID

VERSION = 1
MOST_THREADS, MOST_TURNS, MOST_INGESTED = 500, 2000, 2000
USUAL_THREADS = 50

_OR_NONE: Schema = {"type": ["integer", "null"], "minimum": 0}
_TEXT_OR_NONE: Schema = {"type": ["string", "null"]}


def observed(properties: dict[str, Schema]) -> Schema:
    """Return the schema of an answer that holds these members."""
    return record({"observer_version": {"const": VERSION}, "normative": {"const": False}, **properties})


SEVERITIES: Schema = record({"info": COUNT, "warn": COUNT, "critical": COUNT})
_STOPPED: Schema = {
    **record({"what": {"enum": ["mismatch", "gap", "rewritten"]}, "at_index": COUNT, "why": TEXT}),
    "type": ["object", "null"],
    "description": "what is not folded, and why; null while all is",
}
STATUS: Schema = observed({
    "event_count": COUNT,
    "last_index": {"type": "integer", "minimum": -1},
    "lag": {**_OR_NONE, "description": "events that are not folded yet; null until the gateway has answered"},
    "thread_count": COUNT,
    "turn_count": COUNT,
    "deny_rate": {"type": "number", "minimum": 0, "maximum": 1, "description": "the share of turns that were denied"},
    "latency_ms": record({"p50": _OR_NONE, "p95": _OR_NONE, "p99": _OR_NONE, "sample_count": COUNT}),
    "active_signals": SEVERITIES,
    "verified": {"type": "boolean", "description": "false while something does not hold"},
    "stopped": _STOPPED,
    "head": DIGEST,
    "normative_head": DIGEST,
    "answered_ms_ago": {**_OR_NONE, "description": "since the gateway answered; null until it has"},
})  # fmt: skip
THREAD: Schema = record({
    "thread_id": TEXT,
    "turns_total": COUNT,
    "allow_total": COUNT,
    "deny_total": COUNT,
    "execution_ok_total": COUNT,
    "execution_error_total": COUNT,
    "pending_total": COUNT,
    "first_index": COUNT,
    "last_index": COUNT,
})  # fmt: skip
TURN: Schema = record({
    "turn_id": TEXT,
    "parent_turn_id": _TEXT_OR_NONE,
    "correlation_id": TEXT,
    "decision_result": {"enum": [ALLOW, DENY, None], "description": "of its DECISION; null while there is none"},
    "reason_codes": listed(TEXT),
    "policy_id": _TEXT_OR_NONE,
    "has_execution": {"type": "boolean"},
    "has_errors": {"type": "boolean"},
    "error_code": _TEXT_OR_NONE,
    "latency_ms": _OR_NONE,
    "first_index": COUNT,
    "last_index": COUNT,
})  # fmt: skip
THREADS: Schema = observed({
    "threads": listed(THREAD), "total": COUNT, "limit": COUNT, "offset": COUNT, "next_offset": _OR_NONE,
})  # fmt: skip
ONE_THREAD: Schema = observed({"thread": THREAD, "turns_offset": COUNT, "turns": listed(TURN)})
SIGNALS: Schema = observed({
    "signals": listed(record({
        "id": TEXT,
        "severity": {"enum": ["info", "warn", "critical"]},
        "scope": {"enum": ["system", "thread"]},
        "key": {**TEXT, "description": "the thread, or what of the system"},
        "title": TEXT,
        "detail": TEXT,
        "at_index": _OR_NONE,
        "evidence": {"type": "object"},
    })),
})  # fmt: skip
RULES: Schema = observed({
    "rules": listed(record({
        "id": TEXT,
        "severity": {"enum": ["info", "warn", "critical"]},
        "scope": {"enum": ["system", "thread"]},
        "raised_while": TEXT,
    })),
})  # fmt: skip
EVENTS: Schema = observed({
    "events": listed(EVENT), "source": {"enum": ["memory", "gateway"], "description": "where they are from"},
})  # fmt: skip
HEALTH: Schema = observed({"status": {"const": "ok"}})
INGEST: Schema = {
    "type": "object",
    "properties": {"events": {"type": "array", "maxItems": MOST_INGESTED}},
    "required": ["events"],
    "description": "a page of `/snapshot` without filters",
}
INGESTED: Schema = observed({"ingested": COUNT, "total": COUNT})
STREAM: Schema = {
    "type": "string",
    "description": 'events `change` with {"last_index", "thread_id", "signals"}; comments between them',
}
PICTURE: Schema = {"type": "string", "description": "SVG"}

THREADS_QUERY: dict[str, Any] = {
    "limit": {**integer(1, MOST_THREADS, "most threads"), "default": USUAL_THREADS},
    "offset": {**integer(0, description="threads to leave out"), "default": 0},
}
THREAD_QUERY: dict[str, Any] = {
    "limit": integer(1, MOST_TURNS, "most turns, the newest ones; without it, all"),
    "offset": integer(0, description="the first of them, counted from the oldest"),
}
EVENTS_QUERY: dict[str, Any] = {"thread_id": ID, "turn_id": ID}
PICTURE_QUERY: dict[str, Any] = {"correlation_id": ID}
