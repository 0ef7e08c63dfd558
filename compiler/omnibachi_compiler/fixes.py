"""Fixes: corrections that are certain, as edits of the source.

A phase that finds a misspelt name with one nearest, or an entry that is not needed, says so with `renamed` or
`removed`, knowing spans alone. `located` looks at the text afterwards: where in the span the word stands, how much goes
with an entry (its line, or its comma). What is not plain there is no fix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from omnibachi_model.addresses import candidates, split
from omnibachi_model.diagnostics import Diagnostic, Fix, Span
from omnibachi_model.nearest import only_nearest, only_nearest_address

from .loader import Places
from .phase import Source

_AROUND = "[A-Za-z0-9_]"


def renamed(span: Span, old: str, known: Iterable[str]) -> Fix | None:
    """Return the fix that writes the one nearest of the known names, or None where none or several are near."""
    return replaced(span, old, only_nearest(old, known))


def readdressed(span: Span, old: str, known: Iterable[str], domain: str) -> Fix | None:
    """Return the fix that writes the one address that a misspelt one can mean, bare where it was and that is enough."""
    addresses = set(known)
    meant = only_nearest_address(old, addresses)
    if meant is None:
        return None
    bare = split(meant)[1]
    reached = next((address for address in candidates(bare, domain) if address in addresses), None)
    return replaced(span, old, bare if "::" not in old and reached == meant else meant)


def replaced(span: Span, old: str, new: str | None) -> Fix | None:
    """Return the fix that writes `new` for `old`, a word inside the span; None where there is nothing else to write."""
    if not old or new is None or old == new:
        return None
    return Fix(f"write `{new}` for `{old}`", [(span, new)], old)


def removed(span: Span, key: str) -> Fix:
    """Return the fix that removes an entry of a mapping; the span is that of the entry, or of its value."""
    return Fix(f"remove `{key}`", [(span, "")], key)


def located(found: Iterable[Diagnostic], sources: Sequence[Source]) -> list[Diagnostic]:
    """Return the findings with the edits of their fixes as exact as their sources allow."""
    texts = {source.path: source.data for source in sources}
    places: dict[str, Places | None] = {}
    out = []
    for item in found:
        fix = item.fix
        if fix is not None and fix.old is not None:
            file = fix.edits[0][0].file
            if file not in places:
                places[file] = _places(file, texts.get(file))
            read = places[file]
            item = item.with_fix(_located(fix, read) if read else None)
        out.append(item)
    return out


def _places(file: str, data: bytes | None) -> Places | None:
    try:
        return None if data is None else Places(file, data.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _located(fix: Fix, places: Places) -> Fix | None:
    span, new = fix.edits[0]
    start = places.starts[span.line - 1] + span.column - 1
    end = places.starts[span.end_line - 1] + span.end_column - 1
    word = re.escape(fix.old or "")
    if new:
        found = list(re.finditer(f"(?<!{_AROUND}){word}(?!{_AROUND})", places.text[start:end]))
        if len(found) != 1:
            return None
        begin, stop = start + found[0].start(), start + found[0].end()
    else:
        key = re.compile(f"(?<!{_AROUND})(?P<quote>[\"']?){word}(?P=quote)[ \t]*:[ \t]*")
        head = key.match(places.text, start)
        if head is None:
            line = places.starts[span.line - 1]
            head = next((match for match in key.finditer(places.text, line, start) if match.end() == start), None)
        bounds = _entry(places.text, head.start(), end) if head else None
        if bounds is None:
            return None
        begin, stop = bounds
    return Fix(fix.says, [(places.span(begin, stop), new)])


def _entry(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return what goes with an entry that is removed: its lines, or one comma; None where that is not plain."""
    line = text.rfind("\n", 0, start) + 1
    rest = text.find("\n", end)
    rest = len(text) if rest < 0 else rest + 1
    if not text[line:start].strip() and not text[end:rest].strip():
        return line, rest
    after = re.compile(r"[ \t]*,[ \t]*").match(text, end)
    if after:
        return start, after.end()
    if re.compile(r"[ \t]*\}").match(text, end):
        before = re.compile(r",[ \t]*\Z").search(text, line, start)
        if before:
            return before.start(), end
        if text[line:start].rstrip().endswith("{"):
            return start, end
    return None
