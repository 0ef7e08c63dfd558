"""Play scenarios and report: which held, what they reached, and what differed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from omnibachi.catalogue import Capabilities
from omnibachi.results import RunResult
from omnibachi.wiring import Compilation, Scenario, plain
from omnibachi_model.checks import conform, link, listed
from omnibachi_model.diagnostics import Diagnostic, Span, has_errors
from omnibachi_model.digests import decode, encode
from omnibachi_model.record import CALLED
from omnibachi_model.sealed import CALL, FAULT

from .again import Answered, differing
from .coverage import Coverage
from .examples import examples_of
from .expectations import misspelt, unmet
from .stage import Stage

SCHEMA = "omnibachi.test/1"
Progress = Callable[[str], None]


@dataclass(slots=True)
class Played:
    """One scenario after it was played."""

    name: str
    workflow: str | None
    file: str
    line: int
    failures: list[Diagnostic]

    @property
    def ok(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `test --json` prints."""
        return {
            "name": self.name,
            "workflow": self.workflow,
            "file": self.file,
            "line": self.line,
            "ok": self.ok,
            "failures": [item.as_json() for item in self.failures],
        }


@dataclass(slots=True)
class Report:
    """What `omnibachi test` found: scenarios, how many examples ran, coverage, and findings beside the scenarios."""

    scenarios: list[Played] = field(default_factory=list)
    examples: int = 0
    diagnostics: list[Diagnostic] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def ok(self) -> bool:
        """Whether every scenario and example held."""
        return all(item.ok for item in self.scenarios) and not has_errors(self.diagnostics)

    def as_json(self) -> dict[str, Any]:
        """Return what `test --json` prints."""
        return {
            "schema": SCHEMA,
            "ok": self.ok,
            "exit_code": 0 if self.ok else 1,
            "scenarios": [item.as_json() for item in self.scenarios],
            "examples": self.examples,
            "coverage": self.coverage.as_json(),
            "diagnostics": [item.as_json() for item in self.diagnostics],
        }


def run_scenarios(
    compilation: Compilation, capabilities: Capabilities, selector: str = "", progress: Progress | None = None
) -> Report:
    """Play the scenarios whose name, file or workflow holds `selector`, and run examples of transforms likewise.

    Coverage is of all workflows, or, with a selector, of those that the chosen scenarios run. `progress` is told the
    name of each scenario before it is played.
    """
    stage = Stage(compilation, capabilities)
    selector = selector.lower()
    report = Report()
    answered: list[Answered] = []
    covered: set[str] = set() if selector else set(stage.snapshot.workflows)
    for scenario in compilation.scenarios:
        workflows = _workflows(stage, scenario)
        if not any(selector in text.lower() for text in (scenario.name.text, scenario.span.file, *workflows)):
            continue
        if progress:
            progress(scenario.name.text)
        covered |= workflows
        failures = list(_play(stage, scenario, report.coverage, answered))
        name = _resolved(stage, scenario)
        report.scenarios.append(Played(scenario.name.text, name, scenario.span.file, scenario.name.span.line, failures))
    for _, found, answer in examples_of(stage, selector):
        report.examples += 1
        report.diagnostics += found
        if answer:
            answered.append(answer)
    if progress and answered:
        progress("asking the transforms again, in another process")
    report.diagnostics += differing(answered, capabilities.folder)
    for address in sorted(covered):
        report.coverage.expect(_sealed(stage, address))
    return report


def _sealed(stage: Stage, address: str) -> dict[str, Any]:
    data = stage.snapshot.read(stage.snapshot.manifest["workflows"][address]["file"])
    assert data is not None
    sealed: dict[str, Any] = decode(data)
    return sealed


def _resolved(stage: Stage, scenario: Scenario) -> str | None:
    if scenario.workflow is None:
        return next(iter(sorted(_workflows(stage, scenario))), None)
    found = stage.workflow(scenario.workflow.text, scenario.domain, scenario.workflow.span)
    return scenario.workflow.text if isinstance(found, Diagnostic) else found


def _workflows(stage: Stage, scenario: Scenario) -> set[str]:
    """Return the addresses that a scenario runs, as far as they exist."""
    found = {_address(stage, scenario, step) for step in scenario.steps if not step.entry("load")}
    return {address for address in found if isinstance(address, str)}


def _address(stage: Stage, scenario: Scenario, step: Any) -> str | Diagnostic:
    """Find the workflow of a step: its own, that of the step whose payload it takes, or the scenario's."""
    named = step.entry("workflow")
    if named is not None:
        return stage.workflow(str(plain(named.value)), scenario.domain, named.value.span)
    if scenario.workflow is not None:
        return stage.workflow(scenario.workflow.text, scenario.domain, scenario.workflow.span)
    earlier = step.get("payload_of")
    if earlier is None:
        return Diagnostic("OB311", "the step names no workflow", step.span)
    return _address(stage, scenario, scenario.steps[int(plain(earlier)) - 1])  # type: ignore[arg-type]


def _play(stage: Stage, scenario: Scenario, coverage: Coverage, answered: list[Answered]) -> Iterator[Diagnostic]:
    """Play one scenario to its end, or to the first step that cannot run."""
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
            address = _address(stage, scenario, step)
            if isinstance(address, Diagnostic):
                yield address
                return
            result = engine.run(address, _payload(scenario, step), trace_id=f"step-{number}")
            if result.exit is None:
                yield from result.diagnostics
                return
            _note(stage, result, forced, coverage, answered)
            yield from unmet(number, step.get("expect"), result, engine, stage, scenario.domain)


def _payload(scenario: Scenario, step: Any) -> Any:
    while step.entry("payload") is None:
        step = scenario.steps[int(plain(step.get("payload_of"))) - 1]  # type: ignore[arg-type]
    return plain(step.get("payload"))


def _note(stage: Stage, result: RunResult, forced: Any, coverage: Coverage, answered: list[Answered]) -> None:
    """Take note of what a run reached, and of what its transforms answered."""
    bodies = [decode(body) for _, body, _ in result.events]
    coverage.visit(result.workflow, bodies, forced)
    for body in bodies:
        if (
            body["kind"] == CALLED
            and body["effect"] == "PURE"
            and body["outcome"] != FAULT
            and body["path"] not in forced
        ):
            implementation = stage.snapshot.manifest["capabilities"][body["capability"]]["implementation"]
            answer = encode([body["outcome"], body["output"]])
            answered.append(Answered(body["capability"], implementation, encode(body["inputs"]), answer))


def _misforced(stage: Stage, scenario: Scenario, forced: Any) -> list[Diagnostic]:
    """Say which forced answers no node could give: no such node, an undeclared outcome, an output that does not fit."""
    found: list[Diagnostic] = []
    nodes = [node for address in sorted(_workflows(stage, scenario)) for node in _sealed(stage, address)["nodes"]]
    for name, (outcome, output) in forced.items():
        span = _answer_span(scenario, name)
        callers = [node for node in nodes if node["name"] == name and node["kind"] == CALL]
        if not callers:
            found.append(Diagnostic("OB743", f"no node `{name}` that uses a capability is there to be answered", span))
        for node in callers:
            if outcome == FAULT:
                continue
            if outcome not in node["outcomes"]:
                found.append(Diagnostic("OB743", f"`{node['use']}` declares no outcome `{outcome}`", span))
                continue
            for item in listed(conform(link(node["outcomes"][outcome]), output)[1]):
                place = item["pointer"] or "/"
                message = f"the forced output of `{name}` breaks `{item['keyword']}` at `{place}`"
                found.append(Diagnostic("OB743", message, span))
    return found


def _answer_span(scenario: Scenario, name: str) -> Span:
    answers: Any = scenario.given.get("answers") if scenario.given else None
    entry = answers.entry(name) if answers else None
    return entry.key_span if entry else scenario.span
