"""`omnibachi data`: look at the stores of a data root, and load facts into those that take them."""

from __future__ import annotations

import json
from typing import Any

import click

from omnibachi import wiring
from omnibachi.exits import OK
from omnibachi.workspace import Workspace

from .options import as_command
from .output import Output, counted, table


@click.group("data", context_settings={"help_option_names": ["--help", "-h"]})
def data() -> None:
    """Look at state, the stores of a data root, and load facts into those that take them.

    \b
    Example:
      omnibachi data show blockchain::ST_ACTORS_V0
    """


def declared(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return every store that the snapshot declares, by address."""
    snapshot = workspace.load()
    return {
        address: store
        for domain in sorted(snapshot.manifest["domains"])
        for address, store in sorted(wiring.load_domain(snapshot, domain)["stores"].items())
    }


@as_command("ls", "omnibachi.data-ls/1", "omnibachi data ls", state=True)
def ls(output: Output, workspace: Workspace) -> int:
    """List the stores that are declared or hold something, with how many records each holds."""
    stores = declared(workspace)
    with wiring.open_root(workspace.data_root, reading=True) as ledger:
        counts, loads = ledger.stores(), ledger.loads()
    rows: list[dict[str, Any]] = [
        {
            "store": address,
            "keeps": stores.get(address, {}).get("keeps"),
            "count": counts.get(address, 0),
        }
        for address in sorted(set(stores) | set(counts))
    ]
    text = [[row["store"], row["keeps"] or "not declared here", str(row["count"])] for row in rows]
    return output.give(
        OK,
        {"data_root": wiring.shown_root(workspace.data_root), "stores": rows, "loads": loads},
        table(("store", "keeps", "records"), text),
    )


@as_command("show", "omnibachi.data/1", "omnibachi data show blockchain::ST_ACTORS_V0", state=True)
@click.argument("store")
def show(output: Output, workspace: Workspace, store: str) -> int:
    """Print the records of STORE (an address), oldest first, one JSON object a line."""
    records = workspace.records(store, data_root=workspace.data_root)
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    return output.give(OK, {"store": store, "count": len(records), "records": records}, lines)


@as_command("load", "omnibachi.load/1", "omnibachi data load facts.json", state=True)
@click.argument("file")
def load(output: Output, workspace: Workspace, file: str) -> int:
    """Load the facts of FILE into their stores, all or none.

    FILE is a path, or the name of a seed that ships with a domain (<domain>/<name>). It holds
    {"schema": "omnibachi.seed/1", "stores": {"shop::ST_X_V0": {"key": {...}}}}; only stores that are declared
    `seed: true` take facts. The same file again changes nothing; a changed fact replaces the old one.
    """
    result = workspace.load_facts(file, data_root=workspace.data_root)
    value: dict[str, Any] = {
        "file": result.file,
        "file_digest": result.file_digest,
        "number": result.number,
        "loaded": result.loaded,
        "unchanged": result.unchanged,
    }
    rows = [[store, str(count), str(result.unchanged[store])] for store, count in sorted(result.loaded.items())]
    lines = table(("store", "loaded", "unchanged"), rows) if result.ok else []
    return output.give(result.exit_code, value, lines, result.diagnostics)


@as_command("export", "omnibachi.data-export/1", "omnibachi data export", state=True)
def export(output: Output, workspace: Workspace) -> int:
    """Write the readable mirrors of all stores anew, byte for byte: <data-root>/<kind>/<domain>/<STORE>.jsonl.

    Those of a PostgreSQL lie in <workspace>/data/postgresql/.
    """
    stores = {address: store["keeps"] for address, store in declared(workspace).items()}
    root, mirrors = workspace.data_root, workspace.mirrors
    with output.progress("exporting"), wiring.open_root(root, create=False, mirrors=mirrors) as ledger:
        written = ledger.export(stores)
    return output.give(OK, {"files": written}, [*written, counted(len(written), "file") + " written"])


for _command in (ls, show, load, export):
    data.add_command(_command)
command = data
