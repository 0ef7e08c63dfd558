"""`omnibachi explain`: the page of a diagnostic code."""

from __future__ import annotations

import sys

import click

from omnibachi.error_pages import lines_of, page
from omnibachi.exits import FINDINGS, OK
from omnibachi.terminal import has_colour
from omnibachi_model.codes import table
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.nearest import nearest

from .options import as_command
from .output import Output


@as_command("explain", "omnibachi.explain/1", "omnibachi explain OB301", workspace=False)
@click.argument("code")
def explain(output: Output, code: str) -> int:
    """Print what the diagnostic CODE (or slug) means, why it matters, what provokes it, and how that is mended."""
    codes = table()
    by_slug = {item.slug: item for item in codes.values()}
    found = codes.get(code.upper()) or by_slug.get(code.lower())
    if found is None:
        near = nearest(code.upper(), codes) or nearest(code.lower(), by_slug)
        help = f"did you mean `{near}`?" if near else "codes look like `OB301`; docs/errors/README.md lists them"
        raise Refused([Diagnostic("OB315", f"there is no diagnostic `{code[:60]}`", help=help)], FINDINGS)
    value = {
        "code": found.code,
        "slug": found.slug,
        "summary": found.summary,
        "help": found.help,
        "why": found.why,
        "example": found.example,
        "mended": found.mended,
    }
    return output.give(OK, value, lines_of(page(found), colour=has_colour(sys.stdout)))


command = explain
