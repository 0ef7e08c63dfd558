"""Agents and numbers, sentence by sentence as the specification of `ai_governance` has them; licences have a file of
their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asking import House
from governed import ACTION, ACTIONS, ADMISSION, COLLATZ, ENTERPRISE, FACTS, GOVERNANCE, NUMBERS, STANDARD, request
from moving import ROOT
from omnibachi import Workspace

NONE = {"license_status": "active", "license_tier": "none"}
PEOPLE = {
    "none": NONE, "standard": STANDARD, "enterprise": ENTERPRISE,
    "suspended": {**ENTERPRISE, "license_status": "suspended"},
    "revoked": {**ENTERPRISE, "license_status": "revoked"},
}  # fmt: skip
TOOLS: dict[str, dict[str, tuple[tuple[str, ...], dict[str, Any]]]] = {
    ACTION: {
        "READ_RECORD": (("none", "standard", "enterprise"), {"record_type": "license_pool", "id": "x"}),
        "PROVISION_STANDARD_LICENSE": (("standard", "enterprise"), {"tier": "standard", "quantity": 1}),
        "PROVISION_PREMIUM_LICENSE": (("enterprise",), {"tier": "premium", "quantity": 1}),
    },
    ADMISSION: {
        "web_search": (("standard", "enterprise"), {"query": "x"}),
        "read_file": (("standard", "enterprise"), {"path": "a/b.txt"}),
        "write_file": (("enterprise",), {"path": "a/b.txt", "content": ""}),
    },
}
READING = ("READ_RECORD", TOOLS[ACTION]["READ_RECORD"][1])
KINDS = {tool: workflow for workflow, tools in TOOLS.items() for tool in tools}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return a data root that knows somebody of each tier and status."""
    found = House(tmp_path_factory.mktemp("governance") / "data")
    found.load({FACTS: PEOPLE})
    return found


def decided(house: House, workflow: str, asked: dict[str, Any]) -> str | None:
    """Ask, look at the result and at all that was written, and return the exit."""
    before, actions = house.told(GOVERNANCE), house.values(ACTIONS)
    ended, status, result = house.ends(workflow, **asked)
    told = house.told(GOVERNANCE)[len(before) :]
    digest = Workspace(ROOT).call("std::CT_DIGEST_V0", {"data": asked}).output["hash"]
    common = {
        "intent_hash": digest, "tool_name": asked["tool_name"],
        "requesting_user_id": asked["requesting_user_id"], "request_id": asked.get("request_id"),
    }  # fmt: skip
    if ended == "authorized":
        tier = PEOPLE[asked["requesting_user_id"]]["license_tier"]
        assert (status, result) == ("COMPLETED", {"intent_hash": digest, "tier": tier})
        assert told == [{"event": "AGENT_ACTION_AUTHORIZED", **common, "tier": tier}]
        assert set(house.values(ACTIONS)) == {*actions, digest}
    else:
        assert (status, result) == ("DENIED", {"intent_hash": digest, "reason": ended})
        assert told == [{"event": "AGENT_ACTION_DENIED", **common, "reason": ended}]
        assert house.values(ACTIONS) == actions
    return ended


@pytest.mark.parametrize("tool", KINDS)
@pytest.mark.parametrize("who", [*PEOPLE, "nobody"])
def test_each_tool_with_each_tier(house: House, tool: str, who: str) -> None:
    tiers, parameters = TOOLS[KINDS[tool]][tool]
    right = "authorized" if who in tiers else "unauthorized_tool" if who in TIERS else "unauthorized_actor"
    assert decided(house, KINDS[tool], request(tool, parameters, who)) == right
    # who may not use the tool is not told about parameters
    wrong = "parameter_violation" if right == "authorized" else right
    assert decided(house, KINDS[tool], request(tool, {}, who, request_id="R")) == wrong


TIERS = ("none", "standard", "enterprise")


@pytest.mark.parametrize("workflow", TOOLS)
def test_a_tool_is_in_the_table_exactly_as_written(house: House, workflow: str) -> None:
    (other,) = set(TOOLS) - {workflow}
    for tool in (*TOOLS[other], *(name.swapcase() for name in TOOLS[workflow]), "", "READ_RECORD ", "web_search\n"):
        for who in ("enterprise", "nobody"):
            assert decided(house, workflow, request(tool, {}, who)) == "undeclared_tool"


PARAMETERS: list[tuple[str, dict[str, Any], bool]] = [
    ("READ_RECORD", {"record_type": "user_profile", "id": "é"}, True),
    ("READ_RECORD", {"record_type": "user_profile", "id": ""}, False),
    ("READ_RECORD", {"record_type": "user_profile", "id": 5}, False),
    ("READ_RECORD", {"record_type": "user_profile"}, False),
    ("READ_RECORD", {"record_type": "USER_PROFILE", "id": "x"}, False),
    ("READ_RECORD", {"record_type": ["user_profile"], "id": "x"}, False),
    ("READ_RECORD", {"record_type": None, "id": "x"}, False),
    ("READ_RECORD", {"record_type": "user_profile", "id": "x", "more": 1}, False),
    *(
        (f"PROVISION_{kind.upper()}_LICENSE", {"tier": tier, "quantity": quantity}, right)
        for kind, most in (("standard", 100), ("premium", 50))
        for tier, quantity, right in (
            (kind, 1, True), (kind, most, True), (kind, 0, False), (kind, most + 1, False), (kind, -1, False),
            (kind, "1", False), (kind, 1.5, False), (kind, True, False), (kind, None, False), (kind, [1], False),
            ("other", 1, False), (5, 1, False), (None, 1, False),
        )
    ),
    ("PROVISION_PREMIUM_LICENSE", {"tier": "premium", "quantity": 1, "more": 1}, False),
    ("web_search", {"query": ""}, False),
    ("web_search", {"query": 5}, False),
    ("web_search", {"query": "x", "more": 1}, False),
    ("write_file", {"path": "a", "content": "text"}, True),
    ("write_file", {"path": "a", "content": None}, False),
    ("write_file", {"path": "a"}, False),
    ("write_file", {"content": "x"}, False),
    ("write_file", {"path": "/a", "content": ""}, False),
    *(("read_file", {"path": path}, True) for path in ("a", "a/b", "..a", "a..", "a..b", "...", "a/.../b", ".")),
    *(
        ("read_file", {"path": path}, False)
        for path in ("", "/", "/a", "..", "../a", "a/..", "a/../b", "a/b/..", "/..", 5, None, ["a"], {"a": 1})
    ),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "parameters", "right"), PARAMETERS)
def test_parameters_are_exact(house: House, tool: str, parameters: dict[str, Any], right: bool) -> None:
    ended = decided(house, KINDS[tool], request(tool, parameters, "enterprise"))
    assert ended == ("authorized" if right else "parameter_violation")


@pytest.mark.parametrize("workflow", TOOLS)
def test_what_is_no_request_is_rejected(house: House, workflow: str) -> None:
    asked = request("READ_RECORD", {})
    before = house.all()
    for name in asked:
        assert house.exit(workflow, **{key: value for key, value in asked.items() if key != name}) == "rejected"
    for wrong in (
        {"tool_name": 5}, {"parameters": []}, {"parameters": None}, {"parameters": "x"}, {"requesting_user_id": None},
        {"request_id": ""}, {"request_id": "x" * 129}, {"request_id": 5}, {"more": 1},
    ):  # fmt: skip
        assert house.exit(workflow, **{**asked, **wrong}) == "rejected"
    assert house.all() == before
    assert house.exit(workflow, **{**asked, "request_id": "x" * 128}) != "rejected"


def test_a_context_may_be_as_deep_as_a_payload_and_no_deeper(house: House) -> None:
    for levels, exit in ((63, "authorized"), (64, None), (65, None)):
        context: Any = 1
        for _ in range(levels):
            context = [context]
        asked = {**request(*READING, "standard"), "domain_context": context}
        result = house.engine.run(ACTION, asked)
        assert (result.exit, result.exit_code) == (exit, 0 if exit else 3)


def test_denied_then_licensed_and_again(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    asked = request("READ_RECORD", {"record_type": "license_pool", "id": "x"}, request_id="R")
    for _ in range(2):
        assert house.exit(ACTION, **asked) == "unauthorized_actor"
    house.load("ai_governance/license_facts")
    for _ in range(2):
        assert house.exit(ACTION, **asked) == "authorized"
    assert [one["event"] for one in house.told(GOVERNANCE)] == [
        "AGENT_ACTION_DENIED", "AGENT_ACTION_DENIED", "AGENT_ACTION_AUTHORIZED", "AGENT_ACTION_AUTHORIZED",
    ]  # fmt: skip
    assert len(house.values(ACTIONS)) == 1


def test_numbers_that_come_to_one_are_kept(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    assert house.ends(COLLATZ, numbers=[]) == ("conjecture_proven", "COMPLETED", {"results": []})
    results = [
        {"number": 27, "length": 112, "peak": 9232},
        {"number": 1, "length": 1, "peak": 1},
        {"number": 27, "length": 112, "peak": 9232},
    ]
    for _ in range(2):
        assert house.ends(COLLATZ, numbers=[27, 1, 27]) == ("conjecture_proven", "COMPLETED", {"results": results})
        kept = house.values(NUMBERS)
        assert kept["1"] == {"number": 1, "terms": [1], "length": 1, "peak": 1} and set(kept) == {"1", "27"}
        assert len(kept["27"].pop("terms")) == 112 and kept["27"] == results[0]
    assert house.run(COLLATZ, numbers=list(range(1, 101))).result is not None
    assert len(house.values(NUMBERS)) == 100


def test_one_number_that_runs_out_keeps_all_from_being_stored(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    assert house.ends(COLLATZ, numbers=[3, 27], max_steps=110) == ("conjecture_undecided", "REJECTED", {})
    assert house.ends(COLLATZ, numbers=[319804831, 1]) == ("conjecture_undecided", "REJECTED", {})
    for wrong in (
        {"numbers": [0]}, {"numbers": [-1]}, {"numbers": [1_000_000_001]}, {"numbers": ["1"]}, {"numbers": [1.5]},
        {"numbers": [True]}, {"numbers": [1] * 101}, {"numbers": 1}, {}, {"numbers": [1], "more": 1},
        {"numbers": [1], "max_steps": 0}, {"numbers": [1], "max_steps": 10_001}, {"numbers": [1], "max_steps": "1"},
    ):  # fmt: skip
        assert house.exit(COLLATZ, **wrong) == "rejected"  # type: ignore[arg-type]
    assert house.values(NUMBERS) == {}
    assert house.exit(COLLATZ, numbers=[27, 1_000_000_000], max_steps=111) == "conjecture_proven"
    assert house.exit(COLLATZ, numbers=[1], max_steps=10_000) == "conjecture_proven"
