"""What a batch is, where it keeps what it has done, and who may work on it.

`<batches>/<ID>.parts/` holds `plan.json`, the chunks that are done, and locks: `lock` of the process that leads, and
one file of each worker, which may outlive its leader by a moment. The folder goes when the batch is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from omnibachi.rewriting import laid
from omnibachi.wiring import acquire
from omnibachi.workspace import Workspace
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import digest_of, encode

from .worker import WORKER, ends_of, records_of

PLAN_FORMAT = "omnibachi.batch.plan/1"
PLAN, LOCK = "plan.json", "lock"
ENDS = {"lines", "size", "sha256", "by_exit", "by_status", "failed"}
MOST_ID = 48  # characters, so that a line's number has room in a trace id
PATIENCE = 10.0  # seconds that workers of a dead leader are waited for
INSTANT = 0.05
PIECE = 1024 * 1024


def folder_of(workspace: Workspace) -> str:
    """Return the folder where batches of a workspace are written, beside its folder of traces."""
    return os.path.join(os.path.dirname(workspace.traces.folder), "batches")


def id_of(workflow: str, lines: str, actor: str | None) -> str:
    """Return the id of a batch that was given none: the same for the same workflow, lines (by digest) and actor."""
    return "B" + digest_of([workflow, lines, actor])[7:31]


def check_plan(plan: dict[str, Any], there: dict[str, Any]) -> None:
    """Refuse (OB756) to go on with a batch that was begun as another one."""
    differing = [name for name in sorted(plan.keys() | there.keys()) if plan.get(name) != there.get(name)]
    if differing:
        told = ", ".join(_worded(name) for name in differing if name != "lines")
        message = f"the batch `{plan['batch']}` was begun with a different {told}"
        help = "restore what it was begun with, or begin another one with `--batch-id`"
        raise Refused([Diagnostic("OB756", message, help=help)])


def _worded(name: str) -> str:
    words = {"capabilities": "code of its capabilities", "payloads": "file of payloads", "data_root": "data root"}
    return words.get(name, name.replace("_", " "))


class Parts:
    """The folder in which a batch lies as long as it is not whole."""

    def __init__(self, folder: str, batch: str) -> None:
        self.folder = os.path.join(folder, f"{batch}.parts")
        self.batch = batch

    @contextlib.contextmanager
    def led(self) -> Iterator[None]:
        """Be the one process that leads this batch; raises Trouble (OB757, OB753)."""
        held = self._lock()
        try:
            yield
        finally:
            if self.plan() is None:
                self.clear()  # Nothing was begun.
            os.close(held)

    def _lock(self) -> int:
        path = os.path.join(self.folder, LOCK)
        try:
            while True:
                os.makedirs(self.folder, exist_ok=True)
                held = acquire(path)
                if held is None:
                    raise Trouble(Diagnostic("OB757", f"another process works on the batch `{self.batch}`"))
                if os.path.exists(path) and os.fstat(held).st_ino == os.stat(path).st_ino:
                    break
                os.close(held)  # Whoever led has just finished it, and taken the folder away.
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            message = f"`{self.folder}` cannot be made: {reason}"
            raise Trouble(Diagnostic("OB753", message, help="check the permissions and the space left")) from error
        try:
            self._outlive()
        except BaseException:
            os.close(held)
            raise
        return held

    def _outlive(self) -> None:
        """Wait for workers whose leader has died: they end as soon as they want to tell it something."""
        until = time.monotonic() + PATIENCE
        for name in sorted(os.listdir(self.folder)):
            path = os.path.join(self.folder, name)
            while name.endswith(WORKER):
                held = acquire(path)
                if held is not None:
                    os.unlink(path)
                    os.close(held)
                    break
                if time.monotonic() > until:
                    message = f"a worker of the batch `{self.batch}` still runs: process {name.removesuffix(WORKER)}"
                    raise Trouble(Diagnostic("OB757", message, help="wait for it, or end it"))
                time.sleep(INSTANT)

    def begin(self, plan: dict[str, Any]) -> None:
        """Lay the plan down, or compare it with the one that is there; raises Refused (OB756)."""
        there = self.plan()
        if there is None:
            laid(os.path.join(self.folder, PLAN), encode(plan))
        else:
            check_plan(plan, there)

    def plan(self) -> dict[str, Any] | None:
        """Return the plan that the batch was begun with, None where it was not."""
        return read_json(os.path.join(self.folder, PLAN))

    def ends(self, number: int) -> dict[str, Any] | None:
        """Return how the lines of a chunk ended; None where it is not there whole."""
        ends = read_json(ends_of(self.folder, number))
        path = records_of(self.folder, number)
        whole = hashlib.sha256()
        try:
            with open(path, "rb") as file:
                while piece := file.read(PIECE):
                    whole.update(piece)
        except OSError:
            return None
        known = ends is not None and ends.keys() == ENDS and ends["sha256"] == whole.hexdigest()
        return ends if known else None

    def clear(self) -> None:
        """Take the folder away, the lock last; what cannot be removed stays."""
        with contextlib.suppress(OSError):
            names = sorted(os.listdir(self.folder), key=lambda name: (name == LOCK, name == PLAN))
            for name in names:
                os.unlink(os.path.join(self.folder, name))
            os.rmdir(self.folder)


def read_json(path: str) -> dict[str, Any] | None:
    """Read an object that was written beside others; None where there is none that is whole."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
