"""`omnibachi verify`: does a record, or a snapshot, hold."""

from __future__ import annotations

import functools
import os
from importlib import metadata

import click

from omnibachi import verify as verify_record
from omnibachi import wiring
from omnibachi.exits import OK, UNPROVEN
from omnibachi.ledgers import Held, Judged, is_data_root, is_export, judged_export, judged_root, noted
from omnibachi.workspace import SNAPSHOT, Workspace, is_workspace
from omnibachi_model.diagnostics import Diagnostic, has_errors
from omnibachi_model.digests import digest
from omnibachi_model.sealed import MANIFEST, SEAL, SIGNATURE

from .options import as_command
from .output import Output, counted
from .recorded import beside, content_of, file_of, record_of

LEVELS = ("intact", "anchored")
ARCHIVE = b"PK\3\4"


@as_command("verify", "omnibachi.verify/1", "omnibachi verify traces/T1/T1.jsonl --require anchored", state=True)
@click.argument("target", metavar="TRACE|SNAPSHOT|WORKSPACE|BUNDLE|DATA_ROOT|EXPORT")
@click.option(
    "--require", type=click.Choice(LEVELS), default="intact", show_default=True, help="The least that will do."
)
@click.option("--signature", metavar="FILE", help="A signature of the run.  [default: <ID>.sig.json beside the record]")
@click.option("--proof", metavar="FILE", help="A proof of inclusion.  [default: <ID>.tlog-proof beside the record]")
@click.option("--checkpoint", metavar="FILE", help="What a ledger was.  [default: <data-root>.checkpoint.json]")
@click.option("--trust", "trust_file", metavar="FILE", help="Whose word counts.  [default: <workspace>/trust.json]")
def verify(
    output: Output, workspace: Workspace, target: str, require: str, signature: str | None, proof: str | None,
    checkpoint: str | None, trust_file: str | None,
) -> int:  # fmt: skip
    """Check a record (a file, or a trace id), a snapshot (a folder with a manifest.json, or its workspace), a bundle,
    the ledgers of decisions of a data root, or the export of one.

    A record is BROKEN at a line, INTACT (consistent, origin unproven) or ANCHORED (equal to the journal of the data
    root, or vouched for by a key of the trust file: by a signature, or by a checkpoint that holds the run). A snapshot
    is ANCHORED where such a key signed it, a bundle where one vouches for its run, a ledger of decisions where it goes
    on from what a checkpoint says; one that is BROKEN names its first bad event. Exit status 4 for BROKEN, for
    evidence that was tampered with, and for less than --require asks for.
    """
    trust = content_of(trust_file or workspace.trust, needed=trust_file is not None)
    folder = os.path.dirname(target) or "." if os.path.basename(target) == MANIFEST else target
    if any(os.path.lexists(os.path.join(folder, name)) for name in (MANIFEST, SEAL)):
        return _snapshot(output, workspace, folder, require, trust)
    if is_workspace(folder):
        return _snapshot(output, Workspace(folder), os.path.join(folder, SNAPSHOT), require, trust)
    if is_data_root(target) or is_export(target):
        held = None
        checkpoint = checkpoint or noted(target, workspace.mirrors)
        if checkpoint is not None:
            data = content_of(checkpoint, needed=True) or b""
            held = Held(checkpoint, data, trust, needed=trust_file is not None)
        judged = judged_root if is_data_root(target) else judged_export
        return _decisions(output, target, judged(target, held), require)
    record, trace_id = record_of(workspace, target)
    if record.startswith(ARCHIVE):
        return _bundle(output, target, record, require, trust)
    found = verify_record(
        record, data_root=workspace.data_root, require=require, trace_id=trace_id, trust=trust,
        signature=content_of(signature or beside(workspace, target, "sig.json"), needed=signature is not None),
        proof=content_of(proof or beside(workspace, target, "tlog-proof"), needed=proof is not None),
    )  # fmt: skip
    reached = found.reaches(require)
    diagnostics = list(found.findings)
    if not found.holds:
        message = f"`{target}` is broken at line {found.line}: {found.reason}"
        diagnostics.append(Diagnostic("OB740", message, help="do not rely on it; compare with the journal or a backup"))
    elif not found.finished:
        help = "the run has not ended: look at it with `omnibachi examine`"
        diagnostics.append(Diagnostic("OB741", f"`{target}` has no end", help=help, severity="warning"))
    if found.holds and not reached:
        message = f"`{target}` is {found.verdict}, not {require.upper()}: {found.reason}"
        help = "verify it beside the data root whose journal holds the run, or with a signature or proof that counts"
        diagnostics.append(Diagnostic("OB748", message, help=help))
    value = {key: item for key, item in found.as_json().items() if key != "schema"}
    lines = [f"{found.verdict}  {counted(found.events, 'event')}" + ("" if found.finished else ", unfinished")]
    lines += [f"digest  {found.digest}"] if found.digest else []
    lines += [f"anchored in  {anchor}" for anchor in found.anchors]
    return output.give(OK if reached and not has_errors(diagnostics) else UNPROVEN, value, lines, diagnostics)


def _bundle(output: Output, target: str, data: bytes, require: str, trust: bytes | None) -> int:
    verdict, anchors, diagnostics = wiring.judged_bundle(data, trust)
    if require == "anchored" and verdict == "INTACT":
        message = f"`{target}` is INTACT, not ANCHORED: nobody who is trusted here vouches for its run"
        diagnostics.append(Diagnostic("OB748", message, help="get the signer's key by another way, and trust it"))
    reason = next((item.message for item in diagnostics if item.severity == "error"), None)
    value = {"verdict": verdict, "line": None, "reason": reason, "anchors": anchors, "sha256": digest(data)}
    lines = [f"{verdict}  {digest(data)}", *(f"anchored in  {anchor}" for anchor in anchors)]
    return output.give(UNPROVEN if has_errors(diagnostics) else OK, value, lines, diagnostics)


def _decisions(output: Output, target: str, judged: Judged, require: str) -> int:
    verdict, ledgers, anchors, diagnostics = judged
    if require == "anchored" and verdict == "INTACT":
        message = f"`{wiring.shown_root(target)}` is INTACT, not ANCHORED: no checkpoint that counts was given"
        diagnostics.append(Diagnostic("OB748", message, help="give what it was before with `--checkpoint`"))
    reason = next((item.message for item in diagnostics if item.severity == "error"), None)
    told = [ledger.as_json() for ledger in ledgers]
    lines = [f"{verdict}  {ledger['store'] or 'export'}  {counted(ledger['length'], 'event')}" for ledger in told]
    for ledger in told:
        lines += [f"v_digest  {ledger['v_digest']}", f"normative_head  {ledger['normative_head']}"]
    lines += [f"anchored in  {anchor}" for anchor in anchors]
    value = {"verdict": verdict, "line": None, "reason": reason, "anchors": anchors, "ledgers": told}
    return output.give(UNPROVEN if has_errors(diagnostics) else OK, value, lines, diagnostics)


def _snapshot(output: Output, workspace: Workspace, folder: str, require: str, trust: bytes | None) -> int:
    read = functools.partial(file_of, folder)
    diagnostics = wiring.verify_snapshot(read, names_in(folder), workspace.capabilities.source, _version)
    manifest = read(MANIFEST)
    if manifest is None and os.path.lexists(os.path.join(folder, MANIFEST)):
        message = f"`{os.path.join(folder, MANIFEST)}` cannot be read"
        diagnostics = [Diagnostic("OB608", message, help="check that it is a file and that you may read it")]
    broken, anchors = has_errors(diagnostics), list[str]()
    signature = read(SIGNATURE)
    if manifest is not None and signature is not None and not broken:
        anchors, findings = wiring.anchored_snapshot(manifest, signature, trust)
        diagnostics += findings
    verdict = "BROKEN" if broken else "ANCHORED" if anchors else "INTACT"
    if require == "anchored" and verdict == "INTACT":
        message = f"`{folder}` is INTACT, not ANCHORED: no signature beside it counts"
        diagnostics.append(Diagnostic("OB748", message, help="sign it with `omnibachi sign`, and trust the key"))
    seal = None if manifest is None else digest(manifest)
    reason = next((item.message for item in diagnostics if item.severity == "error"), None)
    value = {"verdict": verdict, "seal": seal, "line": None, "reason": reason, "anchors": anchors}
    lines = [f"{verdict}  {seal}" if seal else verdict, *(f"anchored in  {anchor}" for anchor in anchors)]
    return output.give(UNPROVEN if has_errors(diagnostics) else OK, value, lines, diagnostics)


def names_in(folder: str) -> list[str]:
    """Return every file below a folder by its relative name; a link to a folder is one that nobody lists."""
    return [
        os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")
        for place, folders, files in os.walk(folder)
        for name in (*files, *(inner for inner in folders if os.path.islink(os.path.join(place, inner))))
    ]


def _version(name: str) -> str | None:
    """Return the version of OmniBachi or of an installed distribution."""
    if name == "omnibachi":
        return wiring.VERSION
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None


command = verify
