"""`omnibachi keys`: key pairs, and the trust file that says whose signatures count for what."""

from __future__ import annotations

import os
from typing import Any

import click

from omnibachi import wiring
from omnibachi.clocks import SystemClock
from omnibachi.exits import FINDINGS, OK
from omnibachi.trusting import new_key, public_key_in, trust_in, write_file
from omnibachi.wiring import PublicKey, Trust, TrustEntry
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.formats import write_time
from omnibachi_model.nearest import nearest

from .options import as_command
from .output import Output, table

TRUST_HELP = "The trust file.  [default: <workspace>/trust.json]"
_trust = click.option("--trust", "trust_file", metavar="FILE", help=TRUST_HELP)
_roles = click.option(
    "--role", "roles", multiple=True, metavar="ROLE", help="What it may sign: snapshot, run, checkpoint (repeatable)."
)
_from = click.option("--from", "since", metavar="INSTANT", help="From when it counts.  [default: always]")
_until = click.option("--until", metavar="INSTANT", help="Until when it counts.  [default: always]")


@click.group("keys", context_settings={"help_option_names": ["--help", "-h"]})
def keys() -> None:
    """Make keys, and say whose signatures count.

    \b
    Example:
      omnibachi keys new example.org/prod --role snapshot --role run
    """


@as_command("new", "omnibachi.keys-new/1", "omnibachi keys new example.org/prod --role snapshot --role run")
@click.argument("name")
@click.option("--folder", "place", metavar="DIR", help="Where the files go.  [default: <workspace>/keys]")
@_roles
@_trust
def new(
    output: Output, workspace: Workspace, name: str, place: str | None, roles: tuple[str, ...], trust_file: str | None
) -> int:
    """Make an Ed25519 key pair: NAME.key for whoever signs (mode 0600), NAME.pub for everybody else.

    Nothing is overwritten. With --role the key is trusted for that at once.
    """
    _check(roles, ())
    path = trust_file or workspace.trust
    trust = trust_in(path) if roles else None
    key, private, public = new_key(name, place or os.path.join(_home(workspace), "keys"))
    if roles:
        _write(path, trust, wiring.TrustEntry(key, roles))
    value = {"id": key.id, "key": key.text, "private": private, "public": public, "roles": sorted(set(roles))}
    lines = [f"key      {key.id}", f"private  {private}", f"public   {public}"]
    return output.give(OK, value, [*lines, *([f"trusted  {path}"] if roles else [])])


@as_command("ls", "omnibachi.keys-ls/1", "omnibachi keys ls")
@_trust
def ls(output: Output, workspace: Workspace, trust_file: str | None) -> int:
    """List the keys that the trust file names, and what each may sign."""
    path = trust_file or workspace.trust
    trust = trust_in(path) or wiring.Trust()
    entries = sorted(trust.entries, key=lambda entry: entry.key.id)
    rows = [
        [entry.key.id, ",".join(entry.roles), entry.since or "", entry.until or "", _state(entry)] for entry in entries
    ]
    found = [{"id": entry.key.id, **entry.as_json()} for entry in entries]
    lines = table(("key", "roles", "from", "until", "revoked"), rows) if rows else ["no key is trusted"]
    return output.give(OK, {"trust": path, "keys": found}, lines)


@as_command("trust", "omnibachi.keys-trust/1", "omnibachi keys trust keys/example.org-prod.pub --role run")
@click.argument("key", metavar="FILE|KEY")
@_roles
@_from
@_until
@_trust
def trust_(
    output: Output, workspace: Workspace, key: str, roles: tuple[str, ...], since: str | None, until: str | None,
    trust_file: str | None,
) -> int:  # fmt: skip
    """Trust a public key (its file, or its line) for roles, in place of what was said of it before.

    What was revoked stays so.
    """
    _check(roles, (since, until))
    if not roles:
        raise click.UsageError("`--role` is missing: say what the key may sign")
    path = trust_file or workspace.trust
    trust, public = trust_in(path), public_key_in(key)
    before = trust.entry(public.id) if trust else None
    gone = (before.revoked_at, before.reason) if before else (None, "")
    return _changed(output, path, trust, wiring.TrustEntry(public, roles, since, until, *gone))


@as_command("retire", "omnibachi.keys-retire/1", "omnibachi keys retire keys/example.org-prod.pub")
@click.argument("key_id", metavar="FILE|ID")
@click.option("--until", metavar="INSTANT", help="Until when it counts.  [default: now]")
@_trust
def retire(output: Output, workspace: Workspace, key_id: str, until: str | None, trust_file: str | None) -> int:
    """End the time of a key: what it signed before stays good. This is what to do when a key is replaced."""
    _check((), (until,))
    path = trust_file or workspace.trust
    trust, entry = _known(path, key_id)
    return _changed(output, path, trust, wiring.retired_key(entry, until or now()))


@as_command("revoke", "omnibachi.keys-revoke/1", "omnibachi keys revoke keys/example.org-prod.pub --reason stolen")
@click.argument("key_id", metavar="FILE|ID")
@click.option("--reason", default="", help="Why, for whoever meets one of its signatures.")
@_trust
def revoke(output: Output, workspace: Workspace, key_id: str, reason: str, trust_file: str | None) -> int:
    """Let nothing count that a key signed, whenever it did. This is what to do when a key may have been stolen."""
    path = trust_file or workspace.trust
    trust, entry = _known(path, key_id)
    return _changed(output, path, trust, wiring.revoked_key(entry, now(), reason))


def now() -> str:
    """Return the present instant."""
    return write_time(SystemClock().now_ns())


def _home(workspace: Workspace) -> str:
    return os.path.dirname(workspace.trust)


def _state(entry: TrustEntry) -> str:
    return f"{entry.revoked_at} {entry.reason}".strip() if entry.revoked_at else ""


def _check(roles: tuple[str, ...], instants: tuple[str | None, ...]) -> None:
    for role in roles:
        if not wiring.KEY_ROLE.match(role):
            raise click.UsageError(f"`{role[:60]}` is no role; roles are snapshot, run, checkpoint, and others' names")
    for instant in instants:
        if instant is not None and not wiring.is_instant(instant):
            raise click.UsageError(f"`{instant[:60]}` is no instant such as 2026-01-31T00:00:00Z")


def _known(path: str, named: str) -> tuple[Trust, TrustEntry]:
    trust = trust_in(path) or wiring.Trust()
    key_id = public_key_in(named).id if os.path.isfile(named) else named
    found = trust.entry(key_id)
    if found is None:
        near = nearest(key_id, [entry.key.id for entry in trust.entries])
        help = f"did you mean `{near}`?" if near else "`omnibachi keys ls` lists them"
        raise Refused([Diagnostic("OB628", f"`{path}` names no key `{key_id[:120]}`", help=help)], FINDINGS)
    return trust, found


def _write(path: str, trust: Trust | None, entry: TrustEntry) -> None:
    write_file(path, (trust or wiring.Trust()).with_entry(entry).written())


def _changed(output: Output, path: str, trust: Trust | None, entry: TrustEntry) -> int:
    _write(path, trust, entry)
    key: PublicKey = entry.key
    value: dict[str, Any] = {"trust": path, "id": key.id, **entry.as_json()}
    return output.give(OK, value, [f"{key.id}  {','.join(entry.roles)}  in {path}"])


for _command in (new, ls, trust_, retire, revoke):
    keys.add_command(_command)
command = keys
