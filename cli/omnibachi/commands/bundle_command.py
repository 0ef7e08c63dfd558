"""`omnibachi bundle`: one run with everything that proves it, for somebody who has no OmniBachi."""

from __future__ import annotations

from typing import Any

import click

from omnibachi import verify as verify_record
from omnibachi import wiring
from omnibachi.exits import OK
from omnibachi.records import not_the_one, sealed_in
from omnibachi.trusting import trust_in, write_file
from omnibachi.wiring import Snapshot, Trust
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused, has_errors
from omnibachi_model.digests import digest
from omnibachi_model.record import read
from omnibachi_model.sealed import MANIFEST, SIGNATURE

from .options import as_command
from .output import Output
from .recorded import beside, content_of, record_of, snapshot_of


@as_command("bundle", "omnibachi.bundle-made/1", "omnibachi bundle T1 --output T1.zip", state=True)
@click.argument("target", metavar="TRACE|TRACE_ID")
@click.option("--output", "path", metavar="FILE", help="Where it goes.  [default: <ID>.bundle.zip beside the trace]")
@click.option(
    "--snapshot", "place", metavar="DIR", help="The snapshot that the run walked.  [default: the present one]"
)
@click.option("--trust", "trust_file", metavar="FILE", help="Whose keys go in.  [default: <workspace>/trust.json]")
def bundle(
    output: Output, workspace: Workspace, target: str, path: str | None, place: str | None, trust_file: str | None
) -> int:
    """Pack the record of a finished run with its workflow, manifest, signatures, proof of inclusion, the public keys
    behind them, and a verifier that needs nothing but Python and the package `cryptography`.

    The same run with the same evidence gives the same bytes. Evidence that was tampered with is not packed.
    """
    record, _ = record_of(workspace, target)
    head = wiring.head_of(record)
    if isinstance(head, Diagnostic):
        raise Refused([head])
    parts = _behaviour(record, head, snapshot_of(workspace, place))
    parts["trace.jsonl"] = record
    for name, kind in (("trace.sig.json", "sig.json"), ("trace.tlog-proof", "tlog-proof")):
        data = content_of(beside(workspace, target, kind), needed=False)
        parts |= {} if data is None else {name: data}
    trust = trust_in(trust_file or workspace.trust) or wiring.Trust()
    findings = _judged(parts, record, trust)
    parts["keys.json"] = wiring.Trust(tuple(entry for entry in trust.entries if _speaks(entry.key.id, parts))).written()
    with open(wiring.VERIFIER, "rb") as file:
        parts["verify.py"] = file.read()
    data, file_name = wiring.bundled(str(head["run"]), parts), path or beside(workspace, target, "bundle.zip")
    write_file(file_name, data)
    value = {"bundle": file_name, "sha256": digest(data), "parts": sorted([*parts, "bundle.json"])}
    return output.give(OK, value, [file_name, f"  {digest(data)}", *(f"  {name}" for name in sorted(parts))], findings)


def _behaviour(record: bytes, head: dict[str, Any], snapshot: Snapshot) -> dict[str, bytes]:
    """Return what the run walked: workflow, manifest, and the manifest's signature if there is one."""
    ran = next(read(record)).obs.get("seal")
    manifest = snapshot.read(MANIFEST) or b""
    sealed = sealed_in(snapshot, head["workflow"])
    other = not_the_one(record, snapshot)
    if ran != digest(manifest) or sealed is None or other is not None:
        message = (
            f"the run walked `{head['workflow']}` of the seal `{ran}`, and the snapshot here is `{digest(manifest)}`"
        )
        help = "name a folder that holds that snapshot with `--snapshot`; a tried call has none"
        raise Refused([Diagnostic("OB627", message, help=help)])
    signature = snapshot.read(SIGNATURE)
    return {"manifest.json": manifest, "workflow.json": sealed} | (
        {} if signature is None else {"manifest.sig.json": signature}
    )


def _judged(parts: dict[str, bytes], record: bytes, trust: Trust) -> list[Diagnostic]:
    """Return what is to be said of the evidence; raises Refused where it was tampered with."""
    written = trust.written()
    signature, proof = parts.get("trace.sig.json"), parts.get("trace.tlog-proof")
    findings = list(verify_record(record, signature=signature, proof=proof, trust=written).findings)
    if "manifest.sig.json" in parts:
        findings += wiring.anchored_snapshot(parts["manifest.json"], parts["manifest.sig.json"], written)[1]
    if has_errors(findings):
        raise Refused(findings)
    return findings


def _approvers(record: bytes) -> set[str]:
    """Return the ids of the keys with which people answered the run."""
    return {item["key"] for event in read(record) for item in event.obs.get("approvals", ())}


def _speaks(key_id: str, parts: dict[str, bytes]) -> bool:
    """Tell whether a key's signature is among the parts."""
    for name in ("manifest.sig.json", "trace.sig.json"):
        if name in parts and key_id in [signer for signer, _ in wiring.envelope_of(parts[name]).signatures]:
            return True
    if key_id in _approvers(parts["trace.jsonl"]):
        return True
    if "trace.tlog-proof" not in parts:
        return False
    signatures = wiring.inclusion_of(parts["trace.tlog-proof"]).checkpoint.signatures
    return key_id in [f"{name}+{mark.hex()}" for name, mark, _ in signatures]


command = bundle
