"""After a run: its trace, the readable mirrors, the page and the picture, in this order.

The journal holds the truth already; what fails here is reported and undoes nothing. A trace that cannot be written is
an error (exit status 6), a mirror, page or picture only a warning.
"""

from __future__ import annotations

import os

from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import decode, digest
from omnibachi_model.sealed import MANIFEST

from . import wiring
from .endings import origins_of
from .exits import TROUBLE
from .traces_folder import Traces, runs_here
from .workspace import SNAPSHOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .engine import Engine
    from .results import RunResult
    from .wiring import Snapshot


def publish(engine: Engine, traces: Traces, result: RunResult, sealed: bytes, *, picture: bool) -> list[Diagnostic]:
    """Write what a run leaves beside its journal; note the paths in `result.trace` and return what went wrong.

    `sealed` are the bytes of the workflow that it walked. Of a `repeated` run only what is missing is written.
    """
    workflow: dict[str, Any] = decode(sealed)
    trace_id = str(result.trace_id)
    found: list[Diagnostic] = []
    if not workflow["journal"]:
        # No lock file tells of a process that died here, and nobody resumes its run: this is that run, once more.
        traces.clean(trace_id, runs_here)
    try:
        _keep(traces, result, "jsonl", lambda: result.record)
    except Trouble as trouble:
        result.exit_code = TROUBLE
        found.append(trouble.diagnostic)
    if workflow["journal"]:
        try:
            engine.ledger.mirror({address: store["keeps"] for address, store in workflow["stores"].items()})
        except Trouble as trouble:
            found.append(trouble.diagnostic.as_warning())
    if "jsonl" not in result.trace:
        return found
    try:
        _keep(traces, result, "md", lambda: _page(engine, result, workflow, picture))
        if picture:
            reason = _drawn(traces, result, workflow)
            if reason is not None:
                found.append(Diagnostic("OB730", f"the picture could not be drawn: {reason}", severity="warning"))
                traces.write(trace_id, "md", _page(engine, result, workflow, False))
    except Trouble as trouble:
        found.append(trouble.diagnostic.as_warning())
    return found


def unwritten(result: RunResult) -> bool:
    """Tell whether a file of the trace could not be written; a picture that could not be drawn is none."""
    return any(item.code == "OB726" for item in result.diagnostics)


def _keep(traces: Traces, result: RunResult, kind: str, make: Any) -> None:
    """Write a file of the trace, unless an earlier run of the same id left it."""
    trace_id = str(result.trace_id)
    path = traces.path(trace_id, kind)
    if not (result.repeated and os.path.exists(path)):
        traces.write(trace_id, kind, make())
    result.trace[kind] = _shown(path)


def _shown(path: str) -> str:
    here = os.getcwd() + os.sep
    return path[len(here) :] if path.startswith(here) else path


def _page(engine: Engine, result: RunResult, workflow: dict[str, Any], picture: bool) -> bytes:
    origins = origins_of(engine.snapshot, result.workflow, str(result.workflow_digest))
    name = f"{result.trace_id}.png" if picture else None
    return wiring.markdown(result.record, workflow=workflow, origins=origins, picture=name)


def _drawn(traces: Traces, result: RunResult, workflow: dict[str, Any]) -> str | None:
    """Draw the picture; return why it could not be drawn, or None."""
    try:
        _keep(traces, result, "png", lambda: wiring.draw(result.record, workflow, "png"))
    except Trouble:
        raise
    except wiring.PictureFailed as failed:
        return str(failed)
    except Exception as error:
        # Whatever a drawing library throws: a picture never fails a run.
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def changed_sources(root: str, snapshot: Snapshot, workflow: str) -> list[Diagnostic]:
    """Warn (OB609) of each source of a workflow that is newer than the manifest and has another digest."""
    try:
        sealed_at = os.stat(os.path.join(root, SNAPSHOT, MANIFEST)).st_mtime_ns
    except OSError:
        return []
    sources: dict[str, str] = snapshot.manifest["sources"]
    origins = wiring.load_origins(snapshot, workflow) or {}
    relevant = sorted(sources.keys() & origins.get("sources", ()))
    newer = [name for name in relevant if _modified(os.path.join(root, name)) > sealed_at]
    return [
        Diagnostic(
            "OB609",
            f"`{name}` was changed after sealing; the sealed workflow was run",
            help="run `omnibachi compile` to seal the change",
            severity="warning",
        )
        for name in newer
        if _digest(os.path.join(root, name)) != sources[name]
    ]


def _modified(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return digest(file.read())
    except OSError:
        return None
