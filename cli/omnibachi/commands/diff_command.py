"""`omnibachi diff`: what changed between two snapshots, and what of it breaks whom."""

from __future__ import annotations

from collections import Counter

import click

from omnibachi.comparing import compare
from omnibachi.exits import FAILED, OK
from omnibachi.wiring import Change

from .options import as_command
from .output import Output

CLASSES = ("breaking", "additive", "cosmetic")


@as_command("diff", "omnibachi.diff/1", "omnibachi diff ../released protocol_snapshot", workspace=False)
@click.argument("old")
@click.argument("new")
def diff(output: Output, old: str, new: str) -> int:
    """Compare two snapshots (folders with a manifest.json, or workspaces): every change is breaking, additive or
    cosmetic, with its reason and its place.

    Exit status 0 without a breaking change, 1 with one, 4 when a snapshot does not hold. docs/compatibility.md says
    what counts as breaking.
    """
    changes, seal, now = compare(old, new)
    counted = Counter(change.weight for change in changes)
    counts = {name: counted[name] for name in CLASSES}
    value = {"old": seal, "new": now, **counts, "changes": [change.as_json() for change in changes]}
    lines = [line for name in CLASSES for line in _section(name, [one for one in changes if one.weight == name])]
    summary = ", ".join(f"{counts[name]} {name}" for name in CLASSES)
    return output.give(FAILED if counts["breaking"] else OK, value, [*lines, summary if changes else "no change"])


def _section(name: str, changes: list[Change]) -> list[str]:
    lines = [name] if changes else []
    for change in changes:
        part = f" {change.part}" if change.part else ""
        lines.append(f"  {change.address}{part}: {change.what}")
        where = f"{change.file}:{change.line}: " if change.line else ""
        lines.append(f"    {where}{change.reason} ({change.rule})")
    return [*lines, ""] if lines else []


command = diff
