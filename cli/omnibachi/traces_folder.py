"""The folder of traces: `<traces>/<ID>/<ID>.jsonl` and its companions for people.

Every file is written aside and renamed, so a name that is there holds a whole file.
"""

from __future__ import annotations

import contextlib
import os

from omnibachi_model.diagnostics import Diagnostic, Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE, NO_PICTURE = b"picture", b"plain"


class Traces:
    """A folder of traces."""

    __slots__ = ("folder",)

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"Traces({self.folder!r})"

    def path(self, trace_id: str, kind: str) -> str:
        """Return where a trace's file of a kind (`jsonl`, `md`, `png`) lies."""
        return os.path.join(self.folder, trace_id, f"{trace_id}.{kind}")

    def read(self, trace_id: str) -> bytes | None:
        """Return a trace's record, or None when there is none; raises Trouble when it cannot be read."""
        path = self.path(trace_id, "jsonl")
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Trouble(Diagnostic("OB742", f"`{path}` cannot be read: {_reason(error)}")) from error

    def write(self, trace_id: str, kind: str, data: bytes) -> str:
        """Write one file of a trace and return its path; raises Trouble (OB726)."""
        path = self.path(trace_id, kind)
        aside = os.path.join(self.folder, trace_id, f".{trace_id}.{kind}.{os.getpid()}")
        try:
            _write(path, aside, data)
        except OSError as error:
            raise Trouble(Diagnostic("OB726", f"`{path}` cannot be written: {_reason(error)}")) from error
        return path

    def note(self, *, picture: bool) -> bytes:
        """Say for others what a process writes here: the note in its lock file (docs/formats.md, "Locks")."""
        return b"%b %b\n" % (PICTURE if picture else NO_PICTURE, os.fsencode(os.path.abspath(self.folder)))

    def missing(self, trace_id: str, *, picture: bool) -> list[str]:
        """Return the kinds of files of a trace that are not there."""
        kinds = ("jsonl", "md", "png") if picture else ("jsonl", "md")
        return [kind for kind in kinds if not os.path.exists(self.path(trace_id, kind))]

    def clean(self, trace_id: str, lives: Callable[[int], bool]) -> None:
        """Remove what processes that died while writing a trace left aside; `lives` tells of the others by number."""
        folder = os.path.join(self.folder, trace_id)
        try:
            names = os.listdir(folder)
        except OSError:
            return
        for name in names:
            process = name.rpartition(".")[2]
            if name.startswith(f".{trace_id}.") and process.isdecimal() and not lives(int(process)):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, name))


def noted(note: bytes) -> tuple[Traces, bool] | None:
    """Read a note: where its process wrote traces, and whether with pictures; None where it wrote none."""
    kind, _, folder = note.removesuffix(b"\n").partition(b" ")
    # A note without its end was cut off, before its process had begun anything.
    if kind not in (PICTURE, NO_PICTURE) or not folder or not note.endswith(b"\n"):
        return None
    return Traces(os.fsdecode(folder)), kind == PICTURE


def runs_here(process: int) -> bool:
    """Tell whether a process of this number runs on this machine; where asking would end it, it is taken to run."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _write(path: str, aside: str, data: bytes) -> None:
    folder = os.path.dirname(path)
    try:
        os.mkdir(folder)
    except FileExistsError:
        pass
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
    file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
        finally:
            os.close(file)
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
