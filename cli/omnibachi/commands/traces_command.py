"""`omnibachi traces`: look at past runs, in the journal and in the folder of traces."""

from __future__ import annotations

import os
from itertools import islice
from typing import Any

import click

from omnibachi import examine, wiring
from omnibachi.exits import OK, UNPROVEN
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import decode
from omnibachi_model.record import Broken, read

from .options import as_command
from .output import Output, table
from .recorded import record_of, traces_in

KINDS = ("jsonl", "md", "png")


@click.group("traces", context_settings={"help_option_names": ["--help", "-h"]})
def traces() -> None:
    """Look at past runs: the traces that lie here, and what the journal knows.

    \b
    Example:
      omnibachi traces ls --limit 5
    """


@as_command("ls", "omnibachi.traces-ls/1", "omnibachi traces ls --limit 5", state=True)
@click.option(
    "--limit", type=click.IntRange(1, 100000), default=50, show_default=True, help="At most so many, newest first."
)
def ls(output: Output, workspace: Workspace, limit: int) -> int:
    """List past runs, newest first: those in the journal and those of which only a trace is left."""
    with wiring.open_root(workspace.data_root, reading=True) as ledger:
        rows = {row.run: _row(row) for row in ledger.runs(limit)}
    for trace_id in islice(traces_in(workspace), limit):
        if trace_id not in rows:
            rows[trace_id] = _from_trace(workspace, trace_id)
    found = sorted(rows.values(), key=lambda row: (row["started_at"] or "", row["trace_id"]), reverse=True)[:limit]
    text = [[row["trace_id"], row["started_at"] or "", row["workflow"] or "", _end(row)] for row in found]
    return output.give(OK, {"traces": found}, table(("trace id", "started", "workflow", "end"), text))


@as_command("show", "omnibachi.traces/1", "omnibachi traces show 20260101T000000000000-00000000", state=True)
@click.argument("trace")
def show(output: Output, workspace: Workspace, trace: str) -> int:
    """Print the page of one run (Markdown), and where its files lie; TRACE is its id, or the file of its record.

    Exit status 4 for a record that is broken; what stands before the break is shown.
    """
    record, trace_id = record_of(workspace, trace)
    paths = {kind: workspace.traces.path(trace_id, kind) for kind in KINDS} if trace_id else {}
    files = {kind: path for kind, path in paths.items() if os.path.isfile(path)}
    events, found = _events(record, trace)
    value = {"trace_id": trace_id, "files": files, "events": events}
    return output.give(UNPROVEN if found else OK, value, _page(workspace, record, files.get("md")).splitlines(), found)


def _events(record: bytes, trace: str) -> tuple[list[dict[str, Any]], list[Diagnostic]]:
    events: list[dict[str, Any]] = []
    try:
        for event in read(record):
            events.append({"body": event.body, "obs": event.obs, "prev": event.prev, "hash": event.hash})
    except Broken as broken:
        message = f"`{trace}` is broken at line {broken.line}: {broken.reason}"
        return events, [Diagnostic("OB740", message, help="`omnibachi examine` tells what can be relied on")]
    return events, []


def _page(workspace: Workspace, record: bytes, file: str | None) -> str:
    """Return the page of a run as it lies there, or else what can be told of its record."""
    if file is not None:
        try:
            with open(file, encoding="utf-8", errors="replace") as opened:
                return opened.read().rstrip("\n")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Trouble(Diagnostic("OB742", f"`{file}` cannot be read: {reason}")) from error
    return examine(record, data_root=workspace.data_root).as_text().rstrip("\n")


def _row(row: wiring.RunRow) -> dict[str, Any]:
    return {
        "trace_id": row.run,
        "started_at": row.started_at,
        "workflow": row.workflow,
        "exit": row.exit,
        "status": row.status,
        "digest": row.digest,
    }


def _from_trace(workspace: Workspace, trace_id: str) -> dict[str, Any]:
    """Read what a trace says of its run; what cannot be read is left out, since `verify` is there to judge it."""
    row: dict[str, Any] = {
        "trace_id": trace_id, "started_at": None, "workflow": None, "exit": None, "status": None, "digest": None,
    }  # fmt: skip
    try:
        lines = (workspace.traces.read(trace_id) or b"").splitlines()
        first, last = decode(lines[0]), decode(lines[-1])
        row |= {"started_at": first["obs"]["started_at"], "workflow": first["body"]["workflow"]}
        row |= {key: last["body"].get(key) for key in ("exit", "status")}
    except (ValueError, IndexError, KeyError, TypeError, AttributeError):
        pass
    return row


def _end(row: dict[str, Any]) -> str:
    return f"{row['exit']} {row['status']}" if row["exit"] else str(row["status"] or "unfinished").lower()


for _command in (ls, show):
    traces.add_command(_command)
command = traces
