"""The search for a run that breaks a law against all runs of small graphs, each judged by the law's definition."""

from __future__ import annotations

from itertools import islice
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from loop_graphs import Json, Moment, Run, graphs, runs
from omnibachi_compiler.law_search import BEFORE, FROM, PASSES, Moments, broken_run

MOST_RUNS = 3000


def keeps(marks: dict[Moment, int], run: Run, never: bool) -> bool:
    """Tell whether every stretch of a run has what it should, word for word as the manual says it."""
    row = [marks.get(moment, 0) for moment in run.moments]
    for first in range(len(row)):
        if not row[first] & FROM:
            continue
        last = next((at for at in range(first + 1, len(row)) if row[at] & BEFORE), None)
        if last is None:
            continue
        passed = any(mark & PASSES for mark in row[first + 1 if never else first : last + 1])
        if passed == never:
            return False
    return True


def told(marks: dict[Moment, int]) -> Moments:
    """Return marks as the search takes them."""
    return Moments(
        marks.get(("start",), 0),
        {at[1]: mark for at, mark in marks.items() if at[0] == "reached"},
        {(at[1], at[2]): mark for at, mark in marks.items() if at[0] == "left"},
        {at[1]: mark for at, mark in marks.items() if at[0] == "ended"},
    )


@st.composite
def laws(draw: st.DrawFn) -> tuple[Json, dict[Moment, int], bool, bool]:
    """Draw a graph, marks on a few of its moments, and the kind of law."""
    workflow = draw(graphs())
    places: list[Moment] = [("start",)]
    for index, node in enumerate(workflow["nodes"]):
        if node["kind"] == "EXIT":
            places.append(("ended", index))
        elif node["kind"] != "END":
            places += [("reached", index), *(("left", index, outcome) for outcome in node["next"])]
    inner = [place for place in places[1:] if "of" in workflow["nodes"][place[1]]] or places
    outer = [place for place in places[1:] if place not in inner] or places
    marks: dict[Moment, int] = {}
    for mark in (FROM, PASSES, BEFORE):
        for _ in range(draw(st.integers(1, 2))):
            # Without a nudge most laws would say nothing: a stretch mostly begins early and ends late.
            likely = {FROM: places[:1] + inner, PASSES: inner, BEFORE: outer}[mark]
            place = draw(st.sampled_from(draw(st.sampled_from((likely, likely, places)))))
            marks[place] = marks.get(place, 0) | mark
    return workflow, marks, draw(st.booleans()), draw(st.booleans())


@given(laws())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_verdict_is_that_of_all_runs(law: tuple[Json, dict[Moment, int], bool, bool]) -> None:
    """A law holds exactly when every run keeps it; else the path is a shortest one of those that do not."""
    workflow, marks, never, failed_too = law
    every = list(islice(runs(workflow), MOST_RUNS + 1))
    assume(len(every) <= MOST_RUNS)
    nodes = workflow["nodes"]
    breaking = [
        run.steps
        for run in every
        if (failed_too or nodes[run.moments[-1][1]]["status"] != "FAILED") and not keeps(marks, run, never)
    ]
    found = broken_run(workflow, told(marks), never, failed_too)
    assert (found is None) == (not breaking)
    if found is not None:
        assert len(found) <= min(len(steps) for steps in breaking)
        # A repetition that ends EXHAUSTED is told with as many iterations as it takes to see the law broken.
        assert found in breaking or any(step.endswith("EXHAUSTED") for step in found)


def chain(*nodes: Any) -> Json:
    """Return a workflow of these nodes."""
    return {"address": "shop::WF_X_V0", "start": 0, "nodes": list(nodes)}


def test_a_graph_of_five_thousand_nodes_and_one_of_loops_deep_in_loops_are_gone_through() -> None:
    calls = [
        {"kind": "CALL", "name": f"n{at}", "effect": "PURE", "next": {"SUCCESS": at + 1, "FAULT": 5000}}
        for at in range(5000)
    ]
    long = chain(*calls, {"kind": "EXIT", "name": "done", "status": "COMPLETED", "next": {}})
    law = Moments(FROM, {}, {(4999, "SUCCESS"): PASSES}, {5000: BEFORE})
    assert broken_run(long, law, False, False) == ("n0 FAULT", "done")
    run = broken_run(long, law, True, False)
    assert run is not None
    assert len(run) == 5001
    nodes: list[Json] = []
    for at in range(2000):
        of = {"of": at - 1} if at else {}
        end = 4001 - at
        follow = {"SUCCESS": end, "PARTIAL": end, "FAILED": end, "OVERFLOW": end, "FAULT": end}
        nodes.append({"kind": "EACH", "name": f"n{at}", "max": 2, "good": ["X"], "body": at + 1, "next": follow, **of})
    nodes.append({"kind": "CALL", "name": "deep", "effect": "MUTABLE", "next": {"X": 2001, "FAULT": 2001}, "of": 1999})
    for at in range(2000):
        nodes.append({"kind": "END", "name": f"e{at}", "outcome": "X", "of": 1999 - at, "next": {}})
    nodes.append({"kind": "EXIT", "name": "done", "status": "COMPLETED", "next": {}})
    deep = chain(*nodes)
    run = broken_run(deep, Moments(FROM, {2000: PASSES}, {}, {4001: BEFORE}), True, False)
    assert run is not None
    assert run[0] == "deep FAULT"
    assert run[-1] == "done"


def test_an_each_may_be_skipped_and_overflow_and_a_repeat_may_not() -> None:
    body = {"kind": "CALL", "name": "go[]", "effect": "PURE", "next": {"SUCCESS": 2, "FAULT": 3}, "of": 0}
    ends = [
        {"kind": "END", "name": f"go[]/{name}", "outcome": name, "next": {}, "of": 0} for name in ("SUCCESS", "FAULT")
    ]
    exits = [{"kind": "EXIT", "name": name, "status": "COMPLETED", "next": {}} for name in ("done", "full", "failed")]
    routes = {"SUCCESS": 4, "OVERFLOW": 5, "EXHAUSTED": 4, "FAULT": 6}
    for kind, ways in (("EACH", [("go SUCCESS", "done"), ("go OVERFLOW", "full")]), ("REPEAT", [None, None])):
        loop = {"kind": kind, "name": "go", "max": 2, "good": ["SUCCESS"], "body": 1, "next": routes}
        workflow = chain(loop, body, *ends, *exits)
        for leaving, way in zip((4, 5), ways, strict=True):
            law = Moments(FROM, {}, {(1, "SUCCESS"): PASSES}, {leaving: BEFORE})
            assert broken_run(workflow, law, False, False) == way
