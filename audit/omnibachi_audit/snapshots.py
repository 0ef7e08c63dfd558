"""Verification of a snapshot: every digest that its manifest lists, recomputed from the bytes that lie there.

A run checks only what it relies on; this checks everything, also files that nobody lists. It shows accident and drift.
Where a snapshot comes from is not shown: whoever can write all of it can make another that agrees with itself and has
another seal.

`versions.json` is not sealed, so no digest speaks of it. It is compared with the versions that are here, and a
difference is a warning: the snapshot holds, whatever stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.diagnostics import Diagnostic, in_order
from omnibachi_model.digests import decode, digest, digest_of, pretty
from omnibachi_model.sealed import (
    DOMAIN_FORMAT,
    MANIFEST,
    ORIGINS_FORMAT,
    POLICIES,
    SEAL,
    SIGNATURE,
    SNAPSHOT_FORMAT,
    VERSIONS,
    WORKFLOW_FORMAT,
)
from omnibachi_model.values import Outside, admit

MOST_DEPTH = 200
Read = Callable[[str], bytes | None]
Version = Callable[[str], str | None]

AGAIN = "compile again, or restore the file"
SECTIONS = ("capabilities", "contracts", "domains", "events", "intents", "laws", "sources", "stores", "workflows")


def verify_snapshot(
    read: Read, names: Iterable[str], source: Read | None, version: Version | None = None
) -> list[Diagnostic]:
    """Verify a snapshot; no error is found where it holds.

    `read` gives the bytes of a file of the snapshot by its relative name, `names` are all files that lie there,
    `source` gives the source of a module by its dotted name, and `version` the version of OmniBachi or a distribution
    as it is here; all answer None for what is not there. Without `source` the sources of capabilities are not asked
    for. Found are OB601 to OB605, OB608, OB610 and, as a warning, OB611, sorted.
    """
    data = read(MANIFEST)
    if data is None:
        return [Diagnostic("OB601", "there is no sealed snapshot here", help="run `omnibachi compile`")]
    found: list[Diagnostic] = []
    noted = read(SEAL)
    if noted is None:
        found.append(Diagnostic("OB602", f"`{SEAL}` is missing", help=AGAIN))
    elif noted != digest(data).encode() + b"\n":
        found.append(Diagnostic("OB602", f"`{MANIFEST}` is not what `{SEAL}` says", help=AGAIN))
    manifest = _parsed(MANIFEST, data, SNAPSHOT_FORMAT, found)
    if manifest is None:
        return list(in_order(found))
    if pretty(manifest) != data:
        found.append(Diagnostic("OB602", f"`{MANIFEST}` is not in canonical form", help=AGAIN))
    for section in SECTIONS:
        if not isinstance(manifest.get(section), dict):
            found.append(Diagnostic("OB608", f"`{MANIFEST}` has no section `{section}`", help=AGAIN))
            manifest[section] = {}
    if not isinstance(manifest.setdefault(POLICIES, {}), dict):  # a snapshot without policies does not speak of them
        found.append(Diagnostic("OB608", f"`{MANIFEST}` does not list its policies", help=AGAIN))
        manifest[POLICIES] = {}
    listed = {MANIFEST, SEAL, VERSIONS, SIGNATURE}
    domains = _domains(manifest, read, listed, found)
    _entries(manifest, domains, found)
    _workflows(manifest, read, listed, found)
    _locks(manifest, domains, source, found)
    if version is not None:
        _versions(read(VERSIONS), version, found)
    extra = sorted(set(names) - listed)
    found += [
        Diagnostic("OB610", f"`{name}` lies in the snapshot, and the manifest does not list it", help="remove the file")
        for name in extra
    ]
    return list(in_order(found))


def _parsed(name: str, data: bytes, wanted: str, found: list[Diagnostic]) -> dict[str, Any] | None:
    try:
        value: Any = admit(decode(data), depth=MOST_DEPTH)
    except (ValueError, Outside):
        found.append(Diagnostic("OB608", f"`{name}` is no JSON", help=AGAIN))
        return None
    if not isinstance(value, dict) or not isinstance(value.get("format"), str):
        found.append(Diagnostic("OB608", f"`{name}` does not say its format", help=AGAIN))
        return None
    if value["format"] != wanted:
        message = f"`{name}` has the format `{value['format'][:80]}`; this version knows `{wanted}`"
        found.append(Diagnostic("OB603", message, help="compile again with this version"))
        return None
    return value


def _file(
    read: Read, name: Any, sealed: Any, wanted: str, listed: set[str], found: list[Diagnostic]
) -> dict[str, Any] | None:
    """Read a listed file and compare its digest; return it parsed where it is what the manifest says."""
    if not isinstance(name, str):
        found.append(Diagnostic("OB608", f"`{MANIFEST}` has an entry that names no file", help=AGAIN))
        return None
    listed.add(name)
    data = read(name)
    if data is None:
        found.append(Diagnostic("OB602", f"`{name}` is missing", help=AGAIN))
        return None
    if digest(data) != sealed:
        found.append(Diagnostic("OB602", f"`{name}` is not what the manifest says", help=AGAIN))
        return None
    return _parsed(name, data, wanted, found)


def _domains(
    manifest: dict[str, Any], read: Read, listed: set[str], found: list[Diagnostic]
) -> dict[str, dict[str, Any] | None]:
    """Return each listed domain's file, None where it is not what the manifest says."""
    domains: dict[str, dict[str, Any] | None] = {}
    for name, entry in manifest["domains"].items():
        entry = entry if isinstance(entry, dict) else {}
        value = _file(read, entry.get("file"), entry.get("sha256"), DOMAIN_FORMAT, listed, found)
        if value is not None and value.get("domain") != name:
            found.append(Diagnostic("OB602", f"`{entry['file']}` is not the domain `{name}`", help=AGAIN))
            value = None
        domains[name] = value
    return domains


def _entries(manifest: dict[str, Any], domains: dict[str, dict[str, Any] | None], found: list[Diagnostic]) -> None:
    """Compare each contract, event, intent, law, policy and store with its domain's entry, both ways."""
    for section in ("contracts", "events", "intents", "laws", POLICIES, "stores"):
        for address, sealed in manifest[section].items():
            domain = split(address)[0]
            if domain not in domains:
                found.append(Diagnostic("OB602", f"`{MANIFEST}` lists `{address}` and no such domain", help=AGAIN))
            elif (held := domains[domain]) is not None and _digest_of(held, section, address) != sealed:
                found.append(Diagnostic("OB602", f"`{address}` is not what the manifest says", help=AGAIN))
        for value in domains.values():
            held = value.get(section) if value is not None else None
            for address in held if isinstance(held, dict) else ():
                if address not in manifest[section]:
                    found.append(Diagnostic("OB602", f"`{address}` is not listed in the manifest", help=AGAIN))


def _digest_of(domain: dict[str, Any], section: str, address: str) -> str | None:
    entries = domain.get(section)
    return digest_of(entries[address]) if isinstance(entries, dict) and address in entries else None


def _workflows(manifest: dict[str, Any], read: Read, listed: set[str], found: list[Diagnostic]) -> None:
    for address, entry in manifest["workflows"].items():
        entry = entry if isinstance(entry, dict) else {}
        workflow = _file(read, entry.get("file"), entry.get("sha256"), WORKFLOW_FORMAT, listed, found)
        if workflow is not None:
            if workflow.get("address") != address:
                found.append(Diagnostic("OB602", f"`{entry['file']}` is not `{address}`", help=AGAIN))
            named = workflow.get("capabilities")
            for capability in named if isinstance(named, list) else ():
                if not isinstance(capability, str) or capability not in manifest["capabilities"]:
                    message = f"`{address}` names `{capability}`, and the manifest has no lock for it"
                    found.append(Diagnostic("OB605", message, help="compile again"))
            found += _laws(address, workflow.get("laws"), manifest["laws"])
        origins = _file(read, entry.get("origins"), entry.get("origins_sha256"), ORIGINS_FORMAT, listed, found)
        if origins is not None and origins.get("workflow") != address:
            found.append(Diagnostic("OB602", f"`{entry['origins']}` does not tell of `{address}`", help=AGAIN))


def _laws(address: str, named: Any, listed: dict[str, Any]) -> list[Diagnostic]:
    """Compare the laws that were proven of a workflow with those that the manifest lists, by their digests."""
    return [
        Diagnostic("OB602", f"the law `{law}` of `{address}` is not what the manifest says", help=AGAIN)
        for law, sealed in (named.items() if isinstance(named, dict) else ())
        if listed.get(law) != sealed
    ]


def _locks(
    manifest: dict[str, Any], domains: dict[str, dict[str, Any] | None], source: Read | None, found: list[Diagnostic]
) -> None:
    """Compare each capability's lock with its signature and with the source of its modules."""
    known: dict[str, str | None] = {}
    for address, lock in manifest["capabilities"].items():
        modules = lock.get("modules") if isinstance(lock, dict) else None
        if not isinstance(modules, dict) or not modules:
            found.append(Diagnostic("OB608", f"the lock of `{address}` is malformed", help=AGAIN))
            continue
        domain = domains.get(split(address)[0])
        if domain is not None:
            section = "operations" if "." in split(address)[1] else "transforms"
            if _digest_of(domain, section, address) != lock.get("signature"):
                found.append(Diagnostic("OB602", f"the signature of `{address}` is not what was sealed", help=AGAIN))
        if source is None:
            continue
        for module, sealed in modules.items():
            if module not in known:
                data = source(module)
                known[module] = None if data is None else digest(data)
            if known[module] is None:
                message = f"the module `{module}` of `{address}` cannot be found"
                help = "install the package that holds it, or restore the file"
                found.append(Diagnostic("OB605", message, help=help))
            elif known[module] != sealed:
                message = f"the source of `{module}`, which `{address}` relies on, is not what was sealed"
                help = "compile again if the change is meant, or restore the file"
                found.append(Diagnostic("OB604", message, help=help))


def _versions(data: bytes | None, version: Version, found: list[Diagnostic]) -> None:
    """Compare the versions that were noted beside the snapshot with those that are here."""

    def differs(message: str) -> None:
        found.append(Diagnostic("OB611", f"`{VERSIONS}` {message}", severity="warning"))

    if data is None:
        differs("is missing: nobody noted which versions it was compiled with")
        return
    try:
        noted: Any = admit(decode(data), depth=MOST_DEPTH)
    except (ValueError, Outside):
        noted = None
    if not isinstance(noted, dict) or pretty(noted) != data:
        differs("is not as compiling writes it")
        return
    for name, value in noted.items():
        here = version(name)
        if here != value:
            differs(f"notes `{name[:80]}` {str(value)[:80]}; here it is {here or 'not installed'}")
