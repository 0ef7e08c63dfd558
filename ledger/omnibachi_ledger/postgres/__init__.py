"""The ledger on PostgreSQL: the same tables, laws and promises as on SQLite, behind the seam of `seam.py`.

A data root is a schema of a database, the one that the address's role makes things in (`current_schema()`). Where
SQLite has its file lock, one advisory lock of the schema lets one process write at a time, so commit numbers have
neither gaps nor another order than the commits; where a process has a lock file, it holds an advisory lock of its
session, which ends with the session, and a row in `holders` that stays until it is done (docs/formats.md,
"PostgreSQL"). This is the only package that imports psycopg, and it is imported for such a data root alone.
"""

from __future__ import annotations

from omnibachi_model.diagnostics import Diagnostic, Trouble

try:
    import psycopg as _psycopg
except ImportError as _missing:
    raise Trouble(
        Diagnostic("OB788", f"the driver of PostgreSQL cannot be loaded: {str(_missing).splitlines()[0]}")
    ) from _missing

from .holders import Holders
from .schema import settle
from .server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_ledger.seam import Database

__all__ = ["Holders", "Server", "open_server"]
assert _psycopg.__version__


def open_server(address: str, *, create: bool, reading: bool, note: bytes) -> tuple[Database, Holders] | None:
    """Open the data root at an address; None where nothing is laid there and nothing may be.

    Raises Trouble: OB720 unreachable, read-only or without rights, OB721 busy, OB722 newer schema, OB723 damaged, OB783
    address.
    """
    server = Server(address, reading=reading)
    try:
        if not settle(server, create=create and not reading):
            server.close()
            return None
        holders = Holders(server, note)
        server.holders = holders
    except BaseException:
        server.close()
        raise
    return server, holders
