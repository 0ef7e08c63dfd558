"""`omnibachi export`: a record for other systems."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

import click

from omnibachi import wiring
from omnibachi.exits import OK
from omnibachi.exporting import FORMS, export
from omnibachi.foretelling import walked_in
from omnibachi.records import workflow_of
from omnibachi.rewriting import put
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic

from .options import as_command
from .output import Output
from .recorded import record_of


@as_command("export", "omnibachi.export/1", "omnibachi export T1 --format otlp --output T1.otlp.json", state=True)
@click.argument("trace")
@click.option("--format", "form", type=click.Choice(FORMS), required=True, help="The form to write it in.")
@click.option("--output", "-o", "file", metavar="FILE", help="Where to write it.  [default: stdout]")
def command(
    output: Output,
    workspace: Workspace,
    trace: str,
    form: Literal["otlp", "cloudevents", "openlineage"],
    file: str | None,
) -> int:
    """Write the record of TRACE (a file, or a trace id) for other systems: an OpenTelemetry trace (OTLP/JSON),
    CloudEvents (a JSON array), or OpenLineage events (one JSON object a line).

    Ids follow from the run's id, instants from the record: the same record gives the same bytes. Payloads, inputs and
    outputs stand in CloudEvents alone. Exit status 4 for a record that is broken.
    """
    record, _ = record_of(workspace, trace)
    found = []
    workflow = walked_in(workspace)(*workflow_of(record)) if form == "openlineage" else None
    data = export(record, form, workflow=workflow)
    if form == "openlineage" and workflow is None:
        message = "the workflow that ran is not at hand, so no store is told"
        help = "name the workspace or the data root whose snapshot or journal holds it"
        found.append(Diagnostic("OB746", message, help=help, severity="warning"))
    if not wiring.verify(record).finished:
        help = "export it again when the run has been finished with `omnibachi resume`"
        found.append(Diagnostic("OB741", "the record has no end", help=help, severity="warning"))
    value: dict[str, Any] = {"format": form, "output": file}
    if file is not None:
        put(data, file)
        return output.give(OK, value, [f"written: {file}"], found)
    if output.as_json:
        lines = data.splitlines() if form == "openlineage" else [data]
        told = [json.loads(line) for line in lines]
        return output.give(OK, {**value, "exported": told if form == "openlineage" else told[0]}, [], found)
    output.findings(found)
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return OK
