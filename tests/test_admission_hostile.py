"""Hostile bodies: whatever comes in, admission answers with a listed refusal or with an intent that the gateway takes,
and what is secret is not taken down, nor shown."""

from __future__ import annotations

import json
import os
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from admitting import ANCHORED, IDENTITY, MESSAGE, Json, accepted, in_form, judged, refused, said
from omnibachi_model.checks import link
from omnibachi_model.decisions import event_of, misshapen
from omnibachi_model.digests import ZERO, decode, encode
from omnibachi_transport.admission import Admitted
from omnibachi_transport.reasons import MOST
from spoilt_bodies import KEYS, LARGE, TOKENS, spoilt
from thoroughness import many

MANY = many(200, 2_000)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

with open(os.path.join(ROOT, "protocol_snapshot", "dbl", "WF_GOVERN_INTENT_V0.json"), "rb") as file:
    _GATE = link(json.load(file)["payload"])
BOUNDARY: Json = {
    "policy": {"address": "dbl::PL_X_V0", "digest": ZERO, "pack": {}, "snapshot": ZERO}, "provider": "stub",
    "model_id": "m", "budget": {"max_duration_ms": 60_000},
}  # fmt: skip


def hold(found: Admitted) -> None:
    """Fail unless the workflow's own gate and the ledger take what was admitted."""
    payload = {"anchors": found.anchors, "intent": found.intent, "identity": found.identity, "boundary": BOUNDARY}
    assert not _GATE(payload)
    assert decode(encode(payload)) == payload  # it can be written, and read back
    anchors = {name: value for name, value in found.anchors.items() if name != "actor"}
    kept = {**found.intent["payload"], "_envelope": {"form": found.intent["form"], "identity": found.identity}}
    assert "_envelope" not in found.intent["payload"]
    assert misshapen(event_of(0, "INTENT", anchors, found.anchors["actor"], kept, {}, ZERO)) is None


@settings(max_examples=MANY, deadline=None)
@given(spoilt())
def test_spoilt_bodies_are_refused_or_good(body: Any) -> None:
    found = judged(body)
    if isinstance(found, Admitted):
        hold(found)


@settings(max_examples=MANY, deadline=None)
@given(st.sampled_from(("flat", "v2", "v3")), said)
def test_what_is_well_formed_is_admitted_and_passes_the_gate_of_the_workflow(form: str, fields: Json) -> None:
    found = accepted(in_form(form, fields))
    hold(found)
    assert found.identity == IDENTITY and found.intent["form"] == form
    # Nothing was added to what was said, and nothing changed but whole numbers.
    assert found.intent["payload"] == fields["payload"]
    assert {name: found.anchors[name] for name in ("actor", "thread_id")} == {
        name: fields[name] for name in ("actor", "thread_id")
    }


@settings(max_examples=MANY, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_of_any_kind(data: bytes) -> None:
    found = judged(data)
    assert isinstance(found, tuple) and found[0] == 400


@settings(max_examples=MANY, deadline=None)
@given(st.data())
def test_one_byte_is_another(data: st.DataObject) -> None:
    whole = json.dumps(
        in_form("v2", {**ANCHORED, "inputs": {"capability": "chat"}, "budget": {"max_tokens": 5}})
    ).encode()
    at, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    found = judged(whole[:at] + bytes([byte]) + whole[at + 1 :])
    if isinstance(found, Admitted):
        hold(found)
    judged(whole[:at])
    judged(whole[:at] + whole[at + 1 :])


@pytest.mark.parametrize("data", LARGE, ids=range(len(LARGE)))
def test_large_bodies_are_answered_shortly(data: bytes) -> None:
    """No answer is large, whatever there is to find."""
    found = judged(data)
    if not isinstance(found, Admitted):
        assert len(found[1]["errors"]) <= MOST


@pytest.mark.parametrize("name", [*KEYS, "Api_Key", "API-KEY", "TOKEN", " Password ", "Bearer", "Authorization"])
def test_secrets_by_name(name: str) -> None:
    """Text under such a key, however deep either stands; what is no text there is kept."""
    for value, deep in (("x", ""), ("", ""), (["x"], ""), ({"a": [1, {"b": "x"}]}, "")):
        for form, inner in (("flat", ""), ("v2", "/payload"), ("v3", "/payload")):
            body = in_form(form, {**ANCHORED, "payload": {"message": "m", "list": [{"of": {name: value}}]}})
            assert refused(body) == (400, [("admission.secrets_present", f"{inner}/payload/list/0/of/{name}{deep}")])
    for value in (None, 1, True, [], {}, [1, {"a": None}]):
        accepted({**MESSAGE, "payload": {"message": "m", name: value}})
    accepted({**MESSAGE, "payload": {"message": "m", f"{name} of": "x", f"max_{name.strip()}s": "x"}})
    accepted({**MESSAGE, "payload": {"message": f"my {name} is none"}})


@pytest.mark.parametrize("text", TOKENS)
def test_secrets_by_their_look(text: str) -> None:
    """In any text, and in no answer."""
    places: list[tuple[Json, str]] = [
        ({"payload": {"message": f"look:\n{text}\nthere"}}, "/payload/message"),
        ({"payload": {"message": "m", "deep": [[{"x": f"'{text}'"}]]}}, "/payload/deep/0/0/x"),
        ({"payload": {"message": "m", "by": {text: 1}}}, "/payload/by"),
        ({"inputs": {"request_tags": ["a", text]}}, "/inputs/request_tags/1"),
    ]
    if "\n" not in text and len(text) < 128:
        places += [({"actor": text}, "/actor"), ({"requested_model_id": text}, "/requested_model_id")]
    for fields, place in places:
        assert refused({**MESSAGE, **fields}) == (400, [("admission.secrets_present", place)])
    for body in (
        {**MESSAGE, text: 1}, {**MESSAGE, "inputs": {text: 1}}, {**MESSAGE, "intent_type": f"x {text}"}, [text], text,
        {**MESSAGE, "payload": {text: "\ud800", "_": {text: 1}}}, {text: float("nan")},
    ):  # fmt: skip
        found = judged(body)
        assert not isinstance(found, Admitted) and text not in orjson.dumps(found[1]).decode()


@pytest.mark.parametrize("text", [
    "sk-learn is a library", "ask-me-anything-2024", "task-force-12345678", "the token sk- is short", "AKIA", "hf_hub",
    "-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "BEGIN PRIVATE KEY", "eyJ", "SG.", "ghp_ is a prefix",
    "npm_install_everything", "pypi-package-index-names", "disk-usage-report-2024", "Bearer of good news", "xox",
])  # fmt: skip
def test_words_are_no_secrets(text: str) -> None:
    accepted({**MESSAGE, "payload": {"message": text, "words": [text]}})


@example("\ud800")
@settings(max_examples=MANY, deadline=None)
@given(st.text())
def test_a_message_of_any_text(text: str) -> None:
    found = judged({**MESSAGE, "payload": {"message": text}})
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        assert found[1]["reason_code"] == "admission.invalid_text"
    elif isinstance(found, Admitted):
        assert found.intent["payload"] == {"message": text}
    else:
        assert found[1]["reason_code"] == "admission.secrets_present"


def test_the_gate_refuses_what_is_none() -> None:
    found = accepted(MESSAGE)
    for spoilt_anchor in ({"lane": ""}, {"turn_id": None}, {"actor": "x" * 129}, {"more": "x"}):
        with pytest.raises(AssertionError):
            hold(Admitted({**found.anchors, **spoilt_anchor}, found.intent, found.identity))
    for spoilt_intent in ({"budget": {"max_tokens": 0}}, {"inputs": None}, {"form": "v4"}, {"tool_scope": "x"}):
        with pytest.raises(AssertionError):
            hold(Admitted(found.anchors, {**found.intent, **spoilt_intent}, found.identity))
