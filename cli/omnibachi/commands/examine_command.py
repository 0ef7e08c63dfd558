"""`omnibachi examine`: what happened in a run and why, whose fault it was, and what to do."""

from __future__ import annotations

import json

import click

from omnibachi import examine as examine_record
from omnibachi import wiring
from omnibachi.exits import FINDINGS, OK, UNPROVEN
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Refused, has_errors

from .options import as_command
from .output import Output
from .recorded import record_of


@as_command(
    "examine",
    "omnibachi.examine/1",
    "omnibachi examine 20260101T000000123456-9f86d081 --select '$[*].body.outcome'",
    state=True,
)
@click.argument("trace")
@click.option(
    "--select", metavar="JSONPATH", help="Print what this finds in the list of events instead, one value a line."
)
def examine(output: Output, workspace: Workspace, trace: str, select: str | None) -> int:
    """Say what happened in the run of TRACE (a file, or a trace id) and why, and what to do about it.

    --select speaks the dialect of jsonpath-ng; an event is {line, body, obs, prev, hash}. Exit status 4 for a record
    that is broken.
    """
    record, trace_id = record_of(workspace, trace)
    if select is not None:
        values, found = wiring.select(record, select)
        status = FINDINGS if any(item.code == "OB747" for item in found) else UNPROVEN if has_errors(found) else OK
        return output.give(status, {"values": values}, [json.dumps(item, ensure_ascii=False) for item in values], found)
    snapshot, refusals = None, []
    try:
        snapshot = workspace.load()
    except Refused as refused:
        # A record must be examined without its snapshot too; reasons that need it are then left out.
        refusals = [item.as_warning() for item in refused.diagnostics if item.code != "OB601"]
    report = examine_record(record, snapshot=snapshot, data_root=workspace.data_root, trace_id=trace_id)
    report.diagnostics = [*report.diagnostics, *refusals]
    status = UNPROVEN if report.verdict == "BROKEN" else OK
    value = {key: item for key, item in report.as_json().items() if key not in ("schema", "diagnostics")}
    shown = report.diagnostics if output.as_json else ()
    return output.give(status, value, report.as_text().rstrip("\n").splitlines(), shown)


command = examine
