"""The search for a run that breaks a law, over a sealed workflow.

A run is a row of *moments*: its start, a node that is reached, a node that is left by an outcome, its end at an exit. A
law marks some of them as FROM, PASSES and BEFORE. A *stretch* is what lies between a moment of FROM and the next moment
of BEFORE after it. A run keeps a law when each of its stretches holds a moment of PASSES (with `never`: holds none);
where a moment is both, the first of a stretch counts as passed and not as one to avoid, the last counts as both. So a
run without a stretch keeps every law. A workflow keeps a law when all its runs do that end at an exit that counts.

A monitor of at most four states reads the moments one by one, and `broken_run` looks for a run that leads it to BROKEN
and then to such an exit. Nodes of one graph are gone through in the order of their indices, with the shortest way to
each state; a loop is gone through once for each state in which it may be entered, innermost first, so the time grows
with nodes and edges. The iterations of a loop are followed as they are done: an EACH does its body from 0 to `max`
times and ends by what its items answered, a REPEAT does it at least once, an ALL asks every member in order. What data
says is not looked at (every outcome may come, at any iteration, and a loop may crash after any), so a law that holds
here holds whatever the data; one that is broken here is broken on a path of the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, TypeAlias

from omnibachi_model.sealed import (
    ALL,
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
    SUCCESS,
)

from .told_paths import written_step

Json = dict[str, Any]
FROM, PASSES, BEFORE = 1, 2, 4  # what a moment is to a law; a moment may be several
WAITING, OPEN, MET, BROKEN = range(4)  # no stretch; in one; in one that met what it should avoid; the law is broken

# The shortest way to somewhere: its length, and a linked list of steps (text, or the way through a loop).
Trail: TypeAlias = "tuple[Trail, str | Trail] | None"
Way: TypeAlias = tuple[int, Trail]
States: TypeAlias = dict[int, Way]  # of the monitor, each with the shortest way to it

HERE: Way = (0, None)


@dataclass(frozen=True, slots=True)
class Moments:
    """What the moments of one workflow are to a law: bits of FROM, PASSES and BEFORE, 0 where nothing is said.

    `start` is the start of the run; `reached` is by node, `left` by node and outcome, `ended` by exit.
    """

    start: int
    reached: Mapping[int, int]
    left: Mapping[tuple[int, str], int]
    ended: Mapping[int, int]


def next_state(state: int, moment: int, never: bool) -> int:
    """Return the monitor's state after one more moment."""
    if state == OPEN and never:
        if moment & PASSES:
            state = MET
        elif moment & BEFORE:
            state = WAITING
    elif state == OPEN:
        if moment & PASSES:
            state = WAITING
        elif moment & BEFORE:
            return BROKEN
    if state == MET and moment & BEFORE:
        return BROKEN
    if state == WAITING and moment & FROM and (never or not moment & PASSES):
        return OPEN
    return state


@dataclass(frozen=True, slots=True)
class _Search:
    """One search: the nodes, the marks, the monitor, and what loops lead to."""

    nodes: list[Json]
    moments: Moments
    table: tuple[tuple[int, ...], ...]
    through: dict[int, list[dict[str, States]]]  # of a loop, by the state in which it is entered: outcomes and states


def broken_run(workflow: Json, moments: Moments, never: bool, failed_too: bool) -> tuple[str, ...] | None:
    """Return the shortest run that breaks a law, as names with outcomes and the exit; None where the law holds."""
    nodes = workflow["nodes"]
    table = tuple(tuple(next_state(state, moment, never) for moment in range(8)) for state in range(4))
    search = _Search(nodes, moments, table, {})
    for index in range(len(nodes) - 1, -1, -1):
        if nodes[index]["kind"] in LOOPS:
            search.through[index] = _loop(search, nodes[index])
    ends = _walk(search, workflow["start"], table[WAITING][moments.start])
    broken = [
        ways[BROKEN]
        for index, ways in sorted(ends.items())
        if BROKEN in ways and (failed_too or nodes[index]["status"] != FAILED)
    ]
    return tuple(_steps(min(broken, key=lambda way: way[0])[1])) if broken else None


def _walk(search: _Search, start: int, state: int) -> dict[int, States]:
    """Go through one graph from `start` in a state; return the states at each END, and after each EXIT, with the
    shortest way to each."""
    nodes, moments, table = search.nodes, search.moments, search.table
    known: dict[int, States] = {start: {state: HERE}}
    ends: dict[int, States] = {}
    waiting = [start]
    while waiting:
        index = heappop(waiting)
        node = nodes[index]
        if node["kind"] == END:
            ends[index] = known[index]
            continue
        if node["kind"] == EXIT:
            ended = moments.ended.get(index, 0)
            for before, (length, trail) in known[index].items():
                _keep(ends.setdefault(index, {}), table[before][ended], (length + 1, (trail, node["name"])))
        reached = moments.reached.get(index, 0)
        for before, way in known[index].items():
            _leave(search, index, table[before][reached], way, known, waiting)
    return ends


def _leave(search: _Search, index: int, state: int, way: Way, known: dict[int, States], waiting: list[int]) -> None:
    """Leave a node that was reached, by each outcome that it may have."""
    node, (length, trail) = search.nodes[index], way
    through = search.through[index][state] if index in search.through else None
    for outcome, target in sorted(node["next"].items()):
        left = search.moments.left.get((index, outcome), 0)
        step = written_step(search.nodes, node, outcome)
        for after, (more, inner) in ({state: HERE} if through is None else through.get(outcome, {})).items():
            led: Trail = (trail, inner) if inner else trail
            whole = (length + more + 1, (led, step)) if step else (length + more, led)
            if target not in known:
                known[target] = {}
                heappush(waiting, target)
            _keep(known[target], search.table[after][left], whole)


def _keep(states: States, state: int, way: Way) -> bool:
    """Note a way to a state where it is the shortest so far; tell whether it is."""
    if state in states and states[state][0] <= way[0]:
        return False
    states[state] = way
    return True


def _loop(search: _Search, loop: Json) -> list[dict[str, States]]:
    """Return the states, by outcome, in which a loop may end, for each state in which it may be entered."""
    starts = loop["bodies"] if loop["kind"] == ALL else [loop["body"]]
    bodies = [[_body(search, start, state) for state in range(4)] for start in starts]
    if loop["kind"] == ALL:
        return [_all(loop, bodies, state) for state in range(4)]
    return [_iterated(loop, bodies[0], state) for state in range(4)]


def _iterated(loop: Json, bodies: list[dict[str, States]], state: int) -> dict[str, States]:
    """Return the states, by outcome, in which an EACH or a REPEAT that is entered in a state may end."""
    found: dict[str, States] = {}
    # By the state and what the items answered so far: nothing, or which of True (good) and False.
    now: dict[tuple[int, frozenset[bool]], Way] = {(state, frozenset()): HERE}
    best = dict(now)
    if loop["kind"] == EACH:
        _end(found, (SUCCESS, OVERFLOW, FAULT), state, HERE)
    for _ in range(loop["max"]):
        later: dict[tuple[int, frozenset[bool]], Way] = {}
        for (before, answered), way in now.items():
            for outcome, states in bodies[before].items():
                good = outcome in loop["good"] if loop["kind"] == EACH else True
                for after, more in states.items():
                    key, whole = (after, answered | {good}), _then(way, more)
                    if loop["kind"] == REPEAT and outcome != SUCCESS:
                        _end(found, (outcome,), after, whole)
                    elif outcome == FAULT:
                        _end(found, (FAULT,), after, whole)
                    elif key not in best or whole[0] < best[key][0]:
                        best[key] = later[key] = whole
        for (after, answered), way in later.items():
            _end(found, (*_answers(loop["kind"], answered), FAULT), after, way)
        if not later:
            break
        now = later
    return found


def _answers(kind: str, answered: frozenset[bool]) -> tuple[str, ...]:
    """Return the outcomes that a loop may have after at least one iteration that lets it go on."""
    if kind == REPEAT:
        return (SUCCESS, EXHAUSTED)
    if len(answered) > 1:
        return (PARTIAL,)
    return (SUCCESS,) if True in answered else (FAILED,)


def _all(loop: Json, bodies: list[list[dict[str, States]]], state: int) -> dict[str, States]:
    """Return the states, by outcome, in which an ALL that is entered in a state may end."""
    found: dict[str, States] = {}
    now: dict[tuple[int, bool], Way] = {(state, True): HERE}
    for body in bodies:
        later: dict[tuple[int, bool], Way] = {}
        for (before, fine), way in now.items():
            for outcome, states in body[before].items():
                for after, more in states.items():
                    key, whole = (after, fine and outcome in loop["good"]), _then(way, more)
                    if outcome == FAULT:
                        _end(found, (FAULT,), after, whole)
                    elif key not in later or whole[0] < later[key][0]:
                        later[key] = whole
        now = later
    for (after, fine), way in now.items():
        _end(found, (SUCCESS if fine else FAILED, FAULT), after, way)
    return found


def _body(search: _Search, start: int, state: int) -> dict[str, States]:
    """Return the states in which one iteration may end, by the outcome of its END."""
    found: dict[str, States] = {}
    for index, states in sorted(_walk(search, start, state).items()):
        for after, way in states.items():
            _end(found, (search.nodes[index]["outcome"],), after, way)
    return found


def _end(found: dict[str, States], outcomes: Iterable[str], state: int, way: Way) -> None:
    for outcome in outcomes:
        _keep(found.setdefault(outcome, {}), state, way)


def _then(first: Way, second: Way) -> Way:
    return (first[0] + second[0], (first[1], second[1]) if second[1] else first[1])


def _steps(trail: Trail) -> list[str]:
    """Write a way's steps in order."""
    found: list[str] = []
    waiting: list[Trail] = [trail]
    while waiting:
        at = waiting.pop()
        while at is not None:
            before, step = at
            if isinstance(step, str):
                found.append(step)
                at = before
            else:
                waiting.append(before)
                at = step
    return found[::-1]
