"""Every command but `run`: click, one module each, imported when it is called.

`run` parses its own few options so that it starts at once (`run_command`); it stands here too, so that `--help` lists it
and a misspelt command is answered with the nearest one.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.nearest import nearest

from .output import INTERRUPTED, USAGE, Output

# Listed here, so that `--help` needs to import none of them: name, one line.
COMMANDS = {
    "run": "Run one workflow to an exit.",
    "examine": "Say what happened in a run and why, and what to do.",
    "compile": "Turn declarations into a sealed snapshot.",
    "test": "Run the scenarios, with coverage.",
    "explain": "Print the page of a diagnostic.",
    "show": "Show a sealed workflow.",
    "init": "Make a new workspace.",
    "verify": "Check a record or a snapshot.",
    "data": "Look at state.",
    "traces": "Look at past runs.",
}


class Commands(click.Group):
    """A group whose commands are modules of this package, imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name == "run":
            return _RUN
        module = importlib.import_module(f".{cmd_name}_command", __name__)
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names; name the nearest one for a misspelt name."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = nearest(args[0], COMMANDS)
            advice = f"did you mean `{near}`?" if near else f"the commands are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command is called `{args[0][:60]}`; {advice}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command("run", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def _RUN(ctx: click.Context, arguments: tuple[str, ...]) -> int:
    from omnibachi.run_command import main as run

    return run(list(arguments))


@click.command("omnibachi", cls=Commands, context_settings={"help_option_names": ["--help", "-h"]})
@click.version_option(None, "--version", message="%(version)s", package_name=None)
def cli() -> None:
    """Declare actions in YAML, seal them, walk them deterministically, and leave a record that a stranger can check.

    \b
    Example:
      omnibachi run --wf blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0 --payload examples/register_actor.json
    """
