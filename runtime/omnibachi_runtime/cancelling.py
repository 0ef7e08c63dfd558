"""The end of a run that somebody cancelled: at the reserved exit `cancelled`, whatever it was about to do.

What had happened stays, and is recorded; what had not begun does not begin. A call that left the house without an
answer being recorded ends in OUTCOME_UNKNOWN first, since nobody knows whether it was done.
"""

from __future__ import annotations

import orjson

from omnibachi_model.digests import encode
from omnibachi_model.record import CALLED, CANCELLED_BODY, INTENDED, RESUMED_BODY, digest_of
from omnibachi_model.sealed import CANCELLED_EXIT, OUTCOME_UNKNOWN

from .walk import LOOK_NS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from omnibachi_model.ports import Journal

    from .walk import Recorded, Walk

STATUS = "FAILED"


def end(run: Walk) -> None:
    """End a walk that its journal stopped; raises Trouble."""
    journal: Journal = run.journal  # type: ignore[assignment]
    journal.rollback()
    if run.exit:
        run.events.pop()  # An end that was not committed is none.
    run.finish(CANCELLED_EXIT, STATUS, {}, CANCELLED_BODY)
    run.tell({"cancelled": journal.cancellation()})
    journal.begin(settling=True)
    run.write(journal)
    journal.commit()
    run.settled()


def end_left(journal: Journal, events: Sequence[Recorded], now_ns: int, known: Mapping[str, Any]) -> None:
    """End a cancelled run that nobody works on, whose journal was taken over, by its events alone: nothing is linked,
    so nothing that changed since can stand in the way. `known` is what the RESUMED event's `obs` says besides times.

    Raises Trouble.
    """
    journal.begin(durable=True, settling=True)
    at, began = now_ns // 1000, orjson.loads(events[0][2])["at_us"]
    new: list[Recorded] = []

    def add(path: str, body: bytes, more: Mapping[str, Any]) -> None:
        new.append((path, body, encode({"at_us": at, "seq": len(events) + len(new) + 1, **more})))

    add("", RESUMED_BODY, known)
    last: dict[str, Any] = next((orjson.loads(body) for _, body, _ in reversed(events) if body != RESUMED_BODY), {})
    if last.get("kind") == INTENDED:
        path, capability = last["path"], last["capability"]
        number = journal.receipt(path, capability, OUTCOME_UNKNOWN)
        answered = {**last, "kind": CALLED, "outcome": OUTCOME_UNKNOWN, "output": {}}
        add(path, encode(answered), {"receipt": number, "took_us": 0})
    add("", CANCELLED_BODY, {"cancelled": journal.cancellation(), "took_us": max(at - began, 0)})
    journal.write(new)
    digest = digest_of([body for _, body, _ in (*events, *new)])
    journal.finish(CANCELLED_EXIT, STATUS, digest)
    journal.commit()


def paused(run: Walk, ns: int) -> int:
    """Let so many nanoseconds pass, fewer where the run is cancelled meanwhile; return how many did."""
    assert run.pause is not None
    left = ns
    while left > 0:
        run.pause(min(left, LOOK_NS))
        left -= min(left, LOOK_NS)
        if left and run.cancelled():
            break
    return ns - left
