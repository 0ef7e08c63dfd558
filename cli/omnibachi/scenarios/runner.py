"""Play scenarios and report: which held, what they reached, and what differed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from omnibachi.catalogue import Capabilities
from omnibachi.results import RunResult
from omnibachi.wiring import Compilation, Scenario
from omnibachi_model.diagnostics import Diagnostic, has_errors
from omnibachi_model.digests import decode, encode
from omnibachi_model.record import CALLED
from omnibachi_model.sealed import FAULT, sealed_name
from omnibachi_model.secrecy import holds_withheld

from .again import Answered, differing
from .coverage import Coverage
from .examples import examples_of
from .playing import play, resolved, workflows_of
from .stage import Forced, Stage
from .suggested import suggestions
from .tours import tour

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
    """What `omnibachi test` found: scenarios, how many examples ran, coverage, and findings beside the scenarios.

    `missed` is what nothing reached, with what would reach it (`suggested`).
    """

    stage: Stage
    scenarios: list[Played] = field(default_factory=list)
    examples: int = 0
    diagnostics: list[Diagnostic] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    missed: list[dict[str, Any]] = field(default_factory=list)

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
            "coverage": {**self.coverage.as_json(), "missed": self.missed},
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
    report = Report(stage)
    answered: list[Answered] = []
    covered: set[str] = set() if selector else set(stage.snapshot.workflows)

    def note(result: RunResult, forced: Forced) -> None:
        _note(stage, result, forced, report.coverage, answered)

    for scenario in chosen(compilation, stage, selector):
        if progress:
            progress(scenario.name.text)
        covered |= workflows_of(stage, scenario)
        failures = list(play(stage, scenario, note))
        name = resolved(stage, scenario)
        report.scenarios.append(Played(scenario.name.text, name, scenario.span.file, scenario.name.span.line, failures))
    for _, found, answer in examples_of(stage, selector.lower()):
        report.examples += 1
        report.diagnostics += found
        if answer:
            answered.append(answer)
    if progress and answered:
        progress("asking the transforms again, in another process")
    report.diagnostics += differing(answered, capabilities.folder)
    for address in sorted(covered):
        report.coverage.expect(stage.sealed(address), stage.laws(address))
    missed = report.coverage.missed()
    if progress and missed:
        progress("looking for what reaches the rest")
    report.missed = suggestions(stage, compilation.scenarios, missed)
    return report


def chosen(compilation: Compilation, stage: Stage, selector: str) -> list[Scenario]:
    """Return the scenarios whose name, file or workflow holds `selector`, in any case of letters."""
    selector = selector.lower()
    return [
        scenario
        for scenario in compilation.scenarios
        if any(
            selector in text.lower()
            for text in (scenario.name.text, scenario.span.file, *workflows_of(stage, scenario))
        )
    ]


def _note(stage: Stage, result: RunResult, forced: Forced, coverage: Coverage, answered: list[Answered]) -> None:
    """Take note of what a run reached, and of what its transforms answered."""
    bodies = [decode(body) for _, body, _ in result.events]
    workflow = stage.sealed(result.workflow)
    coverage.visit(workflow, tour(workflow, bodies), str(result.exit), forced, stage.laws(result.workflow))
    for body in bodies:
        if (
            body["kind"] == CALLED
            and body["effect"] == "PURE"
            and body["outcome"] != FAULT
            and not {body["path"], sealed_name(body["path"])} & forced.keys()
            and not holds_withheld([body["inputs"], body["output"]])  # a secret is not there to be asked about again
        ):
            implementation = stage.snapshot.manifest["capabilities"][body["capability"]]["implementation"]
            answer = encode([body["outcome"], body["output"]])
            answered.append(Answered(body["capability"], implementation, encode(body["inputs"]), answer))
