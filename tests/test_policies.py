"""Policies: what a pack decides, against a second evaluator; and that whatever goes wrong is a denial."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from omnibachi_model.digests import digest_of, encode
from omnibachi_model.packs import FACTS as WHITELIST
from omnibachi_policy.evaluation import evaluate
from packing import FACTS, NAME, ZERO, Json, anything, facts, is_of_type, naming, odd_facts, packs, sealed, sure
from thoroughness import many

ROOT = Path(__file__).resolve().parent.parent
SHORT = [{"bound": {"input_chars": {"max": 5}}, "because": "made.long"}, {"require": "lane", "because": "made.no_lane"}]


def decided(gates: list[Json], given_facts: Json) -> Json:
    return evaluate(sealed(gates), given_facts, ZERO)


def test_the_whitelist_is_what_the_tests_know() -> None:
    assert sorted(WHITELIST) == sorted(FACTS)


@settings(max_examples=many(50, 1_000), deadline=None)
@given(packs, odd_facts)
def test_a_pack_decides_as_a_second_evaluator_says(gates: list[Json], given_facts: Json) -> None:
    policy = sealed(gates)
    found = evaluate(policy, given_facts, ZERO)
    first = next((at for at, gate in enumerate(policy["pack"]["gates"]) if not sure(gate, given_facts)[0]), None)
    assert found["result"] == found["decision"] == ("ALLOW" if first is None else "DENY")
    assert found["reason_codes"] == ["made.allow" if first is None else f"made.gate_{first}"]
    assert found["reasons"][0]["gate"] == (None if first is None else f"/gates/{first}")


@settings(max_examples=many(40, 1_000), deadline=None)
@given(naming, st.integers(0, 4), facts, anything)
def test_what_is_missing_or_of_another_type_never_allows(gate: Json, nots: int, given_facts: Json, odd: Any) -> None:
    """A gate that names a fact fails without it, and under any number of `not` too."""
    ((_, asked),) = gate.items()
    fact = asked if isinstance(asked, str) else next(iter(asked))
    for _ in range(nots):
        gate = {"not": gate}
    policy = sealed([{**gate, "because": "made.reason"}])
    without = {name: value for name, value in given_facts.items() if name != fact}
    assert evaluate(policy, without, ZERO)["reason_codes"] == ["made.reason"]
    if not is_of_type(fact, odd):
        assert evaluate(policy, {**without, fact: odd}, ZERO)["reason_codes"] == ["made.reason"]


KINDS: list[tuple[Json, Json, Json]] = [
    ({"require": "tenant"}, {"tenant": "a"}, {}),
    ({"absent": "tenant"}, {}, {"tenant": "a"}),
    ({"match": {"lane": "a", "verified": True}}, {"lane": "a", "verified": True}, {"lane": "a", "verified": False}),
    ({"match": {"roles": []}}, {"roles": []}, {"roles": ["a"]}),
    ({"one_of": {"lane": ["a", "b"]}}, {"lane": "b"}, {"lane": "c"}),
    ({"bound": {"input_chars": {"min": 1, "max": 3}}}, {"input_chars": 3}, {"input_chars": 4}),
    ({"bound": {"input_chars": {"min": 1}}}, {"input_chars": 1}, {"input_chars": 0}),
    ({"when": "size(declared_tools) == 0"}, {"declared_tools": []}, {"declared_tools": ["x"]}),
    ({"when": "claimed.risk_tier != 'high'"}, {"claimed.risk_tier": "low"}, {"claimed.risk_tier": "high"}),
    ({"any_of": [{"require": "tenant"}, {"absent": "lane"}]}, {}, {"lane": "a"}),
    ({"not": {"match": {"lane": "a"}}}, {"lane": "b"}, {"lane": "a"}),
]


@pytest.mark.parametrize(("gate", "holds", "breaks"), KINDS, ids=lambda value: str(value)[:40])
def test_each_kind_of_gate(gate: Json, holds: Json, breaks: Json) -> None:
    gates = [{**gate, "because": "made.reason"}]
    assert decided(gates, holds)["reason_codes"] == ["made.allow"]
    denied = decided(gates, breaks)
    assert (denied["result"], denied["reason_codes"]) == ("DENY", ["made.reason"])
    assert denied["reasons"] == [
        {"code": "made.reason", "gate": "/gates/0", "because": denied["reasons"][0]["because"]}
    ]


@pytest.mark.parametrize("gate", [gate for gate, _, _ in KINDS if "absent" not in str(gate)], ids=str)
@pytest.mark.parametrize("negated", [False, True])
def test_a_missing_fact_fails_its_gate_from_both_sides(gate: Json, negated: bool) -> None:
    gates = [{**({"not": gate} if negated else gate), "because": "made.reason"}]
    assert decided(gates, {})["reason_codes"] == ["made.reason"]
    odd: Json = {fact: {"of": "another type"} for fact in WHITELIST}
    assert decided(gates, odd)["reason_codes"] == ["made.reason"]


@pytest.mark.parametrize("claims", [["x"] * 101, ["x" * 1001], ["x", 1], "x", {"x": 1}])
def test_what_is_too_long_is_of_no_type(claims: Any) -> None:
    """Whatever a caller claims, asking costs little and gives nothing: not even `absent` or `not` lets it pass."""
    fact = "claimed.request_tags"
    conditions = (
        "claimed.request_tags.all(t, t != 'y')",
        "!('y' in claimed.request_tags)",
        "!has(claimed.request_tags)",
    )
    named: list[Json] = [{"require": fact}, {"absent": fact}, {"match": {fact: ["x"]}}]
    gates = [*named, *({"when": text} for text in conditions)]
    for gate in (*gates, *({"not": gate} for gate in gates if "absent" not in gate)):
        assert decided([{**gate, "because": "made.reason"}], {fact: claims})["reason_codes"] == ["made.reason"]


def test_what_a_pack_does_not_know_changes_nothing_but_what_it_was_told() -> None:
    """Only facts are asked: another one beside them is in the decision's facts and nowhere else."""
    plain, more = (
        decided(SHORT, {"input_chars": 3, "lane": "a"}),
        decided(SHORT, {"input_chars": 3, "lane": "a", "x": 1}),
    )
    told = ("facts", "facts_digest")
    assert {key: plain[key] for key in plain if key not in told} == {key: more[key] for key in more if key not in told}


def _changed(value: Any, at: int) -> tuple[Any, int]:
    """Return a JSON value with its leaf number `at` changed, and how many leaves were passed."""
    if isinstance(value, dict | list):
        items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        made: Any = copy.copy(value)
        for key, inner in items:
            made[key], at = _changed(inner, at)
        return made, at
    if at == 0:
        return ({"a": 1} if value is None else not value if isinstance(value, bool) else f"{value}x"), -1
    return value, at - 1


def test_every_mutation_of_a_sealed_pack_is_refused() -> None:
    policy = sealed([
        {"one_of": {"intent_type": ["chat.message"]}, "because": "made.type"},
        {"any_of": [{"absent": "claimed.capability"}, {"match": {"claimed.capability": "chat"}}], "because": "made.c"},
        {"not": {"when": "'x' in roles"}, "because": "made.roles"},
    ])  # fmt: skip
    allowed = {"intent_type": "chat.message", "roles": []}
    assert evaluate(policy, allowed, ZERO)["result"] == "ALLOW"
    leaf = 0
    while True:
        pack, left = _changed(policy["pack"], leaf)
        if left >= 0:
            break
        for broken in ({**policy, "pack": pack}, {**policy, "pack": {**pack, "more": 1}}):
            found = evaluate(broken, allowed, ZERO)
            assert (found["result"], found["reason_codes"]) == ("DENY", ["policy.unavailable"])
        leaf += 1
    assert leaf == 14


@pytest.mark.parametrize("broken", [
    {"digest": ZERO}, {"address": "shop::PL_OTHER_V0"}, {"address": None}, {"pack": None}, {"pack": []}, {"pack": {}},
    {"digest": None},
])  # fmt: skip
def test_another_digest_or_address_is_no_pack(broken: Json) -> None:
    found = evaluate({**sealed([]), **broken}, {"lane": "a"}, ZERO)
    assert (found["result"], found["reason_codes"]) == ("DENY", ["policy.unavailable"])
    assert evaluate({}, {}, ZERO)["reason_codes"] == ["policy.unavailable"]


GATES_OF_NOBODY: list[Json] = [
    {}, {"because": "x"}, {"grant": True, "because": "x"}, {"require": "message", "because": "x"},
    {"when": ["boom"], "because": "x"}, {"when": None, "because": "x"}, {"any_of": 5, "because": "x"},
    {"not": {"deny": True, "absent": "lane"}, "because": "x"}, {"bound": {"input_chars": None}, "because": "x"},
    {"deny": True}, {"match": {"lane": "a"}, "absent": "lane", "because": "x"},
]  # fmt: skip


@pytest.mark.parametrize("gate", GATES_OF_NOBODY, ids=str)
def test_what_no_compiler_sealed_is_a_denial_even_with_its_digest(gate: Json) -> None:
    """A crash is DENY `policy.evaluation_error`, never ALLOW, and never an exception."""
    pack = {**sealed([])["pack"], "gates": [gate]}
    for spoilt in (pack, {**pack, "gates": None}, {key: pack[key] for key in ("policy", "version", "allow")}):
        found = evaluate(
            {"address": NAME, "digest": digest_of(spoilt), "pack": spoilt}, {"lane": "a", "input_chars": 3}, ZERO
        )
        assert (found["result"], found["reason_codes"]) == ("DENY", ["policy.evaluation_error"])


@settings(max_examples=60, deadline=None)
@given(packs, odd_facts)
@example([], {})
def test_a_decision_says_all_that_it_rests_on(gates: list[Json], given_facts: Json) -> None:
    policy = sealed(gates)
    before = encode([policy, given_facts])
    found = evaluate({**policy, "snapshot": ZERO}, given_facts, ZERO)
    assert encode([policy, given_facts]) == before, "what it is given is read and not changed"
    assert (found["policy_id"], found["policy_version"], found["policy_digest"]) == (NAME, 3, policy["digest"])
    assert (found["facts"], found["facts_digest"], found["snapshot"]) == (given_facts, digest_of(given_facts), ZERO)
    assert found["budget"] == {key: given_facts[key] for key in ("max_tokens",) if key in given_facts}
    assert found["intent_normative_digest"] == ZERO


ELSEWHERE = """
import sys, orjson
from omnibachi_policy.evaluation import evaluate
for line in sys.stdin.buffer:
    policy, facts = orjson.loads(line)
    print(orjson.dumps(evaluate(policy, facts, "d"), option=orjson.OPT_SORT_KEYS).hex())
"""


def test_another_process_and_hash_seed_give_the_same_bytes() -> None:
    made: list[tuple[Json, Json]] = []

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(packs, odd_facts)
    def gather(gates: list[Json], given_facts: Json) -> None:
        made.append((sealed(gates), given_facts))

    gather()
    lines = b"".join(encode([policy, given_facts]) + b"\n" for policy, given_facts in made)
    here = [encode(evaluate(policy, given_facts, "d")).hex() for policy, given_facts in made]
    for seed in ("1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Kathmandu", "LC_ALL": "C"}
        done = subprocess.run([sys.executable, "-c", ELSEWHERE], input=lines, capture_output=True, check=True,
                              env=environment, cwd="/")  # fmt: skip
        assert done.stdout.decode().split() == here
