"""Replacing a file's content: aside first, then renamed, so that nobody ever reads half of it."""

from __future__ import annotations

import os
import tempfile

from omnibachi_model.diagnostics import Diagnostic, Trouble


def write_over(path: str, data: bytes, shown: str) -> None:
    """Replace a file's content, all or nothing, keeping its mode; raises Trouble (OB753)."""
    place = os.path.realpath(path)
    aside = None
    try:
        handle, aside = tempfile.mkstemp(prefix=f".{os.path.basename(place)}.", dir=os.path.dirname(place))
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, os.stat(place).st_mode & 0o7777)
        os.replace(aside, place)
        aside = None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        help = "check its permissions, those of its folder, and the space left"
        raise Trouble(Diagnostic("OB753", f"`{shown}` cannot be written: {reason}", help=help)) from error
    finally:
        if aside is not None and os.path.exists(aside):
            os.unlink(aside)


def put(data: bytes, file: str) -> None:
    """Write a file that was asked for, whatever was there; raises Trouble (OB753)."""
    try:
        with open(file, "wb") as target:
            target.write(data)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Trouble(Diagnostic("OB753", f"`{file}` cannot be written: {reason}", help="name another file")) from error


def laid(path: str, data: bytes) -> None:
    """Write a file aside and rename it, so that a name that is there holds a whole file; raises Trouble (OB753)."""
    aside = f"{path}.{os.getpid()}"
    try:
        with open(aside, "wb") as file:
            file.write(data)
        os.replace(aside, path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"`{path}` cannot be written: {reason}"
        raise Trouble(Diagnostic("OB753", message, help="check the permissions and the space left")) from error
