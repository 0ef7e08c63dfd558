"""Steps of class EXTERNAL: effects that leave the house, which no transaction can undo.

An INTENDED event is committed, safe from a power failure, before the call leaves; no transaction is open while it is
under way; what came of it is committed as soon as it is there. So a record tells at every moment what may have
happened: an INTENDED without an answer was, or was not, done. A walk that is resumed there asks again, under the same
key, where the other side honours it (`repeat: key`); else the outcome is OUTCOME_UNKNOWN, and nothing is asked twice.

An INTENDED follows from what was recorded before it, and each call that was made has exactly one, however often it was
tried or resumed: so it is part of the run's digest (docs/decisions/0020).
"""

from __future__ import annotations

import orjson

from omnibachi_model.digests import digest_of, encode
from omnibachi_model.record import INTENDED
from omnibachi_model.sealed import BACKEND_ERROR, FAULT, OUTCOME_UNKNOWN, REPEAT_KEY, REPEATS, TIMEOUT

from .calls import Refusal, answer_of, refuse
from .sites import Site, inputs_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from omnibachi_model.ports import Journal

    from .calls import Answered
    from .faults import Frame
    from .walk import Step, Walk

loads = orjson.loads


def link_outside(site: Site, node: dict[str, Any], closings: Mapping[int, Step]) -> Step:
    """Turn a CALL node of class EXTERNAL into its step; raises ValueError where it does not say what such a node must.

    `closings` are the steps of the exits that cannot fault, by index.
    """
    again = _judged(site, node)
    index, capability = site.index, str(node["use"])

    def step(run: Walk) -> int:
        frame = site.frame.here(run)
        ready = inputs_of(site, run, frame)
        if ready is None:
            return site.fault_target
        given = ready[1]
        journal: Journal = run.journal  # type: ignore[assignment]
        pending, run.intended = run.intended == frame.name, None
        if not pending:
            intend(run, journal, frame, given)
        answer: Answered | Refusal
        told: dict[str, int] = {}
        if pending and (not again or run.cancelled()):
            answer = _unknown(site, frame, given)
        else:
            answer, told = _answer(site, run, frame, given, pending)
        journal.begin(settling=True)
        if isinstance(answer, Refusal):
            target = refuse(site, answer, run, told)
        else:
            outcome, run.values[index], body, target = answer
            number = journal.receipt(frame.name, capability, outcome)
            run.record(frame.name, body, {"receipt": number, **told})
        # One that was cancelled meanwhile ends as such.
        closing = closings.get(target) if not journal.cancelled else None
        if closing is not None:
            target = closing(run)
        run.write(journal)
        journal.commit()
        run.settled()
        return target

    return step


def _answer(
    site: Site, run: Walk, frame: Frame, given: bytes, unsure: bool
) -> tuple[Answered | Refusal, dict[str, int]]:
    """Ask until an answer stands: (it, what `obs` tells of the attempts).

    That the last attempt was certainly not done is no certainty where an earlier one, perhaps of a process that died
    (`unsure`), may have been.
    """
    outcomes: set[str] = {OUTCOME_UNKNOWN} if unsure else set()

    def ask() -> Answered | Refusal:
        # Each attempt has inputs of its own: what one does to them the next does not see.
        found = answer_of(site, run, frame, loads(given), given)
        outcomes.add(found[0] if isinstance(found, tuple) else FAULT)
        return found

    told: dict[str, int] = {}
    if site.patience is None:
        answer = ask()
    else:
        answer, told = site.patience.answer(run, frame.name, ask, None)
    if isinstance(answer, tuple) and answer[0] == BACKEND_ERROR and outcomes & {OUTCOME_UNKNOWN, TIMEOUT}:
        answer = _unknown(site, frame, given)
    return answer, told


def _judged(site: Site, node: dict[str, Any]) -> bool:
    """Tell whether a call may be asked again under its key."""
    if node["repeat"] not in REPEATS or OUTCOME_UNKNOWN not in site.outcomes or node["store"] is not None:
        raise ValueError("an effect that leaves the house is not sealed as one")
    again = bool(node["repeat"] == REPEAT_KEY)
    safe = {BACKEND_ERROR, OUTCOME_UNKNOWN, TIMEOUT} if again else {BACKEND_ERROR}
    if site.patience is not None and not site.patience.on <= safe:
        raise ValueError("an effect that leaves the house is tried again where it may be done twice")
    return again


def intend(run: Walk, journal: Journal, frame: Frame, given: bytes) -> None:
    """Commit that a call is about to leave, with its key. The event belongs to no path: that of its answer does."""
    journal.begin(durable=True)
    run.record("", intended(frame, given), {"key": digest_of([run.run_id, frame.name])})
    run.write(journal)
    journal.commit()
    run.settled()


def intended(frame: Frame, given: bytes) -> bytes:
    """Return the body of the INTENDED event of a call with these encoded inputs."""
    return frame.before + given + b',"kind":%b' % encode(INTENDED) + frame.after


def _unknown(site: Site, frame: Frame, given: bytes) -> Answered:
    _, middle, target = site.outcomes[OUTCOME_UNKNOWN]
    return OUTCOME_UNKNOWN, {}, frame.before + given + middle + b"{}" + frame.after, target
