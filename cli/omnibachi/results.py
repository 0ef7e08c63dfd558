"""What the public API returns. On the path of every run, so plain slotted classes."""

from __future__ import annotations

from omnibachi_model.digests import decode
from omnibachi_model.record import digest_of, export

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from omnibachi_model.diagnostics import Diagnostic
    from omnibachi_model.values import JSON

RUN_SCHEMA = "omnibachi.run/1"


class Step:
    """One node that a run passed: its name, its capability (None for what decides, computes or loops), its outcome.

    Inside loops the name tells the round, from 0: `mint_all[3]/read`.
    """

    __slots__ = ("capability", "node", "outcome")

    def __init__(self, node: str, capability: str | None, outcome: str) -> None:
        self.node = node
        self.capability = capability
        self.outcome = outcome

    def __repr__(self) -> str:
        return f"Step({self.node} {self.outcome})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and (self.node, self.capability, self.outcome) == (
            other.node,
            other.capability,
            other.outcome,
        )

    def __hash__(self) -> int:
        return hash((self.node, self.capability, self.outcome))


class RunResult:
    """How a run ended.

    A run that reached an exit has `exit`, `status`, `result` and `digest`; what ended before one (unknown workflow,
    refused snapshot, no JSON, database trouble) has None there, an empty record, and diagnostics. `exit_code` is the
    exit status that `omnibachi run` has; `ok` is that it is 0. `trace` names the files that were written, by kind
    (`jsonl`, `md`, `png`). One that waits for people has status WAITING, no exit, exit code 7, and `waiting` says for
    whom (docs/people.md). `repeated` tells that nothing ran, because the run of this id was recorded already.
    """

    __slots__ = (
        "_digest",
        "_path",
        "_record",
        "diagnostics",
        "events",
        "exit",
        "exit_code",
        "origin",
        "repeated",
        "result",
        "seal",
        "status",
        "trace",
        "trace_id",
        "waiting",
        "workflow",
        "workflow_digest",
    )

    def __init__(
        self,
        trace_id: str | None,
        workflow: str,
        exit_code: int,
        *,
        exit: str | None = None,
        status: str | None = None,
        result: dict[str, JSON] | None = None,
        workflow_digest: str | None = None,
        seal: str | None = None,
        origin: str | None = None,
        events: Sequence[tuple[str, bytes, bytes]] = (),
        diagnostics: Sequence[Diagnostic] = (),
        repeated: bool = False,
    ) -> None:
        self.trace_id = trace_id
        self.workflow = workflow
        self.exit_code = exit_code
        self.exit = exit
        self.status = status
        self.result = result
        self.workflow_digest = workflow_digest
        self.seal = seal
        self.origin = origin
        self.events = events
        self.diagnostics = tuple(diagnostics)
        self.repeated = repeated
        self.waiting: dict[str, Any] | None = None
        self.trace: dict[str, str] = {}
        self._digest: str | None = None
        self._record: bytes | None = None
        self._path: tuple[Step, ...] | None = None

    def __repr__(self) -> str:
        end = f"{self.exit} {self.status}" if self.exit else f"exit code {self.exit_code}"
        return f"RunResult({self.workflow} {self.trace_id}: {end})"

    @property
    def ok(self) -> bool:
        """Whether the run ended with status COMPLETED and everything was written."""
        return self.exit_code == 0

    @property
    def record(self) -> bytes:
        """The run's record: the lines of its trace, byte for byte."""
        if self._record is None:
            self._record = export([event[1:] for event in self.events])
        return self._record

    @property
    def digest(self) -> str | None:
        """The SHA-256 of all bodies in order; None for what ended before an exit."""
        if self._digest is None and self.exit is not None:
            self._digest = digest_of([body for _, body, _ in self.events])
        return self._digest

    @property
    def path(self) -> tuple[Step, ...]:
        """The nodes that the run passed, in order; a loop after its rounds."""
        if self._path is None:
            found = [decode(body) for path, body, _ in self.events if path]
            self._path = tuple(Step(body["path"], body["capability"], body["outcome"]) for body in found)
        return self._path

    def as_json(self) -> dict[str, Any]:
        """Return what `omnibachi run --json` prints."""
        waiting = {} if self.waiting is None else {"waiting": self.waiting}
        return {
            "schema": RUN_SCHEMA,
            "ok": self.ok,
            "exit_code": self.exit_code,
            "trace_id": self.trace_id,
            "workflow": self.workflow,
            "workflow_digest": self.workflow_digest,
            "seal": self.seal,
            "origin": self.origin,
            "exit": self.exit,
            "status": self.status,
            "result": self.result,
            "digest": self.digest,
            "repeated": self.repeated,
            "path": [{"node": step.node, "capability": step.capability, "outcome": step.outcome} for step in self.path],
            "trace": self.trace,
            "diagnostics": [item.as_json() for item in self.diagnostics],
            **waiting,
        }


class CallResult:
    """What one capability answered.

    `outcome` is None when it was not asked (its inputs do not fit, the snapshot is refused), and FAULT when it crashed
    or broke its declaration; `diagnostics` say why. `trace_id` is the journal's id of a call that wrote.
    """

    __slots__ = ("diagnostics", "outcome", "output", "trace_id")

    def __init__(
        self,
        outcome: str | None,
        output: dict[str, JSON],
        diagnostics: Sequence[Diagnostic] = (),
        trace_id: str | None = None,
    ) -> None:
        self.outcome = outcome
        self.output = output
        self.diagnostics = tuple(diagnostics)
        self.trace_id = trace_id

    def __repr__(self) -> str:
        return f"CallResult({self.outcome}, {self.output!r})"


class LoadResult:
    """What loading facts gave.

    `loaded` and `unchanged` count, by store, the records that were new or changed and those that were there already;
    `number` is the load's commit number, `file_digest` the digest of the file at `file`. When anything is wrong nothing
    is loaded: the counts are empty and `diagnostics` say why. `exit_code` is that of `omnibachi data load`.
    """

    __slots__ = ("diagnostics", "exit_code", "file", "file_digest", "loaded", "number", "unchanged")

    def __init__(
        self,
        exit_code: int,
        file: str,
        *,
        file_digest: str | None = None,
        number: int | None = None,
        loaded: dict[str, int] | None = None,
        unchanged: dict[str, int] | None = None,
        diagnostics: Sequence[Diagnostic] = (),
    ) -> None:
        self.exit_code = exit_code
        self.file = file
        self.file_digest = file_digest
        self.number = number
        self.loaded = loaded or {}
        self.unchanged = unchanged or {}
        self.diagnostics = tuple(diagnostics)

    def __repr__(self) -> str:
        return f"LoadResult({self.file}: exit code {self.exit_code}, {sum(self.loaded.values())} loaded)"

    @property
    def ok(self) -> bool:
        """Whether everything in the file stands in its stores now."""
        return self.exit_code == 0


class Compiled:
    """What compiling a workspace gave.

    `seal` is None unless `ok`; `workflows` are the sealed addresses; `checked_at_run` the places that are checked when
    run, as `{workflow, node, file, line, column, reason}`; `written` tells whether the snapshot was written.
    """

    __slots__ = ("checked_at_run", "diagnostics", "ok", "seal", "workflows", "written")

    def __init__(
        self,
        ok: bool,
        seal: str | None,
        diagnostics: Sequence[Diagnostic],
        workflows: Sequence[str],
        checked_at_run: Sequence[dict[str, JSON]],
        written: bool,
    ) -> None:
        self.ok = ok
        self.seal = seal
        self.diagnostics = tuple(diagnostics)
        self.workflows = tuple(workflows)
        self.checked_at_run = tuple(checked_at_run)
        self.written = written

    def __repr__(self) -> str:
        return f"Compiled({'ok' if self.ok else 'refused'}, {self.seal}, {len(self.diagnostics)} diagnostics)"
