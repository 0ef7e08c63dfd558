"""The recorded walk: along a program once more, with the events of an earlier run of it in hand.

1. What has a row is not done again. A side effect answers from its row, a FAULT too; only its inputs are built anew.
   One that left the house has a row before that, INTENDED; where that is the last row, the walk ends at its node. So
   does the answer of people, WAITING.
2. Everything else (transforms, decisions, computations, exits) is done by its own step and must give the recorded body,
   byte for byte; then the recorded event is kept, `obs` and all. What is silent is done too, and what it records where
   it does record something is compared likewise. Nothing is waited for.
3. The first difference ends the walk: a row that says something else, or that speaks of another node than the one that
   the walk reaches. Nothing is written and no journal, clock or chance is touched.

`retrace` stops where the rows end, in the middle of a loop if need be. A replay ends there; `resume` goes on with the
ordinary steps. Those are the program's own, untouched, so that an ordinary walk pays nothing for all this.
"""

from __future__ import annotations

import orjson

from omnibachi_model.checks import link, listed
from omnibachi_model.diagnostics import Defect
from omnibachi_model.digests import encode
from omnibachi_model.record import CANCELLED_BODY, RESUMED_BODY, RUN_FINISHED
from omnibachi_model.sealed import CALL, EXIT, EXTERNAL, FAULT, LOOPS, SILENT, WAIT
from omnibachi_model.values import Outside

from .sites import Site, inputs_of
from .walk import STOP, Mishap, Walk, admit, opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn, TypeAlias

    from .blind import Sight
    from .faults import Frame
    from .link import Program
    from .walk import Recorded, Start, Step

    Along: TypeAlias = "Callable[[Walk, _Tape], int]"

# In the order in which a person asks: was it given the same, did it decide the same, did it answer the same.
FIELDS = (
    "kind", "workflow", "workflow_digest", "payload", "run", "capability", "effect", "inputs", "row", "outcome",
    "because", "output", "exit", "status", "result",
)  # fmt: skip
PURE = "PURE"


class Difference(Exception):
    """The first place where a record and what was recomputed from it differ.

    `path` is the node (or exit) that the walk had reached, empty for the start and after the end. `field` is the member
    of its body that differs (`kind`, `inputs`, `row`, `outcome`, `output`, `exit`, `result`, ...), or `path` where the
    record goes on with another node. `recorded` and `recomputed` are the two values, None where one side has nothing;
    where a recorded outcome or output is none that the workflow allows, `recomputed` says what is allowed or violated.
    """

    def __init__(self, path: str, field: str, recorded: Any, recomputed: Any) -> None:
        super().__init__(f"{path or 'start'}: {field}")
        self.path = path
        self.field = field
        self.recorded = recorded
        self.recomputed = recomputed


class _Tape:
    """The rows of a record after its first, and how far they were read."""

    __slots__ = ("place", "rows")

    def __init__(self, rows: Sequence[Recorded]) -> None:
        self.rows = rows
        self.place = 1

    def more(self, run: Walk) -> bool:
        """Tell whether a row is left; a RESUMED is no step and goes straight into the walk's events."""
        while self.place < len(self.rows):
            row = self.rows[self.place]
            if row[1] != RESUMED_BODY:
                return True
            self.place += 1
            run.events.append(row)
        return False

    def next(self) -> Recorded:
        """Return the next row, of which `more` has told."""
        row = self.rows[self.place]
        self.place += 1
        return row


def retrace(
    program: Program, start: Start, events: Sequence[Recorded], given: Any = None, hidden: list[str] | None = None
) -> tuple[Walk, int]:
    """Walk along the recorded (path, body, obs) of a run: (the walk, the index of the first node without a row).

    The index is STOP where the record has its end; then exit, status and result are those of the walk. `start` is what
    the run began with, as recorded; its journal and its entropy are not touched, and its clock is not read. Raises
    Difference.

    Where the program has secrets, `given` is the payload itself, if it is at hand, and to `hidden` comes the path of
    each node that was not done again for want of it; raises Unseen then (see `blind`).
    """
    first = events[0][1]
    asked = _parsed(first)
    sight = None
    try:
        if program.secrets is None:
            gate = program.gate(asked.get("payload"))
        else:
            # Imported here: a workflow without secrets is retraced without it.
            from .blind import look

            sight = look(program, asked.get("payload"), given, events)
            gate = sight.gate
            if hidden is not None:
                sight.withheld = hidden
    except Outside as outside:
        raise Difference("", "payload", asked.get("payload"), outside.reason) from None
    run = Walk(program, start, gate[2])
    # The time of what is recorded is recorded.
    run.now_ns = lambda: start.started_ns
    body = opened(run, start)
    if body != first:
        _differ("", first, body)
    run.events.append(events[0])
    tape = _Tape(events)
    if sight is not None and sight.ended and tape.more(run):
        _ended(run, tape.next())
        return run, STOP
    index = admit(run, start, gate)
    if index == STOP:
        made = run.events.pop()
        if not tape.more(run):
            raise Difference("", "exit", None, run.exit)
        run.events.append(made)
        row = tape.next()
        _meet(row, run.exit, True)
        _keep(run, row, run.exit)
    along = _along(program, sight)
    while index >= 0:
        if not tape.more(run):
            return run, index
        if tape.rows[tape.place][1] == CANCELLED_BODY:
            _ended(run, tape.next())
            break
        index = along[index](run, tape)
    if tape.more(run):
        raise Difference("", "path", _place(_parsed(tape.next()[1])), None)
    return run, STOP


def _ended(run: Walk, row: Recorded) -> None:
    """Take an end to which no step leads: of a run that was cancelled, or rejected by what is not at hand."""
    end = _parsed(row[1])
    run.events.append(row)
    run.exit, run.status, run.result = end["exit"], end["status"], end["result"]


def _along(program: Program, sight: Sight | None) -> tuple[Along, ...]:
    """Make the table of recorded steps: one for each node, by index."""
    nodes: list[dict[str, Any]] = orjson.loads(program.sealed)["nodes"]
    size = len(nodes)
    found = [_of(program, index, node, size) for index, node in enumerate(nodes)]
    if sight is not None:
        from .blind import along

        found = [along(sight, index, nodes[index], step, _differ) for index, step in enumerate(found)]
    return tuple(found)


def _of(program: Program, index: int, node: dict[str, Any], size: int) -> Along:
    if node["kind"] == CALL and node["effect"] != PURE:
        return _answering(index, node, size)
    if node["kind"] == WAIT:
        return _waiting(index, node, size)
    if node["kind"] in SILENT or node["kind"] in LOOPS:
        return _silent(program.steps[index])
    return _recomputing(program, index, node)


def _silent(step: Step) -> Along:
    """Make the recorded step of what leaves no event as a rule."""

    def along(run: Walk, tape: _Tape) -> int:
        before = len(run.events)
        target = step(run)
        if len(run.events) > before:
            name, row = run.events[-1][0], tape.next()
            _meet(row, name, False)
            _keep(run, row, name)
        return target

    return along


def _recomputing(program: Program, index: int, node: dict[str, Any]) -> Along:
    """Make the recorded step of what can be done again: its own step, and a comparison."""
    step, name, ends = program.steps[index], node["name"], node["kind"] == EXIT

    def along(run: Walk, tape: _Tape) -> int:
        row, path = tape.next(), run.place(name)
        _meet(row, path, ends)
        target = step(run)
        _keep(run, row, path)
        return target

    return along


def _answering(index: int, node: dict[str, Any], size: int) -> Along:
    """Make the recorded step of a side effect: inputs built anew and compared, everything else from the row."""
    site = Site(index, node, size, {}, _never, "")
    outside = node["effect"] == EXTERNAL

    def along(run: Walk, tape: _Tape) -> int:
        row, frame = tape.next(), site.frame.here(run)
        name = frame.name
        recorded = _meet(row, name, False)
        ready = inputs_of(site, run, frame)
        if ready is None:
            # Its FAULT stands in the walk's events now, and there was no call.
            _keep(run, row, name)
            return site.fault_target
        given = ready[1]
        if outside:
            _left(run, row, frame, given)
            if not tape.more(run):
                run.intended = name
                return index
            row = tape.next()
            recorded = _meet(row, name, False)
        outcome, output = recorded.get("outcome"), recorded.get("output")
        if outcome == FAULT:
            body, target = frame.fault(given), site.fault_target
            fault = _parsed(row[2]).get("fault")
            if isinstance(fault, dict) and "reason" in fault:
                run.mishaps.append(Mishap(name, frame.capability, fault, None))
        elif isinstance(outcome, str) and outcome in site.outcomes:
            _, middle, target = site.outcomes[outcome]
            body = frame.before + given + middle + encode(output) + frame.after
        else:
            raise Difference(name, "outcome", outcome, sorted(site.outcomes))
        if body != row[1]:
            _differ(name, row[1], body)
        if outcome != FAULT:
            misfits = site.checks[outcome](output)
            if misfits:
                raise Difference(name, "output", output, {"violations": listed(misfits)})
            run.values[index] = output
        run.events.append(row)
        return target

    return along


def _left(run: Walk, row: Recorded, frame: Frame, given: bytes) -> None:
    """Compare the event that says that a call was about to leave."""
    # Imported here: a workflow that stays in the house starts without it.
    from .outside import intended

    body = intended(frame, given)
    if row[1] != body:
        _differ(frame.name, row[1], body)
    run.events.append(row)


def _waiting(index: int, node: dict[str, Any], size: int) -> Along:
    """Make the recorded step of a wait: what was to be approved is built anew and compared, people are not asked."""
    # Imported here: a workflow that waits for nobody starts without it.
    from .waits import Wait

    wait = Wait(index, node, size)

    def along(run: Walk, tape: _Tape) -> int:
        row, frame = tape.next(), wait.frame.here(run)
        name = frame.name
        recorded = _meet(row, name, False)
        given = wait.inputs(run, frame)
        if given is None:
            _keep(run, row, name)
            return wait.fault_target
        body = wait.waiting(frame, given)
        if row[1] != body:
            _differ(name, row[1], body)
        run.events.append(row)
        if not tape.more(run) or tape.rows[tape.place][1] == CANCELLED_BODY:
            run.intended = name
            return index
        row = tape.next()
        recorded = _meet(row, name, False)
        outcome, output = recorded.get("outcome"), recorded.get("output")
        if outcome not in wait.outputs:
            raise Difference(name, "outcome", outcome, sorted(wait.outputs))
        misfits = link(wait.outputs[outcome])(output)
        if misfits:
            raise Difference(name, "output", output, {"violations": listed(misfits)})
        assert isinstance(output, dict)
        body = wait.waited(frame, given, outcome, output)
        if body != row[1]:
            _differ(name, row[1], body)
        run.values[index] = output
        run.events.append(row)
        return wait.targets[outcome]

    return along


def _never(run: Walk, path: str, inputs: dict[str, Any], deadline: int | None) -> NoReturn:
    raise Defect("a recorded side effect was asked again")


def _meet(row: Recorded, name: str, ends: bool) -> dict[str, Any]:
    """Check that a row speaks of the node that the walk has reached; return its parsed body."""
    recorded = _parsed(row[1])
    place = _place(recorded)
    if place != name:
        both_end = ends and recorded.get("kind") == RUN_FINISHED
        raise Difference(name, "exit" if both_end else "path", place, name)
    return recorded


def _keep(run: Walk, row: Recorded, name: str) -> None:
    """Compare the event that a step has just added with the recorded one, and put that in its place."""
    body = run.events[-1][1]
    if body != row[1]:
        _differ(name, row[1], body)
    run.events[-1] = row


def _differ(path: str, recorded: bytes, recomputed: bytes) -> NoReturn:
    """Name the first member in which two bodies differ."""
    old, new = _parsed(recorded), _parsed(recomputed)
    for field in (*FIELDS, *sorted({*old, *new})):
        if encode(old.get(field)) != encode(new.get(field)) or (field in old) is not (field in new):
            raise Difference(path, field, old.get(field), new.get(field))
    raise Difference(path, "form", recorded.decode("utf-8", "replace"), recomputed.decode("utf-8", "replace"))


def _place(body: dict[str, Any]) -> Any:
    """Return which node or exit a body speaks of."""
    return body.get("exit") if body.get("kind") == RUN_FINISHED else body.get("path")


def _parsed(data: bytes) -> dict[str, Any]:
    """Read a body or an obs; what is no object, as in no record that holds, has no members."""
    try:
        found = orjson.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
