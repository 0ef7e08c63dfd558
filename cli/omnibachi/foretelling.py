"""Recorded runs on another snapshot: which would end differently, which the same, and of which nobody can tell.

Each trace is verified, and walked once more along the workflow of the same address that the new snapshot holds. Side
effects answer from the record (`runtime.rerun`) and are not imported; transforms are those of the new snapshot, and
their sources must be what was sealed. Nothing is written.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import decode, digest, digest_of, encode
from omnibachi_model.record import read
from omnibachi_model.secrecy import holds_withheld

from . import wiring
from .catalogue import Capabilities
from .engine import link
from .records import is_workflow, sealed_in, workflow_of
from .replaying import imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .wiring import Snapshot
    from .workspace import Workspace

DIFFERENT, SAME, UNJUDGED, BROKEN = "different", "same", "unjudged", "broken"


@dataclass(frozen=True, slots=True)
class Foretold:
    """What would come of one recorded run.

    `verdict` is `different`, `same`, `unjudged` or `broken`. `recorded` and `now` are {exit, status, result}, None
    where there is no end. `part` is the first place where the two ways part, {node, field, recorded, recomputed}; a run
    that ends the same may have one too. `reason` says why it is unjudged or broken. `matters` is False for a record
    that no snapshot could judge: one without an end, or of a tried call.
    """

    trace: str
    verdict: str
    workflow: str | None = None
    recorded: dict[str, Any] | None = None
    now: dict[str, Any] | None = None
    part: dict[str, Any] | None = None
    reason: str | None = None
    matters: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `compat --json` prints."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "matters"}


def _nobody(address: str, wanted: str) -> bytes | None:
    return None


@dataclass(slots=True)
class Foreteller:
    """What judges many records by one snapshot: transforms are imported once, when a workflow first needs them.

    `walked` gives the sealed workflow of an address and a digest, None where nobody has it: only it tells which stores
    a recorded run asked.
    """

    snapshot: Snapshot
    walked: Callable[[str, str], bytes | None] = _nobody
    _before: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    _workflows: dict[str, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)
    _transforms: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def judge(self, name: str, record: bytes) -> Foretold:
        """Say what would come of a record, which `name` names for people.

        Raises Refused: OB602, OB604, OB605, OB608, OB409 where the new snapshot or its transforms cannot be relied on.
        """
        found = wiring.verify(record)
        if not found.holds:
            return Foretold(name, BROKEN, reason=f"broken at line {found.line}: {found.reason}")
        address, ran = workflow_of(record)
        if not is_workflow(address):
            return Foretold(name, UNJUDGED, address, reason="the record is of a tried call", matters=False)
        events = list(read(record))
        if not found.finished:
            return Foretold(name, UNJUDGED, address, reason="the record has no end", matters=False)
        recorded = _end(events[-1].body)
        if address not in self.snapshot.workflows:
            return Foretold(name, UNJUDGED, address, recorded, reason=f"the new snapshot has no workflow `{address}`")
        data, workflow = self._workflow(address)
        if holds_withheld(events[0].body["payload"]):
            if digest(data) == ran and self._locked_alike(workflow, events[0].obs.get("capabilities")):
                return Foretold(name, SAME, address, recorded, recorded)
            reason = "its payload is withheld in part, and what would come of that nobody can tell"
            return Foretold(name, UNJUDGED, address, recorded, reason=reason)
        answers = wiring.Answers(workflow, events, self._ran(address, ran))
        functions = {use: answers.function(use) for use in workflow["capabilities"]}
        functions |= self._pure(workflow)
        program = link(wiring.Sealed(self.snapshot, data, digest(data), workflow, {}), functions)
        again = wiring.rerun(program, events, answers)
        part = None
        if again.part is not None:
            place = {"node": again.part.path, "field": again.part.field}
            part = {**place, "recorded": again.part.recorded, "recomputed": again.part.recomputed}
        if again.unanswered is not None:
            return Foretold(name, UNJUDGED, address, recorded, None, part, again.unanswered)
        now = {"exit": again.exit, "status": again.status, "result": again.result}
        same = encode(now) == encode(recorded)
        return Foretold(name, SAME if same else DIFFERENT, address, recorded, now, part)

    def _locked_alike(self, workflow: dict[str, Any], ran: Any) -> bool:
        """Tell whether all code of a workflow is what it was when a run of it began."""
        locks = self.snapshot.manifest["capabilities"]
        return isinstance(ran, dict) and all(
            address in locks and digest_of(locks[address]) == ran.get(address) for address in workflow["capabilities"]
        )

    def _ran(self, address: str, wanted: str) -> dict[str, Any] | None:
        if wanted not in self._before:
            data = self.walked(address, wanted)
            self._before[wanted] = decode(data) if data is not None and digest(data) == wanted else None
        return self._before[wanted]

    def _workflow(self, address: str) -> tuple[bytes, dict[str, Any]]:
        if address not in self._workflows:
            data = sealed_in(self.snapshot, address)
            if data is None:
                name = self.snapshot.manifest["workflows"][address]["file"]
                help = "compile again, or restore the file"
                raise Refused([Diagnostic("OB602", f"`{name}` is not what the manifest says", help=help)])
            workflow: dict[str, Any] = decode(data)
            # Whatever has the right digest is walked, so its shape is looked at first, as before a run.
            _linkable(self.snapshot, data, workflow)
            self._workflows[address] = data, workflow
        return self._workflows[address]

    def _pure(self, workflow: dict[str, Any]) -> dict[str, Callable[..., Any]]:
        """Return the transforms of a workflow, imported from sources that are what was sealed."""
        used = {node["use"] for node in workflow["nodes"] if node.get("effect") == "PURE"}
        capabilities = self.snapshot.capabilities or Capabilities(os.devnull)
        locks = wiring.load_locks(self.snapshot, sorted(used - self._transforms.keys()), capabilities.source)
        self._transforms |= {address: imported(capabilities, lock) for address, lock in locks.items()}
        return {address: self._transforms[address] for address in used}


def _linkable(snapshot: Snapshot, data: bytes, workflow: Any) -> None:
    """Link a workflow with functions that nobody calls; raises Refused (OB608) where it is of another form."""
    uses = workflow.get("capabilities") if isinstance(workflow, dict) else None
    if not isinstance(uses, list) or not all(isinstance(use, str) for use in uses):
        message = "a sealed workflow has not the shape of its format"
        raise Refused([Diagnostic("OB608", message, help="compile again")])
    link(wiring.Sealed(snapshot, data, digest(data), workflow, {}), dict.fromkeys(uses, print))


def _end(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("exit", "status", "result")}


def walked_in(workspace: Workspace) -> Callable[[str, str], bytes | None]:
    """Return who knows the workflows that runs of a workspace walked: its snapshot, or else its journal."""
    try:
        snapshot = workspace.load()
    except Refused:
        snapshot = None

    def find(address: str, wanted: str) -> bytes | None:
        data = sealed_in(snapshot, address) if snapshot is not None else None
        if data is not None and digest(data) == wanted:
            return data
        if not wiring.may_be_there(workspace.data_root):
            return None
        with wiring.open_root(workspace.data_root, reading=True) as ledger:
            return ledger.sealed(wanted)

    return find


def traces_below(folder: str) -> Iterator[tuple[str, str]]:
    """Give (name relative to the folder, path) of every `.jsonl` file below it, sorted; hidden ones are passed over."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".jsonl") and not name.startswith("."):
                path = os.path.join(place, name)
                yield os.path.relpath(path, folder).replace(os.sep, "/"), path
