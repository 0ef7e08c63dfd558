"""Replay: every transform, decision and route of a record computed again from the sealed workflow. Part of the public
API.

Nothing is touched: side effects answer from the record and are neither called nor imported, the data root is read only
to find the workflow that it stored, and importing a transform leaves no compiled file behind. What may explain a
difference (a capability that is not the one that ran) is said beside it; the recomputing goes on all the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from omnibachi_model.diagnostics import Defect, Diagnostic, Refused, Span, Trouble
from omnibachi_model.digests import decode, digest, digest_of
from omnibachi_model.record import read
from omnibachi_model.sealed import FAULT

from . import wiring
from .catalogue import Capabilities
from .endings import origins_of
from .engine import link
from .handed_in import check_payload, committing
from .mishaps import place_of, shown
from .records import drifted, is_workflow, not_the_one, sealed_in, verify, workflow_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any

    from .wiring import Difference, Program, Snapshot, Verification


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first place where a record and what was recomputed from it differ.

    `path` is the node or exit that the walk had reached, empty for the start and after the end; `field` the member of
    its body that differs, or `path` where the record goes on with another node. `recorded` and `recomputed` are the two
    values, None where one side has nothing.
    """

    path: str
    field: str
    recorded: Any
    recomputed: Any

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `replay --json` prints."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay: `same`, or the first `divergence`, on `line` of the record.

    `finished` is False for a record without an end, which was recomputed up to the node `stops_at`. `withheld` are the
    paths of nodes that could not be done again without the run's secrets, `""` is its payload: nothing is said of them.
    `diagnostics` say the divergence in words, and what differs from the day of the run: capabilities, the sealed
    workflow.
    """

    same: bool
    divergence: Divergence | None
    line: int | None
    finished: bool
    stops_at: str | None
    events: int
    trace_id: str
    workflow: str
    workflow_digest: str
    diagnostics: tuple[Diagnostic, ...] = ()
    withheld: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the replay in the shape of `replay --json`."""
        found = {name: getattr(self, name) for name in self.__slots__ if name != "diagnostics"}
        found["divergence"] = self.divergence.as_json() if self.divergence else None
        found["withheld"] = list(self.withheld)
        return {"schema": "omnibachi.replay/1", **found, "diagnostics": [item.as_json() for item in self.diagnostics]}


def replay(
    record: bytes,
    snapshot: Snapshot,
    *,
    data_root: str | PathLike[str] | None = None,
    trace_id: str | None = None,
    payload: dict[str, Any] | None = None,
) -> Replay:
    """Compute every transform, decision, computation and route of a record again, and compare.

    The workflow is that of `snapshot`, or else the one of the record's digest that the journal of `data_root` stored;
    the transforms are those that the snapshot's workspace has now. `trace_id` is the id under which the record was
    found. What reads the secrets of a run is done again with its `payload` alone, which is compared under the key of
    the data root; else it is told as withheld.

    Raises Refused: OB740 for a record that is broken, OB746 where no workflow at hand is the one that ran, OB602 for
    one that was edited, OB605, OB608 and OB409 for transforms that cannot be called, OB791 for another payload, OB793
    for one without the key.
    """
    notes: list[Diagnostic] = []
    found, root = _verified(record, data_root, trace_id, notes)
    if not found.holds:
        message = f"the record is broken at line {found.line}: {found.reason}"
        help = "replay only what holds: compare with the journal or a backup"
        raise Refused([Diagnostic("OB740", message, help=help)])
    events = list(read(record))
    data = _workflow(record, snapshot, root, notes)
    address, wanted = workflow_of(record)
    capabilities = snapshot.capabilities or Capabilities(os.devnull)
    program = _program(data, wanted, snapshot, capabilities, events[0].obs.get("capabilities"), notes)
    if program.secrets is not None:
        program.secrets.commit = committing(root, payload is not None)
    rows = [("", event.body_bytes, event.obs_bytes) for event in events]
    check_payload(program, payload, rows, str(found.trace_id))
    retold = wiring.replay(program, events, payload)
    first, divergence = retold.difference, None
    if first is not None:
        divergence = Divergence(first.path, first.field, first.recorded, first.recomputed)
        place = place_of(origins_of(snapshot, address, wanted), first.path)
        notes.insert(0, _told(first, retold.line, place))
    elif not found.finished:
        message = f"the record has no end: it was recomputed as far as `{retold.stops_at}`"
        help = "finish the run with `omnibachi resume`, then replay it"
        notes.append(Diagnostic("OB741", message, help=help, severity="warning"))
    return Replay(
        divergence is None, divergence, retold.line, found.finished, retold.stops_at, len(events),
        str(found.trace_id), address, wanted, tuple(notes), retold.withheld,
    )  # fmt: skip


def _verified(
    record: bytes, data_root: str | PathLike[str] | None, trace_id: str | None, notes: list[Diagnostic]
) -> tuple[Verification, str | None]:
    """Verify a record, and return the data root if it can be read; a replay can do without, so trouble is a warning."""
    root = None if data_root is None else os.fspath(data_root)
    try:
        return verify(record, data_root=root, trace_id=trace_id), root
    except Trouble as trouble:
        notes.append(trouble.diagnostic.as_warning())
        return verify(record, trace_id=trace_id), None


def _workflow(record: bytes, snapshot: Snapshot, root: str | None, notes: list[Diagnostic]) -> bytes:
    """Return the sealed bytes of the workflow that ran: from the snapshot, or as the data root stored them."""
    address, wanted = workflow_of(record)
    other = not_the_one(record, snapshot)
    if other is None:
        return sealed_in(snapshot, address) or b""
    stored = _stored(root, wanted)
    if stored is None:
        named = f"{other.help}: `--snapshot` and `--data-root` name them"
        raise Refused([Diagnostic(other.code, other.message, help=named if other.code == "OB746" else other.help)])
    if is_workflow(address):
        help = "the workflow that the journal stored was used"
        notes.append(Diagnostic(other.code, other.message, help=help, severity="warning"))
    return stored


def _stored(root: str | None, wanted: str) -> bytes | None:
    if root is None:
        return None
    with wiring.open_root(root, reading=True) as ledger:
        data = ledger.sealed(wanted)
    return data if data is not None and digest(data) == wanted else None


def _program(
    data: bytes, wanted: str, snapshot: Snapshot, capabilities: Capabilities, ran: Any, notes: list[Diagnostic]
) -> Program:
    """Link a workflow with the transforms that are here; what should not be called is a defect if it is."""
    workflow: dict[str, Any] = decode(data)
    functions: dict[str, Callable[..., Any]] = dict.fromkeys(workflow["capabilities"], _never)
    recomputed = {node["use"] for node in workflow["nodes"] if node.get("effect") == "PURE"}
    for address in sorted(recomputed):
        lock = snapshot.manifest["capabilities"].get(address)
        if not isinstance(lock, dict):
            help = "name the snapshot that it ran on with `--snapshot`, or restore the capability"
            raise Refused([Diagnostic("OB605", f"the run called `{address}`, and the snapshot has no lock for it",
                                      help=help)])  # fmt: skip
        notes += _drifted(address, lock, snapshot, ran)
        functions[address] = imported(capabilities, lock)
    return link(wiring.Sealed(snapshot, data, wanted, workflow, {}), functions)


def _never(*_: Any) -> Any:
    raise Defect("a replay called a side effect")


def imported(capabilities: Capabilities, lock: dict[str, Any]) -> Callable[..., Any]:
    """Import a function without leaving compiled files behind."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return capabilities.function(str(lock.get("implementation")))
    finally:
        sys.dont_write_bytecode = before


def _drifted(address: str, lock: dict[str, Any], snapshot: Snapshot, ran: Any) -> list[Diagnostic]:
    """Say in which way a transform is not the one that ran: its lock, or its source since it was sealed."""
    found: list[str] = []
    if isinstance(ran, dict) and ran.get(address) != digest_of(lock):
        found.append(f"`{address}` is not sealed as it was for this run")
    for module, there in drifted(snapshot, lock).items():
        if not there:
            raise Refused([Diagnostic("OB605", f"the module `{module}` of `{address}` cannot be found")])
        found.append(f"the source of `{module}`, which `{address}` relies on, is not what was sealed")
    help = "it was called as it is now; restore the one that ran to replay with it"
    return [Diagnostic("OB604", message, help=help, severity="warning") for message in found]


def _told(found: Difference, line: int | None, place: Span | None) -> Diagnostic:
    """Say a difference in one sentence."""
    where = f"line {line}" + (f", `{found.path}`" if found.path else "")
    if found.field == "path":
        goes = f"goes on with `{found.recorded}`" if found.recorded is not None else "ends"
        leads = f"the workflow leads to `{found.recomputed}`" if found.recomputed is not None else "the run ends there"
        message = f"{where}: the record {goes}, and {leads}"
    else:
        message = f"{where}: `{found.field}` is recorded as {shown(found.recorded)}, and comes out as " + shown(
            found.recomputed
        )
    if found.field == "outcome" and found.recomputed == FAULT:
        message += ": it fails now"
    return Diagnostic("OB749", message, place)
