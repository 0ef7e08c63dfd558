"""Steps of loops: EACH, REPEAT, ALL, and the END of each of their iterations.

A loop's nested graph lies behind it, and the walk goes through it once for each iteration. What an iteration knows is a
`Turn` on the walk's stack, so that a walk may stop and go on between any two events. Entering a loop and ending an
iteration is silent; at its end a loop leaves one event. FAULT inside ends it at once and silently: the node that
crashed has told already.

What a loop gives is held to 16 MiB of JSON in all, counted as it grows, because an item may give all that it was given.
"""

from __future__ import annotations

from omnibachi_model.diagnostics import Refused
from omnibachi_model.digests import encode
from omnibachi_model.faults import EXPRESSION, INPUT_MISFIT, OUTPUT_TOO_LARGE
from omnibachi_model.record import COMPUTED
from omnibachi_model.sealed import ALL, EACH, EXHAUSTED, FAILED, FAULT, OVERFLOW, PARTIAL, REPEAT, SUCCESS

from . import templates
from .attempts import LONGEST_MS, MS
from .decisions import unproven
from .faults import Frame, absent, fault, misfit
from .templates import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from .walk import Step, Walk

    Close: TypeAlias = "Callable[[Walk, Turn, str, dict[str, Any]], int]"

MOST_TURNS = 10_000
MOST_BYTES = 16 * 1024 * 1024


class Turn:
    """One loop on its way: how many iterations have ended, and what they gave.

    `number` is that of the present iteration, None where iterations have names (ALL).
    """

    __slots__ = ("done", "items", "number", "results", "size", "waited", "written")

    def __init__(self, items: Sequence[Any], numbered: bool) -> None:
        self.items = items
        self.done = 0
        self.number = 0 if numbered else None
        self.results: list[dict[str, Any]] = []
        self.written: list[bytes] = []
        self.size = 0
        self.waited = 0

    def add(self, outcome: str, output: dict[str, Any]) -> bool:
        """Keep what an iteration gave; False where all together grows too large."""
        result = {**output, "outcome": outcome}
        data = encode(result)
        self.size += len(data)
        self.results.append(result)
        self.written.append(data)
        return self.size <= MOST_BYTES


class Loop:
    """What a loop node is, linked: `step` enters it, and its ENDs call `close`.

    `after` is the index behind its nested graph, whose values are forgotten before each iteration.
    """

    __slots__ = ("after", "close", "fault_target", "frame", "index", "kind", "step", "targets")

    def __init__(self, index: int, node: dict[str, Any], after: int) -> None:
        self.index = index
        self.after = after
        self.kind = node["kind"]
        self.frame = Frame(COMPUTED, node["name"], None, None)
        self.targets: dict[str, int] = node["next"]
        self.fault_target: int = self.targets[FAULT]
        self.step: Step
        self.close: Close

    def begin(self, run: Walk) -> None:
        """Forget what the iteration before left in the nested graph."""
        run.values[self.index + 1 : self.after] = [None] * (self.after - self.index - 1)

    def crash(self, run: Walk) -> int:
        """Leave the loop by FAULT; return where that leads."""
        run.loops.pop()
        run.values[self.index] = None
        return self.fault_target

    def leave(self, run: Walk, count: int, outcome: str, output: dict[str, Any], made: bytes, waited: int = 0) -> int:
        """Record the loop's outcome; return where it leads. `made` are the bytes of its output."""
        here = self.frame.here(run)
        run.values[self.index] = output
        body = here.before + b'{"count":%d}' % count + here.middle(outcome) + made + here.after
        run.record(here.name, body, {"waited_us": waited // 1000} if waited >= 1000 else None)
        return self.targets[outcome]

    def overgrown(self, run: Walk, count: int) -> int:
        """Leave the loop because it gives too much."""
        detail = f"what it gives grows beyond {MOST_BYTES} bytes"
        fault(run, self.frame.here(run), b'{"count":%d}' % count, OUTPUT_TOO_LARGE, detail=detail)
        return self.crash(run)


def link_loop(index: int, node: dict[str, Any], after: int, size: int, outcomes: Sequence[Sequence[str]]) -> Loop:
    """Turn an EACH, REPEAT or ALL into a Loop.

    `outcomes` are, for its body or for each of its bodies, those with which an iteration may end. Raises ValueError.
    """
    loop = Loop(index, node, after)
    possible = {EACH: _each, REPEAT: _repeat, ALL: _all}[node["kind"]](loop, node, size, outcomes)
    missing = [name for name in possible if name not in loop.targets]
    if missing:
        raise ValueError(f"no way on from {node['name']} after {missing}")
    return loop


def link_end(node: dict[str, Any], size: int, loop: Loop) -> Step:
    """Turn the END of an iteration into its step."""
    outcome, name = node["outcome"], node["name"]
    bind = templates.link(node["output"], size)
    if outcome == FAULT:
        return loop.crash

    def step(run: Walk) -> int:
        try:
            output = bind(run.values)
        except ABSENT:
            output = None
        if type(output) is not dict:
            raise Refused([unproven(name)])
        return loop.close(run, run.loops[-1], outcome, output)

    return step


def most_turns(node: dict[str, Any]) -> int:
    """Return the `max` of an EACH or REPEAT; raises ValueError."""
    most = node["max"]
    if type(most) is not int or not 1 <= most <= MOST_TURNS:
        raise ValueError(f"no number of iterations {most!r}")
    return most


def _each(loop: Loop, node: dict[str, Any], size: int, outcomes: Sequence[Sequence[str]]) -> list[str]:
    index, name, most = loop.index, node["as"], most_turns(node)
    body: int = node["body"]
    template, good = node["items"], frozenset(node["good"])
    if type(name) is not str:
        raise ValueError(f"no name of an item {name!r}")
    bind = templates.link(template, size)

    def step(run: Walk) -> int:
        try:
            items = bind(run.values)
        except ABSENT:
            absent(run, loop.frame.here(run), template)
            return loop.fault_target
        if type(items) is not list:
            misfit(run, loop.frame.here(run), None, INPUT_MISFIT, [((), "type")])
            return loop.fault_target
        count = len(items)
        if count > most:
            if OVERFLOW in loop.targets:
                return loop.leave(run, count, OVERFLOW, {}, b"{}")
            # The compiler proved that there are no more; what proves nothing must not run either.
            misfit(run, loop.frame.here(run), b'{"count":%d}' % count, INPUT_MISFIT, [((), "maxItems")])
            return loop.fault_target
        if not items:
            return loop.leave(run, 0, SUCCESS, {"items": []}, b'{"items":[]}')
        run.loops.append(Turn(items, True))
        run.values[index] = {name: items[0]}
        loop.begin(run)
        return body

    def close(run: Walk, turn: Turn, outcome: str, output: dict[str, Any]) -> int:
        turn.done += 1
        if not turn.add(outcome, output):
            return loop.overgrown(run, turn.done)
        if turn.done < len(turn.items):
            run.heed()
            turn.number = turn.done
            run.values[index] = {name: turn.items[turn.done]}
            loop.begin(run)
            return body
        run.loops.pop()
        fine = sum([result["outcome"] in good for result in turn.results])
        whole = SUCCESS if fine == turn.done else PARTIAL if fine else FAILED
        made = b'{"items":[%b]}' % b",".join(turn.written)
        return loop.leave(run, turn.done, whole, {"items": turn.results}, made)

    loop.step, loop.close = step, close
    kinds = {outcome in good for outcome in outcomes[0]}
    return [SUCCESS, *([FAILED] if False in kinds else []), *([PARTIAL] if len(kinds) == 2 else [])]


def _repeat(loop: Loop, node: dict[str, Any], size: int, outcomes: Sequence[Sequence[str]]) -> list[str]:
    # Imported here: a workflow without expressions starts without the module.
    from omnibachi_model.linked_expressions import ExpressionFault
    from omnibachi_model.linked_expressions import link as link_expression

    most, pause_ms = most_turns(node), node["every_ms"]
    body: int = node["body"]
    if type(pause_ms) is not int or not 0 <= pause_ms <= LONGEST_MS:
        raise ValueError(f"no pause {pause_ms!r}")
    until = link_expression(node["until"])

    def step(run: Walk) -> int:
        run.loops.append(Turn((), True))
        run.values[loop.index] = None
        loop.begin(run)
        return body

    def close(run: Walk, turn: Turn, outcome: str, output: dict[str, Any]) -> int:
        turn.done += 1
        if outcome == SUCCESS:
            try:
                enough = _judged(output)
            except ExpressionFault as error:
                given = b'{"count":%d}' % turn.done
                fault(run, loop.frame.here(run), given, EXPRESSION, detail=f"`until`: {error}")
                return loop.crash(run)
            if not enough and turn.done < most:
                if pause_ms:
                    # Counted also where it is only walked along again: whoever made its rows has waited.
                    turn.waited += pause_ms * MS
                    run.wait(pause_ms * MS)
                run.heed()
                turn.number = turn.done
                loop.begin(run)
                return body
            outcome = SUCCESS if enough else EXHAUSTED
        run.loops.pop()
        waited = turn.waited if run.pause is not None else 0
        return loop.leave(run, turn.done, outcome, output, encode(output), waited)

    def _judged(output: dict[str, Any]) -> bool:
        verdict = until(output)
        if verdict is True or verdict is False:
            return verdict
        raise ExpressionFault("it is neither true nor false")

    loop.step, loop.close = step, close
    return [*outcomes[0], *([EXHAUSTED] if SUCCESS in outcomes[0] else [])]


def _all(loop: Loop, node: dict[str, Any], size: int, outcomes: Sequence[Sequence[str]]) -> list[str]:
    members, good = tuple(node["members"]), frozenset(node["good"])
    bodies: tuple[int, ...] = tuple(node["bodies"])

    def step(run: Walk) -> int:
        run.loops.append(Turn(members, False))
        run.values[loop.index] = None
        loop.begin(run)
        return bodies[0]

    def close(run: Walk, turn: Turn, outcome: str, output: dict[str, Any]) -> int:
        turn.done += 1
        if not turn.add(outcome, output):
            return loop.overgrown(run, turn.done)
        if turn.done < len(bodies):
            run.heed()
            return bodies[turn.done]
        run.loops.pop()
        whole = SUCCESS if all(result["outcome"] in good for result in turn.results) else FAILED
        output = dict(zip(members, turn.results, strict=True))
        return loop.leave(run, turn.done, whole, output, encode(output))

    loop.step, loop.close = step, close
    fine = all(any(outcome in good for outcome in some) for some in outcomes)
    spoilt = any(outcome not in good for some in outcomes for outcome in some)
    return [*([SUCCESS] if fine else []), *([FAILED] if spoilt else [])]
