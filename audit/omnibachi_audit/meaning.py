"""What the events of a record must say, each by itself and all together, beyond the form and the chain of its lines.

`model.record.read` proves that no byte of a line was changed without its hash, and no line moved; anyone can make
hashes anew. So the lines must also be ones that a run leaves (docs/formats.md, "Trace"): the members of each body and
their types, `seq` without a gap, one start first, nothing after the end, no path twice, no call that left
the house without having been INTENDED, and no answer of people that does not follow from what they said (`waits`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from omnibachi_model.addresses import OUTCOME, TRACE_ID
from omnibachi_model.faults import CODES, INPUT_MISFIT, MISSING_INPUT
from omnibachi_model.record import (
    CALLED,
    CANCELLED_BODY,
    COMPUTED,
    DECIDED,
    INTENDED,
    RESUMED,
    RUN_FINISHED,
    RUN_STARTED,
    UNPLACED,
    WAITED,
    WAITING,
    Broken,
    Event,
)
from omnibachi_model.sealed import EFFECTS, EXTERNAL, FAULT, REJECTED_EXIT, STATUSES, SUCCESS

from .waits import check_waited, check_waiting

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
WORKFLOW = re.compile(r"[a-z][a-z0-9_]*::WF_[A-Z0-9_]+\Z")
OPERATION = re.compile(r"[a-z][a-z0-9_]*::CS_[A-Z0-9_]+\.[A-Z][A-Z0-9_]*\Z")
CAPABILITY = re.compile(r"[a-z][a-z0-9_]*::C[TS]_[A-Z0-9_]+(\.[A-Z][A-Z0-9_]*)?\Z")
CHANCE = re.compile(r"[0-9a-f]{32}\Z")
RUN_INPUTS = {"id", "started_at", "actor"}

_ASKED = ("path", "capability", "effect", "inputs")
UNASKED = frozenset((MISSING_INPUT, INPUT_MISFIT))
_STEP = {"kind", "path", "capability", "effect", "inputs", "outcome", "output"}
MEMBERS = {
    RUN_STARTED: {"kind", "workflow", "workflow_digest", "payload", "run"},
    INTENDED: {"kind", "path", "capability", "effect", "inputs"},
    WAITING: {"kind", "path", "inputs", "roles", "quorum", "subject"},
    WAITED: _STEP,
    CALLED: _STEP,
    DECIDED: _STEP | {"row", "because"},
    COMPUTED: _STEP,
    RESUMED: {"kind"},
    RUN_FINISHED: {"kind", "exit", "status", "result"},
}


class Sequence:
    """What is known of the events so far, so that the next one can be judged."""

    __slots__ = ("count", "finished", "intended", "paths", "run", "waiting")

    def __init__(self) -> None:
        self.count = 0
        self.finished = False
        self.intended: dict[str, Any] | None = None
        self.waiting: Event | None = None
        self.run = ""
        self.paths: set[str] = set()

    def take(self, event: Event) -> None:
        """Judge the next event; raises Broken where it is none that a run leaves here."""
        self.count += 1
        kind = event.body["kind"]
        _must(not self.finished, event, "a line stands after the end of the run")
        _must((kind == RUN_STARTED) is (self.count == 1), event, "a record begins with RUN_STARTED, exactly once")
        members = MEMBERS[kind]
        if set(event.body) != members:
            named = ", ".join(f"`{name}`" for name in sorted(members))
            raise Broken(event.line, f"the body of {kind} holds exactly {named}")
        _OF_KIND[kind](event)
        _observed(event, self.count)
        self._answered(event)
        self._waited(event)
        path = event.body.get("path")
        if path is not None and kind not in UNPLACED:
            _must(path not in self.paths, event, f"the path `{str(path)[:80]}` was walked before")
            self.paths.add(path)
        self.finished = kind == RUN_FINISHED
        if kind == RUN_STARTED:
            self.run = event.obs["trace_id"]

    def _answered(self, event: Event) -> None:
        """Hold a call that left the house to its INTENDED, which nothing comes between but a RESUMED."""
        body, before = event.body, self.intended
        if body["kind"] == RESUMED:
            return
        self.intended = body if body["kind"] == INTENDED else None
        if before is not None:
            same = body["kind"] == CALLED and all(body[key] == before[key] for key in _ASKED)
            _must(same, event, "the answer of the call that was about to leave is not here")
        elif body["kind"] == CALLED and body["effect"] == EXTERNAL:
            _must(_unasked(event), event, "a call left the house without being INTENDED")

    def _waited(self, event: Event) -> None:
        """Hold the answer of people to its WAITING, which nothing comes between but a RESUMED."""
        body, before = event.body, self.waiting
        if body["kind"] == RESUMED:
            return
        self.waiting = event if body["kind"] == WAITING else None
        if before is not None:
            if event.body_bytes == CANCELLED_BODY:
                return
            same = body["kind"] == WAITED and all(body[key] == before.body[key] for key in ("path", "inputs"))
            _must(same, event, "the answer that the run waited for is not here")
            check_waited(event, before, self.run)
        elif body["kind"] == WAITED:
            _must(_unasked(event), event, "people answered without being asked")


def _unasked(event: Event) -> bool:
    """Tell whether a node ended in FAULT before anything was asked."""
    fault = event.obs.get("fault")
    return event.body["outcome"] == FAULT and isinstance(fault, dict) and fault.get("reason") in UNASKED


def _must(holds: bool, event: Event, reason: str) -> None:
    if not holds:
        raise Broken(event.line, reason)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _started(event: Event) -> None:
    body = event.body
    # A tried call that wrote is a run of one node, under the address of its operation.
    address = body["workflow"]
    _must(_matches(WORKFLOW, address) or _matches(OPERATION, address), event, "`workflow` is no address of a workflow")
    _must(_matches(DIGEST, body["workflow_digest"]), event, "`workflow_digest` is no digest")
    _must(isinstance(body["payload"], dict), event, "`payload` is no object")
    run = body["run"]
    known = isinstance(run, dict) and set(run) <= RUN_INPUTS
    _must(known and all(value is None or isinstance(value, str) for value in run.values()), event,
          "`run` holds something else than `id`, `started_at` and `actor`")  # fmt: skip


def _step(event: Event) -> None:
    body = event.body
    faulted = body["outcome"] == FAULT
    _must(_text(body["path"]), event, "`path` is no text")
    _must(_matches(OUTCOME, body["outcome"]) or _rejected(body), event, "`outcome` is no outcome")
    _must(isinstance(body["inputs"], dict) or (faulted and body["inputs"] is None), event, "`inputs` is no object")
    _must(isinstance(body["output"], dict), event, "`output` is no object")
    _must(not faulted or body["output"] == {}, event, "after FAULT `output` is `{}`")


def _called(event: Event) -> None:
    _step(event)
    _must(_matches(CAPABILITY, event.body["capability"]), event, "`capability` is no address of a capability")
    _must(event.body["effect"] in EFFECTS, event, "`effect` is no effect class")


def _intended(event: Event) -> None:
    body = event.body
    _must(_text(body["path"]), event, "`path` is no text")
    _must(_matches(CAPABILITY, body["capability"]), event, "`capability` is no address of a capability")
    _must(body["effect"] == EXTERNAL, event, "only what leaves the house is INTENDED")
    _must(isinstance(body["inputs"], dict), event, "`inputs` is no object")


def _waiting(event: Event) -> None:
    _must(_text(event.body["path"]), event, "`path` is no text")
    check_waiting(event)


def _uncalled(event: Event) -> None:
    _step(event)
    nothing = event.body["capability"] is None and event.body["effect"] is None
    _must(nothing, event, "only a call has a capability and an effect class")


def _decided(event: Event) -> None:
    _uncalled(event)
    body = event.body
    row, because = body["row"], body["because"]
    _must(because is None or isinstance(because, str), event, "`because` is no text")
    if body["outcome"] == FAULT:
        _must(row is None and because is None, event, "after FAULT no row decided")
        return
    _must(type(row) is int and row >= 0, event, "`row` is no number of a row")
    _must(body["output"] == {"because": because}, event, "the output of a decision is its `because`")


def _computed(event: Event) -> None:
    _uncalled(event)
    body = event.body
    if body["outcome"] in (SUCCESS, FAULT):
        return
    if body["outcome"] == REJECTED_EXIT:
        _must(_violations(body["output"]), event, "the output of a rejection is its `violations`")
        return
    inputs = body["inputs"]
    loop = set(inputs) == {"count"} and type(inputs["count"]) is int and inputs["count"] >= 0
    _must(loop, event, "a computation ends in SUCCESS or FAULT, and a loop counts its iterations")


def _rejected(body: dict[str, Any]) -> bool:
    """Tell whether a body says that an inlined workflow did not admit its payload."""
    return bool(body["kind"] == COMPUTED and body["outcome"] == REJECTED_EXIT)


def _violations(output: dict[str, Any]) -> bool:
    found = output.get("violations")
    if set(output) != {"violations"} or not isinstance(found, list) or not found:
        return False
    return all(isinstance(item, dict) and set(item) == {"pointer", "keyword"} for item in found) and all(
        isinstance(text, str) for item in found for text in item.values()
    )


def _finished(event: Event) -> None:
    _must(_text(event.body["exit"]), event, "`exit` is no name")
    _must(event.body["status"] in STATUSES, event, "`status` is no status")
    told = event.obs.get("cancelled")
    if told is not None:
        known = isinstance(told, dict) and set(told) == {"at", "by", "because"}
        _must(known and event.body_bytes == CANCELLED_BODY, event, "`cancelled` does not belong there")
        _must(_text(told["at"]) and _text(told["by"]), event, "`cancelled` does not say who asked for it")
        _must(told["because"] is None or _text(told["because"]), event, "`cancelled` gives no reason that is a text")


def _nothing(event: Event) -> None:
    """Accept a RESUMED: it holds nothing but its kind."""


_OF_KIND: dict[str, Callable[[Event], None]] = {
    RUN_STARTED: _started,
    INTENDED: _intended,
    WAITING: _waiting,
    WAITED: _uncalled,
    CALLED: _called,
    DECIDED: _decided,
    COMPUTED: _computed,
    RESUMED: _nothing,
    RUN_FINISHED: _finished,
}


def _observed(event: Event, count: int) -> None:
    obs, body = event.obs, event.body
    _must(
        type(obs.get("seq")) is int and obs["seq"] == count, event, f"`seq` is not {count}: events are missing or added"
    )
    _must(type(obs.get("at_us")) is int, event, "`at_us` is no instant")
    if body["kind"] == RUN_STARTED:
        _must(_matches(TRACE_ID, obs.get("trace_id")), event, "`trace_id` is none")
        _must(obs.get("seal") is None or _matches(DIGEST, obs["seal"]), event, "`seal` is no digest")
        _must("chance" not in obs or _matches(CHANCE, obs["chance"]), event, "`chance` is none")
        for name, value in body["run"].items():
            observed = obs.get("trace_id" if name == "id" else name)
            _must(observed == value, event, f"`{name}` in `run` is not what `obs` says of the run")
    if body["kind"] == INTENDED:
        _must(_matches(DIGEST, obs.get("key")), event, "`key` is no digest")
    for name, least in (("attempts", 2), ("waited_us", 1)):
        counted = obs.get(name, least)
        _must(type(counted) is int and counted >= least, event, f"`{name}` is no number that a run leaves")
    receipt = obs.get("receipt")
    _must(receipt is None or (type(receipt) is int and receipt > 0), event, "`receipt` is no commit number")
    fault = obs.get("fault")
    if body.get("outcome") == FAULT:
        known = isinstance(fault, dict) and str(fault.get("reason")) in CODES
        _must(known, event, "FAULT has no known reason")
    else:
        _must(fault is None, event, "a reason for a FAULT stands where there was none")
