"""Which record a person means: a file, or the id of a run whose trace or journal is here; and which snapshot."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator

from omnibachi import wiring
from omnibachi.exits import FINDINGS
from omnibachi.wiring import Snapshot
from omnibachi.workspace import SNAPSHOT, Workspace
from omnibachi_model.addresses import TRACE_ID
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.nearest import nearest
from omnibachi_model.sealed import MANIFEST

KNOWN = 1000
FIRST = b'{"body":{"kind":"RUN_STARTED"'  # how the first line of a run begins
LARGEST = 256 * 1024 * 1024


def record_of(workspace: Workspace, target: str) -> tuple[bytes, str | None]:
    """Return the record that `target` names, and the trace id that it is said to be of, if any.

    A path to a file comes first, then `FILE#TRACE_ID` for one run of a file that holds many, then the trace of that id,
    then the journal. Raises Refused (OB316, OB742, OB755).
    """
    if os.path.isdir(target):
        inside = os.path.join(target, f"{os.path.basename(os.path.abspath(target))}.jsonl")
        target = inside if os.path.isfile(inside) else target
    if os.path.lexists(target):
        name = os.path.basename(target).removesuffix(".jsonl")
        folder = os.path.basename(os.path.dirname(os.path.abspath(target)))
        # Only a file that lies as runs leave it says by its name whose record it is.
        return _read(target), name if name == folder and target.endswith(".jsonl") else None
    file, mark, run = target.rpartition("#")
    if mark and os.path.isfile(file):
        return _run_in(file, run), run
    if not TRACE_ID.match(target):
        raise _unreadable(f"`{target[:200]}` is no file and no trace id")
    found = workspace.traces.read(target)
    if found is not None:
        return found, target
    with wiring.open_root(workspace.data_root, reading=True) as ledger:
        found = ledger.record(target)
        runs = [] if found is not None else [row.run for row in ledger.runs(KNOWN)]
    if found is None:
        near = nearest(target, [*runs, *traces_in(workspace)])
        help = f"did you mean `{near}`?" if near else "`omnibachi traces ls` lists the runs"
        message = f"no run has the trace id `{target}`, and no file has this name"
        raise Refused([Diagnostic("OB316", message, help=help)], FINDINGS)
    return found, target


def beside(workspace: Workspace, target: str, kind: str) -> str:
    """Return where a companion of a record (`sig.json`, `tlog-proof`) lies: beside its file, or where that would be."""
    if os.path.isdir(target):
        inside = os.path.join(target, f"{os.path.basename(os.path.abspath(target))}.jsonl")
        target = inside if os.path.isfile(inside) else target
    path = target if os.path.lexists(target) else workspace.traces.path(target, "jsonl")
    return f"{path.removesuffix('.jsonl')}.{kind}"


def content_of(path: str, *, needed: bool) -> bytes | None:
    """Read a small file; one that is not there is None, or refused (OB742) if it is `needed`."""
    return _read(path) if needed or os.path.lexists(path) else None


def snapshot_of(workspace: Workspace, folder: str | None) -> Snapshot:
    """Open the snapshot in `folder`, that of the workspace there, or (None) that of the present workspace.

    A snapshot that lies in no workspace is used with the capabilities of the present one. Raises Refused as
    `snapshot_folder` and `Workspace.load` do.
    """
    if folder is None:
        return workspace.load()
    place = os.path.abspath(snapshot_folder(folder))
    if os.path.basename(place) == SNAPSHOT:
        return Workspace(os.path.dirname(place)).load()
    found = wiring.open_snapshot(functools.partial(file_of, place))
    found.capabilities = workspace.capabilities
    return found


def snapshot_folder(target: str) -> str:
    """Return the folder that holds a snapshot's files: `target` itself, that of the workspace there, or that of a file
    `manifest.json`. Raises Refused (OB601, exit 3) where there is none."""
    folder = os.path.dirname(target) or "." if os.path.basename(target) == MANIFEST else target
    for place in (folder, os.path.join(folder, SNAPSHOT)):
        if os.path.lexists(os.path.join(place, MANIFEST)):
            return place
    message = f"`{target}` holds neither `{MANIFEST}` nor `{SNAPSHOT}/{MANIFEST}`"
    help = "name a folder that holds a snapshot, or a workspace that was compiled"
    raise Refused([Diagnostic("OB601", message, help=help)], FINDINGS)


def file_of(folder: str, name: str) -> bytes | None:
    """Give a file below a folder by its relative name; what cannot be read is not there."""
    if os.path.isabs(name) or ".." in name.split("/"):
        return None
    try:
        with open(os.path.join(folder, *name.split("/")), "rb") as file:
            return file.read()
    except (OSError, ValueError):
        return None


def traces_in(workspace: Workspace) -> Iterator[str]:
    """Give the ids of the traces that lie in the workspace's folder of traces, the latest of drawn ids first."""
    try:
        names = os.listdir(workspace.traces.folder)
    except OSError:
        return
    for name in sorted(names, reverse=True):
        if os.path.isfile(workspace.traces.path(name, "jsonl")):
            yield name


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _unreadable(f"`{path}` cannot be read: {reason}") from error
    second = data.find(b"\n" + FIRST)
    if second >= 0:
        run = _id_of(data[second + 1 :].split(b"\n", 1)[0])
        help = f"name one of them by its trace id, such as `{path}#{run}`"
        raise Refused([Diagnostic("OB755", f"`{path}` holds the records of many runs", help=help)], FINDINGS)
    if len(data) > LARGEST:
        raise _unreadable(f"`{path}` is larger than {LARGEST // 1024 // 1024} MiB")
    return data


def _run_in(path: str, run: str) -> bytes:
    """Return the record of one run of a file that holds many; raises Refused (OB316, OB742)."""
    found: list[bytes] = []
    size, inside = 0, False
    try:
        with open(path, "rb") as file:
            for line in file:
                if line.startswith(FIRST):
                    if found:
                        break
                    inside = _id_of(line) == run
                if inside:
                    found.append(line)
                    size += len(line)
                    if size > LARGEST:
                        raise _unreadable(f"the record of `{run}` is larger than {LARGEST // 1024 // 1024} MiB")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _unreadable(f"`{path}` cannot be read: {reason}") from error
    if not found:
        help = "the ids of a batch are its own, a `-` and the number of the line; its summary names it"
        raise Refused([Diagnostic("OB316", f"`{path}` holds no run `{run[:64]}`", help=help)], FINDINGS)
    return b"".join(found)


def _id_of(line: bytes) -> str | None:
    """Return the trace id that the first line of a run tells."""
    try:
        found = json.loads(line)["obs"]["trace_id"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, str) else None


def _unreadable(message: str) -> Refused:
    help = "name the record of one run: a `.jsonl` file, or a trace id"
    return Refused([Diagnostic("OB742", message, help=help)], FINDINGS)
