"""Examination: what a record tells, in people's words: the path and why, what changed, what failed, whose fault, and
what to do.

A record is not trusted to be whole. Of a broken one, what stands before the break is told, and that its lines agree
with one another proves no more than that; of one without an end, how far it came. The sealed workflow is used only if
it is the one that ran, by its digest: reasons read from another one would be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.digests import digest, pretty
from omnibachi_model.record import DECIDED, Broken, Event, digest_of, read
from omnibachi_model.sealed import at_gate
from omnibachi_model.ways import named

from .blame import Failure, blame, decided
from .markdown import asking, ending, unanswered, what
from .reasons import why
from .report import Report
from .resumptions import all_taken_up, plain
from .story import Step, Story, add, join
from .words import Code, spoken

Finding = tuple[str, int | None, str | None]
"""A verdict, the line of a break, and its reason."""


def examine(
    record: bytes,
    *,
    workflow: dict[str, Any] | None = None,
    origins: dict[str, Any] | None = None,
    journal: bytes | None = None,
    finding: Finding | None = None,
    locks: Mapping[str, str] | None = None,
    trace_id: str | None = None,
) -> Report:
    """Examine a record.

    `workflow` and `origins` are the sealed files, `journal` the record of the same run as the journal gives it,
    `finding` what verification found (else only form, chain and journal are looked at), `locks` the digests of the
    capabilities' locks now, by address, `trace_id` the id under which the record was found.
    """
    events, broken = _events(record)
    verdict, line, reason = finding or _finding(events, broken, journal)
    other = _of_another(events, trace_id) if verdict == "BROKEN" and line == 1 else None
    if broken is None and verdict == "BROKEN" and line is not None:
        events = events[: max(0, line - 1)]
    story = Story(None)
    for event in events:
        add(story, event)
    notes: list[Diagnostic] = []
    if workflow is not None and _same_workflow(story, workflow, notes):
        story.workflow = workflow
    else:
        origins = None
    join(story)
    report = _told(story, verdict, line, reason, [event.body_bytes for event in events])
    places = _Places(origins)
    report.path = [_step(step, places) for step in story.steps]
    wrote = [step for step in story.steps if step.receipt is not None or step.left]
    report.changed = [_effect(step) for step in wrote if step.wrote]
    report.unchanged = [_effect(step) for step in wrote if not step.wrote]
    report.diagnostics = notes + _changed_capabilities(story, locks, places)
    _failure(report, story, places)
    report.cancelled = story.cancelled
    if story.cancelled is not None:
        report.advice += [spoken(asking(step)) for step in story.steps if step.unsure]
    if verdict == "BROKEN":
        _broken(report, story, journal, other)
    elif not story.finished:
        _unfinished(report, story, journal, wrote)
    return report


def _events(record: bytes) -> tuple[list[Event], Broken | None]:
    events: list[Event] = []
    try:
        for event in read(record):
            events.append(event)
    except Broken as error:
        return events, error
    return events, None if events else Broken(1, "the record is empty")


def _of_another(events: list[Event], trace_id: str | None) -> str | None:
    """Return the id of the run that a record is of, where it was found under another one's."""
    found = events[0].obs.get("trace_id") if events and trace_id is not None else None
    return found if isinstance(found, str) and found != trace_id else None


def _finding(events: list[Event], broken: Broken | None, journal: bytes | None) -> Finding:
    if broken is not None:
        return "BROKEN", broken.line, broken.reason
    if journal is None:
        return "INTACT", None, None
    kept, _ = _events(journal)
    for event, other in zip(events, kept, strict=False):
        if (event.body_bytes, event.obs_bytes) != (other.body_bytes, other.obs_bytes):
            return "BROKEN", event.line, "the line is not what the journal holds"
    if len(events) > len(kept):
        return "BROKEN", len(kept) + 1, "the journal holds no such line"
    return ("ANCHORED", None, None) if len(events) == len(kept) else ("INTACT", None, None)


def _same_workflow(story: Story, workflow: dict[str, Any], notes: list[Diagnostic]) -> bool:
    ran = story.workflow_digest
    if ran is None or digest(pretty(workflow)) == ran:
        return True
    notes.append(
        Diagnostic(
            "OB746",
            f"the sealed `{story.address}` at hand is not the one that ran, `{ran}`",
            help="examine it with the snapshot whose seal the record names",
            severity="warning",
        )
    )
    return False


def _changed_capabilities(story: Story, locks: Mapping[str, str] | None, places: _Places) -> list[Diagnostic]:
    ran = story.obs.get("capabilities")
    if locks is None or not isinstance(ran, dict):
        return []
    changed = [address for address, lock in sorted(ran.items()) if locks.get(address) != lock]
    callers = {step.capability: step.node for step in reversed(story.steps)}
    return [
        Diagnostic(
            "OB604" if address in locks else "OB605",
            f"`{address}` is not the one that this run called{_until(story, address, locks[address])}"
            if address in locks
            else f"`{address}`, which this run called, is not there any more",
            places.of(callers[address]) if address in callers else None,
            help="a replay needs the capability that ran: restore it",
            severity="warning",
        )
        for address in changed
    ]


def _until(story: Story, address: str, lock: str) -> str:
    """Say of a capability that was exchanged and accepted that only what stands before was done with another one."""
    later = [found.obs.get("accepted") for found in story.resumptions]
    return " before it was resumed" if any(isinstance(it, dict) and it.get(address) == lock for it in later) else ""


def _told(story: Story, verdict: str, line: int | None, reason: str | None, bodies: list[bytes]) -> Report:
    seal, started = story.obs.get("seal"), story.obs.get("started_at")
    if not story.events:
        summary = "this is no record of a run"
    elif verdict == "BROKEN":
        summary = spoken(["the record of ", Code(story.address), f" breaks at line {line}"])
    else:
        summary = spoken(ending(story))
    return Report(
        verdict, line, reason, summary, story.finished, story.events, trace_id=story.trace_id,
        digest=digest_of(bodies) if story.finished and verdict != "BROKEN" else None,
        workflow=story.address if story.start else None, workflow_digest=story.workflow_digest,
        seal=seal if isinstance(seal, str) else None, started_at=started if isinstance(started, str) else None,
        resumed=len(story.resumptions),
        resumptions=[
            {**plain(found), "what": spoken(words)}
            for found, words in zip(story.resumptions, all_taken_up(story), strict=True)
        ],
        exit=story.exit, status=story.status, result=story.end.get("result"),
    )  # fmt: skip


def _step(step: Step, places: _Places) -> dict[str, Any]:
    whole = places.of(step.node)
    row = places.of(step.node, "rows", step.row) if step.row is not None else whole
    return {
        "step": step.number, "node": step.node, "capability": step.capability, "effect": step.effect,
        "outcome": step.outcome, "why": spoken(why(step)), "then": step.target, "last": step.last,
        "file": whole.file if whole else None, "line": whole.line if whole else None,
        "column": whole.column if whole else None, "place": repr(row) if row else None,
    }  # fmt: skip


def _effect(step: Step) -> dict[str, Any]:
    store = step.sealed.get("store")
    return {
        "receipt": step.receipt, "node": step.node, "store": store if isinstance(store, str) else None,
        "operation": split(step.capability or "?")[1], "effect": step.effect, "outcome": step.outcome,
        "what": spoken(what(step)),
    }  # fmt: skip


def _failure(report: Report, story: Story, places: _Places) -> None:
    found = blame(story)
    if found is not None:
        span = _place(found, places)
        report.failed = {
            "node": found.step.node if found.step else None, "reason": found.reason, "code": found.code,
            "fault": found.fault, "what": spoken(found.said), "place": repr(span) if span else None,
            "remedy": spoken(found.remedy),
        }  # fmt: skip
        report.advice.append(spoken(found.remedy))
        if found.code is not None:
            where = f"`{found.step.node}`: " if found.step else ""
            report.diagnostics.append(
                Diagnostic(found.code, f"{where}{spoken(found.said)}", span, help=spoken(found.remedy), severity="note")
            )
        return
    step = decided(story)
    if step is None:
        return
    row = places.of(step.node, "rows", step.row) if step.row is not None else places.of(step.node)
    report.decided = {
        "node": step.node, "outcome": step.outcome, "row": step.row, "because": step.because,
        "why": spoken(why(step)), "place": repr(row) if row else None,
    }  # fmt: skip
    if step.kind != DECIDED:
        onward = "" if step.last else f"`{step.target}`, and so to "
        route = f"the workflow leads `{step.outcome}` of `{step.node}` to {onward}`{story.exit}`"
        report.advice.append(f"nothing is broken: {route}; change what it asks about first, or the route")
    else:
        report.advice.append(f"nothing is broken: ask with other values, or change the decision in `{step.node}`")


def _place(found: Failure, places: _Places) -> Span | None:
    if found.step is None:
        return places.gate(found.spot or "") or places.whole()
    part = None
    if found.spot == "fields":
        fields = found.step.sealed.get("fields")
        part = next(iter(fields)) if isinstance(fields, dict) and len(fields) == 1 else None
    return places.of(found.step.node, found.spot, part)


def _broken(report: Report, story: Story, journal: bytes | None, other: str | None) -> None:
    """Say of a record that does not hold where it breaks, and where a better one is."""
    line, run = report.line or 1, story.trace_id
    code, what = "OB740", f"the record breaks at line {line}: {report.reason}"
    before = f"the {line - 1} line{'' if line == 2 else 's'} before it agree with one another"
    if other is not None:
        report.summary = what = f"this is the record of another run, `{other}`"
        remedy = "take the file away: if the journal holds this run, `omnibachi examine` tells of it then"
        report.advice = [f"the other run is told of under its own name: `omnibachi examine {other}`", remedy]
    elif not story.events:
        code, what = "OB742", f"line {line}: {report.reason}"
        remedy = "check that the file is the record of a run, as it was written"
        report.advice = [f"rely on nothing from line {line} on", remedy]
    else:
        remedy = "compare with the journal of the data root, or with a backup"
        if journal is not None and run is not None:
            remedy = f"the journal holds this run's own record: `omnibachi examine {run}`"
        report.advice = [f"rely on nothing from line {line} on", *report.advice, before, remedy]
    report.diagnostics.append(Diagnostic(code, what, help=report.advice[-1]))
    report.failed = {
        "node": None, "reason": "record-broken", "code": code, "fault": "record", "what": what,
        "place": f"line {line} of the record", "remedy": report.advice[-1],
    }  # fmt: skip


def _unfinished(report: Report, story: Story, journal: bytes | None, wrote: list[Step]) -> None:
    """Say of a record without an end how the run is finished, or that it was and only the record was cut."""
    run = story.trace_id
    last = spoken([" after ", Code(story.steps[-1].node)]) if story.steps else ""
    more = len(_events(journal)[0]) - report.events if journal is not None else 0
    if more > 0:
        message = f"the record was cut{last}: the journal holds {more} more event{'' if more == 1 else 's'}"
        remedy = f"take the cut file away: `omnibachi examine {run}` tells the whole run from the journal"
        report.diagnostics.append(Diagnostic("OB741", message, help=remedy, severity="warning"))
        report.advice.append(remedy)
        return
    if story.waiting is not None:
        report.advice.append(f"see what is asked with `omnibachi approve {run or 'TRACE_ID'} --show`, then approve it")
        return
    message = f"the record has no end: the run stopped{last}"
    if story.intended is not None:
        message = f"the record has no end: {spoken(unanswered(story.intended.body, story.intended.obs))}"
    again = story.workflow.get("journal") is False and not wrote
    remedy = (
        "run it again: it has no side effect" if again else f"finish it with `omnibachi resume {run or 'TRACE_ID'}`"
    )
    report.diagnostics.append(Diagnostic("OB741", message, help=remedy, severity="warning"))
    report.advice.append(remedy)
    report.advice.append("where the database could not be used (full disk, locked, not writable), mend that first")


class _Places:
    """Where things were declared, as far as the origins tell."""

    __slots__ = ("file", "origins")

    def __init__(self, origins: dict[str, Any] | None) -> None:
        self.origins = origins or {}
        found = self.origins.get("file")
        self.file = found if isinstance(found, str) else None

    def whole(self) -> Span | None:
        """Return where the workflow was declared."""
        return self._span(self.origins.get("span"))

    def gate(self, pointer: str) -> Span | None:
        """Return where the workflow's intent declares a member of the payload, or the nearest one that holds it."""
        found = at_gate(self.origins, pointer)
        return self._span(found[1], found[0]) if found is not None else None

    def of(self, node: str, part: str | None = None, index: int | str | None = None) -> Span | None:
        """Return where a node, its `with`, one of its rows or one of its fields was declared; the node if unknown."""
        for group in ("nodes", "exits"):
            entry = self.origins.get(group, {})
            entry = entry.get(named(node)) if isinstance(entry, dict) else None
            if not isinstance(entry, dict):
                continue
            file = entry.get("file")  # of a node that a contract or another workflow brought
            found = entry.get(part) if part is not None else None
            if part == "rows" and isinstance(found, list):
                found = found[index] if isinstance(index, int) and 0 <= index < len(found) else None
            elif part == "fields" and isinstance(found, dict):
                found = found.get(index)
            return self._span(found, file) or self._span(entry.get("span"), file)
        return None

    def _span(self, found: Any, file: Any = None) -> Span | None:
        file = file or self.file
        if not isinstance(file, str) or not isinstance(found, list) or len(found) != 4:
            return None
        if not all(type(number) is int for number in found):
            return None
        return Span(file, *found)
