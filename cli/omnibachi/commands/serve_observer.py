"""`omnibachi serve observer`: what a gateway recorded, in threads, turns and signals, for people to look at."""

from __future__ import annotations

import click

from omnibachi.exits import OK
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic

from .options import as_command
from .output import Output


@as_command(
    "observer",
    "omnibachi.serve/1",
    "omnibachi serve observer --gateway http://127.0.0.1:8010",
)
@click.option("--host", metavar="H", default="127.0.0.1", show_default=True, help="Address to bind to.")
@click.option("--port", type=click.IntRange(0, 65535), default=8020, show_default=True, help="0 is any free one.")
@click.option(
    "--gateway", metavar="URL", default="http://127.0.0.1:8010", show_default=True, help="Where the gateway stands."
)
@click.option("--data-root", "kept", metavar="D", help="Folder to remember in.  [default: nothing is remembered]")
@click.option("--token-file", metavar="F", help="Who may ask, and what; without it this machine alone may.")
def command(output: Output, workspace: Workspace, *, kept: str | None, **asked: object) -> int:
    """Serve an observer: follow a gateway, fold what it recorded, and raise signals; it changes nothing.

    Prints its address on stderr when it is ready, then one JSON line an event; the address is a web page, too. Ends on
    SIGINT or SIGTERM. A token for the gateway is taken from DBL_TOKEN.
    """
    from omnibachi.serving_observer import Asked, serve_observer

    def show(found: Diagnostic) -> None:
        output.findings([found])

    address = serve_observer(workspace, Asked(data_root=kept, **asked), show)  # type: ignore[arg-type]
    return output.give(OK, {"address": address}, [])
