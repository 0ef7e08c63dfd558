"""What is handed in may be anything: it is rejected with pointers, refused by name, or decided; it never fails a run,
and nothing is written but what the decision says.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governed import (
    ACTION,
    ACTIONS,
    ADMISSION,
    COLLATZ,
    DENY,
    ENTERPRISE,
    GOVERNANCE,
    LICENSES,
    LICENSING,
    PROVISION,
    RECLAIM,
    ROOT,
    STANDARD,
    WRITTEN,
    facts,
    provision,
    reclaim,
    request,
)
from omnibachi import Engine, RunResult, Workspace

SHIPPED = Workspace(ROOT)
LONG = "x" * 100_000
TEXTS = ["", " ", LONG, "\u0000", "\u202e\U0001f600", "1", "' OR 1=1 --", "$.payload", "../..", "null", "e\u0301"]
WRONG_TEXTS: list[Any] = [None, True, 0, 1.5, [], {}, ["x"], {"x": 1}]
WRONG_NUMBERS: list[Any] = [None, True, "1", "", 1.5, -1, [], {}, [1]]
WRONG_FLAGS: list[Any] = [None, 0, 1, "true", "", [], {}]
WRONG_OBJECTS: list[Any] = [None, True, 1, "", "{}", [], [{}]]

GOOD: dict[str, dict[str, Any]] = {
    ACTION: request("READ_RECORD", {"record_type": "license_pool", "id": "1"}, request_id="R"),
    ADMISSION: request("web_search", {"query": "x"}, request_id="R"),
    PROVISION: provision("EMP_1", "LIC_1", reason_code="X"),
    DENY: {"employee_id": "EMP_1", "reason_code": "BUDGET"},
    RECLAIM: {
        **reclaim("EMP_1", "LIC_1", current_date="2025-06-01T00:00:00Z", employee_id="EMP_1", is_inactive=True),
        "threshold_days": 30,
    },
    COLLATZ: {"numbers": [27], "max_steps": 1000},
}
REQUEST: dict[str, list[Any]] = {
    "/tool_name": WRONG_TEXTS,
    "/parameters": WRONG_OBJECTS,
    "/requesting_user_id": WRONG_TEXTS,
    "/request_id": [*WRONG_TEXTS, "", "r" * 129],
}
WRONG: dict[str, dict[str, list[Any]]] = {
    ACTION: REQUEST,
    ADMISSION: REQUEST,
    PROVISION: {
        "/employee_id": [*WRONG_TEXTS, ""],
        "/context": WRONG_OBJECTS,
        "/context/training_completed": WRONG_FLAGS,
        "/context/assigned_count": WRONG_NUMBERS,
        "/context/cap": WRONG_NUMBERS,
        "/context/reason_code": WRONG_TEXTS[1:],
        "/generated": WRONG_OBJECTS,
        "/generated/license_id": [*WRONG_TEXTS, ""],
    },
    DENY: {
        "/employee_id": [*WRONG_TEXTS, ""],
        "/reason_code": [*WRONG_TEXTS, *TEXTS, "A" * 65, "lower", "A B", "BUDGET\n"],
    },
    RECLAIM: {
        "/license_id": [*WRONG_TEXTS, ""],
        "/employee_id": [*WRONG_TEXTS, ""],
        "/threshold_days": [*WRONG_NUMBERS, 0, 3651, 2**53 - 1],
        "/context": WRONG_OBJECTS,
        "/context/last_active_date": WRONG_TEXTS,
        "/context/current_date": WRONG_TEXTS,
        "/context/employee_id": WRONG_TEXTS,
        "/context/is_inactive": WRONG_FLAGS,
        "/context/days_inactive": [item for item in WRONG_NUMBERS if item != -1],
    },
    COLLATZ: {
        "/numbers": [
            None,
            True,
            27,
            "27",
            {},
            [0],
            [-1],
            [10**9 + 1],
            ["27"],
            [True],
            [None],
            [1.5],
            [[27]],
            [1] * 101,
        ],
        "/max_steps": [*WRONG_NUMBERS, 0, 10_001],
    },
}
OPTIONAL = {"/request_id", "/context/reason_code", "/threshold_days", "/context/current_date", "/context/employee_id",
            "/context/is_inactive", "/context/days_inactive", "/max_steps"}  # fmt: skip
# Texts that may be anything: whatever they say, the run ends at one of these.
ANY_TEXT: dict[str, dict[str, set[str]]] = {
    ACTION: {"/tool_name": {"undeclared_tool"}, "/requesting_user_id": {"unauthorized_actor"}},
    ADMISSION: {"/tool_name": {"undeclared_tool"}, "/requesting_user_id": {"unauthorized_actor"}},
    PROVISION: {
        "/context/reason_code": {"provisioned", "already_provisioned"},
        "/employee_id": {"conflict", "rejected"},
        "/generated/license_id": {"provisioned", "rejected"},
    },
    DENY: {"/employee_id": {"denied", "rejected"}},
    RECLAIM: {
        "/license_id": {"not_admitted", "rejected"},
        "/employee_id": {"identity_mismatch", "rejected"},
        "/context/employee_id": {"identity_mismatch"},
    },
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    file = tmp_path / "facts.json"
    people = {"EMP_STD_001": STANDARD, "EMP_ENT_001": ENTERPRISE}
    file.write_text(json.dumps(facts(license_facts=people)))
    assert SHIPPED.load_facts(file, data_root=tmp_path / "data").loaded
    with SHIPPED.engine(tmp_path / "data") as opened:
        yield opened


def written(engine: Engine) -> dict[str, int]:
    """Return how many records each store has that runs write."""
    counts = engine.ledger.stores()
    return {store: counts.get(store, 0) for store in WRITTEN}


def changed(payload: dict[str, Any], pointer: str, value: Any) -> dict[str, Any]:
    """Return a payload with another value at a pointer; Ellipsis: without it."""
    *way, last = pointer[1:].split("/")
    payload = copy.deepcopy(payload)
    at = payload
    for key in way:
        at = at[key]
    if value is ...:
        at.pop(last, None)
    else:
        at[last] = value
    return payload


def rejected(result: RunResult, pointer: str) -> None:
    assert (result.exit, result.status, result.path) == ("rejected", "REJECTED", ())
    found = result.result["violations"]  # type: ignore[index, call-overload]
    assert found and all(str(item["pointer"]).startswith(pointer) for item in found), found  # type: ignore[index, call-overload, union-attr]


@pytest.mark.parametrize("workflow", GOOD)
def test_what_does_not_fit_is_rejected_where_it_stands(engine: Engine, workflow: str) -> None:
    assert engine.run(workflow, GOOD[workflow]).exit not in (None, "rejected", "failed")
    before = written(engine)
    for pointer, values in WRONG[workflow].items():
        for value in values:
            rejected(engine.run(workflow, changed(GOOD[workflow], pointer, value)), pointer)
        if pointer not in OPTIONAL:
            rejected(engine.run(workflow, changed(GOOD[workflow], pointer, ...)), pointer)
    holders = [""] + [pointer for pointer in WRONG[workflow] if pointer in ("/context", "/generated")]
    for holder in holders:
        rejected(engine.run(workflow, changed(GOOD[workflow], f"{holder}/extra", 1)), f"{holder}/extra")
    assert written(engine) == before


@pytest.mark.parametrize("workflow", GOOD)
def test_what_is_optional_may_be_left_out(engine: Engine, workflow: str) -> None:
    for pointer in WRONG[workflow].keys() & OPTIONAL:
        assert engine.run(workflow, changed(GOOD[workflow], pointer, ...)).exit not in (None, "rejected", "failed")


@pytest.mark.parametrize("workflow", ANY_TEXT)
def test_any_text_is_decided(engine: Engine, workflow: str) -> None:
    for pointer, ends in ANY_TEXT[workflow].items():
        said = {engine.run(workflow, changed(GOOD[workflow], pointer, text)).exit for text in TEXTS}
        assert said == ends, pointer


@pytest.mark.parametrize("text", [*TEXTS, "2025-02-30", "2025-13-01T00:00:00Z", "2025-01-01T25:00:00Z", "10000-01-01",
                                  "2025-01-01 ", "20250101", "0000-01-01", "٢٠٢٥-٠١-٠١"])  # fmt: skip
def test_what_is_no_date_is_refused(engine: Engine, text: str) -> None:
    assert engine.run(PROVISION, GOOD[PROVISION]).exit == "provisioned"
    before = written(engine)
    for pointer in ("/context/last_active_date", "/context/current_date"):
        result = engine.run(RECLAIM, changed(GOOD[RECLAIM], pointer, text))
        assert (result.exit, result.status) == ("refused", "REJECTED")
        assert result.result == {"reason": "a date is no date-time of RFC 3339"}
    assert written(engine) == before


def test_any_context_is_taken(engine: Engine) -> None:
    for value in [*WRONG_TEXTS, *TEXTS, {"a": {"b": [1, None, LONG]}}]:
        result = engine.run(ACTION, changed(GOOD[ACTION], "/domain_context", value))
        assert result.exit == "authorized"
    rejected(engine.run(ACTION, changed(GOOD[ACTION], "/domain_context", ...)), "/domain_context")


def test_a_number_is_what_json_says_it_is(engine: Engine) -> None:
    """In JSON 1.0 and 1 are one number, and canonical bytes know no other; a text or a flag is none."""
    standard = request("PROVISION_STANDARD_LICENSE", {"tier": "standard", "quantity": 1})
    one = engine.run(ACTION, standard)
    same = engine.run(ACTION, changed(standard, "/parameters/quantity", 1.0))
    assert (one.exit, one.result) == (same.exit, same.result) == ("authorized", one.result)
    for wrong in ("1", "1.0", True, 1.5, 1e-3, None, [1], {"value": 1}, float(2**52), 101.0):
        assert engine.run(ACTION, changed(standard, "/parameters/quantity", wrong)).exit == "parameter_violation"


# What the tables say, written once more, and anything at all as parameters.

plain = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])  # of keys others are turned away at the door
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 103) | st.sampled_from([0.5, 50, 51, 100, 101]) | st.text(max_size=4)
    | st.sampled_from(["standard", "premium", "license_pool", "user_profile", "../a", "a/b", "/a", "a/.."]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(plain, max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
NAMES = ("record_type", "id", "tier", "quantity", "query", "path", "content")
parameters = st.dictionaries(st.sampled_from(NAMES), anything, max_size=3)
likely = st.one_of(
    st.fixed_dictionaries({"record_type": anything, "id": anything}),
    st.fixed_dictionaries({"tier": anything, "quantity": anything}),
    st.fixed_dictionaries({"path": anything, "content": anything}),
    st.fixed_dictionaries({"path": anything}),
    st.fixed_dictionaries({"query": anything}),
    parameters,
)
TIERS = {"EMP_STD_001": ("standard",), "EMP_ENT_001": ("standard", "enterprise")}
TOOLS: dict[str, dict[str, str]] = {
    ACTION: {
        "READ_RECORD": "standard",
        "PROVISION_STANDARD_LICENSE": "standard",
        "PROVISION_PREMIUM_LICENSE": "enterprise",
    },
    ADMISSION: {"web_search": "standard", "read_file": "standard", "write_file": "enterprise"},
}


def is_path(value: Any) -> bool:
    return (
        isinstance(value, str) and value[:1] not in ("", "/", "\\") and ".." not in value.replace("\\", "/").split("/")
    )


def fits(tool: str, given: dict[str, Any]) -> bool:
    """Tell whether parameters are those of a tool."""
    if tool == "READ_RECORD":
        known = given.get("record_type") in ("license_pool", "user_profile")
        return given.keys() == {"record_type", "id"} and known and isinstance(given["id"], str) and given["id"] != ""
    if tool.startswith("PROVISION"):
        tier, most = ("standard", 100) if "STANDARD" in tool else ("premium", 50)
        if given.keys() != {"tier", "quantity"} or type(given["quantity"]) is not int:
            return False
        return given["tier"] == tier and 1 <= given["quantity"] <= most
    if tool == "web_search":
        return given.keys() == {"query"} and isinstance(given["query"], str) and given["query"] != ""
    extra = {"content"} if tool == "write_file" else set()
    return given.keys() == {"path"} | extra and is_path(given["path"]) and isinstance(given.get("content", ""), str)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    workflow=st.sampled_from([ACTION, ADMISSION]), data=st.data(), given=likely,
    user=st.sampled_from(["EMP_STD_001", "EMP_ENT_001", "EMP_ENT_001", "NOBODY"]),
)  # fmt: skip
def test_the_first_no_decides_whatever_is_asked(
    engine: Engine, workflow: str, data: st.DataObject, given: dict[str, Any], user: str
) -> None:
    tools = TOOLS[workflow]
    tool = data.draw(st.sampled_from([*tools, *tools, "READ_FILE", ""]))
    if tool not in tools:
        wanted = "undeclared_tool"
    elif user not in TIERS:
        wanted = "unauthorized_actor"
    elif tools[tool] not in TIERS[user]:
        wanted = "unauthorized_tool"
    else:
        wanted = "authorized" if fits(tool, given) else "parameter_violation"
    before = written(engine)
    result = engine.run(workflow, request(tool, given, user))
    assert result.exit == wanted
    after = written(engine)
    assert after[GOVERNANCE] == before[GOVERNANCE] + 1
    assert after[ACTIONS] - before[ACTIONS] in ((0, 1) if wanted == "authorized" else (0,))
    assert (after[LICENSES], after[LICENSING]) == (0, 0)
