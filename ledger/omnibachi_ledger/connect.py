"""Opening the database of a data root, and the thin wrapper that turns every error of SQLite into Trouble."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time

from omnibachi_model.diagnostics import Diagnostic, Trouble

from .schema import SCHEMA, UPGRADES, VERSION
from .troubles import of_sqlite, of_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from .reading import Reader
    from .turns import Turns

FILE = "store.db"
BUSY_SECONDS = 5.0
_MOUNTS = "/proc/self/mountinfo"
NETWORKS = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "fuse.sshfs", "fuse.davfs"))


class Database:
    """One connection in autocommit mode; statements are prepared once for each text by sqlite3's own cache.

    `version` is that of its schema, which is an older one only where the database is merely read. With `turns` it
    writes when it is its turn among the connections of this process that share them.
    """

    __slots__ = ("_connection", "_durable", "_execute", "_last", "_log", "_mine", "_turns", "path", "version")

    def __init__(self, connection: sqlite3.Connection | Reader, path: str, turns: Turns | None = None) -> None:
        self._durable = False
        self._turns = turns
        self._mine = False  # it is this connection's turn
        self._last = 0  # the number of its last commit
        self._log = -1  # a descriptor of the log, once it was needed
        self._connection = connection
        self._execute = connection.execute
        self.path = path
        self.version = VERSION

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """Return what its operator should know: of a file, nothing."""
        return ()

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        try:
            return self._connection.in_transaction
        except sqlite3.Error as error:
            raise of_sqlite(error, self.path) from error

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> int:
        """Execute one statement; return how many rows it changed."""
        try:
            return self._execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise of_sqlite(error, self.path) from error

    def row(self, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""
        try:
            found: tuple[Any, ...] | None = self._execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise of_sqlite(error, self.path) from error
        return found

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        try:
            return self._execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise of_sqlite(error, self.path) from error

    def each(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Go through the rows of a query without holding them all."""
        try:
            # No `yield from`: it would close the cursor when this is dropped, after the connection may be closed.
            for row in self._execute(sql, values):  # noqa: UP028
                yield row
        except sqlite3.Error as error:
            raise of_sqlite(error, self.path) from error

    def many(self, sql: str, values: Iterable[tuple[Any, ...]]) -> None:
        """Execute one statement for each of several rows of values."""
        try:
            self._connection.executemany(sql, values)
        except sqlite3.Error as error:
            raise of_sqlite(error, self.path) from error

    def begin(self, *, durable: bool = False) -> None:
        """Open a write transaction; SQLite lets nobody else write until it ends."""
        if self._turns is not None:
            self._begin_in_turn(self._turns)
            self._durable = durable
            return
        if durable is not self._durable:
            # Not inside of it, where SQLite would not take it.
            self.run("PRAGMA synchronous=FULL" if durable else "PRAGMA synchronous=NORMAL")
            self._durable = durable
        self.run("BEGIN IMMEDIATE")

    def look(self) -> None:
        """Open a transaction that sees one state of the database."""
        self.run("BEGIN")

    def commit(self, stands: Callable[[], bool]) -> None:
        """Commit the write transaction; nothing lies between SQLite and this process that could lose the answer."""
        self.run("COMMIT")
        if self._mine:
            self._mine = False
            assert self._turns is not None
            self._last = self._turns.committed()
            if self._durable:
                self.flush()

    def flush(self) -> None:
        """Return once all that this connection has committed in its turns outlives a power failure; of one that has
        only read, all that it could see."""
        if self._turns is None:
            return
        # The log is the same file as long as this connection is open: only the last one to close removes it.
        try:
            if self._log < 0:
                self._log = os.open(f"{self.path}-wal", os.O_RDWR)
            self._turns.flush(self._last or self._turns.commits + 1, self._log)
        except OSError as error:
            raise of_system(error, self.path) from error

    def rollback(self) -> None:
        """Undo the open transaction, if there is one (SQLite has undone it already after some errors)."""
        try:
            if self.in_transaction:
                self.run("ROLLBACK")
        finally:
            self._give()

    def close(self, last: Callable[[], None] | None = None) -> None:
        """Undo what is open and close the connection; then do the `last` thing, whatever came of it."""
        try:
            if self._log >= 0:
                os.close(self._log)
                self._log = -1
            self._connection.close()
        except sqlite3.Error as error:
            raise of_sqlite(error, self.path) from error
        finally:
            self._give()
            if last is not None:
                last()

    def _begin_in_turn(self, turns: Turns) -> None:
        if not turns.take(BUSY_SECONDS):
            raise Trouble(Diagnostic("OB721", f"the database `{self.path}` stayed locked by this very process"))
        try:
            self.run("BEGIN IMMEDIATE")
        except BaseException:
            turns.give()
            raise
        self._mine = True

    def _give(self) -> None:
        if self._mine:
            self._mine = False
            assert self._turns is not None
            self._turns.give()


def connect(root: str | None, *, create: bool, reading: bool = False, turns: Turns | None = None) -> Database:
    """Open the database of a data root, in memory where `root` is None or where nothing is there to be opened.

    With `reading` nothing is made and nothing there changes, its schema neither. Raises Trouble: OB720 unusable, OB721
    busy, OB722 newer schema, OB723 damaged, OB724 disk full, OB725 network.
    """
    if root is not None and reading:
        return _look(root) or _open(":memory:", "memory")
    if root is None or (not create and not os.path.exists(os.path.join(root, FILE))):
        return _open(":memory:", "memory")
    path = os.path.join(root, FILE)
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
        _refuse_network(root)
        # Made here and not by SQLite, which would let the umask decide who may read it; its side files follow it. One
        # that is there is not opened: closing it would give up the locks of every other connection of this process
        # (fcntl(2)), and another process would take the log away from under them as the last one to leave.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise of_system(error, str(error.filename or path)) from error
    return _open(path, path, turns)


def _look(root: str) -> Database | None:
    """Open a database for reading as it is; None where there is none, or one that was never laid."""
    from .reading import Reader, readable

    path = os.path.join(root, FILE)
    if not readable(path):
        return None
    _refuse_network(root)
    db = Database(Reader(path, BUSY_SECONDS), path)
    try:
        db.version = _number(db, "PRAGMA user_version")
        if db.version == 0 and not _number(db, "SELECT count(*) FROM sqlite_master"):
            db.close()
            return None
        if not 0 < db.version <= VERSION:
            raise _none_of_ours(path) if db.version == 0 else _wrong_version(db.version, path)
    except BaseException:
        db.close()
        raise
    return db


def _open(name: str, path: str, turns: Turns | None = None) -> Database:
    try:
        connection = sqlite3.connect(
            # A call that is under way is watched by a thread of its own, while the first one waits for it.
            name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False,
        )  # fmt: skip
    except sqlite3.Error as error:
        raise of_sqlite(error, path) from error
    db = Database(connection, path, turns)
    try:
        db.run("PRAGMA synchronous=NORMAL")
        if turns is not None:
            # Many write much: pages that are written again and again are moved once.
            from .turns import LOG_PAGES

            db.run(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        version = _number(db, "PRAGMA user_version")
        if 0 <= version < VERSION:
            version = _lay(db)
        if version != VERSION:
            raise _wrong_version(version, path)
    except BaseException:
        db.close()
        raise
    return db


def _lay(db: Database) -> int:
    """Make the tables or those that an older version lacks, unless another process was faster; return the schema
    version that there is then."""
    _to_wal(db)
    db.run("BEGIN IMMEDIATE")
    version = _number(db, "PRAGMA user_version")
    if version == 0:
        if _number(db, "SELECT count(*) FROM sqlite_master"):
            raise _none_of_ours(db.path)
        for statement in SCHEMA:
            db.run(statement)
        version = VERSION
    while version in UPGRADES:
        for statement in UPGRADES[version]:
            db.run(statement)
        version += 1
    db.run(f"PRAGMA user_version={version}")
    db.run("COMMIT")
    return version


def _to_wal(db: Database) -> None:
    """Switch to write-ahead logging; SQLite does not wait for others here, so this does."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            found = db.row("PRAGMA journal_mode=WAL")
        except Trouble as trouble:
            if trouble.diagnostic.code != "OB721" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if found is None or found[0] not in ("wal", "memory"):
            raise Trouble(Diagnostic("OB720", f"the database `{db.path}` cannot use write-ahead logging here"))
        return


def _number(db: Database, sql: str) -> int:
    found = db.row(sql)
    return int(found[0]) if found else 0


def _none_of_ours(path: str) -> Trouble:
    return Trouble(Diagnostic("OB723", f"`{path}` is a database, but none of OmniBachi"))


def _wrong_version(version: int, path: str) -> Trouble:
    if version > VERSION:
        message = f"the database `{path}` has schema version {version}; this version knows {VERSION}"
        return Trouble(Diagnostic("OB722", message))
    return Trouble(Diagnostic("OB723", f"the database `{path}` has the impossible schema version {version}"))


def _refuse_network(root: str) -> None:
    kind = _network(root)
    if kind is not None:
        raise Trouble(Diagnostic("OB725", f"the data root `{root}` lies on a network file system ({kind})"))


def _network(root: str) -> str | None:
    """Return the kind of network file system that `root` lies on, or None where it is local or cannot be told.

    Only a device without a major number can be one, so the table of mounts is seldom read.
    """
    device = os.stat(root).st_dev
    if not hasattr(os, "major") or os.major(device) != 0:
        return None
    try:
        with open(_MOUNTS, encoding="utf-8", errors="replace") as mounts:
            return network_kind(f"{os.major(device)}:{os.minor(device)}", mounts)
    except OSError:
        return None


def network_kind(device: str, mounts: Iterable[str]) -> str | None:
    """Return the kind of a device (`major:minor`) in a table of mounts (proc_pid_mountinfo(5)) if it is a network's."""
    for line in mounts:
        left, _, right = line.partition(" - ")
        if left.split(" ")[2:3] == [device]:
            kind = right.split(" ")[0]
            return kind if kind in NETWORKS else None
    return None
