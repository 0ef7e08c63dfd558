"""Diagnostics for people: the finding, the place with its line of source, and what to do. Plain text, no library.

    error[OB301] unknown-capability: no capability is called `CT_GENERAT_ID_V0`
      --> protocols/blockchain/identity/register_actor.yaml:9:10
       |
     9 |     use: CT_GENERAT_ID_V0
       |          ^^^^^^^^^^^^^^^^
       = help: did you mean `std::CT_GENERATE_ID_V0`?

Colour only on a terminal and without NO_COLOR. Control characters of user text are shown, never sent.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO, Any

    from omnibachi_model.diagnostics import Diagnostic, Span

COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "note": "\x1b[1;36m"}
BLUE = "\x1b[1;34m"
BOLD = "\x1b[1m"
PLAIN = "\x1b[0m"
LONGEST_LINE = 240
LONGEST_PATH = 20
MOST_SHOWN = 100
TAB = 4


def has_colour(stream: IO[Any]) -> bool:
    """Tell whether coloured text is welcome on a stream."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def visible(text: str) -> str:
    """Write control characters and lone surrogates as escapes; tabs become spaces."""
    if text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char == "\t":
        return " " * TAB
    return char if char.isprintable() else char.encode("unicode_escape").decode()


def render(diagnostics: Iterable[Diagnostic], root: str | None = None, *, colour: bool | None = None) -> str:
    """Write diagnostics one after the other, the first hundred of them, and how many more there are.

    `root` is the folder that their files are relative to (default: here); `colour` defaults to what stderr welcomes.
    """
    painted = has_colour(sys.stderr) if colour is None else colour
    found = list(diagnostics)
    text = "".join(one(item, root or ".", colour=painted) + "\n" for item in found[:MOST_SHOWN])
    more = len(found) - MOST_SHOWN
    return text if more <= 0 else f"{text}and {more} more, which `--json` lists too\n"


def one(item: Diagnostic, root: str, *, colour: bool = False) -> str:
    """Write one diagnostic, ending with a newline."""
    from omnibachi_model.codes import help_of, slug_of

    def paint(text: str, with_colour: str) -> str:
        return f"{with_colour}{text}{PLAIN}" if colour else text

    head = paint(f"{item.severity}[{item.code}] {slug_of(item.code)}", COLOURS.get(item.severity, BOLD))
    lines = [f"{head}: {paint(visible(item.message), BOLD)}"]
    places = [(item.span, "", "-->")] if item.span else []
    places += [(span, label, ":::") for span, label in item.related]
    width = max((len(str(span.line)) for span, _, _ in places), default=1)
    bar = paint("|", BLUE)
    for span, label, arrow in places:
        note = f" {visible(label)}" if label else ""
        lines.append(f"{' ' * (width + 1)}{paint(arrow, BLUE)} {visible(span.file)}:{span.line}:{span.column}{note}")
        excerpt = _excerpt(span, root)
        if excerpt is not None:
            text, before, marked = excerpt
            lines.append(f"{' ' * (width + 2)}{bar}")
            lines.append(f" {paint(str(span.line).rjust(width), BLUE)} {bar} {text}")
            under = paint("^" * marked, COLOURS.get(item.severity, BOLD))
            lines.append(f"{' ' * (width + 2)}{bar} {' ' * before}{under}")
    margin = " " * (width + 2)
    if item.path:
        lines.append(f"{margin}{paint('=', BLUE)} path: {visible(' -> '.join(_shortened(item.path)))}")
    lines.append(f"{margin}{paint('=', BLUE)} help: {visible(item.help or help_of(item.code))}")
    return "\n".join(lines) + "\n"


def _shortened(path: tuple[str, ...]) -> tuple[str, ...]:
    """Leave the middle of a long path out: its beginning and its end tell more than its length."""
    more = len(path) - LONGEST_PATH
    half = LONGEST_PATH // 2
    return path if more <= 0 else (*path[:half], f"… {more} more …", *path[-half:])


def _excerpt(span: Span, root: str) -> tuple[str, int, int] | None:
    """Return a span's first line as shown, the columns before the mark, and the mark's width; None without source."""
    try:
        with open(os.path.join(root, span.file), encoding="utf-8", newline="") as file:
            line = next((text for number, text in enumerate(file, 1) if number == span.line), None)
    except (OSError, ValueError):
        return None
    if line is None:
        return None
    line = line.rstrip("\r\n")
    if len(line) > LONGEST_LINE:
        return None
    start = min(span.column - 1, len(line))
    end = min(span.end_column - 1, len(line)) if span.end_line == span.line else len(line)
    return visible(line), _wide(line[:start]), max(1, _wide(line[start:end]))


def _wide(text: str) -> int:
    """Return how many terminal columns a text takes once it is made visible."""
    shown = visible(text)
    if shown.isascii():
        return len(shown)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in shown)
