"""A run's record joined with the sealed workflow that it followed: the story that every reader of a record tells.

The record says what happened at each node; the sealed workflow says what could have. Neither is trusted to be whole:
a story is also told of a record that breaks off, and without the workflow, with less to say.
"""

from __future__ import annotations

from omnibachi_model.digests import encode
from omnibachi_model.record import CANCELLED_BODY, INTENDED, RESUMED, RUN_FINISHED, RUN_STARTED, STEPS, WAITING
from omnibachi_model.sealed import (
    BACKEND_ERROR,
    CANCELLED_EXIT,
    EXIT,
    EXTERNAL,
    FAULT,
    OUTCOME_UNKNOWN,
    TIMEOUT,
    WRITES,
)
from omnibachi_model.ways import named, onward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.record import Event

# What the keeping operations of `std` answer when they wrote nothing new. Operations of other domains may use the
# same words for something else, so nothing is concluded from theirs.
WROTE_NOTHING = frozenset(("ALREADY_EXISTS", "NOT_FOUND", "CONFLICT", "INSUFFICIENT", "VIOLATION"))


class Step:
    """One turn of the walk: what the record says of it, the sealed node beside it, and where the run went next."""

    __slots__ = ("body", "fault", "key", "last", "line", "number", "obs", "sealed", "target")

    def __init__(self, number: int, line: int, body: dict[str, Any], obs: dict[str, Any]) -> None:
        self.number = number
        self.line = line
        self.body = body
        self.obs = obs
        self.sealed: dict[str, Any] = {}
        self.target: str | None = None
        self.last = False
        self.key: str | None = None  # of a call that left the house: what the other side knows it by
        found = obs.get("fault")
        self.fault: dict[str, Any] = found if isinstance(found, dict) else {}

    @property
    def node(self) -> str:
        """The node's path."""
        return str(self.body.get("path", "?"))

    @property
    def kind(self) -> str:
        """CALLED, DECIDED, COMPUTED or WAITED."""
        return str(self.body.get("kind"))

    @property
    def outcome(self) -> str:
        """The outcome in which the node ended."""
        return str(self.body.get("outcome", "?"))

    @property
    def capability(self) -> str | None:
        """The address of what was called, None for a decision or a computation."""
        found = self.body.get("capability")
        return found if isinstance(found, str) else None

    @property
    def effect(self) -> str | None:
        """The effect class of what was called."""
        found = self.body.get("effect")
        return found if isinstance(found, str) else None

    @property
    def inputs(self) -> dict[str, Any]:
        """What the node was given; empty where it could not be built."""
        found = self.body.get("inputs")
        return found if isinstance(found, dict) else {}

    @property
    def output(self) -> dict[str, Any]:
        """What the node gave."""
        found = self.body.get("output")
        return found if isinstance(found, dict) else {}

    @property
    def row(self) -> int | None:
        """The row that decided, from 0."""
        found = self.body.get("row")
        return found if type(found) is int else None

    @property
    def because(self) -> str | None:
        """The reason that the winning row gives."""
        found = self.body.get("because")
        return found if isinstance(found, str) else None

    @property
    def receipt(self) -> int | None:
        """The commit number of the effect, None where nothing was committed."""
        found = self.obs.get("receipt")
        return found if type(found) is int else None

    @property
    def attempts(self) -> int:
        """How often a call was asked."""
        found = self.obs.get("attempts")
        return found if type(found) is int else 1

    @property
    def faulted(self) -> bool:
        """Whether the node ended in FAULT."""
        return self.outcome == FAULT

    @property
    def left(self) -> bool:
        """Whether the node's effect left the house, or may have."""
        return self.effect == EXTERNAL and self.key is not None and self.outcome != BACKEND_ERROR

    @property
    def unsure(self) -> bool:
        """Whether nobody knows if the node's effect was done."""
        return self.left and (self.faulted or self.outcome in (OUTCOME_UNKNOWN, TIMEOUT))

    @property
    def wrote(self) -> bool:
        """Whether the node committed an effect that changed its store, or something outside, as far as the record
        tells."""
        if self.left:
            return not ((self.capability or "").startswith("std::") and self.outcome in WROTE_NOTHING)
        if self.receipt is None or self.faulted or self.effect not in WRITES:
            return False
        return not ((self.capability or "").startswith("std::") and self.outcome in WROTE_NOTHING)


class Resumption:
    """Where a process took the run over from one that had died, or went on when people had decided: after how many
    steps, the last one's node, obs, and the node that waited for people."""

    __slots__ = ("after", "node", "obs", "waited")

    def __init__(self, after: int, node: str | None, obs: dict[str, Any], waited: str | None = None) -> None:
        self.after = after
        self.node = node
        self.obs = obs
        self.waited = waited


class Story:
    """One run: what was asked, the steps, how it ended; `finished` is False where the record has no end.

    `resumptions` tells each time that it was taken up again after its process had died, `intended` of a call that had
    left, or was about to, and has no answer in the record, `waiting` of a wait for people that has none.
    """

    __slots__ = (
        "end",
        "end_obs",
        "events",
        "finished",
        "intended",
        "obs",
        "resumptions",
        "start",
        "steps",
        "waiting",
        "workflow",
    )

    def __init__(self, workflow: dict[str, Any] | None) -> None:
        self.workflow: dict[str, Any] = workflow or {}
        self.start: dict[str, Any] = {}
        self.obs: dict[str, Any] = {}
        self.steps: list[Step] = []
        self.end: dict[str, Any] = {}
        self.end_obs: dict[str, Any] = {}
        self.finished = False
        self.events = 0
        self.resumptions: list[Resumption] = []
        self.intended: Event | None = None
        self.waiting: Event | None = None

    @property
    def address(self) -> str:
        """The workflow's address."""
        return str(self.start.get("workflow") or self.workflow.get("address") or "an unknown workflow")

    @property
    def workflow_digest(self) -> str | None:
        """The digest of the workflow that ran."""
        found = self.start.get("workflow_digest")
        return found if isinstance(found, str) else None

    @property
    def trace_id(self) -> str | None:
        """The run's id."""
        found = self.obs.get("trace_id")
        return found if isinstance(found, str) else None

    @property
    def exit(self) -> str | None:
        """The exit that the run reached."""
        found = self.end.get("exit")
        return found if isinstance(found, str) else None

    @property
    def status(self) -> str | None:
        """The exit's status."""
        found = self.end.get("status")
        return found if isinstance(found, str) else None

    @property
    def cancelled(self) -> dict[str, Any] | None:
        """Who cancelled the run, when and why; None where nobody did."""
        if self.exit != CANCELLED_EXIT or encode(self.end) != CANCELLED_BODY:
            return None
        found = self.end_obs.get("cancelled")
        return found if isinstance(found, dict) else {}

    @property
    def refused_at_gate(self) -> bool:
        """Whether the payload did not fit the intent: the run ended before any node."""
        return self.finished and not self.steps and isinstance(self.violations, list)

    @property
    def violations(self) -> list[dict[str, Any]] | None:
        """The violations that a refused payload is told, None where the result holds none."""
        result = self.end.get("result")
        found = result.get("violations") if isinstance(result, dict) else None
        if self.status != "REJECTED" or not isinstance(found, list):
            return None
        return [item for item in found if isinstance(item, dict)]

    def names(self) -> list[str]:
        """Return the names of the sealed nodes by index, as references count them."""
        return [str(node.get("name")) for node in nodes_of(self.workflow)]


def nodes_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the sealed nodes and exits of a workflow by index; what is no node becomes an empty one."""
    found = workflow.get("nodes")
    return [node if isinstance(node, dict) else {} for node in found] if isinstance(found, list) else []


def add(story: Story, event: Event) -> None:
    """Add one event to the story."""
    story.events += 1
    kind = event.body.get("kind")
    if kind == RUN_STARTED:
        story.start, story.obs = event.body, event.obs
    elif kind == RUN_FINISHED:
        story.end, story.end_obs, story.finished = event.body, event.obs, True
    elif kind == RESUMED:
        last = story.steps[-1].node if story.steps else None
        waited = str(story.waiting.body.get("path")) if story.waiting is not None else None
        story.resumptions.append(Resumption(len(story.steps), last, event.obs, waited))
    elif kind == INTENDED:
        story.intended = event
    elif kind == WAITING:
        story.waiting = event
    elif kind in STEPS:
        story.waiting = None
        step = Step(len(story.steps) + 1, event.line, event.body, event.obs)
        if story.intended is not None:
            found, story.intended = story.intended.obs.get("key"), None
            step.key = found if isinstance(found, str) else None
        story.steps.append(step)


def join(story: Story) -> None:
    """Set beside each step its sealed node and the name of where the run went next."""
    nodes = nodes_of(story.workflow)
    by_name = {node.get("name"): node for node in nodes}
    cut = story.cancelled is not None  # no step led to its end
    after = [step.node for step in story.steps[1:]] + [None if cut else story.exit]
    for step, follower in zip(story.steps, after, strict=False):
        step.sealed = by_name.get(named(step.node), {})
        step.target = follower
        step.last = story.finished and step is story.steps[-1] and not cut
        if follower is None and not cut:
            index = onward(nodes, step.sealed.get("next", {}).get(step.outcome))
            step.target = nodes[index].get("name") if index is not None else None


def exits_of(workflow: dict[str, Any]) -> dict[str, str]:
    """Return the status of each exit of a sealed workflow by name."""
    return {node["name"]: str(node.get("status")) for node in nodes_of(workflow) if node.get("kind") == EXIT}
