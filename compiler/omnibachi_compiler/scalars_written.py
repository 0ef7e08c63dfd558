"""Scalars as they are written in canonical layout: with quotes where they are needed, folded, or standing in lines.

Quotes are left out only where no reader of YAML could take the text for anything else: where it holds none of YAML's
signs, and reads as text in YAML 1.1 too (`"NO"` and `"2026-01-01"` keep them). A text that was written without quotes
stays so.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from .layout import Leaf
from .scalars import is_typed

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SIGNS = re.compile(r"[:{}\[\],&*#?|<>=!%@`'\"\\~]")
_SWITCHES = frozenset({"y", "Y", "n", "N"})  # YAML 1.1 has them; PyYAML's resolver leaves them out
_MARK = re.compile(r"(?:---|\.\.\.)(?:\s|\Z)")
_BREAK = re.compile(r"(?<=[^\s\\]) (?=[A-Za-z0-9])")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_TEXT = "tag:yaml.org,2002:str"


def one_line(value: str, style: str) -> str:
    """Write a scalar on one line; a plain one stays plain, but for what would be the mark of a document in front."""
    if not style and "\n" not in value and not _MARK.match(value):
        return value
    if _bare(value):
        return value
    printable = value.isprintable()
    if printable and ('"' in value or "\\" in value):
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _bare(value: str) -> bool:
    """Tell whether a text in quotes may lose them."""
    if not value or not value.isprintable() or value != value.strip() or value.startswith(("-", ".", "+")):
        return False
    if _SIGNS.search(value) or is_typed(value) or value in _SWITCHES or len(value) > 1000:
        return False
    resolver: Any = yaml.resolver.Resolver()
    return bool(resolver.resolve(yaml.ScalarNode, value, (True, False)) == _TEXT)


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def folded(head: str, text: str, pad: str, width: int) -> list[str]:
    """Break a scalar that was written over several lines at spaces, so that the lines are at most `width` long."""
    lines, line = [], head
    for number, piece in enumerate(_BREAK.split(text)):
        if number and len(line) + 1 + len(piece) > width:
            lines.append(line)
            line = pad + piece
        else:
            line += (" " if number else "") + piece
    return [*lines, line]


def standing(leaf: Leaf, pad: str) -> tuple[str, list[str]] | None:
    """Write a block scalar (`|` or `>`): its header and its lines; None where only quotes can hold its value."""
    if not leaf.value.strip("\n"):
        return None
    header, lines = _literal(leaf.value) if leaf.style == "|" else _fold(leaf)
    if not _reads_back(leaf, header, lines):
        return None
    return header, [pad + line if line else "" for line in lines]


def _literal(value: str) -> tuple[str, list[str]]:
    """Return the header and the lines of a text whose line ends stand for themselves."""
    keep = "" if re.search(r"[^\n]\n\Z", value) else "+" if value.endswith("\n") else "-"
    indented = "2" if re.match(r"\n*[ \t]", value) else ""
    return f"|{indented}{keep}", value.removesuffix("\n").split("\n")


def _fold(leaf: Leaf) -> tuple[str, list[str]]:
    """Return the header and the lines of a folded text as they stand in the source, without their indentation."""
    first, _, rest = leaf.source.partition("\n")
    keep = next((sign for sign in "+-" if sign in first.partition("#")[0]), "")
    lines = rest.removesuffix("\n").split("\n")
    begun = next((line for line in lines if line.strip(" \t")), "")  # another kind of space is content
    more = len(leaf.value.lstrip("\n")) - len(leaf.value.lstrip("\n").lstrip(" "))
    cut = len(begun) - len(begun.lstrip(" ")) - more
    indented = "2" if more else ""
    return f">{indented}{keep}", [line[cut:] for line in lines]


def _reads_back(leaf: Leaf, header: str, lines: list[str]) -> bool:
    """Tell whether a block scalar reads as its value."""
    text = "\n".join([f"k: {header}", *(f"  {line}" if line else "" for line in lines), ""])
    try:
        events = [event for event in yaml.parse(text, Loader=_PARSER) if isinstance(event, yaml.ScalarEvent)]
    except yaml.YAMLError:
        return False
    return len(events) == 2 and events[1].value == leaf.value
