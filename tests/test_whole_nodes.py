"""A whole node, the whole payload, the inputs and an item of a loop as values: the record of what they give."""

from __future__ import annotations

from typing import Any

import pytest

from handmade import linked, run
from looping import compiled, sealed

TEXT = """\
transform: CT_STEP_V0
summary: Answer.
inputs: {n: {type: integer}}
outcomes: {SUCCESS: {m: {type: integer}, k: {type: string, optional: true}}, LOST: {why: {type: string}}, NONE: {}}
---
intent: IN_TEST_V0
payload:
  type: object
  properties: {n: {type: integer}, list: {type: array, maxItems: 5, items: {type: integer}, default: []}}
  required: [n]
  additionalProperties: false
---
contract: CC_STEP_V0
summary: Step, and give all that is known.
inputs: {n: {type: integer}, more: {type: integer, default: 7}}
start: step
nodes:
  step: {use: CT_STEP_V0, with: {n: $.inputs.n}, next: {SUCCESS: STEPPED, LOST: GONE, NONE: NOTHING}}
outcomes: {STEPPED: {of: $.inputs, is: $.nodes.step}, GONE: {of: $.inputs}, NOTHING: {}}
---
workflow: WF_TEST_V0
summary: Step, and tell it all.
intent: IN_TEST_V0
start: step
fault: failed
nodes:
  step: {use: CC_STEP_V0, with: {n: $.payload.n}, next: {STEPPED: each, GONE: each, NOTHING: none}}
  each:
    each: $.payload.list
    max: 5
    good: [SUCCESS]
    use: CT_STEP_V0
    with: {n: $.each.item}
    next: {SUCCESS: sum, PARTIAL: sum, FAILED: sum, OVERFLOW: failed}
  sum: {compute: {size: size(each.items)}, with: {each: $.nodes.each}, next: {SUCCESS: done}}
exits:
  done: {status: COMPLETED, result: {step: $.nodes.step, each: $.nodes.each, payload: $.payload, sum: $.nodes.sum}}
  none: {status: REJECTED, result: {step: $.nodes.step}}
  failed: {status: FAILED}
"""


def answer(given: Any) -> Any:
    """Answer by the sign of a number."""
    n = given["n"]
    if n == 0:
        return "NONE", {}
    return ("SUCCESS", {"m": n, **({"k": "k"} if n > 1 else {})}) if n > 0 else ("LOST", {"why": "less"})


@pytest.mark.parametrize(
    ("n", "step", "others"),
    [
        (1, {"of": {"n": 1, "more": 7}, "is": {"m": 1}}, [2, -1]),
        (2, {"of": {"n": 2, "more": 7}, "is": {"m": 2, "k": "k"}}, []),
        (-1, {"of": {"n": -1, "more": 7}}, [0]),
    ],
)
def test_what_is_given_is_the_record_of_the_outcome(n: int, step: dict[str, Any], others: list[int]) -> None:
    program = linked(sealed(compiled(TEXT, "CT_STEP_V0")), {"shop::CT_STEP_V0": answer})
    ended = run(program, {"n": n, "list": others})
    items = [{"outcome": outcome, **output} for outcome, output in (answer({"n": other}) for other in others)]
    assert (ended.exit, ended.result) == (
        "done",
        {
            "step": step,
            "each": {"items": items},
            "payload": {"n": n, "list": others},
            "sum": {"size": len(others)},
        },
    )


def test_an_outcome_that_gives_nothing_gives_an_empty_record() -> None:
    program = linked(sealed(compiled(TEXT, "CT_STEP_V0")), {"shop::CT_STEP_V0": answer})
    ended = run(program, {"n": 0})
    assert (ended.exit, ended.result) == ("none", {"step": {}})


def test_a_node_that_was_not_passed_is_not_given() -> None:
    text = TEXT.replace("GONE: each, NOTHING: none", "GONE: sum, NOTHING: none")
    (found, other) = compiled(text, "CT_STEP_V0").diagnostics
    assert {found.code, other.code} == {"OB506"}
    assert found.path == ("step GONE", "sum")
    crashed = TEXT.replace("with: {n: $.payload.n}, next: {", "with: {n: $.payload.n}, next: {FAULT: none, ")
    (found,) = compiled(crashed, "CT_STEP_V0").diagnostics
    assert (found.code, found.path) == ("OB506", ("step FAULT", "none"))
