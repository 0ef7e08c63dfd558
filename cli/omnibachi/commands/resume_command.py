"""`omnibachi resume`: finish what processes that died left behind."""

from __future__ import annotations

from typing import Any

import click

from omnibachi import wiring
from omnibachi.exits import OK
from omnibachi.parked import summary
from omnibachi.payloads import payload_of
from omnibachi.recovery import ALONE, HELD, UNPUBLISHED, WAITS, Left
from omnibachi.results import RunResult
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic

from .options import as_command
from .output import Output, counted, table, traced


@as_command("resume", "omnibachi.resume/1", "omnibachi resume --all", state=True)
@click.argument("trace_id", required=False)
@click.option("--all", "every", is_flag=True, help="Finish every run whose process died; leave others alone.")
@click.option(
    "--accept", multiple=True, metavar="ADDRESS", help="Go on with a capability that was changed since (repeatable)."
)
@click.option(
    "--payload", "file", metavar="FILE", help="The payload of the run, where it goes on with its secrets; - reads it."
)
@click.option("--no-picture", is_flag=True, help="Draw no picture.")
def resume(
    output: Output,
    workspace: Workspace,
    trace_id: str | None,
    every: bool,
    accept: tuple[str, ...],
    file: str | None,
    no_picture: bool,
) -> int:
    """Finish the run TRACE_ID, or with --all every run, whose process died; without either, list them.

    What is recorded is not done again: side effects answer from the journal, transforms and decisions are recomputed
    and must give what is recorded. Of a run that has ended, what is missing is written: mirrors, trace, page, picture.

    No record holds a secret. A run that goes on with one needs its payload again, the very same one: it stops (3) and
    stays as it is until it is resumed with --payload.

    A run that waits for people is gone on with once they have decided or its time is over (see `approve`).

    Exit status as for `run`: 0 COMPLETED, 1 REJECTED or FAILED, 5 DENIED, 7 WAITING; 3 for an unknown run, 4 where a
    capability was changed or something comes out differently (nothing is written then), 6 where another process works
    on the run or the store cannot be used. With --all the worst of all runs, in the order 6, 4, 3, 1, 5, 7, 0; runs
    that other processes work on, or that still wait for people, do not count. A list is 0.
    """
    if trace_id is not None and every:
        raise click.UsageError("a trace id and `--all` exclude each other")
    if file is not None and trace_id is None:
        raise click.UsageError("`--payload` needs a trace id")
    if trace_id is not None:
        payload = payload_of(file, ()) if file is not None else None
        with output.progress(f"resuming {trace_id}"):
            result = workspace.resume(trace_id, accept=accept, payload=payload, picture=not no_picture)
        return _give(output, workspace, result.exit_code, [result], only=_run(result))
    if not every and accept:
        raise click.UsageError("`--accept` needs a trace id or `--all`")
    recoverer = workspace.recoverer(picture=not no_picture)
    if not every:
        with wiring.open_root(recoverer.root, reading=True) as ledger:
            return _list(output, recoverer.survey(ledger))
    with output.progress("resuming"):
        found = recoverer.all(accept)
    return _give(output, workspace, found.exit_code, found.results, found.held, found.diagnostics)


def _list(output: Output, left: list[Left]) -> int:
    lines = table(
        ("trace id", "started", "workflow", "state"),
        [(item.row.run, item.row.started_at, item.row.workflow, _state(item)) for item in left],
    )
    if not left:
        lines = ["nothing to resume"]
    elif any(item.state not in ALONE for item in left):
        lines += ["", "finish one with `omnibachi resume TRACE_ID`, all with `omnibachi resume --all`"]
    return output.give(OK, {"runs": [], "left": [_left(item) for item in left]}, lines)


def _give(
    output: Output,
    workspace: Workspace,
    status: int,
    results: tuple[RunResult, ...] | list[RunResult],
    held: tuple[Left, ...] = (),
    diagnostics: tuple[Diagnostic, ...] = (),
    only: dict[str, Any] | None = None,
) -> int:
    """Print several runs, or the `only` one, whose members stand at the top then as `run --json` has them."""
    lines = [line for result in results if result.exit is not None for line in _summary(result)]
    lines += [line for result in results if result.waiting is not None for line in summary(result)]
    lines += [f"{item.row.run}: {_state(item)}; left alone" for item in held]
    if not results and not held:
        lines = ["nothing to resume"]
    elif len(results) > 1:
        lines.append(f"{counted(sum(result.exit is not None for result in results), 'run')} of {len(results)} done")
    value = {**(only or {}), "runs": [_run(result) for result in results], "left": [_left(item) for item in held]}
    found = [*diagnostics, *(item for result in results for item in result.diagnostics)]
    return output.give(status, value, lines, found, workspace.root)


def _summary(result: RunResult) -> list[str]:
    how = "as recorded; nothing was run" if result.repeated else "resumed"
    lines = [f"{result.trace_id}: {result.workflow}: {result.exit} ({result.status}), {how}"]
    lines.append(f"  digest  {result.digest}")
    return [*lines, *traced(result.trace)]


def _state(item: Left) -> str:
    if item.state == HELD:
        return f"process {item.process} works on it"
    if item.state == WAITS:
        return str(item.asked).replace("`", "")
    if item.state == UNPUBLISHED:
        return f"ended {item.row.exit} {item.row.status}, not published: {', '.join(item.missing)}"
    return "unfinished"


def _run(result: RunResult) -> dict[str, Any]:
    ended = "recorded" if result.repeated else "resumed"
    state = "waiting" if result.waiting else "refused" if result.exit is None else ended
    return {**{key: value for key, value in result.as_json().items() if key != "schema"}, "state": state}


def _left(item: Left) -> dict[str, Any]:
    row = item.row
    return {
        "trace_id": row.run, "workflow": row.workflow, "started_at": row.started_at, "state": item.state,
        "process": item.process, "missing": list(item.missing),
    }  # fmt: skip


command = resume
