"""The folder of a site: written aside and renamed, and never in place of anything that was not written here before.

A file in it, `.omnibachi-site`, lists what was written. A folder without that list, or with files that it does not
name, is somebody's own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping

from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble

from .exits import FINDINGS
from .laying import lay_down

MARK = ".omnibachi-site"
HEAD = "omnibachi.site/1"


def write_site(folder: str, files: Mapping[str, bytes]) -> None:
    """Lay a site down in a folder, in place of the one that lies there.

    Raises Refused (OB780, exit 3) for a folder that holds anything else, Trouble (OB753) where it cannot be written.
    """
    place = os.path.abspath(folder)
    strange = _strange(place)
    if strange is not None:
        help = "name a new or empty folder with `--output`"
        raise Refused([Diagnostic("OB780", f"`{folder}` {strange}", help=help)], FINDINGS)
    try:
        _write(place, {**files, MARK: "".join(f"{line}\n" for line in (HEAD, *sorted(files))).encode()})
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"`{folder}` cannot be written: {reason}"
        raise Trouble(Diagnostic("OB753", message, help="name another folder with `--output`")) from error


def _strange(place: str) -> str | None:
    """Say why a folder is not ours to replace, None where it is, is empty, or is not there."""
    if not os.path.lexists(place):
        return None
    if os.path.islink(place) or not os.path.isdir(place):
        return "is no folder of its own"
    try:
        present = {
            os.path.relpath(os.path.join(at, name), place).replace(os.sep, "/")
            for at, folders, names in os.walk(place)
            for name in (*names, *(inner for inner in folders if os.path.islink(os.path.join(at, inner))))
        }
        with open(os.path.join(place, MARK), encoding="utf-8") as mark:
            lines = mark.read().split("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        return "holds files, and no site that was made here" if present else None
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    if lines[0] != HEAD:
        return "holds files, and no site that was made here"
    extra = sorted(present - {*lines[1:], MARK})
    return f"holds `{extra[0]}`, which no site put there" if extra else None


def _write(place: str, files: Mapping[str, bytes]) -> None:
    above = os.path.dirname(place)
    os.makedirs(above, exist_ok=True)
    lay_down(place, tempfile.mkdtemp(prefix=f".{os.path.basename(place)}.", dir=above), files)
