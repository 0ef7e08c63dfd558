"""What readers of a record say of long runs, of loops and of what was told after the matter was decided."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from handmade import start
from looping import compiled, sealed
from omnibachi.outline import outline
from omnibachi_model.digests import digest, pretty
from omnibachi_model.record import export
from omnibachi_observer.examine import examine
from omnibachi_observer.markdown import markdown
from omnibachi_observer.picture_plan import plan
from omnibachi_observer.report import Report
from omnibachi_observer.words import ends
from omnibachi_runtime.link import link
from omnibachi_runtime.walk import walk
from sealed_runs import call, called, finished, leave, payload, record, started
from sealed_runs import sealed as sealed_of

TEXT = """
transform: CT_TELL_V0
summary: Tell something.
inputs: {n: {type: integer}}
outcomes: {SUCCESS: {}, LOST: {}}
---
intent: IN_FEW_V0
payload: {type: object, properties: {n: {type: integer, maximum: 9}}, required: [n], additionalProperties: false}
---
intent: IN_TEST_V0
payload:
  type: object
  properties: {n: {type: integer}, list: {type: array, maxItems: 3000, items: {type: integer}, default: []}}
  required: [n]
  additionalProperties: false
---
workflow: WF_ASK_V0
summary: Deny what is odd, and tell so.
intent: IN_FEW_V0
start: even
fault: failed
nodes:
  even:
    decide: [{when: n % 2 == 0, outcome: EVEN}, {outcome: ODD, because: it is odd}]
    with: {n: $.payload.n}
    next: {EVEN: tell, ODD: tell_denial}
  tell: {use: CT_TELL_V0, with: {n: $.payload.n}, next: {SUCCESS: done, LOST: done}}
  tell_denial: {use: CT_TELL_V0, with: {n: $.payload.n}, next: {SUCCESS: denied, LOST: failed}}
exits: {done: {status: COMPLETED}, denied: {status: DENIED}, failed: {status: FAILED}}
---
workflow: WF_TEST_V0
summary: Ask for one, then for all.
intent: IN_TEST_V0
start: first
fault: failed
nodes:
  first: {use: WF_ASK_V0, with: {n: $.payload.n}, next: {done: all, denied: sorry, failed: failed, rejected: refused}}
  all:
    each: $.payload.list
    max: 3000
    use: WF_ASK_V0
    with: {n: $.each.item}
    good: [done]
    next: {SUCCESS: done, PARTIAL: sorry, FAILED: sorry}
  sorry: {use: CT_TELL_V0, with: {n: 0}, next: {SUCCESS: denied, LOST: denied}}
exits: {done: {status: COMPLETED}, denied: {status: DENIED}, refused: {status: REJECTED}, failed: {status: FAILED}}
"""


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return sealed(compiled(TEXT, "CT_TELL_V0"))


def ran(workflow: dict[str, Any], n: int, *items: int) -> bytes:
    """Return the record of a run."""
    data = pretty(workflow)
    program = link(workflow, digest(data), data, {"shop::CT_TELL_V0": lambda given: ("SUCCESS", {})})
    made = walk(program, start(), program.gate({"n": n, "list": list(items)}))
    return export((body, obs) for _, body, obs in made.events)


def told(workflow: dict[str, Any], *given: int) -> Report:
    return examine(ran(workflow, *given), workflow=workflow)


@pytest.mark.parametrize(
    ("given", "node", "advice"),
    [
        ((1,), "first/even", "change the decision in `first/even`"),
        ((2, 4, 5), "all", "leads `PARTIAL` of `all` to `sorry`, and so to `denied`"),
        ((10,), "first", "leads `rejected` of `first` to `refused`;"),
    ],
)
def test_what_decided_is_where_no_way_to_completion_is_left(
    workflow: dict[str, Any], given: tuple[int, ...], node: str, advice: str
) -> None:
    found = told(workflow, *given)
    assert found.failed is None
    assert found.decided is not None
    assert found.decided["node"] == node
    assert advice in found.advice[0]
    page = markdown(ran(workflow, *given), workflow=workflow).decode()
    assert f"Nothing failed. `{node}` decided so: " in page


def test_a_run_that_completes_was_decided_by_nobody(workflow: dict[str, Any]) -> None:
    assert told(workflow, 2, 4, 6).decided is None


def test_an_edited_workflow_is_read_all_the_same(workflow: dict[str, Any]) -> None:
    data = ran(workflow, 1)
    for node in range(len(workflow["nodes"])):
        for key, value in (
            ("next", None),
            ("next", {"ODD": "x", "SUCCESS": 10**9}),
            ("kind", 5),
            ("name", "all"),
            ("of", 7),
        ):
            edited = orjson.loads(orjson.dumps(workflow))
            edited["nodes"][node][key] = value
            assert examine(data, workflow=edited).verdict == "INTACT"
            assert markdown(data, workflow=edited)


def test_a_long_run_is_told_by_its_ends(workflow: dict[str, Any]) -> None:
    data = ran(workflow, 2, *[4] * 3000)
    page = markdown(data, workflow=workflow).decode()
    assert len(page.splitlines()) < 5000
    for said in ("| 200 |", "5603 more steps stand in the record", "5603 more turns", "| 6003 |", "\n6003. "):
        assert said in page, said
    assert "| 201 |" not in page
    report = examine(data, workflow=workflow)
    assert len(report.path) == 6003, "nothing is left out for machines"
    text = report.as_text()
    assert len(text.splitlines()) < 1000
    assert "… 5803 more steps stand in the record" in text
    assert " 6003. `all` SUCCESS: 3000 of 3000 ended in `done`" in text


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 100])
def test_the_ends_of_a_list(count: int) -> None:
    items = list(range(count))
    first, left_out, last = ends(items, 6)
    assert [*first, *items[len(first) : len(first) + left_out], *last] == items
    assert len(first) + len(last) <= 6
    assert bool(left_out) is (count > 6)


def test_rounds_say_how_they_end(workflow: dict[str, Any]) -> None:
    lines = [line.strip() for line in outline(workflow, None, digest(pretty(workflow)), {})]
    at = lines.index("all[]/tell  shop::CT_TELL_V0 (PURE)")
    assert lines[at + 1 : at + 3] == ["LOST ends the round as done", "SUCCESS ends the round as done"]
    assert "SUCCESS ends the round as denied" in lines
    assert "EVEN ends the round" not in lines


def test_a_gate_that_let_some_items_in_is_drawn_where_it_stands(workflow: dict[str, Any]) -> None:
    report = told(workflow, 2, 4, 10)
    went = [(step["node"], step["outcome"]) for step in report.path]
    assert ("all[1]", "rejected") in went
    drawn = plan(workflow, went, report.exit)
    taken = {(route.source, route.outcomes, route.target) for route in drawn.routes if route.taken}
    assert ("all", ("each item",), "all[]") in taken
    assert ("all[]", ("SUCCESS",), "all[]/even") in taken
    assert drawn.first == "first/even"
    refused = told(workflow, 10)
    drawn = plan(workflow, [(step["node"], step["outcome"]) for step in refused.path], refused.exit)
    assert drawn.first == "first"
    assert [(route.source, route.target) for route in drawn.routes if route.taken] == [("first", "refused")]


@pytest.mark.parametrize("status", ["REJECTED", "FAILED"])
def test_an_answer_that_came_too_late_is_no_answer(status: str) -> None:
    workflow = sealed_of(
        "shop::WF_SLOW_V0",
        [
            call("ask", "shop::CS_SLOW_V0.ASK", "READ", {"x": payload("x")}, {"FAULT": 1, "SUCCESS": 2, "TIMEOUT": 1},
                 deadline_ms=100),
            leave("late", status),
            leave("done", "COMPLETED"),
        ],
    )  # fmt: skip
    data = record(
        started(workflow, {"x": "y"}),
        called(workflow, "ask", {"x": "y"}, "TIMEOUT", attempts=3),
        finished("late", status),
    )
    report = examine(data, workflow=workflow)
    said = "`CS_SLOW_V0.ASK` did not answer within 100 ms, asked 3 times"
    assert said in report.as_text().replace("\n      ", " ")
    assert said in markdown(data, workflow=workflow).decode()
    if status == "FAILED":
        assert report.failed is not None
        assert report.failed["fault"] == "capability"
        assert "give `ask` more time" in report.failed["remedy"]
