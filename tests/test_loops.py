"""Loops: what each iteration does, what a loop gives, and what ends it early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handmade import bodies, call, leave, observed, record_of, start
from looped import (
    ANSWERS,
    FUNCTIONS,
    NUMBER,
    READ,
    ROUTES,
    TRANSFORM,
    answer,
    called,
    checks,
    door,
    doubling,
    each,
    end,
    nested,
    program,
    ran,
    ref,
    repeat,
    step,
    walked,
)
from omnibachi_model.faults import CODES
from omnibachi_runtime import loops
from omnibachi_runtime.walk import walk


def computed(path: str, count: int, outcome: str, output: Any) -> dict[str, Any]:
    """Return the one event of a loop."""
    return {"kind": "COMPUTED", "path": path, "capability": None, "effect": None, "inputs": {"count": count},
            "outcome": outcome, "output": output}  # fmt: skip


# Each


def test_each_item_is_a_call_of_its_own_and_the_loop_tells_last() -> None:
    ended = ran(doubling(), FUNCTIONS, {"items": [2, 4]})
    assert walked(ended) == ["go[0]", "go[1]", "go", "done"]
    first, second, whole = bodies(ended)[1:4]
    assert first == {"kind": "CALLED", "path": "go[0]", "capability": TRANSFORM, "effect": "PURE", "inputs": {"n": 2},
                     "outcome": "SUCCESS", "output": {"double": 4}}  # fmt: skip
    assert (second["path"], second["output"]) == ("go[1]", {"double": 8})
    items = [{"outcome": "SUCCESS", "double": 4}, {"outcome": "SUCCESS", "double": 8}]
    assert whole == computed("go", 2, "SUCCESS", {"items": items})
    assert ended.result == {"items": items}
    assert [obs["seq"] for obs in observed(ended)] == [1, 2, 3, 4, 5] and ended.loops == []


@pytest.mark.parametrize(
    ("items", "good", "outcome"),
    [
        ([], ["SUCCESS"], "SUCCESS"),
        ([2], ["SUCCESS"], "SUCCESS"),
        ([1, 2], ["SUCCESS"], "PARTIAL"),
        ([1, 3], ["SUCCESS"], "FAILED"),
        ([1, 2], ["ODD", "SUCCESS"], "SUCCESS"),
        (list(range(0, 20, 2)), ["SUCCESS"], "SUCCESS"),
        (list(range(0, 22, 2)), ["SUCCESS"], "OVERFLOW"),
    ],
)
def test_what_an_each_ends_with(items: list[int], good: list[str], outcome: str) -> None:
    ended = ran(doubling(good=good), FUNCTIONS, {"items": items})
    event = bodies(ended)[-2]
    results = [{"outcome": name, **output} for name, output in map(answer, ({"n": n} for n in items))]
    output = {} if outcome == "OVERFLOW" else {"items": results}
    assert event == computed("go", len(items), outcome, output)
    assert len(ended.events) == 3 + (0 if outcome == "OVERFLOW" else len(items))
    assert ended.result == {"items": output.get("items")}


def test_a_fault_ends_the_loop_at_once_and_the_loop_tells_nothing() -> None:
    ended = ran(doubling(), FUNCTIONS, {"items": [2, 13, 4]})
    assert walked(ended) == ["go[0]", "go[1]", "failed"]
    assert (ended.mishaps[0].node, ended.mishaps[0].fault["reason"]) == ("go[1]", "raised")
    assert ended.loops == [] and ended.values[0] is None


@pytest.mark.parametrize("items", [None, 7, "text", {"0": 1}, True])
def test_items_that_are_no_list_are_a_fault(items: Any) -> None:
    ended = ran(doubling(), FUNCTIONS, {"items": items})
    assert walked(ended) == ["go", "failed"]
    body, fault = bodies(ended)[1], observed(ended)[1]["fault"]
    assert (body["kind"], body["inputs"], body["outcome"], body["output"]) == ("COMPUTED", None, "FAULT", {})
    assert fault == {"reason": "input-misfit", "violations": [{"pointer": "", "keyword": "type"}]}


def test_items_that_are_not_there_are_a_fault() -> None:
    ended = ran(doubling(), FUNCTIONS, {})
    assert observed(ended)[1]["fault"] == {"reason": "missing-input", "reference": "$.payload.items"}


def test_an_item_that_is_not_what_its_type_says_is_a_fault_of_its_call() -> None:
    nodes = doubling()
    nodes[1] = {**nodes[1], "check": record_of({"n": NUMBER})}
    ended = ran(nodes, FUNCTIONS, {"items": [2, "4"]})
    assert walked(ended) == ["go[0]", "go[1]", "failed"]
    assert ended.mishaps[0].fault == {"reason": "input-misfit", "violations": [{"pointer": "/n", "keyword": "type"}]}


def test_a_member_that_an_item_lacks_is_named_as_its_author_wrote_it() -> None:
    nodes = doubling()
    nodes[1] = {**nodes[1], "with": ["map", {"n": ref("go", "one", "n")}]}
    ended = ran(nodes, FUNCTIONS, {"items": [{"n": 2}, {}]})
    assert ended.mishaps[0].fault == {"reason": "missing-input", "reference": "$.each.one.n"}


def test_more_items_than_the_compiler_proved_run_nothing() -> None:
    nodes = doubling(max=1)
    nodes[0]["next"] = {name: to for name, to in ROUTES.items() if name != "OVERFLOW"}
    ended = ran(nodes, FUNCTIONS, {"items": [2, 4]})
    assert walked(ended) == ["go", "failed"]
    assert ended.mishaps[0].fault["violations"] == [{"pointer": "", "keyword": "maxItems"}]


def test_ten_thousand_items() -> None:
    items = list(range(0, 20_000, 2))
    ended = ran(doubling(max=10_000), FUNCTIONS, {"items": items})
    assert len(ended.events) == 10_003
    assert [item["double"] for item in ended.result["items"]] == [2 * n for n in items]
    assert ended.events[10_000][0] == "go[9999]"
    over = ran(doubling(max=10_000), FUNCTIONS, {"items": [*items, 2]})
    assert walked(over) == ["go", "done"] and bodies(over)[1]["outcome"] == "OVERFLOW"


def test_a_capability_that_changes_its_item_changes_nothing_that_others_read() -> None:
    def spoil(inputs: Any) -> Any:
        inputs["n"].append(1)
        return "SUCCESS", {"double": 1}

    nodes = [*doubling()[:-1], leave("failed", "FAILED", ["map", {"seen": ref("payload", "items")}])]
    ended = ran(nodes, {TRANSFORM: spoil}, {"items": [[1], [2]]})
    assert ended.mishaps[0].fault["reason"] == "input-changed"
    assert ended.result == {"seen": [[1], [2]]}


def test_an_output_may_be_the_very_item_and_later_calls_cannot_change_it() -> None:
    kept: list[Any] = []

    def give(inputs: Any) -> Any:
        kept.append(inputs["n"])
        return "SUCCESS", {"double": inputs["n"]}

    nodes = doubling()
    nodes[1] = {**nodes[1], "outcomes": {**ANSWERS, "SUCCESS": {"type": "object"}}}
    ended = ran(nodes, {TRANSFORM: give}, {"items": [{"a": [1]}, {"a": [2]}]})
    assert [item["double"] for item in ended.result["items"]] == kept
    kept[0]["a"].append(9)
    assert ended.program.gate and ended.values[-2] == {"items": [{"a": [1]}, {"a": [2]}]}


def test_what_a_loop_gives_is_bounded() -> None:
    nodes = doubling()
    nodes[1] = {**nodes[1], "outcomes": {**ANSWERS, "SUCCESS": record_of({"double": {"type": "string"}})}}
    large = "x" * (loops.MOST_BYTES // 8)
    ended = ran(nodes, {TRANSFORM: lambda inputs: ("SUCCESS", {"double": large})}, {"items": [2] * 10})
    assert walked(ended) == [*[f"go[{n}]" for n in range(8)], "go", "failed"]
    assert bodies(ended)[-2] == computed("go", 8, "FAULT", {})
    reason = ended.mishaps[0].fault["reason"]
    assert (reason, CODES[reason], ended.loops) == ("output-too-large", "OB717", [])


# Contracts and loops inside loops


def test_a_loop_in_a_contract_in_a_loop() -> None:
    ended = ran(nested(), FUNCTIONS, {"lists": [[2, 4], [], [1], [2, 2, 2, 2]]})
    assert walked(ended) == [
        "out[0]/in[0]", "out[0]/in[1]", "out[0]/in", "out[0]/size", "out[1]/in", "out[1]/size", "out[2]/in[0]",
        "out[2]/in", "out[3]/in", "out", "done",
    ]  # fmt: skip
    assert ended.result["items"] == [
        {"outcome": "SUCCESS", "even": 2}, {"outcome": "SUCCESS", "even": 0},
        {"outcome": "ODD", "seen": [{"outcome": "ODD", "n": 1}]}, {"outcome": "ODD", "seen": "too many"},
    ]  # fmt: skip
    assert bodies(ended)[-2]["outcome"] == "PARTIAL"


def test_nothing_of_an_iteration_is_seen_by_the_next() -> None:
    """The second item is odd, so what the first one's second call gave must be gone."""
    fault = {"FAULT": "go[]/FAULT"}
    seen = ["map", {"seen": ["first", [ref("go[]/more", "double"), ["lit", "nothing"]]]}]
    nodes = [
        each("go", ref("payload", "items"), "go[]/ask", ROUTES),
        step("go[]/ask", {"n": ref("go", "one")}, ANSWERS,
             {"SUCCESS": "go[]/more", "ODD": "go[]/SUCCESS", **fault}, of="go"),
        step("go[]/more", {"n": ref("go", "one")}, ANSWERS,
             {"SUCCESS": "go[]/SUCCESS", "ODD": "go[]/SUCCESS", **fault}, of="go"),
        door("go[]/SUCCESS", seen, {"SUCCESS": "go[]/SUCCESS."}, of="go"),
        end("go[]/SUCCESS.", "go", "SUCCESS", ref("go[]/SUCCESS")),
        end("go[]/FAULT", "go", "FAULT"),
        leave("done", "COMPLETED", ["map", {"items": ref("go", "items")}]),
    ]  # fmt: skip
    ended = ran(nodes, FUNCTIONS, {"items": [2, 1, 4]})
    assert [item["seen"] for item in ended.result["items"]] == [4, "nothing", 8]


def test_a_fault_deep_inside_ends_all_loops() -> None:
    ended = ran(nested(), FUNCTIONS, {"lists": [[2], [4, 13], [6]]})
    assert walked(ended) == ["out[0]/in[0]", "out[0]/in", "out[0]/size", "out[1]/in[0]", "out[1]/in[1]", "failed"]
    assert ended.loops == []


# Repeat


def counting(until: Any, outcomes: Any = None, **more: Any) -> list[Any]:
    """Return a loop that asks how often it was asked."""
    given = outcomes or {"SUCCESS": record_of({"n": NUMBER}, {"more": NUMBER}), "GONE": record_of()}
    routes = {"SUCCESS": "done", "EXHAUSTED": "tired", "GONE": "failed", "FAULT": "failed"}
    inner = call("poll[]", READ, {}, given, {}, "READ")
    result = ["map", {"n": ref("poll", "n")}]
    return [repeat("poll", "poll[]", until, routes, **more), *called("poll", inner, tuple(given)),
            leave("done", "COMPLETED", result), leave("tired", "REJECTED", result)]  # fmt: skip


def asking(*answers: Any) -> dict[str, Callable[..., Any]]:
    """Return an operation that gives one answer after the other."""
    left = iter(answers)
    return {READ: lambda inputs, store, call: next(left)}


ENOUGH = ["ge", ["name", "n"], ["lit", 2]]


def test_a_repeat_ends_when_it_is_enough() -> None:
    ended = ran(counting(ENOUGH), asking(*(("SUCCESS", {"n": n}) for n in range(9))), {})
    assert walked(ended) == ["poll[0]", "poll[1]", "poll[2]", "poll", "done"]
    assert bodies(ended)[-2] == computed("poll", 3, "SUCCESS", {"n": 2})
    assert ended.result == {"n": 2}


def test_a_repeat_is_exhausted_with_what_was_given_last() -> None:
    ended = ran(counting(ENOUGH), asking(*[("SUCCESS", {"n": 0})] * 3), {})
    assert bodies(ended)[-2] == computed("poll", 3, "EXHAUSTED", {"n": 0})
    assert (ended.exit, ended.result) == ("tired", {"n": 0})


def test_any_other_outcome_ends_a_repeat() -> None:
    ended = ran(counting(ENOUGH), asking(("SUCCESS", {"n": 0}), ("GONE", {})), {})
    assert walked(ended) == ["poll[0]", "poll[1]", "poll", "failed"]
    assert bodies(ended)[-2] == computed("poll", 2, "GONE", {})


@pytest.mark.parametrize(
    ("until", "detail"),
    [
        (["quo", ["lit", 1], ["name", "n"]], "`until`: a division by zero"),
        (["name", "n"], "`until`: it is neither true nor false"),
        (["eq", ["name", "more"], ["lit", 1]], "`until`: `more` is absent"),
        (["eq", ["name", "n"], ["lit", "text"]], "`until`: `==` cannot take an integer and a string"),
    ],
)
def test_until_may_have_no_value(until: Any, detail: str) -> None:
    ended = ran(counting(until), asking(("SUCCESS", {"n": 0})), {})
    assert walked(ended) == ["poll[0]", "poll", "failed"]
    assert bodies(ended)[-2] == computed("poll", 1, "FAULT", {})
    assert ended.mishaps[0].fault == {"reason": "expression", "detail": detail} and ended.loops == []


def test_a_pause_takes_time_where_the_clock_can_pause_and_is_told() -> None:
    pauses: list[int] = []
    found = program(counting(ENOUGH, every_ms=1500), asking(*(("SUCCESS", {"n": n}) for n in range(3))), journal=False)
    begun = start()
    begun.clock.pause = pauses.append  # type: ignore[attr-defined]
    ended = walk(found, begun, found.gate({}))
    assert sum(pauses) == 3_000_000_000 and max(pauses) <= 250_000_000
    assert observed(ended)[-2]["waited_us"] == 3_000_000
    again = ran(counting(ENOUGH, every_ms=1500), asking(*(("SUCCESS", {"n": n}) for n in range(3))), {})
    assert "waited_us" not in observed(again)[-2] and again.digest == ended.digest


# All


def finding(known: dict[str, int], asked: list[str]) -> dict[str, Callable[..., Any]]:
    def get(inputs: Any, store: Any, call: Any) -> Any:
        asked.append(call.path)
        if inputs["key"] not in known:
            return "NOT_FOUND", {}
        return "SUCCESS", {"n": 1 // known[inputs["key"]]}

    return {READ: get}


@pytest.mark.parametrize(
    ("known", "good", "outcome"),
    [
        ({"a": 1, "b": 1}, None, "SUCCESS"),
        ({"a": 1}, None, "FAILED"),
        ({}, None, "FAILED"),
        ({}, ["NOT_FOUND", "SUCCESS"], "SUCCESS"),
    ],
)
def test_all_asks_every_member_in_declared_order(known: Any, good: Any, outcome: str) -> None:
    asked: list[str] = []
    ended = ran(checks(good), finding(known, asked), {}, run=["id"])
    assert asked == ["look/b", "look/a"] and walked(ended) == ["look/b", "look/a", "look", "done"]
    told = {name: {"outcome": "SUCCESS", "n": 1} if name in known else {"outcome": "NOT_FOUND"} for name in ("a", "b")}
    assert bodies(ended)[-2] == computed("look", 2, outcome, told)
    assert ended.result == told


def test_a_fault_of_one_member_is_the_fault_of_all() -> None:
    ended = ran(checks(), finding({"b": 0, "a": 1}, asked := []), {})
    assert (walked(ended), asked) == (["look/b", "failed"], ["look/b"])
