"""Bodies of intents as clients send them, drawn and by hand, and what admission says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

from omnibachi import Workspace
from omnibachi.intent_types import intent_types
from omnibachi_transport.admission import Admitted, admit
from omnibachi_transport.reasons import REASONS, REFUSAL, refusal
from omnibachi_transport.secret_texts import secrets_in

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
IDENTITY: Json = {"principal": "local", "tenant": None, "verified": False, "roles": ["intent", "read"]}
DRAWN = "c-drawn"
TYPES = intent_types(Workspace(ROOT).load())
MESSAGE: Json = {"intent_type": "chat.message", "payload": {"message": "hello"}}
ANCHORED: Json = {"stream_id": "s", "lane": "l", "actor": "a", "thread_id": "t", "turn_id": "u", **MESSAGE}
_SHAPE = jsonschema_rs.Draft202012Validator(REFUSAL)

names = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8).filter(str.isprintable)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
keys = st.text(st.characters(exclude_categories=("Cs",), max_codepoint=0xFFFF, exclude_characters="\0_"), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts | st.sampled_from((0.5, 1e14, -2.0)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
payloads = st.builds(lambda more, text: {**more, "message": text}, st.dictionaries(keys, values, max_size=3), texts)
whole = st.recursive(st.none() | st.integers(0, 9) | texts, lambda inner: st.lists(inner, max_size=2), max_leaves=3)
options = st.fixed_dictionaries(
    {},
    optional={
        "requested_model_id": names | st.none(),
        "inputs": st.dictionaries(st.sampled_from(("capability", "risk_tier", "request_tags")), whole) | st.none(),
        "declared_tools": st.lists(st.sampled_from(("web", "a.b_c", "z" * 64)), max_size=20) | st.none(),
        "tool_scope": st.sampled_from(("strict", "advisory", None)),
        "budget": st.none() | st.fixed_dictionaries({}, optional={
            "max_tokens": st.integers(1, 1_000_000), "max_duration_ms": st.integers(1_000, 300_000),
        }),
        "declared_refs": st.just([]) | st.none(),
    },
)  # fmt: skip
anchors = st.fixed_dictionaries(
    dict.fromkeys(("stream_id", "lane", "actor", "thread_id", "turn_id"), names),
    optional={"parent_turn_id": names | st.none()},
).filter(lambda found: found.get("parent_turn_id") != found["turn_id"])
# All that an intent may say, with every anchor; `in_form` makes a body of it.
said = st.builds(
    lambda named, more, payload: {**named, **more, "intent_type": "chat.message", "payload": payload},
    anchors, options, payloads,
).filter(lambda fields: not any(secrets_in(fields)))  # fmt: skip


def in_form(form: str, fields: Json, correlation: str | None = "c") -> Json:
    """Return the body of a form that says these fields."""
    if form == "flat":
        return {**fields, **({} if correlation is None else {"correlation_id": correlation})}
    return {"interface_version": int(form[1]), "correlation_id": correlation, "payload": fields}


def judged(body: Any, media_type: str | None = "application/json", identity: Json = IDENTITY) -> Any:
    """Return what admission makes of a body (bytes, or a value): the intent, or the refusal as (status, body)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = admit(data, media_type, identity, draw=lambda: DRAWN, intent_types=TYPES)
    if isinstance(found, Admitted):
        return found
    status, told = refusal(found)
    # Whatever came in, the answer can be written, is short, and has the one shape.
    assert len(json.dumps(told, ensure_ascii=False).encode()) < 100_000
    assert _SHAPE.is_valid(told) and 400 <= status < 500
    assert told["code"] == REASONS[told["reason_code"]][1]
    assert {name: told[name] for name in ("reason_code", "detail", "pointer")} == told["errors"][0]
    return status, told


def accepted(body: Any, **more: Any) -> Admitted:
    """Return the intent of a body that is admitted."""
    found = judged(body, **more)
    assert isinstance(found, Admitted), found
    return found


def refused(body: Any, **more: Any) -> tuple[int, list[tuple[str, str]]]:
    """Return the status and (reason code, pointer) of each finding of a body that is refused."""
    found = judged(body, **more)
    assert not isinstance(found, Admitted), found
    return found[0], [(item["reason_code"], item["pointer"]) for item in found[1]["errors"]]
