"""`omnibachi approve`: say yes or no to a run that waits for people, here or with a statement made elsewhere."""

from __future__ import annotations

import os
from typing import Any

import click

from omnibachi import wiring
from omnibachi.approving import Handed, hand_in, signed, trusted, waiting_in
from omnibachi.clocks import SystemClock
from omnibachi.exits import OK
from omnibachi.parked import asked, summary, told, told_here
from omnibachi.payloads import payload_of
from omnibachi.people import statements
from omnibachi.terminal import visible
from omnibachi.trusting import private_key_in, write_file
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import pretty
from omnibachi_model.waits import ACCEPTED, APPROVE, REJECT

from .keys_command import now
from .options import as_command
from .output import Output, traced
from .recorded import content_of, record_of


@as_command(
    "approve",
    "omnibachi.approve/1",
    "omnibachi approve 20260101T000000123456-9f86d081 --key keys/given.family.key --because 'checked the invoice'",
    state=True,
)
@click.argument("target", metavar="TRACE_ID|RECORD")
@click.option("--key", "key_file", metavar="FILE", help="The private key of whoever approves.")
@click.option("--path", metavar="NODE", help="The node that waits; refused where the run waits at another.")
@click.option("--reject", is_flag=True, help="Say no instead of yes.")
@click.option("--because", metavar="TEXT", help="Why; it stands in the record.")
@click.option("--show", is_flag=True, help="Print what would be approved, and sign nothing.")
@click.option("--sign-only", is_flag=True, help="Write the signed statement to --output, and hand nothing in.")
@click.option("--statement", "statement_file", metavar="FILE", help="Hand in a statement that was made elsewhere.")
@click.option("--output", "target_file", metavar="FILE", help="Where --sign-only writes; with --show, the record.")
@click.option("--trust", "trust_file", metavar="FILE", help="Whose keys count.  [default: <workspace>/trust.json]")
@click.option("--accept", multiple=True, metavar="ADDRESS", help="As for `resume`: go on with a changed capability.")
@click.option("--payload", "payload_file", metavar="FILE", help="As for `resume`: of a run with secrets; - reads it.")
@click.option("--no-picture", is_flag=True, help="Draw no picture.")
def approve(output: Output, workspace: Workspace, target: str, **options: Any) -> int:
    """Approve (or --reject) what a run waits for, and go on with it when that decides it.

    The statement is signed, judged by the trust file, and kept with the verdict, whether it counts or not. With
    --sign-only, TRACE_ID may be the file of a record on another machine: `approve TRACE_ID --show --output FILE` writes
    it where the run is, `approve TRACE_ID --statement FILE` hands in there what was signed.

    Exit status: that of the run after it (7 while it waits for others), 4 where the statement does not count.
    """
    _meant(options)
    if options["show"]:
        return _show(output, workspace, target, options["target_file"], options["path"])
    run = target
    if options["statement_file"] is not None:
        statement = content_of(options["statement_file"], needed=True) or b""
    else:
        record, _ = record_of(workspace, target)
        key, decision = private_key_in(options["key_file"]), REJECT if options["reject"] else APPROVE
        run = _at(record, options["path"])
        statement = signed(record, key, decision, options["because"], now())
        if options["sign_only"]:
            write_file(options["target_file"], statement)
            value = {"statement": options["target_file"], "key": key.public.id, "decision": decision}
            lines = [f"signed     {decision} of {run}", f"statement  {options['target_file']}"]
            return output.give(OK, value, [*lines, f"key        {key.public.id}"])
    trust = trusted(options["trust_file"] or workspace.trust)
    given = options["payload_file"]
    payload = None if given is None else payload_of(given, ())
    with output.progress(f"approving {run}"):
        handed = hand_in(
            workspace, run, statement, trust, accept=options["accept"], payload=payload,
            picture=not options["no_picture"],
        )  # fmt: skip
    return _give(output, workspace, handed)


def _meant(options: dict[str, Any]) -> None:
    """Refuse options that contradict one another."""
    show, sign_only, given = options["show"], options["sign_only"], options["statement_file"] is not None
    if show + sign_only + given > 1:
        raise click.UsageError("`--show`, `--sign-only` and `--statement` exclude one another")
    if show or given:
        for name in ("reject", "because", "key_file"):
            if options[name]:
                word = "--key" if name == "key_file" else f"--{name}"
                raise click.UsageError(f"`{word}` goes with signing, and nothing is signed here")
    elif options["key_file"] is None:
        raise click.UsageError("`--key` is missing: the private key of whoever approves")
    if sign_only and options["target_file"] is None:
        raise click.UsageError("`--sign-only` needs `--output`")
    if options["target_file"] is not None and not (sign_only or show):
        raise click.UsageError("`--output` goes with `--sign-only` and `--show`")


def _at(record: bytes, path: str | None) -> str:
    """Return the run of a record, refusing (OB806) to approve at another node than the one that a person means."""
    run, waits = waiting_in(record)
    if path is not None and path != waits[0]["path"]:
        message = f"the run `{run}` waits at `{waits[0]['path']}`, not at `{path[:120]}`"
        raise Refused([Diagnostic("OB806", message, help="look at it with `--show`")])
    return run


def _show(output: Output, workspace: Workspace, target: str, file: str | None, path: str | None) -> int:
    record, _ = record_of(workspace, target)
    run, (_, waits) = _at(record, path), waiting_in(record)
    waiting, handed = told(waits), []
    if not os.path.lexists(target):
        with wiring.open_root(workspace.data_root, reading=True) as ledger:
            if ledger.finished(run) is not None:
                waiting, handed = told_here(ledger, run, waits, SystemClock().now_ns()), statements(ledger, run)
    if file is not None:
        write_file(file, record)
    inputs = waits[0]["inputs"]
    lines = [f"run      {run}", f"waits    {asked(waiting).replace('`', '')}", f"subject  {waiting['subject']}"]
    first, *rest = pretty(inputs).decode().rstrip().splitlines()
    lines += [f"inputs   {first}", *(f"         {line}" for line in rest)]
    lines += [f"record   {file}"] if file is not None else []
    lines += [f"said     {line}" for line in _said(handed)]
    value = {"trace_id": run, "waiting": waiting, "inputs": inputs, "statements": handed, "record": file}
    # Whoever approves must see what is there, and no sign that shows it otherwise.
    return output.give(OK, value, [visible(line) for line in lines])


def _said(handed: list[dict[str, Any]]) -> list[str]:
    return [
        f"{item['at']} {item['key'] or 'nobody known'} {item['decision'] or '-'}"
        + ("" if item["verdict"] == ACCEPTED else f", refused ({item['verdict']})")
        for item in handed
    ]


def _give(output: Output, workspace: Workspace, handed: Handed) -> int:
    result, kept = handed.result, handed.kept
    value = {key: item for key, item in result.as_json().items() if key not in ("schema", "ok", "exit_code")}
    value.pop("diagnostics")
    said = {"number": kept.number, "key": kept.key or None, "verdict": kept.verdict}
    lines = [] if handed.objection is not None else [f"kept     statement {kept.number} by {kept.key}"]
    if result.waiting is not None:
        lines += summary(result)
    elif result.exit is not None and result.status is not None:
        lines.append(f"{result.trace_id}: {result.workflow}: {result.exit} ({result.status})")
        lines += traced(result.trace)
    return output.give(handed.exit_code, {**value, "statement": said}, lines, result.diagnostics, workspace.root)


command = approve
