"""The recorded walk: it answers from the record, computes the rest again, and stops at the first difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import orjson
import pytest

from handmade import EPOCH_NS, OPEN, TEXT, bodies, call, leave, linked, record_of, run, workflow
from omnibachi_model.digests import encode
from omnibachi_model.formats import write_time
from omnibachi_model.record import RESUMED_BODY
from omnibachi_runtime.link import Program
from omnibachi_runtime.recorded import Difference, retrace
from omnibachi_runtime.walk import Start, Walk, go_on

Recorded = tuple[str, bytes, bytes]
LABEL, ASK = "shop::CT_LABEL_V0", "shop::CS_ASK_V0.ASK"
NUMBER = {"type": "integer"}
PAYLOAD = record_of({"text": TEXT, "count": NUMBER}, {"more": TEXT, "list": {"type": "array"}})
ASKED = {"text": "tea", "count": 3}
LAST = 6


def label(inputs: Any) -> Any:
    if inputs["text"] == "crash":
        raise ValueError("no crashing")
    return "SUCCESS", {"text": inputs["text"].upper()}


def ask(inputs: Any, store: Any, call: Any) -> Any:
    if inputs["text"] == "STORM":
        raise OSError("no answer")
    return ("SUCCESS", {"price": len(inputs["text"]) * 10}) if inputs["text"] else ("NOT_FOUND", {})


FUNCTIONS: dict[str, Callable[..., Any]] = {LABEL: label, ASK: ask}


def shop(functions: Mapping[str, Callable[..., Any]] = FUNCTIONS, optional: str | None = None) -> Program:
    """Link: a transform, a read, a decision, a computation, an exit; `optional` is a member that the result reads."""
    quantity = ["ref", "payload", ["count"]]
    rows = [
        {"when": ["lt", ["name", "price"], ["lit", 100]], "outcome": "SUCCESS", "because": "it is cheap"},
        {"when": None, "outcome": "DEAR", "because": None},
    ]
    result = {"total": ["ref", 3, ["total"]]}
    if optional:
        result["more"] = ["ref", "payload", [optional]]
    nodes = [
        call("label", LABEL, {"text": ["ref", "payload", ["text"]]}, {"SUCCESS": record_of({"text": TEXT})},
             {"SUCCESS": 1, "FAULT": 5}),
        call("ask", ASK, {"text": ["ref", 0, ["text"]]},
             {"SUCCESS": record_of({"price": NUMBER}), "NOT_FOUND": record_of()},
             {"SUCCESS": 2, "NOT_FOUND": 5, "FAULT": 5}, "READ"),
        {"kind": "DECIDE", "name": "cheap", "with": {"price": ["ref", 1, ["price"]]}, "rows": rows,
         "next": {"SUCCESS": 3, "DEAR": 5, "FAULT": 5}},
        {"kind": "COMPUTE", "name": "total", "with": {"price": ["ref", 1, ["price"]], "quantity": quantity},
         "fields": {"total": ["mul", ["name", "price"], ["name", "quantity"]]}, "next": {"SUCCESS": 4, "FAULT": 5}},
        leave("done", "COMPLETED", ["map", result], {"FAULT": 5} if optional else None),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    return linked(workflow(nodes, PAYLOAD, journal=False, run=["started_at"]), functions)


class Untouched:
    """A clock, chance and journal that nobody may touch."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name} was asked for")

    def now_ns(self) -> NoReturn:
        raise AssertionError("the clock was read")


def begun(clock: Any = None) -> Start:
    """Return what the runs here began with, as their record has it."""
    nothing: Any = Untouched()
    first = EPOCH_NS + 1_000_000
    return Start("T1", first, write_time(first), None, b"", clock or nothing, nothing, None)


def again(program: Program, events: list[Recorded]) -> tuple[Walk, int]:
    return retrace(program, begun(), events)


def forbidden(*_: Any) -> NoReturn:
    raise AssertionError("a side effect was asked again")


def asked_no_more(**more: Callable[..., Any]) -> Program:
    return shop({LABEL: label, ASK: forbidden, **more})


@pytest.mark.parametrize(
    ("payload", "optional", "exit"),
    [
        (ASKED, None, "done"),
        ({**ASKED, "more": "milk"}, "more", "done"),
        (ASKED, "more", "failed"),  # the exit reads what is not there
        ({**ASKED, "text": "a" * 10}, None, "failed"),  # too dear, so the total that the exit reads was passed by
        ({**ASKED, "text": ""}, None, "failed"),
        ({**ASKED, "text": "crash"}, None, "failed"),
        ({**ASKED, "text": "storm"}, None, "failed"),
        ({**ASKED, "count": 2**53 - 1}, None, "failed"),  # the product is no integer that can be recorded
        ({"text": 1, "count": 3}, None, "rejected"),
    ],
)
def test_a_record_gives_the_same_walk_and_nothing_is_touched(
    payload: dict[str, Any], optional: str | None, exit: str
) -> None:
    ended = run(shop(optional=optional), payload)
    found, index = again(shop({LABEL: label, ASK: forbidden}, optional), ended.events)
    assert index < 0
    assert found.events == ended.events
    assert (found.exit, found.status, found.result, found.digest) == (exit, ended.status, ended.result, ended.digest)
    assert [mishap.fault for mishap in found.mishaps] == [mishap.fault for mishap in ended.mishaps]


@pytest.mark.parametrize("kept", range(1, 6))
def test_from_every_prefix_the_walk_goes_on_to_the_same_end(kept: int) -> None:
    ended = run(shop(), ASKED)
    found, index = again(shop(), ended.events[:kept])
    assert found.program.names[index] == ["label", "ask", "cheap", "total", "done"][kept - 1]
    found.now_ns = lambda: EPOCH_NS
    assert go_on(found, index).digest == ended.digest


def test_a_resumption_in_the_record_is_kept_and_no_step() -> None:
    ended = run(shop(), ASKED)
    obs = b'{"at_us":1,"seq":0}'
    events = [ended.events[0], ("", RESUMED_BODY, obs), *ended.events[1:3], ("", RESUMED_BODY, obs), *ended.events[3:]]
    found, _ = again(asked_no_more(), events)
    assert found.events == events
    assert found.digest == ended.digest
    cut, index = again(asked_no_more(), events[:5])
    assert (cut.events, cut.program.names[index]) == (events[:5], "cheap")


def spoilt(events: list[Recorded], at: int, **members: Any) -> list[Recorded]:
    """Return events of which one body has other members."""
    path, body, obs = events[at]
    return [*events[:at], (path, encode({**orjson.loads(body), **members}), obs), *events[at + 1 :]]


@pytest.mark.parametrize(
    ("at", "field", "value", "path", "recomputed"),
    [
        (0, "workflow", "shop::WF_OTHER_V0", "", "shop::WF_TEST_V0"),
        (0, "run", {"started_at": "2025-01-01T00:00:00.000Z"}, "", {"started_at": "2026-01-01T00:00:00.001Z"}),
        (1, "inputs", {"text": "coffee"}, "label", {"text": "tea"}),
        (1, "output", {"text": "COFFEE"}, "label", {"text": "TEA"}),
        (1, "outcome", "FAULT", "label", "SUCCESS"),
        (1, "capability", "shop::CT_OTHER_V0", "label", LABEL),
        (2, "inputs", {"text": "COFFEE"}, "ask", {"text": "TEA"}),
        (2, "capability", "shop::CS_OTHER_V0.ASK", "ask", ASK),
        (2, "effect", "MUTABLE", "ask", "READ"),
        (2, "kind", "COMPUTED", "ask", "CALLED"),
        (2, "outcome", "PERHAPS", "ask", ["NOT_FOUND", "SUCCESS"]),
        (2, "outcome", ["SUCCESS"], "ask", ["NOT_FOUND", "SUCCESS"]),
        (2, "output", {"price": "30"}, "ask", {"violations": [{"pointer": "/price", "keyword": "type"}]}),
        (2, "path", "cheap", "ask", "ask"),
        (3, "row", 1, "cheap", 0),
        (3, "because", "it is free", "cheap", "it is cheap"),
        (3, "outcome", "DEAR", "cheap", "SUCCESS"),
        (4, "output", {"total": 91}, "total", {"total": 90}),
        (5, "exit", "failed", "done", "done"),
        (5, "status", "DENIED", "done", "COMPLETED"),
        (5, "result", {"total": 91}, "done", {"total": 90}),
    ],
)
def test_the_first_difference_is_named(at: int, field: str, value: Any, path: str, recomputed: Any) -> None:
    events = spoilt(run(shop(), ASKED).events, at, **{field: value})
    with pytest.raises(Difference) as caught:
        again(asked_no_more(), events)
    found = caught.value
    assert (found.path, found.field, found.recorded, found.recomputed) == (path, field, value, recomputed)


def test_another_answer_leads_elsewhere_and_the_record_does_not() -> None:
    events = spoilt(run(shop(), ASKED).events, 2, outcome="NOT_FOUND", output={})
    with pytest.raises(Difference) as caught:
        again(asked_no_more(), events)
    assert (caught.value.path, caught.value.field) == ("failed", "path")
    assert (caught.value.recorded, caught.value.recomputed) == ("cheap", "failed")


def test_an_answer_changes_what_follows_from_it() -> None:
    events = spoilt(run(shop(), ASKED).events, 2, output={"price": 31})
    with pytest.raises(Difference) as caught:
        again(asked_no_more(), events)
    assert (caught.value.path, caught.value.field, caught.value.recomputed) == ("cheap", "inputs", {"price": 31})


def test_lines_removed_added_and_swapped_are_differences() -> None:
    events = run(shop(), ASKED).events
    for spoiled, path, recorded in (
        ([*events[:2], *events[3:]], "ask", "cheap"),
        ([*events[:2], events[1], *events[2:]], "ask", "label"),
        ([events[0], events[2], events[1], *events[3:]], "label", "ask"),
        ([*events[:4], events[5]], "total", "done"),
        ([*events, events[4]], "", "total"),
        ([*events, events[5]], "", "done"),
    ):
        with pytest.raises(Difference) as caught:
            again(asked_no_more(), spoiled)
        assert (caught.value.path, caught.value.field, caught.value.recorded) == (path, "path", recorded)


def test_a_rejection_is_recomputed_too() -> None:
    events = run(shop(), {"text": "tea"}).events
    with pytest.raises(Difference) as caught:
        again(shop(), spoilt(events, 1, result={"violations": []}))
    assert (caught.value.path, caught.value.field) == ("rejected", "result")
    with pytest.raises(Difference) as caught:
        again(shop(), events[:1])
    assert (caught.value.field, caught.value.recomputed) == ("exit", "rejected")
    with pytest.raises(Difference) as caught:
        again(shop(), spoilt(run(shop(), ASKED).events, 0, payload={"text": 1}))
    assert (caught.value.path, caught.value.field) == ("rejected", "path")


@pytest.mark.parametrize("payload", [None, [], 2**53, {"text": "tea", "count": 3, "list": [2**60]}])
def test_a_payload_that_no_run_can_have_is_a_difference(payload: Any) -> None:
    with pytest.raises(Difference):
        again(shop(), spoilt(run(shop(), ASKED).events, 0, payload=payload))


def test_a_changed_transform_is_found() -> None:
    ended = run(shop(), ASKED)
    with pytest.raises(Difference) as caught:
        again(asked_no_more(**{LABEL: lambda inputs: ("SUCCESS", {"text": inputs["text"].lower()})}), ended.events)
    assert (caught.value.path, caught.value.field) == ("label", "output")
    with pytest.raises(Difference) as caught:
        again(asked_no_more(**{LABEL: lambda inputs: 1 / 0}), ended.events)
    assert (caught.value.path, caught.value.field, caught.value.recomputed) == ("label", "outcome", "FAULT")


def test_the_recorded_obs_are_kept_and_a_fault_keeps_its_reason() -> None:
    ended = run(shop(), {**ASKED, "text": "storm"})
    found, _ = again(asked_no_more(), ended.events)
    assert [obs for _, _, obs in found.events] == [obs for _, _, obs in ended.events]
    (mishap,) = found.mishaps
    assert (mishap.node, mishap.capability, mishap.fault["exception"]) == ("ask", ASK, "OSError")
    assert mishap.text is None, "what an exception said is in no record"
    # An obs that says nothing of a reason is for the verifier to judge.
    path, body, _ = ended.events[2]
    silent, _ = again(asked_no_more(), [*ended.events[:2], (path, body, b"{}"), *ended.events[3:]])
    assert silent.mishaps == []


def test_what_a_capability_did_to_shared_values_is_undone_as_in_the_first_walk() -> None:
    def spoil(inputs: Any) -> Any:
        inputs["list"].append("spoilt")
        return "SUCCESS", {}

    def keep(inputs: Any, store: Any, call: Any) -> Any:
        return "SUCCESS", {"text": str(len(inputs["list"]))}

    shared = {"list": ["ref", "payload", ["list"]]}
    nodes = [
        call("keep", ASK, shared, {"SUCCESS": record_of({"text": TEXT})}, {"SUCCESS": 1, "FAULT": 3}, "READ"),
        call("spoil", LABEL, shared, {"SUCCESS": record_of()}, {"SUCCESS": 3, "FAULT": 2}),
        leave("done", "COMPLETED", ["map", {"said": ["ref", 0, ["text"]], "list": ["ref", "payload", ["list"]]}]),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]
    sealed = workflow(nodes, record_of({"list": {"type": "array", "items": OPEN}}), journal=False)
    ended = run(linked(sealed, {LABEL: spoil, ASK: keep}), {"list": ["a"]})
    assert ended.result == {"list": ["a"], "said": "1"}
    found, _ = retrace(linked(sealed, {LABEL: spoil, ASK: forbidden}), begun(), ended.events)
    assert found.result == ended.result
    assert bodies(found) == bodies(ended)


def test_inputs_that_do_not_fit_are_a_fault_without_a_call() -> None:
    check = record_of({"text": {"type": "string", "maxLength": 3}})
    nodes = [
        call("ask", ASK, {"text": ["ref", "payload", ["text"]]}, {"SUCCESS": record_of()},
             {"SUCCESS": 1, "FAULT": 2}, "READ", check=check),
        leave("done", "COMPLETED"),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    sealed = workflow(nodes, record_of({"text": TEXT}), journal=False)
    ended = run(linked(sealed, {ASK: ask}), {"text": "coffee"})
    program = linked(sealed, {ASK: forbidden})
    found, _ = retrace(program, begun(), ended.events)
    assert (found.exit, found.mishaps[0].fault["reason"]) == ("failed", "input-misfit")
    with pytest.raises(Difference) as caught:
        retrace(program, begun(), spoilt(ended.events, 1, outcome="SUCCESS"))
    assert (caught.value.path, caught.value.field, caught.value.recomputed) == ("ask", "outcome", "FAULT")
