"""Every command but `run`: click, one module each, imported when it is called.

`run` parses its own few options so that it starts at once (`run_command`); it stands here too, so that `--help` lists
it and a misspelt command is answered with the nearest one.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence

import click

from omnibachi import wiring
from omnibachi.exits import BROKEN_PIPE, INTERRUPTED, OK, USAGE
from omnibachi.wiring import VERSION
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.nearest import nearest
from omnibachi_model.sealed import DOMAIN_FORMAT, ORIGINS_FORMAT, SNAPSHOT_FORMAT, WORKFLOW_FORMAT

from .output import Output

# Listed here, so that `--help` needs to import none of them: name, one line.
COMMANDS = {
    "run": "Run one workflow to an exit.",
    "batch": "Run a workflow for each line of a file, by several processes.",
    "examine": "Say what happened in a run and why, and what to do.",
    "compile": "Turn declarations into a sealed snapshot.",
    "test": "Run the scenarios, with coverage.",
    "explain": "Print the page of a diagnostic.",
    "show": "Show a sealed workflow.",
    "init": "Make a new workspace.",
    "new": "Make a workflow, a transform or a side effect that passes its test.",
    "fmt": "Bring declarations into canonical layout.",
    "verify": "Check a record, a snapshot or a ledger of decisions.",
    "sign": "Sign a snapshot or the record of a run.",
    "keys": "Make keys, and say whose signatures count.",
    "token": "Make a token for whoever may ask a server.",
    "checkpoint": "Sign one root over all runs, and prove against it.",
    "bundle": "Pack a run with all that proves it, for strangers.",
    "replay": "Compute a recorded run again, and compare.",
    "resume": "Finish runs whose process died.",
    "approve": "Approve what a run waits for, or reject it.",
    "cancel": "End a run before it ends by itself.",
    "diff": "Compare two snapshots: what breaks; or two runs: why they part.",
    "export": "Write a record for OpenTelemetry, CloudEvents or OpenLineage.",
    "compat": "Replay stored traces against a new snapshot.",
    "witness": "Send intents to a gateway, and show what is told of them.",
    "docs": "Build a static site from the snapshot.",
    "serve": "Serve the decision boundary: its gateway, or an observer of it.",
    "lsp": "Serve editors.",
    "schema": "Print the JSON Schema of the language, for editors.",
    "data": "Look at state, and load facts.",
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
            return _run
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


@click.command("run", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _run(arguments: tuple[str, ...]) -> int:
    from omnibachi.run_command import main as run

    return run(arguments)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from omnibachi.facts import SEED_FORMAT

        formats = (SNAPSHOT_FORMAT, WORKFLOW_FORMAT, DOMAIN_FORMAT, ORIGINS_FORMAT, SEED_FORMAT)
        click.echo(f"omnibachi {VERSION}\nformats {' '.join(formats)}\nschema of the database {wiring.SCHEMA_VERSION}")
        ctx.exit(0)


@click.command("omnibachi", cls=Commands, context_settings={"help_option_names": ["--help", "-h"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print program and formats."
)
def cli() -> None:
    """Declare actions in YAML, seal them, walk them deterministically, and leave a record that a stranger can check.

    \b
    Example:
      omnibachi run --wf blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0 --payload examples/register_actor.json
    """


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; a command line that cannot be understood is OB752 (exit status 2)."""
    given = list(arguments)
    output = Output("--json" in given, "omnibachi.error/1")
    try:
        status = cli.main(given or ["--help"], prog_name="omnibachi", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "omnibachi"
        found = Diagnostic("OB752", _message(error), help=f"`{command} --help` shows what is known")
        return output.refused([found], USAGE)
    except click.Abort:
        return output.refused([Diagnostic("OB745", "interrupted", help="nothing half-written is left")], INTERRUPTED)
    except SystemExit:
        # click leaves this way, and no other, when whoever read our output has gone.
        return BROKEN_PIPE
    return status if isinstance(status, int) else OK


def _message(error: click.UsageError) -> str:
    """Word click's message as ours: lower case, no final stop, names between backticks."""
    text = " ".join(error.format_message().split()).rstrip(".")
    text = text.replace(". Choose from: ", "; choose from ")
    text = re.sub(r"(?<!\w)'([^']*)'(?!\w)", r"`\1`", text)
    text = re.sub(r"\. \(?Did you mean (?:one of: )?(.*\?)\)?$", r"; did you mean \1", text)
    return text[:1].lower() + text[1:]
