"""Check a whole snapshot: every digest that its manifest lists, every capability, and that nothing else lies there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from omnibachi import wiring
from omnibachi_model.diagnostics import Diagnostic, Refused, in_order
from omnibachi_model.digests import digest
from omnibachi_model.sealed import MANIFEST, SEAL, VERSIONS

BESIDE = (MANIFEST, SEAL, VERSIONS)


def checked(folder: str, source: Callable[[str], bytes | None]) -> tuple[str, tuple[Diagnostic, ...]]:
    """Check the snapshot in a folder: (its seal, all that is wrong with it).

    `source` gives the source bytes of a module. Raises Refused when the manifest itself cannot be relied on.
    """

    def read(name: str) -> bytes | None:
        try:
            with open(os.path.join(folder, *name.split("/")), "rb") as file:
                return file.read()
        except OSError:
            return None

    snapshot = wiring.open_snapshot(read)
    found: list[Diagnostic] = []
    for domain in snapshot.manifest["domains"]:
        found += _tried(wiring.load_domain, snapshot, domain)
    for address, entry in snapshot.manifest["workflows"].items():
        found += _tried(wiring.load_workflow, snapshot, address, source)
        found += _origins(entry, read)
    for address in snapshot.manifest["capabilities"]:
        found += _tried(wiring.load_locks, snapshot, [address], source)
    found += _extra(folder, snapshot.manifest)
    return snapshot.seal, in_order(found)


def _tried(load: Callable[..., Any], *given: Any) -> tuple[Diagnostic, ...]:
    try:
        load(*given)
    except Refused as refused:
        return refused.diagnostics
    return ()


def _origins(entry: dict[str, Any], read: Callable[[str], bytes | None]) -> Iterator[Diagnostic]:
    data = read(entry["origins"])
    if data is None or digest(data) != entry["origins_sha256"]:
        what = "is missing" if data is None else "is not what the manifest says"
        yield Diagnostic("OB602", f"`{entry['origins']}` {what}", help="compile again, or restore the file")


def _extra(folder: str, manifest: dict[str, Any]) -> Iterator[Diagnostic]:
    """Name every file that the manifest does not list."""
    listed = {entry["file"] for group in ("domains", "workflows") for entry in manifest[group].values()}
    listed |= {entry["origins"] for entry in manifest["workflows"].values()} | set(BESIDE)
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")
            if path not in listed:
                help = "remove it, or compile again"
                yield Diagnostic(
                    "OB610", f"`{path}` lies in the snapshot, and the manifest does not list it", help=help
                )
