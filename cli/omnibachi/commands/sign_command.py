"""`omnibachi sign`: put one's name to a snapshot or to the record of a run."""

from __future__ import annotations

import functools
import os
from typing import Any

import click

from omnibachi import wiring
from omnibachi.exits import OK
from omnibachi.trusting import private_key_in, trust_in, write_file
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused, has_errors
from omnibachi_model.sealed import MANIFEST, SEAL, SIGNATURE

from .keys_command import now
from .options import as_command
from .output import Output
from .recorded import beside, file_of, record_of
from .verify_command import names_in


@as_command("sign", "omnibachi.sign/1", "omnibachi sign protocol_snapshot --key keys/example.org-prod.key", state=True)
@click.argument("target", metavar="SNAPSHOT|TRACE|TRACE_ID")
@click.option("--key", "key_file", metavar="FILE", required=True, help="The private key, as `keys new` made it.")
def sign(output: Output, workspace: Workspace, target: str, key_file: str) -> int:
    """Sign a snapshot (a folder with a manifest.json) or the record of a finished run (a file, or a trace id).

    The signature is laid beside: manifest.sig.json or <ID>.sig.json, in place of one that is there. What does not hold
    is not signed. Where the trust file does not let this signature count, a warning says why.
    """
    key = private_key_in(key_file)
    folder = os.path.dirname(target) or "." if os.path.basename(target) == MANIFEST else target
    if any(os.path.lexists(os.path.join(folder, name)) for name in (MANIFEST, SEAL)):
        path, statement = os.path.join(folder, SIGNATURE), _of_snapshot(workspace, folder)
    else:
        record, _ = record_of(workspace, target)
        head = wiring.head_of(record)
        if isinstance(head, Diagnostic):
            raise Refused([head])
        path, statement = beside(workspace, target, "sig.json"), wiring.run_statement(record, head, now())
    data, subject = wiring.sealed_envelope(statement, key), statement["subject"][0]
    trust = trust_in(workspace.trust)
    by = "" if trust is None else wiring.judge_envelope(data, statement, f"`{subject['name']}`", trust)
    write_file(path, data)
    value = {"signature": path, "key": key.public.id, "subject": subject["name"], "sha256": subject["digest"]["sha256"]}
    lines = [f"signed     {subject['name']}  sha256:{subject['digest']['sha256']}", f"signature  {path}"]
    doubts = [] if isinstance(by, str) else [item.as_warning() for item in by]
    return output.give(OK, value, [*lines, f"key        {key.public.id}"], doubts)


def _of_snapshot(workspace: Workspace, folder: str) -> dict[str, Any]:
    read = functools.partial(file_of, folder)
    found = wiring.verify_snapshot(read, names_in(folder), workspace.capabilities.source)
    manifest = read(MANIFEST)
    if has_errors(found) or manifest is None:
        raise Refused(found)
    return wiring.snapshot_statement(manifest, now())


command = sign
