"""`omnibachi cancel`: end a run before it ends by itself."""

from __future__ import annotations

import getpass

import click

from omnibachi.cancelling import BEFORE, Cancelled, cancel
from omnibachi.workspace import Workspace

from .options import as_command
from .output import Output, traced

LONGEST_WAIT = 3600.0


@as_command(
    "cancel",
    "omnibachi.cancel/1",
    "omnibachi cancel 20260101T000000123456-9f86d081 --because 'ordered by mistake'",
    state=True,
)
@click.argument("trace_id")
@click.option("--because", metavar="TEXT", help="Why; it stands in the record.")
@click.option("--actor", metavar="NAME", help="Who asks for it.  [default: the name of this system's user]")
@click.option(
    "--wait",
    type=click.FloatRange(0, LONGEST_WAIT),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a process that works on the run is waited for.",
)
@click.option("--no-picture", is_flag=True, help="Draw no picture.")
def command(
    output: Output,
    workspace: Workspace,
    trace_id: str,
    because: str | None,
    actor: str | None,
    wait: float,
    no_picture: bool,
) -> int:
    """Cancel the run TRACE_ID: it ends at the reserved exit `cancelled`, wherever it is.

    What it has done stands. A process that works on it sees this between two nodes and while it waits, cuts the call
    that is under way where that can be cut, and ends the run. One whose process died, or that waits for people, is
    ended here. A run that has ended is left as it is.

    Exit status: 0 the run is cancelled, or its process will end it; 1 it had ended before; 3 for an unknown run, 6
    where the store cannot be used.
    """
    with output.progress(f"cancelling {trace_id}"):
        found = cancel(workspace, trace_id, actor or _user(), because, wait=wait, picture=not no_picture)
    return output.give(found.exit_code, _value(found), _lines(found), found.diagnostics, workspace.root)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "somebody"


def _value(found: Cancelled) -> dict[str, object]:
    row, result = found.row, found.result
    return {
        "trace_id": row.run,
        "workflow": row.workflow,
        "state": found.state,
        "cancelled": found.asked.as_json() if found.asked is not None else None,
        "ended": found.ended,
        "exit": row.exit if result is None else result.exit,
        "process": found.process,
        "trace": result.trace if result is not None else {},
    }


def _lines(found: Cancelled) -> list[str]:
    run = found.row.run
    if found.asked is None:
        return []
    lines = [f"{run}: {found.state}"]
    if found.state == BEFORE:
        lines[0] += f", by {found.asked.by} at {found.asked.at}"
    if found.process is not None:
        lines.append(f"  process {found.process} works on it, and ends it at its next step")
    elif found.result is None or found.result.exit is not None:
        lines.append("  it has ended")
        lines += traced(found.result.trace if found.result is not None else {})
    return lines
