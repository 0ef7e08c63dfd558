"""The same run on another workflow: what would have come of a recorded run, had it walked a program of today.

1. The payload and what the run reads of itself (id, instant, actor) are those of the record.
2. Transforms, decisions and computations are done; side effects answer from the record, by their path and for equal
   inputs alone. Nothing outside the process is touched and nothing is kept.
3. Where a side effect is asked what the record cannot answer, nobody knows how the run would have ended.

The walk is the ordinary one: the program is linked with functions that answer from the record, so whatever a step does
(loops, attempts, deadlines) it does here too. A recorded TIMEOUT is an answer that comes after the deadline.
"""

from __future__ import annotations

from omnibachi_model.checks import conform, link, listed
from omnibachi_model.digests import decode, encode
from omnibachi_model.faults import INPUT_MISFIT, MISSING_INPUT
from omnibachi_model.record import CALLED, RESUMED, RUN_FINISHED, WAITED, WAITING
from omnibachi_model.sealed import CALL, EXPIRED, FAULT, TIMEOUT
from omnibachi_model.secrecy import WITHHELD, is_withheld
from omnibachi_model.ways import named

from .recorded import FIELDS
from .walk import Start, Walk, admit, go_on, opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from omnibachi_model.record import Event
    from omnibachi_model.values import Answer

    from .link import Program

# What the record says of a FAULT that came before the capability was asked.
UNASKED = frozenset((MISSING_INPUT, INPUT_MISFIT))
MOST_US = 1 << 62  # an instant after all others


class Unanswered(BaseException):
    """A side effect was asked what the record cannot answer; no step may take it for a crash of the capability.

    The rest is that of the `Part` at which it happened.
    """

    def __init__(self, path: str, reason: str, field: str, recorded: Any, recomputed: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.part = Part(path, field, recorded, recomputed)


class Part:
    """The first place where a recorded run and the same run on another workflow go different ways.

    `path` is the node or exit that the new walk had reached, `field` the member of its event that differs, or `path`
    where the record went on with another node; `recorded` and `recomputed` are the two values.
    """

    __slots__ = ("field", "path", "recomputed", "recorded")

    def __init__(self, path: str, field: str, recorded: Any, recomputed: Any) -> None:
        self.path = path
        self.field = field
        self.recorded = recorded
        self.recomputed = recomputed

    def __repr__(self) -> str:
        return f"Part({self.path}: {self.field})"


class Again:
    """How a run would have ended: exit, status and result, or `unanswered`, why nobody knows.

    `part` is where the two ways part, None where every event came out the same.
    """

    __slots__ = ("exit", "part", "result", "status", "unanswered")

    def __init__(self, run: Walk, part: Part | None, unanswered: str | None) -> None:
        self.exit = run.exit
        self.status = run.status
        self.result = run.result
        self.part = part
        self.unanswered = unanswered

    def __repr__(self) -> str:
        return f"Again({self.unanswered or self.exit})"


class Answers:
    """What the side effects of a recorded run answered, by path, for a workflow that may be another.

    A record does not say which store or event was asked: `walked`, the workflow that the run walked, does where it is
    at hand.
    """

    __slots__ = ("_before", "_checks", "_nodes", "_rows", "clock")

    def __init__(self, workflow: dict[str, Any], events: Sequence[Event], walked: dict[str, Any] | None = None) -> None:
        self._before = {node["name"]: node for node in (walked or {"nodes": ()})["nodes"] if node["kind"] == CALL}
        self.clock = Past(int(events[0].obs["at_us"]) * 1000, events)
        self._rows = {event.body["path"]: event for event in events if event.body["kind"] == CALLED}
        self._nodes = {node["name"]: node for node in workflow["nodes"] if node["kind"] == CALL}
        self._checks: dict[tuple[str, str], Callable[[Any], Any]] = {}

    def function(self, use: str) -> Callable[..., Answer]:
        """Return what stands for a side effect: a function that answers from the record, or raises Unanswered."""

        def answer(inputs: Any, _: Any, call: Any) -> Answer:
            path = str(call.path)
            row = self._rows.get(path)
            if row is None:
                raise Unanswered(path, f"`{path}` asks `{use}`, and the record has no answer of it", "path", None, path)
            return self._answer(path, use, row, inputs, call.deadline)

        return answer

    def _answer(self, path: str, use: str, row: Event, inputs: Any, deadline: int | None) -> Answer:
        body = row.body
        outcome, output = body["outcome"], body["output"]
        node = self._nodes[named(path)]
        before = self._before.get(named(path), node)
        asks = f"`{path}` asks `{use}`"
        if body["capability"] != use:
            there = body["capability"]
            raise Unanswered(path, f"{asks}, and the record has an answer of `{there}` there", "capability", there, use)
        for kind in ("store", "event"):
            if before[kind] != node[kind]:
                reason = f"`{path}` asks the {kind} `{node[kind]}`, and the record has an answer of `{before[kind]}`"
                raise Unanswered(path, reason, kind, before[kind], node[kind])
        if body["inputs"] is None or _reason(row) in UNASKED:
            reason = f"{asks}, which the recorded run did not come to ask"
            raise Unanswered(path, reason, "inputs", body["inputs"], inputs)
        if encode(body["inputs"]) != encode(inputs):
            reason = f"{asks} with other inputs than the recorded ones"
            raise Unanswered(path, reason, "inputs", body["inputs"], inputs)
        if outcome == FAULT:
            raise RuntimeError("as recorded")
        if outcome not in node["outcomes"]:
            reason = f"`{path}` cannot end in {outcome} any more, which is what the record has"
            raise Unanswered(path, reason, "outcome", outcome, sorted(node["outcomes"]))
        misfits = conform(self._check(node, outcome), output)[1]
        if misfits:
            reason = f"the recorded output of `{path}` does not fit what is declared now"
            raise Unanswered(path, reason, "output", output, {"violations": listed(misfits)})
        if outcome == TIMEOUT and deadline is not None:
            self.clock.wait_until(deadline + 1)
        return outcome, output

    def _check(self, node: dict[str, Any], outcome: str) -> Any:
        key = (node["name"], outcome)
        if key not in self._checks:
            self._checks[key] = link(node["outcomes"][outcome])
        return self._checks[key]


class Past:
    """The clock, the chance and the journal of a run that is only thought through: the instant of its start, zeros,
    and nothing kept; what people said is what the record holds."""

    __slots__ = ("_asked", "_now", "_said")

    def __init__(self, now_ns: int, events: Sequence[Event]) -> None:
        self._now = now_ns
        self._asked = {event.body["path"]: event.body for event in events if event.body["kind"] == WAITING}
        self._said = {event.body["path"]: event for event in events if event.body["kind"] == WAITED}

    def now_ns(self) -> int:
        """Return the instant at which the recorded run started, or to which it was waited since."""
        return self._now

    def wait_until(self, instant: int) -> None:
        """Let time pass."""
        self._now = max(self._now, instant)

    def draw(self, count: int) -> bytes:
        """Return zeros: what a run drew stands in its record, and what it waited changes nothing."""
        return bytes(count)

    def store(self, address: str) -> None:
        """Return no store: answers come from the record."""

    cancelled = False  # what was asked of the recorded run is not asked of this one

    def begin(self, *, durable: bool = False, settling: bool = False) -> None:
        """Begin nothing."""

    def stopped(self) -> bool:
        """Tell that nobody asks that it end."""
        return False

    def receipt(self, path: str, capability: str, outcome: str) -> int:
        """Return a number that nobody reads."""
        return 0

    def write(self, events: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Write nothing."""

    def finish(self, exit: str, status: str, digest: str) -> None:
        """Finish nothing."""

    def approvals(self, path: str, subject: str) -> tuple[list[tuple[str, bytes, int]], int]:
        """Return what people said at this node of the record, of the very same thing; raises Unanswered."""
        asked, said = self._asked.get(path), self._said.get(path)
        if asked is None or said is None:
            reason = f"`{path}` waits for people, and the record has no answer of them"
            raise Unanswered(path, reason, "path", None, path)
        if asked["subject"] != subject:
            reason = f"`{path}` waits for people, and the record has their answer to something else"
            raise Unanswered(path, reason, "subject", asked["subject"], subject)
        told = said.obs.get("approvals", [])
        voices = [(item["key"], encode(item["envelope"]), item["at_us"]) for item in told]
        return voices, MOST_US if said.body["outcome"] == EXPIRED else 0

    def park(self) -> None:
        """Wait for nobody: what people said does not decide it on this workflow; raises Unanswered."""
        path = next(iter(self._said), "")
        raise Unanswered(path, "what people said does not decide what it waits for now", "quorum", None, None)

    def commit(self) -> None:
        """Commit nothing."""

    def rollback(self) -> None:
        """Undo nothing."""


def rerun(program: Program, events: Sequence[Event], answers: Answers) -> Again:
    """Walk a program with the payload of a finished record; `program` was linked with the functions of `answers`.

    Raises Outside where the payload is none that a record can hold, which none is whose form and chain hold.
    """
    first = events[0]
    asked, obs = first.body["run"], first.obs
    started_at, actor = (obs.get(name, asked.get(name)) for name in ("started_at", "actor"))
    past: Any = answers.clock
    start = Start(str(obs["trace_id"]), past.now_ns(), str(started_at), actor, b"", past, past, past)
    gate = program.gate(first.body["payload"])
    run = Walk(program, start, gate[2])
    run.events.append(("", opened(run, start), b"{}"))
    try:
        go_on(run, admit(run, start, gate))
    except Unanswered as missing:
        return Again(run, _parting(events, run) or missing.part, missing.reason)
    return Again(run, _parting(events, run), None)


def _blank(value: Any) -> Any:
    """Return a value in which nothing is told of what is withheld: without the key it cannot be compared."""
    if is_withheld(value) or value == {WITHHELD: None}:
        return {WITHHELD: None}
    if type(value) is dict:
        return {key: _blank(item) for key, item in value.items()}
    return [_blank(item) for item in value] if type(value) is list else value


def _reason(row: Event) -> Any:
    fault = row.obs.get("fault")
    return fault.get("reason") if isinstance(fault, dict) else None


def _parting(events: Sequence[Event], run: Walk) -> Part | None:
    """Compare what was walked now with what was recorded, event by event; what was asked for at the start is the same.

    A walk that was cut short is compared as far as it came.
    """
    kept = [event.body for event in events[1:] if event.body["kind"] != RESUMED]
    made = [decode(body) for _, body, _ in run.events[1:]]
    if run.program.secrets is not None:
        kept, made = _blank(kept), _blank(made)
    for body, now in zip(kept, made, strict=False):
        there, here = _place(body), _place(now)
        if there != here:
            both_end = body["kind"] == now["kind"] == RUN_FINISHED
            return Part(here, "exit" if both_end else "path", there, here)
        for field in (*FIELDS, *sorted({*body, *now} - set(FIELDS))):
            if encode(body.get(field)) != encode(now.get(field)):
                return Part(here, field, body.get(field), now.get(field))
    if len(made) > len(kept):
        return Part(_place(made[len(kept)]), "path", None, _place(made[len(kept)]))
    if run.exit and len(kept) > len(made):
        return Part(_place(kept[len(made)]), "path", _place(kept[len(made)]), None)
    return None


def _place(body: dict[str, Any]) -> str:
    """Return which node or exit a body speaks of."""
    return str(body["exit"] if body["kind"] == RUN_FINISHED else body["path"])
