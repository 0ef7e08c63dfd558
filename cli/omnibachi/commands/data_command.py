"""`omnibachi data`: look at the stores of a data root."""

from __future__ import annotations

import json
from typing import Any

import click

from omnibachi import wiring
from omnibachi.calling import store_of
from omnibachi.workspace import Workspace

from .options import as_command
from .output import OK, Output, counted, table


@click.group("data", context_settings={"help_option_names": ["--help", "-h"]})
def data() -> None:
    """Look at state: the stores of a data root.

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
    with wiring.open_root(workspace.data_root, create=False) as ledger:
        counts = ledger.stores()
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
        OK, {"data_root": workspace.data_root, "stores": rows}, table(("store", "keeps", "records"), text)
    )


@as_command("show", "omnibachi.data/1", "omnibachi data show blockchain::ST_ACTORS_V0", state=True)
@click.argument("store")
def show(output: Output, workspace: Workspace, store: str) -> int:
    """Print the records of STORE (an address), oldest first, one JSON object a line."""
    store_of(workspace.load(), store)
    records = workspace.records(store, data_root=workspace.data_root)
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    return output.give(OK, {"store": store, "count": len(records), "records": records}, lines)


@as_command("export", "omnibachi.data-export/1", "omnibachi data export", state=True)
def export(output: Output, workspace: Workspace) -> int:
    """Write the readable mirrors of all stores anew, byte for byte: <data-root>/<kind>/<domain>/<STORE>.jsonl."""
    stores = {address: store["keeps"] for address, store in declared(workspace).items()}
    with output.progress("exporting"), wiring.open_root(workspace.data_root, create=False) as ledger:
        written = ledger.export(stores)
    return output.give(OK, {"files": written}, [*written, counted(len(written), "file") + " written"])


for _command in (ls, show, export):
    data.add_command(_command)
command = data
