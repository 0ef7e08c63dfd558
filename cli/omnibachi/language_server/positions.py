"""Positions as editors count them: lines and characters from 0, characters in the units that were agreed on.

Ours count from 1, in characters; an editor counts UTF-16 units unless it asks for something else, and takes a `\\r` for
an end of line too, which no source may hold alone.
"""

from __future__ import annotations

from lsprotocol.types import Position, PositionEncodingKind, Range

from omnibachi_model.diagnostics import Span

_UNITS = {"utf-8": "utf-8", "utf-16": "utf-16-le"}


class Ruler:
    """Turns places in one text into an editor's positions and back."""

    def __init__(self, text: str, encoding: PositionEncodingKind | str | None) -> None:
        self.text = text
        self.encoding = str(getattr(encoding, "value", encoding) or "utf-16")
        self.starts = [0]
        at = text.find("\n")
        while at >= 0:
            self.starts.append(at + 1)
            at = text.find("\n", at + 1)

    def _width(self, text: str) -> int:
        if self.encoding not in _UNITS or text.isascii():
            return len(text)
        length = len(text.encode(_UNITS[self.encoding], "surrogatepass"))
        return length // 2 if self.encoding == "utf-16" else length

    def position(self, line: int, column: int) -> Position:
        """Return the position of a line and a column, both from 1; one beyond the text is brought back into it."""
        line = min(max(line, 1), len(self.starts))
        start = self.starts[line - 1]
        end = self.starts[line] - 1 if line < len(self.starts) else len(self.text)
        place = min(start + max(column - 1, 0), end)
        return Position(line - 1, self._width(self.text[start:place]))

    def at(self, offset: int) -> Position:
        """Return the position of an offset."""
        before = self.text.count("\n", 0, offset)
        return Position(before, self._width(self.text[self.starts[before] : offset]))

    def range(self, span: Span) -> Range:
        """Return the range of a span; one that is empty has the character behind it."""
        start, end = self.position(span.line, span.column), self.position(span.end_line, span.end_column)
        if start == end:
            end = self.position(span.line, span.column + 1)
        return Range(start, end)

    def offset(self, position: Position) -> int:
        """Return the offset of a position; one beyond its line or the text is brought back to its end."""
        if position.line >= len(self.starts):
            return len(self.text)
        start = self.starts[position.line]
        end = self.starts[position.line + 1] - 1 if position.line + 1 < len(self.starts) else len(self.text)
        line = self.text[start:end]
        if self.encoding not in _UNITS or line.isascii():
            return start + min(position.character, len(line))
        width = 0
        for place, char in enumerate(line):
            if width >= position.character:
                return start + place
            width += self._width(char)
        return end
