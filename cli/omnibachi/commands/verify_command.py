"""`omnibachi verify`: does a record, or a snapshot, hold."""

from __future__ import annotations

import functools
import os
from importlib import metadata

import click

from omnibachi import verify as verify_record
from omnibachi import wiring
from omnibachi.exits import OK, UNPROVEN
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, has_errors
from omnibachi_model.digests import digest
from omnibachi_model.sealed import MANIFEST, SEAL

from .options import as_command
from .output import Output, counted
from .recorded import file_of, record_of

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
    folder = os.path.dirname(target) or "." if os.path.basename(target) == MANIFEST else target
    if any(os.path.lexists(os.path.join(folder, name)) for name in (MANIFEST, SEAL)):
        return _snapshot(output, workspace, folder)
    record, trace_id = record_of(workspace, target)
    found = verify_record(record, data_root=workspace.data_root, require=require, trace_id=trace_id)
    reached = found.reaches(require)
    diagnostics = []
    if not found.holds:
        message = f"`{target}` is broken at line {found.line}: {found.reason}"
        diagnostics.append(Diagnostic("OB740", message, help="do not rely on it; compare with the journal or a backup"))
    elif not found.finished:
        help = "the run has not ended: look at it with `omnibachi examine`"
        diagnostics.append(Diagnostic("OB741", f"`{target}` has no end", help=help, severity="warning"))
    if found.holds and not reached:
        message = f"`{target}` is {found.verdict}, not {require.upper()}: {found.reason}"
        help = "verify it beside the data root whose journal holds the run"
        diagnostics.append(Diagnostic("OB748", message, help=help))
    value = {key: item for key, item in found.as_json().items() if key != "schema"}
    lines = [f"{found.verdict}  {counted(found.events, 'event')}" + ("" if found.finished else ", unfinished")]
    lines += [f"digest  {found.digest}"] if found.digest else []
    return output.give(OK if reached else UNPROVEN, value, lines, diagnostics)


def _snapshot(output: Output, workspace: Workspace, folder: str) -> int:
    read = functools.partial(file_of, folder)
    diagnostics = wiring.verify_snapshot(read, _names(folder), workspace.capabilities.source, _version)
    manifest = read(MANIFEST)
    if manifest is None and os.path.lexists(os.path.join(folder, MANIFEST)):
        message = f"`{os.path.join(folder, MANIFEST)}` cannot be read"
        diagnostics = [Diagnostic("OB608", message, help="check that it is a file and that you may read it")]
    broken = has_errors(diagnostics)
    verdict = "BROKEN" if broken else "INTACT"
    seal = None if manifest is None else digest(manifest)
    reason = next((item.message for item in diagnostics if item.severity == "error"), None)
    value = {"verdict": verdict, "seal": seal, "line": None, "reason": reason}
    line = f"{verdict}  {seal}" if seal else verdict
    return output.give(UNPROVEN if broken else OK, value, [line], diagnostics)


def _names(folder: str) -> list[str]:
    """Return every file below a folder by its relative name; a link to a folder is one that nobody lists."""
    return [
        os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")
        for place, folders, files in os.walk(folder)
        for name in (*files, *(inner for inner in folders if os.path.islink(os.path.join(place, inner))))
    ]


def _version(name: str) -> str | None:
    """Return the version of OmniBachi or of an installed distribution."""
    if name == "omnibachi":
        return wiring.VERSION
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None


command = verify
