"""`omnibachi compat`: which recorded runs would end differently on a new snapshot, and where they part."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import click

from omnibachi import wiring
from omnibachi.exits import FAILED, FINDINGS, OK, UNPROVEN
from omnibachi.foretelling import BROKEN, DIFFERENT, SAME, UNJUDGED, Foreteller, Foretold, traces_below, walked_in
from omnibachi.mishaps import shown
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused

from .options import as_command
from .output import Output
from .recorded import KNOWN, record_of, snapshot_of

VERDICTS = (BROKEN, DIFFERENT, UNJUDGED, SAME)


@as_command("compat", "omnibachi.compat/1", "omnibachi compat ../next --traces traces", state=True)
@click.argument("new")
@click.option(
    "--traces",
    "traces",
    metavar="DIR",
    help="The folder whose `.jsonl` files are replayed.  [default: the workspace's traces, and its journal]",
)
def compat(output: Output, workspace: Workspace, new: str, traces: str | None) -> int:
    """Replay recorded runs against the snapshot NEW (a folder with a manifest.json, or a workspace) and list those that
    would end differently, and where they part.

    Side effects answer from the record; nothing is written. Exit status 0 when every finished run ends the same, 1
    when one ends differently or asks what its record cannot answer, 4 when a trace is broken.
    """
    foreteller = Foreteller(snapshot_of(workspace, new), walked_in(workspace))
    if traces is not None and not os.path.isdir(traces):
        help = "name a folder of traces, or leave `--traces` out for those of the workspace"
        raise Refused([Diagnostic("OB781", f"`{traces}` is no folder", help=help)], FINDINGS)
    found: list[Foretold] = []
    with output.progress("replaying") as progress:
        for name, record in _records(workspace, traces):
            progress.update(f"replaying {name}")
            # One that cannot be read must not hide what the others say.
            found.append(record if isinstance(record, Foretold) else foreteller.judge(name, record))
    diagnostics = [
        Diagnostic("OB740", f"`{one.trace}` is {one.reason}", help="compare with the journal or a backup")
        for one in found
        if one.verdict == BROKEN
    ]
    if not found:
        message = f"no recorded run lies in `{traces or workspace.traces.folder}`"
        diagnostics.append(Diagnostic("OB781", message, help="name a folder with `--traces`", severity="warning"))
    counts = Counter(one.verdict for one in found)
    value = {
        "seal": foreteller.snapshot.seal,
        **{name: [one.as_json() for one in found if one.verdict == name] for name in VERDICTS},
    }
    lines = [line for name in VERDICTS[1:3] for one in found if one.verdict == name for line in _told(one)]
    lines.append(", ".join(f"{counts[name]} {name}" for name in VERDICTS))
    return output.give(_status(found), value, lines, diagnostics)


def _status(found: list[Foretold]) -> int:
    if any(one.verdict == BROKEN for one in found):
        return UNPROVEN
    return FAILED if any(one.verdict != SAME and one.matters for one in found) else OK


def _records(workspace: Workspace, folder: str | None) -> Iterator[tuple[str, bytes | Foretold]]:
    """Give name and bytes of each record: those of a folder, or of the workspace's traces and then of its journal; of
    one that cannot be read, the verdict."""
    base = folder if folder is not None else workspace.traces.folder
    seen = set()
    for name, path in traces_below(base):
        seen.add(os.path.basename(name).removesuffix(".jsonl"))
        try:
            # What is no file, such as a pipe, may never come to an end.
            regular = os.path.isfile(path)
            yield name, record_of(workspace, path)[0] if regular else Foretold(name, BROKEN, reason="no file")
        except Refused as refused:
            yield name, Foretold(name, BROKEN, reason=f"unreadable: {refused.diagnostics[0].message}")
    if folder is not None or not wiring.may_be_there(workspace.data_root):
        return
    with wiring.open_root(workspace.data_root, reading=True) as ledger:
        # The newest; what is older and has no trace is not judged.
        for row in reversed(ledger.runs(KNOWN)):
            record = None if row.run in seen else ledger.record(row.run)
            if record is not None:
                yield row.run, record


def _told(one: Foretold) -> list[str]:
    lines = [f"{one.verdict.upper()}  {one.trace}  {one.workflow}"]
    if one.recorded and one.now:
        (was, now), result = (one.recorded, one.now), one.recorded["result"] != one.now["result"]
        ends = [
            f"{end['exit']} ({end['status']})" + (f" {shown(end['result'])}" if result else "") for end in (was, now)
        ]
        lines.append(f"  ended {ends[0]}, would end {ends[1]}")
    if one.reason:
        lines.append(f"  {one.reason}")
    if one.part:
        part = one.part
        values = f"recorded {shown(part['recorded'])}, recomputed {shown(part['recomputed'])}"
        lines.append(f"  parts at {part['node']}, {part['field']}: {values}")
    return lines


command = compat
