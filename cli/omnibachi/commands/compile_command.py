"""`omnibachi compile`: declarations to a sealed snapshot, or all that is wrong with them."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from omnibachi.compiling import compile_workspace, compiled, is_current, recompile_workspace, write_snapshot
from omnibachi.exits import FINDINGS, OK, UNPROVEN
from omnibachi.mending import mend
from omnibachi.rewriting import write_over
from omnibachi.sarif import sarif
from omnibachi.workspace import Workspace, shipped_root
from omnibachi_model.diagnostics import Diagnostic, Span, Trouble

from .options import as_command, needs_sources
from .output import Output, counted


@as_command("compile", "omnibachi.compile/1", "omnibachi compile --check")
@click.option("--check", is_flag=True, help="Write nothing; fail when the snapshot is not current.")
@click.option("--fix", "mends", is_flag=True, help="First apply the fixes that are certain to the declarations.")
@click.option("--sarif", "log", metavar="FILE|-", help="Write what is found as SARIF 2.1.0 too.")
def compile_(output: Output, workspace: Workspace, check: bool, mends: bool, log: str | None) -> int:
    """Turn the declarations under protocols/ into the sealed snapshot protocol_snapshot/.

    All findings are shown at once, and nothing is written when one of them is an error. Exit status 3 for findings,
    4 when --check finds that the snapshot is not what the sources compile to.
    """
    if check and mends:
        raise click.UsageError("`--check` writes nothing, and `--fix` does")
    if log == "-" and output.as_json:
        raise click.UsageError("`--json` and `--sarif -` both take standard output")
    needs_sources(workspace, writes=not check)
    with output.progress("compiling"):
        done = _mended(workspace.root) if mends else []
        compiles = compile_workspace if check or log is not None else recompile_workspace
        compilation = compiles(workspace.root, shipped=shipped_root())
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
    lines = [f"fixed: {span}: {words}" for span, words in done]
    if mends:
        value["fixed"] = [
            {"file": span.file, "line": span.line, "column": span.column, "says": it} for span, it in done
        ]
    if sealed and status == OK:
        what = "current" if check else "sealed"
        lines += [f"{what}: {counted(len(result.workflows), 'workflow')}, {sealed.seal}"]
        lines += [
            f"checked when run: {place['file']}:{place['line']} {place['reason']}" for place in result.checked_at_run
        ]
    if log == "-":
        output.findings(diagnostics, workspace.root)
        click.echo("".join(f"{line}\n" for line in lines), err=True, nl=False)
        sys.stdout.buffer.write(sarif(diagnostics))
        return status
    if log is not None:
        _keep(log, sarif(diagnostics))
    return output.give(status, value, lines, diagnostics, workspace.root)


def _mended(root: str) -> list[tuple[Span, str]]:
    """Apply the fixes that are certain and return what was done."""
    found = mend(root, shipped_root())
    for path, data in found.files.items():
        write_over(os.path.join(root, path), data, path)
    return found.done


def _keep(file: str, data: bytes) -> None:
    try:
        with open(file, "wb") as target:
            target.write(data)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Trouble(Diagnostic("OB753", f"`{file}` cannot be written: {reason}", help="name another file")) from error


def _write(root: str, files: dict[str, bytes]) -> None:
    try:
        write_snapshot(root, files)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"`{os.path.join(root, 'protocol_snapshot')}` cannot be written: {reason}"
        raise Trouble(Diagnostic("OB753", message, help="check its permissions and the space left")) from error


command = compile_
