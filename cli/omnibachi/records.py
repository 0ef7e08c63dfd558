"""What can be done with a record: verify, examine, compare, render. Part of the public API.

A record is judged with what is at hand: the journal of a data root if it holds the run, the workflow as the journal
stored it or else as the given snapshot has it. None of these functions changes anything.
"""

from __future__ import annotations

import os
from dataclasses import replace

from omnibachi_model import codes
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import decode, digest, digest_of
from omnibachi_model.formats import write_time
from omnibachi_model.record import Broken, read

from . import wiring
from .clocks import SystemClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any, Literal

    from .wiring import Parting, Report, Snapshot, Verification


def verify(
    record: bytes,
    *,
    data_root: str | PathLike[str] | None = None,
    require: str | None = None,
    trace_id: str | None = None,
    signature: bytes | None = None,
    proof: bytes | None = None,
    trust: bytes | None = None,
) -> Verification:
    """Say whether a record holds: BROKEN at a line, INTACT, or ANCHORED.

    It is ANCHORED in the journal of `data_root`, or by a `signature` (an envelope over the run's head) or a `proof`
    (that a signed checkpoint holds the run) of a key that `trust` lists; all three are the bytes of files, which
    docs/formats.md describes. What is wrong with them stands in the verdict's `findings` (OB614 to OB624).

    Where a data root is given or `require="anchored"` asks for it, an INTACT record's verdict says why it is not more.
    `trace_id` is the id under which the record was found, and another run's record under it is BROKEN. Raises Trouble
    when the data root cannot be read.
    """
    journal, _, doubt = _of_journal(record, data_root)
    found = wiring.verify(record, journal=journal, trace_id=trace_id)
    if found.verdict == "ANCHORED" and doubt is not None:
        reason = f"the journal contradicts itself about this run: {doubt}"
        found = replace(found, verdict="INTACT", reason=reason, anchors=())
    if signature is not None or proof is not None:
        now = write_time(SystemClock().now_ns())
        found = wiring.anchored(found, record, wiring.Evidence(signature, proof, trust), now)
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
    notes: list[Diagnostic] = []
    advice: list[str] = []
    journal = stored = None
    try:
        journal, stored, _ = _of_journal(record, data_root)
    except Trouble as error:
        notes.append(error.diagnostic.as_warning())
        advice.append(f"mend the data root, which could not be read: {help_of(error.diagnostic)}")
    address, wanted = workflow_of(record)
    workflow = decode(stored) if stored is not None and digest(stored) == wanted else None
    origins = locks = None
    if snapshot is not None and wanted:
        other = not_the_one(record, snapshot)
        if other is None:
            workflow = decode(sealed_in(snapshot, address) or b"")
            origins = wiring.load_origins(snapshot, address)
        elif is_workflow(address):
            notes.append(other.as_warning())
        locks = _locks_now(record, snapshot)
    verdict = wiring.verify(record, journal=journal, trace_id=trace_id)
    report = wiring.examine(
        record,
        workflow=workflow,
        origins=origins,
        journal=journal,
        finding=(verdict.verdict, verdict.line, verdict.reason),
        locks=locks,
        trace_id=trace_id,
    )
    from .people import say

    say(report, record, _run_of(record), data_root)
    report.diagnostics = [*report.diagnostics, *notes]
    report.advice += advice
    return report


def diff(old: bytes, new: bytes) -> Parting:
    """Say why two runs part: the first difference that follows from nothing before it, and what followed from it.

    Raises Refused (OB740) for a record that does not hold.
    """
    for which, record in (("first", old), ("second", new)):
        found = wiring.verify(record)
        if not found.holds:
            message = f"the {which} record is broken at line {found.line}: {found.reason}"
            raise Refused([Diagnostic("OB740", message, help="compare only what holds; look for a backup")])
    return wiring.part(old, new)


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
        return wiring.markdown(record, workflow=workflow, origins=wiring.load_origins(snapshot, address), picture=None)
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


def is_workflow(address: str) -> bool:
    """Tell runs of workflows from tried calls of one capability, which no snapshot holds and which leave no trace."""
    return address.partition("::")[2].startswith("WF_")


def not_the_one(record: bytes, snapshot: Snapshot) -> Diagnostic | None:
    """Say why a snapshot does not hold the workflow that a record walked; None where it does."""
    address, wanted = workflow_of(record)
    entry = snapshot.manifest["workflows"].get(address)
    sealed = sealed_in(snapshot, address)
    if sealed is not None and digest(sealed) == wanted:
        return None
    if isinstance(entry, dict) and sealed is None:
        name = str(entry.get("file"))
        return Diagnostic("OB602", f"`{name}` is not what the manifest says", help="compile again, or restore the file")
    seal = next(read(record)).obs.get("seal")
    has = f"the snapshot at hand has `{digest(sealed)}`" if sealed else "the snapshot at hand does not hold it"
    return Diagnostic(
        "OB746",
        f"the run walked `{address}` sealed as `{wanted}`, and {has}",
        help=f"use the snapshot of the seal `{seal}`, or the run's data root, whose journal stored the workflow",
    )


def drifted(snapshot: Snapshot, lock: dict[str, Any]) -> dict[str, bool]:
    """Return the modules of a lock whose source is not what was sealed, and whether each is there at all.

    Nothing is known where the snapshot came without a way to its capabilities.
    """
    modules = lock.get("modules") if isinstance(lock, dict) else None
    if snapshot.capabilities is None or not isinstance(modules, dict):
        return {}
    found = {name: snapshot.capabilities.source(name) for name in modules}
    return {
        name: source is not None for name, source in found.items() if source is None or digest(source) != modules[name]
    }


def _locks_now(record: bytes, snapshot: Snapshot) -> dict[str, str]:
    """Return the digest of each capability's lock, empty where its source is not what was sealed; none where it is
    gone."""
    known = snapshot.manifest["capabilities"]
    ran = next(read(record)).obs.get("capabilities")
    changed = {name: drifted(snapshot, known[name]) for name in (ran if isinstance(ran, dict) else ()) if name in known}
    return {
        name: "" if changed.get(name) else digest_of(lock)
        for name, lock in known.items()
        if all(changed.get(name, {}).values())
    }


def help_of(found: Diagnostic) -> str:
    """Return what to do about a finding: its own help, or that of its code."""
    return str(found.help or codes.help_of(found.code))


def _run_of(record: bytes) -> str:
    try:
        return str(next(read(record)).obs.get("trace_id", ""))
    except (Broken, StopIteration):
        return ""


def _of_journal(record: bytes, data_root: str | PathLike[str] | None) -> tuple[bytes | None, bytes | None, str | None]:
    """Return the record as the journal of a data root has it, the workflow that it stored, and what contradicts it."""
    run = _run_of(record)
    if data_root is None or not run or not wiring.may_be_there(os.fspath(data_root)):
        return None, None, None
    with wiring.open_root(os.fspath(data_root), reading=True) as ledger:
        row = ledger.finished(run)
        if row is None:
            return None, None, None
        return ledger.record(run), ledger.sealed(row.workflow_digest), ledger.doubt(row)


def sealed_in(snapshot: Snapshot, address: str) -> bytes | None:
    """Return a sealed workflow if its bytes are what the manifest says; its capabilities are not asked for."""
    entry: dict[str, Any] | None = snapshot.manifest["workflows"].get(address)
    if entry is None:
        return None
    data = snapshot.read(str(entry.get("file", "")))
    return data if data is not None and digest(data) == entry.get("sha256") else None
