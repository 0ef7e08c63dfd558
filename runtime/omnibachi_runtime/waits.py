"""Steps of WAIT: a run that waits for people stops, gives itself up, and is gone on with when they have answered.

A WAITING event says what is to be approved, by whom and how many, and is committed with all that came before it; the
walk ends there without an exit. The statements of people are judged where they arrive and kept by the journal; a walk
that is resumed here asks the journal for those that count, and what follows from them is the node's answer, WAITED,
whose `obs` holds the statements themselves. So the answer of people is recorded as that of a side effect is.
"""

from __future__ import annotations

from omnibachi_model.digests import decode, digest, encode
from omnibachi_model.faults import INPUT_MISFIT, RAISED
from omnibachi_model.record import WAITED, WAITING
from omnibachi_model.sealed import FAULT, sealed_name
from omnibachi_model.waits import decided, outputs

from . import templates
from .faults import Frame, absent, fault, misfit
from .templates import ABSENT
from .walk import STOP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    from omnibachi_model.ports import Journal
    from omnibachi_model.values import Answer

    from .walk import Step, Walk

    Said: TypeAlias = "tuple[str, dict[str, Any], list[dict[str, Any]]]"


class Wait:
    """A WAIT, linked: how what is approved comes about, who is asked, and where each outcome leads."""

    __slots__ = (
        "bind",
        "fault_target",
        "frame",
        "index",
        "outputs",
        "quorum",
        "roles",
        "targets",
        "template",
        "within",
    )

    def __init__(self, index: int, node: dict[str, Any], size: int) -> None:
        """Link a sealed WAIT; raises ValueError and what wrong types raise."""
        self.index = index
        self.frame = Frame(WAITED, node["name"], None, None)
        self.template = node["with"]
        self.bind = templates.link(self.template, size)
        self.roles: list[str] = sorted(node["roles"])
        self.quorum: int = node["quorum"]
        self.within: int | None = node["within_ms"]
        self.outputs = outputs(self.quorum, self.within is not None)
        self.targets: dict[str, int] = node["next"]
        self.fault_target: int = self.targets[FAULT]
        if not self.roles or type(self.quorum) is not int or self.quorum < 1 or type(self.within or 1) is not int:
            raise ValueError("a wait for nobody")
        if {*self.targets} != {*self.outputs, FAULT}:
            raise ValueError(f"the ways on from {node['name']} are not those of a wait")

    def inputs(self, run: Walk, frame: Frame) -> bytes | None:
        """Build what is to be approved; None after the node's FAULT was recorded."""
        try:
            inputs = self.bind(run.values)
        except ABSENT:
            absent(run, frame, self.template)
            return None
        try:
            return encode(inputs)
        except TypeError:
            misfit(run, frame, None, INPUT_MISFIT, [((), "canonical")])
            return None

    def waiting(self, frame: Frame, given: bytes) -> bytes:
        """Return the body of the WAITING event of a node with these encoded inputs."""
        parts = (given, encode(WAITING), encode(frame.name), encode(self.quorum), encode(self.roles))
        return b'{"inputs":%b,"kind":%b,"path":%b,"quorum":%b,"roles":%b,"subject":%b}' % (
            *parts,
            encode(digest(given)),
        )

    def waited(self, frame: Frame, given: bytes, outcome: str, output: dict[str, Any]) -> bytes:
        """Return the body of the WAITED event."""
        return frame.before + given + frame.middle(outcome) + encode(output) + frame.after

    def until(self, at_us: int) -> int | None:
        """Return the instant at which a wait that began then is over, in microseconds."""
        return None if self.within is None else at_us + self.within * 1000


def link_wait(index: int, node: dict[str, Any], size: int, forced: Mapping[str, Answer]) -> Step:
    """Turn a WAIT into its step; `forced` are answers that a scenario gives for people, by the node's path."""
    wait = Wait(index, node, size)
    given_to = {path: answer for path, answer in forced.items() if sealed_name(path) == node["name"]}

    def step(run: Walk) -> int:
        frame = wait.frame.here(run)
        given = wait.inputs(run, frame)
        if given is None:
            return wait.fault_target
        pending, run.intended = run.intended == frame.name, None
        if not pending:
            _begin(wait, run, frame, given)
        played = given_to.get(frame.name, given_to.get(node["name"]))
        if played is not None:
            return _answer(wait, run, frame, given, (*played, []))
        said = _said(wait, run, frame, given)
        if said is None:
            return _park(run, pending)
        journal: Journal = run.journal  # type: ignore[assignment]
        journal.begin()
        target = _answer(wait, run, frame, given, said)
        run.write(journal)
        journal.commit()
        run.settled()
        return target

    return step


def _begin(wait: Wait, run: Walk, frame: Frame, given: bytes) -> None:
    """Record that the run waits. The event belongs to no path: that of its answer does."""
    run.record("", wait.waiting(frame, given))
    until = wait.until(decode(run.events[-1][2])["at_us"])
    if until is not None:
        run.tell({"until_us": until})


def _said(wait: Wait, run: Walk, frame: Frame, given: bytes) -> Said | None:
    """Return what people have answered, with the statements; None while the wait goes on."""
    began = next(obs for _, body, obs in reversed(run.events) if decode(body)["kind"] == WAITING)
    journal: Journal = run.journal  # type: ignore[assignment]
    voices, seen = journal.approvals(frame.name, digest(given))
    now = max(run.now_ns() // 1000, seen)
    found = decided(voices, wait.quorum, decode(began).get("until_us"), now)
    if found is None:
        return None
    told = [{"at_us": at, "key": key, "envelope": decode(statement)} for key, statement, at in voices]
    return (*found, told)


def _park(run: Walk, pending: bool) -> int:
    """Commit what there is, give the run up and end the walk without an exit."""
    journal: Journal = run.journal  # type: ignore[assignment]
    if pending:
        # It was gone on with too early: nothing came of that, and nothing is told of it.
        del run.events[run.committed :]
    journal.begin(durable=True)
    run.write(journal)
    journal.park()
    journal.commit()
    run.settled()
    run.closed = True
    return STOP


def _answer(wait: Wait, run: Walk, frame: Frame, given: bytes, said: Said) -> int:
    """Record the node's answer; return where that leads."""
    outcome, output, told = said
    if outcome == FAULT:
        fault(run, frame, given, RAISED, "the scenario says so", exception="RuntimeError")
        return wait.fault_target
    run.values[wait.index] = output
    run.record(frame.name, wait.waited(frame, given, outcome, output), {"approvals": told} if told else None)
    return wait.targets[outcome]
