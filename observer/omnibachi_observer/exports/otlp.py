"""A record as one OpenTelemetry trace (OTLP/JSON): a span for the run, for each step, and for what steps stand in.

What is inlined leaves no event of its own, and neither does a round of a loop; their spans last from the first to the
last step inside. A loop that told its end has that event's span, begun with its first round.
"""

from __future__ import annotations

import hashlib
import re

from omnibachi_model.digests import encode
from omnibachi_model.ways import named

from .told import interval, number, program, reason_of, story_of, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_observer.story import Step, Story

INTERNAL, CLIENT = 1, 3
ERROR = 2
MOST_LEVELS = 64
LEVEL = re.compile(r"/|\[\d+\]")


def otlp(record: bytes) -> bytes:
    """Write a record that holds as an ExportTraceServiceRequest in OTLP/JSON; raises Broken."""
    story = story_of(record)
    name, version = program(story)
    resource = {"service.name": name, "service.version": version, "host.name": text(story.obs, "host")}
    scope = {"name": "omnibachi.record", "version": version}
    spans = _spans(story)
    return encode({"resourceSpans": [{"resource": {"attributes": _attributes(resource)},
                                      "scopeSpans": [{"scope": scope, "spans": spans}]}]}) + b"\n"  # fmt: skip


def above(path: str) -> list[str]:
    """Return what a path stands in, the outermost first: `mint[3]/read` in `mint` and `mint[3]`."""
    found = [path[: level.start()] for level in LEVEL.finditer(path)]
    return [name for name in found[:MOST_LEVELS] if name]


class _Extent:
    """From when to when something lasted, in microseconds since 1970."""

    __slots__ = ("began", "ended")

    def __init__(self, began: int, ended: int) -> None:
        self.began = began
        self.ended = max(began, ended)

    def cover(self, began: int, ended: int) -> None:
        """Last as long as what happened inside, too."""
        self.began = min(self.began, began)
        self.ended = max(self.ended, ended)


def _spans(story: Story) -> list[dict[str, Any]]:
    """Return all spans, each after the one that it stands in, otherwise in order of the record."""
    steps: dict[str, Step] = {step.node: step for step in story.steps}
    extents: dict[str, _Extent] = {}
    for step in story.steps:
        lasted = interval(step.obs)
        for path in (*above(step.node), step.node):
            if path in extents:
                extents[path].cover(*lasted)
            else:
                extents[path] = _Extent(*lasted)
    began = number(story.obs, "at_us")
    whole = _Extent(began, number(story.end_obs, "at_us") if story.finished else began)
    for extent in extents.values():
        whole.ended = max(whole.ended, extent.ended)
    run = str(story.trace_id)
    found = [_root(story, run, whole)]
    for path, extent in extents.items():
        within = above(path)
        span = {**_ids(run, path, within[-1] if within else ""), "name": named(path), **_times(extent)}
        taken = steps.get(path)
        found.append({**span, **(_step(taken) if taken else _group(path))})
    return found


def _ids(run: str, path: str, parent: str | None) -> dict[str, Any]:
    trace = hashlib.sha256(f"omnibachi.trace/1\n{run}".encode()).hexdigest()[:32]
    found = {"traceId": trace, "spanId": _span_id(run, path)}
    return found if parent is None else {**found, "parentSpanId": _span_id(run, parent)}


def _span_id(run: str, path: str) -> str:
    return hashlib.sha256(f"omnibachi.span/1\n{run}\n{path}".encode()).hexdigest()[:16]


def _times(extent: _Extent) -> dict[str, Any]:
    return {"startTimeUnixNano": f"{extent.began}000", "endTimeUnixNano": f"{extent.ended}000"}


def _root(story: Story, run: str, whole: _Extent) -> dict[str, Any]:
    told = {
        "omnibachi.trace_id": run, "omnibachi.workflow": story.address, "omnibachi.finished": story.finished,
        "omnibachi.workflow_digest": story.workflow_digest, "omnibachi.exit": story.exit,
        "omnibachi.status": story.status,
        **{f"omnibachi.{name}": text(story.obs, name) for name in ("seal", "origin", "actor", "started_at")},
    }  # fmt: skip
    events = [
        {"timeUnixNano": f"{number(taken.obs, 'at_us')}000", "name": "omnibachi.resumed",
         "attributes": _attributes({name: text(taken.obs, name) for name in ("host", "program", "seal")})}
        for taken in story.resumptions
    ]  # fmt: skip
    failed = story.status == "FAILED"
    return {
        **_ids(run, "", None), "name": story.address, "kind": INTERNAL, **_times(whole),
        "attributes": _attributes(told), "events": events,
        "status": {"code": ERROR, "message": str(story.exit)} if failed else {},
    }  # fmt: skip


def _group(path: str) -> dict[str, Any]:
    """Tell of a round, or of what was inlined: nothing but its path is recorded."""
    return {"kind": INTERNAL, "attributes": _attributes({"omnibachi.path": path}), "events": [], "status": {}}


def _step(step: Step) -> dict[str, Any]:
    told: dict[str, Any] = {
        "omnibachi.path": step.node, "omnibachi.kind": step.kind, "omnibachi.outcome": step.outcome,
        "omnibachi.capability": step.capability, "omnibachi.effect": step.effect,
        "omnibachi.receipt": step.receipt, "omnibachi.row": step.row, "omnibachi.because": step.because,
        "omnibachi.attempts": step.attempts if step.attempts > 1 else None,
        "omnibachi.waited_us": number(step.obs, "waited_us") or None,
    }  # fmt: skip
    count = step.inputs.get("count")
    if step.kind == "COMPUTED" and set(step.inputs) == {"count"} and type(count) is int:
        told["omnibachi.count"] = count
    events = []
    if step.faulted:
        fault = {"exception.type": text(step.fault, "exception"), "exception.stacktrace": text(step.fault, "frame")}
        fault |= {f"omnibachi.{name}": text(step.fault, name) for name in ("reason", "detail", "reference")}
        events = [{"timeUnixNano": f"{number(step.obs, 'at_us')}000", "name": "exception",
                   "attributes": _attributes({"exception.message": reason_of(step.fault), **fault})}]  # fmt: skip
    return {
        "kind": CLIENT if step.effect == "EXTERNAL" else INTERNAL, "attributes": _attributes(told), "events": events,
        "status": {"code": ERROR, "message": reason_of(step.fault)} if step.faulted else {},
    }  # fmt: skip


def _attributes(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Write attributes as OTLP does, 64-bit integers as text; what is None is left out."""
    found = []
    for name, value in told.items():
        if isinstance(value, bool):
            found.append({"key": name, "value": {"boolValue": value}})
        elif isinstance(value, int):
            found.append({"key": name, "value": {"intValue": str(value)}})
        elif value is not None:
            found.append({"key": name, "value": {"stringValue": value}})
    return found
