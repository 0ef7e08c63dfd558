"""The walk: gate, nodes, FAULT in all its kinds, exits, and the bytes that they leave."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from handmade import TEXT, bodies, call, leave, linked, observed, record_of, run, workflow
from omnibachi_model.diagnostics import Defect, Trouble
from omnibachi_model.digests import encode
from omnibachi_model.record import digest_of, export, read
from omnibachi_runtime.link import Malformed
from omnibachi_runtime.walk import Walk

Answering = Callable[[Any], Any]
PAYLOAD = ["ref", "payload", ["text"]]


def upper(inputs: Any) -> Any:
    return "SUCCESS", {"text": inputs["text"].upper()}


def one(function: Answering, *, inputs: Any = None, outcome: Any = None, payload: Any = None, **node: Any) -> Any:
    """Return a program of one transform between the gate and two exits, a good one and `failed`."""
    nodes = [
        call("shout", "shop::CT_SHOUT_V0", inputs or {"text": PAYLOAD},
             {"SUCCESS": outcome or record_of({"text": TEXT})}, {"SUCCESS": 1, "FAULT": 2}, **node),
        leave("done", "COMPLETED", ["map", {"said": ["ref", 0, ["text"]]}]),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    return linked(workflow(nodes, payload or record_of({"text": TEXT})), {"shop::CT_SHOUT_V0": function})


def faulted(ended: Walk) -> dict[str, Any]:
    """Return what the record says of the only FAULT of a run that ended at `failed`."""
    assert (ended.exit, ended.status) == ("failed", "FAILED")
    (fault,) = [obs["fault"] for obs in observed(ended) if "fault" in obs]
    return dict(fault)


def test_a_run_leaves_canonical_bodies_in_order() -> None:
    ended = run(one(upper), {"text": "hé"})
    assert (ended.exit, ended.status, ended.result) == ("done", "COMPLETED", {"said": "HÉ"})
    first, called, last = bodies(ended)
    assert first["kind"] == "RUN_STARTED" and first["payload"] == {"text": "hé"} and first["run"] == {}
    assert called == {
        "kind": "CALLED", "path": "shout", "capability": "shop::CT_SHOUT_V0", "effect": "PURE",
        "inputs": {"text": "hé"}, "outcome": "SUCCESS", "output": {"text": "HÉ"},
    }  # fmt: skip
    assert last == {"kind": "RUN_FINISHED", "exit": "done", "status": "COMPLETED", "result": {"said": "HÉ"}}
    for _, body, obs in ended.events:
        assert encode(orjson.loads(body)) == body
        assert encode(orjson.loads(obs)) == obs
    assert ended.digest == digest_of(body for _, body, _ in ended.events)
    assert [event.line for event in read(export((body, obs) for _, body, obs in ended.events))] == [1, 2, 3]


def test_obs_counts_events_and_times() -> None:
    first, called, last = observed(run(one(upper), {"text": "a"}, actor="AC_1"))
    assert [first["seq"], called["seq"], last["seq"]] == [1, 2, 3]
    assert first["trace_id"] == "T1" and first["actor"] == "AC_1" and first["started_at"].startswith("2026-01-01T")
    assert called["took_us"] == 1000 and last["took_us"] == 2000
    assert last["at_us"] - first["at_us"] == 2000


def test_the_body_holds_only_what_the_workflow_reads_of_the_run() -> None:
    nodes = [leave("done", "COMPLETED", ["map", {"by": ["ref", "run", ["actor"]]}]), leave("rejected", "REJECTED")]
    program = linked(workflow(nodes, run=["actor"]), {})
    ended = run(program, {})
    assert bodies(ended)[0]["run"] == {"actor": None}
    assert ended.result == {"by": None}


def test_a_misfit_payload_ends_at_rejected_and_no_node_runs() -> None:
    called: list[Any] = []
    schema = record_of({"text": TEXT, "n": {"type": "integer", "minimum": 1}})
    program = one(called.append, payload=schema)
    ended = run(program, {"text": 1, "n": 0, "more": None})
    assert (ended.exit, ended.status) == ("rejected", "REJECTED")
    assert ended.result == {
        "violations": [
            {"pointer": "/more", "keyword": "additionalProperties"},
            {"pointer": "/n", "keyword": "minimum"},
            {"pointer": "/text", "keyword": "type"},
        ]
    }
    assert called == []
    assert [body["kind"] for body in bodies(ended)] == ["RUN_STARTED", "RUN_FINISHED"]


def test_defaults_are_seen_by_nodes_and_not_by_the_recorded_payload() -> None:
    schema = record_of({}, {"text": {"type": "string", "default": "quiet"}})
    ended = run(one(upper, payload=schema), {})
    assert ended.result == {"said": "QUIET"}
    assert bodies(ended)[0]["payload"] == {}


def test_inputs_are_checked_and_filled_where_the_seal_says_so() -> None:
    schema = record_of({"text": {"type": "string", "maxLength": 3}}, {"mark": {"type": "string", "default": "!"}})
    program = one(lambda inputs: ("SUCCESS", {"text": inputs["text"] + inputs["mark"]}), check=schema)
    ended = run(program, {"text": "abc"})
    assert ended.result == {"said": "abc!"}
    assert bodies(ended)[1]["inputs"] == {"text": "abc", "mark": "!"}
    ended = run(program, {"text": "abcd"})
    assert faulted(ended) == {
        "reason": "input-misfit", "violations": [{"pointer": "/text", "keyword": "maxLength"}],
    }  # fmt: skip
    assert bodies(ended)[1]["inputs"] == {"text": "abcd", "mark": "!"}


def test_a_missing_optional_value_is_a_fault_that_names_it() -> None:
    program = one(upper, inputs={"text": ["ref", "payload", ["deep", "text"]]}, payload={"type": "object"})
    ended = run(program, {"deep": {}})
    assert faulted(ended) == {"reason": "missing-input", "reference": "$.payload.deep.text"}
    body = bodies(ended)[1]
    assert body["inputs"] is None and body["output"] == {} and body["outcome"] == "FAULT"


def test_raising_is_a_fault_that_names_type_and_own_frame_and_no_text() -> None:
    def broken(inputs: Any) -> Any:
        return orjson.loads("{secret")

    ended = run(one(broken), {"text": "a"})
    fault = faulted(ended)
    assert fault["reason"] == "raised" and fault["exception"] == "JSONDecodeError"
    assert fault["frame"].startswith("tests/test_walk.py:") and fault["frame"].endswith(".broken")
    assert all(b"secret" not in obs and b"secret" not in body for _, body, obs in ended.events)
    assert ended.mishaps[0].text is not None


@pytest.mark.parametrize("error", [SystemExit(3), RecursionError(), MemoryError(), AssertionError("no")])
def test_whatever_a_capability_raises_is_a_fault(error: BaseException) -> None:
    def broken(inputs: Any) -> Any:
        raise error

    assert faulted(run(one(broken), {"text": "a"}))["exception"] == type(error).__name__


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Defect("ours"), Trouble.__new__(Trouble)])
def test_an_interrupt_a_defect_and_database_trouble_end_the_walk(error: BaseException) -> None:
    def broken(inputs: Any) -> Any:
        raise error

    with pytest.raises(type(error)):
        run(one(broken), {"text": "a"})


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (("DONE", {}), "the outcome `DONE` is not declared"),
        (("FAULT", {}), "the outcome `FAULT` is not declared"),
        (None, "the answer is no pair of outcome and output but a `NoneType`"),
        ("SUCCESS", "the answer is no pair of outcome and output but a `str`"),
        ((["SUCCESS"], {}), "the answer is no pair of outcome and output but a `tuple`"),
        (("\ud800", {}), "the outcome `?` is not declared"),
    ],
)
def test_an_undeclared_outcome_is_a_fault(answer: Any, detail: str) -> None:
    ended = run(one(lambda inputs: answer), {"text": "a"})
    assert faulted(ended) == {"reason": "undeclared-outcome", "detail": detail}


@pytest.mark.parametrize(
    ("output", "pointer", "keyword"),
    [
        ({}, "/text", "required"),
        ({"text": 1}, "/text", "type"),
        ({"text": "a", "more": 1}, "/more", "additionalProperties"),
        ({"text": "\ud800"}, "/text", "canonical"),
        (["text"], "", "type"),
        (None, "", "type"),
    ],
)
def test_every_output_is_checked(output: Any, pointer: str, keyword: str) -> None:
    fault = faulted(run(one(lambda inputs: ("SUCCESS", output)), {"text": "a"}))
    assert fault == {"reason": "output-misfit", "violations": [{"pointer": pointer, "keyword": keyword}]}


def test_a_whole_float_becomes_an_integer_in_an_output() -> None:
    program = one(lambda inputs: ("SUCCESS", {"text": 3.0}), outcome=record_of({"text": {"type": "integer"}}))
    ended = run(program, {"text": "a"})
    assert ended.result == {"said": 3} and type(ended.result["said"]) is int


def test_what_a_capability_does_to_its_inputs_is_a_fault_and_changes_nothing() -> None:
    def spoil(inputs: Any) -> Any:
        inputs["text"]["list"].append(1)
        return "SUCCESS", {"text": "x"}

    whole = ["ref", "payload", ["text"]]
    nodes = [
        call("spoil", "shop::CT_SPOIL_V0", {"text": whole}, {"SUCCESS": record_of({"text": TEXT})},
             {"SUCCESS": 1, "FAULT": 1}),
        leave("done", "COMPLETED", ["map", {"seen": whole}]),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    program = linked(workflow(nodes), {"shop::CT_SPOIL_V0": spoil})
    ended = run(program, {"text": {"list": []}})
    assert observed(ended)[1]["fault"]["reason"] == "input-changed"
    assert ended.result == {"seen": {"list": []}}
    assert bodies(ended)[1]["inputs"] == {"text": {"list": []}}


def test_a_literal_cannot_be_changed_for_later_runs() -> None:
    def spoil(inputs: Any) -> Any:
        inputs["text"].append(1)
        return "SUCCESS", {"text": str(len(inputs["text"]))}

    program = one(spoil, inputs={"text": ["lit", []]})
    assert [run(program, {"text": ""}).result for _ in range(2)] == [{"said": "1"}] * 2


def test_fault_gives_nothing_to_later_nodes() -> None:
    nodes = [
        call("a", "shop::CT_SHOUT_V0", {"text": ["lit", 1]}, {"SUCCESS": record_of({"text": TEXT})},
             {"SUCCESS": 1, "FAULT": 1}),
        leave("done", "COMPLETED", ["map", {"said": ["first", [["ref", 0, ["text"]], ["lit", "nothing"]]]}]),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    assert run(linked(workflow(nodes), {"shop::CT_SHOUT_V0": upper}), {}).result == {"said": "nothing"}


def test_an_exit_whose_result_is_absent_goes_on_along_its_fault_edge() -> None:
    nodes = [
        leave("done", "COMPLETED", ["map", {"said": PAYLOAD}], {"FAULT": 1}),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]
    program = linked(workflow(nodes), {})
    assert run(program, {"text": "a"}).result == {"said": "a"}
    ended = run(program, {})
    assert faulted(ended) == {"reason": "missing-input", "reference": "$.payload.text"}
    assert bodies(ended)[1] == {
        "kind": "COMPUTED", "path": "done", "capability": None, "effect": None, "inputs": None, "outcome": "FAULT",
        "output": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("template", "payload", "expected"),
    [
        (["ref", "payload", ["list", -1]], {"list": [1, 2]}, 2),
        (["ref", "payload", ["list", 0, "a"]], {"list": [{"a": None}]}, None),
        (["ref", "payload", []], {"a": 1}, {"a": 1}),
        (["list", [["lit", 1], ["ref", "payload", ["a"]]]], {"a": 2}, [1, 2]),
        (["map", {"x": ["map", {}], "y": ["lit", [1]], "z": ["lit", 0]}], {}, {"x": {}, "y": [1], "z": 0}),
        (["first", [["ref", "payload", ["a"]], ["ref", "payload", ["b"]]]], {"b": None}, None),
        (["first", [["ref", "payload", ["a"]], ["ref", "payload", ["b"]]]], {"a": None, "b": 1}, None),
        (["first", [["ref", 0, ["a"]], ["ref", "payload", ["a"]], ["lit", 2]]], {"a": 1}, 1),
        (["ref", "run", ["id"]], {}, "T1"),
    ],
)
def test_templates(template: Any, payload: Any, expected: Any) -> None:
    nodes = [leave("done", "COMPLETED", ["map", {"x": template}]), leave("rejected", "REJECTED")]
    assert run(linked(workflow(nodes, run=["id"]), {}), payload).result == {"x": expected}


@pytest.mark.parametrize(
    ("template", "payload", "reference"),
    [
        (["ref", "payload", ["text", 0]], {"text": "letters are no items"}, "$.payload.text[0]"),
        (["ref", "payload", ["list", 2]], {"list": [1, 2]}, "$.payload.list[2]"),
        (["ref", "payload", [0]], {"0": 1}, "$.payload[0]"),
        (["ref", "payload", ["a b", "it's"]], {"a b": 1}, "$.payload['a b']['it\\'s']"),
        (["first", [["ref", "payload", ["a"]], ["ref", "payload", ["b"]]]], {}, "$.payload.b"),
        (["list", [["lit", 1], ["map", {"x": ["ref", "payload", ["c"]]}]]], {}, "$.payload.c"),
    ],
)
def test_what_is_not_there_is_named(template: Any, payload: Any, reference: str) -> None:
    program = one(upper, inputs={"text": template}, payload={"type": "object"})
    assert faulted(run(program, payload))["reference"] == reference


def broken_at(change: Callable[[Any], None]) -> Any:
    nodes = [
        call("a", "shop::CT_SHOUT_V0", {"text": PAYLOAD}, {"SUCCESS": record_of({"text": TEXT})},
             {"SUCCESS": 1, "FAULT": 1}),
        leave("done", "COMPLETED"),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    sealed = workflow(nodes)
    change(sealed)
    return sealed


@pytest.mark.parametrize(
    "change",
    [
        lambda sealed: sealed.update(format="omnibachi.workflow/9"),
        lambda sealed: sealed.pop("nodes"),
        lambda sealed: sealed.update(start=7),
        lambda sealed: sealed.update(start=True),
        lambda sealed: sealed["nodes"][0]["next"].update(SUCCESS=0),
        lambda sealed: sealed["nodes"][0]["next"].update(SUCCESS=9),
        lambda sealed: sealed["nodes"][0]["next"].update(SUCCESS="1"),
        lambda sealed: sealed["nodes"][0]["next"].pop("FAULT"),
        lambda sealed: sealed["nodes"][0].update(use="shop::CT_OTHER_V0"),
        lambda sealed: sealed["nodes"][0].update(effect="IDEMPOTENT"),
        lambda sealed: sealed["nodes"][0].update(kind="LEAP"),
        lambda sealed: sealed["nodes"][0].update({"with": ["eval", "1"]}),
        lambda sealed: sealed["nodes"][0].update({"with": ["map", {"text": ["ref", 9, ["x"]]}]}),
        lambda sealed: sealed["nodes"][0]["outcomes"].update(SUCCESS={"type": "text"}),
        lambda sealed: sealed.update(payload=None),
        lambda sealed: sealed.update(nodes=[None]),
    ],
)
def test_a_sealed_form_of_the_wrong_shape_is_refused_when_linked(change: Callable[[Any], None]) -> None:
    linked(broken_at(lambda sealed: None), {"shop::CT_SHOUT_V0": upper})
    with pytest.raises(Malformed):
        linked(broken_at(change), {"shop::CT_SHOUT_V0": upper})


def test_the_runtime_touches_no_clock_chance_network_or_thread_of_its_own() -> None:
    import ast
    from pathlib import Path

    import omnibachi_runtime

    allowed = {
        "builtins",
        "hashlib",
        "orjson",
        "omnibachi_model",
        "re",
        "operator",
        "math",
        "__future__",
        "collections",
        "types",
        "typing",
    }
    for path in Path(omnibachi_runtime.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            assert {name.partition(".")[0] for name in names} <= allowed, path.name
    assert "omnibachi_runtime" in sys.modules
