"""Steps that call a capability: pure ones, reads, and effects in their transaction.

Inputs are encoded before the call, so whatever a capability does to them the record says what it was given; where it
could reach values that the run also holds elsewhere they are encoded again after it, and a difference is a FAULT.
Every output is checked, because the compiler's proof of the data flow rests on it.

An effect is one transaction: begin, the function, its receipt, all events so far, commit. An answer that becomes
FAULT is undone before the FAULT is recorded. When the outcome leads straight to an exit that cannot fault, the end of
the run joins the transaction.
"""

from __future__ import annotations

import orjson

from omnibachi_model.checks import compile_pattern, conform, filler, listed
from omnibachi_model.checks import link as link_check
from omnibachi_model.diagnostics import Defect, Trouble
from omnibachi_model.digests import digest_of
from omnibachi_model.faults import INPUT_CHANGED, INPUT_MISFIT, OUTPUT_MISFIT, UNDECLARED_OUTCOME
from omnibachi_model.quick import quick
from omnibachi_model.record import CALLED
from omnibachi_model.sealed import FAULT, WRITES

from . import templates
from .faults import Frame, absent, fault, misfit, raised
from .templates import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    from omnibachi_model.checks import Check, Fill, Violation
    from omnibachi_model.ports import Clock, Entropy, Journal
    from omnibachi_model.values import JSON

    from .walk import Step, Walk

    Schemas: TypeAlias = "Mapping[str | int, Sequence[Mapping[str, Any]]]"
    Ask: TypeAlias = "Callable[[Walk, dict[str, Any]], Any]"
    Outcomes: TypeAlias = "dict[str, tuple[Callable[[Any], bool], bytes, int]]"

# Three times a node: worth the call that `digests.encode` would cost.
dumps = orjson.dumps
SORTED = orjson.OPT_SORT_KEYS
join = b"".join


class EventShape:
    """The event that a node names, as its capability sees it: the address, and a check of records."""

    __slots__ = ("_check", "address")

    def __init__(self, address: str, schema: dict[str, Any]) -> None:
        self.address = address
        self._check = link_check(schema)

    def violations(self, record: Mapping[str, JSON]) -> list[dict[str, str]]:
        """Return every violation of the event's schema as `{pointer, keyword}`."""
        return listed(conform(self._check, record)[1])


class Call:
    """What a side effect may know of its call besides its inputs and its store (see `ports.Call`)."""

    __slots__ = ("clock", "deadline", "entropy", "event", "path", "run")

    def __init__(self, run: str, path: str, clock: Clock, entropy: Entropy, event: EventShape | None) -> None:
        self.run = run
        self.path = path
        self.deadline: int | None = None
        self.clock = clock
        self.entropy = entropy
        self.event = event

    @property
    def key(self) -> str:
        """The digest over run and path: the same for every attempt of this call."""
        return digest_of([self.run, self.path])


class Site:
    """One CALL node, linked: how its inputs come about, who answers, and what each outcome means."""

    __slots__ = (
        "ask",
        "bind",
        "check",
        "checks",
        "fault_target",
        "fill",
        "frame",
        "guarded",
        "index",
        "outcomes",
        "package",
        "template",
    )

    def __init__(self, index: int, node: dict[str, Any], size: int, schemas: Schemas, ask: Ask, package: str) -> None:
        self.index = index
        self.frame = Frame(CALLED, node["name"], node["use"], node["effect"])
        self.template = node["with"]
        self.bind = templates.link(node["with"], size)
        checked = node["check"]
        self.check: Check | None = link_check(checked) if checked is not None else None
        self.fill: Fill | None = filler(checked) if checked is not None else None
        self.guarded = templates.may_share(node["with"], schemas)
        self.ask = ask
        self.package = package
        targets: dict[str, int] = node["next"]
        self.fault_target = targets[FAULT]
        self.checks = {name: link_check(schema) for name, schema in node["outcomes"].items()}
        self.outcomes: Outcomes = {
            name: (_predicate(schema, self.checks[name]), self.frame.middle(name), targets[name])
            for name, schema in node["outcomes"].items()
        }


def _predicate(schema: dict[str, Any], check: Check) -> Callable[[Any], bool]:
    """Return what tells quickly whether a value fits; False may also mean that the check must look closer."""
    return quick(schema, compile_pattern) or (lambda value: not check(value))


def link_call(
    index: int,
    node: dict[str, Any],
    size: int,
    schemas: Schemas,
    events: Mapping[str, dict[str, Any]],
    function: Callable[..., Any],
    closings: Mapping[int, Step],
) -> Step:
    """Turn a CALL node into its step; `closings` are the steps of the exits that cannot fault, by index."""
    package = str(getattr(function, "__module__", "")).partition(".")[0]
    if node["effect"] == "PURE":
        site = Site(index, node, size, schemas, lambda run, inputs: function(inputs), package)
        return _transform(site, function) if site.check is None else _reading(site)
    event = EventShape(node["event"], events[node["event"]]) if node["event"] is not None else None
    site = Site(index, node, size, schemas, _operation(function, node["name"], node["store"], event), package)
    return _effect(site, closings) if node["effect"] in WRITES else _reading(site)


def _operation(function: Callable[..., Any], path: str, store: str | None, event: EventShape | None) -> Ask:
    def ask(run: Walk, inputs: dict[str, Any]) -> Any:
        call = Call(run.run_id, path, run.clock, run.entropy, event)
        if store is None:
            return function(inputs, None, call)
        assert run.journal is not None
        return function(inputs, run.journal.store(store), call)

    return ask


class Refusal:
    """Why an answer does not count: a function that records the FAULT once nothing stands in the way."""

    __slots__ = ("record",)

    def __init__(self, record: Callable[[], None]) -> None:
        self.record = record


def inputs_of(site: Site, run: Walk) -> tuple[dict[str, Any], bytes] | None:
    """Build, fill and check a node's inputs: (inputs, their bytes), or None after its FAULT was recorded."""
    try:
        inputs = site.bind(run.values)
    except ABSENT:
        absent(run, site.frame, site.template)
        return None
    if site.fill is not None:
        inputs = site.fill(inputs)
    try:
        given = dumps(inputs, None, SORTED)
    except TypeError:
        misfit(run, site.frame, None, INPUT_MISFIT, [((), "canonical")])
        return None
    if site.check is not None:
        found = site.check(inputs)
        if found:
            misfit(run, site.frame, given, INPUT_MISFIT, found)
            return None
    return inputs, given


def answer_of(
    site: Site, run: Walk, inputs: dict[str, Any], given: bytes
) -> tuple[str, dict[str, Any], bytes, int] | Refusal:
    """Ask the capability: (outcome, output, body, target), or a Refusal.

    Trouble with the database and defects of the house are no FAULT: they end the walk.
    """
    frame = site.frame
    try:
        answer = site.ask(run, inputs)
    except (Trouble, Defect):
        raise
    except (Exception, SystemExit) as error:
        return _raised(site, run, given, error)
    try:
        outcome, output = answer
        fits, middle, target = site.outcomes[outcome]
    except (TypeError, ValueError, KeyError):
        return _undeclared(site, run, given, answer)
    if site.guarded and not _same(inputs, given):
        return _changed(site, run, given)
    if not fits(output):
        output = _conformed(site, run, given, outcome, output)
        if isinstance(output, Refusal):
            return output
    try:
        made = dumps(output, None, SORTED)
    except TypeError:
        return _unfit(site, run, given, [((), "canonical")])
    return outcome, output, frame.before + given + middle + made + frame.after, target


def _raised(site: Site, run: Walk, given: bytes, error: BaseException) -> Refusal:
    return Refusal(lambda: raised(run, site.frame, given, error, site.package))


def _undeclared(site: Site, run: Walk, given: bytes, answer: Any) -> Refusal:
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], str):
        detail = f"the outcome `{answer[0][:64]}` is not declared"
    else:
        detail = f"the answer is no pair of outcome and output but a `{type(answer).__name__}`"
    detail = detail.encode("utf-8", "replace").decode()
    return Refusal(lambda: fault(run, site.frame, given, UNDECLARED_OUTCOME, detail=detail))


def _same(inputs: dict[str, Any], given: bytes) -> bool:
    try:
        return bool(dumps(inputs, None, SORTED) == given)
    except TypeError:
        return False


def _changed(site: Site, run: Walk, given: bytes) -> Refusal:
    detail = "the capability changed its inputs"
    return Refusal(lambda: fault(run, site.frame, given, INPUT_CHANGED, detail=detail))


def _conformed(site: Site, run: Walk, given: bytes, outcome: str, output: Any) -> Any:
    """Return the output with whole floats as integers where it fits then, else a Refusal."""
    output, found = conform(site.checks[outcome], output)
    return _unfit(site, run, given, found) if found else output


def _unfit(site: Site, run: Walk, given: bytes, violations: Sequence[Violation]) -> Refusal:
    return Refusal(lambda: misfit(run, site.frame, given, OUTPUT_MISFIT, violations))


def _refuse(site: Site, run: Walk, refusal: Refusal) -> int:
    """Record a FAULT and return where it leads; whatever the capability did to shared values is undone first."""
    if site.guarded:
        run.restore()
    refusal.record()
    return site.fault_target


def _transform(site: Site, function: Callable[..., Any]) -> Step:
    """Make the step of a transform whose inputs need no check: `inputs_of`, `answer_of` and `Walk.record` in one.

    Most steps of most workflows are this one, and calls are what they cost.
    """
    index, fault_target = site.index, site.fault_target
    bind, outcomes, guarded = site.bind, site.outcomes, site.guarded
    before, after, name = site.frame.before, site.frame.after, site.frame.name

    def step(run: Walk) -> int:
        values = run.values
        try:
            inputs = bind(values)
        except ABSENT:
            absent(run, site.frame, site.template)
            return fault_target
        try:
            given = dumps(inputs, None, SORTED)
        except TypeError:
            misfit(run, site.frame, None, INPUT_MISFIT, [((), "canonical")])
            return fault_target
        try:
            answer = function(inputs)
        except (Trouble, Defect):
            raise
        except (Exception, SystemExit) as error:
            return _refuse(site, run, _raised(site, run, given, error))
        try:
            outcome, output = answer
            fits, middle, target = outcomes[outcome]
        except (TypeError, ValueError, KeyError):
            return _refuse(site, run, _undeclared(site, run, given, answer))
        if guarded and not _same(inputs, given):
            return _refuse(site, run, _changed(site, run, given))
        if not fits(output):
            output = _conformed(site, run, given, outcome, output)
            if isinstance(output, Refusal):
                return _refuse(site, run, output)
        try:
            made = dumps(output, None, SORTED)
        except TypeError:
            return _refuse(site, run, _unfit(site, run, given, [((), "canonical")]))
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
    index, fault_target = site.index, site.fault_target

    def step(run: Walk) -> int:
        ready = inputs_of(site, run)
        if ready is None:
            return fault_target
        answer = answer_of(site, run, *ready)
        if isinstance(answer, Refusal):
            return _refuse(site, run, answer)
        _, run.values[index], body, target = answer
        run.record(site.frame.name, body)
        return target

    return step


def _effect(site: Site, closings: Mapping[int, Step]) -> Step:
    """Make the step of a local effect: one transaction."""
    index, fault_target, frame = site.index, site.fault_target, site.frame
    name, capability = frame.name, str(frame.capability)

    def step(run: Walk) -> int:
        ready = inputs_of(site, run)
        if ready is None:
            return fault_target
        journal: Journal = run.journal  # type: ignore[assignment]
        journal.begin()
        answer = answer_of(site, run, *ready)
        if isinstance(answer, Refusal):
            journal.rollback()
            return _refuse(site, run, answer)
        outcome, run.values[index], body, target = answer
        number = journal.receipt(name, capability, outcome)
        run.record(name, body, {"receipt": number})
        closing = closings.get(target)
        if closing is not None:
            target = closing(run)
        run.write(journal)
        journal.commit()
        run.settled()
        return target

    return step
