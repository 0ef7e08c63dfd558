"""Loops as they are compiled: which outcomes they have, what these give, and how they are sealed."""

from __future__ import annotations

from typing import Any

import pytest

from looping import compiled, sealed
from omnibachi_compiler.links import Linked

HEAD = """
intent: IN_TEST_V0
payload:
  type: object
  properties:
    open: {type: array}
    three: {type: array, maxItems: 3, items: {type: string}}
    word: {type: string, enum: [a, b]}
    any: {}
    deep: {type: object, properties: {list: {type: array, maxItems: 2}}, required: [list]}
  required: [open, three, word, any, deep]
---
transform: CT_STEP_V0
summary: Step.
inputs: {x: {}}
outcomes:
  SUCCESS: {done: {type: boolean}, part: {type: integer, optional: true}, list: {type: array, maxItems: 4}}
  LOST: {why: {type: string}}
---
store: ST_KEPT_V0
governed_by: CS_RECORDS_V0
record: {type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}
---
"""
FLOW = """workflow: WF_TEST_V0
summary: Test.
intent: IN_TEST_V0
start: loop
fault: failed
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
nodes:
"""


def text(*nodes: str, more: str = "") -> str:
    """Return a workspace with one workflow of these nodes, each routed by the workflow."""
    written = "".join(f"  {node}\n" for node in nodes)
    common = ["SUCCESS"]
    for key, outcomes in (("each:", ["PARTIAL", "FAILED", "OVERFLOW"]), ("repeat:", ["EXHAUSTED", "LOST"]),
                          ("all:", ["FAILED"]), ("step: {use", ["LOST"])):  # fmt: skip
        common += outcomes if key in written else []
    routes = ", ".join(f"{outcome}: done" for outcome in common)
    return f"{HEAD}{more}{FLOW}{written}next: {{{routes}}}\n"


def linked(*nodes: str, more: str = "", loop: str = "loop") -> Linked:
    """Return a node of a workflow in which nothing is wrong."""
    compilation = compiled(text(*nodes, more=more), "CT_STEP_V0")
    assert compilation.sealed is not None, [(item.code, item.message) for item in compilation.diagnostics]
    (flow,) = [item for item in compilation.workflows if item.graph.address == "shop::WF_TEST_V0"]
    return flow.graph.nodes[loop]


def nodes_of(*nodes: str, more: str = "") -> list[dict[str, Any]]:
    """Return the sealed nodes of a workflow in which nothing is wrong."""
    found: list[dict[str, Any]] = sealed(compiled(text(*nodes, more=more), "CT_STEP_V0"))["nodes"]
    return found


EVERY = "SUCCESS PARTIAL FAILED"


@pytest.mark.parametrize(
    ("items", "most", "good", "outcomes"),
    [
        ("$.payload.open", 9, "[SUCCESS]", f"{EVERY} OVERFLOW"),
        ("$.payload.three", 3, "[SUCCESS]", EVERY),
        ("$.payload.three", 2, "[SUCCESS]", f"{EVERY} OVERFLOW"),
        ("$.payload.deep.list", 2, "[LOST]", EVERY),
        ("$.payload.any", 10_000, "[SUCCESS, LOST]", "SUCCESS OVERFLOW"),
        ("[1, 2]", 2, "[SUCCESS]", EVERY),
        ("[1, 2, 3]", 2, "[SUCCESS]", f"{EVERY} OVERFLOW"),
        ("[]", 1, "[SUCCESS, LOST]", "SUCCESS"),
        ("{$literal: [$.payload.open, 2]}", 2, "[SUCCESS, LOST]", "SUCCESS"),
        ("{$first: [$.payload.three, [1, 2, 3, 4]]}", 4, "[SUCCESS, LOST]", "SUCCESS"),
        ("{$first: [$.payload.three, [1, 2, 3, 4]]}", 3, "[SUCCESS, LOST]", "SUCCESS OVERFLOW"),
    ],
)
def test_the_outcomes_of_an_each(items: str, most: int, good: str, outcomes: str) -> None:
    loop = linked(f"loop: {{each: {items}, max: {most}, use: CT_STEP_V0, with: {{x: $.each.item}}, good: {good}}}")
    assert list(loop.outcomes) == outcomes.split()
    assert set(loop.targets) == {*outcomes.split(), "FAULT"}


@pytest.mark.parametrize(("most", "overflow"), [(4, False), (3, True)])
def test_the_length_of_a_list_that_a_node_gives(most: int, overflow: bool) -> None:
    first = "step: {use: CT_STEP_V0, with: {x: 1}, next: {SUCCESS: loop}}"
    loop = f"loop: {{each: $.nodes.step.list, max: {most}, use: CT_STEP_V0, with: {{x: 1}}}}"
    flow = text(first, loop).replace("start: loop", "start: step")
    (checked,) = compiled(flow, "CT_STEP_V0").workflows
    assert ("OVERFLOW" in checked.graph.nodes["loop"].outcomes) is overflow


@pytest.mark.parametrize(("most", "overflow"), [(7, False), (6, True)])
def test_a_loop_over_what_a_loop_gives(most: int, overflow: bool) -> None:
    first = "first: {each: $.payload.open, max: 7, use: CT_STEP_V0, with: {x: 1}, next: {SUCCESS: loop}}"
    loop = f"loop: {{each: $.nodes.first.items, max: {most}, use: CT_STEP_V0, with: {{x: $.each.item.outcome}}}}"
    flow = text(first, loop).replace("start: loop", "start: first")
    (checked,) = compiled(flow, "CT_STEP_V0").workflows
    assert ("OVERFLOW" in checked.graph.nodes["loop"].outcomes) is overflow


def test_what_an_each_gives() -> None:
    outcomes = linked("loop: {each: $.payload.open, max: 5, use: CT_STEP_V0, with: {x: 1}}").outcomes
    (success,) = [outcomes["SUCCESS"]["properties"]["items"]]
    assert (success.get("minItems", 0), success["maxItems"]) == (0, 5)
    assert success["items"]["properties"]["outcome"] == {"type": "string", "enum": ["SUCCESS"]}
    assert success["items"]["required"] == ["done", "list", "outcome"]
    partial = outcomes["PARTIAL"]["properties"]["items"]
    assert (partial["minItems"], partial["items"]["required"]) == (2, ["outcome"])
    assert sorted(partial["items"]["properties"]["outcome"]["enum"]) == ["LOST", "SUCCESS"]
    assert outcomes["FAILED"]["properties"]["items"]["minItems"] == 1
    assert outcomes["OVERFLOW"] == {"type": "object", "properties": {}, "additionalProperties": False}


def test_what_a_repeat_gives() -> None:
    loop = linked("loop: {repeat: {max: 5, until: done}, use: CT_STEP_V0, with: {x: 1}}")
    assert list(loop.outcomes) == ["SUCCESS", "LOST", "EXHAUSTED"]
    assert loop.outcomes["EXHAUSTED"] == loop.outcomes["SUCCESS"]
    assert sorted(loop.outcomes["LOST"]["properties"]) == ["why"]


def test_what_an_all_gives() -> None:
    members = (
        "one: {use: CS_RECORDS_V0.GET, store: ST_KEPT_V0, with: {key: a}}, "
        "two: {use: CS_RECORDS_V0.COUNT, store: ST_KEPT_V0, with: {where: {}}}"
    )
    loop = linked(f"loop: {{all: {{{members}}}}}")
    assert list(loop.outcomes) == ["SUCCESS", "FAILED"]
    one = loop.outcomes["SUCCESS"]["properties"]["one"]
    assert one["properties"]["value"]["properties"] == {"n": {"type": "integer"}}
    assert one["required"] == ["outcome", "revision", "value"]
    assert loop.outcomes["FAILED"]["properties"]["one"]["required"] == ["outcome"]
    every = linked(f"loop: {{all: {{{members}}}, good: [SUCCESS, NOT_FOUND]}}")
    assert list(every.outcomes) == ["SUCCESS"]
    assert every.outcomes["SUCCESS"]["properties"]["one"]["required"] == ["outcome"]


def kinds(nodes: list[dict[str, Any]]) -> list[tuple[str, str, int | None]]:
    return [(node["kind"], node["name"], node.get("of")) for node in nodes if node["kind"] != "EXIT"]


def test_the_sealed_form_of_an_each() -> None:
    loop, call, *ends = nodes_of(
        "loop: {each: $.payload.open, as: one, max: 5, use: CT_STEP_V0, with: {x: [$.each.one.y, $.payload.any]}}"
    )[:5]
    assert {key: loop[key] for key in ("kind", "items", "as", "max", "good", "body")} == {
        "kind": "EACH", "items": ["ref", "payload", ["open"]], "as": "one", "max": 5, "good": ["SUCCESS"], "body": 1,
    }  # fmt: skip
    assert (call["name"], call["of"]) == ("loop[]", 0)
    listed = ["list", [["ref", 0, ["one", "y"]], ["ref", "payload", ["any"]]]]
    assert call["with"] == ["map", {"x": listed}]
    assert [(end["name"], end["outcome"], end["next"]) for end in ends] == [
        ("loop[]/FAULT", "FAULT", {}),
        ("loop[]/LOST", "LOST", {}),
        ("loop[]/SUCCESS", "SUCCESS", {}),
    ]
    assert ends[1]["output"] == ["ref", 1, []]


def test_the_sealed_form_of_a_repeat() -> None:
    loop, call = nodes_of("loop: {repeat: {max: 5, until: '!done', every: 2m}, use: CT_STEP_V0, with: {x: 1}}")[:2]
    assert {key: loop[key] for key in ("kind", "max", "until", "every_ms", "body")} == {
        "kind": "REPEAT", "max": 5, "until": ["not", ["name", "done"]], "every_ms": 120_000, "body": 1,
    }  # fmt: skip
    assert (call["name"], call["of"]) == ("loop[]", 0)


def test_the_sealed_form_of_an_all_keeps_the_order_of_the_text() -> None:
    count = "{use: CS_RECORDS_V0.COUNT, store: ST_KEPT_V0, with: {where: {}}}"
    nodes = nodes_of(f"loop: {{all: {{z: {count}, a: {count}, m: {count}}}}}")
    loop = nodes[0]
    assert (loop["kind"], loop["members"], loop["good"]) == ("ALL", ["z", "a", "m"], ["SUCCESS"])
    assert [nodes[body]["name"] for body in loop["bodies"]] == ["loop/z", "loop/a", "loop/m"]


CONTRACT = """contract: CC_MANY_V0
summary: Step through many.
inputs: {many: {type: array, maxItems: 5}}
start: step
nodes:
  step:
    each: $.inputs.many
    max: 5
    use: CT_STEP_V0
    with: {x: $.each.item}
    next: {SUCCESS: SUCCESS, PARTIAL: LOST, FAILED: LOST}
outcomes: {SUCCESS: {all: $.nodes.step.items}, LOST: {}}
---
"""


def test_a_loop_in_a_loop() -> None:
    nodes = nodes_of(
        "loop: {each: $.payload.open, max: 3, use: CC_MANY_V0, with: {many: [$.each.item, 2]}}", more=CONTRACT
    )
    assert kinds(nodes) == [
        ("EACH", "loop", None),
        ("PASS", "loop[]", 0),
        ("EACH", "loop[]/step", 0),
        ("CALL", "loop[]/step[]", 2),
        ("END", "loop[]/step[]/FAULT", 2),
        ("END", "loop[]/step[]/LOST", 2),
        ("END", "loop[]/step[]/SUCCESS", 2),
        ("END", "loop[]/FAULT.", 0),
        ("PASS", "loop[]/LOST", 0),
        ("END", "loop[]/LOST.", 0),
        ("PASS", "loop[]/SUCCESS", 0),
        ("END", "loop[]/SUCCESS.", 0),
    ]
    assert nodes[3]["with"] == ["map", {"x": ["ref", 2, ["item"]]}]
    assert nodes[1]["with"] == ["map", {"many": ["list", [["ref", 0, ["item"]], ["lit", 2]]]}]


def test_places_that_are_checked_when_run_have_the_names_of_nested_nodes() -> None:
    transform = "transform: CT_WORD_V0\nsummary: x\ninputs: {x: {type: string}}\noutcomes: {SUCCESS: {}}\n---\n"
    flow = text("loop: {each: $.payload.any, max: 3, use: CT_WORD_V0, with: {x: $.each.item}}", more=transform)
    compilation = compiled(flow, "CT_STEP_V0", "CT_WORD_V0")
    assert sorted((place.node, place.reason) for place in compilation.places) == [
        ("loop", "what `each` goes over may be no list"),
        ("loop[]", "`x` may not fit"),
    ]


@pytest.mark.parametrize(
    ("until", "reason"),
    [
        ("done", None),
        ("part > 1", "`part` may be absent"),
        ("size(list) == 2", None),
        ("list[0] == 1", "`list[0] == 1` may meet what is absent or of another type"),
        ("100 / size(list) > 1", "`100 / size(list) > 1` may divide by zero or leave the range of numbers"),
        ("list[0]", "`list[0]` may meet what is absent or of another type"),
    ],
)
def test_an_until_that_may_fault_is_listed(until: str, reason: str | None) -> None:
    flow = text(f'loop: {{repeat: {{max: 5, until: "{until}"}}, use: CT_STEP_V0, with: {{x: 1}}}}')
    compilation = compiled(flow, "CT_STEP_V0")
    assert compilation.sealed is not None
    assert [(place.node, place.reason) for place in compilation.places] == ([("loop", reason)] if reason else [])


def test_two_spellings_of_one_loop_have_one_form() -> None:
    one = nodes_of("loop: {each: $.payload.open, max: 5, use: CT_STEP_V0, with: {x: 1}, good: [LOST, SUCCESS]}")
    two = nodes_of(
        "loop: {good: [SUCCESS, LOST], with: {x: 1}, use: CT_STEP_V0, as: item, max: 5, each: $.payload.open}"
    )
    assert one == two
