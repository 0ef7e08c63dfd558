"""`omnibachi replay`: compute a recorded run again from the sealed workflow, or decisions from their intents, and
compare."""

from __future__ import annotations

import click

from omnibachi import replay as replay_record
from omnibachi.exits import OK, UNPROVEN
from omnibachi.ledgers import is_data_root, is_export
from omnibachi.payloads import payload_of
from omnibachi.replaying import Replay
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Refused

from .options import as_command
from .output import Output, counted
from .recorded import record_of, snapshot_of
from .redecided import replay_ledgers


@as_command("replay", "omnibachi.replay/1", "omnibachi replay traces/T1/T1.jsonl", state=True)
@click.argument("target", metavar="TRACE|DATA_ROOT|EXPORT")
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
@click.option(
    "--policy", metavar="NAME|ADDRESS", help="Of ledgers: decide all under this pack.  [default: each under its own]"
)
def replay(
    output: Output, workspace: Workspace, target: str, given: str | None, file: str | None, policy: str | None
) -> int:
    """Compute every transform, decision and route of TRACE (a file, or a trace id) again, and report the first
    divergence; or make every DECISION of a data root's ledgers, or of the export of one, again from its INTENT.

    Side effects answer from the record; nothing is written. What reads a secret of the run is reported as withheld,
    and done again with its --payload and the key of the data root only. Of ledgers every difference is reported: the
    correlation, the member, how it was and how it is now. Exit status 4 where the replay diverges, where what is
    recorded is broken, and where no workflow or pack at hand is the one that it was made with.
    """
    if is_data_root(target) or is_export(target):
        if file is not None:
            raise click.UsageError("`--payload` is for the record of a run")
        return replay_ledgers(output, target, snapshot_of(workspace, given), policy)
    if policy is not None:
        raise click.UsageError("`--policy` is for ledgers of decisions: a data root, or the export of one")
    record, trace_id = record_of(workspace, target)
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
