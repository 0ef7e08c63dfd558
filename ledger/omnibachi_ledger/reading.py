"""Opening the database of a data root only to read it: nothing there changes, and nobody has to be allowed to write.

A database in write-ahead mode is read in one of two ways, told by the files that lie beside it:

- Log and index (`store.db-wal`, `store.db-shm`) are there: a process is at work, or died at it. The log is read with
  locks as any reader does, but the index is never written (`readonly_shm`): where nobody is at work, SQLite builds one
  of its own in memory.
- There is no log, or an empty one without an index: nobody is at work, and the database is one file, read as it is
  (`immutable`), without locks and without the side files that SQLite would make else. A writer that comes meanwhile is
  seen by its log or by the file's time, and what was asked is asked again, the first way.

An older schema is read as it is; `Database.version` says what it may lack.
"""

from __future__ import annotations

import os
import sqlite3
import time

from omnibachi_model.diagnostics import Diagnostic, Trouble

from .troubles import of_sqlite, of_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeAlias

    State: TypeAlias = "tuple[int, int, int]"

LOG, INDEX = "-wal", "-shm"
END = "ROLLBACK"
_LOGGED, _STILL = "mode=ro&readonly_shm=1", "immutable=1"
# The index is not yet what a reader could use: the process that makes it is about to. (Where log or index vanished
# since they were seen, it is SQLITE_CANTOPEN.)
_IN_THE_MAKING = (
    sqlite3.SQLITE_READONLY_RECOVERY,
    sqlite3.SQLITE_READONLY_CANTLOCK,
    sqlite3.SQLITE_READONLY_CANTINIT,
)
_PAUSE = 0.01


class Rows:
    """What a query gave, in the ways in which a cursor is asked."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.rowcount = -1

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""
        return self._rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)


class Reader:
    """Stands where a connection stands in a `Database`; each answer is one of a database that did not change under it.

    Raises Trouble when it is opened (OB720, OB721) and sqlite3.Error when it is asked, as a connection does.
    """

    __slots__ = ("_connection", "_path", "_patience", "_state")

    def __init__(self, path: str, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._state: State | None = None  # of the file that is read without locks
        self._connection = self._open()

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        return self._connection.in_transaction

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> Rows:
        """Execute one query and return all that it gives."""
        deadline = time.monotonic() + self._patience
        while True:
            failed: sqlite3.Error | None = None
            rows: list[tuple[Any, ...]] = []
            try:
                rows = self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                failed = error
            # What ends a transaction has read nothing; asked again, it would find none open.
            if failed is None and (self._state is None or sql == END or self._state == _still(self._path)):
                return Rows(rows)
            if failed is not None and not self._passing(failed):
                raise failed
            if time.monotonic() > deadline:
                raise Trouble(Diagnostic("OB721", f"the database `{self._path}` was written over and over"))
            self._connection.close()
            self._connection = self._open()

    def executemany(self, sql: str, values: Iterable[tuple[Any, ...]]) -> Any:
        """Fail as SQLite does on whatever would write."""
        return self._connection.executemany(sql, values)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        """Open the file in the way that what lies beside it asks for; both may vanish and come until it is open."""
        deadline = time.monotonic() + self._patience
        while True:
            self._state = _still(self._path)
            logged = self._state is None
            if not logged or os.path.exists(self._path + INDEX):
                try:
                    return _connected(_uri(self._path, _LOGGED if logged else _STILL), self._patience)
                except sqlite3.Error as error:
                    if time.monotonic() > deadline or not self._passing(error):
                        raise of_sqlite(error, self._path) from error
            elif time.monotonic() > deadline:
                raise _no_index(self._path)
            time.sleep(_PAUSE)

    def _passing(self, error: sqlite3.Error) -> bool:
        """Tell whether an error comes of another process that comes or goes just now."""
        if self._state is not None:
            return self._state != _still(self._path)
        code = getattr(error, "sqlite_errorcode", 0)
        return code in _IN_THE_MAKING or code & 0xFF == sqlite3.SQLITE_CANTOPEN


def _connected(uri: str, patience: float) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None)
    try:
        # What is not there is told now, and from here on the log stays.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def readable(path: str) -> bool:
    """Tell whether a database lies there, raising Trouble (OB720) where it may not be read."""
    try:
        os.stat(path)
        for name in (path, path + LOG, path + INDEX):
            # Log and index may go, or come, between two looks at them.
            if all(os.path.exists(name) and not os.access(name, os.R_OK) for _ in range(2)):
                raise PermissionError(13, "permission denied", name)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise of_system(error, error.filename or path) from error
    return True


def _still(path: str) -> State | None:
    """Return what changes with every change of a file that nobody is at work on; None where there is a log."""
    try:
        if os.path.exists(path + LOG) and (os.stat(path + LOG).st_size or os.path.exists(path + INDEX)):
            return None
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _no_index(path: str) -> Trouble:
    name = os.path.basename(path)
    return Trouble(
        Diagnostic(
            "OB720",
            f"the database `{path}` has commits in `{name}{LOG}`, and their index `{name}{INDEX}` is not there",
            help=f"copy `{name}` and `{name}{LOG}` into a folder of your own, bring that copy in order with"
            " `omnibachi data export --data-root COPY`, and read the copy",
        )
    )


def _uri(path: str, how: str) -> str:
    """Write a path as the URI that SQLite takes, with what is special in one escaped."""
    whole = os.path.abspath(path)
    if os.sep != "/":
        whole = "/" + whole.replace(os.sep, "/")
    for special in "%?#":
        whole = whole.replace(special, f"%{ord(special):02x}")
    return f"file://{whole}?{how}"
