"""Examination: many mishaps, each with whose fault it is, the place in the YAML and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_model.digests import encode
from omnibachi_model.record import export, read
from omnibachi_observer.examine import examine
from omnibachi_observer.markdown import markdown
from omnibachi_observer.picture import draw
from omnibachi_observer.report import Report
from omnibachi_observer.selection import select
from sealed_runs import (
    LOCK,
    SEAL,
    Pair,
    call,
    called,
    computed,
    decided,
    finished,
    leave,
    order,
    order_failed,
    ordered,
    origins,
    payload,
    record,
    register,
    registered,
    sealed,
    started,
)

FILE = "protocols/shop/order.yaml"


def looked_at(data: bytes, workflow: dict[str, Any] | None = None, **more: Any) -> Report:
    used = workflow or order()
    return examine(data, workflow=used, origins=origins(used), **more)


def test_a_completed_run_is_told_with_its_places() -> None:
    found = looked_at(ordered())
    assert (found.verdict, found.exit, found.status, found.result) == ("INTACT", "ordered", "COMPLETED", {"total": 35})
    assert [(step["node"], step["outcome"], step["line"]) for step in found.path] == [
        ("within_tier", "SUCCESS", 10),
        ("fee", "SUCCESS", 20),
        ("record", "SUCCESS", 30),
    ]
    assert found.path[0]["place"] == f"{FILE}:13:9" and found.path[0]["file"] == FILE
    assert found.path[2]["capability"] == "std::CS_RECORDS_V0.CREATE" and found.path[2]["then"] == "ordered"
    assert "`tier == 'standard' && quantity <= 100`" in found.path[0]["why"]
    assert [(item["receipt"], item["store"]) for item in found.changed] == [(9, "shop::ST_ORDERS_V0")]
    assert found.failed is None and found.decided is None and found.advice == [] and found.diagnostics == []


def test_the_json_has_its_schema_and_is_json() -> None:
    shown = looked_at(ordered(700)).as_json()
    assert shown["schema"] == "omnibachi.examine/1"
    assert set(shown) >= {
        "verdict", "workflow", "exit", "status", "result", "path", "changed", "failed", "advice", "diagnostics",
    }  # fmt: skip
    assert encode(shown)


def test_the_text_is_for_a_terminal() -> None:
    text = looked_at(ordered()).as_text()
    assert text.startswith("`shop::WF_ORDER_V0` completed at `ordered`.\n")
    assert "so the run ended at `ordered`" in " ".join(text.split())
    assert all(len(line) <= 92 or "sha256:" in line for line in text.splitlines())
    assert "What changed\n  receipt 9: record (CS_RECORDS_V0.CREATE) wrote to shop::ST_ORDERS_V0" in text


def test_text_from_a_user_cannot_steer_the_terminal() -> None:
    evil = "\x1b[2J\r\x07\u202e"
    data = record(started(order(), {"id": evil}), decided("within_tier", {"tier": evil}, "VIOLATION", 2, evil),
                  finished("refused", "DENIED", {evil: evil}))  # fmt: skip
    text = looked_at(data).as_text()
    assert all(char.isprintable() or char == "\n" for char in text)


def test_nothing_new_written_is_no_change() -> None:
    found = looked_at(registered(again=True), register())
    assert [item["node"] for item in found.changed] == ["announce"]
    assert [(item["node"], item["outcome"]) for item in found.unchanged] == [("register", "ALREADY_EXISTS")]


def test_an_answer_of_another_domains_operation_is_not_guessed_at() -> None:
    use = "shop::CS_SHELF_V0.TAKE"
    workflow = sealed("shop::WF_TAKE_V0", [
        call("take", use, "MUTABLE", {}, {"NOT_FOUND": 1, "FAULT": 1}, store="shop::ST_SHELF_V0"),
        leave("done", "COMPLETED"),
    ])  # fmt: skip
    data = record(
        started(workflow, {}), called(workflow, "take", {}, "NOT_FOUND", receipt=3), finished("done", "COMPLETED")
    )
    assert [item["receipt"] for item in looked_at(data, workflow).changed] == [3]


def test_a_decision_is_nobodys_fault() -> None:
    found = looked_at(ordered(700))
    assert found.failed is None and found.decided is not None
    assert (found.decided["node"], found.decided["row"]) == ("within_tier", 2)
    assert found.decided["because"] == "quantity is over the limit of the tier"
    assert found.decided["place"] == f"{FILE}:14:9"
    assert "nobody's fault" in found.as_text() and found.advice


def test_an_outcome_that_is_routed_to_a_denial_is_nobodys_fault() -> None:
    workflow = sealed("shop::WF_FIND_V0", [
        call("find", "std::CS_REGISTRY_V0.RESOLVE", "READ", {"key": payload("id")}, {"NOT_FOUND": 1, "FAULT": 2}),
        leave("not_admitted", "DENIED"), leave("failed", "FAILED"),
    ])  # fmt: skip
    data = record(started(workflow, {"id": "x"}), called(workflow, "find", {"key": "x"}, "NOT_FOUND"),
                  finished("not_admitted", "DENIED"))  # fmt: skip
    found = looked_at(data, workflow)
    assert found.failed is None and found.decided is not None and found.decided["outcome"] == "NOT_FOUND"


def chain(second: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow in which a second node reads what a first one computed from the payload."""
    return sealed("shop::WF_CHAIN_V0", [
        {"kind": "COMPUTE", "name": "first", "with": {"a": payload("a")}, "fields": {"b": ["name", "a"]},
         "next": {"SUCCESS": 1, "FAULT": 2}},
        call("second", "std::CT_DIGEST_V0", "PURE", second, {"SUCCESS": 3, "VIOLATION": 2, "FAULT": 2}),
        leave("failed", "FAILED"), leave("done", "COMPLETED", ["map", {"x": ["ref", 1, ["maybe"]]}]),
    ])  # fmt: skip


def fault_of(node: str, fault: dict[str, Any], workflow: dict[str, Any], inputs: Any = None) -> bytes:
    first = computed("first", {"a": 1}, "SUCCESS", {"b": 1})
    before = [] if node == "first" else [first]
    kind = computed(node, inputs, "FAULT", fault=fault) if node in ("first", "done") else None
    event = kind or called(workflow, node, inputs, "FAULT", fault=fault)
    if node == "done":
        before.append(called(workflow, "second", {}, "SUCCESS"))
    return record(started(workflow, {"a": 1}), *before, event, finished("failed", "FAILED"))


FROM_FIRST = {"data": ["ref", 0, ["b"]]}
FROM_RUN = {"data": ["ref", "run", ["started_at"]]}
MIXED = {"data": ["ref", 0, ["b"]], "algorithm": ["lit", "sha1"]}


# reason's facts, the second node's bindings, the node: whose fault, the line of the place, and words of the remedy
FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str, int, str]] = {
    "optional field of the payload": (
        {"reason": "missing-input", "reference": "$.payload.a"}, FROM_FIRST,
        "first", "payload", 11, "send `$.payload.a`",
    ),
    "value computed from the payload": (
        {"reason": "missing-input", "reference": "$.nodes.first.b"}, FROM_FIRST,
        "second", "payload", 21, "send `$.payload.a`",
    ),
    "optional field of an output": (
        {"reason": "missing-input", "reference": "$.nodes.second.maybe"}, FROM_FIRST,
        "done", "protocol", 40, "`$first`",
    ),
    "input from the payload that does not fit": (
        {"reason": "input-misfit", "violations": [{"pointer": "/data", "keyword": "type"}]},
        FROM_FIRST, "second", "payload", 21, "send other values in `$.payload.a`",
    ),
    "input of the protocol's own": (
        {"reason": "input-misfit", "violations": [{"pointer": "/algorithm", "keyword": "enum"}]},
        MIXED, "second", "protocol", 21, "bind values that fit",
    ),
    "input of the run": (
        {"reason": "input-misfit", "violations": [{"pointer": "/data", "keyword": "type"}]},
        FROM_RUN, "second", "protocol", 21, "bind values that fit",
    ),
    "expression over the payload": (
        {"reason": "expression", "detail": "an integer is too large"}, FROM_FIRST, "first", "payload", 12,
        "the workflow could test it first",
    ),
    "exception": (
        {"reason": "raised", "exception": "KeyError", "frame": "shop/x.py:3 f"}, FROM_FIRST, "second", "capability", 20,
        "mend the code of `std::CT_DIGEST_V0` at `shop/x.py:3 f`",
    ),
    "undeclared outcome": (
        {"reason": "undeclared-outcome"}, FROM_FIRST, "second", "capability", 20, "answer a declared outcome",
    ),
    "output that breaks its declaration": (
        {"reason": "output-misfit", "violations": [{"pointer": "", "keyword": "type"}]}, FROM_FIRST, "second",
        "capability", 20, "make the output of `std::CT_DIGEST_V0` and its declaration agree",
    ),
    "inputs changed": ({"reason": "input-changed"}, FROM_FIRST, "second", "capability", 20, "copy what it changes"),
    "database in a capability": (
        {"reason": "raised", "exception": "OperationalError"}, FROM_FIRST, "second", "store", 20, "check the data root",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_origin_place_and_remedy(name: str) -> None:
    fault, bound, node, whose, line, remedy = FAULTS[name]
    workflow = chain(bound)
    found = looked_at(fault_of(node, fault, workflow), workflow)
    assert found.failed is not None
    assert (found.failed["node"], found.failed["reason"], found.failed["fault"]) == (node, fault["reason"], whose)
    assert found.failed["place"].startswith(f"{FILE}:{line}:")
    assert remedy in found.failed["remedy"] and found.failed["remedy"] in found.advice
    assert [item.code for item in found.diagnostics] == [found.failed["code"]]
    text = " ".join(found.as_text().split())
    assert f"fault: {whose}" in text and found.failed["what"] in text


def test_an_expression_over_other_values_is_the_protocols_fault() -> None:
    workflow = chain(FROM_FIRST)
    workflow["nodes"][0]["with"] = {"a": ["ref", "run", ["started_at"]]}
    found = looked_at(fault_of("first", {"reason": "expression"}, workflow), workflow)
    assert found.failed is not None and found.failed["fault"] == "protocol"
    assert "the values come from `$.run.started_at`" in found.failed["what"]


def test_a_failing_answer_is_laid_to_where_its_inputs_came_from() -> None:
    for bound, whose in ((FROM_FIRST, "payload"), (MIXED, "payload"), (FROM_RUN, "protocol")):
        workflow = chain(bound)
        data = record(started(workflow, {"a": 1}), computed("first", {"a": 1}, "SUCCESS", {"b": 1}),
                      called(workflow, "second", {"data": 1}, "VIOLATION"), finished("failed", "FAILED"))  # fmt: skip
        found = looked_at(data, workflow)
        assert found.failed is not None
        assert (found.failed["node"], found.failed["reason"], found.failed["fault"]) == ("second", "VIOLATION", whose)


def test_a_refused_payload_is_the_payloads_fault() -> None:
    wrong = [{"pointer": "/id", "keyword": "required"}]
    data = record(started(order(), {}), finished("rejected", "REJECTED", {"violations": wrong}))
    found = looked_at(data)
    assert found.failed is not None
    assert (found.failed["node"], found.failed["fault"], found.failed["code"]) == (None, "payload", "OB701")
    assert "`/id` is missing (`required`)" in found.failed["what"] and found.advice == [
        "mend the payload at `/id` and run again"
    ]
    assert found.path == [] and "no node ran" in found.as_text()


def test_a_fault_that_the_workflow_handled_is_told_all_the_same() -> None:
    workflow = chain(FROM_FIRST)
    workflow["nodes"][1]["next"]["FAULT"] = 3
    data = record(started(workflow, {"a": 1}), computed("first", {"a": 1}, "SUCCESS", {"b": 1}),
                  called(workflow, "second", {"data": 1}, "FAULT", fault={"reason": "raised"}),
                  finished("done", "COMPLETED"))  # fmt: skip
    found = looked_at(data, workflow)
    assert found.status == "COMPLETED" and found.failed is not None and found.failed["fault"] == "capability"


def test_an_unfinished_record_says_how_to_finish_it() -> None:
    found = looked_at(b"".join(ordered().splitlines(True)[:3]))
    assert (found.verdict, found.finished, found.exit, found.digest) == ("INTACT", False, None, None)
    assert [(item.code, item.severity) for item in found.diagnostics] == [("OB741", "warning")]
    assert "finish it with `omnibachi resume T1`" in found.advice
    assert found.path[-1]["then"] == "record"
    pure = {**order(), "journal": False}
    again = examine(record(started(pure, {})), workflow=pure)
    assert again.advice[0] == "run it again: it has no side effect"


def test_a_cut_and_an_edited_record_say_what_remains() -> None:
    lines = ordered().splitlines(True)
    for data in (b"".join(lines)[:-30], b"".join([*lines[:4], lines[4].replace(b"ordered", b"refused")])):
        found = looked_at(data)
        assert (found.verdict, found.line, found.exit, found.digest) == ("BROKEN", 5, None, None)
        assert [step["node"] for step in found.path] == ["within_tier", "fee", "record"]
        assert [item.code for item in found.diagnostics] == ["OB740"]
        assert found.advice[:2] == ["rely on nothing from line 5 on", "the 4 lines before it agree with one another"]
    assert looked_at(data, journal=ordered()).advice[2] == (
        "the journal holds this run's own record: `omnibachi examine T1`"
    )


def test_a_record_that_is_none_says_so() -> None:
    for data in (b"", b"\x00\xff\n", b"hello\n", b"[" * 10_000):
        found = looked_at(data)
        assert (found.verdict, found.line, found.summary) == ("BROKEN", 1, "this is no record of a run")
        assert [item.code for item in found.diagnostics] == ["OB742"]
        assert encode(found.as_json()) and "this is no record of a run" in found.as_text()


def test_the_journal_anchors_or_contradicts() -> None:
    assert looked_at(ordered(), journal=ordered()).verdict == "ANCHORED"
    found = looked_at(ordered(), journal=ordered(700))
    assert (found.verdict, found.line, found.reason) == ("BROKEN", 1, "the line is not what the journal holds")


def test_what_verification_found_is_believed() -> None:
    found = looked_at(ordered(), finding=("BROKEN", 3, "`seq` is not 3"))
    assert (found.verdict, found.line) == ("BROKEN", 3)
    assert [step["node"] for step in found.path] == ["within_tier"]


def test_another_workflow_than_the_one_that_ran_is_not_used() -> None:
    other = order()
    other["nodes"][0]["rows"].reverse()
    found = looked_at(ordered(), other)
    assert [(item.code, item.severity) for item in found.diagnostics] == [("OB746", "warning")]
    assert "quantity <= 100" not in found.as_text() and found.path[0]["line"] is None
    assert found.path[0]["why"].startswith("row 2 decided")


def test_without_a_snapshot_the_record_alone_is_told() -> None:
    found = examine(ordered())
    assert found.verdict == "INTACT" and found.diagnostics == []
    assert [step["then"] for step in found.path] == ["fee", "record", "ordered"]


def test_changed_and_missing_capabilities_are_named() -> None:
    locks = {"std::CT_GENERATE_ID_V0": SEAL, "std::CS_REGISTRY_V0.REGISTER": LOCK}
    found = looked_at(registered(), register(), locks=locks)
    assert [(item.code, item.message.split("`")[1]) for item in found.diagnostics] == [
        ("OB605", "std::CS_EVENTS_V0.APPEND"),
        ("OB604", "std::CT_GENERATE_ID_V0"),
    ]
    assert looked_at(registered(), register(), locks=dict.fromkeys(register()["capabilities"], LOCK)).diagnostics == []


# --- anything -------------------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["pointer", "reason", "x"]), inner),
    max_leaves=5,
)
MEMBERS = ["path", "capability", "effect", "inputs", "outcome", "output", "row", "because", "payload", "run", "result",
           "workflow", "workflow_digest", "exit", "status"]  # fmt: skip
NOTED = ["fault", "receipt", "trace_id", "seal", "started_at", "actor", "capabilities", "origin", "took_us"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_record_whose_chain_holds_raises(data: st.DataObject) -> None:
    pairs: list[Pair] = [
        (event.body, event.obs) for event in read(data.draw(st.sampled_from([ordered(), ordered(700)])))
    ]
    for _ in range(data.draw(st.integers(1, 4))):
        body, obs = pairs[data.draw(st.integers(0, len(pairs) - 1))]
        body[data.draw(st.sampled_from(MEMBERS))] = data.draw(ANYTHING)
        obs[data.draw(st.sampled_from(NOTED))] = data.draw(ANYTHING)
    changed = export((encode(body), encode(obs)) for body, obs in pairs)
    found = looked_at(changed, order())
    assert found.as_text() and encode(found.as_json())
    assert markdown(changed, workflow=order()) and draw(changed, order(), "dot")


# --- select ---------------------------------------------------------------------------------------------------------


def test_selections_find_values() -> None:
    assert select(ordered(), "$[*].body.outcome") == (["SUCCESS", "SUCCESS", "SUCCESS"], [])
    assert select(ordered(), "$[?(@.obs.receipt > 0)].body.path") == (["record"], [])
    assert select(ordered(), "$[-1].body.result.total") == ([35], [])
    assert select(ordered(), "$[0].line") == ([1], [])
    assert select(ordered(), "$.nothing") == ([], [])


@pytest.mark.parametrize(
    "path", ["", "$[*", "foo bar(", "$..[?(", "$[?(@.hash =~ '(')]", "(" * 500, "$" * 10_000, "\x00", "🜁"]
)
def test_a_bad_path_is_a_diagnostic(path: str) -> None:
    values, notes = select(ordered(), path)
    assert values == [] and [item.code for item in notes] == ["OB747"]
    assert notes[0].help is not None


def test_of_a_broken_record_the_lines_before_are_searched() -> None:
    values, notes = select(ordered()[:-10], "$[*].body.path")
    assert values == ["within_tier", "fee", "record"] and [item.code for item in notes] == ["OB740"]


def test_no_fault_needs_the_sealed_workflow() -> None:
    data = order_failed(decided("within_tier", None, "FAULT", None, fault={"reason": "missing-input"}))
    found = examine(data)
    assert found.failed is not None and found.failed["place"] is None and found.failed["fault"] == "protocol"
