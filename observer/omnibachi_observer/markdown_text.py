"""Text made harmless for Markdown: prose, code spans, table cells and fenced blocks that hold whatever a user sent.

GitHub Flavored Markdown is what is written for; plain CommonMark readers show the same except for tables. Nothing that
passes through here can open HTML, a link, an image, a heading, a list, or leave its cell, span or block.
"""

from __future__ import annotations

import re

from .words import Code, Prose, one_line, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .words import Words

_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+\-!|~^=$<>&:@]|\.(?=\S)|(?<=[0-9])\.")
_BACKTICKS = re.compile(r"`+")


def prose(text: str) -> str:
    """Write a user's sentence on one line so that no character of it means anything to Markdown or HTML."""
    return _SPECIAL.sub(_harmless, one_line(text))


def _harmless(found: re.Match[str]) -> str:
    # Entities, not backslashes, for what begins HTML and automatic links: readers look for links in escaped text too.
    sign = found.group()
    return f"&#{ord(sign)};" if sign in "<>&:@." else "\\" + sign


def span(text: str, *, cell: bool = False) -> str:
    """Write a code span on one line; in a table cell, pipes are escaped as GFM asks."""
    shown = one_line(text)
    if not shown:
        return "*empty*"
    longest = max((len(run) for run in _BACKTICKS.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    written = f"{fence}{pad}{shown}{pad}{fence}"
    return written.replace("|", "\\|") if cell else written


def block(text: str, language: str) -> str:
    """Write a fenced block whose fence is longer than any run of backticks in the text."""
    shown = visible(text)
    longest = max((len(run) for run in _BACKTICKS.findall(shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}\n"


def said(parts: Words, *, cell: bool = False) -> str:
    """Write a sentence: our own text as it is, code in spans, a user's sentences in quotation marks."""
    out: list[str] = []
    for part in parts:
        if isinstance(part, Code):
            out.append(span(part, cell=cell))
        elif isinstance(part, Prose):
            out.append(f"“{prose(part)}”")
        else:
            out.append(part)
    return "".join(out)


def row(cells: list[Words]) -> str:
    """Write one row of a table."""
    return "| " + " | ".join(said(cell, cell=True) for cell in cells) + " |\n"
