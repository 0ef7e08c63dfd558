"""What a run builds never holds a value too often: the compiler counts copies, and refuses what doubles and doubles."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from handmade import linked, run
from looping import compiled, sealed
from omnibachi_compiler.copies import MOST_COPIES
from omnibachi_compiler.nesting import MOST_LEVELS

TEXT = """\
transform: CT_SAME_V0
summary: Give what was given.
inputs: {{value: {{}}}}
outcomes: {{SUCCESS: {{value: {{}}}}}}
---
intent: IN_TEST_V0
payload: {{type: object, properties: {{x: {{}}}}, required: [x], additionalProperties: false}}
---
contract: CC_TWICE_V0
summary: Hold a value twice.
inputs: {{value: {{}}}}
start: go
nodes:
  go: {{compute: {{one: "1"}}, next: {{SUCCESS: SUCCESS}}}}
outcomes: {{SUCCESS: {{value: {made}}}}}
---
workflow: WF_TEST_V0
summary: Hold a value twice, and again.
intent: IN_TEST_V0
start: n1
fault: failed
nodes:
{nodes}
exits: {{done: {{status: COMPLETED, result: {{all: {result}}}}}, failed: {{status: FAILED}}}}
"""
TWICE = "{a: $.inputs.value, b: $.inputs.value}"


def text(count: int, made: str = TWICE, *, read: str = "", result: str = "", use: str = "CC_TWICE_V0") -> str:
    """Return a workflow that does so as many times, each reading what the one before gave."""
    lines = [
        f"  n{n}: {{use: {use}, with: {{value: '$.{f'nodes.n{n - 1}.value{read}' if n > 1 else 'payload.x'}'}}, "
        f"next: {{SUCCESS: {f'n{n + 1}' if n < count else 'done'}}}}}"
        for n in range(1, count + 1)
    ]
    return TEXT.format(made=made, nodes="\n".join(lines), result=result or f"$.nodes.n{count}.value")


def codes(text: str) -> list[str]:
    return [item.code for item in compiled(text, "CT_SAME_V0").diagnostics]


def test_what_doubles_with_each_use_is_refused_before_it_is_too_much() -> None:
    most = MOST_COPIES.bit_length() - 1
    assert codes(text(most)) == []
    (found,) = compiled(text(most + 1), "CT_SAME_V0").diagnostics
    assert (found.code, f"`n{most + 1}/SUCCESS`" in found.message) == ("OB545", True)
    assert codes(text(MOST_LEVELS // 2, "[$.inputs.value, $.inputs.value]")) == ["OB545"]


@pytest.mark.parametrize(
    "made",
    [
        "{$merge: [{a: $.inputs.value}, {b: $.inputs.value}]}",
        "{a: {$first: [$.inputs.value, 1]}, b: [$.inputs.value]}",
        "{a: $.inputs, b: {$optional: $.inputs.value}}",
    ],
)
def test_other_ways_to_hold_twice(made: str) -> None:
    assert codes(text(14, made)) == ["OB545"]
    assert codes(text(6, made)) == []


def test_what_goes_on_into_one_copy_is_no_growth() -> None:
    assert codes(text(60, read=".a")) == []
    assert codes(text(60, "[1, $.inputs.value, $.inputs.value]", read="[1]")) == []
    assert codes(text(60, "{a: $.inputs.value}")) == []
    assert codes(text(60, "{$merge: [{a: $.inputs.value, b: 1}, {b: 2}]}", read=".a")) == []
    # What a capability answers is its own.
    assert codes(text(60, use="CT_SAME_V0")) == []


def test_what_is_accepted_runs_and_holds_that_much() -> None:
    program = linked(sealed(compiled(text(10), "CT_SAME_V0")), {})
    ended = run(program, {"x": "mark"})
    assert ended.exit == "done"
    assert orjson.dumps(ended.result).count(b"mark") == 2**10


def test_in_loops_too() -> None:
    node = "{{use: CC_TWICE_V0, with: {{value: {0}}}, next: {{SUCCESS: {1}}}}}"
    wide: dict[str, Any] = {f"f{n}": "$.inputs.value" for n in range(200)}
    made = orjson.dumps(wide).decode()
    each = (
        "  n1: {each: [$.payload.x], max: 3, good: [SUCCESS], use: CC_TWICE_V0, with: {value: $.each.item},"
        " next: {SUCCESS: n2, PARTIAL: n2, FAILED: n2, OVERFLOW: failed}}\n"
        f"  n2: {node.format('$.nodes.n1.items', 'n3')}\n  n3: {node.format('$.nodes.n2.value', 'done')}"
    )
    result = "$.nodes.n3.value"
    assert codes(TEXT.format(made=TWICE, nodes=each, result=result)) == []
    assert codes(TEXT.format(made=made, nodes=each, result=result)) == ["OB545"]
    repeat = (
        "  n1: {repeat: {max: 3, until: size(value) > 0}, use: CC_TWICE_V0, with: {value: $.payload.x},"
        " next: {SUCCESS: n2, EXHAUSTED: n2}}\n"
        f"  n2: {node.format('$.nodes.n1.value', 'done')}"
    )
    assert codes(TEXT.format(made=TWICE, nodes=repeat, result="1")) == []
    assert codes(TEXT.format(made=made, nodes=repeat, result="1")) == ["OB545"]
