"""`omnibachi test`: the scenarios, with coverage and what would reach the rest; `--mutate` puts them to the test."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

import click

from omnibachi.compiling import compile_workspace
from omnibachi.exits import FAILED, FINDINGS, OK, USAGE
from omnibachi.scenarios.coverage import gathered, worded
from omnibachi.scenarios.mutation import Mutation
from omnibachi.scenarios.mutation import mutate as mutate_all
from omnibachi.scenarios.runner import Report, run_scenarios
from omnibachi.scenarios.suggested import lines_of
from omnibachi.workspace import Workspace, shipped_root
from omnibachi_model.diagnostics import Diagnostic, Refused

from .options import as_command, needs_sources
from .output import Output, counted

COUNTED = ("nodes", "outcomes", "rows", "exits", "laws")


@as_command("test", "omnibachi.test/1", "omnibachi test register_actor")
@click.argument("selector", default="")
@click.option("--mutate", is_flag=True, help="Change the workflows one place at a time; scenarios should notice.")
@click.option(
    "--workers", type=click.IntRange(1, 256), help="With --mutate, how many processes play.  [default: the cores]"
)
def test(output: Output, workspace: Workspace, selector: str, mutate: bool, workers: int | None) -> int:
    """Run the scenarios (`test:` documents) and the examples of transforms, in memory.

    SELECTOR is a part of a scenario's name, file or workflow; without it all are run. Transforms are asked a second
    time in another process with another hash seed, time zone and folder. For everything that no scenario reaches, a
    payload that reaches it is looked for and printed as a scenario. Nothing is written. Exit status 1 when a scenario
    fails, 3 when the declarations do not compile.

    With --mutate, what is declared is changed in memory, one route, row, comparison, bound or binding at a time, and
    the scenarios that come by are run again, in every workflow that uses it: what they do not notice survives. Exit
    status 1 when something does.
    """
    needs_sources(workspace)
    with output.progress("compiling") as progress:
        compilation = compile_workspace(workspace.root, shipped=shipped_root())
        if compilation.sealed is None:
            return output.give(FINDINGS, {}, [], compilation.diagnostics, workspace.root)
        gc.freeze()  # What was compiled stays to the end, and is not looked through again.
        if not mutate:
            report = run_scenarios(compilation, workspace.capabilities, selector, progress.update)
    if mutate:
        with output.bar() as tell:
            mutation = mutate_all(compilation, workspace.capabilities, selector, tell, workers)
    played = mutation.scenarios if mutate else len(report.scenarios) + report.examples
    if selector and not played:
        message = f"no scenario has `{selector}` in its name, file or workflow"
        raise Refused([Diagnostic("OB752", message, help="`omnibachi test` alone plays and lists all")], USAGE)
    if mutate:
        return _mutated(output, workspace, mutation)
    value = report.as_json()
    failures = [item for played in report.scenarios for item in played.failures]
    shown = report.diagnostics if output.as_json else [*failures, *report.diagnostics]
    return output.give(OK if report.ok else FAILED, value, _lines(report, value["coverage"]), shown, workspace.root)


def _mutated(output: Output, workspace: Workspace, found: Mutation) -> int:
    lines = []
    if not found.unfit:
        for item in found.survivors:
            place = f"{item['file']}:{item['line']}  " if item["file"] else ""
            lines.append(f"survived  {place}{item['workflow']}: {item['node']}: {item['change']}")
        lines.append(f"killed {found.of - len(found.survivors)} of {found.of}")
    value = {"mutants": found.as_json()}
    return output.give(OK if found.ok else FAILED, value, lines, found.diagnostics, workspace.root)


def _lines(report: Report, coverage: dict[str, Any]) -> list[str]:
    lines = [f"{'ok    ' if item.ok else 'FAILED'}  {item.file}:{item.line}  {item.name}" for item in report.scenarios]
    failed = sum(not item.ok for item in report.scenarios)
    examples = counted(report.examples, "example of transforms", "examples of transforms")
    lines += ["", f"{counted(len(report.scenarios), 'scenario')}, {failed} failed; {examples}"]
    reached = (f"{name} {coverage[name][0]} of {coverage[name][1]}" for name in COUNTED)
    lines.append(f"reached: {', '.join(reached)}")
    lines += [f"  by a forced answer only: {worded(place)}" for place in coverage["forced"]]
    missed = coverage["missed"]
    lines += [f"  not reached: {worded(place)}{_why(place)}" for place in gathered(missed)]
    if any(place["payload"] is not None for place in missed):
        lines += ["", "these scenarios reach what was not reached (say what you expect of them):", ""]
        lines += lines_of(missed)
    return lines


def _why(place: Mapping[str, Any]) -> str:
    return f" ({place['reason']})" if "reason" in place else ""


command = test
