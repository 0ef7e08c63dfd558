"""`omnibachi verify`: does a record, or a snapshot, hold."""

from __future__ import annotations

import os

import click

from omnibachi import verify as verify_record
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.sealed import MANIFEST

from .options import as_command
from .output import OK, UNPROVEN, Output, counted
from .recorded import record_of
from .snapshot_check import checked

LEVELS = ("intact", "anchored")


@as_command("verify", "omnibachi.verify/1", "omnibachi verify traces/T1/T1.jsonl --require anchored", state=True)
@click.argument("target", metavar="TRACE|SNAPSHOT")
@click.option(
    "--require", type=click.Choice(LEVELS), default="intact", show_default=True, help="The least that will do."
)
def verify(output: Output, workspace: Workspace, target: str, require: str) -> int:
    """Check a record (a file, or a trace id) or a snapshot (a folder with a manifest.json).

    A record is BROKEN at a line, INTACT (consistent, origin unproven) or ANCHORED (equal to the journal of the data
    root). Exit status 4 for BROKEN, and for less than --require asks for.
    """
    folder = os.path.dirname(target) if os.path.basename(target) == MANIFEST else target
    if os.path.isfile(os.path.join(folder, MANIFEST)):
        return _snapshot(output, workspace, folder)
    record, trace_id = record_of(workspace, target)
    found = verify_record(record, data_root=workspace.data_root, trace_id=trace_id)
    reached = found.reaches(require)
    diagnostics = []
    if not found.holds:
        message = f"`{target}` is broken at line {found.line}: {found.reason}"
        diagnostics.append(Diagnostic("OB740", message, help="do not rely on it; compare with the journal or a backup"))
    elif not found.finished:
        help = "the run has not ended: look at it with `omnibachi examine`"
        diagnostics.append(Diagnostic("OB741", f"`{target}` has no end", help=help, severity="warning"))
    if found.holds and not reached:
        why = found.reason or "this data root's journal does not hold the run"
        diagnostics.append(Diagnostic("OB748", f"`{target}` is {found.verdict}, not {require.upper()}: {why}"))
    value = {key: item for key, item in found.as_json().items() if key != "schema"}
    lines = [f"{found.verdict}  {counted(found.events, 'event')}" + ("" if found.finished else ", unfinished")]
    lines += [f"digest  {found.digest}"] if found.digest else []
    return output.give(OK if reached else UNPROVEN, value, lines, diagnostics)


def _snapshot(output: Output, workspace: Workspace, folder: str) -> int:
    seal, diagnostics = checked(folder, workspace.capabilities.source)
    verdict = "BROKEN" if diagnostics else "INTACT"
    lines = [f"{verdict}  {seal}"]
    return output.give(
        UNPROVEN if diagnostics else OK,
        {"verdict": verdict, "seal": seal, "line": None, "reason": None},
        lines,
        diagnostics,
    )


command = verify
