"""Who works on runs, where there is no folder for lock files: an advisory lock of a session for each process.

A process that works on runs holds the lock whose key follows from its name, as long as its session lasts, and has a
row in `holders` with its note until it is done. So a row whose lock is free tells of a process that died before
it was done, exactly as a free lock file does (`../locks.py`). Whether a lock is held is read from `pg_locks`, by which
nobody is disturbed.
"""

from __future__ import annotations

import hashlib
import os
import re
import time

from omnibachi_model.diagnostics import Diagnostic, Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .server import Server

_NAME = re.compile(r"[0-9]+-[0-9a-f]{16}")
_PAUSE = 0.05
_TAKE = "SELECT pg_try_advisory_lock(?)"
_FREE = "SELECT pg_advisory_unlock(?)"
_TELL = "INSERT INTO holders (holder, key, note) VALUES (?, ?, ?) ON CONFLICT (holder) DO NOTHING"
_UNTELL = "DELETE FROM holders WHERE holder=?"
_HELD = (
    "EXISTS (SELECT 1 FROM pg_locks l WHERE l.locktype='advisory' AND l.granted AND l.objsubid=1"
    " AND l.database=(SELECT oid FROM pg_database WHERE datname=current_database())"
    " AND ((l.classid::bigint << 32) | l.objid::bigint) = %s)"
)
_LIVES = f"SELECT {_HELD % '?'}"
_ALL = f"SELECT h.holder, h.note, {_HELD % 'h.key'} FROM holders h ORDER BY h.holder"


class Holders:
    """Implements `seam.Holders` on one server; `note` is what this process leaves where it is not done."""

    __slots__ = ("_holder", "_note", "_server")

    def __init__(self, server: Server, note: bytes) -> None:
        self._server = server
        self._note = note
        self._holder: str | None = None

    def holder(self) -> str:
        """Return the name by which runs know this process, taking its lock the first time. Raises Trouble."""
        if self._holder is None:
            name = f"{os.getpid()}-{os.urandom(8).hex()}"
            self._hold(name, time.monotonic())
            self._holder = name
        return self._holder

    def again(self, deadline: float) -> None:
        """Take this process's lock on a new connection; the old session may last a while. Raises Trouble (OB721)."""
        if self._holder is not None:
            self._hold(self._holder, deadline)

    def _hold(self, name: str, deadline: float) -> None:
        key = _key(name)
        while self._server.row(_TAKE, (key,)) != (True,):
            if time.monotonic() > deadline:
                message = f"the lock of this process, `{name}`, is still held by its lost connection"
                raise Trouble(Diagnostic("OB721", message))
            time.sleep(_PAUSE)
        # Told only once it is held, so that nobody takes this process for one that died.
        self._server.run(_TELL, (name, key, self._note))

    def elsewhere(self, holder: str | None) -> bool:
        """Tell whether another process lives that `runs.holder` names. Raises Trouble where that cannot be told."""
        if holder is None or holder == self._holder or _NAME.fullmatch(holder) is None:
            return False
        return self._server.row(_LIVES, (_key(holder),)) == (True,)

    def dead(self) -> dict[str, bytes]:
        """Return the notes of all processes that died before they were done, by holder. Raises Trouble."""
        return {holder: note for holder, note, lives in self._server.rows(_ALL) if not lives}

    def living(self) -> set[int]:
        """Return the numbers of all processes that live, this one's too. Raises Trouble."""
        return {int(holder.partition("-")[0]) for holder, _, lives in self._server.rows(_ALL) if lives}

    def forget(self, holder: str) -> None:
        """Remove the row of a dead process, whose work is done now. Raises Trouble."""
        if not self.elsewhere(holder) and holder != self._holder:
            self._server.run(_UNTELL, (holder,))

    def release(self, *, done: bool = True) -> None:
        """Give up this process's lock and, when it is done, its row; call it before the connection is closed."""
        if self._holder is None:
            return
        name, self._holder = self._holder, None
        if done:
            # Before the lock is free, so that nobody takes this process for one that died.
            self._server.run(_UNTELL, (name,))
        self._server.row(_FREE, (_key(name),))


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
