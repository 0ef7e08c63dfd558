"""Sentences as parts, so that one sentence can be said in Markdown and on a terminal alike.

A sentence is a list of parts: plain text of our own, `Code` for names, values and whatever comes from a user, and
`Prose` for a user's own sentences. Only Markdown and the terminal know how each is written and made harmless.
"""

from __future__ import annotations

import re

from .expression_text import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Words: TypeAlias = "list[str]"

LONGEST = 160

# Controls, invisible and direction-changing characters: shown as escapes, since they could hide or disguise text.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)


class Code(str):
    """A name, a value or an expression, to be shown letter by letter."""

    __slots__ = ()


class Prose(str):
    """A sentence that a user wrote, to be shown as text."""

    __slots__ = ()


def value(found: Any) -> Code:
    """Return a JSON value as a part, shortened where it is long."""
    return Code(shorten(json(found)))


def shorten(text: str, longest: int = LONGEST) -> str:
    """Cut a text to `longest` characters, saying how many were left out."""
    if len(text) <= longest:
        return text
    kept = longest - 30
    return f"{text[:kept]}… ({len(text) - kept} characters more)"


def ends(items: list[Any], most: int) -> tuple[list[Any], int, list[Any]]:
    """Return the first items of a long list, how many are left out, and the last; all, 0 and none of a short one."""
    half = most // 2
    return (items, 0, []) if len(items) <= most else (items[:half], len(items) - 2 * half, items[-half:])


def visible(text: str) -> str:
    r"""Return the text with hidden characters written as `\uXXXX` (line ends and tabs are left as they are)."""
    return _HIDDEN.sub(_escaped, text) if not text.isprintable() else text


def _escaped(found: re.Match[str]) -> str:
    number = ord(found.group())
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def one_line(text: str) -> str:
    """Return the text on one line, with what is hidden made visible."""
    return " ".join(visible(text).split())


def spoken(parts: Words) -> str:
    """Write a sentence for a terminal: code between backticks, a user's sentences in double quotes."""
    out: list[str] = []
    for part in parts:
        if isinstance(part, Code):
            out.append(f"`{one_line(part)}`")
        elif isinstance(part, Prose):
            out.append(f'"{one_line(part)}"')
        else:
            out.append(part)
    return "".join(out)


def listed(items: list[str], word: str = "and") -> Words:
    """Join parts as people list things: `a, b and c`."""
    out: Words = []
    for index, item in enumerate(items):
        if index:
            out.append(f" {word} " if index == len(items) - 1 else ", ")
        out.append(item)
    return out
