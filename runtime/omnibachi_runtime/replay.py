"""Replaying: a record walked once more along its own program, to see whether it could have come about so.

Every transform, decision, computation and route is done again; side effects answer from the record, so nothing outside
the process is touched and nothing is written. What the record says of its own start (id, instant, actor) is what the
walk begins with.
"""

from __future__ import annotations

import orjson

from omnibachi_model.diagnostics import Defect
from omnibachi_model.record import RUN_FINISHED
from omnibachi_model.sealed import SILENT

from .recorded import Difference, retrace
from .walk import Start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from omnibachi_model.record import Event

    from .link import Program
    from .walk import Walk


class Retold:
    """What came of a replay: the first difference or None, and the node at which a record without an end stops.

    `line` is the record's line of the difference. `withheld` are the paths of what could not be done again without the
    secrets of the run, the payload's is empty.
    """

    __slots__ = ("difference", "line", "stops_at", "withheld")

    def __init__(
        self, difference: Difference | None, line: int | None, stops_at: str | None, withheld: Sequence[str] = ()
    ) -> None:
        self.difference = difference
        self.line = line
        self.stops_at = stops_at
        self.withheld = tuple(withheld)

    def __repr__(self) -> str:
        return f"Retold({self.difference!r})"


class _Past:
    """The clock and the chance of a replay: the instant of the start, and none."""

    __slots__ = ("_now",)

    def __init__(self, now_ns: int) -> None:
        self._now = now_ns

    def now_ns(self) -> int:
        """Return the instant at which the recorded run started."""
        return self._now

    def draw(self, count: int) -> bytes:
        """Refuse: only side effects draw, and a replay calls none."""
        raise Defect("a replay drew chance")


def replay(program: Program, events: Sequence[Event], given: Any = None) -> Retold:
    """Recompute a record, whose form and chain hold, along the program of the workflow that it names.

    `program` needs the functions of its transforms only; those of side effects are never called. `given` is the payload
    itself, where it has secrets and is at hand.
    """
    if program.secrets is None:
        return _replayed(program, events, None, None)
    from .withholding import Unseen

    hidden: list[str] = []
    try:
        found = _replayed(program, events, given, hidden)
    except Unseen as unseen:
        # A loop that cannot be walked: nothing after it can be done again either.
        paths = [str(event.body["path"]) for event in events if event.body.get("path")]
        met = [number for number, path in enumerate(paths) if path.startswith(unseen.path)]
        rest = paths[met[0] :] if met else []
        found = Retold(None, None, None if _has_end(events) else unseen.path)
        hidden += [unseen.path, *rest]
    found.withheld = tuple(dict.fromkeys(hidden))
    return found


def _has_end(events: Sequence[Event]) -> bool:
    return bool(events[-1].body.get("kind") == RUN_FINISHED)


def _replayed(program: Program, events: Sequence[Event], given: Any, hidden: list[str] | None) -> Retold:
    rows = [(str(event.body.get("path", "")), event.body_bytes, event.obs_bytes) for event in events]
    try:
        run, index = retrace(program, _start(events[0]), rows, given, hidden)
    except Difference as found:
        if (found.path, found.field, found.recorded) == ("", "exit", None):
            # The record was cut before the end of a run that ended at the gate.
            return Retold(None, None, str(found.recomputed))
        return Retold(found, _line(events, found), None)
    return Retold(None, None, _stop(run, index) if index >= 0 else None)


def _stop(run: Walk, index: int) -> str:
    """Return the node at which a record without an end stops: of a silent one the node that it belongs to."""
    program = run.program
    name = program.names[index]
    if orjson.loads(program.sealed)["nodes"][index]["kind"] in SILENT:
        name = name.rpartition("/")[0] or name
    return run.place(name)


def _start(event: Event) -> Start:
    asked, obs = event.body["run"], event.obs

    def said(name: str) -> Any:
        return obs.get(name, asked.get(name))

    past = _Past(int(obs["at_us"]) * 1000)
    started_at, actor = said("started_at"), said("actor")
    return Start(str(obs["trace_id"]), past.now_ns(), str(started_at), actor, b"", past, past, None)


def _line(events: Sequence[Event], found: Difference) -> int:
    """Return the line that a difference speaks of; the last one where the record says too little."""
    place = found.recorded if found.field in ("path", "exit") else found.path
    if place == "":
        return 1
    for event in events:
        if place in (event.body.get("path"), event.body.get("exit")):
            return event.line
    return events[-1].line
