"""What all commands have alike: `--json`, `--workspace`, `--data-root`, and how mishaps become exit statuses.

A command is a function that gets its options and returns an exit status. What it prints on stdout is its result;
diagnostics and progress go to stderr. Whatever is refused on the way becomes diagnostics, as text or as JSON.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

import click

from omnibachi import wiring
from omnibachi.exits import FINDINGS, TROUBLE
from omnibachi.workspace import PROTOCOLS, Workspace, is_workspace
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble

from .output import Output

Function = Callable[..., int]


def as_command(
    name: str, schema: str, example: str, *, workspace: bool = True, state: bool = False
) -> Callable[[Function], click.Command]:
    """Make a click command of a function that takes an Output first, and a Workspace second if `workspace`.

    `schema` is that of its JSON; `example` stands in its help; `state` adds `--data-root`.
    """

    def make(function: Function) -> click.Command:
        @functools.wraps(function)
        def run(*, as_json: bool, **options: Any) -> int:
            output = Output(as_json, schema)
            try:
                given = [output, _found(options)] if workspace else [output]
                return function(*given, **options)
            except Refused as refused:
                return output.refused(refused.diagnostics, refused.exit_code)
            except Trouble as trouble:
                return output.refused([trouble.diagnostic], TROUBLE)

        # click takes the help from the docstring; the example stands where click does not wrap it.
        run.__doc__ = f"{inspect.getdoc(function)}\n\n\b\nExample:\n  {example}"
        decorated = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(run)
        if state:
            decorated = click.option(
                "--data-root",
                metavar="D",
                help="Folder of the state, or postgresql://USER@HOST/DATABASE.  "
                "[default: <workspace>/data; outside one, here]",
            )(decorated)
        if workspace:
            decorated = click.option(
                "--workspace",
                "folder",
                metavar="W",
                help="Folder that holds protocols/ or protocol_snapshot/.  "
                "[default: the nearest folder upward; outside one, what is shipped]",
            )(decorated)
        return click.command(name, context_settings={"help_option_names": ["--help", "-h"]})(decorated)

    return make


def _found(options: dict[str, Any]) -> Workspace:
    """Take the workspace's options out and return the workspace; raises Refused (OB751)."""
    folder, data_root = options.pop("folder"), options.pop("data_root", None)
    found = Workspace.find() if folder is None else Workspace(folder)
    if not is_workspace(found.root):
        help = "name a folder that holds `protocols/` or `protocol_snapshot/`, or make one with `omnibachi init`"
        raise Refused([Diagnostic("OB751", f"`{folder}` is no workspace", help=help)], FINDINGS)
    if data_root is not None:
        found.data_root = data_root
    return found


def needs_folder(workspace: Workspace, name: str) -> None:
    """Refuse (OB786) a data root that is a server for a command that keeps files in it; raises Trouble (OB783)."""
    if wiring.is_address(workspace.data_root):
        root = wiring.shown_root(workspace.data_root)
        message = f"`omnibachi {name}` keeps files in the data root, and `{root}` is a server"
        raise Refused([Diagnostic("OB786", message)], FINDINGS)


def needs_sources(workspace: Workspace, *, writes: bool = False) -> None:
    """Refuse (OB751) where there is nothing to compile, or, if it `writes`, only what ships with OmniBachi."""
    message = None
    if not os.path.isdir(os.path.join(workspace.root, PROTOCOLS)):
        message = f"`{workspace.root}` has no `{PROTOCOLS}/`"
    elif writes and workspace.borrowed:
        message = f"here is no workspace, and what ships in `{workspace.root}` is not sealed anew from elsewhere"
    if message is not None:
        help = "go to a workspace, name one with `--workspace`, or make one with `omnibachi init`"
        raise Refused([Diagnostic("OB751", message, help=help)], FINDINGS)
