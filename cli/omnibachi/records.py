"""What can be done with a record: verify, examine, render. Part of the public API.

A record is judged with what is at hand: the journal of a data root if it holds the run, the workflow as the journal
stored it or else as the given snapshot has it. None of these functions changes anything.
"""

from __future__ import annotations

import os
from dataclasses import replace

from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import decode, digest, digest_of
from omnibachi_model.record import Broken, read

from . import wiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any, Literal

    from .wiring import Report, Snapshot, Verification


def verify(
    record: bytes,
    *,
    data_root: str | PathLike[str] | None = None,
    require: str | None = None,
    trace_id: str | None = None,
) -> Verification:
    """Say whether a record holds: BROKEN at a line, INTACT, or ANCHORED in the journal of `data_root`.

    Where a data root is given or `require="anchored"` asks for it, an INTACT record's verdict says why it is not more.
    `trace_id` is the id under which the record was found, and another run's record under it is BROKEN. Raises Trouble
    when the data root cannot be read.
    """
    found = wiring.verify(record, journal=_of_journal(record, data_root)[0], trace_id=trace_id)
    wanted = data_root is not None or not found.reaches(require)
    if found.verdict != "INTACT" or found.reason is not None or not wanted:
        return found
    return replace(found, reason="no journal at hand holds this run")


def examine(
    record: bytes,
    *,
    snapshot: Snapshot | None = None,
    data_root: str | PathLike[str] | None = None,
    trace_id: str | None = None,
) -> Report:
    """Tell a person what happened in a run: path and reasons, changes, whose fault, which place, what to do.

    `trace_id` is the id under which the record was found, as in `verify`. A data root that cannot be read is one of the
    findings, not an exception.
    """
    trouble: Diagnostic | None = None
    journal = stored = None
    try:
        journal, stored = _of_journal(record, data_root)
    except Trouble as error:
        trouble = error.diagnostic
    address, wanted = workflow_of(record)
    workflow = decode(stored) if stored is not None and digest(stored) == wanted else None
    origins = locks = None
    if snapshot is not None:
        sealed = sealed_in(snapshot, address)
        if sealed is not None and (workflow is None or digest(sealed) == wanted):
            workflow = decode(sealed) if digest(sealed) == wanted or workflow is None else workflow
            origins = wiring.load_origins(snapshot, address)
        locks = {name: digest_of(lock) for name, lock in snapshot.manifest["capabilities"].items()}
    verdict = wiring.verify(record, journal=journal, trace_id=trace_id)
    report = wiring.examine(
        record,
        workflow=workflow,
        origins=origins,
        journal=journal,
        finding=(verdict.verdict, verdict.line, verdict.reason),
        locks=locks,
    )
    if trouble is not None:
        report.diagnostics = [*report.diagnostics, trouble]
    return report


def render(record: bytes, snapshot: Snapshot, form: Literal["md", "png", "svg", "dot"]) -> bytes:
    """Render a record as a page (`md`) or as a picture of the path over its workflow.

    Raises Refused with OB602 when the snapshot does not hold the workflow that the record is of, with OB730 when a
    picture cannot be drawn, with OB740 when the record does not hold.
    """
    address, wanted = workflow_of(record)
    sealed = sealed_in(snapshot, address)
    if sealed is None or digest(sealed) != wanted:
        message = f"the snapshot does not hold the workflow `{address}` as this record walked it"
        raise Refused([Diagnostic("OB602", message, help="render it with the snapshot that it ran on")])
    workflow = decode(sealed)
    if form == "md":
        return wiring.markdown(
            record, workflow=workflow, origins=wiring.load_origins(snapshot, address), seal=snapshot.seal, picture=None
        )
    try:
        return wiring.draw(record, workflow, form)
    except wiring.PictureFailed as failed:
        raise Refused([Diagnostic("OB730", f"the picture could not be drawn: {failed}")]) from failed


def workflow_of(record: bytes) -> tuple[str, str]:
    """Return address and digest of the workflow that a record says it walked; empty where it does not say."""
    try:
        body = next(read(record)).body
    except (Broken, StopIteration):
        return "", ""
    return str(body.get("workflow", "")), str(body.get("workflow_digest", ""))


def _run_of(record: bytes) -> str:
    try:
        return str(next(read(record)).obs.get("trace_id", ""))
    except (Broken, StopIteration):
        return ""


def _of_journal(record: bytes, data_root: str | PathLike[str] | None) -> tuple[bytes | None, bytes | None]:
    """Return the record as the journal of a data root has it, and the workflow that it stored."""
    run = _run_of(record)
    if data_root is None or not run or not os.path.isdir(data_root):
        return None, None
    with wiring.open_root(os.fspath(data_root), create=False) as ledger:
        row = ledger.finished(run)
        if row is None:
            return None, None
        return ledger.record(run), ledger.sealed(row.workflow_digest)


def sealed_in(snapshot: Snapshot, address: str) -> bytes | None:
    """Return a sealed workflow if its bytes are what the manifest says; its capabilities are not asked for."""
    entry: dict[str, Any] | None = snapshot.manifest["workflows"].get(address)
    if entry is None:
        return None
    data = snapshot.read(str(entry.get("file", "")))
    return data if data is not None and digest(data) == entry.get("sha256") else None
