"""What SQLite and the file system say, as Trouble with a code: the one place where their errors are read."""

from __future__ import annotations

import errno
import sqlite3

from omnibachi_model.diagnostics import Defect, Diagnostic, Trouble

_BY_SQLITE = {
    sqlite3.SQLITE_BUSY: "OB721",
    sqlite3.SQLITE_LOCKED: "OB721",
    sqlite3.SQLITE_FULL: "OB724",
    sqlite3.SQLITE_CORRUPT: "OB723",
    sqlite3.SQLITE_NOTADB: "OB723",
    sqlite3.SQLITE_FORMAT: "OB723",
    # A table or column that is not there: the schema was tampered with.
    sqlite3.SQLITE_ERROR: "OB723",
    sqlite3.SQLITE_SCHEMA: "OB723",
}
# The file that SQLite shares among processes could not grow.
_FULL = {sqlite3.SQLITE_IOERR_SHMSIZE}
_OURS = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE}
_MESSAGES = {
    "OB720": "the database `{path}` cannot be used: {reason}",
    "OB721": "the database `{path}` stayed locked by another process",
    "OB723": "the database `{path}` is damaged: {reason}",
    "OB724": "there is no space left for the database `{path}`",
}


def of_sqlite(error: sqlite3.Error, path: str) -> Trouble | Defect:
    """Read an error of SQLite: Trouble for what the world did, Defect for what this program did."""
    code = getattr(error, "sqlite_errorcode", None)
    reason = str(error)
    if code is None and reason.startswith("Could not decode"):
        code = sqlite3.SQLITE_CORRUPT  # a text that is none; Python says it, without a code
    if code is None or code & 0xFF in _OURS:
        return Defect(f"{type(error).__name__} on `{path}`: {reason}")
    named = "OB724" if code in _FULL else _BY_SQLITE.get(code & 0xFF, "OB720")
    return Trouble(Diagnostic(named, _MESSAGES[named].format(path=path, reason=reason)))


def of_system(error: OSError, path: str) -> Trouble:
    """Read an error of the file system about the data root or one of its files."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return Trouble(Diagnostic("OB724", f"there is no space left for `{path}`"))
    reason = (error.strerror or str(error)).lower()
    return Trouble(Diagnostic("OB720", f"the data root cannot be used: `{path}`: {reason}"))
