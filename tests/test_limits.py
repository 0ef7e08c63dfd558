"""Limits from text to seal: what is compared with the bounds, what is told, and that runs stay within them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handmade import bodies, observed
from loop_graphs import within_bounds
from looping import Round, compiled, payloads, played, rounds, sealed
from omnibachi_model.checks import link
from thoroughness import many

WORKFLOW = """
store: ST_KEPT_V0
governed_by: CS_RECORDS_V0
---
intent: IN_TEST_V0
payload: {{type: object, properties: {{list: {{type: array, items: {{type: string}}}}}}, required: [list]}}
---
contract: CC_KEEP_V0
summary: Look, then keep.
inputs: {{key: {{type: string}}}}
start: look
nodes:
  look:
    use: CS_RECORDS_V0.GET
    store: ST_KEPT_V0
    with: {{key: $.inputs.key}}
    retry: {{on: [NOT_FOUND], max: 4}}
    next: {{SUCCESS: OLD, NOT_FOUND: keep}}
  keep: {{use: CS_RECORDS_V0.PUT, store: ST_KEPT_V0, with: {{key: $.inputs.key, value: {{}}}}, next: {{SUCCESS: NEW}}}}
outcomes: {{OLD: {{}}, NEW: {{}}}}
---
workflow: WF_TEST_V0
summary: Keep all.
intent: IN_TEST_V0
start: every
fault: failed
{limits}
nodes:
  every:
    each: $.payload.list
    max: {most}
    good: [OLD, NEW]
    use: CC_KEEP_V0
    with: {{key: $.each.item}}
    next: {{SUCCESS: done, OVERFLOW: failed}}
exits: {{done: {{status: COMPLETED}}, failed: {{status: FAILED}}}}
"""


def limited(limits: str, most: int = 20) -> Any:
    return compiled(WORKFLOW.format(limits=limits, most=most))


def test_bounds_count_iterations_and_attempts_and_are_sealed() -> None:
    assert sealed(limited(""))["bounds"] == {"visits": 41, "effects": {"MUTABLE": 20, "READ": 100}}


@pytest.mark.parametrize(
    "limits",
    [
        "limits: {visits: 41, effects: {MUTABLE: 20, READ: 100}}",
        "limits: {effects: {APPEND_ONLY: 0}}",
        "limits: {visits: 1000}",
        "limits: {}",
    ],
)
def test_limits_that_hold_change_nothing_that_is_run(limits: str) -> None:
    assert sealed(limited(limits)) == sealed(limited(""))


def test_each_limit_that_is_exceeded_is_told_at_its_place_with_a_path() -> None:
    found = limited("limits: {visits: 40, effects: {MUTABLE: 19, READ: 99, APPEND_ONLY: 0}}").diagnostics
    assert [(item.code, item.message) for item in found] == [
        ("OB521", "a run may make 41 node visits, and the limit is 40"),
        ("OB521", "a run may make 20 effects of class MUTABLE, and the limit is 19"),
        ("OB521", "a run may make 100 effects of class READ, and the limit is 99"),
    ]
    assert [item.span.column for item in found if item.span] == [9, 32, 45]
    # A crash in the last iteration costs no fewer attempts, and which of the ways is told is no matter.
    assert all(item.path[-1] in ("done", "failed") for item in found)
    assert any("every[]/look SUCCESS (5 attempts)" in step for step in found[2].path)


def test_a_bound_that_cannot_be_counted_is_refused() -> None:
    loops = "\n---\n".join(
        f"""contract: CC_L{at}_V0
summary: A loop in a loop.
inputs: {{list: {{type: array, items: {{type: string}}}}}}
start: go
nodes:
  go:
    each: $.inputs.list
    max: 10000
    good: [OLD, NEW]
    use: {f"CC_L{at - 1}_V0" if at else "CC_KEEP_V0"}
    with: {"{list: $.inputs.list}" if at else "{key: $.each.item}"}
    next: {{SUCCESS: NEW, OVERFLOW: NEW}}
outcomes: {{NEW: {{}}}}"""
        for at in range(4)
    ).replace("good: [OLD, NEW]\n    use: CC_L", "good: [NEW]\n    use: CC_L")
    workflow = """workflow: WF_GREAT_V0
summary: Loops in loops.
intent: IN_TEST_V0
start: go
fault: failed
nodes:
  go: {use: CC_L3_V0, with: {list: $.payload.list}, next: {NEW: done}}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}"""
    found = compiled(f"{WORKFLOW.format(limits='', most=1)}---\n{loops}\n---\n{workflow}")
    assert found.sealed is None
    assert [(item.code, item.message) for item in found.diagnostics] == [
        ("OB522", "a run may make more than 2^53 - 1 node visits")
    ]


@settings(max_examples=many(20, 300), deadline=None, suppress_health_check=list(HealthCheck))
@given(rounds(), st.data())
def test_runs_of_loops_stay_within_their_bounds(made: Round, data: st.DataObject) -> None:
    compilation = compiled(made.text, "CT_STEP_V0")
    if compilation.sealed is None or not made.answers:
        return
    payload = data.draw(payloads(made.payload))
    if not link(made.payload)(payload):
        ended = played(made, compilation, payload)
        within_bounds(sealed(compilation), zip(bodies(ended), observed(ended), strict=True))
