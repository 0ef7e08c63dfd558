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
from .ledgers import departed, kept_beside, not_a_checkpoint
from .trusting import private_key_in, unwritable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from omnibachi_model.ports import Clock

    from .wiring import Decisions, PrivateKey
    from .workspace import Workspace

EVERY = 1000  # events
_STORY = 3  # events of a correlation at most
_LARGEST = 1 << 17


class Checkpoints:
    """Keeps the checkpoint of the ledger of a data root in the file `path`. Any thread may call; nothing is raised.

    What stands in the way of writing is told to `tell`.
    """

    __slots__ = ("_clock", "_key", "_lock", "_next", "_root", "_store", "_tell", "path")

    def __init__(
        self, path: str, root: str, store: str, key: PrivateKey | None, clock: Clock, tell: Callable[[Diagnostic], None]
    ) -> None:
        self.path = path
        self._root = root
        self._store = store
        self._key = key
        self._clock = clock
        self._tell = tell
        self._lock = Lock()
        self._next = 0  # the length at which the next one is due

    def doubt(self) -> Diagnostic | None:
        """Say why the file that lies there cannot be gone on from: OB822, OB823. It is left alone then."""
        return self._asked(lambda ledger: self._known(ledger)[1])

    def passed(self, index: int, ledger: Decisions) -> None:
        """Take note of a story that was told: `index` is that of its INTENT, `ledger` a handle of the calling thread.

        One comparison but for each thousandth event, at which the file is written.
        """
        if index + _STORY < self._next or not self._lock.acquire(blocking=False):
            return
        try:
            head = ledger.head()
            due = head["length"] >= max(self._next, EVERY)
            self._next = (head["length"] // EVERY + 1) * EVERY
            found = self._written(head, ledger) if due else None
        except Trouble as trouble:
            found = trouble.diagnostic
        finally:
            self._lock.release()
        if found is not None:
            self._tell(found)

    def stopped(self) -> None:
        """Write what the ledger is at a clean stop; of one that holds nothing there is none."""
        with self._lock:
            found = self._asked(lambda ledger: self._written(ledger.head(), ledger))
        if found is not None:
            self._tell(found)

    def _asked(self, ask: Callable[[Decisions], Diagnostic | None]) -> Diagnostic | None:
        try:
            with wiring.open_root(self._root, reading=True) as opened:
                return ask(opened.decisions(self._store))
        except Trouble as trouble:
            return trouble.diagnostic

    def _written(self, head: dict[str, Any], ledger: Decisions) -> Diagnostic | None:
        length, doubt = self._known(ledger)
        if doubt is not None or head["length"] <= length:
            return doubt
        at = write_time(self._clock.now_ns())
        made = wiring.ledger_checkpoint(self._store, head, at)
        if self._key is not None:
            envelope = wiring.sealed_envelope(wiring.ledger_statement(made, at), self._key)
            made["signed"] = decode(envelope)
        try:
            if not wiring.is_address(self._root):
                wiring.settle(self._root)
            os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
            wiring.keep_checkpoint(self.path, made)
        except OSError as error:
            return unwritable(self.path, error).diagnostic
        return None

    def _known(self, ledger: Decisions) -> tuple[int, Diagnostic | None]:
        """Return the length of which the file tells, 0 for none, and why it cannot be gone on from."""
        try:
            with open(self.path, "rb") as file:
                data = file.read(_LARGEST)
        except FileNotFoundError:
            return 0, None
        except OSError as error:
            return 0, unwritable(self.path, error).diagnostic
        held = wiring.read_checkpoint(data)
        if held is None:
            return 0, not_a_checkpoint(self.path)
        length, there = held["length"], ledger.head()["length"]
        if held["store"] != self._store:
            return length, self._departed(f"it is of the ledger `{held['store']}`")
        if length > there:
            return length, self._departed(f"it had {length} events, and {there} of them are there")
        last = ledger.tail(length - 2, limit=1) if length else []
        if held["v_digest"] != (last[0]["digest"] if last else ZERO):
            return length, self._departed(f"its first {length} events were others")
        return length, None

    def _departed(self, reason: str) -> Diagnostic:
        help = "ask who could write there since; where a new ledger was begun on purpose, take the file away"
        return departed(wiring.shown_root(self._root), self.path, reason, help)


def checkpoints_for(
    workspace: Workspace,
    data_root: str | os.PathLike[str],
    store: str,
    *,
    path: str | None = None,
    key_file: str | None = None,
    clock: Clock | None = None,
    tell: Callable[[Diagnostic], None] = lambda _: None,
) -> Checkpoints:
    """Return the keeper of a ledger's checkpoint: in the file `path`, else beside the data root (`kept_beside`); signed
    with the private key in `key_file`.

    Raises Refused (OB613) for a key file that is none.
    """
    root = os.fspath(data_root)
    key = None if key_file is None else private_key_in(key_file)
    place = path or kept_beside(root, workspace.mirrors)
    return Checkpoints(place, root, store, key, clock or SystemClock(), tell)
