"""Play one scenario: its world, its steps one after another, and what each was expected to give.

Whoever plays says what is to be noted of each run that reached an exit: coverage, what transforms answered, tours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from omnibachi.results import RunResult
from omnibachi.wiring import Scenario, plain
from omnibachi_model.checks import conform, link, listed
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.nearest import nearest
from omnibachi_model.sealed import FAULT, sealed_name

from .expectations import misspelt, unmet
from .stage import ANSWERED, Forced, Stage, outcomes_of

Note = Callable[[RunResult, Forced], None]


def resolved(stage: Stage, scenario: Scenario) -> str | None:
    """Return the workflow that a scenario is about: as it says, or the first that it runs."""
    if scenario.workflow is None:
        return next(iter(sorted(workflows_of(stage, scenario))), None)
    found = stage.workflow(scenario.workflow.text, scenario.domain, scenario.workflow.span)
    return scenario.workflow.text if isinstance(found, Diagnostic) else found


def workflows_of(stage: Stage, scenario: Scenario) -> set[str]:
    """Return the addresses that a scenario runs, as far as they exist."""
    found = {workflow_of(stage, scenario, step) for step in scenario.steps if not step.entry("load")}
    return {address for address in found if isinstance(address, str)}


def workflow_of(stage: Stage, scenario: Scenario, step: Any) -> str | Diagnostic:
    """Find the workflow of a step: its own, that of the step whose payload it takes, or the scenario's."""
    named = step.entry("workflow")
    if named is not None:
        return stage.workflow(str(plain(named.value)), scenario.domain, named.value.span)
    if scenario.workflow is not None:
        return stage.workflow(scenario.workflow.text, scenario.domain, scenario.workflow.span)
    earlier = step.get("payload_of")
    if earlier is None:
        return Diagnostic("OB311", "the step names no workflow", step.span)
    return workflow_of(stage, scenario, scenario.steps[int(plain(earlier)) - 1])  # type: ignore[arg-type]


def play(stage: Stage, scenario: Scenario, note: Note) -> Iterator[Diagnostic]:
    """Play one scenario to its end, or to the first step that cannot run, and yield what was not as expected."""
    given: Any = plain(scenario.given) if scenario.given else {}
    forced = {name: (item["outcome"], item.get("output", {})) for name, item in given.get("answers", {}).items()}
    wrong = [item for step in scenario.steps for item in misspelt(step.get("expect"))]
    wrong += _misforced(stage, scenario, forced)
    if wrong:
        yield from wrong
        return
    with stage.engine(given, forced) as engine:
        span = scenario.given.span if scenario.given else scenario.span
        wrong = stage.plant(engine, given.get("stores", {}), scenario.domain, span, given)
        if wrong:
            yield from wrong
            return
        for number, step in enumerate(scenario.steps, 1):
            load = step.entry("load")
            if load is not None:
                facts: Any = plain(load.value)
                yield from stage.plant(engine, facts["stores"], scenario.domain, load.key_span, given)
                continue
            address = workflow_of(stage, scenario, step)
            if isinstance(address, Diagnostic):
                yield address
                return
            result = engine.run(address, payload_of(scenario, step), trace_id=f"step-{number}")
            if result.exit is None and result.waiting is None:
                yield from result.diagnostics
                return
            note(result, forced)
            yield from unmet(number, step.get("expect"), result, engine, stage, scenario.domain)


def payload_of(scenario: Scenario, step: Any) -> Any:
    """Return the payload of a step that runs a workflow: its own, or that of the step that it names."""
    while step.entry("payload") is None:
        step = scenario.steps[int(plain(step.get("payload_of"))) - 1]  # type: ignore[arg-type]
    return plain(step.get("payload"))


def _misforced(stage: Stage, scenario: Scenario, forced: Any) -> list[Diagnostic]:
    """Say which forced answers no node could give: no such node, an undeclared outcome, an output that does not fit."""
    found: list[Diagnostic] = []
    nodes = [node for address in sorted(workflows_of(stage, scenario)) for node in stage.sealed(address)["nodes"]]
    for name, (outcome, output) in forced.items():
        span = _answer_span(scenario, name)
        callers = [node for node in nodes if node["name"] == sealed_name(name) and node["kind"] in ANSWERED]
        if not callers:
            message = f"no node `{name}` that uses a capability or waits is there to be answered"
            names = [node["name"] for node in nodes if node["kind"] in ANSWERED]
            near = f"{name}[]" if f"{name}[]" in names else nearest(name, names)
            help = f"did you mean `{near}`?" if near else "`omnibachi show` lists the nodes of a workflow"
            found.append(Diagnostic("OB743", message, span, help=help))
        for node in callers:
            if outcome == FAULT:
                continue
            outcomes = outcomes_of(node)
            if outcome not in outcomes:
                declares = node.get("use", node["name"])
                found.append(Diagnostic("OB743", f"`{declares}` declares no outcome `{outcome}`", span))
                continue
            for item in listed(conform(link(outcomes[outcome]), output)[1]):
                place = item["pointer"] or "/"
                message = f"the forced output of `{name}` breaks `{item['keyword']}` at `{place}`"
                found.append(Diagnostic("OB743", message, span))
    return found


def _answer_span(scenario: Scenario, name: str) -> Span:
    answers: Any = scenario.given.get("answers") if scenario.given else None
    entry = answers.entry(name) if answers else None
    return entry.key_span if entry else scenario.span
