"""Layout: strict YAML as it is written, with every comment and blank line attached to what it speaks of.

Trees (`tree`) forget how a text was laid out; the formatter needs just that. The parser gives the scalars and
collections with their places, and comments are what begins with `#` between them. A comment on a line of its own
belongs to the entry that follows, or, where it stands further in than that one, to the end of the collection before it;
a comment at the end of a line belongs to the last entry of that line. Only texts that `loader.load` takes are read.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import yaml

from .loader import Places

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]+(?=#)")
_INDENT = re.compile(r"[ \t\-]*")
_COMMENT = re.compile(r"#[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment with its `#`; `blank` tells that a blank line stands above it."""

    text: str
    blank: bool = False


@dataclass(slots=True)
class Leaf:
    """A scalar: its value as text, its style (empty for a plain one, a quote, `|` or `>`), and its source."""

    value: str
    style: str
    source: str
    start: int
    end: int


@dataclass(slots=True)
class Group:
    """A mapping or a sequence; `column` is where the children of a block stand; `tail` follows the last of them."""

    mapping: bool
    flow: bool
    start: int
    column: int
    end: int = 0
    children: list[Child] = field(default_factory=list)
    tail: list[Comment] = field(default_factory=list)


@dataclass(slots=True)
class Child:
    """An entry of a mapping, an item of a sequence (without a key), or a document's value (without a key)."""

    key: Leaf | None
    value: Leaf | Group
    blank: bool = False
    before: list[Comment] = field(default_factory=list)
    trailing: str | None = None

    @property
    def start(self) -> int:
        """Where it begins: its key, else its value."""
        return self.value.start if self.key is None else self.key.start

    @property
    def end(self) -> int:
        """Where its value ends."""
        return self.value.end


@dataclass(slots=True)
class Document:
    """One document; `tail` are the comments after a value that is no collection, `blank` a blank line at its end."""

    child: Child
    start: int
    tail: list[Comment] = field(default_factory=list)
    blank: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A comment where it stands: offset, line and column, and whether nothing but white space is before it."""

    text: str
    at: int
    line: int
    column: int
    alone: bool
    blank: bool

    @property
    def comment(self) -> Comment:
        """The comment as it is kept on a line of its own."""
        return Comment(self.text, self.blank)


def read_layout(text: str) -> list[Document]:
    """Read the documents of a text that the loader takes without a finding."""
    places = Places("", text)
    reader = _Reader(places)
    for event in yaml.parse(text, Loader=_PARSER):
        reader.take(event)
    blank = _blank_lines(places, reader.leaves)
    found = list(_comments(places, reader.leaves, blank))
    documents = reader.documents
    starts = [document.start for document in documents]
    for item in found:
        _attach(documents[max(bisect_right(starts, item.at) - 1, 0)], item, places)
    for document in documents:
        _mark_blanks(document.child, places, blank)
    for document, following in pairwise(documents):
        document.blank = _line(places, following.start) - 1 in blank
    return documents


def comments(documents: list[Document]) -> list[str]:
    """Return the texts of all comments, sorted."""
    found: list[str] = []

    def visit(child: Child) -> None:
        found.extend(comment.text for comment in child.before)
        if child.trailing is not None:
            found.append(child.trailing)
        if isinstance(child.value, Group):
            for inner in child.value.children:
                visit(inner)
            found.extend(comment.text for comment in child.value.tail)

    for document in documents:
        visit(document.child)
        found.extend(comment.text for comment in document.tail)
    return sorted(found)


class _Reader:
    """Builds documents from the parser's events."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.documents: list[Document] = []
        self.leaves: list[Leaf] = []
        self.open: list[tuple[Group, Leaf | None]] = []  # each with the key that it is the value of
        self.key: Leaf | None = None
        self.begins = 0

    def take(self, event: Any) -> None:
        """Take one event."""
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.DocumentStartEvent):
            # What stands before the first `---` belongs to the first document.
            self.begins = start if self.documents else 0
        elif isinstance(event, yaml.ScalarEvent):
            self._leaf(event, start, end)
        elif isinstance(event, yaml.CollectionStartEvent):
            column = start - self.places.starts[_line(self.places, start) - 1]
            mapping = isinstance(event, yaml.MappingStartEvent)
            self.open.append((Group(mapping, bool(event.flow_style), start, column, start), self.key))
            self.key = None
        elif isinstance(event, yaml.CollectionEndEvent):
            group, self.key = self.open.pop()
            inner = group.children[-1].end if group.children else group.start
            group.end = end if end > start else inner  # the parser ends a block where the next token begins
            self._add(group)

    def _leaf(self, event: Any, start: int, end: int) -> None:
        style = event.style or ""
        leaf = Leaf(event.value, style, self.places.text[start:end], start, end)
        if style in ("|", ">") and "+" not in leaf.source.partition("\n")[0].partition("#")[0]:
            leaf.source = leaf.source.rstrip()
            leaf.end = start + len(leaf.source)
        self.leaves.append(leaf)
        top = self.open[-1][0] if self.open else None
        if top is not None and top.mapping and self.key is None:
            self.key = leaf
        else:
            self._add(leaf)

    def _add(self, value: Leaf | Group) -> None:
        child = Child(self.key, value)
        self.key = None
        if self.open:
            self.open[-1][0].children.append(child)
        else:
            self.documents.append(Document(child, self.begins))


def _line(places: Places, offset: int) -> int:
    return bisect_right(places.starts, offset)


def _blank_lines(places: Places, leaves: list[Leaf]) -> set[int]:
    """Return the numbers of the lines that are blank and belong to no scalar."""
    found = set()
    bounds = [*places.starts, len(places.text) + 1]
    for number, (start, end) in enumerate(pairwise(bounds), 1):
        if not places.text[start : end - 1].strip() and start < len(places.text):
            found.add(number)
    for leaf in leaves:
        first, last = _line(places, leaf.start), _line(places, max(leaf.end - 1, leaf.start))
        if last > first:
            found.difference_update(range(first, last + 1))
    return found


def _comments(places: Places, leaves: list[Leaf], blank: set[int]) -> list[_Found]:
    """Find the comments: whatever begins with `#` between scalars, and behind the sign of a block scalar."""
    text, found, at = places.text, [], 0
    for leaf in leaves:
        found += _between(places, at, leaf.start, blank)
        if leaf.style in ("|", ">"):
            header = _HEADER.match(text, leaf.start)
            if header:
                found += _between(places, header.end(), text.find("\n", header.end()), blank)
        at = leaf.end
    return found + _between(places, at, len(text), blank)


def _between(places: Places, start: int, end: int, blank: set[int]) -> list[_Found]:
    found = []
    for match in _COMMENT.finditer(places.text, start, end):
        line = _line(places, match.start())
        begin = places.starts[line - 1]
        alone = not places.text[begin : match.start()].strip()
        words = match.group().rstrip()
        found.append(_Found(words, match.start(), line, match.start() - begin, alone, alone and line - 1 in blank))
    return found


def _mark_blanks(child: Child, places: Places, blank: set[int]) -> None:
    """Note which children have a blank line above them."""
    line = _line(places, child.start)
    first = _INDENT.fullmatch(places.text, places.starts[line - 1], child.start)
    child.blank = first is not None and line - 1 in blank
    if isinstance(child.value, Group):
        for inner in child.value.children:
            _mark_blanks(inner, places, blank)


# Below: where a comment belongs.


def _attach(document: Document, found: _Found, places: Places) -> None:
    child = document.child
    if isinstance(child.value, Group) and child.value.children:
        if child.value.flow and found.at < child.value.start:
            child.before.append(found.comment)
        else:
            _place(child.value, child, found, places)
    elif found.at < child.start:
        child.before.append(found.comment)
    elif not found.alone and _line(places, max(child.end - 1, child.start)) >= found.line:
        _trail(child, found)
    else:
        document.tail.append(found.comment)


def _place(group: Group, owner: Child, found: _Found, places: Places) -> None:
    """Attach a comment that stands in a group, or around it and nowhere deeper; `owner` has the group as its value."""
    number = bisect_right(group.children, found.at, key=lambda child: child.start)
    before = group.children[number - 1] if number else None
    after = group.children[number] if number < len(group.children) else None
    if before is not None and found.at < before.end:
        _inside(before, found, places)
        return
    if not found.alone:
        if before is not None and _line(places, max(before.end - 1, before.start)) == found.line:
            _trail(_last(before), found)
            return
        if before is None and group.flow and _line(places, group.start) == found.line:
            _trail(owner, found)
            return
    deeper = _deeper(before, found.column) if found.alone else None
    if deeper is not None:
        deeper.tail.append(found.comment)
    elif after is not None:
        after.before.append(found.comment)
    else:
        group.tail.append(found.comment)


def _inside(child: Child, found: _Found, places: Places) -> None:
    """Attach a comment that stands between a child's beginning and its end."""
    value = child.value
    if isinstance(value, Group) and value.children:
        if value.start <= found.at:
            _place(value, child, found, places)
            return
        if found.alone and not value.flow:
            value.children[0].before.append(found.comment)
            return
    if found.alone:
        child.before.append(found.comment)
    else:
        _trail(child, found)


def _trail(child: Child, found: _Found) -> None:
    """Put a comment behind a child; where there is one already, above it."""
    if child.trailing is None:
        child.trailing = found.text
    else:
        child.before.append(Comment(found.text))


def _last(child: Child) -> Child:
    """Return the innermost child that ends a child's last line."""
    while isinstance(child.value, Group) and not child.value.flow and child.value.children:
        child = child.value.children[-1]
    return child


def _deeper(child: Child | None, column: int) -> Group | None:
    """Return the innermost block that ends with a child and whose children stand no further in than a comment."""
    found = None
    while child is not None and isinstance(child.value, Group) and not child.value.flow and child.value.children:
        if child.value.column > column:
            break
        found, child = child.value, child.value.children[-1]
    return found
