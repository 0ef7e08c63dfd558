"""The checkpoint that a gateway keeps of its ledger: beside the data root, and signed where it was given a key.

It is written at a clean stop and whenever another thousand events are there, never of less than it says already, and
never over one that the ledger departs from: that one is the evidence. Whoever changes the ledger and this file too is
found out only by a copy elsewhere, or by a signature.
"""

from __future__ import annotations

import os
from threading import Lock

from omnibachi_model.decisions import ZERO
from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import decode
from omnibachi_model.formats import write_time

from . import wiring
from .clocks import SystemClock
from .ledgers import departed, not_a_checkpoint
from .trusting import private_key_in, unwritable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.ports import Clock

    from .wiring import Decisions, PrivateKey
    from .workspace import Workspace

EVERY = 1000  # events
ENDING = ".checkpoint.json"
_STORY = 3  # events of a correlation at most


class Checkpoints:
    """Keeps the checkpoint of one ledger in the file `path`, None for none. Any thread may call; nothing is raised.

    Each method is given the ledger by a handle of the calling thread, and returns what stands in the way, if anything.
    """

    __slots__ = ("_clock", "_key", "_lock", "_next", "path")

    def __init__(self, path: str | None, key: PrivateKey | None, clock: Clock) -> None:
        self.path = path
        self._key = key
        self._clock = clock
        self._lock = Lock()
        self._next = 0  # the length at which the next one is due

    def doubt(self, ledger: Decisions) -> Diagnostic | None:
        """Say why the file that lies there cannot be gone on from: OB822, OB823. It is left alone then."""
        try:
            return None if self.path is None else self._known(self.path, ledger)[1]
        except Trouble as trouble:
            return trouble.diagnostic

    def passed(self, index: int, ledger: Decisions) -> Diagnostic | None:
        """Take note of a story that was told; `index` is that of its INTENT. Seldom anything is written."""
        if self.path is None or index + _STORY < self._next or not self._lock.acquire(blocking=False):
            return None
        try:
            head = ledger.head()
            due = head["length"] >= max(self._next, EVERY)
            self._next = (head["length"] // EVERY + 1) * EVERY
            return self._written(self.path, head, ledger) if due else None
        except Trouble as trouble:
            return trouble.diagnostic
        finally:
            self._lock.release()

    def stopped(self, ledger: Decisions) -> Diagnostic | None:
        """Write what the ledger is at a clean stop; of one that holds nothing there is none."""
        if self.path is None:
            return None
        with self._lock:
            try:
                return self._written(self.path, ledger.head(), ledger)
            except Trouble as trouble:
                return trouble.diagnostic

    def _written(self, path: str, head: dict[str, Any], ledger: Decisions) -> Diagnostic | None:
        length, doubt = self._known(path, ledger)
        if doubt is not None or head["length"] <= length:
            return doubt
        at = write_time(self._clock.now_ns())
        made = wiring.ledger_checkpoint(ledger.address, head, at)
        if self._key is not None:
            envelope = wiring.sealed_envelope(wiring.ledger_statement(made, at), self._key)
            made["signed"] = decode(envelope)
        try:
            wiring.keep_checkpoint(path, made)
        except OSError as error:
            raise unwritable(path, error) from error
        return None

    def _known(self, path: str, ledger: Decisions) -> tuple[int, Diagnostic | None]:
        """Return the length of which the file tells, 0 for none, and why it cannot be gone on from."""
        try:
            with open(path, "rb") as file:
                data = file.read(1 << 17)
        except FileNotFoundError:
            return 0, None
        except OSError as error:
            raise unwritable(path, error) from error
        held = wiring.read_checkpoint(data)
        if held is None:
            return 0, not_a_checkpoint(path)
        length, there = held["length"], ledger.head()["length"]
        if held["store"] != ledger.address:
            return length, departed(ledger.address, path, f"it is of the ledger `{held['store']}`")
        if length > there:
            return length, departed(ledger.address, path, f"it had {length} events, and {there} of them are there")
        last = ledger.tail(length - 2, limit=1) if length else []
        if held["v_digest"] != (last[0]["digest"] if last else ZERO):
            return length, departed(ledger.address, path, f"its first {length} events were others")
        return length, None


def checkpoints_for(
    workspace: Workspace,
    data_root: str | os.PathLike[str] | None,
    *,
    path: str | None = None,
    key_file: str | None = None,
    clock: Clock | None = None,
) -> Checkpoints:
    """Return the keeper of a gateway's checkpoint: in the file `path`, else beside the data root, or, where that is a
    server, beside the folder of its mirrors; signed with the private key in `key_file`. In memory there is none.

    Raises Refused (OB613) for a key file that is none.
    """
    key = None if key_file is None else private_key_in(key_file)
    return Checkpoints(_place(workspace, data_root) if path is None else path, key, clock or SystemClock())


def _place(workspace: Workspace, data_root: str | os.PathLike[str] | None) -> str | None:
    if data_root is None:
        return None
    root = os.fspath(data_root)
    return (workspace.mirrors if wiring.is_address(root) else os.path.abspath(root)) + ENDING
