"""Compiling a workspace: gather its sources and catalogues, hand them to the compiler, lay the snapshot down.

The shipped `std` is part of every workspace. A snapshot is written aside and renamed, so a reader never sees a mixture;
when anything is wrong nothing is written and the old snapshot stays.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import Any

from omnibachi_model.addresses import STD
from omnibachi_model.diagnostics import Diagnostic, Span, in_order
from omnibachi_model.sealed import MANIFEST, SIGNATURE, VERSIONS

from . import remembered, wiring
from .laying import lay_down
from .results import Compiled
from .traces_folder import runs_here
from .workspace import PROTOCOLS, SNAPSHOT

CAPABILITIES = "capabilities"
SUFFIXES = (".yaml", ".yml")
UNREAD = frozenset({"OB101", "OB102", "OB103"})
MOST_READ = 2 * 1024 * 1024  # of a source; the compiler refuses half of it


def gather(
    root: str, found: list[Diagnostic], *, shipped: str, laid_over: Mapping[str, bytes] | None = None
) -> tuple[list[wiring.Source], bool]:
    """Read the sources of a workspace, and the shipped `std` unless it has (as the second value tells) its own.

    What cannot be read is added to `found`. `laid_over` are texts that an editor has not saved yet, by the path that
    sources are shown with: they stand for the file, or beside the others where there is none.
    """
    laid_over = laid_over or {}
    sources = [source for source in _sources(root, found) if source.path not in laid_over]
    sources.extend(wiring.Source(path, path.split("/")[1], data) for path, data in laid_over.items())
    own_std = any(source.domain == STD for source in sources)
    if not own_std:
        sources.extend(source for source in _sources(shipped, found) if source.domain == STD)
    return sources, own_std


def compile_workspace(root: str, *, shipped: str, laid_over: Mapping[str, bytes] | None = None) -> wiring.Compilation:
    """Compile the workspace in folder `root`; `shipped` is the folder that holds the shipped protocols.

    Writes nothing; `write_snapshot` does that. `laid_over` as for `gather`.
    """
    found: list[Diagnostic] = []
    sources, implementations = _given(root, found, shipped, laid_over)
    compilation = wiring.compile_sources(sources, implementations, _versions(), _shower(root))
    everything = in_order([*found, *compilation.diagnostics])
    codes = {item.code for item in everything}
    # A catalogue that cannot be read may name every function that seems to be missing, and a source that cannot be
    # read may declare what a catalogue names.
    if "OB409" in codes:
        everything = tuple(item for item in everything if item.code != "OB406")
    if codes & UNREAD:
        everything = tuple(item for item in everything if (item.code, item.severity) != ("OB301", "warning"))
    return dataclasses.replace(compilation, sealed=None if found else compilation.sealed, diagnostics=everything)


def recompile_workspace(root: str, *, shipped: str) -> wiring.Recompiled | wiring.Compilation:
    """Do as `compile_workspace`, with what is remembered of the files that did not change; from nothing where anything
    is wrong. What is remembered afterwards is what the workspace has now."""
    found: list[Diagnostic] = []
    sources, implementations = _given(root, found, shipped, None)
    if not found:
        before = remembered.entries(root)
        again = wiring.recompile(
            sources, implementations, _versions(), _shower(root), before, lambda name: _standing(root, name)
        )
        if again is not None:
            if again.entries != before:
                remembered.keep(root, again.entries)
            return again
    return compile_workspace(root, shipped=shipped)


def _given(
    root: str, found: list[Diagnostic], shipped: str, laid_over: Mapping[str, bytes] | None
) -> tuple[list[wiring.Source], dict[str, wiring.Implementation]]:
    """Return all that the compiler is given of a workspace: its sources, and what stands behind its capabilities."""
    sources, own_std = gather(root, found, shipped=shipped, laid_over=laid_over)
    implementations = _implementations(root, own_std, found)
    for address, implementation in shipped_implementations().items():
        implementations.setdefault(address, implementation)
    return sources, implementations


def _shower(root: str) -> Callable[[str], str]:
    return lambda module: _shown(os.path.join(root, CAPABILITIES), root, module)


def _standing(root: str, name: str) -> bytes | None:
    """Read a file of the snapshot that stands."""
    try:
        with open(os.path.join(root, SNAPSHOT, *name.split("/")), "rb") as file:
            return file.read()
    except OSError:
        return None


def compiled(compilation: wiring.Compilation | wiring.Recompiled, *, written: bool) -> Compiled:
    """Return what compiling gave, as the public API tells it."""
    sealed = compilation.sealed
    places: list[dict[str, Any]] = [
        {
            "node": place.node,
            "file": place.span.file,
            "line": place.span.line,
            "column": place.span.column,
            "reason": place.reason,
        }
        for place in compilation.places
    ]
    return Compiled(
        sealed is not None,
        sealed.seal if sealed else None,
        compilation.diagnostics,
        list(compilation.addresses),
        places,
        written,
    )


def _sources(root: str, found: list[Diagnostic]) -> Iterator[wiring.Source]:
    """Yield every YAML file below `protocols/<domain>/`, in the order of its path; hidden folders are passed over."""
    base = os.path.join(root, PROTOCOLS)

    def pass_over(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            found.append(_unreadable(os.path.relpath(str(error.filename), root).replace(os.sep, "/"), error))

    for folder, folders, files in os.walk(base, onerror=pass_over):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.endswith(SUFFIXES) or name.startswith("."):
                continue
            path = os.path.join(folder, name)
            shown = os.path.relpath(path, root).replace(os.sep, "/")
            parts = shown.split("/")
            if len(parts) < 3:
                found.append(
                    Diagnostic(
                        "OB308",
                        f"`{shown}` stands in no domain",
                        Span(shown, 1, 1, 1, 1),
                        help="move it into a folder below `protocols/` that has a `domain.yaml`",
                    )
                )
                continue
            try:
                data = _content(path, shown)
            except OSError as error:
                found.append(_unreadable(shown, error))
                continue
            yield wiring.Source(shown, parts[1], data)


def _content(path: str, shown: str) -> bytes:
    """Read a source. Raises OSError for one that no reader of a snapshot could name or read."""
    if not shown.isprintable() or max(shown) > "\uffff":
        raise OSError("its name holds a character that no record can hold")
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("it is no regular file")
    with open(path, "rb") as file:
        return file.read(MOST_READ)


def _unreadable(shown: str, error: OSError) -> Diagnostic:
    place = shown.encode("utf-8", "backslashreplace").decode()
    reason = (error.strerror or str(error)).lower()
    return Diagnostic("OB101", f"`{place}` cannot be read: {reason}", Span(place, 1, 1, 1, 1))


def reader(base: str) -> Callable[[str], bytes | None]:
    """Return a function that gives the source of a module below `base` by its dotted name, without importing it."""

    def read(module: str) -> bytes | None:
        place = os.path.join(base, *module.split("."))
        for path in (place + ".py", os.path.join(place, "__init__.py")):
            try:
                with open(path, "rb") as file:
                    return file.read()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                return None
        return None

    return read


def _implementations(root: str, own_std: bool, found: list[Diagnostic]) -> dict[str, wiring.Implementation]:
    """Read the catalogues of a workspace's own capabilities."""
    base = os.path.join(root, CAPABILITIES)
    if not os.path.isdir(base):
        return {}
    read = reader(base)
    entries: dict[str, wiring.Implementation] = {}
    for package in sorted(os.listdir(base)):
        file = os.path.join(base, package, "catalogue.py")
        if not os.path.isfile(file):
            continue
        if not package.isidentifier():
            place = Span(os.path.relpath(file, root).replace(os.sep, "/"), 1, 1, 1, 2)
            help = "rename the folder, with letters, digits and `_`"
            found.append(Diagnostic("OB409", f"`{package}` cannot be the name of a Python package", place, help=help))
            continue
        phase = wiring.read_catalogue(package, read, lambda module: _shown(base, root, module))
        found.extend(phase.diagnostics)
        for address, entry in phase.value.items():
            if not _refused(address, entry, entries.get(address), own_std, found):
                entries[address] = entry
    return entries


def _refused(
    address: str,
    entry: wiring.Implementation,
    before: wiring.Implementation | None,
    own_std: bool,
    found: list[Diagnostic],
) -> bool:
    """Refuse an entry for an address that has a function already: in another catalogue, or in the shipped library."""
    count = len(found)
    if before is not None:
        related = [(before.place, "first named here")] if before.place else []
        message = f"`{address}` stands in two catalogues"
        found.append(Diagnostic("OB409", message, entry.place, help="keep one of the two", related=related))
    elif address.startswith(f"{STD}::") and not own_std:
        message = f"`{address}` belongs to the shipped library, which cannot be replaced"
        found.append(Diagnostic("OB409", message, entry.place, help="declare a capability of your own domain"))
    return len(found) > count


def _shown(base: str, root: str, module: str) -> str:
    place = os.path.join(base, *module.split("."))
    path = place + ".py" if os.path.isfile(place + ".py") else os.path.join(place, "__init__.py")
    return os.path.relpath(path, root).replace(os.sep, "/")


def shipped_implementations() -> dict[str, wiring.Implementation]:
    """Read the catalogues of what ships, wherever it is installed."""
    found: dict[str, wiring.Implementation] = {}
    for folder in wiring.catalogue_folders():
        phase = wiring.read_catalogue(os.path.basename(folder), reader(os.path.dirname(folder)), lambda module: module)
        found.update((address, dataclasses.replace(entry, place=None)) for address, entry in phase.value.items())
    return found


def _versions() -> dict[str, str]:
    """Note the versions of what takes part in every run; not sealed."""
    return {name: metadata.version(name) for name in ("orjson",)} | {"omnibachi": wiring.VERSION}


def write_snapshot(root: str, files: dict[str, bytes]) -> None:
    """Lay a snapshot down in `<root>/protocol_snapshot`: aside first, then renamed into place. Raises OSError.

    A file whose bytes stand there already is shared with the old snapshot, which is removed.
    What processes that died over it left aside is removed.
    """
    place = os.path.join(root, SNAPSHOT)
    for name in os.listdir(root):
        process = name.removeprefix(f".{SNAPSHOT}.").partition(".")[0]
        if name.startswith(f".{SNAPSHOT}.") and process.isdecimal() and not runs_here(int(process)):
            shutil.rmtree(os.path.join(root, name), ignore_errors=True)
    files = {**_signature_kept(place, files), **files}
    lay_down(place, tempfile.mkdtemp(prefix=f".{SNAPSHOT}.{os.getpid()}.", dir=root), files, _shared)


def _signature_kept(place: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the signature that lies beside the same manifest, which says the same of it as before."""
    found = {}
    for name in (MANIFEST, SIGNATURE):
        try:
            with open(os.path.join(place, name), "rb") as file:
                found[name] = file.read()
        except OSError:
            return {}
    return {SIGNATURE: found[SIGNATURE]} if found[MANIFEST] == files.get(MANIFEST) else {}


def _shared(old: str, new: str, data: bytes) -> bool:
    """Give a file that has not changed its place in the new snapshot too, if it has no other: then who edits one edits
    no second. Where that cannot be done, there is nothing in the new place."""
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:
        return False
    # Looked at where it is now: another compile may have put other files into the old place meanwhile.
    try:
        about = os.lstat(new)
        if stat.S_ISREG(about.st_mode) and about.st_nlink == 2:
            with open(new, "rb") as file:
                if file.read() == data:
                    return True
    except OSError:
        pass
    os.unlink(new)
    return False


def is_current(root: str, files: dict[str, bytes]) -> bool:
    """Tell whether the snapshot on disk is byte for byte what the sources compile to (what is not sealed aside)."""
    place = os.path.join(root, SNAPSHOT)
    present = {
        os.path.relpath(os.path.join(folder, name), place).replace(os.sep, "/")
        for folder, _, names in os.walk(place)
        for name in names
    }
    if present - {VERSIONS, SIGNATURE} != set(files) - {VERSIONS}:
        return False
    for name, data in files.items():
        if name == VERSIONS:
            continue
        with open(os.path.join(place, *name.split("/")), "rb") as file:
            if file.read() != data:
                return False
    return True
