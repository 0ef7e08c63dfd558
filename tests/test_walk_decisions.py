"""Decisions and computations in the walk: the winning row, its reason, and expressions without a value."""

from __future__ import annotations

from typing import Any

import pytest

from handmade import bodies, leave, linked, observed, run, workflow
from omnibachi_model.diagnostics import Refused
from omnibachi_model.digests import encode
from omnibachi_model.record import export, read
from omnibachi_runtime.link import Malformed, Program

TIER = ["name", "tier"]
ROWS: list[Any] = [
    {"when": ["eq", TIER, ["lit", "gold"]], "outcome": "SUCCESS", "because": None},
    {"when": ["lt", ["name", "count"], ["lit", 3]], "outcome": "SUCCESS", "because": "few"},
    {"when": None, "outcome": "VIOLATION", "because": "too many"},
]


def decision(rows: list[Any] = ROWS) -> Program:
    because = ["map", {"because": ["ref", 0, ["because"]]}]
    nodes = [
        {"kind": "DECIDE", "name": "may", "rows": rows,
         "with": {"tier": ["ref", "payload", ["tier"]], "count": ["ref", "payload", ["count"]]},
         "next": {"SUCCESS": 1, "VIOLATION": 2, "FAULT": 3}},
        leave("granted", "COMPLETED", because),
        leave("refused", "DENIED", because),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    return linked(workflow(nodes), {})


@pytest.mark.parametrize(
    ("tier", "count", "exit", "row", "because"),
    [
        ("gold", 9, "granted", 0, None),
        ("plain", 2, "granted", 1, "few"),
        ("plain", 3, "refused", 2, "too many"),
    ],
)
def test_the_first_true_row_wins(tier: str, count: int, exit: str, row: int, because: str | None) -> None:
    ended = run(decision(), {"tier": tier, "count": count})
    assert (ended.exit, ended.result) == (exit, {"because": because})
    assert bodies(ended)[1] == {
        "kind": "DECIDED", "path": "may", "capability": None, "effect": None,
        "inputs": {"tier": tier, "count": count}, "outcome": "VIOLATION" if row == 2 else "SUCCESS",
        "output": {"because": because}, "row": row, "because": because,
    }  # fmt: skip
    assert ended.events[1][1] == encode(bodies(ended)[1])


def test_an_expression_without_a_value_is_a_fault() -> None:
    ended = run(decision(), {"tier": "plain", "count": "many"})
    assert ended.exit == "failed"
    body, obs = bodies(ended)[1], observed(ended)[1]
    assert (body["outcome"], body["output"], body["row"], body["because"]) == ("FAULT", {}, None, None)
    assert body["inputs"] == {"tier": "plain", "count": "many"}
    assert ended.events[1][1] == encode(body)
    assert obs["fault"]["reason"] == "expression" and obs["fault"]["detail"]


def test_a_missing_name_is_a_fault_that_names_it() -> None:
    ended = run(decision(), {"tier": "plain"})
    assert observed(ended)[1]["fault"] == {"reason": "missing-input", "reference": "$.payload.count"}
    assert bodies(ended)[1]["inputs"] is None
    assert ended.events[1][1] == encode(bodies(ended)[1])


def test_a_condition_that_is_no_boolean_is_a_fault() -> None:
    ended = run(decision([{**ROWS[0], "when": ["name", "count"]}, ROWS[2]]), {"tier": "gold", "count": 1})
    assert observed(ended)[1]["fault"]["detail"] == "`when` is neither true nor false"


@pytest.mark.parametrize("rows", [ROWS[:2], [ROWS[2], ROWS[0], ROWS[2]], []])
def test_a_table_needs_one_row_without_a_condition_and_it_is_the_last(rows: list[Any]) -> None:
    with pytest.raises(Malformed):
        decision(rows)


def computation() -> Program:
    nodes = [
        {"kind": "COMPUTE", "name": "fee",
         "with": {"price": ["ref", "payload", ["price"]], "n": ["ref", "payload", ["n"]]},
         "fields": {"total": ["mul", ["name", "price"], ["name", "n"]], "many": ["gt", ["name", "n"], ["lit", 10]]},
         "next": {"SUCCESS": 1, "FAULT": 2}},
        leave("done", "COMPLETED", ["map", {"total": ["ref", 0, ["total"]], "many": ["ref", 0, ["many"]]}]),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    return linked(workflow(nodes), {})


def test_a_computation_gives_its_fields() -> None:
    ended = run(computation(), {"price": 2.5, "n": 4})
    assert ended.result == {"total": 10, "many": False} and type(ended.result["total"]) is int
    assert bodies(ended)[1] == {
        "kind": "COMPUTED", "path": "fee", "capability": None, "effect": None, "inputs": {"price": 2.5, "n": 4},
        "outcome": "SUCCESS", "output": {"total": 10, "many": False},
    }  # fmt: skip
    assert ended.events[1][1] == encode(bodies(ended)[1])


@pytest.mark.parametrize("payload", [{"price": 2**52, "n": 2}, {"price": "2", "n": 2}, {"price": None, "n": 1}])
def test_a_computation_without_a_value_is_a_fault(payload: Any) -> None:
    ended = run(computation(), payload)
    assert ended.exit == "failed" and observed(ended)[1]["fault"]["reason"] == "expression"
    assert ended.events[1][1] == encode(bodies(ended)[1])


def _doubling(count: int, tree: list[Any]) -> Program:
    nodes: list[Any] = [
        {"kind": "COMPUTE", "name": f"n{index}", "fields": {"x": tree},
         "with": {"x": ["ref", index - 1, ["x"]] if index else ["ref", "payload", ["x"]]},
         "next": {"SUCCESS": index + 1, "FAULT": count + 1}}
        for index in range(count)
    ]  # fmt: skip
    last = ["map", {"x": ["ref", count - 1, ["x"]]}]
    nodes += [leave("done", "COMPLETED", last), leave("failed", "FAILED"), leave("rejected", "REJECTED")]
    return linked(workflow(nodes), {})


def test_what_a_computation_gives_can_be_recorded_and_read_again() -> None:
    deep: list[Any] = ["name", "x"]
    for _ in range(32):
        deep = ["list", [deep]]
    for count, exit in ((2, "done"), (3, "failed"), (9, "failed")):
        ended = run(_doubling(count, deep), {"x": 1})
        assert ended.exit == exit
        assert list(read(export((body, obs) for _, body, obs in ended.events)))
    twice = ["list", [["name", "x"], ["name", "x"]]]
    for value in (1, "a" * 1000, {"b" * 1000: 0}):
        assert run(_doubling(10, twice), {"x": value}).exit == "done"
        ended = run(_doubling(60, twice), {"x": value})
        assert ended.exit == "failed"
        (detail,) = {obs["fault"]["detail"] for obs in observed(ended) if "fault" in obs}
        assert detail == "a value grows too large"


def test_an_exit_that_was_not_proven_is_refused_and_blames_the_snapshot() -> None:
    nodes = [leave("done", "COMPLETED", ["map", {"x": ["ref", "payload", ["x"]]}]), leave("rejected", "REJECTED")]
    program = linked(workflow(nodes), {})
    assert run(program, {"x": 1}).result == {"x": 1}
    with pytest.raises(Refused) as refused:
        run(program, {})
    (found,) = refused.value.diagnostics
    assert (found.code, refused.value.exit_code) == ("OB608", 4)


@pytest.mark.parametrize("segment", [None, 1.5, True, ["a"], {}])
def test_a_path_of_no_names_and_indices_is_malformed(segment: Any) -> None:
    for path in ([segment], ["a", segment], ["a", "b", segment]):
        nodes = [leave("done", "COMPLETED", ["map", {"x": ["ref", "payload", path]}]), leave("rejected", "REJECTED")]
        with pytest.raises(Malformed):
            linked(workflow(nodes), {})
