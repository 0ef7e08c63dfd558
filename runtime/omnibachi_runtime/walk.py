"""The walk: from payload to exit along a linked program, and the record that it leaves.

A `Walk` is one run in motion. Each node of the program is a step: a function from the walk to the index of the next
node, or `STOP`. A step records exactly one event; those of silent nodes and of loops (`passes`, `loops`) record one
only where something came of them. Whatever a step knows beyond its program it takes from the walk, so
that a later resume can hand in recorded answers without another walker.

Events are held until an effect is committed, and then written in the effect's own transaction; what comes after the
last effect is written at the end in one more. A workflow without side effects has no journal: its events stay here
and become the trace.
"""

from __future__ import annotations

import orjson

from omnibachi_model.checks import listed
from omnibachi_model.diagnostics import Cancelled
from omnibachi_model.digests import encode
from omnibachi_model.record import digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from omnibachi_model.checks import Violation
    from omnibachi_model.ports import Clock, Entropy, Journal

    from .link import Program
    from .loops import Turn

    Step: TypeAlias = "Callable[[Walk], int]"
    Recorded: TypeAlias = "tuple[str, bytes, bytes]"

STOP = -1
LOOK_NS = 250_000_000  # how often a run that goes on for long looks whether it was cancelled

# Each event's times: their keys stand in order, so sorting them can be spared.
dumps = orjson.dumps


class Start:
    """What a run begins with, besides its payload.

    `opening` is the part of the first event's `obs` that is the same for every run of one engine and program: JSON
    members without braces, in order, from `capabilities` to `seal`. `chance` is what the waits of this run are drawn
    from, where its program has such. `secrets` gives the text behind the name of a secret, None where there is none;
    without it calls get the names.
    """

    __slots__ = (
        "actor", "chance", "clock", "entropy", "journal", "opening", "run_id", "secrets", "started_at", "started_ns",
    )  # fmt: skip

    def __init__(
        self,
        run_id: str,
        started_ns: int,
        started_at: str,
        actor: str | None,
        opening: bytes,
        clock: Clock,
        entropy: Entropy,
        journal: Journal | None,
        chance: str | None = None,
        secrets: Callable[[str], str | None] | None = None,
    ) -> None:
        self.run_id = run_id
        self.started_ns = started_ns
        self.started_at = started_at
        self.actor = actor
        self.opening = opening
        self.clock = clock
        self.entropy = entropy
        self.journal = journal
        self.chance = chance
        self.secrets = secrets


class Mishap:
    """A FAULT of a node: the node, its capability, what the record says of it, and the exception's text.

    The text is for the person who runs it, now; it never enters a record.
    """

    __slots__ = ("capability", "fault", "node", "text")

    def __init__(self, node: str, capability: str | None, fault: dict[str, Any], text: str | None) -> None:
        self.node = node
        self.capability = capability
        self.fault = fault
        self.text = text

    def __repr__(self) -> str:
        return f"Mishap({self.node}: {self.fault['reason']})"


class Walk:
    """One run in motion, and, once it has ended, its outcome: exit, status, result, digest and events. One that waits
    for people has ended here without an exit.

    `loops` are the iterations in which it is, outermost first.
    """

    __slots__ = (
        "chance",
        "clock",
        "closed",
        "committed",
        "entropy",
        "events",
        "exit",
        "intended",
        "journal",
        "last_ns",
        "looked_ns",
        "loops",
        "mishaps",
        "now_ns",
        "pause",
        "payload",
        "program",
        "result",
        "run_id",
        "secrets",
        "started_ns",
        "status",
        "values",
    )

    def __init__(self, program: Program, start: Start, payload: bytes) -> None:
        self.program = program
        self.run_id = start.run_id
        self.clock = start.clock
        self.entropy = start.entropy
        self.journal = start.journal
        self.chance = start.chance
        self.secrets = start.secrets
        self.now_ns = start.clock.now_ns
        # Set when it goes on: what is only walked along again waits for nothing.
        self.pause: Callable[[int], None] | None = None
        self.started_ns = self.last_ns = self.looked_ns = start.started_ns
        self.payload = payload
        self.values: list[Any] = [None] * program.size
        self.events: list[Recorded] = []
        self.loops: list[Turn] = []
        self.committed = 0
        self.closed = False
        self.mishaps: list[Mishap] = []
        # Set on a walk that is resumed: the path of a call that had left, or a wait, of which no answer was recorded.
        self.intended: str | None = None
        self.exit = ""
        self.status = ""
        self.result: dict[str, Any] = {}

    @property
    def digest(self) -> str:
        """The SHA-256 of all bodies so far."""
        return digest_of([body for _, body, _ in self.events])

    def record(self, path: str, body: bytes, more: Mapping[str, Any] | None = None) -> None:
        """Add the event of a node that ended just now; `more` is what its `obs` says besides times."""
        at = self.now_ns()
        took = at - self.last_ns
        self.last_ns = at
        events = self.events
        times = {"at_us": at // 1000, "seq": len(events) + 1, "took_us": took // 1000 if took > 0 else 0}
        events.append((path, body, dumps(times) if more is None else encode({**times, **more})))

    def record_mishap(self, body: bytes, mishap: Mishap) -> None:
        """Add the event of a node that ended in FAULT."""
        self.mishaps.append(mishap)
        self.record(mishap.node, body, {"fault": mishap.fault})

    def tell(self, more: Mapping[str, Any]) -> None:
        """Add to what the `obs` of the last event says."""
        path, body, obs = self.events[-1]
        self.events[-1] = (path, body, encode({**orjson.loads(obs), **more}))

    def finish(self, exit: str, status: str, result: dict[str, Any], body: bytes) -> None:
        """Add the last event; the run has ended."""
        self.exit = exit
        self.status = status
        self.result = result
        at = self.now_ns()
        took = at - self.started_ns
        obs = dumps({"at_us": at // 1000, "seq": len(self.events) + 1, "took_us": took // 1000 if took > 0 else 0})
        self.events.append(("", body, obs))

    def write(self, journal: Journal) -> None:
        """Write what is not yet in the journal into its open transaction, the end too if there is one."""
        journal.write(self.events[self.committed :])
        if self.exit:
            journal.finish(self.exit, self.status, self.digest)

    def settled(self) -> None:
        """Take note that the journal's transaction was committed."""
        self.committed = len(self.events)
        self.closed = bool(self.exit)

    def place(self, name: str) -> str:
        """Return a node's name with the number of each iteration in its brackets, from the outermost."""
        if "[]" not in name:
            return name
        first, *parts = name.split("[]")
        numbers = [turn.number for turn in self.loops if turn.number is not None]
        return first + "".join([f"[{number}]{part}" for number, part in zip(numbers, parts, strict=False)])

    def cancelled(self) -> bool:
        """Tell whether somebody asked since that the run end; for what is under way, and may be given up."""
        return self.journal is not None and self.journal.stopped()

    def heed(self) -> None:
        """Raise Cancelled where somebody asked that the run end; looks a few times a second, so that it may be asked
        in every iteration."""
        if self.journal is None or self.now_ns() - self.looked_ns < LOOK_NS:
            return
        self.looked_ns = self.now_ns()
        if self.journal.stopped():
            raise Cancelled

    def wait(self, ns: int) -> int:
        """Let so many nanoseconds pass and return how many did: none on a clock that cannot pause, and fewer where
        the run is cancelled meanwhile."""
        if self.pause is None:
            return 0
        if ns > LOOK_NS:
            from .cancelling import paused

            return paused(self, ns)
        self.pause(ns)
        return ns


def walk(program: Program, start: Start, gate: tuple[list[Violation], Any, bytes]) -> Walk:
    """Run a program to an exit and return the ended walk; `gate` is what `Program.gate` said of the payload.

    Raises Trouble when the journal cannot do what is needed; an open transaction is undone whatever ends the walk
    early, an interrupt too.
    """
    run = Walk(program, start, gate[2])
    obs = b'{"actor":%b,"at_us":%d,%b,"seq":1,"started_at":"%b","trace_id":"%b"}' % (
        b"null" if start.actor is None else encode(start.actor),
        start.started_ns // 1000,
        start.opening,
        start.started_at.encode(),
        start.run_id.encode(),
    )
    if start.chance is not None:
        obs = encode({**orjson.loads(obs), "chance": start.chance})
    run.events.append(("", opened(run, start), obs))
    return go_on(run, admit(run, start, gate))


def opened(run: Walk, start: Start) -> bytes:
    """Return the body of the first event: what was asked for."""
    program = run.program
    asked = b"{}"
    if program.reads:
        members = _members(start)
        asked = encode({name: members[name] for name in program.reads})
    return b'{"kind":"RUN_STARTED","payload":%b,"run":%b,%b' % (run.payload, asked, program.identity)


def admit(run: Walk, start: Start, gate: tuple[list[Violation], Any, bytes]) -> int:
    """Let the payload in and return the index of the first node, or STOP after the run was rejected."""
    program = run.program
    found, given, _ = gate
    if found:
        result: dict[str, Any] = {"violations": listed(found)}
        run.finish(*program.rejected, result, program.rejection(encode(result)))
        return STOP
    values = run.values
    values[-2] = given
    values[-1] = _members(start) if program.reads else None
    return program.start


def go_on(run: Walk, index: int) -> Walk:
    """Walk from a node to an exit, commit what is not yet in the journal, and return the ended walk; see `walk`."""
    program = run.program
    if program.waits:
        run.pause = getattr(run.clock, "pause", None)
    try:
        try:
            steps = program.steps
            while index >= 0:
                index = steps[index](run)
            if program.journal and not run.closed:
                assert run.journal is not None
                run.journal.begin()
                run.write(run.journal)
                run.journal.commit()
                run.settled()
        except Cancelled:
            # Imported here, as seldom as it is needed.
            from .cancelling import end

            end(run)
    except BaseException:
        if program.journal and run.journal is not None:
            run.journal.rollback()
        raise
    return run


def _members(start: Start) -> dict[str, Any]:
    """Return what `$.run` holds."""
    return {"id": start.run_id, "started_at": start.started_at, "actor": start.actor}
