"""Decisions of a gateway, decided again: the same bytes in any process, and an exact difference under another pack."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from governing import LEDGER, ROOT, events, gateway, post
from omnibachi import Workspace
from omnibachi.packs import in_force
from omnibachi_ledger import open_root
from omnibachi_model.digests import encode
from omnibachi_policy.again import decide_again, differences

Json = dict[str, Any]
INTENTS: list[tuple[str, str, Json]] = [
    ("c-1", "hello", {}),
    ("c-2", "x" * 400, {}),
    ("c-3", "", {}),
    ("c-4", "Grüße 𝄞", {"inputs": {"capability": "chat", "risk_tier": "low", "request_tags": ["a"]}}),
    ("c-5", "may I", {"inputs": {"capability": "root"}, "budget": {"max_tokens": 50, "max_duration_ms": 2000}}),
    ("c-6", "tools", {"declared_tools": ["web.search"], "tool_scope": "strict", "requested_model_id": "stub-echo"}),
]


def story(root: Path) -> list[tuple[Json, Json]]:
    """Send all intents to a fresh gateway with the demo pack; return each INTENT with its DECISION."""
    with gateway(root, policy="demo") as door:
        for correlation, message, more in INTENTS:
            post(door, correlation, message, intent=more)
    found = events(root)
    intents = {event["correlation_id"]: event for event in found if event["kind"] == "INTENT"}
    return [(intents[event["correlation_id"]], event) for event in found if event["kind"] == "DECISION"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Json, Json]]:
    return story(tmp_path_factory.mktemp("told") / "data")


def pack(name: str) -> Json:
    return in_force(Workspace(ROOT).load(), name)


def test_two_fresh_ledgers_have_equal_normative_heads(told: list[tuple[Json, Json]], tmp_path: Path) -> None:
    again = story(tmp_path / "data")
    assert [encode(one["payload"]) for _, one in again] == [encode(one["payload"]) for _, one in told]
    assert [one["normative_digest"] for _, one in again] == [one["normative_digest"] for _, one in told]
    heads = []
    other = story(tmp_path / "third")
    assert len(other) == len(INTENTS)
    for place in ("data", "third"):
        with open_root(str(tmp_path / place), reading=True) as ledger:
            heads.append(ledger.decisions(LEDGER).head()["normative_head"])
    assert heads[0] == heads[1]


def test_the_verdicts_are_those_of_the_pack(told: list[tuple[Json, Json]]) -> None:
    assert {one["correlation_id"]: one["payload"]["reason_codes"] for _, one in told} == {
        "c-1": ["policy.within_limits"], "c-2": ["policy.message_too_long"], "c-3": ["policy.within_limits"],
        "c-4": ["policy.within_limits"], "c-5": ["policy.capability_not_granted"], "c-6": ["policy.within_limits"],
    }  # fmt: skip


def test_deciding_again_gives_every_decision(told: list[tuple[Json, Json]]) -> None:
    for intent, decision in told:
        assert encode(decide_again(intent, decision, pack("demo"))) == encode(decision["payload"])
        assert differences(intent, decision, pack("demo")) == []
        # What was observed beside them steers nothing.
        seen: Json = {"obs": {"at": "2030-01-01T00:00:00.000Z", "latency_ms": 9}, "index": 77, "digest": "other"}
        assert differences({**intent, **seen}, {**decision, **seen}, pack("demo")) == []


AGAIN = """
import sys, orjson
from omnibachi_policy.again import decide_again
for line in sys.stdin.buffer:
    print(orjson.dumps(decide_again(*orjson.loads(line)), option=orjson.OPT_SORT_KEYS).hex())
"""


@pytest.mark.parametrize("seed", ["0", "99"])
def test_a_fresh_process_gives_every_decision(told: list[tuple[Json, Json]], seed: str) -> None:
    lines = b"".join(encode([intent, decision, pack("demo")]) + b"\n" for intent, decision in told)
    done = subprocess.run([sys.executable, "-c", AGAIN], input=lines, capture_output=True, check=True, cwd="/",
                          env={**os.environ, "PYTHONHASHSEED": seed})  # fmt: skip
    assert [bytes.fromhex(line) for line in done.stdout.decode().split()] == [encode(one["payload"]) for _, one in told]


def test_another_pack_gives_an_exact_difference(told: list[tuple[Json, Json]]) -> None:
    always = {"policy_digest", "policy_id", "reason_codes", "reasons"}
    verdict = {"decision", "result"}
    for name, denies in (("allow_all", False), ("deny_all", True)):
        for intent, decision in told:
            found = {item["field"]: (item["old"], item["new"]) for item in differences(intent, decision, pack(name))}
            turned = (decision["payload"]["result"] == "DENY") is not denies
            assert set(found) == always | (verdict if turned else set())
            assert found["policy_id"] == ("dbl::PL_DEMO_V0", f"dbl::PL_{name.upper()}_V0")
            assert found["reason_codes"] == (decision["payload"]["reason_codes"], [name])


@pytest.mark.parametrize(("member", "value"), [
    ("result", "ALLOW"), ("facts", {}), ("reason_codes", ["policy.within_limits"]), ("policy_version", 7),
    ("facts_digest", "sha256:" + "0" * 64), ("intent_normative_digest", "sha256:" + "0" * 64), ("more", True),
])  # fmt: skip
def test_a_forged_decision_is_told_by_its_member(told: list[tuple[Json, Json]], member: str, value: Any) -> None:
    intent, decision = told[1]
    forged = {**decision, "payload": {**decision["payload"], member: value}}
    found = differences(intent, forged, pack("demo"))
    assert [(item["correlation_id"], item["field"], item["old"]) for item in found] == [("c-2", member, value)]
