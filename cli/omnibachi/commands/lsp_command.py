"""`omnibachi lsp`: the language server on stdin and stdout, for editors to start."""

from __future__ import annotations

import os
import signal
import sys

import click

from omnibachi.exits import FINDINGS, INTERRUPTED, OK
from omnibachi.wiring import VERSION
from omnibachi.workspace import shipped_root
from omnibachi_model.diagnostics import Diagnostic

from .output import show

LEFT = 1  # the editor went without a word


@click.command("lsp", context_settings={"help_option_names": ["--help", "-h"]})
@click.option("--workspace", "folder", metavar="W", help="Answer about this workspace alone.  [default: any]")
@click.option("--stdio", is_flag=True, help="As ever: accepted, since many editors say it.")
def lsp(folder: str | None, stdio: bool) -> int:
    """Serve editors: findings while you type, completion, hover, go to declaration, rename.

    It speaks the Language Server Protocol on stdin and stdout and is started by an editor (docs/editors.md says how).
    It answers about files below the protocols/ of a workspace, and writes none. Exit status 0 after a proper shutdown,
    1 when the editor left without one.

    \b
    Example:
      omnibachi lsp --workspace .
    """
    from omnibachi.language_server.server import serve

    # A thread waits for stdin and would be waited for; there is nothing to save.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    if sys.stdin.isatty():
        click.echo("this speaks the Language Server Protocol and is started by an editor; Ctrl-C ends it", err=True)
    only = os.path.abspath(folder) if folder is not None else None
    if only is not None and not os.path.isdir(only):
        show([Diagnostic("OB751", f"`{folder}` is no folder", help="name the folder that holds `protocols/`")])
        return FINDINGS
    return OK if serve(VERSION, shipped=shipped_root(), only=only) else LEFT


command = lsp
