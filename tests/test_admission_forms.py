"""Three forms of one intent are one intent: the same anchors, facts, verdict and correlation, whatever carried it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admitting import ANCHORED, DRAWN, IDENTITY, MESSAGE, Json, accepted, in_form, said
from governing import events, gateway
from omnibachi_model.decisions import said as what_was_said
from omnibachi_model.digests import digest_of, encode
from omnibachi_policy.facts import facts_of
from omnibachi_transport.forms import derived

FORMS = ("flat", "v2", "v3")
DERIVED = re.compile(r"c-[0-9a-f]{32}\Z")
BOUNDARY: Json = {"provider": "stub", "model_id": "stub-echo", "budget": {"max_duration_ms": 60_000}}


@settings(max_examples=200, deadline=None)
@given(said)
def test_forms_have_one_meaning_and_the_same_facts(fields: Json) -> None:
    found = [accepted(in_form(form, fields)) for form in FORMS]
    assert [item.intent.pop("form") for item in found] == list(FORMS)
    assert len({encode([item.anchors, item.intent, item.identity]) for item in found}) == 1
    facts = [facts_of(item.anchors, item.intent, item.identity, BOUNDARY) for item in found]
    assert facts[0] == facts[1] == facts[2] and facts[0]["principal"] == "local"


def test_defaults() -> None:
    anchors = {
        "stream_id": "default", "lane": "user_chat", "actor": "user", "thread_id": "c", "turn_id": "c",
        "parent_turn_id": None, "correlation_id": "c", "intent_type": "chat.message",
    }  # fmt: skip
    for form in ("flat", "v3"):
        found = accepted(in_form(form, MESSAGE))
        assert (found.anchors, found.intent) == (anchors, {"payload": MESSAGE["payload"], "form": form})
    assert accepted(in_form("v2", {**ANCHORED, "parent_turn_id": "p"})).anchors == {
        **{name: value for name, value in ANCHORED.items() if name != "payload"}, "parent_turn_id": "p",
        "correlation_id": "c",
    }  # fmt: skip


def test_who_asks_is_what_was_handed_in() -> None:
    other = {"principal": "anna", "tenant": "north", "verified": True, "roles": ["intent"]}
    body = {**MESSAGE, "actor": "root", "payload": {"message": "", "identity": IDENTITY, "principal": "root"}}
    assert accepted(body, identity=other).identity == other


@pytest.mark.parametrize("named", [(), ("thread_id",), ("turn_id",)])
def test_a_correlation_is_drawn_where_nothing_tells_it(named: tuple[str, ...]) -> None:
    found = accepted({**MESSAGE, **dict.fromkeys(named, "x")}).anchors
    assert found["correlation_id"] == DRAWN
    assert [found[name] for name in ("thread_id", "turn_id")] == [
        "x" if name in named else DRAWN for name in ("thread_id", "turn_id")
    ]


def test_a_correlation_follows_from_what_is_said() -> None:
    """By the text of the rule: digest of anchors, intent and principal, without form; defaults filled in."""
    body = {**MESSAGE, "thread_id": "t", "turn_id": "u", "budget": {"max_tokens": 7}}
    meant = {
        "anchors": {
            "stream_id": "default", "lane": "user_chat", "actor": "user", "thread_id": "t", "turn_id": "u",
            "parent_turn_id": None, "intent_type": "chat.message",
        },
        "intent": {"payload": {"message": "hello"}, "budget": {"max_tokens": 7}},
        "principal": "local",
    }  # fmt: skip
    found = accepted(body).anchors["correlation_id"]
    assert found == "c-" + digest_of(meant)[7:39] and DERIVED.match(found)
    same = [
        {**body, "stream_id": "default", "lane": "user_chat", "actor": "user", "parent_turn_id": None},
        {**body, "tool_scope": None, "declared_refs": [], "budget": {"max_tokens": 7.0}},
        json.dumps(body, indent=3, sort_keys=True).encode(),
    ]
    assert {accepted(item).anchors["correlation_id"] for item in same} == {found}
    others: list[Any] = [
        {**body, **other} for other in (
            {"thread_id": "u"}, {"turn_id": "t"}, {"budget": {"max_tokens": 8}}, {"lane": "l"}, {"actor": "x"},
            {"payload": {"message": "hello "}}, {"payload": {"message": "hello", "x": None}}, {"tool_scope": "strict"},
            {"parent_turn_id": "p"}, {"inputs": {}},
        )
    ]  # fmt: skip
    ids = {accepted(item).anchors["correlation_id"] for item in others}
    ids.add(accepted(body, identity={**IDENTITY, "principal": "anna"}).anchors["correlation_id"])
    assert len(ids) == len(others) + 1 and found not in ids
    assert accepted(body, identity={**IDENTITY, "tenant": "x", "roles": ["intent"]}).anchors["correlation_id"] == found


@settings(max_examples=100, deadline=None)
@given(said, said)
def test_equal_correlations_are_equal_requests(one: Json, other: Json) -> None:
    found = [accepted(in_form("flat", fields, None)) for fields in (one, other)]
    ids = [item.anchors.pop("correlation_id") for item in found]
    assert all(map(DERIVED.match, ids))
    told = [encode([item.anchors, item.intent]) for item in found]
    assert (ids[0] == ids[1]) == (told[0] == told[1])
    assert ids[0] == derived(found[0].anchors, found[0].intent, "local")


@settings(max_examples=15, deadline=None)
@given(st.lists(said, min_size=1, max_size=3))
def test_the_gateway_takes_whatever_was_admitted_once_in_any_form(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Json]
) -> None:
    """Each is recorded and decided; the same in another form is recognised, and decided nothing new."""
    root = tmp_path_factory.mktemp("root")
    with gateway(root, policy="demo") as door:
        for number, fields in enumerate(drawn):
            fields = {**fields, "thread_id": f"t{number}", "parent_turn_id": None}
            first, *others = [accepted(in_form(form, fields, f"c{number}")) for form in FORMS]
            done = door.govern(first.anchors, first.intent, first.identity)
            assert (done.refused, done.replayed) == (None, False) and done.state in ("DENIED", "EXECUTED")
            for other in others:
                again = door.govern(other.anchors, other.intent, other.identity)
                assert (again.refused, again.replayed, again.index, again.state) == (None, True, done.index, done.state)
    told = [event for event in events(root) if event["kind"] == "INTENT"]
    assert [what_was_said(event)["correlation_id"] for event in told] == [f"c{number}" for number in range(len(drawn))]
    for event, fields in zip(told, drawn, strict=True):
        payload = dict(event["payload"])
        assert payload.pop("_envelope")["identity"] == IDENTITY and payload == fields["payload"]


def test_a_flat_body_that_is_sent_again_is_recognised(tmp_path: Path) -> None:
    """Without a correlation of its own; another message in its turn is refused, and the same of somebody else too."""
    body = {**MESSAGE, "thread_id": "t", "turn_id": "u"}
    other = {**body, "payload": {"message": "other"}}
    with gateway(tmp_path) as door:
        found = []
        for sent, who in ((body, "local"), (body, "local"), (other, "local"), (body, "anna")):
            intent = accepted(sent, identity={**IDENTITY, "principal": who})
            done = door.govern(intent.anchors, intent.intent, intent.identity)
            found.append((done.index, done.replayed, done.refused))
    conflict = (None, False, "admission.turn_conflict")
    assert found == [(0, False, None), (0, True, None), conflict, conflict]
    assert len(events(tmp_path)) == 3


def test_one_intent_in_three_forms_has_one_verdict(tmp_path: Path) -> None:
    """The facts and the verdict that are recorded are equal, for one that is allowed and one that is not."""
    with gateway(tmp_path, policy="demo") as door:
        for form in FORMS:
            for name, message in (("a", "hello"), ("b", "x" * 400)):
                fields = {**ANCHORED, "thread_id": f"{form}-{name}", "payload": {"message": message}}
                found = accepted(in_form(form, {**fields, "inputs": {"capability": "chat"}}, f"{form}-{name}"))
                door.govern(found.anchors, found.intent, found.identity)
    decided = {event["correlation_id"]: event["payload"] for event in events(tmp_path) if event["kind"] == "DECISION"}
    for name, result in (("a", "ALLOW"), ("b", "DENY")):
        told = [decided[f"{form}-{name}"] for form in FORMS]
        assert {item["result"] for item in told} == {result} and len({item["facts_digest"] for item in told}) == 1
        assert told[0]["facts"] == told[1]["facts"] == told[2]["facts"]
        assert told[0]["reason_codes"] == told[1]["reason_codes"] == told[2]["reason_codes"]


def deep(levels: int) -> Any:
    value: Any = 0
    for level in range(levels):
        value = {"x": value} if level % 2 else [value]
    return value


EXTREME = [
    {"$withheld": "hmac-sha256:" + "0" * 64}, {"x": {"$withheld": "hmac-sha256:" + "0" * 64}},
    {"$secret": "DBL_PROVIDER"}, {"x": [{"$secret": "DBL_PROVIDER"}]}, {"$first": [1]}, {"": {"": [""]}},
    {"numbers": [1e-5, -1e-5, 999999999999999.9, 2**53 - 1, 1 - 2**53, -0.0, 1.0]}, {"deep": deep(29)},
    {"deep": deep(14)}, {"wide": ["x"] * 40_000}, {"long": "\u2028\x1f\x7f" * 9_000},
    {f"k{n}": n for n in range(15_000)},
    {"$.payload": "$.nodes.verdict", "obs": {"at": "never"}, "decision": "ALLOW", "result": "ALLOW", "identity": {}},
]  # fmt: skip


def test_what_is_extreme_and_well_formed_is_governed_as_it_was_said(tmp_path: Path) -> None:
    with gateway(tmp_path) as door:
        for number, more in enumerate(EXTREME):
            payload = {"message": "m", **more}
            found = accepted({**MESSAGE, "correlation_id": f"c{number}", "payload": payload})
            done = door.govern(found.anchors, found.intent, found.identity)
            assert (done.refused, done.state, done.replayed) == (None, "EXECUTED", False), more
            again = accepted(in_form("v3", {**MESSAGE, "payload": payload}, f"c{number}"))
            assert door.govern(again.anchors, again.intent, again.identity).replayed
    kept = [event["payload"] for event in events(tmp_path) if event["kind"] == "INTENT"]
    assert [{**item, "_envelope": 0} for item in kept] == [{"message": "m", **more, "_envelope": 0} for more in EXTREME]
