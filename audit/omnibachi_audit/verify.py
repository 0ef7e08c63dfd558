"""Verification of a record: BROKEN at a line, INTACT, or ANCHORED.

1. Every line is exactly what its parts give, and the lines hang together by their hashes (`model.record.read`).
2. The lines are ones that a run leaves (`meaning`).
3. With the journal of the same run at hand: every line's body and obs are those of the journal.

INTACT proves that nothing was changed by accident or by hand without making every later hash anew; where the record
comes from is not proven by it. Whatever bytes are given, the answer is a verdict and never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.record import Broken, Event, digest_of, read

from .meaning import Sequence

BROKEN = "BROKEN"
INTACT = "INTACT"
ANCHORED = "ANCHORED"
STRENGTH = {BROKEN: 0, INTACT: 1, ANCHORED: 2}


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on a record.

    `line` and `reason` say where and why it is BROKEN; `reason` also says why an INTACT one is not ANCHORED although
    a journal was at hand. `finished` is False for a run without an end, which is no break. `events` counts the lines
    that hold; the digest is that of a finished run. `anchors` say what it is anchored in: the journal, signatures,
    checkpoints; `findings` what is wrong with signatures and proofs that were at hand.
    """

    verdict: str
    line: int | None = None
    reason: str | None = None
    finished: bool = False
    events: int = 0
    digest: str | None = None
    trace_id: str | None = None
    workflow: str | None = None
    workflow_digest: str | None = None
    seal: str | None = None
    anchors: tuple[str, ...] = ()
    findings: tuple[Diagnostic, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the record is not BROKEN."""
        return self.verdict != BROKEN

    def reaches(self, required: str | None) -> bool:
        """Tell whether the verdict is at least `required` (`intact` or `anchored`, in any case; None: not BROKEN)."""
        return STRENGTH[self.verdict] >= STRENGTH[(required or INTACT).upper()]

    def as_json(self) -> dict[str, Any]:
        """Return the verification in the shape of `verify --json`."""
        told = {name: getattr(self, name) for name in self.__slots__ if name != "findings"}
        return {"schema": "omnibachi.verify/1", **told, "anchors": list(self.anchors)}


def verify(record: bytes, *, journal: bytes | None = None, trace_id: str | None = None) -> Verification:
    """Verify a record.

    `journal` is the record of the same run as the journal gives it; a line that is not the journal's is a break.
    `trace_id` is the run that the record is said to be of (by the name of its file); another run's is a break.
    """
    events: list[Event] = []
    sequence = Sequence()
    try:
        for event in read(record):
            sequence.take(event)
            events.append(event)
            if trace_id is not None and event.line == 1 and event.obs["trace_id"] != trace_id:
                raise Broken(1, f"this is the record of `{event.obs['trace_id']}`, not of `{trace_id[:64]}`")
        if not events:
            raise Broken(1, "the record is empty")
        missing = _anchor(events, journal)
    except Broken as broken:
        return _verdict(BROKEN, broken.line, broken.reason, events[: broken.line - 1], False)
    verdict = INTACT if journal is None or missing is not None else ANCHORED
    return _verdict(verdict, None, missing, events, sequence.finished)


def _anchor(events: list[Event], journal: bytes | None) -> str | None:
    """Compare with the journal; return why a record that agrees with it is yet not anchored, None where it is.

    Raises Broken at the first line that is not the journal's.
    """
    if journal is None:
        return None
    kept: list[Event] = []
    try:
        kept.extend(read(journal))
    except Broken as broken:
        return f"the journal itself does not hold: {broken}"
    for event, other in zip(events, kept, strict=False):
        if event.body_bytes != other.body_bytes or event.obs_bytes != other.obs_bytes:
            raise Broken(event.line, "the line is not what the journal holds")
    if len(events) > len(kept):
        raise Broken(len(kept) + 1, "the journal holds no such line")
    more = len(kept) - len(events)
    return f"the journal holds {more} more event{'' if more == 1 else 's'}" if more else None


def _verdict(verdict: str, line: int | None, reason: str | None, events: list[Event], finished: bool) -> Verification:
    start = events[0] if events else None
    return Verification(
        verdict,
        line,
        reason,
        finished,
        len(events),
        digest_of(event.body_bytes for event in events) if finished else None,
        start.obs["trace_id"] if start else None,
        start.body["workflow"] if start else None,
        start.body["workflow_digest"] if start else None,
        start.obs.get("seal") if start else None,
        ("journal",) if verdict == ANCHORED else (),
    )
