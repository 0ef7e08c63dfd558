"""A front door that dies where it is told to, and what is left then.

`in_child` forks a process that calls the front door in a folder, with a clock that stands still and chance that always
falls the same way. On its way the child passes *edges*: the moments before and after every statement that opens or
closes a transaction and every call that changes a file, and the moment at which half of what it writes is written. With
`fatal` it sends itself a signal at that edge, SIGKILL unless another is named; with `after` it gets the signal from
outside, so many seconds after its start; with `CUT` for a signal only its line to a server is cut. The edges are found
by what is called, not by who calls it; what the interpreter's audit events say of files that were changed by other ways
is listed as `unseen`.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import resource
import select
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from omnibachi.__main__ import main
from omnibachi_ledger.addresses import is_address

NOW_NS = 1_767_225_600_123_456_789
SECONDS = 60.0
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = (
    "open", "write", "pwrite", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "truncate", "ftruncate",
    "fsync", "fdatasync", "link", "symlink", "chmod",
)  # fmt: skip
# What opens and closes transactions, and what changes a database outside of any.
STATEMENTS = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")
AUDITED = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.chmod")
CLOSED = b"child ended"
CUT = -1  # no signal: the line to the server is cut, and the process lives on


class Ended(NamedTuple):
    """How a child ended: exit status (negative: the signal that killed it), what it printed, the edges it passed."""

    status: int
    out: str
    edges: list[str]
    unseen: list[str]


class Edges:
    """Counts the edges that this process passes and dies at one of them."""

    def __init__(self, fatal: int, with_signal: int) -> None:
        self.names: list[str] = []
        self.unseen: list[str] = []
        self._fatal = fatal
        self._signal = with_signal
        self._inside = 0
        self._line: Any = None  # to the server, the latest

    def install(self) -> None:
        """Put the edges where files and databases are changed; for the rest of this process."""
        for name in CHANGES:
            setattr(os, name, self._around(name, getattr(os, name)))
        builtins.open = self._opening(builtins.open)  # type: ignore[assignment]
        connect = sqlite3.connect
        sqlite3.connect = lambda *a, **k: connect(*a, **k, factory=self._connection())  # type: ignore[assignment]
        if "psycopg" in sys.modules:
            self._install_on_servers()
        sys.addaudithook(self._audit)

    def _install_on_servers(self) -> None:
        import psycopg

        real: Any = psycopg.RawCursor.execute

        def execute(cursor: Any, query: Any, *given: Any, **more: Any) -> Any:
            word = (query if isinstance(query, str) else query.decode()).split(" ", 1)[0]
            if word not in STATEMENTS:
                return real(cursor, query, *given, **more)
            self._line = cursor.connection.pgconn
            self._edge(f"before {word}")
            done = real(cursor, query, *given, **more)
            self._edge(f"after {word}")
            return done

        psycopg.RawCursor.execute = execute  # type: ignore[method-assign]

    def _edge(self, name: str, first: Callable[[], object] = lambda: None) -> None:
        self.names.append(name)
        if len(self.names) == self._fatal:
            first()
            if self._signal != CUT:
                os.kill(os.getpid(), self._signal)
            elif self._line is not None:
                with socket.socket(fileno=os.dup(self._line.socket)) as line:
                    line.shutdown(socket.SHUT_RDWR)

    def _around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **more: Any) -> Any:
            if name == "open" and not given[1] & WRITING:
                return real(*given, **more)
            self._edge(f"before {name}")
            if name == "write":
                self._edge("within write", lambda: real(given[0], given[1][: len(given[1]) // 2]))
            self._inside += 1
            try:
                found = real(*given, **more)
            finally:
                self._inside -= 1
            self._edge(f"after {name}")
            return found

        return called

    def _opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(file: Any, mode: str = "r", *given: Any, **more: Any) -> Any:
            if not set(mode) & set("wax+"):
                return real(file, mode, *given, **more)
            self._edge(f"before open {mode}")
            self._inside += 1
            try:
                return real(file, mode, *given, **more)
            finally:
                self._inside -= 1

        return called

    def _connection(self) -> type[sqlite3.Connection]:
        edge = self._edge

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
                word = sql.split(" ", 1)[0]
                if word not in STATEMENTS:
                    return super().execute(sql, *given)
                edge(f"before {word}")
                done = super().execute(sql, *given)
                edge(f"after {word}")
                return done

        return Connection

    def _audit(self, event: str, given: tuple[Any, ...]) -> None:
        changes = event in AUDITED or (event == "open" and given[2] is not None and given[2] & WRITING)
        if changes and not self._inside and not isinstance(given[0], int) and given[0] != os.devnull:
            self.unseen.append(f"{event} {given[0]!r}")


def in_child(
    arguments: Sequence[str],
    folder: os.PathLike[str] | str,
    *,
    fatal: int = 0,
    with_signal: int = signal.SIGKILL,
    largest: int = 0,
    after: float | None = None,
) -> Ended:
    """Call the front door in a forked child, in a folder, and return how it ended.

    With `largest`, no file that it writes can grow beyond so many bytes.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if largest:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
            _child(arguments, folder, writing, Edges(fatal, with_signal))
        except KeyboardInterrupt:
            os._exit(130)  # It came before the front door was called, or after.
        finally:
            os._exit(99)
    os.close(writing)
    try:
        if after is not None:
            time.sleep(after)
            os.kill(child, with_signal)
        told = _told(reading, child)
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    found = json.loads(told) if told else {"out": "", "edges": [], "unseen": []}
    return Ended(os.waitstatus_to_exitcode(status), **found)


def _child(arguments: Sequence[str], folder: os.PathLike[str] | str, telling: int, edges: Edges) -> None:
    write, leave = os.write, os._exit
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = True
    os.chdir(folder)
    printed = io.BytesIO()
    sys.stdout = sys.stderr = io.TextIOWrapper(printed, encoding="utf-8", write_through=True)
    time.time_ns = lambda: NOW_NS
    os.urandom = lambda count: bytes(range(count))  # type: ignore[assignment]
    edges.install()
    status = main(list(arguments))
    names, unseen = edges.names, edges.unseen
    told = memoryview(json.dumps({"out": printed.getvalue().decode(), "edges": names, "unseen": unseen}).encode())
    while told:
        told = told[write(telling, told) :]
    leave(status)


def _told(reading: int, child: int) -> bytes:
    told, deadline = b"", time.monotonic() + SECONDS
    while select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
        more = os.read(reading, 1 << 16)
        if not more:
            return told
        told += more
    os.kill(child, signal.SIGKILL)
    return told


# What is left

_RUNS = "run, workflow, workflow_digest, seal, payload_digest, started_at, exit, status, digest"
_QUERIES = {
    "runs": f"SELECT {_RUNS} FROM runs ORDER BY run",
    "receipts": "SELECT * FROM receipts ORDER BY number",
    "workflows": "SELECT * FROM workflows ORDER BY digest",
    "records": "SELECT * FROM records ORDER BY store, key",
    "streams": "SELECT * FROM streams ORDER BY store, sequence",
    "keysets": "SELECT * FROM keysets ORDER BY number",
    "lookups": "SELECT * FROM lookups ORDER BY keyset, value, sequence",
    "tallies": "SELECT * FROM tallies ORDER BY keyset, value",
    "loads": "SELECT * FROM loads ORDER BY number",
}
_EVENTS = "SELECT run, path, body, obs FROM events ORDER BY run, seq"
RESUMED = b'{"kind":"RESUMED"}'


def state(root: os.PathLike[str] | str) -> dict[str, list[Any]]:
    """Return all that a data root holds, as SQLite alone reads it: every table, and the events save RESUMED.

    Left out is what only says how the run came about: who held it, how often that changed, each event's place.
    """
    if is_address(str(root)):
        return _state_of_server(str(root))
    path = os.path.join(root, "store.db")
    if not os.path.exists(path):
        return {}
    db = sqlite3.connect(path)
    try:
        if db.execute("PRAGMA user_version").fetchone() == (0,):
            return {}
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = {name: db.execute(sql).fetchall() for name, sql in _QUERIES.items()}
        found["events"] = [_timeless(*row) for row in db.execute(_EVENTS) if row[2] != RESUMED]
        return found
    finally:
        db.close()


def _state_of_server(root: str) -> dict[str, list[Any]]:
    import psycopg

    with psycopg.connect(root, autocommit=True) as db:
        laid = db.execute("SELECT count(*) FROM pg_tables WHERE schemaname=current_schema()").fetchone()
        if laid == (0,):
            return {}
        found = {name: db.execute(sql).fetchall() for name, sql in _QUERIES.items()}
        events = db.execute(_EVENTS).fetchall()
        found["events"] = [_timeless(*row) for row in events if row[2] != RESUMED]
        found["holders"] = db.execute("SELECT holder FROM holders").fetchall()
        return found


def _timeless(run: str, path: str, body: bytes, obs: bytes) -> Any:
    known = json.loads(obs)
    known.pop("seq")
    return run, path, body, known


def files(folder: os.PathLike[str] | str) -> dict[str, bytes]:
    """Return every file below a folder by its path, save the database's own and what links lead to."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if not name.startswith("store.db"):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = file.read()
    return found
