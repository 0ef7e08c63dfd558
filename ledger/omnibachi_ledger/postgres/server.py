"""One connection to PostgreSQL, as the ledger asks a database (`../seam.py`), that outlives its server.

Statements come in the words of SQLite and go out in PostgreSQL's; each is translated once. psycopg is used in its
autocommit mode, so transactions begin and end where this module says. One write transaction is open at a time for a
schema: `begin` takes its advisory lock first and only then looks at anything, at the isolation level READ COMMITTED, so
that every statement sees all that was committed before. That makes an effect behave as behind `BEGIN IMMEDIATE`.

A connection that is lost outside a transaction is made again. Lost inside one, nothing of it was recorded (OB784). Lost
while a commit was under way, the new connection takes the write lock, which the old session holds until its transaction
has ended in one way or the other, and then `stands` tells which; nothing is guessed. Where no new connection can be
made, that is said (OB785).
"""

from __future__ import annotations

import contextlib
import re
import time
from itertools import islice

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper

from omnibachi_ledger import schema as described
from omnibachi_ledger.addresses import malformed, shown
from omnibachi_model.diagnostics import Defect, Diagnostic, Trouble

from .long_keys import asked_by_digest
from .troubles import is_lost, of_postgres, reason_of, trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from .holders import Holders

BUSY_SECONDS = 5.0
_OLDEST = 130000
_PAUSE = 0.05
_BATCH = 1000
_CLASS = 0x6F6D6E69  # "omni": the first half of the key of a schema's write lock; the other is the schema's number
# A peer that fell silent is given up, on both sides: a session that nobody uses any more holds locks.
_PARAMETERS = {
    "application_name": "omnibachi", "connect_timeout": "10", "keepalives_idle": "15", "keepalives_interval": "5",
    "keepalives_count": "3", "tcp_user_timeout": "30000",
}  # fmt: skip
_SESSION = (
    "SET client_encoding TO 'UTF8'; SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5;"
    " SET tcp_keepalives_count = 3; SET lock_timeout = %d"
)
_SCHEMA = "SELECT oid::bigint, quote_ident(nspname) FROM pg_namespace WHERE nspname = current_schema()"
_BEGIN = (
    "BEGIN ISOLATION LEVEL READ COMMITTED;"
    " SELECT pg_advisory_xact_lock(%d, %d), current_setting('transaction_read_only')"
)
_LOOK = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Nothing is taken back where the server waits for more than its own log.
_DURABLE = "SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off'"
_VALUE = re.compile(r"\?(\d*)")
_HINT = re.compile(r" INDEXED BY \w+")  # SQLite alone has to be told which index to go along
_ENDED = (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)


class Text(Dumper):
    """Send any text: PostgreSQL's holds no U+0000, so that is written as two U+0001, and U+0001 as U+0001 U+0002.

    Texts are ordered by their bytes; these are ordered as before.
    """

    def dump(self, obj: str) -> bytes:
        """Encode a text."""
        if "\0" in obj or "\1" in obj:
            obj = obj.replace("\1", "\1\2").replace("\0", "\1\1")
        return obj.encode()


class Texts(Loader):
    """Receive a text that `Text` sent."""

    def load(self, data: Buffer) -> str:
        """Decode a text."""
        text = bytes(data).decode()
        return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text


class Server:
    """Implements `seam.Database`. With `reading` the session refuses to write.

    `holders`, once set, is told when the connection was made anew.
    """

    __slots__ = (
        "_address",
        "_begin",
        "_closed",
        "_coming",
        "_connection",
        "_cursor",
        "_open",
        "_password",
        "_reading",
        "_texts",
        "holders",
        "path",
        "version",
        "warnings",
    )  # fmt: skip

    def __init__(self, address: str, *, reading: bool) -> None:
        self.path = shown(address)
        self.version = described.VERSION
        self.warnings: tuple[Diagnostic, ...] = ()
        self.holders: Holders | None = None
        try:
            self._address: dict[str, Any] = {**_PARAMETERS, **psycopg.conninfo.conninfo_to_dict(address)}
        except psycopg.Error:
            raise malformed() from None  # What libpq says of it may quote a piece of a password.
        self._password: str | None = self._address.get("password")
        self._reading = reading
        self._texts: dict[str, str] = {}
        self._closed = False
        self._coming = False  # the connection is just being made again
        # A transaction is open, with or without its connection: nothing may slip out of one that is lost.
        self._open = False
        self._connect()

    def _connect(self) -> None:
        try:
            connection: psycopg.Connection[Any] = psycopg.connect(**self._address, autocommit=True)
        except psycopg.Error as error:
            raise self._trouble(error) from error
        try:
            connection.adapters.register_dumper(str, Text)
            connection.adapters.register_loader("text", Texts)
            connection.adapters.register_dumper(int, Int8Dumper)
            self._connection, self._cursor = connection, psycopg.RawCursor(connection)
            if connection.info.server_version < _OLDEST:
                raise self._unusable(f"it is older than PostgreSQL {_OLDEST // 10000}")
            if connection.info.parameter_status("server_encoding") != "UTF8":
                raise self._unusable("its encoding is not UTF8")
            self._cursor.execute((_SESSION % (BUSY_SECONDS * 1000)).encode())
            if self._reading:
                self._cursor.execute("SET default_transaction_read_only = on")
            found = self._cursor.execute(_SCHEMA).fetchone()
            if found is None:
                raise self._unusable("no schema of its search path is there")
            number, name = found
            self._begin = (_BEGIN % (_CLASS, number - (1 << 32) if number >> 31 else number)).encode()
            # What is found is this schema's, and no temporary table stands before one of its own.
            self._cursor.execute(f"SET search_path TO {name}, pg_temp".encode())
        except psycopg.Error as error:
            connection.close()
            raise self._trouble(error) from error
        except BaseException:
            connection.close()
            raise

    def _reconnect(self) -> None:
        """Make the connection again, waiting for a server that is just coming back; raises Trouble."""
        self._connection.close()
        deadline = time.monotonic() + BUSY_SECONDS
        self._coming = True
        try:
            while not self._is_back(deadline):
                time.sleep(_PAUSE)
            if self.holders is not None:
                self.holders.again(deadline)
        finally:
            self._coming = False

    def _is_back(self, deadline: float) -> bool:
        try:
            self._connect()
        except Trouble as found:
            if time.monotonic() < deadline:
                return False
            reason = found.diagnostic.message.rpartition(": ")[2]
            message = f"the connection to `{self.path}` was lost and cannot be made again: {reason}"
            raise Trouble(Diagnostic("OB784", message)) from found
        return True

    # Statements

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        self._must_be_open()
        return self._open

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> int:
        """Execute one statement; return how many rows it changed."""
        return self._asked(sql, values).rowcount

    def row(self, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""
        found: tuple[Any, ...] | None = self._asked(sql, values).fetchone()
        return found

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._asked(sql, values).fetchall()

    def each(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Go through the rows of a query, inside a transaction without holding them all."""
        if not self._open:
            yield from self.rows(sql, values)
            return
        try:
            with psycopg.RawServerCursor(self._connection, "each") as cursor:
                cursor.itersize = _BATCH
                cursor.execute(self._translated(sql).encode(), values)
                yield from cursor
        except psycopg.Error as error:
            raise self._failed(error) from error

    def many(self, sql: str, values: Iterable[tuple[Any, ...]]) -> None:
        """Execute one statement for each of several rows of values."""
        text, rest = self._translated(sql).encode(), iter(values)
        # What gives the values may ask this connection itself, so it is asked between two batches and never within.
        while rows := list(islice(rest, _BATCH)):
            try:
                self._cursor.executemany(text, rows)
            except psycopg.Error as error:
                raise self._failed(error) from error

    def _asked(self, sql: str, values: tuple[Any, ...]) -> psycopg.RawCursor[Any]:
        self._must_be_open()
        text = self._texts.get(sql) or self._translated(sql)
        try:
            return self._cursor.execute(text, values or None)
        except psycopg.Error as error:
            if self._open or self._coming or not self._is_gone(error):
                raise self._failed(error) from error
        # Outside a transaction every statement of the ledger may be said twice.
        self._reconnect()
        try:
            return self._cursor.execute(text, values or None)
        except psycopg.Error as error:
            raise self._failed(error) from error

    def _translated(self, sql: str) -> str:
        numbers = iter(range(1, 100))
        text = _VALUE.sub(lambda found: f"${found[1] or next(numbers)}", sql)
        text = _HINT.sub("", text).replace(" AS BLOB)", " AS BYTEA)").replace("CROSS JOIN", "JOIN")
        text = self._texts[sql] = asked_by_digest(text)
        return text

    # Transactions

    def begin(self, *, durable: bool = False) -> None:
        """Open a write transaction, alone in this schema; on a new connection where the old one was lost.

        Whatever the server's own settings are, what is `durable` waits for its log to be written.
        """
        self._must_be_open()
        if self._open:
            raise Defect("a transaction is open already")
        for again in (True, False):
            try:
                self._cursor.execute(self._begin)
                self._cursor.nextset()
                found = self._cursor.fetchone()
                break
            except psycopg.Error as error:
                if not self._is_gone(error) or not again:
                    self._undo()
                    raise self._failed(error) from error
            self._reconnect()
        self._open = True
        if found is None or found[1] != "off":
            self.rollback()
            raise self._unusable("it is read-only")
        if durable:
            try:
                self.row(_DURABLE)
            except BaseException:
                self.rollback()
                raise

    def look(self) -> None:
        """Open a transaction that sees one state of the database."""
        self.run(_LOOK)
        self._open = True

    def commit(self, stands: Callable[[], bool]) -> None:
        """Commit the write transaction; where the answer is lost, find out by `stands` what became of it.

        Raises Trouble: OB784 lost and not committed, OB785 nobody can be asked.
        """
        try:
            self._cursor.execute("COMMIT")
        except psycopg.Error as error:
            if not self._is_gone(error):
                raise self._failed(error) from error
            self._find_out(stands, reason_of(error, self._password))
            return
        self._open = False
        if self._cursor.statusmessage != "COMMIT":
            raise Defect(f"a transaction that had failed was committed on `{self.path}`")

    def _find_out(self, stands: Callable[[], bool], reason: str) -> None:
        self._open = False
        try:
            self._reconnect()
            self.begin()
            try:
                done = stands()
            finally:
                self.rollback()
        except Trouble as found:
            if found.diagnostic.code == "OB713":
                raise  # It is answered: the run is another process's.
            message = f"the connection to `{self.path}` was lost during a commit; nobody can be asked what became of it"
            raise Trouble(Diagnostic("OB785", message)) from found
        if not done:
            raise self._lost(reason)

    def flush(self) -> None:
        """Do nothing: what was committed is as durable as the server makes it."""

    def rollback(self) -> None:
        """Undo the open transaction, if there is one; with its connection it is gone already."""
        self._open = False
        self._undo()

    def _undo(self) -> None:
        if self._connection.info.transaction_status in _ENDED:
            return
        try:
            self._cursor.execute("ROLLBACK")
        except psycopg.Error:
            # Then it ends with the session.
            self._connection.close()

    def close(self, last: Callable[[], None] | None = None) -> None:
        """Undo what is open, do the `last` thing and close the connection."""
        if self._closed:
            return
        try:
            self.rollback()
            if last is not None:
                last()
        except Trouble:
            pass  # A server that is gone has let go of everything; what was noted there is found by others.
        finally:
            self._closed = True
            self._connection.close()

    def _must_be_open(self) -> None:
        if self._closed:
            raise Defect(f"the connection to `{self.path}` was closed")

    # What goes wrong

    def _is_gone(self, error: psycopg.Error) -> bool:
        return self._connection.closed or is_lost(error)

    def _failed(self, error: psycopg.Error) -> Trouble | Defect:
        if self._is_gone(error):
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            return self._lost(reason_of(error, self._password))
        return self._trouble(error)

    def _lost(self, reason: str) -> Trouble:
        message = f"the connection to `{self.path}` was lost, and nothing of this effect was recorded: {reason}"
        return Trouble(Diagnostic("OB784", message))

    def _trouble(self, error: psycopg.Error) -> Trouble | Defect:
        return of_postgres(error, self.path, self._password)

    def _unusable(self, reason: str) -> Trouble:
        return trouble("OB720", self.path, reason)
