"""Loading: every digest that a run relies on is recomputed before anything is used.

1. The seal is the digest of `manifest.json` as it lies on disk; a pinned one must be met, and `manifest.sha256`, where
   it lies beside, must say the same.
2. A workflow's file must have the digest that the manifest gives.
3. Every module in the lock of every capability that the workflow names must have its sealed digest, before it is
   imported.
4. Where somebody is asked to vouch for it, a signature that lies beside the manifest must be one that counts.
5. A reader that meets a mismatch reads the manifest once more before it refuses: a compile may be renaming.

The room reads nothing itself: `Read` gives the bytes of a file of the snapshot, `Source` those of a module.
"""

from __future__ import annotations

import orjson

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import digest
from omnibachi_model.sealed import DOMAIN_FORMAT, MANIFEST, SEAL, SIGNATURE, SNAPSHOT_FORMAT, WORKFLOW_FORMAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn, TypeAlias, TypeVar

    Read: TypeAlias = "Callable[[str], bytes | None]"
    Source: TypeAlias = "Callable[[str], bytes | None]"
    Vouch: TypeAlias = "Callable[[bytes, bytes | None], bool]"
    Lock: TypeAlias = "dict[str, Any]"
    Found = TypeVar("Found")

RESTORE = "compile again, or restore the file"
SECTIONS = ("capabilities", "domains", "workflows", "sources")


class Snapshot:
    """A sealed snapshot whose manifest was read and matches what was asked for.

    `seal` is its digest, `pinned` tells whether that was asked for, `signed` whether a signature beside it counts,
    `manifest` is the parsed index. `capabilities` is what the front door keeps with it to find the functions behind the
    locks; `strict` asks that they be made from the very bytes that were compared with the locks.
    """

    __slots__ = ("capabilities", "manifest", "pinned", "read", "seal", "signed", "strict", "vouch")

    def __init__(
        self,
        read: Read,
        manifest: dict[str, Any],
        seal: str,
        pinned: bool,
        strict: bool,
        vouch: Vouch | None = None,
        signed: bool = False,
    ) -> None:
        self.read = read
        self.manifest = manifest
        self.seal = seal
        self.pinned = pinned
        self.strict = strict
        self.vouch = vouch
        self.signed = signed
        self.capabilities: Any = None

    def __repr__(self) -> str:
        return f"Snapshot({self.seal[:19]}…, {len(self.manifest['workflows'])} workflows)"

    @property
    def origin(self) -> str:
        """How far the snapshot's origin is known: `pinned`, `signed` or `unpinned`."""
        return "pinned" if self.pinned else "signed" if self.signed else "unpinned"

    @property
    def workflows(self) -> tuple[str, ...]:
        """The addresses of all sealed workflows."""
        return tuple(self.manifest["workflows"])


class Sealed:
    """One workflow as sealed: its bytes, their digest, the parsed form, its capabilities' locks, and its snapshot."""

    __slots__ = ("data", "digest", "locks", "snapshot", "workflow")

    def __init__(
        self, snapshot: Snapshot, data: bytes, digest: str, workflow: dict[str, Any], locks: dict[str, Lock]
    ) -> None:
        self.snapshot = snapshot
        self.data = data
        self.digest = digest
        self.workflow = workflow
        self.locks = locks

    def __repr__(self) -> str:
        return f"Sealed({self.workflow['address']} {self.digest[:19]}…)"


class _Refusal(Exception):
    """A mismatch that a newer manifest may explain."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def open_snapshot(
    read: Read, *, pinned: str | None = None, strict: bool = False, vouch: Vouch | None = None
) -> Snapshot:
    """Read the manifest of a snapshot.

    `vouch` gets the manifest and the signature that lies beside it, if any, and tells whether it is signed, or raises
    Refused where that does not count; what is pinned needs no other's word. Raises Refused: OB601 (exit 3) when there
    is none, OB606 when its seal is not `pinned`, OB602, OB603 or OB608 when it cannot be relied on, and what `vouch`
    raises.
    """
    data = read(MANIFEST)
    if data is None:
        # Between the two renames of a compile there is none for an instant.
        data = read(MANIFEST)
    if data is None:
        raise Refused([Diagnostic("OB601", "there is no sealed snapshot here", help="run `omnibachi compile`")], 3)
    seal = digest(data)
    if pinned is not None and pinned != seal:
        _refuse(
            "OB606", f"the snapshot's seal is `{seal}`, not `{pinned[:128]}`", "check which snapshot you mean to run"
        )
    noted = read(SEAL)
    if noted is not None and noted.strip() != seal.encode():
        # Between the two renames of a compile they differ for an instant.
        data = read(MANIFEST) or b""
        seal = digest(data)
        if (read(SEAL) or b"").strip() != seal.encode() or (pinned is not None and pinned != seal):
            _refuse("OB602", f"`{MANIFEST}` is not what `{SEAL}` says", RESTORE)
    manifest = _parsed(MANIFEST, data, SNAPSHOT_FORMAT)
    for section in SECTIONS:
        if not isinstance(manifest.get(section), dict):
            _refuse("OB608", f"`{MANIFEST}` has no section `{section}`", RESTORE)
    for section in ("domains", "workflows"):
        for address, entry in manifest[section].items():
            if type(entry) is not dict or type(entry.get("file")) is not str or type(entry.get("sha256")) is not str:
                _refuse("OB608", f"`{MANIFEST}` does not say which file holds `{address}`", RESTORE)
    signed = False
    if vouch is not None and pinned is None:
        try:
            signed = vouch(data, read(SIGNATURE))
        except Refused:
            if digest(read(MANIFEST) or data) == seal:
                raise
            # A compile came between the manifest and the signature.
            return open_snapshot(read, strict=strict, vouch=vouch)
    return Snapshot(read, manifest, seal, pinned is not None, strict, vouch, signed)


def load_workflow(snapshot: Snapshot, address: str, source: Source) -> Sealed:
    """Load one workflow and verify every digest that a run of it relies on.

    The result's own `snapshot` is newer than the one given when a compile came between. Raises Refused: OB311
    (exit 3), OB602, OB603, OB604, OB605 or OB608.
    """
    return _twice(snapshot, lambda current: _workflow(current, address, source))


def load_domain(snapshot: Snapshot, domain: str) -> dict[str, Any]:
    """Load the sealed `domain.json` of a domain that the manifest lists; raises Refused as `load_workflow` does."""
    return _twice(snapshot, lambda current: _domain(current, domain))


def load_locks(snapshot: Snapshot, capabilities: Iterable[str], source: Source) -> dict[str, Lock]:
    """Verify the sources behind capabilities and return their locks; raises Refused with OB604, OB605 or OB608."""
    wanted = tuple(capabilities)
    return _twice(snapshot, lambda current: _locks(current, wanted, source))


def load_origins(snapshot: Snapshot, address: str) -> dict[str, Any] | None:
    """Return where each node of a workflow was declared, or None when the file is not there or was edited.

    Only messages need it, so nothing is refused for its sake.
    """
    entry = snapshot.manifest["workflows"].get(address, {})
    try:
        data = snapshot.read(str(entry.get("origins", "")))
        if data is None or digest(data) != entry.get("origins_sha256"):
            return None
        found = orjson.loads(data)
    except (Refused, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _twice(snapshot: Snapshot, load: Callable[[Snapshot], Found]) -> Found:
    try:
        return load(snapshot)
    except _Refusal as first:
        refusal = first
    pinned = snapshot.seal if snapshot.pinned else None
    newer = open_snapshot(snapshot.read, pinned=pinned, strict=snapshot.strict, vouch=snapshot.vouch)
    if newer.seal != snapshot.seal:
        try:
            return load(newer)
        except _Refusal as second:
            refusal = second
    raise Refused([refusal.diagnostic])


def _workflow(snapshot: Snapshot, address: str, source: Source) -> Sealed:
    entry = snapshot.manifest["workflows"].get(address)
    if entry is None:
        _unknown(snapshot, address)
    data = _verified(snapshot, entry)
    workflow = _parsed(entry["file"], data, WORKFLOW_FORMAT)
    if workflow.get("address") != address or not isinstance(workflow.get("capabilities"), list):
        _refuse("OB608", f"`{entry['file']}` is not the sealed form of `{address}`", RESTORE)
    return Sealed(snapshot, data, entry["sha256"], workflow, _locks(snapshot, workflow["capabilities"], source))


def _domain(snapshot: Snapshot, domain: str) -> dict[str, Any]:
    entry = snapshot.manifest["domains"].get(domain)
    if entry is None:
        _refuse("OB602", f"`{MANIFEST}` lists no domain `{domain}`", RESTORE)
    return _parsed(entry["file"], _verified(snapshot, entry), DOMAIN_FORMAT)


def _verified(snapshot: Snapshot, entry: Any) -> bytes:
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        _refuse("OB608", f"`{MANIFEST}` has an entry that names no file", RESTORE)
    data = snapshot.read(entry["file"])
    if data is None:
        raise _Refusal(Diagnostic("OB602", f"`{entry['file']}` is missing", help=RESTORE))
    if digest(data) != entry.get("sha256"):
        raise _Refusal(
            Diagnostic(
                "OB602",
                f"`{entry['file']}` is not what the manifest says",
                help=RESTORE,
            )
        )
    return data


def _locks(snapshot: Snapshot, capabilities: Iterable[str], source: Source) -> dict[str, Lock]:
    locks: dict[str, Lock] = {}
    known: dict[str, str | None] = {}
    for capability in capabilities:
        lock = snapshot.manifest["capabilities"].get(capability)
        if lock is None:
            raise _Refusal(Diagnostic("OB605", f"the manifest has no lock for `{capability}`", help="compile again"))
        module, modules = _shape(capability, lock)
        for name, sealed in modules.items():
            if name not in known:
                found = source(name)
                known[name] = None if found is None else digest(found)
            if known[name] != sealed:
                _misses(capability, name, known[name])
        if module not in modules:
            _refuse("OB608", f"the lock of `{capability}` does not cover its own module", "compile again")
        locks[capability] = lock
    return locks


def _shape(capability: str, lock: Any) -> tuple[str, dict[str, str]]:
    try:
        module, colon, function = lock["implementation"].partition(":")
        modules = dict(lock["modules"])
    except (AttributeError, KeyError, TypeError, ValueError):
        module = colon = function = ""
    if not (module and colon and function.isidentifier()):
        _refuse("OB608", f"the lock of `{capability}` is malformed", RESTORE)
    return module, modules


def _misses(capability: str, module: str, found: str | None) -> NoReturn:
    if found is None:
        raise _Refusal(
            Diagnostic(
                "OB605",
                f"the module `{module}` of `{capability}` cannot be found",
                help="install the package that holds it, or restore the file",
            )
        )
    raise _Refusal(
        Diagnostic(
            "OB604",
            f"the source of `{module}`, which `{capability}` relies on, is not what was sealed",
            help="compile again if the change is meant, or restore the file",
        )
    )


def _parsed(file: str, data: bytes, format: str) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        _refuse("OB608", f"`{file}` is no JSON", RESTORE)
    if not isinstance(value, dict) or "format" not in value:
        _refuse("OB608", f"`{file}` does not say its format", RESTORE)
    if value["format"] != format:
        _refuse("OB603", f"`{file}` has the format `{value['format']}`; this version knows `{format}`", "compile again")
    return value


def _unknown(snapshot: Snapshot, address: str) -> NoReturn:
    from omnibachi_model.addresses import split
    from omnibachi_model.nearest import nearest_address

    known = snapshot.workflows
    near = nearest_address(address, known)
    if near is None:
        # A bare code, or the right code under another domain, is the commonest slip.
        code = split(address)[1]
        near = next((name for name in known if split(name)[1] == code), None)
    help = f"did you mean `{near}`?" if near else "`omnibachi show` lists the workflows"
    raise Refused([Diagnostic("OB311", f"no workflow is called `{address[:200]}`", help=help)], 3)


def _refuse(code: str, message: str, help: str) -> NoReturn:
    raise Refused([Diagnostic(code, message, help=help)])
