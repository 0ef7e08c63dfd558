"""Spots: what an editor points at, as kind of document, path into it, and what a name there is a name of.

An open text is scanned, so a spot is found in any text. What the text means is asked of its trees; of a document that
does not load now, of the tree that the scanner's keys and values make, or of the last one that loaded.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omnibachi_compiler.library import Library
from omnibachi_compiler.loader import load
from omnibachi_compiler.phase import Source
from omnibachi_compiler.scalars import RangeError, read_plain
from omnibachi_compiler.tree import Entry, Scalar, Sequence, Tree
from omnibachi_compiler.tree import Mapping as TreeMapping
from omnibachi_model.diagnostics import Span
from omnibachi_model.values import MAX_DEPTH

from .places import Places
from .roles import kind_of, role_of
from .scan import Here, Path, Scan, Token, here, scan

if TYPE_CHECKING:
    from .bodies import Survey

_DOCUMENT = re.compile(r"^(?:---(?=\s|\Z)|\.\.\.(?=\s|\Z))[^\n]*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Project:
    """A workspace as it was compiled last: what it declares, and its texts, unsaved ones too, by path as shown."""

    library: Library
    texts: Mapping[str, str]


@dataclass(slots=True)
class Open:
    """One text of a workspace, as it stands in an editor; `last` holds for each document the tree that loaded last.

    `known` is a scan and `surveys` are surveys of the text as it was; both are told from what has changed since.
    """

    path: str
    domain: str
    text: str
    last: Mapping[int, Tree] = field(default_factory=dict)
    known: Scan | None = None
    surveys: list[Survey] = field(default_factory=list)
    _places: Places | None = None
    _trees: dict[int, Tree] | None = None

    @property
    def scan(self) -> Scan:
        """Its scan; made when first asked for, since most texts are followed by another at once."""
        if self.known is None or self.known.text != self.text:
            self.known = scan(self.text, self.known)
        return self.known

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Its keys and values."""
        return self.scan.tokens

    @property
    def places(self) -> Places:
        """Its lines."""
        if self._places is None:
            self._places = Places(self.text)
        return self._places

    @property
    def trees(self) -> dict[int, Tree]:
        """The documents that load, by number."""
        if self._trees is None:
            self._trees = trees_of(self.path, self.scan)
        return self._trees

    def kind(self, document: int) -> str | None:
        """Return the kind of a document, by its keys."""
        return kind_of(tuple(item.text for item in self.tokens if item.document == document and _top(item)))

    def name(self, document: int) -> str:
        """Return what a document declares, with its domain; nothing where that is not written."""
        kind = self.kind(document)
        text = self.value(document, (kind,)) if kind else None
        return f"{self.domain}::{text}" if text else ""

    def value(self, document: int, path: Path) -> str | None:
        """Return the text that stands at a path."""
        found = (item for item in self.tokens if item.document == document and item.path == path and not item.key)
        return next((item.text for item in found), None)

    def keys(self, document: int, path: Path) -> list[Token]:
        """Return the keys of the mapping at a path."""
        depth = len(path) + 1
        return [
            item
            for item in self.tokens
            if item.key and item.document == document and len(item.path) == depth and item.path[:-1] == path
        ]


@dataclass(frozen=True, slots=True)
class Spot:
    """A key or a value under the cursor, and what it is a name of (None: nothing that is declared elsewhere)."""

    kind: str
    token: Token
    role: str | None


def _top(token: Token) -> bool:
    return token.key and len(token.path) == 1


def spot_at(opened: Open, offset: int) -> Spot | None:
    """Return what stands at an offset."""
    token = next((item for item in opened.tokens if item.start <= offset <= item.end), None)
    kind = opened.kind(token.document) if token else None
    if token is None or kind is None:
        return None
    return Spot(kind, token, role_of(kind, token.path, key=token.key))


def here_at(opened: Open, offset: int) -> Here:
    """Return what could be written at an offset."""
    return here(opened.text, offset, opened.scan)


def trees_of(path: str, scanned: Scan) -> dict[int, Tree]:
    """Load each document of a text on its own, with the lines that it has there; those that do not load are missing.

    They are numbered as the scanner numbers them.
    """
    found: dict[int, Tree] = {}
    text = scanned.text
    starts = [token.start for token in scanned.tokens]
    number, start, line = 0, 0, 0
    marks = [(match.start(), match.end()) for match in _DOCUMENT.finditer(text)]
    for begin, end in [*marks, (len(text), len(text))]:
        if bisect_left(starts, start) < bisect_left(starts, begin):
            trees = load(Source(path, "", ("\n" * line + text[start:begin]).encode("utf-8", "replace")))
            if len(trees.value) == 1:
                found[number] = trees.value[0]
            number += 1
        line, start = text.count("\n", 0, end), end
    return found


def tree_at(opened: Open, document: int) -> TreeMapping | None:
    """Return the tree of a document: as it loads, or what can be made of it where it does not."""
    found = opened.trees.get(document) or _grown(opened, document)
    return found if isinstance(found, TreeMapping) else None


@dataclass(slots=True)
class _Bud:
    """A place in a text that is no YAML yet: the keys or items in it, and the value there."""

    key: Token | None = None
    value: Token | None = None
    inner: dict[str | int, _Bud] = field(default_factory=dict)


def _grown(opened: Open, document: int) -> Tree | None:
    """Make a tree of what the scanner tells; a value that is not written is a hole."""
    root = _Bud()
    for token in opened.tokens:
        if token.document == document and len(token.path) <= MAX_DEPTH:
            bud = root
            for step in token.path:
                bud = bud.inner.setdefault(step, _Bud())
            if token.key:
                bud.key = token
            else:
                bud.value = token
    return _tree(root, opened, 0) if root.inner else None


def _tree(bud: _Bud, opened: Open, at: int) -> Tree:
    if bud.inner:
        span = _span(opened, at, at)
        if all(isinstance(step, int) for step in bud.inner):
            return Sequence(tuple(_tree(inner, opened, at) for inner in bud.inner.values()), span)
        named = [(str(step), inner) for step, inner in bud.inner.items() if inner.key is not None]
        return TreeMapping(tuple(_entry(name, inner, opened) for name, inner in named), span)
    if bud.value is None:
        return Scalar(None, _span(opened, at, at))
    token = bud.value
    value: str | int | float | None = token.text
    if not token.quoted:
        try:
            value = read_plain(token.text)
        except RangeError:
            value = 0
    return Scalar(value, _span(opened, token.start, token.end), not token.quoted)


def _entry(name: str, bud: _Bud, opened: Open) -> Entry:
    assert bud.key is not None
    return Entry(name, _span(opened, bud.key.start, bud.key.end), _tree(bud, opened, bud.key.end))


def _span(opened: Open, start: int, end: int) -> Span:
    return Span(opened.path, *opened.places.place(start), *opened.places.place(end))
