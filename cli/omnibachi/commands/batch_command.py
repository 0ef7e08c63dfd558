"""`omnibachi batch`: many payloads through one workflow, by several processes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import click

from omnibachi.batches.batching import Asked, Batch, run_batch
from omnibachi.batches.plan import MOST_ID
from omnibachi.exits import INTERRUPTED
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Span

from .options import as_command
from .output import Output, counted

BATCH_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MOST_ID}}}\Z")
MOST_TOLD = 10


def _batch_id(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not BATCH_ID.match(value):
        raise click.BadParameter(f"use 1 to {MOST_ID} letters, digits, `_` and `-`")
    return value


@as_command(
    "batch",
    "omnibachi.batch/1",
    "omnibachi batch --wf blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0 actors.jsonl --workers 4",
    state=True,
)
@click.argument("file")
@click.option("--wf", "workflow", metavar="ADDRESS", required=True, help="The workflow to run.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="How many processes run at once."
)
@click.option(
    "--output",
    "-o",
    "record",
    metavar="FILE",
    help="The file of all records; the summary lies beside it.  [default: <workspace>/batches/<ID>.jsonl]",
)
@click.option(
    "--batch-id", "batch", metavar="ID", callback=_batch_id, help="[default: follows from workflow, lines and actor]"
)
@click.option("--actor", metavar="NAME", help="Who asks; recorded with each run.")
@click.option("--seal", metavar="DIGEST", help="Refuse any other snapshot.")
@click.option("--trust", metavar="FILE", help="Refuse a snapshot that none of its keys signed.")
@click.option("--strict", is_flag=True, help="Compile the capability bytes that were checked.")
def command(output: Output, workspace: Workspace, **asked: Any) -> int:
    """Run a workflow once for each line of FILE, a JSON object each; `-` is standard input.

    A payload that is refused or a run that fails never stops the others. All records come into one file, in the order
    of the lines, and a summary beside it (docs/formats.md, "Batches"). Pictures and pages are not made. A batch that
    was broken off goes on when the same command is given again, and one that is whole does nothing: give it another
    `--batch-id` to run the same lines once more.

    A run that waits for people is counted as WAITING; its record comes in when the command is given again after they
    have decided.

    Exit status 0 when every run is COMPLETED, else the worst of all lines, in the order 6, 4, 3, 1, 5, 7.
    """
    try:
        with output.bar() as tell:
            done = run_batch(workspace, Asked(**asked), tell)
    except KeyboardInterrupt:
        found = Diagnostic("OB745", "the batch was interrupted", help="give the same command again to go on with it")
        return output.refused([found], INTERRUPTED)
    value = {
        **{name: item for name, item in done.summary.items() if name not in ("schema", "plan")},
        "repeated": done.repeated, "found_done": done.found_done, "record": done.record_file,
        "summary": done.summary_file,
    }  # fmt: skip
    told = () if output.as_json else _failed(done)
    return output.give(done.exit_code, value, _lines(done), [*done.diagnostics, *told], workspace.root)


def _lines(done: Batch) -> list[str]:
    summary = done.summary
    ends = [f"{count} {name}" for name, count in summary["by_status"].items()]
    ends += [f"{summary['refused']} without a run"] if summary["refused"] else []
    lines = [f"{counted(summary['lines'], 'line')}: {', '.join(ends) or 'nothing to run'}"]
    if done.repeated:
        lines[0] += ", as recorded; nothing was run"
    elif done.found_done:
        lines[0] += f"; {done.found_done} were done before"
    lines += [f"  {count} ended {name}" for name, count in summary["by_exit"].items()]
    return [*lines, f"  record   {_shown(done.record_file)}", f"  summary  {_shown(done.summary_file)}"]


def _failed(done: Batch) -> Iterator[Diagnostic]:
    """Give what is to be said of the first lines that did not end COMPLETED."""
    failed = done.summary["failed"]
    for item in failed[:MOST_TOLD]:
        for found in item["diagnostics"]:
            place = (found[name] for name in ("file", "line", "column", "end_line", "end_column"))
            span = Span(*place) if found["file"] else None
            yield Diagnostic(
                found["code"], f"line {item['line']}: {found['message']}", span, help=found["help"],
                severity=found["severity"],
            )  # fmt: skip
    if len(failed) > MOST_TOLD:
        click.echo(f"the first {MOST_TOLD} of {len(failed)} lines that did not end COMPLETED:", err=True)


def _shown(path: str) -> str:
    here = os.getcwd() + os.sep
    return path[len(here) :] if path.startswith(here) else path
