"""Any text taken apart as the YAML that it may become: every key and value that can be told, with where it stands.

The loader stops at the first thing that is no YAML; an editor's text is no YAML most of the time. This scanner never
stops: an open bracket ends where a line begins that can only be a key outside of it, an open quote ends with its line.
Of a text that loads it finds the keys and values that the loader finds, under the same paths (a test compares them).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TypeAlias

from .places import alike

Path: TypeAlias = tuple[str | int, ...]
EVERY = 4_000  # characters from one mark to the next

_INDENT = re.compile(r"[ \t]*")
_MARK = re.compile(r"(?:---|\.\.\.)(?=\s|\Z)")
_DASH = re.compile(r"-(?:[ \t]+|(?=\r?\n|\Z))")
_KEY = re.compile(
    r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'"""
    r"""|(?P<plain>(?![#&*!|>'"%@`{}\[\],]|[-?:](?:\s|\Z))"""
    r"""(?:[^\s:#]|:(?!\s|\Z)|(?<!\s)\#|[ \t]+(?![\s:#]))*))[ \t]*:(?=\s|\Z)"""
)
_PLAIN = re.compile(r"(?:[^\s#]|(?<!\s)\#|[ \t]+(?=[^\s#]))+")
_FLOW_PLAIN = re.compile(r"(?:[^\s#,\[\]{}:]|(?<!\s)\#|:(?![\s,\[\]{}]|\Z)|[ \t]+(?=[^\s#,\[\]{}:]|:[^\s,\[\]{}]))+")
_BLOCK = re.compile(r"[|>][0-9+-]*[ \t]*(?:#.*)?\r?(?=\n|\Z)")
_PROPERTY = re.compile(r"[&!*][^\s,\[\]{}]*[ \t]*")
_SPACE = re.compile(r"(?:\s|(?:^|(?<=\s))#[^\n]*)+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Token:
    """A key or a scalar value. `path` leads to the value; of a key, to the value that it names. `start` and `end` are
    offsets in the text, quotes included; `loose` tells a value that stands where a key may be meant."""

    document: int
    path: Path
    key: bool
    text: str
    start: int
    end: int
    quoted: bool = False
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Here:
    """What could be written at the end of a text: a key of the mapping at `path`, or the value at `path`, or (`loose`)
    one or the other; `word` is what of it is written already."""

    document: int
    path: Path
    key: bool
    loose: bool
    word: Token | None


@dataclass(slots=True)
class _Level:
    """An open block collection: a mapping at its present key, or a sequence at its present item."""

    indent: int
    step: str | int


@dataclass(slots=True)
class _Flow:
    """An open flow collection; of a mapping, `step` is the present key (None before one is written)."""

    mapping: bool
    step: str | int | None
    valued: bool = False


@dataclass(frozen=True, slots=True)
class _Mark:
    """What is known where a line of block text begins: enough to go on from there."""

    at: int
    document: int
    begun: bool
    levels: tuple[tuple[int, str | int], ...]
    tokens: int
    running: int | None


@dataclass(frozen=True, slots=True)
class Scan:
    """A text that was taken apart, with marks from which a text that begins alike is taken apart again."""

    text: str
    tokens: tuple[Token, ...]
    marks: tuple[_Mark, ...]


@dataclass(slots=True)
class _Scanner:
    text: str
    at: int = 0
    document: int = 0
    begun: bool = False
    levels: list[_Level] = field(default_factory=list)
    flows: list[_Flow] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    running: int | None = None  # the indent below which a plain value goes on
    waiting: bool = False  # a key or a dash of this line has no value yet
    column: int = 0
    marks: list[_Mark] = field(default_factory=list)
    open_quote: bool = False  # what comes later may still close it, so nothing after it is settled

    def path(self) -> Path:
        """Return where the scanner is."""
        steps: list[str | int] = [level.step for level in self.levels]
        steps += [flow.step for flow in self.flows if flow.step is not None]
        return tuple(steps)

    def run(self) -> None:
        """Take the text apart, from where the scanner is."""
        while self.at < len(self.text):
            if self.flows:
                self._flow()
                continue
            if self.at >= EVERY + (self.marks[-1].at if self.marks else 0) and not self.open_quote:
                levels = tuple((level.indent, level.step) for level in self.levels)
                mark = _Mark(self.at, self.document, self.begun, levels, len(self.tokens), self.running)
                self.marks.append(mark)
            self._line()

    def follow(self, known: Scan) -> None:
        """Begin at the last mark of a scan whose line, and all before it, stands here too."""
        shared = alike(known.text, self.text)
        same = bisect_right(known.marks, shared, key=lambda mark: mark.at)
        # A line is only judged whole: the mark's own must end in what is alike.
        while same and self.text.find("\n", known.marks[same - 1].at, shared) < 0:
            same -= 1
        if same:
            mark = known.marks[same - 1]
            self.at, self.document, self.begun, self.running = mark.at, mark.document, mark.begun, mark.running
            self.levels = [_Level(*level) for level in mark.levels]
            self.tokens = list(known.tokens[: mark.tokens])
            self.marks = list(known.marks[:same])

    def _emit(self, key: bool, text: str, start: int, end: int, *, quoted: bool = False, loose: bool = False) -> None:
        self.begun = True
        self.tokens.append(Token(self.document, self.path(), key, text, start, end, quoted, loose))

    def _to_next_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1

    def _line(self) -> None:
        """Take one line of block text, from its beginning."""
        start = self.at
        mark = _MARK.match(self.text, start)
        if mark:
            self.document += self.begun
            self.begun, self.running = False, None
            self.levels.clear()
            self.at = mark.end()
        indent = _INDENT.match(self.text, self.at)
        assert indent is not None
        self.at = indent.end()
        self.column, self.waiting = self.at - start, False
        if self.at >= len(self.text) or self.text[self.at] in "\r\n#":
            self._to_next_line()
            return
        if self.running is not None and self.column > self.running and not _KEY.match(self.text, self.at):
            self._to_next_line()
            return
        self.running = None
        self._dashes(start)
        key = _KEY.match(self.text, self.at)
        if key:
            self._key(key, start)
        self._value(loose=not key)

    def _dashes(self, start: int) -> None:
        while dash := _DASH.match(self.text, self.at):
            column = self.at - start
            while self.levels and self.levels[-1].indent > column:
                self.levels.pop()
            top = self.levels[-1] if self.levels else None
            if top is not None and top.indent == column and isinstance(top.step, int):
                top.step += 1
            else:
                self.levels.append(_Level(column, 0))
            self.at, self.waiting = dash.end(), True
            self.column = self.at - start

    def _key(self, key: re.Match[str], start: int) -> None:
        column = self.at - start
        while self.levels and (
            self.levels[-1].indent > column
            or (self.levels[-1].indent == column and isinstance(self.levels[-1].step, int))
        ):
            self.levels.pop()
        text, quoted = _written(key)
        if self.levels and self.levels[-1].indent == column:
            self.levels[-1].step = text
        else:
            self.levels.append(_Level(column, text))
        colon = key.group().rstrip(":").rstrip()
        self._emit(True, text, self.at, self.at + len(colon), quoted=quoted)
        self.at, self.waiting = key.end(), True

    def _value(self, *, loose: bool) -> None:
        """Take what stands behind a key or a dash, or alone on its line."""
        spaces = _INDENT.match(self.text, self.at)
        self.at = spaces.end() if spaces else self.at
        while found := _PROPERTY.match(self.text, self.at):
            self.at = found.end()
        char = self.text[self.at : self.at + 1]
        inside = self.levels[-1].indent if self.levels else -1
        if char in ("", "\n", "\r", "#"):
            if char:
                self._to_next_line()
            return
        if loose and not self.waiting:
            while self.levels and self.levels[-1].indent >= self.column:
                self.levels.pop()
        self.waiting = False
        if _BLOCK.match(self.text, self.at):
            self._emit(False, "", self.at, self.at + 1, quoted=True)
            self._to_next_line()
            self._skip_block(inside)
        elif char in "{[":
            self._open(char)
        elif char in "\"'":
            self._quoted(inside, loose=loose)
            self._to_next_line()
        else:
            plain = _PLAIN.match(self.text, self.at)
            if plain is None:  # white space that is none to YAML
                self._to_next_line()
                return
            self._emit(False, plain.group(), plain.start(), plain.end(), loose=loose)
            self.at = plain.end()
            self.running = inside
            if self.at < len(self.text):
                self._to_next_line()

    def _skip_block(self, inside: int) -> None:
        while self.at < len(self.text):
            indent = _INDENT.match(self.text, self.at)
            assert indent is not None
            blank = indent.end() >= len(self.text) or self.text[indent.end()] in "\r\n"
            if not blank and indent.end() - self.at <= inside:
                return
            self._to_next_line()

    def _quoted(self, inside: int, *, loose: bool = False, key: bool = False) -> None:
        """Take a quoted scalar; one that is never closed ends with its line."""
        start, quote = self.at, self.text[self.at]
        closing = re.compile(r'"(?:[^"\\]|\\.)*"' if quote == '"' else r"'(?:[^']|'')*'", re.DOTALL)
        found = closing.match(self.text, start)
        end = found.end() if found else -1
        if found and "\n" in found.group():
            lines = found.group().split("\n")[1:]
            # Closed by a quote that opens something else, most likely.
            if any(line.strip() and len(line) - len(line.lstrip()) <= inside for line in lines):
                end = -1
        if end < 0:
            self.open_quote = True
            stop = self.text.find("\n", start)
            end = len(self.text) if stop < 0 else stop
            text = self.text[start + 1 : end]
        else:
            text = _unquoted(self.text[start:end])
        self._token(text, start, end, quoted=True, loose=loose, key=key)
        self.at = end

    def _token(self, text: str, start: int, end: int, *, quoted: bool, loose: bool, key: bool) -> None:
        if key:
            self.flows[-1].step = text
        self._emit(key, text, start, end, quoted=quoted, loose=loose)

    def _open(self, char: str) -> None:
        self.flows.append(_Flow(char == "{", None if char == "{" else 0))
        self.at += 1

    def _flow(self) -> None:
        """Take one piece of flow text."""
        space = _SPACE.match(self.text, self.at)
        if space:
            self.at = space.end()
            if "\n" in space.group() and self._abandoned():
                return
        if self.at >= len(self.text):
            return
        top, char = self.flows[-1], self.text[self.at]
        if char in "{[":
            top.valued = True
            self._open(char)
        elif char in "}]":
            self.flows.pop()
            self.at += 1
            if not self.flows:
                self._to_next_line()
        elif char == ",":
            top.valued = False
            top.step = None if top.mapping else int(top.step or 0) + 1
            self.at += 1
        elif char == ":":
            top.valued = top.valued or not top.mapping
            self.at += 1
        else:
            self._flow_scalar(top, char)

    def _flow_scalar(self, top: _Flow, char: str) -> None:
        key = top.mapping and top.step is None
        if char in "\"'":
            inside = self.levels[-1].indent if self.levels else -1
            self._quoted(inside, key=key)
            return
        found = _FLOW_PLAIN.match(self.text, self.at)
        if found is None:
            self.at += 1
            return
        if found.group()[0] in "&!*" and (bare := _PROPERTY.match(self.text, self.at)):
            self.at = bare.end()
            return
        self._token(found.group(), found.start(), found.end(), quoted=False, loose=False, key=key)
        self.at = found.end()

    def _abandoned(self) -> bool:
        """Leave the open brackets where a line begins that stands no deeper than what they belong to, and is a key."""
        start = self.text.rfind("\n", 0, self.at) + 1
        marked = _MARK.match(self.text, start)
        inside = self.levels[-1].indent if self.levels else -1
        if marked or (self.at - start <= inside and _KEY.match(self.text, self.at)):
            self.flows.clear()
            self.at = start
            return True
        return False


def _written(key: re.Match[str]) -> tuple[str, bool]:
    """Return the text of a key, and whether it was quoted."""
    if key["plain"] is not None:
        return key["plain"], False
    return _unquoted(key.group().rstrip(":").rstrip()), True


def _unquoted(text: str) -> str:
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    text = re.sub(r"\\x([0-9A-Fa-f]{2})", r"\\u00\1", text)  # the one escape of YAML that names are written with
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]


def scan(text: str, known: Scan | None = None) -> Scan:
    """Return every key and scalar value that can be told, in the order of the text.

    `known` is a scan of a text that may begin alike, which spares looking at its beginning again.
    """
    scanner = _scanner(text, known)
    return Scan(text, tuple(scanner.tokens), tuple(scanner.marks))


def _scanner(text: str, known: Scan | None) -> _Scanner:
    scanner = _Scanner(text)
    if known is not None:
        scanner.follow(known)
    scanner.run()
    return scanner


def here(text: str, offset: int, known: Scan | None = None) -> Here:
    """Tell what could be written at an offset, from the text before it; `known` as in `scan`."""
    scanner = _scanner(text[:offset], known)
    last = scanner.tokens[-1] if scanner.tokens else None
    if last is not None and last.end == offset and not (last.quoted and _closed(text[last.start : last.end])):
        return Here(last.document, last.path[:-1] if last.key else last.path, last.key, last.loose, last)
    path = scanner.path()
    if scanner.flows:
        top = scanner.flows[-1]
        key = top.mapping and top.step is None
        return Here(scanner.document, path, key, False, None)
    line = text.rfind("\n", 0, offset) + 1
    blank = not text[line:offset].strip()
    if blank:
        steps = [level.step for level in scanner.levels if level.indent < offset - line]
        return Here(scanner.document, tuple(steps), False, True, None)
    return Here(scanner.document, path, False, text[line:offset].strip(" -") == "", None)


def _closed(text: str) -> bool:
    return len(text) > 1 and text[-1] == text[0]
