"""What `omnibachi replay` says of ledgers of decisions: a line each, then every difference; nothing of it is held."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator

import click

from omnibachi.deciding_again import Json, Redecided, replay_decisions
from omnibachi.exits import OK, UNPROVEN
from omnibachi.packs import in_force
from omnibachi.wiring import Snapshot

from .output import Output, counted

_IN_MEMORY = 1 << 23  # bytes of differences


def replay_ledgers(output: Output, target: str, snapshot: Snapshot, policy: str | None) -> int:
    """Replay the ledgers of a data root, or an export, and return the exit status: 0, or 4 where anything differs."""
    pack = None if policy is None else in_force(snapshot, policy)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        with output.progress(f"replaying {target}"):
            found = replay_decisions(target, snapshot, pack, file)
        if output.as_json:
            named = None if pack is None else {name: pack[name] for name in ("address", "digest")}
            _write(output.schema, found, named)
        else:
            output.findings(found.diagnostics)
            for line in _lines(found):
                click.echo(line)
    return OK if found.same else UNPROVEN


def _write(schema: str, found: Redecided, policy: Json | None) -> None:
    """Print one JSON object, the differences one by one."""
    value: Json = {
        "schema": schema, "ok": found.same, "exit_code": OK if found.same else UNPROVEN, "same": found.same,
        "policy": policy, "ledgers": found.ledgers, "divergence": found.divergence, "differences": [],
        "diagnostics": [item.as_json() for item in found.diagnostics],
    }  # fmt: skip
    whole = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    # Inside of a text its quotes would be escaped, so this stands there once.
    head, mark, rest = whole.partition('"differences":[')
    click.echo(head + mark, nl=False)
    for number, line in enumerate(found.differences()):
        click.echo(("," if number else "") + line.decode(), nl=False)
    click.echo(rest)


def _lines(found: Redecided) -> Iterator[str]:
    for ledger in found.ledgers:
        if "decisions" not in ledger:
            continue
        name, count, differing = ledger["store"] or "export", ledger["decisions"], ledger["differing"]
        said = f"SAME  {counted(count, 'decision')}"
        if differing:
            said = f"DIFFERS  {differing} of {counted(count, 'decision')}, {ledger['turned']} with another verdict"
        yield f"{said}  {name}"
        for code, number in sorted(ledger["kept"].items()):
            yield f"KEPT  {number} for {code}: made by the boundary itself, and taken as recorded"
        for digest, number in sorted(ledger["untold"].items()):
            yield f"UNTOLD  {number} by {digest}: the pack is not at hand, and only their facts are computed again"
    for line in found.differences():
        item = json.loads(line)
        old, new = (json.dumps(item[name], ensure_ascii=False) for name in ("old", "new"))
        yield f"{_plain(item['correlation_id'])}  {item['field']}  {_plain(old)} -> {_plain(new)}"


def _plain(text: str) -> str:
    """Write what could move a terminal's cursor as escapes."""
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)
