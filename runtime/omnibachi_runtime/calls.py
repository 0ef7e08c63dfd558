"""Steps that call a capability: pure ones, reads, and effects in their transaction.

Inputs are encoded before the call, so whatever a capability does to them the record says what it was given; where it
could reach values that the run also holds elsewhere it gets a copy of its own, and one that it changed is a FAULT.
Every output is checked, because the compiler's proof of the data flow rests on it.

An effect is one transaction: begin, the function, its receipt, all events so far, commit. An answer that becomes
FAULT, or that came too late, is undone before that is recorded; so is one after which it is tried again (`attempts`).
When the outcome leads straight to an exit that cannot fault, the end of the run joins the transaction.
"""

from __future__ import annotations

import orjson

from omnibachi_model.checks import conform
from omnibachi_model.diagnostics import Defect, Trouble
from omnibachi_model.faults import INPUT_CHANGED, INPUT_MISFIT, OUTPUT_MISFIT, UNDECLARED_OUTCOME
from omnibachi_model.sealed import EXTERNAL, HOSTS, TIMEOUT, WRITES

from .faults import absent, fault, misfit, raised
from .sites import NOTHING, SORTED, Call, EventShape, Site, inputs_of
from .templates import ABSENT, names_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    from omnibachi_model.checks import Violation
    from omnibachi_model.ports import Journal

    from .attempts import Patience
    from .faults import Frame
    from .sites import Ask, Schemas
    from .walk import Step, Walk

    Answered: TypeAlias = "tuple[str, dict[str, Any], bytes, int]"

# Three times a node: worth the call that `digests.encode` would cost.
dumps, loads = orjson.dumps, orjson.loads
join = b"".join


def link_call(
    index: int,
    node: dict[str, Any],
    size: int,
    schemas: Schemas,
    workflow: Mapping[str, Any],
    function: Callable[..., Any],
    closings: Mapping[int, Step],
    only: Mapping[str, Callable[..., Any]],
) -> Step:
    """Turn a CALL node into its step.

    `closings` are the steps of the exits that cannot fault, by index; `only` functions that answer in its place in
    single iterations, by path.
    """
    package = str(getattr(function, "__module__", "")).partition(".")[0]
    if node["effect"] == "PURE":
        site = Site(index, node, size, schemas, _pure(function, only), package)
        if site.patience is not None:
            raise ValueError("a transform that is tried again")
        return _transform(site, function) if site.check is None and site.frame.fixed else _reading(site)
    event = EventShape(node["event"], workflow["events"][node["event"]]) if node["event"] is not None else None
    store = node["store"]
    declared = workflow["stores"].get(store, NOTHING)
    if node["effect"] == EXTERNAL or HOSTS in node or names_secret(node["with"]):
        # Imported here: a workflow that stays in the house starts without it.
        from .leaving import outer

        ask = outer(function, node, event, declared, only)
    else:
        ask = _operation(function, store, declared, event, only)
    site = Site(index, node, size, schemas, ask, package)
    if node["effect"] == EXTERNAL:
        # Imported here: a workflow that stays in the house starts without it.
        from .outside import link_outside

        return link_outside(site, node, closings)
    return _effect(site, closings) if node["effect"] in WRITES else _reading(site)


def _pure(function: Callable[..., Any], only: Mapping[str, Callable[..., Any]]) -> Ask:
    return lambda run, path, inputs, deadline: only.get(path, function)(inputs)


def _operation(
    function: Callable[..., Any],
    store: str | None,
    declared: Mapping[str, Any],
    event: EventShape | None,
    only: Mapping[str, Callable[..., Any]],
) -> Ask:
    def ask(run: Walk, path: str, inputs: dict[str, Any], deadline: int | None) -> Any:
        call = Call(run.run_id, path, deadline, run.clock, run.entropy, event, (), declared)
        answer = only.get(path, function)
        if store is None:
            return answer(inputs, None, call)
        assert run.journal is not None
        return answer(inputs, run.journal.store(store), call)

    return ask


class Refusal:
    """Why an answer does not count: a function that records the FAULT once nothing stands in the way."""

    __slots__ = ("record",)

    def __init__(self, record: Callable[[], None]) -> None:
        self.record = record


def answer_of(site: Site, run: Walk, frame: Frame, inputs: dict[str, Any], given: bytes) -> Answered | Refusal:
    """Ask the capability: (outcome, output, body, target), or a Refusal.

    Trouble with the database and defects of the house are no FAULT: they end the walk.
    """
    patience = site.patience
    deadline = None if patience is None else patience.deadline(run)
    if site.guarded:
        inputs = loads(given)
    try:
        answer = site.ask(run, frame.name, inputs, deadline)
    except (Trouble, Defect):
        raise
    except (Exception, SystemExit) as error:
        return _raised(site, run, frame, given, error)
    if deadline is not None and run.now_ns() > deadline:
        answer = TIMEOUT, {}
    try:
        outcome, output = answer
        fits, middle, target = site.outcomes[outcome]
    except (TypeError, ValueError, KeyError):
        return _undeclared(run, frame, given, answer)
    if site.guarded and not _same(inputs, given):
        return _changed(run, frame, given)
    if not fits(output):
        output = _conformed(site, run, frame, given, outcome, output)
        if isinstance(output, Refusal):
            return output
    try:
        made = dumps(output, None, SORTED)
    except TypeError:
        return _unfit(run, frame, given, [((), "canonical")])
    return outcome, output, frame.before + given + middle + made + frame.after, target


def _raised(site: Site, run: Walk, frame: Frame, given: bytes, error: BaseException) -> Refusal:
    return Refusal(lambda: raised(run, frame, given, error, site.package))


def _undeclared(run: Walk, frame: Frame, given: bytes, answer: Any) -> Refusal:
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], str):
        detail = f"the outcome `{answer[0][:64]}` is not declared"
    else:
        detail = f"the answer is no pair of outcome and output but a `{type(answer).__name__}`"
    detail = detail.encode("utf-8", "replace").decode()
    return Refusal(lambda: fault(run, frame, given, UNDECLARED_OUTCOME, detail=detail))


def _same(inputs: dict[str, Any], given: bytes) -> bool:
    try:
        return bool(dumps(inputs, None, SORTED) == given)
    except TypeError:
        return False


def _changed(run: Walk, frame: Frame, given: bytes) -> Refusal:
    detail = "the capability changed its inputs"
    return Refusal(lambda: fault(run, frame, given, INPUT_CHANGED, detail=detail))


def _conformed(site: Site, run: Walk, frame: Frame, given: bytes, outcome: str, output: Any) -> Any:
    """Return the output with whole floats as integers where it fits then, else a Refusal."""
    output, found = conform(site.checks[outcome], output)
    return _unfit(run, frame, given, found) if found else output


def _unfit(run: Walk, frame: Frame, given: bytes, violations: Sequence[Violation]) -> Refusal:
    return Refusal(lambda: misfit(run, frame, given, OUTPUT_MISFIT, violations))


def refuse(site: Site, refusal: Refusal, run: Walk | None = None, told: dict[str, int] | None = None) -> int:
    """Record a FAULT and return where it leads; `told` is what its `obs` says of attempts."""
    refusal.record()
    if run is not None and told:
        run.tell(told)
    return site.fault_target


def _patiently(
    site: Site, patience: Patience, run: Walk, frame: Frame, given: bytes, journal: Journal | None
) -> tuple[Answered | Refusal, dict[str, int]]:
    # Each attempt has inputs of its own: what one does to them the next does not see.
    return patience.answer(run, frame.name, lambda: answer_of(site, run, frame, loads(given), given), journal)


def _transform(site: Site, function: Callable[..., Any]) -> Step:
    """Make the step of a transform whose inputs need no check: `inputs_of`, `answer_of` and `Walk.record` in one.

    Most steps of most workflows are this one, and calls are what they cost. Inside a loop it is an ordinary step.
    """
    index, fault_target = site.index, site.fault_target
    bind, outcomes, guarded, frame = site.bind, site.outcomes, site.guarded, site.frame
    before, after, name = frame.before, frame.after, frame.name

    def step(run: Walk) -> int:
        values = run.values
        try:
            inputs = bind(values)
        except ABSENT:
            absent(run, frame, site.template)
            return fault_target
        try:
            given = dumps(inputs, None, SORTED)
        except TypeError:
            misfit(run, frame, None, INPUT_MISFIT, [((), "canonical")])
            return fault_target
        if guarded:
            inputs = loads(given)
        try:
            answer = function(inputs)
        except (Trouble, Defect):
            raise
        except (Exception, SystemExit) as error:
            return refuse(site, _raised(site, run, frame, given, error))
        try:
            outcome, output = answer
            fits, middle, target = outcomes[outcome]
        except (TypeError, ValueError, KeyError):
            return refuse(site, _undeclared(run, frame, given, answer))
        if guarded and not _same(inputs, given):
            return refuse(site, _changed(run, frame, given))
        if not fits(output):
            output = _conformed(site, run, frame, given, outcome, output)
            if isinstance(output, Refusal):
                return refuse(site, output)
        try:
            made = dumps(output, None, SORTED)
        except TypeError:
            return refuse(site, _unfit(run, frame, given, [((), "canonical")]))
        values[index] = output
        at = run.now_ns()
        took = at - run.last_ns
        run.last_ns = at
        events = run.events
        obs = dumps({"at_us": at // 1000, "seq": len(events) + 1, "took_us": took // 1000 if took > 0 else 0})
        events.append((name, join((before, given, middle, made, after)), obs))
        return target

    return step


def _reading(site: Site) -> Step:
    """Make the step of any other call that changes nothing, a read outside every write transaction above all."""
    index, patience, fixed = site.index, site.patience, site.frame.fixed

    def step(run: Walk) -> int:
        frame = site.frame if fixed else site.frame.here(run)
        ready = inputs_of(site, run, frame)
        if ready is None:
            return site.fault_target
        told = None
        if patience is None:
            answer = answer_of(site, run, frame, *ready)
        else:
            answer, told = _patiently(site, patience, run, frame, ready[1], None)
        if isinstance(answer, Refusal):
            return refuse(site, answer, run, told)
        _, run.values[index], body, target = answer
        run.record(frame.name, body, told)
        return target

    return step


def _effect(site: Site, closings: Mapping[int, Step]) -> Step:
    """Make the step of a local effect: one transaction."""
    index, patience, capability = site.index, site.patience, str(site.frame.capability)

    def step(run: Walk) -> int:
        frame = site.frame.here(run)
        ready = inputs_of(site, run, frame)
        if ready is None:
            return site.fault_target
        journal: Journal = run.journal  # type: ignore[assignment]
        told = None
        if patience is None:
            journal.begin()
            answer = answer_of(site, run, frame, *ready)
        else:
            answer, told = _patiently(site, patience, run, frame, ready[1], journal)
        if isinstance(answer, Refusal):
            journal.rollback()
            return refuse(site, answer, run, told)
        outcome, run.values[index], body, target = answer
        if outcome == TIMEOUT:
            journal.rollback()
            run.record(frame.name, body, told)
            return target
        number = journal.receipt(frame.name, capability, outcome)
        run.record(frame.name, body, {"receipt": number, **(told or {})})
        closing = closings.get(target)
        if closing is not None:
            target = closing(run)
        run.write(journal)
        journal.commit()
        run.settled()
        return target

    return step
