"""Bounds: the most node visits, and the most effects of each class, that any run of a sealed workflow can make.

Each is the largest over all paths, on its own, so no single run need reach all of them. A visit is one of a node that
people see: CALL, DECIDE, COMPUTE, EACH, REPEAT, ALL and WAIT; PASS, END and EXIT count nothing. An effect counts once
for each attempt that its node may make. An EACH does its body at most `max` times, as does a REPEAT; an ALL asks each
member once. What a body counts is the largest over its paths to the END that the next iteration, or the loop's outcome,
asks for, so every bound is reached by a path. Indices only grow along edges and nested nodes stand behind their loop:
the nodes of each graph are gone through once, innermost loops first, so the time grows with nodes and edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Any, TypeAlias

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.sealed import (
    ALL,
    CALL,
    EACH,
    END,
    EXHAUSTED,
    EXIT,
    FAILED,
    FAULT,
    LOOPS,
    OVERFLOW,
    PARTIAL,
    REPEAT,
    SILENT,
    SUCCESS,
)

from .declarations import Limits
from .told_paths import written_step

Json = dict[str, Any]
PURE = "PURE"
VISITS = "visits"
MOST = 2**53 - 1  # the largest integer that a sealed file can hold

# A trail is a linked list of what a run passes: (what came before, a step as text or (times, the trail of a body)).
Trail: TypeAlias = "tuple[Trail, str | tuple[int, Trail]] | None"
# The most that can be counted on the way to a place, and a way that counts it.
Most: TypeAlias = tuple[int, Trail]

NOTHING: Most = (0, None)


def bounds(workflow: Json) -> Json:
    """Return `{"visits": n, "effects": {CLASS: n}}` of a sealed workflow: classes above 0, without PURE, sorted."""
    classes = {node["effect"] for node in workflow["nodes"] if node["kind"] == CALL} - {PURE}
    effects = {name: _longest(workflow, name)[0] for name in sorted(classes)}
    return {VISITS: _longest(workflow, VISITS)[0], "effects": {name: most for name, most in effects.items() if most}}


def reaching(workflow: Json, counted: str) -> tuple[str, ...]:
    """Return a path that makes the most visits (`visits`) or the most effects of a class: names with outcomes, what is
    done many times once with how often, and the exit."""
    return tuple(_steps(_longest(workflow, counted)[1]))


def check_limits(limits: Limits | None, workflow: Json, proven: Json, name: Span) -> list[Diagnostic]:
    """Compare the proven bounds with the declared limits: OB521 where one is above; OB522 (at `name`) where one is
    beyond what can be sealed."""
    told = [(VISITS, proven[VISITS]), *proven["effects"].items()]
    for counted, most in told:
        if most > MOST:
            message = f"a run may make more than 2^53 - 1 {_counted(counted)}"
            return [Diagnostic("OB522", message, name, help="lower the `max` of its loops and retries")]
    if limits is None:
        return []
    declared = [(VISITS, limits.visits, limits.span)] if limits.visits is not None else []
    declared += [(effect.text, most, effect.span) for effect, most in limits.effects]
    most_of = dict(told)
    return [
        Diagnostic(
            "OB521",
            f"a run may make {most_of[counted]} {_counted(counted)}, and the limit is {limit}",
            span,
            help="raise the limit, or lower what the path may do",
            path=reaching(workflow, counted),
        )
        for counted, limit, span in declared
        if most_of.get(counted, 0) > limit
    ]


def _counted(counted: str) -> str:
    return "node visits" if counted == VISITS else f"effects of class {counted}"


def attempts(node: Json) -> int:
    """Return how often a call may be made at one visit."""
    retry = node.get("retry")
    return 1 + retry["max"] if retry else 1


def _weight(node: Json, counted: str) -> int:
    """Return what one visit of a node counts, bodies apart."""
    if counted == VISITS:
        return 0 if node["kind"] in (*SILENT, EXIT) else 1
    return attempts(node) if node["kind"] == CALL and node["effect"] == counted else 0


def _longest(workflow: Json, counted: str) -> Most:
    """Return the most that a run counts."""
    nodes = workflow["nodes"]
    ways: dict[int, dict[str, Most]] = {}
    for index in range(len(nodes) - 1, -1, -1):
        if nodes[index]["kind"] in LOOPS:
            ways[index] = _loop(nodes, index, ways, counted)
    ends = _walk(nodes, workflow["start"], ways, counted)
    return max(ends.values(), key=lambda most: most[0], default=NOTHING)


def _walk(nodes: list[Json], start: int, ways: Mapping[int, Mapping[str, Most]], counted: str) -> dict[int, Most]:
    """Return the most on the way from `start` to each EXIT and END of its graph."""
    best: dict[int, Most] = {start: NOTHING}
    ends: dict[int, Most] = {}
    waiting = [start]
    while waiting:
        index = heappop(waiting)
        node = nodes[index]
        count, trail = best[index]
        if node["kind"] in (END, EXIT):
            ends[index] = (count, (trail, node["name"]) if node["kind"] == EXIT else trail)
        count += _weight(node, counted)
        for outcome, target in sorted(node["next"].items()):
            body = ways[index].get(outcome) if index in ways else NOTHING
            if body is None:
                continue
            if target not in best:
                heappush(waiting, target)
            if target not in best or best[target][0] < count + body[0]:
                before = (trail, (1, body[1])) if body[1] else trail
                best[target] = (count + body[0], _told(nodes, node, outcome, before, counted))
    return ends


def _told(nodes: list[Json], node: Json, outcome: str, trail: Trail, counted: str) -> Trail:
    step = written_step(nodes, node, outcome)
    if step is None:
        return trail
    often = _weight(node, counted) if counted != VISITS else 1
    return (trail, f"{step} ({often} attempts)" if often > 1 else step)


def _loop(nodes: list[Json], index: int, ways: Mapping[int, Mapping[str, Most]], counted: str) -> dict[str, Most]:
    """Return the most that a loop's iterations count on the way to each of its outcomes; those it cannot have lack."""
    loop = nodes[index]
    starts = loop["bodies"] if loop["kind"] == ALL else [loop["body"]]
    bodies = [_outcomes(nodes, _walk(nodes, start, ways, counted)) for start in starts]
    if loop["kind"] == EACH:
        return _each(loop["max"], frozenset(loop["good"]), bodies[0])
    if loop["kind"] == REPEAT:
        return _repeat(loop["max"], bodies[0])
    return _all(frozenset(loop["good"]), bodies)


def _outcomes(nodes: list[Json], ends: Mapping[int, Most]) -> dict[str, Most]:
    """Return the most on the way to each outcome of a body."""
    found: dict[str, Most] = {}
    for index, most in ends.items():
        outcome = nodes[index]["outcome"]
        found[outcome] = _larger(found.get(outcome), most) or most
    return found


def _larger(*some: Most | None) -> Most | None:
    """Return the largest of those that are there."""
    return max((most for most in some if most is not None), key=lambda most: most[0], default=None)


def _times(count: int, most: Most | None) -> Most | None:
    if count == 0:
        return NOTHING
    return None if most is None else (count * most[0], (None, (count, most[1])) if most[1] else None)


def _then(*some: Most | None) -> Most | None:
    """Return one after the other; None where one of them cannot be."""
    total, trail = NOTHING
    for most in some:
        if most is None:
            return None
        total, trail = total + most[0], (trail, (1, most[1])) if most[1] else trail
    return total, trail


def _kept(found: Mapping[str, Most | None]) -> dict[str, Most]:
    return {outcome: most for outcome, most in found.items() if most is not None}


def _each(most: int, good: frozenset[str], body: Mapping[str, Most]) -> dict[str, Most]:
    """An EACH: no items or all good is SUCCESS, none good FAILED, some PARTIAL; FAULT may come at any item."""
    well = _larger(*(count for outcome, count in body.items() if outcome in good))
    badly = _larger(*(count for outcome, count in body.items() if outcome not in good and outcome != FAULT))
    on = _larger(well, badly)
    mixed = None
    if most > 1 and well and badly:
        mixed = _larger(_then(_times(most - 1, well), badly), _then(well, _times(most - 1, badly)))
    crash = _larger(_then(_times(most - 1, on), body.get(FAULT)), body.get(FAULT), _times(most, on), NOTHING)
    return _kept(
        {
            SUCCESS: _times(most, well) or NOTHING,
            PARTIAL: mixed,
            FAILED: _times(most, badly),
            OVERFLOW: NOTHING,
            FAULT: crash,
        }
    )


def _repeat(most: int, body: Mapping[str, Most]) -> dict[str, Most]:
    """A REPEAT: SUCCESS of the body goes on, and after the last is EXHAUSTED; any other outcome ends it."""
    again = body.get(SUCCESS)
    ended = {
        outcome: _larger(_then(_times(most - 1, again), count), count)
        for outcome, count in body.items()
        if outcome != SUCCESS
    }
    crash = _larger(ended.get(FAULT), _times(most, again))
    return _kept({**ended, SUCCESS: _times(most, again), EXHAUSTED: _times(most, again), FAULT: crash})


def _all(good: frozenset[str], bodies: list[dict[str, Most]]) -> dict[str, Most]:
    """An ALL: every member in order; FAILED needs one that is not good, FAULT ends it at once."""
    well: Most | None = NOTHING
    done: Most | None = NOTHING  # whatever the outcomes so far
    missed: Most | None = None  # at least one not good
    crash: Most | None = None
    for body in bodies:
        right = _larger(*(count for outcome, count in body.items() if outcome in good))
        wrong = _larger(*(count for outcome, count in body.items() if outcome not in good and outcome != FAULT))
        crash = _larger(crash, _then(done, body.get(FAULT)))
        missed = _larger(_then(missed, _larger(right, wrong)), _then(well, wrong))
        well, done = _then(well, right), _then(done, _larger(right, wrong))
    return _kept({SUCCESS: well, FAILED: missed, FAULT: _larger(crash, done)})


def _steps(trail: Trail) -> list[str]:
    """Write a trail in order; a body that is done many times is one step."""
    found: list[str] = []
    waiting: list[Trail] = [trail]
    while waiting:
        at = waiting.pop()
        while at is not None:
            before, step = at
            if isinstance(step, str):
                found.append(step)
            elif step[0] == 1:
                waiting.append(before)
                before = step[1]
            else:
                found.append(f"{step[0]} times ({', '.join(_steps(step[1]))})")
            at = before
    return found[::-1]
