"""`omnibachi token`: make a token for whoever may ask a server; the file keeps its digest alone."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import click

from omnibachi import wiring
from omnibachi.exits import OK
from omnibachi.trusting import unwritable
from omnibachi_model.digests import pretty

from .options import as_command
from .output import Output


@as_command(
    "token",
    "omnibachi.token/1",
    "omnibachi token --principal anna --role intent --role read --into tokens.json",
    workspace=False,
)
@click.option("--principal", metavar="P", required=True, help="Whose token it is, as records name them.")
@click.option("--tenant", metavar="T", help="For whom they act.")
@click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice(["intent", "read", "ingest"]),
    help="What it allows (repeatable).",
)  # fmt: skip
@click.option(
    "--into", "file", metavar="F", help="The file of tokens to put its digest into; it is made with mode 0600."
)
def command(output: Output, principal: str, tenant: str | None, roles: tuple[str, ...], file: str | None) -> int:
    """Make a token. It is printed this once, and nowhere kept.

    Servers take the file with `--token-file`, and whoever asks sends `Authorization: Bearer TOKEN`.
    """
    for name in (principal, *([] if tenant is None else [tenant])):
        if not wiring.is_name(name):
            raise click.UsageError(
                f"`{name[:60]}` is no name: 1 to 128 printable characters without blanks at its ends"
            )
    token = wiring.new_token()
    entry = wiring.token_entry(token, principal, tenant, roles)
    if file is not None:
        _add(file, entry)
    value: dict[str, Any] = {"token": token, "entry": entry, "file": file}
    lines = [token, f"its digest stands in {file}"] if file else [token, *pretty(entry).decode().splitlines()]
    return output.give(OK, value, lines)


def _add(path: str, entry: dict[str, Any]) -> None:
    """Write the file anew with one entry more, for its owner alone; who adds another meanwhile is refused.

    Raises Refused for a file that is none (OB923, OB924), Trouble where it cannot be written (OB629).
    """
    aside = f"{path}.new"
    try:
        place = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise unwritable(aside, error) from error
    try:
        with open(place, "wb") as file:
            there = wiring.token_entries(path) if os.path.lexists(path) else []
            file.write(wiring.token_file([*there, entry]))
            file.flush()
            os.fsync(place)
        os.replace(aside, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
