"""`omnibachi serve`: servers in the foreground, each a subcommand with a module of its own."""

from __future__ import annotations

import click

from omnibachi.exits import OK
from omnibachi.workspace import Workspace

from .options import as_command
from .output import Output
from .serve_observer import command as observer


@as_command(
    "gateway",
    "omnibachi.serve/1",
    "omnibachi serve gateway --policy demo --data-root /var/lib/omnibachi",
    state=True,
)
@click.option("--host", metavar="H", default="127.0.0.1", show_default=True, help="Address to bind to.")
@click.option("--port", type=click.IntRange(0, 65535), default=8010, show_default=True, help="0 is any free one.")
@click.option(
    "--policy", metavar="P", default="allow_all", show_default=True, help="allow_all, deny_all, demo or an address."
)
@click.option("--provider", metavar="NAME", default="stub", show_default=True, help="stub, openai or ollama.")
@click.option("--model", metavar="M", help="[default: that of the provider, where it has one]")
@click.option("--provider-url", metavar="URL", help="Where the provider stands.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the provider's key.")
@click.option("--token-file", metavar="F", help="Who may ask, and what; without it this machine alone may.")
@click.option(
    "--checkpoint", metavar="FILE", help="Where the checkpoint of the ledger is kept.  [default: beside the data root]"
)
@click.option("--checkpoint-key", metavar="FILE", help="Private key that signs the checkpoint of the ledger.")
def gateway(output: Output, workspace: Workspace, **asked: object) -> int:
    """Serve the gateway: take intents in, decide them, and execute what is allowed, with a record of each step.

    Prints its address on stderr when it is ready, then one JSON line an event. Ends on SIGINT or SIGTERM, after the
    runs in hand.
    """
    from omnibachi.serving_gateway import Asked, serve_gateway

    address = serve_gateway(workspace, Asked(**asked))  # type: ignore[arg-type]
    return output.give(OK, {"address": address}, [])


@click.group("serve", context_settings={"help_option_names": ["--help", "-h"]})
def command() -> None:
    """Serve the decision boundary over HTTP.

    \b
    Example:
      omnibachi serve gateway --policy demo
    """


command.add_command(gateway)
command.add_command(observer)
