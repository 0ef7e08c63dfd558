"""`omnibachi docs`: a static site of the sealed snapshot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import click

from omnibachi import wiring
from omnibachi.exits import OK
from omnibachi.site_folder import write_site
from omnibachi.site_scenarios import scenarios_of
from omnibachi.wiring import Snapshot
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import decode, digest

from .options import as_command
from .output import Output, counted

PAGE = "index.html"


@as_command("docs", "omnibachi.docs/1", "omnibachi docs --output public")
@click.option("--output", "-o", "target", metavar="DIR", help="Folder of the site.  [default: <workspace>/site]")
def docs(output: Output, workspace: Workspace, target: str | None) -> int:
    """Build a static site of the snapshot: a page for every workflow, contract, capability, store, intent, event and
    law, who uses what, and which scenarios reach which nodes.

    The site needs no server: open its index.html. A folder that holds anything else is refused.
    """
    snapshot = workspace.load()
    here = os.getcwd() if workspace.borrowed else workspace.root
    folder = target if target is not None else os.path.join(here, "site")
    found: list[Diagnostic] = []
    with output.progress("reading the snapshot") as progress:
        domains = {name: wiring.load_domain(snapshot, name) for name in snapshot.manifest["domains"]}
        workflows = {address: _verified(snapshot, address, "file", "sha256") for address in snapshot.workflows}
        origins = {address: _verified(snapshot, address, "origins", "origins_sha256") for address in workflows}
        reached, notes = scenarios_of(workspace, snapshot, progress.update)
        found += notes
        try:
            pictures = dict(_pictures(workflows, found, progress.update))
            shown = frozenset(pictures)
            told = wiring.Told(snapshot.seal, snapshot.manifest, domains, workflows, origins, reached, shown)
            files = wiring.site(told, pictures)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            message = f"the snapshot has not the form of its format: {type(error).__name__} {error}"
            raise Refused([Diagnostic("OB608", message[:300], help="compile again")]) from error
        write_site(folder, files)
    index = os.path.join(folder, PAGE)
    value = {"seal": snapshot.seal, "output": folder, "files": sorted(files)}
    return output.give(OK, value, [f"{index}  {counted(len(files), 'file')}"], found)


def _pictures(
    workflows: dict[str, Any], found: list[Diagnostic], progress: Callable[[str], None]
) -> Iterator[tuple[str, bytes]]:
    """Draw every workflow as SVG; one that cannot be drawn is a warning (OB730)."""
    for address, workflow in sorted(workflows.items()):
        progress(f"drawing {address}")
        try:
            # What stands before the picture's own element names a place elsewhere that nobody needs.
            yield address, b"<svg" + wiring.render(wiring.dot(workflow), "svg").partition(b"<svg")[2]
        except wiring.PictureFailed as failed:
            message = f"the picture of `{address}` could not be drawn: {failed.reason}"
            found.append(Diagnostic("OB730", message, severity="warning"))


def _verified(snapshot: Snapshot, address: str, name: str, sealed: str) -> dict[str, Any]:
    """Read a file of a workflow that is what the manifest says; raises Refused (OB602)."""
    entry = snapshot.manifest["workflows"][address]
    data = snapshot.read(str(entry.get(name)))
    if data is None or digest(data) != entry.get(sealed):
        message = f"`{entry.get(name)}` is not what the manifest says"
        raise Refused([Diagnostic("OB602", message, help="compile again, or restore the file")])
    value: dict[str, Any] = decode(data)
    return value


command = docs
