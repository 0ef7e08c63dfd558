"""The engine: many runs of sealed workflows on one data root.

It links a workflow when it is first run and keeps the program. The data root is opened when a workflow that has side
effects is first run; without one, state lives in memory and is gone with the engine.
"""

from __future__ import annotations

import os

from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import decode, digest, digest_of, encode
from omnibachi_model.record import Broken
from omnibachi_model.record import read as read_record
from omnibachi_model.values import Outside, admit

from . import wiring
from .clocks import Stamps, SystemClock, SystemEntropy
from .endings import ended_result, recorded_result
from .exits import FINDINGS, TROUBLE
from .results import RunResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

    from omnibachi_model.ports import Clock, Entropy
    from omnibachi_model.values import JSON, Answer

    from .catalogue import Capabilities
    from .wiring import Ledger, Program, Sealed, Snapshot, Turns

PROGRAM = f"omnibachi {wiring.VERSION}"
CHANCE = 16  # bytes that the waits of a run are drawn from
WORDS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


class Linked:
    """A program that is ready to run, the snapshot that it came from, and the constant part of its first `obs`."""

    __slots__ = ("opening", "program", "snapshot")

    def __init__(self, program: Program, snapshot: Snapshot, opening: bytes) -> None:
        self.program = program
        self.snapshot = snapshot
        self.opening = opening


class Engine:
    """Runs workflows; a context manager, for one thread and process. Made by `Workspace.engine`.

    `past` gives the record of an earlier run that has no journal (its trace), by id; `forced` answers of nodes by
    name, for scenarios; `note` says in this process's lock file what it publishes (`traces_folder.note`), `mirrors`
    where the mirrors of a server go; `linked` is shared by engines that force nothing on one snapshot, so that each
    workflow is linked once; `secrets` gives the text behind the name of a secret; `turns` are the order in which this
    engine and those `beside` it write.
    """

    __slots__ = (
        "_capabilities",
        "_clock",
        "_entropy",
        "_forced",
        "_ledger",
        "_linked",
        "_mirrors",
        "_note",
        "_own",
        "_past",
        "_stamps",
        "_turns",
        "data_root",
        "secrets",
        "snapshot",
    )

    def __init__(
        self,
        snapshot: Snapshot,
        capabilities: Capabilities,
        data_root: str | None = None,
        *,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        past: Callable[[str], bytes | None] | None = None,
        forced: Mapping[str, Answer] | None = None,
        note: bytes = b"",
        mirrors: str | None = None,
        linked: dict[str, Linked] | None = None,
        secrets: Callable[[str], str | None] = os.environ.get,
        turns: Turns | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.data_root = data_root
        self._capabilities = capabilities
        self._clock: Clock = clock or SystemClock()
        self._entropy: Entropy = entropy or SystemEntropy()
        self._stamps = Stamps(self._clock, self._entropy)
        self._past = past
        self._forced = forced
        self._note = note
        self._mirrors = mirrors
        self._turns = turns
        self._ledger: Ledger | None = None
        self._linked: dict[str, Linked] = {} if linked is None else linked
        self._own: dict[str, Linked] = {}  # of workflows with secrets: these are committed to by this data root's key
        self.secrets = secrets

    def __repr__(self) -> str:
        from omnibachi_model.passwords import without_passwords

        return f"Engine({without_passwords(self.data_root or 'in memory')})"

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Whatever broke off a process that publishes, an interrupt too, has left something to do.
        self.close(done=kind is None or not self._note)

    @property
    def turns(self) -> Turns | None:
        """The order in which this one and those beside it write."""
        return self._turns

    def beside(self) -> Engine:
        """Return another engine on the same snapshot and data root, for another thread."""
        return Engine(
            self.snapshot, self._capabilities, self.data_root, clock=self._clock, entropy=self._entropy,
            past=self._past, forced=self._forced, note=self._note, mirrors=self._mirrors, secrets=self.secrets,
            turns=self._turns,
        )  # fmt: skip

    def close(self, *, done: bool = True) -> None:
        """Close the data root; unless it is `done`, `omnibachi resume --all` will look after this process's runs."""
        if self._ledger is not None:
            self._ledger.close(done=done)
            self._ledger = None

    @property
    def ledger(self) -> Ledger:
        """The data root's ledger, opened when first asked for; raises Trouble."""
        if self._ledger is None:
            self._ledger = wiring.open_root(
                self.data_root, note=self._note, mirrors=self._mirrors, turns=self._turns
            )  # fmt: skip
        return self._ledger

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What the operator of the data root should know, where it was opened."""
        return self._ledger.warnings if self._ledger is not None else ()

    def run(
        self, workflow: str, payload: dict[str, JSON], *, trace_id: str | None = None, actor: str | None = None
    ) -> RunResult:
        """Run a workflow to an exit.

        The id of a run that has ended, with the same workflow digest and payload, gives its recorded result and runs
        nothing. What ends the run before an exit is in the result's diagnostics, never raised.
        """
        try:
            result = None
            while result is None:
                result = self._run(workflow, payload, trace_id, actor)
            return result
        except Refused as refused:
            return RunResult(
                trace_id, workflow, refused.exit_code, seal=self.snapshot.seal, origin=self.snapshot.origin,
                diagnostics=refused.diagnostics,
            )  # fmt: skip
        except Trouble as trouble:
            return RunResult(
                trace_id, workflow, _code_of(trouble), seal=self.snapshot.seal, origin=self.snapshot.origin,
                diagnostics=[trouble.diagnostic],
            )  # fmt: skip

    def resume(
        self, trace_id: str, *, accept: Collection[str] = (), payload: dict[str, JSON] | None = None
    ) -> RunResult:
        """Finish a run whose process died: walk on where its journal ends, on the workflow as it was stored.

        `accept` names capabilities that may differ from what they were when the run began; `payload` is what it was
        given, where it goes on with what is secret of that. A run that has ended gives its recorded result. What stands
        in the way is in the result's diagnostics, never raised.
        """
        from .resuming import resume

        accepted = (accept,) if isinstance(accept, str) else tuple(accept)
        return resume(self, self._capabilities, self._clock, self._entropy, trace_id, accepted, payload)

    def record(self, trace_id: str) -> bytes:
        """Return the record (JSONL) of a run that this data root's journal holds; raises Refused (OB316) for others."""
        found = self.ledger.record(trace_id) or (self._past(trace_id) if self._past else None)
        if found is None:
            raise Refused([Diagnostic("OB316", f"no run has the trace id `{trace_id[:64]}`")], FINDINGS)
        return found

    def linked(self, workflow: str) -> Linked:
        """Load, verify and link a workflow, once; raises Refused."""
        found = self._linked.get(workflow) or self._own.get(workflow)
        if found is None:
            sealed = wiring.load_workflow(self.snapshot, workflow, self._capabilities.source)
            functions = self._capabilities.functions(sealed.locks, strict=self.snapshot.strict)
            program = link(sealed, functions, self._forced)
            found = Linked(program, sealed.snapshot, opening(sealed))
            if program.secrets is None:
                self._linked[workflow] = found
            else:
                program.secrets.commit = self.commit
                self._own[workflow] = found
        return found

    def commit(self, value: JSON) -> str:
        """Return the commitment to a secret under the data root's key, which is made when first needed; raises
        Trouble."""
        from omnibachi_model.secrecy import commitment

        key = self.ledger.commitment_key(self._entropy.draw)
        assert key is not None
        return commitment(key, value)

    def _run(self, workflow: str, payload: Any, trace_id: str | None, actor: str | None) -> RunResult | None:
        """Run it once; None where the id that was drawn is another run's, and nothing of this one was recorded."""
        linked = self.linked(workflow)
        program = linked.program
        if trace_id is not None:
            check_trace_id(trace_id)
        gate = admitted(program, payload, actor)
        encoded = gate[2]
        payload_digest = digest(encoded) if program.journal or trace_id is not None else ""
        if trace_id is not None:
            repeated = self._repeated(linked, trace_id, payload_digest)
            if repeated is not None:
                return repeated
        now, started_at = self._stamps.now()
        run_id = trace_id if trace_id is not None else self._stamps.trace_id(now)
        journal = None
        if program.journal:
            journal = self.ledger.journal(
                run_id, workflow=program.address, workflow_digest=program.digest, sealed=program.sealed,
                seal=linked.snapshot.seal, payload_digest=payload_digest, started_at=started_at,
            )  # fmt: skip
        chance = self._entropy.draw(CHANCE).hex() if program.draws else None
        start = wiring.Start(
            run_id, now, started_at, actor, linked.opening, self._clock, self._entropy, journal, chance, self.secrets
        )  # fmt: skip
        try:
            ended = wiring.walk(program, start, gate)
        except Trouble as trouble:
            if trace_id is None and trouble.diagnostic.code in ("OB711", "OB712"):
                # A clock and chance that stand still gave another engine this id; the next one counts on.
                return None
            if trace_id is not None and trouble.diagnostic.code == "OB711":
                # Another process finished this very run since this one looked; nothing was done here.
                repeated = self._repeated(linked, run_id, payload_digest)
                if repeated is not None:
                    return repeated
            return RunResult(
                run_id, workflow, _code_of(trouble), workflow_digest=program.digest, seal=linked.snapshot.seal,
                origin=linked.snapshot.origin, diagnostics=[trouble.diagnostic],
            )  # fmt: skip
        return ended_result(linked, ended)

    def _repeated(self, linked: Linked, run_id: str, payload_digest: str) -> RunResult | None:
        """Answer for an id that is used already; raises Refused where it belongs to another run."""
        program = linked.program
        if program.journal:
            row = self.ledger.finished(run_id)
            if row is not None:
                if (row.workflow_digest, row.payload_digest) != (program.digest, payload_digest):
                    raise _used(run_id)
                if row.exit is None:
                    raise Trouble(self.ledger.taken(run_id))
                return recorded_result(linked.snapshot, run_id, self.ledger.events(run_id))
        data = self._past(run_id) if self._past else None
        if data is None:
            if not program.journal and self._journalled(run_id):
                raise _used(run_id)
            return None
        try:
            events = [(str(item.body.get("path", "")), item.body_bytes, item.obs_bytes) for item in read_record(data)]
        except Broken as broken:
            message = f"the trace `{run_id}` that is there does not hold: line {broken.line}: {broken.reason}"
            raise Refused([Diagnostic("OB740", message, help="use a new id, or remove the broken trace")]) from None
        asked = decode(events[0][1]) if events else {}
        same = asked.get("workflow_digest") == program.digest and digest_of(asked.get("payload")) == payload_digest
        if not same:
            raise _used(run_id)
        # A run with side effects that this data root does not know is another data root's: it is run here too.
        finished = decode(events[-1][1]).get("kind") == "RUN_FINISHED"
        return recorded_result(linked.snapshot, run_id, events) if finished and not program.journal else None

    def _journalled(self, run_id: str) -> bool:
        """Tell whether the journal knows a run: one that was killed has no trace yet, and resuming it writes one."""
        root = self.data_root
        if root is None or not (os.path.exists(os.path.join(root, "store.db")) or _is_server(root)):
            return False
        try:
            with wiring.open_root(self.data_root, reading=True) as ledger:
                return ledger.finished(run_id) is not None
        except Trouble:
            return False  # What has no side effect needs no data root that can be used.


def _is_server(root: str) -> bool:
    # Few paths have a colon: for the others no ledger is loaded by a run that needs none.
    return ":" in root and wiring.is_address(root)


def link(
    sealed: Sealed, functions: Mapping[str, Callable[..., Any]], forced: Mapping[str, Answer] | None = None
) -> Program:
    """Link a loaded workflow; a file of the wrong shape whose digest is right is refused (OB608)."""
    try:
        return wiring.link(sealed.workflow, sealed.digest, sealed.data, functions, forced)
    except wiring.Malformed as error:
        address = sealed.workflow["address"]
        message = f"the sealed form of `{address}` has not the shape of its format ({error})"
        raise Refused([Diagnostic("OB608", message[:400], help="compile again")]) from error


def admitted(program: Program, payload: Any, actor: str | None) -> tuple[list[Any], Any, bytes]:
    """Let a payload pass the gate; raises Refused for what is no payload (OB122, OB123)."""
    if type(payload) is not dict:
        kinds = {list: "list", str: "text", bool: "boolean", int: "number", float: "number", type(None): "null"}
        kind = kinds.get(type(payload), type(payload).__name__)
        message = f"the payload is a {kind} and not an object"
        raise Refused([Diagnostic("OB123", message, help="send a JSON object")], FINDINGS)
    try:
        if actor is not None and type(admit(actor)) is not str:
            raise Outside("", "this is no text")
    except Outside as outside:
        raise Refused([Diagnostic("OB122", f"the actor: {outside.reason}", help="name another")], FINDINGS) from None
    try:
        return program.gate(payload)
    except Outside as outside:
        raise Refused([Diagnostic("OB122", f"`{outside.pointer or '/'}`: {outside.reason}")], FINDINGS) from None


def check_trace_id(trace_id: str) -> None:
    """Refuse a trace id that has a wrong form (OB710)."""
    if type(trace_id) is not str or not 1 <= len(trace_id) <= 64 or not WORDS.issuperset(trace_id):
        help = "use 1 to 64 letters, digits, `_` and `-`"
        raise Refused([Diagnostic("OB710", f"`{str(trace_id)[:80]}` is no trace id", help=help)], FINDINGS)


def _code_of(trouble: Trouble) -> int:
    """Return the exit status of a run that trouble ended; that its id is used already is what a user can mend."""
    return FINDINGS if trouble.diagnostic.code in ("OB711", "OB712") else TROUBLE


def _used(run_id: str) -> Refused:
    message = f"the trace id `{run_id}` belongs to a run of another workflow or payload"
    return Refused([Diagnostic("OB711", message, help="use a new id, or none")], FINDINGS)


def opening(sealed: Sealed) -> bytes:
    """Return the part of the first event's `obs` that is the same for every run of a loaded workflow (see `Start`)."""
    known = {
        "capabilities": {address: digest_of(lock) for address, lock in sealed.locks.items()},
        "host": host(),
        "origin": sealed.snapshot.origin,
        "program": PROGRAM,
        "seal": sealed.snapshot.seal,
    }
    return encode(known)[1:-1]


def host() -> str:
    """Return the name of this machine, for the record."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
