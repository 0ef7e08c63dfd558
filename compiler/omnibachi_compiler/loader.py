"""The loader: strict YAML text to trees, one per document, with a span for every key and value.

PyYAML's parser gives events; this module builds from them and refuses what would make a text mean something else to
another reader: anchors, aliases, tags, merge keys, directives, keys that are no text, duplicate keys, values left out,
numbers that JSON readers disagree on. What is refused is reported with its place and the loader reads on as long as
the parser can.

A value that is missing or an alias leaves a hole in its tree, so that later phases can still speak about the rest: a
null whose span is empty. Only the loader makes such spans; `is_hole` tells one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

import yaml

from omnibachi_model.diagnostics import Diagnostic, Span, in_order
from omnibachi_model.values import MAX_DEPTH

from .phase import Phase, Source
from .scalars import RangeError, is_typed, read_plain
from .tree import Entry, Mapping, Scalar, Sequence, Tree
from .yaml_errors import complaint

MAX_SOURCE_BYTES = 1024 * 1024

# Raw characters that YAML's printable set leaves out, and those that some readers take for line ends: with them, two
# tools would count the lines of one file differently.
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\r(?!\n)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_KEY = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")
_BOM = b"\xef\xbb\xbf"

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(source: Source) -> Phase[tuple[Tree, ...]]:
    """Read a source into one tree per YAML document.

    The documents before one that cannot be read are kept. Diagnostics: OB102 to OB112.
    """
    text, found = _decode(source)
    if text is None:
        return Phase((), found)
    places = Places(source.path, text)
    refused = [
        Diagnostic(
            "OB112",
            f"the character U+{ord(match.group()):04X} is refused",
            places.span(match.start(), match.end()),
            help="remove it, or write it as an escape in a double-quoted text",
        )
        for match in _REFUSED.finditer(text)
    ]
    if refused:
        return Phase((), in_order(refused))
    builder = _Builder(places)
    builder.read()
    if not builder.documents and not builder.diagnostics:
        builder.report("OB111", "the source holds no document", 0, 0)
    return Phase(tuple(builder.documents), in_order(builder.diagnostics))


def is_hole(span: Span) -> bool:
    """Tell whether a value's span is that of one that was left out in the text (and is reported already)."""
    return (span.line, span.column) == (span.end_line, span.end_column)


def _decode(source: Source) -> tuple[str | None, tuple[Diagnostic, ...]]:
    """Return the text of a source, or what keeps its bytes from being text."""
    start = Span(source.path, 1, 1, 1, 1)
    data = source.data
    if len(data) > MAX_SOURCE_BYTES:
        message = f"the source is longer than {MAX_SOURCE_BYTES} bytes"
        return None, (Diagnostic("OB103", message, start),)
    if data.startswith(_BOM):
        advice = "save the file as UTF-8 without a byte order mark"
        return None, (Diagnostic("OB102", "the source begins with a byte order mark", start, help=advice),)
    if b"\0" in data[:4] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        message = "the source is not UTF-8 text; its first bytes look like UTF-16, UTF-32 or a binary file"
        return None, (Diagnostic("OB102", message, start, help="save the file as UTF-8"),)
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        place = Span(source.path, line, column, line, column + 1)
        message = f"the byte 0x{data[error.start]:02X} at offset {error.start} is not UTF-8"
        return None, (Diagnostic("OB102", message, place, help="save the file as UTF-8"),)


class Places:
    """The lines of a text, to turn offsets into spans (lines and columns count characters from 1)."""

    __slots__ = ("file", "starts", "text")

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def span(self, start: int, end: int) -> Span:
        """Return the span of the characters from `start` up to and without `end`."""
        return Span(self.file, *self.at(start), *self.at(end))

    def at(self, offset: int) -> tuple[int, int]:
        """Return line and column of a character."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1


@dataclass(slots=True)
class _Open:
    """A collection that is being built; in a mapping, `key` is the key that waits for its value."""

    start: int
    line: int
    column: int
    mapping: bool
    items: list[Tree] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    seen: dict[str, Span] = field(default_factory=dict)
    key: tuple[str, Span] | None = None
    at_value: bool = False
    end: int = 0


class _Builder:
    """Builds trees from the parser's events with a stack of its own, so that no nesting exhausts Python's."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.documents: list[Tree] = []
        self.diagnostics: list[Diagnostic] = []
        self.open: list[_Open] = []
        self.root: Tree | None = None
        self.last_end = 0
        self.asking = "?" in places.text  # where it is not, no key can be a complex one

    def report(
        self, code: str, message: str, start: int, end: int, *, help: str | None = None, related: tuple[Any, ...] = ()
    ) -> None:
        """Note a finding about the characters from `start` to `end`."""
        self.diagnostics.append(Diagnostic(code, message, self.places.span(start, end), help=help, related=related))

    def read(self) -> None:
        """Read all documents; stop at what the parser cannot pass, and at nesting that is too deep."""
        try:
            following = _PARSER(self.places.text).get_event
            while (event := following()) is not None:
                if not self._take(event):
                    return
        except yaml.MarkedYAMLError as error:
            self._syntax(error)

    def _take(self, event: Any) -> bool:
        """Take one event; return False when reading must stop."""
        first, last = event.start_mark, event.end_mark
        start, end = first.index, last.index
        kind = type(event)
        if kind is yaml.ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                self._features(event, start, end)
            # The parser counts lines and columns as people do, from 0: to ask it costs less than to look them up.
            span = Span(self.places.file, first.line + 1, first.column + 1, last.line + 1, last.column + 1)
            self._scalar(event, span, start, end)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            if event.anchor is not None or event.tag is not None:
                self._features(event, start, end)
            if len(self.open) >= MAX_DEPTH:
                self.report("OB105", f"this is nested deeper than {MAX_DEPTH} levels", start, max(end, start + 1))
                return False
            self.open.append(_Open(start, first.line + 1, first.column + 1, kind is yaml.MappingStartEvent))
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close(start, end)
        elif kind is yaml.AliasEvent:
            self.report("OB106", f"an alias (`*{event.anchor}`) is refused", start, end, help=_written_out)
            self._add(self._hole(start), start, end)
        elif kind is yaml.DocumentStartEvent:
            self._document(start, end)
        elif kind is yaml.DocumentEndEvent and self.root is not None:
            self.documents.append(self.root)
            self.root = None
        if end > self.last_end:
            self.last_end = end
        return True

    def _document(self, start: int, end: int) -> None:
        if self.places.text[start : start + 1] == "%":
            line_end = self.places.text.find("\n", start, end)
            self.report(
                "OB106", "a directive (`%`) is refused", start, line_end if line_end > 0 else end, help="remove it"
            )

    def _features(self, event: Any, start: int, end: int) -> None:
        """Refuse an anchor and a tag before a node."""
        for sign, name, what in (("&", event.anchor, "an anchor"), ("!", event.tag, "a tag")):
            if name is None:
                continue
            at = max(self.places.text.find(sign, start, end), start)
            word = re.compile(r"[^\s,\[\]{}]+").match(self.places.text, at)
            stop = word.end() if word else at + 1
            written = self.places.text[at:stop]
            advice = _written_out if sign == "&" else "remove it, or quote the text if the `!` belongs to it"
            self.report("OB106", f"{what} (`{short(written)}`) is refused", at, stop, help=advice)

    def _scalar(self, event: Any, span: Span, start: int, end: int) -> None:
        plain = not event.style  # None or '', by the parser
        if event.style in ("|", ">"):
            end = start + len(self.places.text[start:end].rstrip())
            span = self.places.span(start, end)
        top = self.open[-1] if self.open else None
        if top is not None and top.mapping and not top.at_value:
            self._key(top, event.value, span, plain, start, end)
            return
        if plain and event.value == "":
            if event.tag is None and event.anchor is None:  # else that was refused, and text may belong to it
                self._missing(top, start)
            else:
                self._add(self._hole(start), start, start)
            return
        value: bool | int | float | str | None = event.value
        if plain:
            try:
                value = read_plain(event.value)
            except RangeError as error:
                self.report(
                    "OB110", f"`{short(event.value)}` {error}", start, end, help="quote it, so that it is a string"
                )
                value = 0  # a number stands in, so that later phases do not speak of a wrong type
        elif _SURROGATE.search(event.value):
            self.report("OB112", "this text holds half of a surrogate pair", start, end, help=_whole_character)
            value = _SURROGATE.sub("\ufffd", event.value)
        self._add(Scalar(value, span, plain), start, end)

    def _key(self, top: _Open, text: str, span: Span, plain: bool, start: int, end: int) -> None:
        """Take a key; a refused one keeps its text where that can still be understood."""
        top.at_value, top.key = True, (text, span)
        if plain and text == "":
            self.report("OB108", "a key is missing before `:`", start, start + 1, help="write the key")
            top.key = None
        elif plain and text == "<<":
            self.report("OB106", "a merge key (`<<`) is refused", start, end, help=_written_out)
            top.key = None
        elif plain and is_typed(text):
            self.report("OB108", f"the key `{short(text)}` is not text", start, end, help=f"write `'{short(text)}'`")
        elif not text.isascii() and _NO_KEY.search(text):
            self.report("OB112", "a key holds a character above U+FFFF", start, end, help="choose another key")
            top.key = None
        between = self.places.text[self.last_end : start] if self.asking else ""
        if "?" in between and between.rstrip(" ").endswith("?"):
            at = self.last_end + len(between.rstrip(" ")) - 1
            self.report("OB106", "a complex key (`?`) is refused", at, at + 1, help="write `key: value`")
        if top.key is not None and text in top.seen:
            first = ((top.seen[text], "first written here"),)
            self.report("OB107", f"the key `{short(text)}` stands twice", start, end, related=first)
            top.key = None
        elif top.key is not None:
            top.seen[text] = span

    def _missing(self, top: _Open | None, start: int) -> None:
        """Report a value that was left out, at its key, its dash or its document."""
        help = "write the value, or `null` or `''` if that is meant"
        if re.compile(r"[ \t]*#").match(self.places.text, start):
            help = "quote the value if the `#` belongs to it: after white space it begins a comment"
        if top is None:
            self.report("OB111", "a document is empty", max(self.last_end - 3, 0), self.last_end, help="remove it")
            return
        if top.mapping:
            if top.key is not None:
                key, span = top.key
                self.diagnostics.append(Diagnostic("OB109", f"`{short(key)}` has no value", span, help=help))
        else:
            at = self.places.text.rfind("-", 0, start)
            self.report("OB109", "this item has no value", at, at + 1, help=help)
        self._add(self._hole(start), start, start)

    def _hole(self, at: int) -> Scalar:
        return Scalar(None, self.places.span(at, at))

    def _close(self, start: int, end: int) -> None:
        top = self.open.pop()
        # The parser ends a block collection where the next token begins; here it ends with its last value.
        end = end if end > start else max(top.end, top.start)
        span = Span(self.places.file, top.line, top.column, *self.places.at(end))
        self._add(
            Mapping(tuple(top.entries), span) if top.mapping else Sequence(tuple(top.items), span), top.start, end
        )

    def _add(self, value: Tree, start: int, end: int) -> None:
        """Put a finished value where it belongs."""
        if not self.open:
            self.root = value
            return
        top = self.open[-1]
        if end > top.end:
            top.end = end
        if not top.mapping:
            top.items.append(value)
        elif not top.at_value:
            top.at_value, top.key = True, None
            if not isinstance(value, Scalar):
                self.report("OB106", "a complex key is refused: a key is text", start, end, help="quote the key")
        else:
            if top.key is not None:
                top.entries.append(Entry(*top.key, value))
            top.at_value, top.key = False, None

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        """Report what the parser could not read, with the place where the construct begins."""
        text = self.places.text
        began = error.context_mark
        mark = error.problem_mark or began
        at = min(mark.index if mark else 0, len(text))
        found = complaint(error.problem or "", error.context or "", text, at, began.index if began else at)
        related: tuple[tuple[Span, str], ...] = ()
        if began and found.construct and not found.start <= began.index < found.end:
            related = ((self.places.span(began.index, began.index + 1), f"{found.construct} begins here"),)
        self.report(found.code, found.message, found.start, found.end, help=found.help, related=related)


_written_out = "write the value out where it is needed"
_whole_character = r"write the character itself, or `\U` and eight hexadecimal digits"


def short(text: str, limit: int = 60) -> str:
    """Cut a piece of user text so that it fits a message."""
    text = text.replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 1] + "…"
