"""One process of a batch: it gets chunks of lines, runs each line, and leaves records and ends of the chunk in files.

It is told what to do by a pipe, and ends when the other end of the pipe is gone: nobody is left behind. What it says:
`("at", lines done in this chunk)` now and then, `("line", number)` before each line where it is to be careful,
`("done", number of the chunk)`, and what keeps it from working at all.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from omnibachi.engine import Engine
from omnibachi.exits import FINDINGS, OK, TROUBLE
from omnibachi.results import RunResult
from omnibachi.wiring import acquire
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.values import MAX_PAYLOAD_BYTES, Outside, read

from .payloads import TOO_LONG, Chunk

WORKER = ".worker"
BUFFER = 256 * 1024
EVERY = 0.1  # seconds between two words of how far it is


class Task(NamedTuple):
    """What all workers of a batch are told at the start; `folder` is where chunks are left."""

    root: str
    data_root: str
    seal: str
    pinned: bool
    strict: bool
    trust_file: str
    trust: str | None
    workflow: str
    actor: str | None
    batch: str
    folder: str


class Order(NamedTuple):
    """A chunk to be done; with `careful`, each line is told before. Lines in `given_up` are not run, and why."""

    chunk: Chunk
    careful: bool
    given_up: dict[int, str]


def records_of(folder: str, number: int) -> str:
    """Return where the records of a chunk lie."""
    return os.path.join(folder, f"{number:08d}.jsonl")


def ends_of(folder: str, number: int) -> str:
    """Return where it is told how the lines of a chunk ended."""
    return os.path.join(folder, f"{number:08d}.json")


def lock_of(folder: str, process: int) -> str:
    """Return the file that a worker holds locked as long as it lives."""
    return os.path.join(folder, f"{process}{WORKER}")


def trace_id(batch: str, line: int) -> str:
    """Return the id of the run of a line."""
    return f"{batch}-{line:08d}"


def work(connection: Connection, task: Task) -> None:
    """Do orders until None comes or the other end has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Who ordered says when to stop.
    os.dup2(2, 1)  # What a capability prints is no result of the batch.
    gc.set_threshold(100_000)
    try:
        _serve(connection, task)
    except (EOFError, ConnectionError):
        return
    except Refused as refused:
        _say(connection, ("refused", refused.diagnostics, refused.exit_code))
    except Trouble as trouble:
        _say(connection, ("refused", [trouble.diagnostic], TROUBLE))
    except Exception as error:
        _say(connection, ("defect", f"{type(error).__name__}: {error}"))


def _say(connection: Connection, message: tuple[Any, ...]) -> None:
    try:
        connection.send(message)
    except (OSError, ValueError):
        sys.exit(1)


def _serve(connection: Connection, task: Task) -> None:
    lock = lock_of(task.folder, os.getpid())
    held = acquire(lock)
    if held is None:
        raise Trouble(Diagnostic("OB757", f"another process holds `{lock}`"))
    workspace = Workspace(task.root)
    workspace.trust = task.trust_file
    snapshot = workspace.load(seal=task.seal if task.pinned else None, strict=task.strict, trust=task.trust)
    if snapshot.seal != task.seal:
        message = "the workspace was compiled anew while the batch ran"
        raise Refused([Diagnostic("OB756", message, help="give the command again: it goes on if it can")])
    with Engine(snapshot, workspace.capabilities) as engine:
        if engine.linked(task.workflow).program.journal:
            engine.data_root = task.data_root
        order: Order | None
        while (order := connection.recv()) is not None:
            _Doing(connection, task, engine, order).do()
    os.unlink(lock)
    os.close(held)


class _Doing:
    """A chunk as it is done."""

    def __init__(self, connection: Connection, task: Task, engine: Engine, order: Order) -> None:
        self.connection = connection
        self.task = task
        self.engine = engine
        self.order = order
        self.exits: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.failed: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []

    def do(self) -> None:
        chunk, told = self.order.chunk, time.monotonic()
        path = records_of(self.task.folder, chunk.number)
        aside = f"{path}.{os.getpid()}"
        whole, size = hashlib.sha256(), 0
        try:
            with open(aside, "wb", BUFFER) as file:
                for done, (number, data) in enumerate(chunk.lines):
                    if self.order.careful:
                        self.connection.send(("line", number))
                    now = time.monotonic()
                    if now - told > EVERY:
                        told = now
                        self.connection.send(("at", done))
                    record = self.end(number, self.run(number, data))
                    whole.update(record)
                    size += len(record)
                    file.write(record)
            os.replace(aside, path)
            ends: dict[str, Any] = {
                "lines": len(chunk.lines), "size": size, "sha256": whole.hexdigest(), "by_exit": self.exits,
                "by_status": self.statuses, "failed": self.failed,
            }  # fmt: skip
            if self.waiting:
                ends["waiting"] = self.waiting
            path = ends_of(self.task.folder, chunk.number)
            with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as text:
                json.dump(ends, text, ensure_ascii=False)
            os.replace(f"{path}.{os.getpid()}", path)
        except ConnectionError:
            raise
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Trouble(Diagnostic("OB726", f"`{path}` cannot be written: {reason}")) from error
        self.connection.send(("done", chunk.number))

    def end(self, number: int, result: RunResult) -> bytes:
        """Count how a line ended and return its record, empty where there was no run."""
        ended = result.exit is not None
        if result.waiting is not None:
            self.statuses[str(result.status)] += 1
            self.waiting.append({"line": number, "trace_id": result.trace_id, "path": result.waiting["path"]})
            return b""  # Its record comes when people have decided, and the command is given again.
        if ended:
            self.exits[str(result.exit)] += 1
            self.statuses[str(result.status)] += 1
        if result.exit_code != OK:
            found = [item.as_json() for item in result.diagnostics]
            self.failed.append({
                "line": number, "trace_id": result.trace_id, "exit": result.exit, "status": result.status,
                "exit_code": result.exit_code, "diagnostics": found,
            })  # fmt: skip
        return result.record if ended else b""

    def run(self, number: int, data: bytes) -> RunResult:
        """Run one line, go on with it where it was cut off, or say why it is none."""
        task, name = self.task, trace_id(self.task.batch, number)
        why = self.order.given_up.get(number)
        if why is not None:
            help = "give the command again to try it once more"
            return RunResult(name, task.workflow, TROUBLE, diagnostics=[Diagnostic("OB758", why, help=help)])
        if data == TOO_LONG or len(data) > MAX_PAYLOAD_BYTES:
            message = f"the line is larger than {MAX_PAYLOAD_BYTES >> 20} MiB"
            return _refused(task, name, Diagnostic("OB120", message, help="send less"))
        try:
            payload = read(data)
        except Outside as outside:
            help = "write one strict JSON object a line"
            return _refused(task, name, Diagnostic("OB121", f"the line: {outside.reason}", help=help))
        result = self.engine.run(task.workflow, payload, trace_id=name, actor=task.actor)
        if result.exit is None and any(item.code == "OB712" for item in result.diagnostics):
            result = self.engine.resume(name, payload=payload)
        return result


def _refused(task: Task, name: str, found: Diagnostic) -> RunResult:
    return RunResult(name, task.workflow, FINDINGS, diagnostics=[found])
