"""Binding paths: RFC 9535 singular queries, taken apart into names and indices.

The grammar is the RFC's, cut down to segments that select at most one value: `$`, then any number of `.name`,
`['name']`, `["name"]` and `[index]`, with white space before a segment and inside brackets where the RFC allows it.
Wildcards, slices, filters, descendants and lists of selectors are JSONPath too, but no singular query: they are
refused with a message that says so.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from omnibachi_model.values import LIMIT

_SPACE = re.compile(r"[ \t\n\r]*")
_NAME = re.compile(r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][0-9A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff]*")
_INDEX = re.compile(r"-?[0-9]+")
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}
MANY = {
    "*": "a wildcard selects many values",
    "?": "a filter selects many values",
    ":": "a slice selects many values",
    ",": "a list of selectors selects many values",
}


@dataclass(frozen=True, slots=True)
class PathError:
    """Why a text is no singular query: the offset in characters from its start, and the reason."""

    offset: int
    message: str


class _Wrong(Exception):
    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.error = PathError(offset, message)


@functools.lru_cache(4096)  # a workflow reads the same places again and again
def parse_path(text: str) -> tuple[str | int, ...] | PathError:
    """Read a singular query (RFC 9535, section 2.3.5.1); return its segments, or where and why it is none.

    Indices lie within ±(2^53 - 1) and are written without leading zeros (section 2.1).
    """
    if not text.startswith("$"):
        return PathError(0, "a path begins with `$`")
    segments: list[str | int] = []
    at = 1
    try:
        while at < len(text):
            start = _space(text, at)
            if start == len(text):
                raise _Wrong(at, "white space at the end of a path")
            segment, at = _segment(text, start)
            segments.append(segment)
    except _Wrong as wrong:
        return wrong.error
    return tuple(segments)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _segment(text: str, at: int) -> tuple[str | int, int]:
    if text.startswith("..", at):
        raise _Wrong(at, "`..` selects many values")
    if text[at] == ".":
        if text.startswith("*", at + 1):
            raise _Wrong(at + 1, MANY["*"])
        found = _NAME.match(text, at + 1)
        if found is None:
            raise _Wrong(at + 1, "a name was expected after `.` (other names are written `['name']`)")
        return found.group(), found.end()
    if text[at] == "[":
        return _bracket(text, at)
    raise _Wrong(at, f"`.` or `[` was expected, not `{text[at]}`")


def _bracket(text: str, opened: int) -> tuple[str | int, int]:
    at = _space(text, opened + 1)
    char = text[at : at + 1]
    segment: str | int
    if char in ("'", '"'):
        segment, at = _quoted(text, at)
    elif char in ("-", *"0123456789"):
        segment, at = _index(text, at)
    elif char in MANY and char != ",":
        raise _Wrong(at, MANY[char])
    else:
        raise _Wrong(at, "a quoted name or an index was expected after `[`")
    at = _space(text, at)
    char = text[at : at + 1]
    if char == "]":
        return segment, at + 1
    if char == "," or (char == ":" and isinstance(segment, int)):
        raise _Wrong(at, MANY[char])
    raise _Wrong(at, "`]` was expected")


def _index(text: str, at: int) -> tuple[int, int]:
    found = _INDEX.match(text, at)
    if found is None:
        raise _Wrong(at, "an index was expected after `-`")
    digits = found.group()
    if digits == "-0" or (digits.lstrip("-").startswith("0") and digits != "0"):
        raise _Wrong(at, f"the index `{digits}` is not written as an integer is: no leading zero, no `-0`")
    if len(digits) > 17 or not -LIMIT < int(digits) < LIMIT:
        raise _Wrong(at, "an index must lie strictly between -2^53 and 2^53")
    return int(digits), found.end()


def _quoted(text: str, at: int) -> tuple[str, int]:
    quote = text[at]
    opened = at
    at += 1
    out: list[str] = []
    while at < len(text):
        char = text[at]
        if char == quote:
            return "".join(out), at + 1
        if char == "\\":
            piece, at = _escape(text, at, quote)
            out.append(piece)
            continue
        if char < " ":
            raise _Wrong(at, "a control character must be escaped")
        if "\ud800" <= char <= "\udfff":
            raise _Wrong(at, "a lone surrogate")
        out.append(char)
        at += 1
    raise _Wrong(opened, f"the name that begins here has no closing {quote}")


def _escape(text: str, at: int, quote: str) -> tuple[str, int]:
    char = text[at + 1 : at + 2]
    if char == quote:
        return quote, at + 2
    if char == "u":
        return _unicode(text, at)
    if char and char in _ESCAPES:
        return _ESCAPES[char], at + 2
    raise _Wrong(at, f"`\\{char}` is no escape in a name quoted by {quote}")


def _unicode(text: str, at: int) -> tuple[str, int]:
    """Read `\\uXXXX`, or two of them that make a surrogate pair."""
    high = _unit(text, at)
    if 0xDC00 <= high < 0xE000:
        raise _Wrong(at, "a low surrogate without a high one before it")
    if not 0xD800 <= high < 0xDC00:
        return chr(high), at + 6
    low = _unit(text, at + 6) if text.startswith("\\u", at + 6) else 0
    if not 0xDC00 <= low < 0xE000:
        raise _Wrong(at, "a high surrogate without a low one after it")
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)), at + 12


def _unit(text: str, at: int) -> int:
    found = _HEX.match(text, at + 2)
    if found is None:
        raise _Wrong(at, "`\\u` needs four hex digits")
    return int(found.group(), 16)
