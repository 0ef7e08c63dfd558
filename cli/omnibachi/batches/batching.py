"""A batch from beginning to end: what it is, what of it is done, the rest by a crew, and what comes of it."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from omnibachi import wiring
from omnibachi.engine import Engine, admitted
from omnibachi.exits import PARKED, TROUBLE
from omnibachi.publish import changed_sources
from omnibachi.recovery import SEVERITY
from omnibachi.rewriting import laid
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import digest_of
from omnibachi_model.passwords import without_passwords

from .crew import Crew
from .payloads import Chunk, Payloads
from .plan import PLAN_FORMAT, Parts, check_plan, folder_of, id_of, read_json
from .worker import Task, records_of

SUMMARY_FORMAT = "omnibachi.batch/1"
MOST_AT_ONCE = 1 << 30
PIECE = 64 * 1024  # copied at once: for larger ones memory is mapped anew each time, which costs more than the copying


@dataclass(frozen=True, slots=True)
class Asked:
    """What a batch is asked for: `record` is the file of all records, None for `<batches>/<ID>.jsonl`."""

    workflow: str
    file: str
    workers: int = 1
    record: str | None = None
    batch: str | None = None
    actor: str | None = None
    seal: str | None = None
    strict: bool = False
    trust: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a batch: the summary as its file holds it, and what else is to be said.

    `repeated` tells that it was whole already, so nothing was done; `found_done` counts the lines that an earlier
    process had done.
    """

    summary: dict[str, Any]
    record_file: str
    repeated: bool
    found_done: int
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def summary_file(self) -> str:
        """Where the summary lies."""
        return summary_of(self.record_file)

    @property
    def exit_code(self) -> int:
        """The worst exit status of all lines: 6, 4, 3, 1, 5, 7, 0 in this order."""
        found = {item["exit_code"] for item in self.summary["failed"]}
        found |= {PARKED} if self.summary.get("waiting") else set()
        return max(found, key=lambda code: SEVERITY.index(code) if code in SEVERITY else 0, default=0)


def run_batch(workspace: Workspace, asked: Asked, tell: Callable[[int, int], None]) -> Batch:
    """Run every line, or what is left of them; `tell` hears the lines done and all.

    Raises Refused (OB120, OB756 and as `Workspace.load`) and Trouble (OB757, OB758, OB753, OB726). A batch that was
    broken off in whatever way is gone on with when the same is asked again.
    """
    payloads = Payloads(asked.file)
    try:
        return _run(workspace, asked, payloads, tell)
    finally:
        payloads.close()


def _run(workspace: Workspace, asked: Asked, payloads: Payloads, tell: Callable[[int, int], None]) -> Batch:
    snapshot = workspace.load(seal=asked.seal, strict=asked.strict, trust=asked.trust)
    root = workspace.data_root if wiring.is_address(workspace.data_root) else os.path.abspath(workspace.data_root)
    with Engine(snapshot, workspace.capabilities, root, mirrors=workspace.mirrors) as engine:
        program = engine.linked(asked.workflow).program
        admitted(program, {}, asked.actor)
        if program.journal:
            _ = engine.ledger  # A data root that cannot be opened is said once, and not of every line.
        # Whoever knows all else of a line could try out its secret on a digest that everybody can make.
        lines = payloads.digest if program.secrets is None else engine.commit(payloads.digest)
        batch = asked.batch if asked.batch is not None else id_of(asked.workflow, lines, asked.actor)
        locks = snapshot.manifest["capabilities"]
        plan: dict[str, Any] = {
            "format": PLAN_FORMAT, "batch": batch, "workflow": asked.workflow, "workflow_digest": program.digest,
            "payloads": lines, "lines": payloads.count, "actor": asked.actor,
            "capabilities": {name: digest_of(locks[name]) for name in sorted(_capabilities(program.sealed))},
            "data_root": without_passwords(root) if program.journal or program.secrets is not None else None,
        }  # fmt: skip
        folder = folder_of(workspace)
        output = asked.record if asked.record is not None else os.path.join(folder, f"{batch}.jsonl")
        parts = Parts(folder, batch)
        with parts.led():
            there = _whole(plan, output)
            if there is not None:
                parts.clear()
                return Batch(there, output, True, payloads.count)
            if parts.plan() is None and os.path.lexists(output) and read_json(summary_of(output)) is None:
                message = f"`{output}` is there already, and no record of this batch"
                raise Refused([Diagnostic("OB756", message, help="name another file with `--output`")])
            parts.begin(plan)
            task = Task(
                workspace.root, root, str(snapshot.seal), asked.seal is not None, asked.strict,
                os.path.abspath(workspace.trust), asked.trust, asked.workflow, asked.actor, batch,
                os.path.abspath(parts.folder),
            )  # fmt: skip
            found_done = _do(task, parts, payloads, asked.workers, tell)
            summary = _gathered(plan, parts, payloads, output, str(snapshot.seal))
            found = changed_sources(workspace.root, snapshot, asked.workflow) + _mirrored(engine, program.sealed)
            if not _again(summary):
                parts.clear()
    return Batch(summary, output, False, found_done, tuple(found))


def _capabilities(sealed: bytes) -> list[str]:
    found: list[str] = json.loads(sealed)["capabilities"]
    return found


def summary_of(output: str) -> str:
    """Return where the summary of a record file lies: beside it."""
    return output.removesuffix(".jsonl") + ".summary.json"


def _whole(plan: dict[str, Any], output: str) -> dict[str, Any] | None:
    """Return the summary of a batch that is whole, and has nothing that may be tried again; raises Refused (OB756)."""
    path = summary_of(output)
    summary = read_json(path)
    if summary is None:
        return None
    try:
        if summary["batch"] != plan["batch"]:
            message = f"`{output}` is the record of another batch, `{summary['batch']}`"
            raise Refused([Diagnostic("OB756", message, help="name another file with `--output`")])
        check_plan(plan, summary["plan"])
        return summary if os.stat(output).st_size == summary["size"] and not _again(summary) else None
    except OSError:
        return None
    except (KeyError, TypeError, AttributeError):
        help = "name another file with `--output`, or remove it"
        raise Refused([Diagnostic("OB756", f"`{path}` is no summary of a batch", help=help)]) from None


def _again(ends: dict[str, Any]) -> bool:
    """Tell whether a line may be tried again: it met trouble, or waited for people."""
    return bool(ends.get("waiting")) or any(item["exit_code"] == TROUBLE for item in ends["failed"])


def _do(task: Task, parts: Parts, payloads: Payloads, workers: int, tell: Callable[[int, int], None]) -> int:
    """Do the chunks that are not there, and those with a line that may be tried again; return the lines found done."""
    done = 0

    def left() -> Iterator[Chunk]:
        nonlocal done
        for chunk in payloads.chunks():
            ends = parts.ends(chunk.number)
            if ends is None or _again(ends):
                yield chunk
            else:
                done += len(chunk.lines)

    tell(0, payloads.count)
    Crew(task, workers, left(), lambda count: tell(done + count, payloads.count)).work()
    tell(payloads.count, payloads.count)
    return done


def _gathered(plan: dict[str, Any], parts: Parts, payloads: Payloads, output: str, seal: str) -> dict[str, Any]:
    """Lay all records into one file, in the order of the lines, then the summary beside it; raises Trouble (OB753)."""
    exits: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    failed: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    size = number = lines = 0
    aside = f"{output}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
        with open(aside, "wb") as whole:
            while lines < payloads.count:
                ends = read_json(os.path.join(parts.folder, f"{number:08d}.json"))
                if ends is None:
                    raise Trouble(Diagnostic("OB753", f"the chunk {number} of `{parts.folder}` has gone"))
                with open(records_of(parts.folder, number), "rb") as records:
                    _append(records, whole)
                exits.update(ends["by_exit"])
                statuses.update(ends["by_status"])
                failed += ends["failed"]
                waiting += ends.get("waiting", [])
                size, lines, number = size + ends["size"], lines + ends["lines"], number + 1
        os.replace(aside, output)
    except OSError as error:
        with suppress(OSError):
            os.unlink(aside)  # Where there is no room, it need not take what is left.
        reason = (error.strerror or str(error)).lower()
        message = f"`{output}` cannot be written: {reason}"
        raise Trouble(Diagnostic("OB753", message, help="check the permissions and the space left")) from error
    summary: dict[str, Any] = {
        "schema": SUMMARY_FORMAT, "batch": plan["batch"], "workflow": plan["workflow"], "seal": seal,
        "lines": lines, "completed": statuses["COMPLETED"], "by_exit": dict(sorted(exits.items())),
        "by_status": dict(sorted(statuses.items())), "refused": lines - sum(exits.values()) - len(waiting),
        "failed": failed, "size": size, "plan": plan,
    }  # fmt: skip
    if waiting:
        summary["waiting"] = waiting
    laid(summary_of(output), json.dumps(summary, ensure_ascii=False, indent=1).encode() + b"\n")
    return summary


def _append(records: BinaryIO, whole: BinaryIO) -> None:
    """Copy what stands in one file behind what stands in another, inside of the system where it can."""
    done = 0
    with suppress(OSError, AttributeError):
        while count := os.sendfile(whole.fileno(), records.fileno(), done, MOST_AT_ONCE):
            done += count
        return
    records.seek(done)
    shutil.copyfileobj(records, whole, PIECE)
    whole.flush()


def _mirrored(engine: Engine, sealed: bytes) -> list[Diagnostic]:
    """Bring the readable mirrors up to date; what fails is a warning."""
    workflow: dict[str, Any] = json.loads(sealed)
    if not workflow["journal"]:
        return []
    try:
        engine.ledger.mirror({address: store["keeps"] for address, store in workflow["stores"].items()})
    except Trouble as trouble:
        return [trouble.diagnostic.as_warning()]
    return []
