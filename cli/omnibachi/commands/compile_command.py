"""`omnibachi compile`: declarations to a sealed snapshot, or all that is wrong with them."""

from __future__ import annotations

import os
from typing import Any

import click

from omnibachi.compiling import compile_workspace, compiled, is_current, write_snapshot
from omnibachi.exits import FINDINGS, OK, UNPROVEN
from omnibachi.workspace import Workspace, shipped_root
from omnibachi_model.diagnostics import Diagnostic, Trouble

from .options import as_command, needs_sources
from .output import Output, counted


@as_command("compile", "omnibachi.compile/1", "omnibachi compile --check")
@click.option("--check", is_flag=True, help="Write nothing; fail when the snapshot is not current.")
def compile_(output: Output, workspace: Workspace, check: bool) -> int:
    """Turn the declarations under protocols/ into the sealed snapshot protocol_snapshot/.

    All findings are shown at once, and nothing is written when one of them is an error. Exit status 3 for findings,
    4 when --check finds that the snapshot is not what the sources compile to.
    """
    needs_sources(workspace, writes=not check)
    with output.progress("compiling"):
        compilation = compile_workspace(workspace.root, shipped=shipped_root())
    sealed = compilation.sealed
    diagnostics = list(compilation.diagnostics)
    status = OK
    if sealed is None:
        status = FINDINGS
    elif check:
        if not is_current(workspace.root, dict(sealed.files)):
            status = UNPROVEN
            message = "`protocol_snapshot/` is not what the sources compile to"
            diagnostics.append(Diagnostic("OB607", message, help="run `omnibachi compile` and commit the result"))
    else:
        _write(workspace.root, dict(sealed.files))
    result = compiled(compilation, written=status == OK and not check)
    value: dict[str, Any] = {
        "seal": result.seal,
        "workflows": list(result.workflows),
        "checked_at_run": list(result.checked_at_run),
    }
    lines = []
    if sealed and status == OK:
        what = "current" if check else "sealed"
        lines = [f"{what}: {counted(len(result.workflows), 'workflow')}, {sealed.seal}"]
        lines += [
            f"checked when run: {place['file']}:{place['line']} {place['reason']}" for place in result.checked_at_run
        ]
    return output.give(status, value, lines, diagnostics, workspace.root)


def _write(root: str, files: dict[str, bytes]) -> None:
    try:
        write_snapshot(root, files)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"`{os.path.join(root, 'protocol_snapshot')}` cannot be written: {reason}"
        raise Trouble(Diagnostic("OB753", message, help="check its permissions and the space left")) from error


command = compile_
