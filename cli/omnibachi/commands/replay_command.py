"""`omnibachi replay`: compute a recorded run again from the sealed workflow, and compare."""

from __future__ import annotations

import click

from omnibachi import replay as replay_record
from omnibachi.exits import OK, UNPROVEN
from omnibachi.payloads import payload_of
from omnibachi.replaying import Replay
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Refused

from .options import as_command
from .output import Output, counted
from .recorded import record_of, snapshot_of


@as_command("replay", "omnibachi.replay/1", "omnibachi replay traces/T1/T1.jsonl", state=True)
@click.argument("trace")
@click.option(
    "--snapshot",
    "given",
    metavar="DIR",
    help="The snapshot to replay it with: a folder with a manifest.json, or a workspace.  "
    "[default: the workspace's, or the workflow as the journal stored it]",
)
@click.option(
    "--payload", "file", metavar="FILE", help="The payload of the run, to do again what reads its secrets; - reads it."
)
def replay(output: Output, workspace: Workspace, trace: str, given: str | None, file: str | None) -> int:
    """Compute every transform, decision and route of TRACE (a file, or a trace id) again, and report the first
    divergence.

    Side effects answer from the record; nothing is written. What reads a secret of the run is reported as withheld,
    and done again with its --payload and the key of the data root only. Exit status 4 where the replay diverges, where
    the record is broken, and where no workflow at hand is the one that ran.
    """
    record, trace_id = record_of(workspace, trace)
    try:
        snapshot = snapshot_of(workspace, given)
        # A snapshot that was named is to be replayed with, whatever the journal stored.
        root = workspace.data_root if given is None else None
        payload = payload_of(file, ()) if file is not None else None
        if payload is not None:
            root = workspace.data_root  # where the key is
        found = replay_record(record, snapshot, data_root=root, trace_id=trace_id, payload=payload)
    except Refused as refused:
        value: dict[str, object] = {"same": False, "divergence": None, "withheld": []}
        return output.give(refused.exit_code, value, [], refused.diagnostics)
    value = {key: item for key, item in found.as_json().items() if key not in ("schema", "diagnostics")}
    return output.give(OK if found.same else UNPROVEN, value, _lines(found), found.diagnostics)


def _lines(found: Replay) -> list[str]:
    if found.divergence is not None:
        where = found.divergence.path or "the start"
        return [f"DIVERGES  at line {found.line}, {where}: {found.divergence.field}"]
    end = "" if found.finished else f", then the record ends before {found.stops_at}"
    same = f"SAME  {counted(found.events, 'event')}{end}"
    if not found.withheld:
        return [same]
    shown = ", ".join(path or "the payload" for path in found.withheld)
    return [same, f"WITHHELD  {shown}: not done again without the secrets of the run (--payload)"]


command = replay
