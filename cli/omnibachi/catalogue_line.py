"""One more line in a catalogue: text in, text out, and nothing else of the file is touched.

A catalogue is read and never run (docs/language.md, "Capabilities in Python"), so what it says can be told from its
text: the import goes behind the last import, the entry to the end of the literal mapping.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

NEW = '"""Which function stands behind which declared capability; the compiler reads this and seals it."""\n\n'


class NoPlace(Exception):
    """A catalogue that is not written as the compiler reads it; the text says what is wrong."""


def with_entries(text: str, source: str, name: str, entries: Mapping[str, str]) -> str:
    """Return a catalogue's text with `from <source> import <name>` and some more entries, address to function.

    In the values of `entries`, `{}` stands for the name that the import has here: another one where the catalogue uses
    `name` already. Raises NoPlace.
    """
    tree = _parsed(text)
    found = _mapping(tree)
    present = [key.value for key in found.keys if isinstance(key, ast.Constant)]
    for address in entries:
        if address in present:
            raise NoPlace(f"`{address}` stands in it already")
    local = _free(name, _names(tree))
    line = f"from {source} import {name}" + ("" if local == name else f" as {local}")
    end = "\r\n" if "\r\n" in text else "\n"
    written = [f'"{address}": {function.format(local)}' for address, function in entries.items()]
    # The mapping first: what is inserted above it would move it.
    grown = _imported(_entered(text, found, written, end), tree, found, line, end)
    again = _mapping(_parsed(grown))
    kept = len(found.keys)
    if len(again.keys) != kept + len(entries) or _dumped(again, kept) != _dumped(found, kept):
        raise NoPlace("it is written so that no line can be added to it")
    return grown


def fresh(source: str, name: str, entries: Mapping[str, str]) -> str:
    """Return the text of a catalogue that has these entries alone."""
    return with_entries(f"{NEW}CATALOGUE = {{}}\n", source, name, entries)


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise NoPlace(f"it is no Python that can be read: {getattr(error, 'msg', error)}") from None


def _mapping(tree: ast.Module) -> ast.Dict:
    """Return the literal mapping that `CATALOGUE` is."""
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        if any(isinstance(target, ast.Name) and target.id == "CATALOGUE" for target in targets):
            value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
            if isinstance(value, ast.Dict):
                return value
            raise NoPlace("its `CATALOGUE` is no literal mapping")
    raise NoPlace("it says no `CATALOGUE`")


def _names(tree: ast.Module) -> set[str]:
    """Return every name that a module uses or binds."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}_{number}"
    return free


def _dumped(found: ast.Dict, count: int) -> list[str]:
    pairs = zip(found.keys[:count], found.values, strict=False)
    return [f"{key and ast.dump(key)}: {ast.dump(value)}" for key, value in pairs]


def _entered(text: str, found: ast.Dict, written: list[str], end: str) -> str:
    """Put entries behind the last one, each on a line of its own; a mapping on one line is spread out."""
    lines = _lines(text)
    begin, close = _offset(lines, found.lineno, found.col_offset), _after(lines, found) - 1
    margin = " " * (len(lines[found.lineno - 1]) - len(lines[found.lineno - 1].lstrip(" ")))
    inner = f"{margin}    "
    if found.lineno == found.end_lineno:
        spread = [f"{inner}{entry},{end}" for entry in [*_segments(text, lines, found), *written]]
        return f"{text[:begin]}{{{end}{''.join(spread)}{margin}{text[close:]}"
    if found.values:
        first = found.keys[0] or found.values[0]
        if first.lineno > found.lineno:
            inner = " " * first.col_offset
        # Comments aside: is there a comma behind the last entry, and where would one go, brackets around it counted?
        last = _after(lines, found.values[-1])
        rest = re.sub(r"#[^\r\n]*", lambda match: " " * len(match.group()), text[last:close])
        if "," not in rest:
            at = last + rest.rfind(")") + 1
            text, close = f"{text[:at]},{text[at:]}", close + 1
    head = text[:close].rstrip(" \t")
    margin = text[len(head) : close]
    if not head.endswith("\n"):
        head += end
    return head + "".join(f"{inner}{entry},{end}" for entry in written) + margin + text[close:]


def _segments(text: str, lines: list[str], found: ast.Dict) -> list[str]:
    """Return the entries of a mapping as they are written."""
    out = []
    for key, value in zip(found.keys, found.values, strict=True):
        if key is None:
            raise NoPlace("its `CATALOGUE` takes in another mapping")
        out.append(text[_offset(lines, key.lineno, key.col_offset) : _after(lines, value)])
    return out


def _imported(text: str, tree: ast.Module, found: ast.Dict, line: str, end: str) -> str:
    """Put an import behind the last one above the mapping, else behind the docstring, else behind comments."""
    lines = _lines(text)
    above = [node for node in tree.body if (node.end_lineno or node.lineno) < found.lineno]
    imports = [node for node in above if isinstance(node, ast.Import | ast.ImportFrom)]
    at, written = 0, f"{line}{end}"
    if imports:
        at = imports[-1].end_lineno or 0
    elif above and isinstance(above[0], ast.Expr) and isinstance(above[0].value, ast.Constant):
        at, written = above[0].end_lineno or 0, f"{end}{line}{end}"
    else:
        while at < len(lines) and lines[at].startswith("#"):
            at += 1
        written += end
    return "".join(lines[:at]) + written + "".join(lines[at:])


def _lines(text: str) -> list[str]:
    """Split a text into lines as Python counts them."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _after(lines: list[str], node: ast.expr) -> int:
    return _offset(lines, node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)


def _offset(lines: list[str], line: int, column: int) -> int:
    """Turn a place of `ast`, whose columns count bytes, into an offset in the text."""
    return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())
