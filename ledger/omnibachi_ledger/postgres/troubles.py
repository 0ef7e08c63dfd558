"""What PostgreSQL and libpq say, as Trouble with a code: the one place where their errors are read.

The classes are those of SQLSTATE (PostgreSQL's documentation, appendix A). What a statement did wrong is a mistake of
this program, a Defect. Of what a server says only its primary message is told, which quotes names and no values.
"""

from __future__ import annotations

import psycopg

from omnibachi_model.diagnostics import Defect, Diagnostic, Trouble

_BY_STATE = {
    "3F000": "OB720",  # invalid_schema_name
    "40001": "OB721",  # serialization_failure
    "40P01": "OB721",  # deadlock_detected
    "42501": "OB720",  # insufficient_privilege
    "42703": "OB723",  # undefined_column: the schema was tampered with
    "42704": "OB723",
    "42883": "OB723",
    "42P01": "OB723",  # undefined_table
    "53100": "OB724",  # disk_full
    "55P03": "OB721",  # lock_not_available
    "57014": "OB721",  # query_canceled, by a limit of the server
    "XX001": "OB723",  # data_corrupted
    "XX002": "OB723",
}
_OURS = ("21", "22", "23", "42", "0A")
_MESSAGES = {
    "OB720": "the database `{path}` cannot be used: {reason}",
    "OB721": "the database `{path}` stayed locked by another process",
    "OB723": "the database `{path}` is damaged: {reason}",
    "OB724": "there is no space left for the database `{path}`",
}
_HELP = "check that the server runs, takes writes, and lets this role do what docs/postgresql.md lists"


def of_postgres(error: psycopg.Error, path: str, password: str | None) -> Trouble | Defect:
    """Read an error: Trouble for what the world did, Defect for what this program did."""
    state = error.sqlstate
    if (state is None and not isinstance(error, psycopg.OperationalError)) or (
        state is not None and state not in _BY_STATE and state[:2] in _OURS
    ):
        return Defect(f"{type(error).__name__} on `{path}`: {reason_of(error, password)}")
    code = _BY_STATE.get(state or "", "OB720")
    return trouble(code, path, reason_of(error, password))


def trouble(code: str, path: str, reason: str) -> Trouble:
    """Say what is wrong with a database, in the words of its code."""
    return Trouble(
        Diagnostic(code, _MESSAGES[code].format(path=path, reason=reason), help=_HELP if code == "OB720" else None)
    )


def reason_of(error: psycopg.Error, password: str | None) -> str:
    """Return what went wrong in one line, lower case, without a stop, and without the password."""
    text = error.diag.message_primary or str(error)
    if password and password in text:
        return "the server refused the connection"
    # Several hosts and ways were tried: the last one's reason. libpq puts where it was before, and advice behind.
    text = text.rpartition("failed: ")[2].strip().partition("\n")[0].removeprefix("FATAL:").strip().rstrip(".")
    return text[:1].lower() + text[1:] if text else "no reason is known"


def is_lost(error: psycopg.Error) -> bool:
    """Tell whether an error says that the connection is gone; the server may have ended it with a word."""
    state = error.sqlstate
    return isinstance(error, psycopg.OperationalError) and (
        state is None or state[:2] == "08" or state in ("57P01", "57P02", "57P03", "25P03", "57P05")
    )
