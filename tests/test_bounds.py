"""Bounds against all runs of small graphs: the largest of them, and a path that reaches it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from hypothesis import HealthCheck, assume, given, settings

from loop_graphs import Json, counted, graphs, runs
from omnibachi_compiler.bounds import bounds, check_limits, reaching
from omnibachi_compiler.declarations import Limits, Name
from omnibachi_model.diagnostics import Span

MOST_RUNS = 1500
TIMES = re.compile(r"(\d+) times \((.*)\)")
ATTEMPTS = re.compile(r"(.*) \((\d+) attempts\)")
HERE = Span("protocols/shop/x.yaml", 3, 1, 3, 20)
CLASSES = ("READ", "MUTABLE")


def told(steps: Iterable[str]) -> Counter[str]:
    """Count the steps of a path as they are told: how often each, without the attempts."""
    found: Counter[str] = Counter()
    for step in steps:
        many, again = TIMES.fullmatch(step), ATTEMPTS.fullmatch(step)
        if many:
            inner = told(parts(many[2]))
            found.update({name: int(many[1]) * count for name, count in inner.items()})
        else:
            found[again[1] if again else step] += 1
    return found


def parts(text: str) -> list[str]:
    """Split a list at the commas that stand in no brackets."""
    found, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            found.append("")
        else:
            found[-1] += char
    return [part.strip() for part in found]


@given(graphs())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_bound_is_the_most_of_all_runs_and_its_path_is_a_run_that_reaches_it(workflow: Json) -> None:
    every = list(islice(runs(workflow), MOST_RUNS + 1))
    assume(len(every) <= MOST_RUNS)
    proven = bounds(workflow)
    for what in ("visits", *CLASSES):
        most = max(counted(workflow, run, what) for run in every)
        assert (proven["visits"] if what == "visits" else proven["effects"].get(what, 0)) == most
        path = told(reaching(workflow, what))
        assert any(Counter(run.steps) == path for run in every if counted(workflow, run, what) == most)
    assert 0 not in proven["effects"].values()


@given(graphs())
@settings(max_examples=30, deadline=None)
def test_limits_at_the_bounds_are_kept_and_those_one_below_are_not(workflow: Json) -> None:
    proven = bounds(workflow)
    every = [("visits", proven["visits"]), *proven["effects"].items()]

    def judged(less: int) -> list[str]:
        effects = tuple((Name(name, HERE), most - less) for name, most in proven["effects"].items())
        limits = Limits(proven["visits"] - less, effects, HERE)
        found = check_limits(limits, workflow, proven, HERE)
        assert all(item.code == "OB521" and item.path for item in found)
        return [item.message for item in found]

    assert judged(0) == []
    assert len(judged(1)) == len(every)
    assert all(str(most) in message for message, (_, most) in zip(judged(1), every, strict=True))


def nested(depth: int, most: int) -> Json:
    """Return a workflow of loops in loops, the innermost of which does one write."""
    nodes: list[Json] = []
    last = 2 * depth + 1
    for at in range(depth):
        of = {"of": at - 1} if at else {}
        outcomes = ("SUCCESS", "PARTIAL", "FAILED", "OVERFLOW", "FAULT")
        follow = dict.fromkeys(outcomes, last - at)
        nodes.append(
            {"kind": "EACH", "name": f"n{at}", "max": most, "good": ["X"], "body": at + 1, "next": follow, **of}
        )
    retry = {"on": ["Y"], "max": 2}
    write = {"kind": "CALL", "name": "write", "effect": "MUTABLE", "retry": retry, "of": depth - 1}
    nodes.append({**write, "next": {"X": depth + 1, "FAULT": depth + 1}})
    nodes += [
        {"kind": "END", "name": f"e{at}", "outcome": "X", "of": depth - 1 - at, "next": {}} for at in range(depth)
    ]
    nodes.append({"kind": "EXIT", "name": "done", "status": "COMPLETED", "next": {}})
    return {"address": "shop::WF_X_V0", "start": 0, "nodes": nodes}


def test_loops_multiply_and_retries_count_each_attempt() -> None:
    assert bounds(nested(2, 10)) == {"visits": 1 + 10 * (1 + 10), "effects": {"MUTABLE": 300}}
    path = reaching(nested(2, 10), "MUTABLE")
    assert path == ("10 times (10 times (write FAULT (3 attempts)), n1 FAULT)", "n0 FAULT", "done")


def test_what_cannot_be_counted_is_refused_and_not_sealed_wrongly() -> None:
    workflow = nested(4, 10_000)
    found = check_limits(None, workflow, bounds(workflow), HERE)
    assert [(item.code, item.span) for item in found] == [("OB522", HERE)]
    assert check_limits(None, nested(3, 10_000), bounds(nested(3, 10_000)), HERE) == []


def test_loops_as_deep_as_a_graph_may_be_are_counted_and_told() -> None:
    assert bounds(nested(2000, 1)) == {"visits": 2001, "effects": {"MUTABLE": 3}}
    assert len(reaching(nested(2000, 1), "visits")) == 2002
