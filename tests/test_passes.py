"""Doors of what was inlined: silent while all goes well, an event of their own where inputs cannot be or do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from handmade import TEXT, bodies, leave, observed, record_of, run
from looped import ANSWERS, FUNCTIONS, NUMBER, called, door, each, end, program, ran, ref, step, walked
from omnibachi_model.diagnostics import Refused
from omnibachi_model.digests import encode
from omnibachi_runtime.link import Malformed

NAMED = record_of({"n": NUMBER}, {"by": {"type": "string", "default": "nobody"}})
VIOLATIONS = [{"pointer": "/n", "keyword": "type"}]


def contract(check: Any = None, gate: bool = False, given: Any = None) -> list[dict[str, Any]]:
    """Return a caller `license` whose contract asks twice and gives what came of it."""
    routes = {"SUCCESS": "license/first", "FAULT": "failed", **({"rejected": "refused"} if gate and check else {})}
    ends = {"SUCCESS": "license/second", "ODD": "license/ODD", "FAULT": "failed"}
    tier = ["first", [ref("license/SUCCESS", "tier"), ref("license/ODD", "tier"), ["lit", None]]]
    return [
        door("license", given or ["map", {"n": ref("payload", "n")}], routes, check=check, gate=gate),
        step("license/first", {"n": ref("license", "n")}, ANSWERS, ends),
        step("license/second", {"n": ref("license/first", "double")}, ANSWERS, {**ends, "SUCCESS": "license/SUCCESS"}),
        door("license/SUCCESS", ["map", {"tier": ref("license/second", "double"), "by": ref("license", "by")}],
             {"SUCCESS": "done", "FAULT": "failed"}),
        door("license/ODD", ["map", {"tier": ref("license/first", "n")}], {"SUCCESS": "done", "FAULT": "failed"}),
        leave("done", "COMPLETED", ["map", {"tier": tier}]),
        leave("refused", "REJECTED"),
    ]  # fmt: skip


def test_doors_are_silent_and_hand_on_what_was_given() -> None:
    ended = ran(contract(check=NAMED), FUNCTIONS, {"n": 2})
    assert walked(ended) == ["license/first", "license/second", "done"]
    assert ended.result == {"tier": 8}
    # A default of the contract's inputs is there for whoever reads it.
    assert ended.values[0] == {"n": 2, "by": "nobody"} and ended.values[3] == {"tier": 8, "by": "nobody"}
    assert "attempts" not in observed(ended)[1]


def test_what_an_outcome_gives_that_is_not_there_is_a_fault_of_its_door() -> None:
    ended = ran(contract(), FUNCTIONS, {"n": 2})
    assert walked(ended) == ["license/first", "license/second", "license/SUCCESS", "failed"]
    assert bodies(ended)[-2] == {
        "kind": "COMPUTED", "path": "license/SUCCESS", "capability": None, "effect": None, "inputs": None,
        "outcome": "FAULT", "output": {},
    }  # fmt: skip
    assert ended.mishaps[0].fault == {"reason": "missing-input", "reference": "$.inputs.by"}


@pytest.mark.parametrize(
    ("given", "reference"),
    [
        (["map", {"n": ref("payload", "who", "n")}], "$.payload.who.n"),
        (["map", {"n": ["first", [ref("license/first", "n"), ref("license/ODD", "tier")]]}], "$.nodes.license.tier"),
    ],
)
def test_inputs_that_are_not_there_are_a_fault_of_the_first_door(given: Any, reference: str) -> None:
    nodes = contract(given=given)
    ended = ran(nodes, FUNCTIONS, {"n": 2})
    assert walked(ended) == ["license", "failed"]
    assert ended.mishaps[0].fault == {"reason": "missing-input", "reference": reference}


def test_inputs_that_do_not_fit_a_contract_are_a_fault() -> None:
    ended = ran(contract(check=NAMED), FUNCTIONS, {"n": "2"})
    assert walked(ended) == ["license", "failed"]
    body = bodies(ended)[1]
    assert (body["kind"], body["inputs"], body["outcome"]) == ("COMPUTED", {"by": "nobody", "n": "2"}, "FAULT")
    assert ended.mishaps[0].fault == {"reason": "input-misfit", "violations": VIOLATIONS}


def test_a_payload_that_does_not_fit_an_inlined_workflow_is_rejected_and_no_fault() -> None:
    ended = ran(contract(check=NAMED, gate=True), FUNCTIONS, {"n": "2"})
    assert walked(ended) == ["license", "refused"] and ended.mishaps == []
    assert bodies(ended)[1] == {
        "kind": "COMPUTED", "path": "license", "capability": None, "effect": None,
        "inputs": {"by": "nobody", "n": "2"}, "outcome": "rejected", "output": {"violations": VIOLATIONS},
    }  # fmt: skip
    assert encode(bodies(ended)[1]) == ended.events[1][1]
    assert "fault" not in observed(ended)[1] and ended.values[0] is None
    missing = ran([*contract(check=NAMED, gate=True)], FUNCTIONS, {})
    assert walked(missing) == ["license", "failed"], "what cannot be built is a fault, also at a gate"


def test_a_gate_inside_a_loop_rejects_single_items() -> None:
    nodes = [
        each("go", ref("payload", "items"), "go[]",
             {"SUCCESS": "done", "PARTIAL": "done", "FAILED": "done", "FAULT": "failed"}),
        door("go[]", ["map", {"n": ref("go", "one")}],
             {"SUCCESS": "go[]/ask", "FAULT": "go[]/FAULT", "rejected": "go[]/rejected"},
             of="go", check=NAMED, gate=True),
        step("go[]/ask", {"n": ref("go[]", "n")}, ANSWERS,
             {"SUCCESS": "go[]/SUCCESS", "ODD": "go[]/SUCCESS", "FAULT": "go[]/FAULT"}, of="go"),
        door("go[]/SUCCESS", ["map", {"by": ref("go[]", "by")}],
             {"SUCCESS": "go[]/SUCCESS.", "FAULT": "go[]/FAULT"}, of="go"),
        end("go[]/SUCCESS.", "go", "SUCCESS", ref("go[]/SUCCESS")),
        end("go[]/rejected", "go", "rejected"),
        end("go[]/FAULT", "go", "FAULT"),
        leave("done", "COMPLETED", ["map", {"items": ref("go", "items")}]),
    ]  # fmt: skip
    ended = ran(nodes, FUNCTIONS, {"items": [2, "x", 4]})
    assert walked(ended) == ["go[0]/ask", "go[1]", "go[2]/ask", "go", "done"]
    told = {"outcome": "SUCCESS", "by": "nobody"}
    assert ended.result == {"items": [told, {"outcome": "rejected"}, told]}


def test_a_default_is_the_same_for_every_call() -> None:
    """A capability that changes a list which came from a default changes nothing for the next run."""
    schema = record_of({}, {"list": {"type": "array", "default": []}})

    def spoil(inputs: Any) -> Any:
        inputs["list"].append(len(inputs["list"]))
        return "SUCCESS", {}

    outcomes = {"SUCCESS": record_of()}
    nodes = [
        step("ask", {}, outcomes, {"SUCCESS": "done", "FAULT": "failed"}, check=schema),
        leave("done", "COMPLETED"),
    ]
    found = program(nodes, {"shop::CT_STEP_V0": spoil}, journal=False)
    for _ in range(2):
        ended = run(found, {})
        assert (bodies(ended)[1]["inputs"], ended.mishaps[0].fault["reason"]) == ({"list": []}, "input-changed")


def test_what_is_read_through_a_door_cannot_be_changed() -> None:
    def spoil(inputs: Any) -> Any:
        inputs["n"]["deep"] = 1
        return "SUCCESS", {"double": 1}

    nodes = [*contract(), leave("failed", "FAILED", ["map", {"seen": ref("payload", "n")}])]
    ended = ran(nodes, {"shop::CT_STEP_V0": spoil}, {"n": {"deep": 0}})
    assert (ended.mishaps[0].fault["reason"], ended.result) == ("input-changed", {"seen": {"deep": 0}})


@pytest.mark.parametrize("checked", [True, False])
def test_texts_behind_doors_and_items_are_handed_on_and_records_are_copied(checked: bool) -> None:
    """Only what others could still read is copied for the call: the very text is what the payload held."""
    seen: list[Any] = []

    def note(inputs: Any) -> Any:
        seen.append(inputs)
        return "SUCCESS", {}

    schema = record_of({"text": TEXT, "list": {"type": "array", "items": {"type": "array"}}})
    given = ["map", {"text": ref("payload", "text"), "list": ref("payload", "list")}]
    crash = {"FAULT": "failed"}
    routes = {"SUCCESS": "license/text", **crash}
    outcomes = {"SUCCESS": record_of()}
    loop = {"SUCCESS": "done", "PARTIAL": "done", "FAILED": "done", "FAULT": "failed"}
    nodes = [
        door("license", given, routes, check=schema if checked else None),
        step(
            "license/text", {"text": ref("license", "text")}, outcomes, {"SUCCESS": "license/list", "FAULT": "failed"}
        ),
        step("license/list", {"list": ref("license", "list")}, outcomes, {"SUCCESS": "go", **crash}),
        each("go", ref("license", "list"), "go[]", loop),
        *called("go", step("go[]", {"item": ref("go", "one")}, outcomes, {}), ("SUCCESS",)),
    ]
    payload = {"text": "a text that is long enough to be no constant" * 2, "list": [[1], [2]]}
    found = program(nodes, {"shop::CT_STEP_V0": note}, payload=schema, journal=False)
    ended = run(found, payload)
    assert ended.exit == "done" and seen[0]["text"] is payload["text"]
    assert seen[1]["list"] == payload["list"] and seen[1]["list"] is not payload["list"]
    assert [item["item"] for item in seen[2:]] == [[1], [2]]
    assert not any(item["item"] is given for item, given in zip(seen[2:], payload["list"], strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {"gate": True, "check": None, "next": {"SUCCESS": "done", "FAULT": "failed", "rejected": "failed"}},
        {"gate": False, "check": NAMED, "next": {"SUCCESS": "done", "FAULT": "failed", "rejected": "failed"}},
        {"gate": True, "check": NAMED},
        {"check": NAMED, "next": {"SUCCESS": "done"}},
        {"next": {"FAULT": "failed"}},
        {"with": ["read", "payload"]},
        {"check": {"type": "text"}},
        {"of": "done"},
    ],
)
def test_an_edited_door_is_refused_when_it_is_linked(change: Any) -> None:
    nodes = [door("one", ["map", {}], {"SUCCESS": "done", "FAULT": "failed"})]
    program(nodes, {})
    with pytest.raises(Malformed):
        program([{**nodes[0], **change}], {})


def test_a_door_that_cannot_fault_and_does_is_refused_when_it_is_reached() -> None:
    nodes = [door("one", ["map", {"n": ref("payload", "n")}], {"SUCCESS": "done"})]
    assert ran(nodes, {}, {"n": 1}).exit == "done"
    with pytest.raises(Refused) as refused:
        ran(nodes, {}, {})
    assert refused.value.diagnostics[0].code == "OB608"


def test_loops_and_calls_after_a_door_of_text() -> None:
    """Whatever a door builds is what its readers see, text too; a body that is no record ends nothing."""
    nodes = [
        door("license", ["map", {"text": ref("payload", "text")}], {"SUCCESS": "go", "FAULT": "failed"},
             check=record_of({"text": TEXT})),
        each("go", ["list", [ref("license", "text"), ref("license", "text")]], "go[]",
             {"SUCCESS": "done", "FAILED": "done", "PARTIAL": "done", "FAULT": "failed"}),
        *called("go", step("go[]", {"n": ["lit", 2]}, ANSWERS, {}), ("SUCCESS", "ODD")),
    ]  # fmt: skip
    assert walked(ran(nodes, FUNCTIONS, {"text": "a"})) == ["go[0]", "go[1]", "go", "done"]
