"""Locks of the operating system on files below `<data-root>/locks/`: they end with their process, however it ends.

A process that works on a run holds a file of its own and is named by it in `runs.holder`; whoever finds that lock free
knows that the holder is dead. `mirror.lock` lets one process at a time write the readable mirrors.
"""

from __future__ import annotations

import os
import sys

from .troubles import of_system

MEMORY = "memory"
MIRROR = "mirror.lock"

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def acquire(path: str) -> int | None:
    """Lock a file, making it if need be; return its descriptor, or None where another holds it. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held = _lock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    if held:
        return descriptor
    os.close(descriptor)
    return None


class Locks:
    """The lock files of one data root as this process uses them; `folder` is None for a ledger in memory."""

    __slots__ = ("_descriptor", "_holder", "folder")

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self._holder: str | None = None if folder is not None else MEMORY
        self._descriptor = -1

    def holder(self) -> str:
        """Return the name by which runs know this process, taking its lock the first time. Raises Trouble."""
        if self._holder is None:
            self._holder, self._descriptor = self._hold()
        return self._holder

    def _hold(self) -> tuple[str, int]:
        name = f"{os.getpid()}-{os.urandom(8).hex()}"
        try:
            path = self.path(f"{name}.lock")
            descriptor = acquire(path)
        except OSError as error:
            raise of_system(error, self.folder or "") from error
        if descriptor is None:
            raise of_system(OSError(0, "a new lock file is held already"), path)
        return name, descriptor

    def path(self, name: str) -> str:
        """Return the path of a lock file, making the folder if need be. Raises OSError."""
        assert self.folder is not None
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        return os.path.join(self.folder, name)

    def alive(self, holder: str) -> bool:
        """Tell whether the process that `runs.holder` names still lives. Raises Trouble where that cannot be told."""
        if holder == self._holder:
            return True
        if self.folder is None:
            return False
        path = os.path.join(self.folder, f"{holder}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR)
            try:
                return not _lock(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise of_system(error, path) from error

    def release(self) -> None:
        """Give up this process's lock and remove its file."""
        if self._descriptor < 0:
            return
        path = os.path.join(self.folder or "", f"{self._holder}.lock")
        os.close(self._descriptor)
        self._descriptor, self._holder = -1, None
        try:
            os.unlink(path)
        except OSError:
            return  # A lock file without a lock says the same as none.
