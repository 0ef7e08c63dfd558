"""What an observer remembers between two lives: one file of its data root, written aside and put in place as a whole.

Its first line is the fold as JSON, its second the digest of the first; so half a file, or one that somebody changed
without care, is found out and read anew from the gateway instead. Whether the gateway's past is still the remembered
one is for the fold to see, when it goes on.
"""

from __future__ import annotations

import os

from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import decode, digest, encode

from . import wiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .wiring import Folds

NAME = "observer.json"
_BINARY = getattr(os, "O_BINARY", 0)


class Memory:
    """The file of one data root."""

    __slots__ = ("_path",)

    def __init__(self, root: str) -> None:
        """Find the file, and make the folder; raises Trouble (OB950)."""
        self._path = os.path.join(root, NAME)
        try:
            os.makedirs(root, exist_ok=True)
            if not os.access(root, os.W_OK | os.X_OK):
                raise PermissionError(None, "permission denied")
        except OSError as error:
            raise Trouble(self._unwritable(error)) from None

    def recall(self) -> tuple[Folds | None, Diagnostic | None]:
        """Return what was remembered; None where there is nothing, and why (OB951) where there is something else."""
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None, None
        except OSError as error:
            return None, self._forgotten((error.strerror or str(error)).lower())
        said, _, rest = data.partition(b"\n")
        if rest != digest(said).encode() + b"\n":
            return None, self._forgotten("it is cut off, or was changed")
        try:
            return wiring.folds_of(decode(said)), None
        except ValueError as error:
            return None, self._forgotten(str(error))

    def keep(self, said: dict[str, Any]) -> Diagnostic | None:
        """Write a fold as JSON; return why it could not be written (OB950)."""
        data = encode(said)
        aside = f"{self._path}.new"
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
            with open(descriptor, "wb") as file:
                file.write(b"%b\n%b\n" % (data, digest(data).encode()))
                file.flush()
                os.fsync(descriptor)
            os.replace(aside, self._path)
        except OSError as error:
            return self._unwritable(error)
        return None

    def _unwritable(self, error: OSError) -> Diagnostic:
        return Diagnostic("OB950", f"`{self._path}` cannot be written: {(error.strerror or str(error)).lower()}")

    def _forgotten(self, why: str) -> Diagnostic:
        return Diagnostic("OB951", f"`{self._path}` is nothing that an observer remembers: {why}", severity="warning")
