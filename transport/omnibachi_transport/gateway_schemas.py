"""What the gateway answers, as JSON Schemas (2020-12): OpenAPI shows them, and tests hold answers to them."""

from __future__ import annotations

from collections.abc import Mapping

from omnibachi_model.decisions import DECISION, EMPTY, EXECUTION, KINDS, STATES

from . import reading
from .guards import INTENT
from .openapi import Operation, Schema
from .request_schemas import body_schema

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
DIGEST: Schema = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_INDEX: Schema = {"type": ["integer", "null"], "minimum": 0}


def record(properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """Return the schema of an object that has these members and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def listed(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


EVENT: Schema = record({
    "index": COUNT,
    "kind": {"type": "string", "enum": list(KINDS)},
    **dict.fromkeys(("stream_id", "lane", "thread_id", "turn_id"), TEXT),
    "parent_turn_id": {"type": ["string", "null"]},
    **dict.fromkeys(("correlation_id", "intent_type", "actor"), TEXT),
    "payload": {"type": "object"},
    "obs": {"type": "object"},
    "normative_digest": DIGEST,
    "prev_event_digest": DIGEST,
    "digest": DIGEST,
    "canon_len": COUNT,
    "is_authoritative": {"type": "boolean", "description": "true for a DECISION"},
})  # fmt: skip
HEADS: dict[str, Schema] = {"length": COUNT, "v_digest": DIGEST, "normative_head": DIGEST}
PAGE: Schema = record({
    "length": {**COUNT, "description": "of the whole ledger"},
    "matched": {**COUNT, "description": "events that match"},
    "offset": _INDEX,
    "limit": COUNT,
    "next_offset": _INDEX,
    "v_digest": DIGEST,
    "normative_head": DIGEST,
    "events": listed(EVENT),
})  # fmt: skip
STATE: Schema = {"type": "string", "enum": list(STATES)}
ACCEPTED: Schema = record({
    "accepted": {"const": True},
    "stream_id": TEXT,
    "index": {**COUNT, "description": "of the INTENT"},
    "correlation_id": TEXT,
    "thread_id": TEXT,
    "turn_id": TEXT,
    "queued": {"type": "boolean", "description": "its run has not ended yet"},
    "replayed": {"type": "boolean", "description": "it was there before, and nothing was appended"},
    "state": STATE,
})  # fmt: skip
CORRELATION: Schema = record({
    "correlation_id": TEXT,
    "state": STATE,
    "indexes": record(dict.fromkeys(KINDS, COUNT), optional=(DECISION, EXECUTION)),
    "reason_codes": listed(TEXT),
})  # fmt: skip
_POLICY: Schema = record({"name": TEXT, "id": TEXT, "version": COUNT, "digest": DIGEST})
_QUEUE: Schema = record({"depth": COUNT, "limit": COUNT})
SUMMARY: Schema = record({
    "service": {"const": "gateway"},
    "version": TEXT,
    "snapshot": {**DIGEST, "description": "the seal"},
    "policy": _POLICY,
    "provider": TEXT,
    "model_id": TEXT,
    "ledger": record({
        **HEADS, "health": {"type": "string", "enum": ["ok", "suspect"]}, "first_bad_index": _INDEX,
    }),
    "correlations": record(dict.fromkeys(("intented", "allowed", "denied", "executed_ok", "executed_error"), COUNT)),
    "queue": _QUEUE,
    "phase": {"type": "string", "enum": [EMPTY, *STATES]},
    "t_index": {"type": "integer", "minimum": -1, "description": "of the last event"},
    "note": TEXT,
})  # fmt: skip
_TOLD: Schema = record(
    {"index": COUNT, "kind": EVENT["properties"]["kind"], "correlation_id": TEXT, "digest": DIGEST,
     "payload": {"type": "object"}},
    optional=("payload",),
)  # fmt: skip
TIMELINE: Schema = record({
    "thread_id": TEXT,
    "turns": listed(record({
        "turn_id": TEXT, "parent_turn_id": {"type": ["string", "null"]}, "events": listed(_TOLD),
    })),
})  # fmt: skip
HEALTH: Schema = record({"status": {"const": "ok"}})
CAPABILITIES: Schema = record({
    "service": {"const": "gateway"},
    "version": TEXT,
    "forms": listed(TEXT),
    "intent_types": listed(TEXT),
    "providers": {"type": "object", "additionalProperties": listed(TEXT), "description": "models by provider"},
    "limits": {"type": "object", "additionalProperties": COUNT},
    "policy": _POLICY,
    "reason_codes": {
        "type": "object", "description": "of refusals",
        "additionalProperties": record({"status": COUNT, "code": TEXT}),
    },
    "error_codes": {
        "type": "object", "description": "of executions",
        "additionalProperties": record({
            "status_codes": listed(COUNT), "responsibility": TEXT, "retryable": {"type": "boolean"},
        }),
    },
})  # fmt: skip


def operations_of(intent_types: Mapping[str, Schema]) -> tuple[Operation, ...]:
    """Return the routes of a gateway that takes these types of intent."""
    last_id: Schema = {"type": "string", "pattern": "^(-1|0|[1-9][0-9]{0,15})$"}
    return (
        Operation(
            "POST", "/ingress/intent", "post_intent", "Send an intent in.", {202: ACCEPTED}, (400, 409, 413, 415, 503),
            body=body_schema(intent_types), role=INTENT,
        ),
        Operation(
            "GET", "/snapshot", "snapshot", "A page of the ledger.", {200: PAGE}, (422, 503), query=reading.SNAPSHOT
        ),
        Operation(
            "GET", "/tail", "tail", "Events as they are committed, as server-sent events.", {200: TEXT}, (422, 503),
            query=reading.TAIL, media_type="text/event-stream", headers={"Last-Event-ID": last_id},
        ),
        Operation(
            "GET", "/status", "status", "The ledger and the gateway in numbers, or one correlation.",
            {200: {"oneOf": [SUMMARY, CORRELATION]}}, (404, 422, 503), query=reading.STATUS,
        ),
        Operation(
            "GET", "/threads/{thread_id:path}/timeline", "timeline", "The turns of a thread.", {200: TIMELINE},
            (404, 422, 503), query=reading.TIMELINE, path_parameters={"thread_id": TEXT},
        ),
        Operation("GET", "/healthz", "health", "Whether intents are taken.", {200: HEALTH}, (503,), role=None),
        Operation("GET", "/capabilities", "capabilities", "What is accepted.", {200: CAPABILITIES}),
        Operation("GET", "/openapi.json", "openapi", "This document.", {200: {"type": "object"}}),
    )  # fmt: skip
