"""`omnibachi checkpoint`: one signed root over all finished runs of a data root, and short proofs against it."""

from __future__ import annotations

import base64
import os
from typing import Any

import click

from omnibachi import wiring
from omnibachi.exits import OK, UNPROVEN
from omnibachi.logbook import Logbook, log_locked
from omnibachi.trusting import private_key_in, trust_in, write_file
from omnibachi.wiring import Checkpoint
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused, has_errors

from .keys_command import now
from .options import as_command, needs_folder
from .output import Output, counted
from .recorded import beside, content_of

_trust = click.option(
    "--trust", "trust_file", metavar="FILE", help="Whose word counts.  [default: <workspace>/trust.json]"
)
_log = click.option("--log", metavar="DIR", help="Folder of the log.  [default: checkpoints/ in the data root]")


@click.group("checkpoint", context_settings={"help_option_names": ["--help", "-h"]})
def checkpoint() -> None:
    """Sign one short text that stands for all finished runs, and prove against it.

    \b
    Example:
      omnibachi checkpoint make --key keys/example.org-log.key
    """


@as_command("make", "omnibachi.checkpoint/1", "omnibachi checkpoint make --key keys/log.key", state=True)
@click.option("--key", "key_file", metavar="FILE", required=True, help="The private key; its name is the log's.")
@_trust
@_log
def make(output: Output, workspace: Workspace, key_file: str, trust_file: str | None, log: str | None) -> int:
    """Take in every run that has ended since the last checkpoint, and sign the log as it is now.

    Give the text to whoever may want to check later: what it holds cannot be changed or taken out any more without
    being found out. A log is continued only where this key, or one of the trust file, signed it last.
    """
    key, folder = private_key_in(key_file), _folder(workspace, log)
    trust = trust_in(trust_file or workspace.trust) or wiring.Trust()
    held = log_locked(folder)
    try:
        with wiring.open_root(workspace.data_root, reading=True) as ledger:
            made, path, new, skipped = Logbook(folder).grow(ledger, key, trust)
    finally:
        os.close(held)
    value = {**_told(made), "file": path, "new": new}
    lines = [*made.text.splitlines(), "", f"{counted(new, 'new run')}, {counted(made.size, 'run')} in all", path]
    return output.give(OK, value, lines, skipped)


@as_command("show", "omnibachi.checkpoint-show/1", "omnibachi checkpoint show", state=True)
@click.argument("file", required=False)
@_trust
@_log
def show(output: Output, workspace: Workspace, file: str | None, trust_file: str | None, log: str | None) -> int:
    """Show a checkpoint (FILE, or the latest one of the data root) and say whose it is, or check the proof in FILE that
    a log only grew.

    Exit status 4 where the log does not hold, or no key of the trust file vouches for it.
    """
    trust = trust_in(trust_file or workspace.trust) or wiring.Trust()
    if file is None:
        found = Logbook(_folder(workspace, log)).checkpoint
        if found is None:
            help = "make one with `omnibachi checkpoint make`"
            raise Refused([Diagnostic("OB626", "there is no checkpoint here", help=help)])
        return _shown(output, found, trust)
    data = content_of(file, needed=True) or b""
    if not data.lstrip().startswith(b"{"):
        return _shown(output, _checkpoint_in(file, data), trust)
    try:
        proof = wiring.consistency_of(data)
    except wiring.Unreadable as error:
        raise Refused([Diagnostic("OB623", f"`{file}`: {error}", help="get it anew from whoever made it")]) from error
    findings = proof.judged(trust, now())
    value = {"old": _told(proof.old), "new": _told(proof.new), "grew": not has_errors(findings)}
    lines = [] if findings else [f"{proof.new.origin}: the {proof.new.size} runs begin with the {proof.old.size}"]
    return output.give(UNPROVEN if findings else OK, value, lines, findings)


@as_command("prove", "omnibachi.checkpoint-prove/1", "omnibachi checkpoint prove T1", state=True)
@click.argument("trace_id")
@click.option("--output", "path", metavar="FILE", help="Where it goes.  [default: <ID>.tlog-proof beside the trace]")
@_log
def prove(output: Output, workspace: Workspace, trace_id: str, path: str | None, log: str | None) -> int:
    """Write the proof that the latest checkpoint holds a run, for `verify` and for strangers."""
    found = Logbook(_folder(workspace, log)).include(trace_id)
    place = path or beside(workspace, trace_id, "tlog-proof")
    write_file(place, found.text.encode())
    value = {"proof": place, "index": found.index, "checkpoint": _told(found.checkpoint)}
    return output.give(OK, value, [f"run {found.index + 1} of {found.checkpoint.size}", place])


@as_command("compare", "omnibachi.checkpoint-compare/1", "omnibachi checkpoint compare kept.checkpoint", state=True)
@click.argument("old", metavar="CHECKPOINT")
@click.option("--output", "path", metavar="FILE", help="Also write the proof, for `checkpoint show` elsewhere.")
@_trust
@_log
def compare(
    output: Output, workspace: Workspace, old: str, path: str | None, trust_file: str | None, log: str | None
) -> int:
    """Tell whether the log has only grown since an older checkpoint, which somebody kept.

    Exit status 4 where runs were changed or taken out.
    """
    trust = trust_in(trust_file or workspace.trust) or wiring.Trust()
    proof = Logbook(_folder(workspace, log)).extend(_checkpoint_in(old, content_of(old, needed=True) or b""))
    findings = proof.judged(trust, now())
    if path is not None and not findings:
        write_file(path, proof.written)
    value = {"old": _told(proof.old), "new": _told(proof.new), "grew": not findings, "proof": path}
    lines = [] if findings else [f"{proof.new.origin}: grown from {proof.old.size} to {proof.new.size}"]
    return output.give(UNPROVEN if findings else OK, value, lines, findings)


def _folder(workspace: Workspace, log: str | None) -> str:
    """Return where the log is: as said, or in the data root, which must be a folder then (OB786)."""
    if log is None:
        needs_folder(workspace, "checkpoint")
    return log or os.path.join(workspace.data_root, "checkpoints")


def _shown(output: Output, found: Checkpoint, trust: wiring.Trust) -> int:
    by = found.judged(trust, now())
    findings = [] if isinstance(by, str) else by
    value = {**_told(found), "signer": by if isinstance(by, str) else None}
    return output.give(UNPROVEN if findings else OK, value, found.text.splitlines(), findings)


def _checkpoint_in(file: str, data: bytes) -> Checkpoint:
    try:
        return wiring.checkpoint_of(data)
    except wiring.Unreadable as error:
        help = "get it anew from whoever made it"
        raise Refused([Diagnostic("OB623", f"`{file}` is no checkpoint: {error}", help=help)]) from error


def _told(found: Checkpoint) -> dict[str, Any]:
    root = base64.b64encode(found.root).decode()
    signers = [f"{name}+{mark.hex()}" for name, mark, _ in found.signatures]
    return {"origin": found.origin, "size": found.size, "root": root, "signatures": signers}


for _command in (make, show, prove, compare):
    checkpoint.add_command(_command)
command = checkpoint
