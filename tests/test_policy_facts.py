"""Facts: a pack sees the whitelist and nothing else."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from declared import transform
from omnibachi_compiler.policies import TYPES
from omnibachi_model.digests import encode
from omnibachi_model.packs import CLAIMS, FACTS
from omnibachi_policy.facts import facts_of

Json = dict[str, Any]

words = st.sampled_from(("", "a", "b", "Größe", "𝄞"))
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | words | st.just(0.5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
# What the four records may hold that is a fact, and what may stand beside it.
anchors = st.fixed_dictionaries(dict.fromkeys(("intent_type", "stream_id", "lane"), words))
identity = st.fixed_dictionaries(
    {"principal": words},
    optional={"tenant": words | st.none(), "verified": st.booleans(), "roles": st.lists(words, max_size=2)},
)
budget = st.fixed_dictionaries({}, optional={"max_tokens": st.integers(1, 9), "max_duration_ms": st.integers(1, 9)})
boundary = st.fixed_dictionaries({"provider": words, "model_id": words}, optional={"budget": budget})
intent = st.fixed_dictionaries(
    {"payload": st.fixed_dictionaries({}, optional={"message": words | junk})},
    optional={
        "requested_model_id": words,
        "inputs": st.dictionaries(st.sampled_from(CLAIMS), junk),
        "declared_tools": st.lists(words, max_size=2),
        "tool_scope": words,
        "budget": budget,
    },
)
BESIDE = ("actor", "thread_id", "turn_id", "parent_turn_id", "correlation_id", "form", "obs", "policy", "execution",
          "latency_ms", "output_text", "claimed.capability", "input_chars", "_envelope")  # fmt: skip
OTHER_NAMES = {
    "anchors": (*BESIDE, "principal", "roles", "provider", "message"),
    "intent": (*BESIDE, "principal", "tenant", "verified", "roles", "provider", "model_id", "lane", "message"),
    "identity": (*BESIDE, "lane", "provider", "message", "declared_tools"),
    "boundary": (*BESIDE, "lane", "principal", "roles", "message", "requested_model_id"),
    "payload": (*BESIDE, "principal", "roles", "capability", "budget", "max_tokens", "requested_model_id"),
    "inputs": (*BESIDE, "principal", "roles", "message", "verified"),
}


@settings(max_examples=100, deadline=None)
@given(anchors, intent, identity, boundary, st.data())
def test_a_pack_sees_nothing_but_the_whitelist(
    anchors: Json, intent: Json, identity: Json, boundary: Json, data: st.DataObject
) -> None:
    """Whatever else stands in the four records, and whatever the message says in as many characters: same facts."""
    given_records = {"anchors": anchors, "intent": intent, "identity": identity, "boundary": boundary}
    before = encode(given_records)
    found = facts_of(**given_records)
    assert set(found) <= set(FACTS) and None not in found.values() and list(found) == sorted(found)
    changed = copy.deepcopy(given_records)
    holders = {**changed, "payload": changed["intent"]["payload"], "inputs": changed["intent"].setdefault("inputs", {})}
    for name, record in holders.items():
        record.update(data.draw(st.dictionaries(st.sampled_from(OTHER_NAMES[name]), junk, max_size=3), label=name))
    message = changed["intent"]["payload"].get("message")
    if isinstance(message, str):
        changed["intent"]["payload"]["message"] = message.translate(str.maketrans("abe", "xyz"))
    assert encode(facts_of(**changed)) == encode(found)
    assert encode(given_records) == before, "what it is given is read and not changed"


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(dict.fromkeys(("anchors", "intent", "identity", "boundary"), st.dictionaries(words, junk)))
)
def test_any_records_give_facts(records: Json) -> None:
    assert set(facts_of(**records)) <= set(FACTS)


@settings(max_examples=100, deadline=None)
@given(intent, identity, boundary)
def test_each_fact_comes_from_its_place(intent: Json, identity: Json, boundary: Json) -> None:
    found = facts_of({"intent_type": "t", "stream_id": "s", "lane": "l"}, intent, identity, boundary)
    assert (found["intent_type"], found["stream_id"], found["lane"]) == ("t", "s", "l")
    for name in ("principal", "tenant", "verified", "roles"):
        assert found.get(name) == identity.get(name)
    assert found["model_id"] == intent.get("requested_model_id", boundary["model_id"])
    assert found["provider"] == boundary["provider"]
    for name in ("max_tokens", "max_duration_ms"):
        said = [side["budget"][name] for side in (intent, boundary) if name in side.get("budget", {})]
        assert found.get(name) == (min(said) if said else None)
    for name in CLAIMS:
        assert found.get(f"claimed.{name}") == intent.get("inputs", {}).get(name)
    message = intent["payload"].get("message")
    if isinstance(message, str):
        assert (found["input_chars"], found["input_bytes"]) == (len(message), len(message.encode("utf-8")))
    else:
        assert "input_chars" not in found and "input_bytes" not in found


def test_forms_of_one_intent_have_the_same_facts() -> None:
    """The form is kept in the record, and no fact."""
    records: Json = {
        "anchors": {"intent_type": "chat.message", "stream_id": "default", "lane": "user_chat"},
        "intent": {"payload": {"message": "hello"}},
        "identity": {"principal": "local", "verified": False},
        "boundary": {"provider": "stub", "model_id": "stub-echo"},
    }
    answers = []
    for form in ("flat", "v2", "v3"):
        records["intent"]["form"] = form
        answers.append(transform("dbl::CT_AUTHORITATIVE_FACTS_V0", records))
    assert answers[0] == answers[1] == answers[2]


def test_the_types_of_conditions_are_those_of_the_whitelist() -> None:
    named = {name for name in TYPES if name != "claimed"} | {
        f"claimed.{name}" for name in TYPES["claimed"]["properties"]
    }
    assert named == set(FACTS)
