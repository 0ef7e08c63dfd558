"""Loops that were recorded, walked along without the secrets that they went over or ended by.

A loop tells at its end how many rounds it had, so one over a secret list goes over as many markers; whether one that
ends by a secret had another round is what the next row says. One over a secret list whose own row is not there cannot
be walked: `Unseen`.
"""

from __future__ import annotations

import orjson

from omnibachi_model.digests import encode
from omnibachi_model.record import COMPUTED
from omnibachi_model.sealed import EXHAUSTED, FAULT, SUCCESS
from omnibachi_model.secrecy import WITHHELD

from . import templates
from .graph import nests
from .loops import Turn
from .walk import Mishap
from .withholding import Marker, Unseen, holds_marker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .blind import Differ, Sight
    from .link import Program
    from .recorded import Along, _Tape
    from .walk import Recorded, Walk


def over_secrets(
    sight: Sight, index: int, node: dict[str, Any], reads: Callable[[Walk], bool], ordinary: Along, differ: Differ
) -> Along:
    """Return the recorded step that enters an EACH, which may go over what is not at hand."""
    after = _after(sight.program, index)
    body, item = int(node["body"]), str(node["as"])

    def enter(run: Walk, tape: _Tape) -> int:
        if not reads(run):
            return ordinary(run, tape)
        path = run.place(node["name"])
        row = next((row for row in tape.rows[tape.place :] if row[0] == path), None)
        if row is None:
            raise Unseen(path)
        sight.note(path)
        recorded = orjson.loads(row[1])
        if row is tape.rows[tape.place]:
            tape.next()
            return _ended(run, index, node, path, row, recorded, differ)
        count = _count(recorded)
        if not 0 < count <= node["max"]:
            differ(path, row[1], encode({**recorded, "inputs": {"count": None}}))
        run.loops.append(Turn([Marker({WITHHELD: None})] * count, True))
        run.values[index] = {item: run.loops[-1].items[0]}
        _forget(run, index, after)
        return body

    return enter


def ended_by_secrets(sight: Sight, node: dict[str, Any], ordinary: Along, differ: Differ) -> Along:
    """Return the recorded step of an END of a REPEAT, which may end by what is not at hand: by the next row then."""
    index = int(node["of"])
    nodes = orjson.loads(sight.program.sealed)["nodes"]
    loop = nodes[index]
    bind = templates.link(node["output"], len(nodes))
    after, outcome = _after(sight.program, index), node["outcome"]

    def close(run: Walk, tape: _Tape) -> int:
        output = bind(run.values) if outcome != FAULT else None
        if not holds_marker(output):
            return ordinary(run, tape)
        turn, path = run.loops[-1], run.place(loop["name"])
        row = tape.rows[tape.place]
        turn.done += 1
        if row[0] != path:
            if outcome != SUCCESS or turn.done >= loop["max"]:
                differ(path, row[1], encode({"path": path}))
            turn.number = turn.done
            _forget(run, index, after)
            return int(loop["body"])
        tape.next()
        run.loops.pop()
        recorded = orjson.loads(row[1])
        sight.note(path)
        possible = (SUCCESS, EXHAUSTED, FAULT) if outcome == SUCCESS else (outcome,)
        if _count(recorded) != turn.done or recorded.get("outcome") not in possible:
            differ(path, row[1], encode({**recorded, "inputs": {"count": turn.done}, "outcome": sorted(possible)}))
        hidden = loop["secret"].get("outputs", {}).get(recorded["outcome"], ())
        made: dict[str, Any] = output if type(output) is dict and recorded["outcome"] != FAULT else {}
        there = recorded.get("output")
        if type(there) is dict:
            made = {key: there.get(key) if key in hidden else item for key, item in made.items()}
        return _ended(run, index, loop, path, row, recorded, differ, made, output)

    return close


def _ended(
    run: Walk,
    index: int,
    node: dict[str, Any],
    path: str,
    row: Recorded,
    recorded: dict[str, Any],
    differ: Differ,
    output: dict[str, Any] | None = None,
    value: dict[str, Any] | None = None,
) -> int:
    """Take the end of a loop from its row; without an output it had no round."""
    outcome = recorded.get("outcome")
    if output is None:
        output = value = {"items": []} if outcome == SUCCESS else {}
        if outcome not in node["next"] or (outcome == SUCCESS and _count(recorded) != 0):
            differ(path, row[1], encode({**recorded, "outcome": sorted(node["next"])}))
    made = {
        "capability": None, "effect": None, "inputs": recorded.get("inputs"), "kind": COMPUTED, "outcome": outcome,
        "output": output, "path": path,
    }  # fmt: skip
    if encode(made) != row[1]:
        differ(path, row[1], encode(made))
    run.values[index] = None if outcome == FAULT else value
    fault = orjson.loads(row[2]).get("fault")
    if outcome == FAULT and type(fault) is dict and "reason" in fault:
        run.mishaps.append(Mishap(path, None, fault, None))
    run.events.append(row)
    return int(node["next"][outcome])


def _count(recorded: dict[str, Any]) -> int:
    inputs = recorded.get("inputs")
    found = inputs.get("count") if type(inputs) is dict else None
    return found if type(found) is int else -1


def _after(program: Program, index: int) -> int:
    nodes = orjson.loads(program.sealed)["nodes"]
    return nests(nodes, program.start)[index].after


def _forget(run: Walk, index: int, after: int) -> None:
    """Forget what the round before left in the nested graph."""
    run.values[index + 1 : after] = [None] * (after - index - 1)
