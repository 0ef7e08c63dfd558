"""A text for a pattern: the shortest that a sealed pattern asks for, made piece by piece and then checked.

The subset of patterns that a schema may hold (docs/language.md) is small enough to be read here once more. Word
boundaries are passed over, so a text may be refused by the pattern that it was made for; then there is none.
"""

from __future__ import annotations

import re
import string

from omnibachi_model.checks import compile_pattern

# What a class is asked first: a text that reads well.
_PREFERRED = string.ascii_lowercase + string.ascii_uppercase + string.digits + "-_. " + string.punctuation + "\t\né"
_CLASS = re.compile(r"\[\^?(?:\\.|[^\]\\])*\]", re.S)
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.S)
_TIMES = re.compile(r"(?:[*+?]|\{(\d+)(,(\d*))?\})\??")
_CODES = re.compile(r"\\[xu]([0-9A-Fa-f]+)\Z")


class _NoText(Exception):
    """No text of a bearable length comes of the pattern."""


def text_for(pattern: str, more: int, longest: int) -> str | None:
    """Return a text in which the pattern is found, with `more` turns of each repetition than it asks for, or None."""
    try:
        made = _Maker(pattern, more, longest).made()
    except (_NoText, RecursionError):
        return None
    return made if compile_pattern(pattern).search(made) else None


class _Maker:
    """A pattern that is being read."""

    def __init__(self, pattern: str, more: int, longest: int) -> None:
        self.pattern = pattern
        self.more = more
        self.longest = longest
        self.at = 0

    def made(self) -> str:
        found = self._alternatives()
        if self.at < len(self.pattern):
            raise _NoText
        return found

    def _alternatives(self) -> str:
        """Read alternatives to the end of their group and return the first."""
        found = self._sequence()
        while self.pattern.startswith("|", self.at):
            self.at += 1
            self._sequence()
        return found

    def _sequence(self) -> str:
        parts: list[str] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            parts.append(self._piece())
            if sum(map(len, parts)) > self.longest:
                raise _NoText
        return "".join(parts)

    def _piece(self) -> str:
        start = self.at
        if self.pattern[start] == "(":
            self.at += 3 if self.pattern.startswith("(?:", start) else 1
            found = self._alternatives()
            self.at += 1
        else:
            found = self._character()
        return self._repeated(found)

    def _character(self) -> str:
        char = self.pattern[self.at]
        form = {"[": _CLASS, "\\": _ESCAPE}.get(char)
        if form is None:
            self.at += 1
            return "" if char in "^$" else "a" if char == "." else char
        match = form.match(self.pattern, self.at)
        if match is None:
            raise _NoText
        self.at = match.end()
        return _one_of(match.group())

    def _repeated(self, text: str) -> str:
        match = _TIMES.match(self.pattern, self.at)
        if match is None:
            return text
        self.at = match.end()
        sign = match.group()[0]
        low = int(match.group(1)) if sign == "{" else 1 if sign == "+" else 0
        if sign == "?":
            most = 1
        elif sign == "{":
            most = low if match.group(2) is None else int(match.group(3)) if match.group(3) else low + self.more
        else:
            most = low + self.more
        times = min(low + self.more, most)
        if times * len(text) > self.longest:
            raise _NoText
        return text * times


def _one_of(piece: str) -> str:
    """Return a character that a class or an escape matches."""
    if piece in ("\\b", "\\B"):
        return ""
    code = _CODES.match(piece)
    if code is not None:
        return chr(int(code.group(1), 16))
    search = compile_pattern(f"^(?:{piece})$").search
    for char in _PREFERRED:
        if search(char):
            return char
    raise _NoText
