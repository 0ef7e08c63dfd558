"""`omnibachi diff`: what changed between two snapshots and breaks whom, or why two recorded runs part."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import click

from omnibachi import diff as diff_records
from omnibachi.comparing import compare
from omnibachi.exits import FAILED, FINDINGS, OK
from omnibachi.mishaps import shown
from omnibachi.wiring import Change, Parting
from omnibachi.workspace import Workspace
from omnibachi_model.addresses import TRACE_ID
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.sealed import MANIFEST

from .options import as_command
from .output import Output, counted
from .recorded import record_of

CLASSES = ("breaking", "additive", "cosmetic")
MOST = 30  # steps that are told to people
MOST_PLACES = 3  # differing places of each
_WORDS = {"only-old": "only in the first", "only-new": "only in the second"}


@as_command("diff", "omnibachi.diff/1", "omnibachi diff ../released protocol_snapshot", state=True)
@click.argument("old")
@click.argument("new")
def diff(output: Output, workspace: Workspace, old: str, new: str) -> int:
    """Compare two snapshots (folders with a manifest.json, or workspaces), or two records (files, or trace ids).

    Of snapshots, every change is breaking, additive or cosmetic, with its reason and its place; docs/compatibility.md
    says what counts as breaking. Exit status 0 without a breaking change, 1 with one, 4 when a snapshot does not hold.

    Of records, the first difference that follows from nothing before it (payload, workflow, run input, recorded answer,
    code), and what followed from it. Exit status 0 for runs with one digest, 1 for others, 4 for a broken record.
    """
    kinds = [_is_record(workspace, target) for target in (old, new)]
    if all(kinds):
        return _records(Output(output.as_json, "omnibachi.diff.records/1"), workspace, old, new)
    if any(kinds):
        record, snapshot = (old, new) if kinds[0] else (new, old)
        message = f"`{record}` is a record, and `{snapshot}` is none"
        raise Refused([Diagnostic("OB754", message, help="name two snapshots, or two records")], FINDINGS)
    changes, seal, now = compare(old, new)
    counted = Counter(change.weight for change in changes)
    counts = {name: counted[name] for name in CLASSES}
    value = {"old": seal, "new": now, **counts, "changes": [change.as_json() for change in changes]}
    lines = [line for name in CLASSES for line in _section(name, [one for one in changes if one.weight == name])]
    summary = ", ".join(f"{counts[name]} {name}" for name in CLASSES)
    return output.give(FAILED if counts["breaking"] else OK, value, [*lines, summary if changes else "no change"])


def _is_record(workspace: Workspace, target: str) -> bool:
    """Tell records from snapshots by what they are: a file, a folder of a trace, or an id of which there is no path."""
    if os.path.isdir(target):
        return os.path.isfile(os.path.join(target, f"{os.path.basename(os.path.abspath(target))}.jsonl"))
    if os.path.lexists(target):
        return os.path.basename(target) != MANIFEST
    file, mark, _ = target.rpartition("#")
    return TRACE_ID.match(target) is not None or (bool(mark) and os.path.isfile(file))


def _records(output: Output, workspace: Workspace, old: str, new: str) -> int:
    found = diff_records(record_of(workspace, old)[0], record_of(workspace, new)[0])
    status = OK if found.same else FAILED
    return output.give(status, found.as_json(), _parting(found, (old, new)))


def _parting(found: Parting, names: tuple[str, str]) -> list[str]:
    lines = []
    if found.same:
        lines.append(f"the same  {found.digests[0]}")
    for number, cause in enumerate(found.causes):
        at = f" at {cause.path}" if cause.path else ""
        lines.append(f"{'also' if number else 'first difference'}: {cause.kind}{at}")
        lines += [f"  {cause.note}"] if cause.note else []
        lines += _places(cause.places)
    if found.followed:
        lines += ["", f"what followed, after {counted(found.shared, 'step')} alike"]
        for item in found.followed[:MOST]:
            lines.append(f"  {item.path}: {_WORDS.get(item.what, item.what + ' differs')}")
            lines += [f"  {line}" for line in _places(item.places[:MOST_PLACES])]
        rest = len(found.followed) - MOST
        lines += [f"  and {counted(rest, 'step')} more; `--json` tells all"] if rest > 0 else []
    if not found.same:
        lines.append("")
        lines += [f"{name}: {_end(end)}" for name, end in zip(names, found.ends, strict=True)]
    changed = ", ".join(found.locks)
    lines += [f"sealed with other code: {changed}" + ("; no answer differs" if found.same else "")] if changed else []
    return lines


def _places(places: list[tuple[str, Any, Any]]) -> list[str]:
    return [f"  {pointer or '/'}: {shown(old)} -> {shown(new)}" for pointer, old, new in places]


def _end(end: dict[str, Any] | None) -> str:
    return "no end" if end is None else f"{end['exit']} ({end['status']}) {shown(end['result'])}"


def _section(name: str, changes: list[Change]) -> list[str]:
    lines = [name] if changes else []
    for change in changes:
        part = f" {change.part}" if change.part else ""
        lines.append(f"  {change.address}{part}: {change.what}")
        where = f"{change.file}:{change.line}: " if change.line else ""
        lines.append(f"    {where}{change.reason} ({change.rule})")
    return [*lines, ""] if lines else []


command = diff
