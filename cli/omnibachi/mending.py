"""`compile --fix`: apply the fixes that are certain, and keep those that mend.

All that is found with a fix is tried at once, in memory; what does not take its own finding away, or puts another one
on its line, is left out. What a fix uncovers may be fixed in the next round. Nothing else of a text is touched.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from omnibachi_model.diagnostics import Diagnostic, Fix, Span

from .compiling import compile_workspace
from .wiring import Compilation

ROUNDS = 5
_Key = tuple[str, str, str]


@dataclass(slots=True)
class Mended:
    """What was mended: contents by path, what was done (span at that time, words), and what compiling then gave."""

    compilation: Compilation
    files: dict[str, bytes] = field(default_factory=dict)
    done: list[tuple[Span, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Contents after some fixes, the lines that were changed, and what compiling gives."""

    files: dict[str, bytes]
    lines: frozenset[tuple[str, int]]
    compilation: Compilation


def mend(root: str, shipped: str) -> Mended:
    """Apply the certain fixes of a workspace, in memory; the caller writes `files`, by path from `root`."""
    first = compile_workspace(root, shipped=shipped)
    out = Mended(first)
    refused: set[_Key] = set()
    for _ in range(ROUNDS):
        chosen = [item for item in _chosen(out.compilation.diagnostics, refused) if _own(root, item)]
        if not chosen:
            break
        for item in chosen:
            for span, _text in _fix(item).edits:
                _read(root, span.file, out.files)
        kept = _kept(root, shipped, out, chosen)
        refused |= {_key(item) for item in chosen if item not in kept}
    out.files = {path: data for path, data in out.files.items() if data != _content(root, path)}
    return out


def _kept(root: str, shipped: str, out: Mended, chosen: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Apply fixes to `out`: together where that mends them all, else by halves; return those that were kept."""
    # The second half of a split meets a text that the first has changed: only what stands as it was can be applied.
    standing = {(_key(item), item.span): item for item in out.compilation.diagnostics}
    again = [standing[(_key(item), item.span)] for item in chosen if (_key(item), item.span) in standing]
    group = [item for item in again if item.fix is not None]
    if not group:
        return []
    files, lines = _applied(out.files, [_fix(item) for item in group])
    compilation = compile_workspace(root, shipped=shipped, laid_over=files)
    attempt = _Attempt(files, lines, compilation)
    if _mends(group, out.compilation, attempt):
        out.files, out.compilation = attempt.files, attempt.compilation
        out.done += [(span, fix.says) for fix in map(_fix, group) for span, _ in fix.edits]
        return [item for item in chosen if (_key(item), item.span) in standing]
    if len(group) == 1:
        return []
    half = len(group) // 2
    # The later half first, so that the places of the earlier one stay where they are.
    later = _kept(root, shipped, out, group[half:])
    return [*_kept(root, shipped, out, group[:half]), *later]


def _mends(group: Sequence[Diagnostic], before: Compilation, attempt: _Attempt) -> bool:
    """Tell whether fixes took their own findings away and put no other on the lines that they changed."""
    had = Counter(map(_key, before.diagnostics))
    has = Counter(map(_key, attempt.compilation.diagnostics))
    if any(has[key] > had[key] - count for key, count in Counter(map(_key, group)).items()):
        return False
    new = has - had
    return not any(
        item.span is not None and (item.span.file, item.span.line) in attempt.lines and new[_key(item)]
        for item in attempt.compilation.diagnostics
    )


def _chosen(found: Sequence[Diagnostic], refused: set[_Key]) -> list[Diagnostic]:
    """Return the findings whose fixes can be tried together, in the order of their places."""
    chosen: list[Diagnostic] = []
    taken: list[Span] = []
    for item in found:
        if item.fix is None or _key(item) in refused:
            continue
        spans = [span for span, _ in item.fix.edits]
        if any(_overlap(span, other) for span in spans for other in taken):
            continue
        taken += spans
        chosen.append(item)
    return chosen


def _overlap(a: Span, b: Span) -> bool:
    if a.file != b.file:
        return False
    return (a.line, a.column) < (b.end_line, b.end_column) and (b.line, b.column) < (a.end_line, a.end_column)


def _applied(files: Mapping[str, bytes], fixes: Sequence[Fix]) -> tuple[dict[str, bytes], frozenset[tuple[str, int]]]:
    """Return the contents after edits that do not overlap, and the lines (of those contents) that they changed."""
    edits = sorted((edit for fix in fixes for edit in fix.edits), key=lambda edit: edit[0].key())
    texts = {path: files[path].decode() for path in {span.file for span, _ in edits}}
    lines: set[tuple[str, int]] = set()
    shifted: Counter[str] = Counter()
    for span, text in edits:
        lines.add((span.file, span.line + shifted[span.file]))
        shifted[span.file] += text.count("\n") - (span.end_line - span.line)
    for span, text in reversed(edits):
        content = texts[span.file]
        start, end = _offset(content, span.line, span.column), _offset(content, span.end_line, span.end_column)
        texts[span.file] = content[:start] + text + content[end:]
    return {**files, **{path: text.encode() for path, text in texts.items()}}, frozenset(lines)


def _offset(text: str, line: int, column: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.index("\n", at) + 1
    return at + column - 1


def _own(root: str, item: Diagnostic) -> bool:
    """Tell whether what is to be mended are files of the workspace, and not those that ship with OmniBachi."""
    return all(os.path.isfile(os.path.join(root, span.file)) for span, _ in _fix(item).edits)


def _read(root: str, path: str, files: dict[str, bytes]) -> None:
    if path not in files:
        files[path] = _content(root, path)


def _content(root: str, path: str) -> bytes:
    with open(os.path.join(root, path), "rb") as file:
        return file.read()


def _fix(item: Diagnostic) -> Fix:
    assert item.fix is not None
    return item.fix


def _key(item: Diagnostic) -> _Key:
    return (item.code, item.message, item.span.file if item.span else "")
