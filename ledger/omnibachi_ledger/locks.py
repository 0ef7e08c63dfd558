"""Locks of the operating system on files below `<data-root>/locks/`: they end with their process, however it ends.

A process that works on a run holds a file of its own and is named by it in `runs.holder`; whoever finds that lock free
knows that the holder is dead. A holder removes its file when all is done, after publishing too. So a file that is there
and free tells of a process that died before it was done; its content, the holder's note, says what it would have
published and where (docs/formats.md, "Locks"). `mirror.lock` lets one process at a time write the readable mirrors.

Who asks whether a lock is free takes it shared, so that two who ask do not see each other. A file is removed by its own
holder, or under such a shared lock; a process whose file vanished between making and locking it makes another.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys

from .troubles import of_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = "memory"
MIRROR = "mirror.lock"
MOST_NOTE = 16 * 1024
_ATTEMPTS = 100
_HOLDER = r"([0-9]+-[0-9a-f]{16})\.lock"

if sys.platform == "win32":
    import msvcrt
    import time

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _free(descriptor: int) -> bool:
        # There are no shared locks here, so another who asks looks like a holder for an instant.
        for _ in range(5):
            if _lock(descriptor):
                return True
            time.sleep(0.01)
        return False

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _free(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
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


def _opened(path: str) -> int:
    """Open a lock file, only to read where more is not allowed: whoever asks need not be the one who made it."""
    try:
        return os.open(path, os.O_RDWR)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return os.open(path, os.O_RDONLY)


@contextlib.contextmanager
def _asked(path: str) -> Iterator[int | None]:
    """Give the descriptor of a lock file whose process is dead, None where it lives or no such file is there."""
    try:
        descriptor = _opened(path)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor if _free(descriptor) else None
    finally:
        os.close(descriptor)


class Locks:
    """The lock files of one data root as this process uses them; `folder` is None for a ledger in memory.

    `note` is what this process's own file holds.
    """

    __slots__ = ("_descriptor", "_holder", "_note", "folder")

    def __init__(self, folder: str | None, note: bytes = b"") -> None:
        self.folder = folder
        self._note = note
        self._holder: str | None = None if folder is not None else MEMORY
        self._descriptor = -1

    def holder(self) -> str:
        """Return the name by which runs know this process, taking its lock the first time. Raises Trouble."""
        if self._holder is None:
            self._holder, self._descriptor = self._hold()
        return self._holder

    def _hold(self) -> tuple[str, int]:
        path = self.folder or ""
        try:
            for _ in range(_ATTEMPTS):
                name = f"{os.getpid()}-{os.urandom(8).hex()}"
                path = self.path(f"{name}.lock")
                descriptor = acquire(path)
                if descriptor is None:
                    continue
                # Somebody may have taken the new file for a dead process's, before it was locked, and removed it.
                kept = False
                try:
                    if _is_at(descriptor, path):
                        os.write(descriptor, self._note)
                        kept = True
                        return name, descriptor
                finally:
                    if not kept:
                        os.close(descriptor)
        except OSError as error:
            raise of_system(error, path) from error
        raise of_system(OSError(0, "no lock file stays where it was made"), path)

    def path(self, name: str) -> str:
        """Return the path of a lock file, making the folder if need be. Raises OSError."""
        assert self.folder is not None
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        return os.path.join(self.folder, name)

    def elsewhere(self, holder: str | None) -> bool:
        """Tell whether another process lives that `runs.holder` names. Raises Trouble where that cannot be told."""
        if holder is None or holder == self._holder or self.folder is None:
            return False
        path = os.path.join(self.folder, f"{holder}.lock")
        try:
            with _asked(path) as free:
                return free is None and os.path.exists(path)
        except OSError as error:
            raise of_system(error, path) from error

    def dead(self) -> dict[str, bytes]:
        """Return the notes of all processes that died before they were done, by holder. Raises Trouble."""
        return {holder: note for holder in self._holders() if (note := self._left(holder)) is not None}

    def _left(self, holder: str) -> bytes | None:
        path = os.path.join(self.folder or "", f"{holder}.lock")
        try:
            with _asked(path) as free:
                return None if free is None else os.read(free, MOST_NOTE)
        except OSError as error:
            raise of_system(error, path) from error

    def living(self) -> set[int]:
        """Return the numbers of all processes that hold a lock here, this one's too. Raises Trouble."""
        return {int(holder.partition("-")[0]) for holder in self._holders() if self._left(holder) is None}

    def _holders(self) -> list[str]:
        if self.folder is None:
            return []
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise of_system(error, self.folder) from error
        return sorted(found.group(1) for name in names if (found := re.fullmatch(_HOLDER, name)))

    def forget(self, holder: str) -> None:
        """Remove the file of a dead process, whose work is done now. Raises Trouble."""
        path = os.path.join(self.folder or "", f"{holder}.lock")
        try:
            with _asked(path) as free:
                if free is not None:
                    _remove(path)
        except OSError as error:
            raise of_system(error, path) from error

    def release(self, *, done: bool = True) -> None:
        """Give up this process's lock and, when it is done, remove its file; else it tells what is left to do."""
        if self._descriptor < 0:
            return
        path = os.path.join(self.folder or "", f"{self._holder}.lock")
        # Removed before it is free, so that nobody takes this process for one that died.
        removed = done and _remove(path)
        os.close(self._descriptor)
        self._descriptor, self._holder = -1, None
        if done and not removed:
            _remove(path)  # Windows removes no file that is open.


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _remove(path: str) -> bool:
    """Remove a lock file; one that stays says no more than that its process is gone."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
