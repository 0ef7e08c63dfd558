"""What a run builds never has more levels than its record can hold: the compiler counts them, and refuses the rest."""

from __future__ import annotations

from typing import Any

import pytest

from handmade import linked, start
from looping import compiled, sealed
from omnibachi_compiler.nesting import MOST_LEVELS
from omnibachi_model.record import export, read
from omnibachi_runtime.walk import Walk, walk

WRAP = """
transform: CT_SAME_V0
summary: Give what was given.
inputs: {{value: {{}}}}
outcomes: {{SUCCESS: {{value: {{}}}}}}
---
intent: IN_TEST_V0
payload: {{type: object, properties: {{x: {x}}}, required: [x], additionalProperties: false}}
---
contract: CC_WRAP_V0
summary: Put a value into a record.
inputs: {{value: {{}}}}
start: go
nodes:
  go: {{compute: {{one: "1"}}, with: {{}}, next: {{SUCCESS: SUCCESS}}}}
outcomes: {{SUCCESS: {{value: {made}}}}}
---
workflow: WF_TEST_V0
summary: Wrap a value many times.
intent: IN_TEST_V0
start: wrap_1
fault: failed
nodes:
{nodes}
exits: {{done: {{status: COMPLETED, result: {{all: {result}}}}}, failed: {{status: FAILED}}}}
"""
LASTS = {
    "exit": ("", "$.nodes.wrap_{n}.value"),
    "call": ("{{use: CT_SAME_V0, with: {{value: {{in: $.nodes.wrap_{n}.value}}}}, next: {{SUCCESS: done}}}}", "1"),
    "decide": ("{{decide: [{{outcome: OK}}], with: {{it: [$.nodes.wrap_{n}.value]}}, next: {{OK: done}}}}", "1"),
    "each": (
        "{{each: [$.nodes.wrap_{n}.value], max: 1, use: CC_WRAP_V0, with: {{value: [$.each.item]}},"
        " next: {{SUCCESS: done}}}}",
        "$.nodes.last.items",
    ),
}


def text(count: int, last: str, *, made: str = "{wrapped: $.inputs.value}", x: str = "{}") -> str:
    """Return a workflow that wraps a value so many times, and then does something with it."""
    node, result = (part.format(n=count) for part in LASTS[last])
    lines = [
        f"  wrap_{n}: {{use: CC_WRAP_V0, with: {{value: $.{f'nodes.wrap_{n - 1}.value' if n > 1 else 'payload.x'}}}, "
        f"next: {{SUCCESS: {f'wrap_{n + 1}' if n < count else 'last' if node else 'done'}}}}}"
        for n in range(1, count + 1)
    ]
    lines += [f"  last: {node}"] if node else []
    return WRAP.format(nodes="\n".join(lines), result=result, made=made, x=x)


def ran(source: str, x: Any) -> Walk:
    program = linked(sealed(compiled(source, "CT_SAME_V0")), {"shop::CT_SAME_V0": lambda given: ("SUCCESS", given)})
    return walk(program, start(), program.gate({"x": x}))


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = {"k": found}
    return found


def refused(count: int, last: str, **more: str) -> bool:
    compilation = compiled(text(count, last, **more), "CT_SAME_V0")
    codes = [item.code for item in compilation.diagnostics]
    assert codes in ([], ["OB525"])
    return bool(codes)


@pytest.mark.parametrize("last", LASTS)
def test_the_deepest_that_compiles_makes_a_record_that_can_be_read(last: str) -> None:
    low, high = 1, 200
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if refused(middle, last) else (middle, high)
    assert MOST_LEVELS - 70 < low < MOST_LEVELS - 60, "a payload has 64 levels, and each use adds one"
    ended = ran(text(low, last), deep(62))
    events = list(read(export((body, obs) for _, body, obs in ended.events)))
    assert len(events) > low
    # A transform's inputs are not judged by their depth, but what it gives is.
    assert ended.exit == ("failed" if last == "call" else "done")


def test_what_the_types_say_is_counted() -> None:
    assert refused(180, "exit")
    assert not refused(180, "exit", x="{type: integer}")
    assert not refused(180, "exit", x="{type: array, maxItems: 2, items: {enum: [1, [2]]}}")
    assert ran(text(180, "exit", x="{type: integer}"), 7).exit == "done"


def test_handing_on_is_no_nesting() -> None:
    assert not refused(600, "exit", made="$.inputs.value")
    assert not refused(300, "exit", made="{$first: [$.inputs.value, 3]}")
    assert ran(text(600, "exit", made="$.inputs.value"), deep(62)).exit == "done"
