"""A data root, opened: where journals are begun and everything that was recorded can be read again."""

from __future__ import annotations

import os

import orjson

from omnibachi_model.diagnostics import Defect, Diagnostic, Trouble
from omnibachi_model.record import UNPLACED, digest_of, export
from omnibachi_model.sealed import DECISIONS

from .connect import connect
from .journal import Journal, Run, give_up, take_over
from .locks import Locks
from .runs import RunRow
from .stores import READS_ONLY, Store, read_row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any

    from omnibachi_model.values import JSON

    from .approvals import People
    from .cancellations import Cancellations
    from .decisions.pages import Decisions
    from .decisions.verifying import Sound
    from .loads import Facts
    from .seam import Database, Holders
    from .turns import Turns

LOCKS = "locks"
ACCOUNTS = "accounts"  # of all kinds of state the one that has both keyed records and a stream
# SQLite keeps in a column what it is given; cast, a row that was written by hand still has the types of its table.
_TEXTS = ("run", "workflow", "workflow_digest", "seal", "payload_digest", "started_at", "exit", "status", "digest")
_COLUMNS = ", ".join(f"CAST({name} AS TEXT)" for name in _TEXTS) + (
    ", CAST(fence AS INTEGER), CAST(holder AS TEXT), CAST(seq AS INTEGER)"
)
_RUN = f"SELECT {_COLUMNS} FROM runs WHERE run=?"
_RUNS = f"SELECT {_COLUMNS} FROM runs ORDER BY started_at DESC, run DESC LIMIT ?"
_UNFINISHED = f"SELECT {_COLUMNS} FROM runs WHERE exit IS NULL ORDER BY started_at, run"
_HELD = f"SELECT {_COLUMNS} FROM runs WHERE holder IN (%s) ORDER BY started_at, run"
_AT_ONCE = 500  # holders in one query
_EVENTS = "SELECT CAST(path AS TEXT), CAST(body AS BLOB), CAST(obs AS BLOB) FROM events WHERE run=? ORDER BY seq"
_RECEIPTS = "SELECT path, number, capability, outcome FROM receipts WHERE run=?"
_RECORDS = "SELECT key, value FROM records WHERE store=? AND value IS NOT NULL ORDER BY created"
_STREAM = "SELECT sequence, event, record FROM streams WHERE store=? ORDER BY sequence"
_STORES = (
    "SELECT store, count(*) FROM records WHERE value IS NOT NULL GROUP BY store"
    " UNION ALL SELECT store, count(*) FROM streams"
    " WHERE store NOT IN (SELECT store FROM records WHERE value IS NOT NULL) GROUP BY store ORDER BY store"
)


def open_root(
    path: str | None, *, create: bool = True, reading: bool = False, note: bytes = b"", mirrors: str | None = None,
    turns: Turns | None = None,
) -> Ledger:  # fmt: skip
    """Open a data root, a folder or the address of a PostgreSQL; None is a ledger in memory.

    With `create` false nothing is made: where no database lies, an empty ledger in memory answers. With `reading`
    nothing changes either, whoever may write there: no file, no schema, and nothing can be recorded. `note` is what the
    process's lock file says of it, for those who must finish its work; `mirrors` is the folder of the mirrors of a
    server; `turns` share those of this process who write beside one another. Raises Trouble: OB720 unusable, OB721
    busy, OB722 newer schema, OB723 damaged, OB724 disk full, OB725 network file system; and of a server OB783 address,
    OB784 lost, OB788 no driver.
    """
    if path is not None and ":" in path:  # Few paths have one: for the others nothing more is loaded.
        from .addresses import is_address, shown

        if is_address(path):
            shown(path)  # One that cannot be read is refused before a driver is looked for.
            from .postgres import open_server

            found = open_server(path, create=create, reading=reading, note=note)
            if found is not None:
                return Ledger(*found, mirrors)
            path = None
    db = connect(path, create=create, reading=reading, turns=turns)
    root = path if db.path != "memory" else None
    return Ledger(db, Locks(None if root is None else os.path.join(root, LOCKS), note), root)


class Ledger:
    """An open data root, for one thread; a context manager. Every method raises Trouble when the database cannot.

    `root` is the folder of its mirrors, None where it has none.
    """

    __slots__ = ("_db", "_keeps", "_kept", "_key", "_locks", "_sound", "root")

    def __init__(self, db: Database, holders: Holders, root: str | None) -> None:
        self.root = root
        self._db = db
        self._locks = holders
        self._keeps: dict[str, Mapping[str, str]] = {}
        self._key: bytes | None = None
        self._sound: Sound | None = None
        self._kept: set[str] = set()  # digests of workflows that are stored; they are never removed

    def journal(
        self,
        run_id: str,
        *,
        workflow: str,
        workflow_digest: str,
        sealed: bytes,
        seal: str | None,
        payload_digest: str,
        started_at: str,
    ) -> Journal:
        """Return the journal of a new run; nothing is written before its first `begin`."""
        run = Run(
            run_id, workflow, workflow_digest, sealed, seal, payload_digest, started_at,
            self._keep(workflow_digest, sealed),
        )  # fmt: skip
        return Journal(self._db, run, self._locks.holder, self.taken, self._kept, self._soundness)

    def _keep(self, workflow_digest: str, sealed: bytes) -> Mapping[str, str]:
        keeps = self._keeps.get(workflow_digest)
        if keeps is None:
            keeps = self._keeps[workflow_digest] = _keeps(sealed)
        return keeps

    def take_over(self, row: RunRow, sealed: bytes) -> Journal | None:
        """Hold an unfinished run, whose process died, from here on; `row` is what was read of it.

        None when the run has changed since: another process finished it, or went on with it and died too. Raises
        Trouble OB713 where a process works on it.
        """

        def refuse() -> None:
            found = self._db.row("SELECT holder FROM runs WHERE run=? AND exit IS NULL", (row.run,))
            if found is not None and self._locks.elsewhere(found[0]):
                raise Trouble(_held(row.run, found[0]))

        holder = self._locks.holder()
        if not take_over(self._db, row.run, row.fence, row.seq, holder, refuse):
            return None
        run = Run(
            row.run, row.workflow, row.workflow_digest, sealed, row.seal, row.payload_digest, row.started_at,
            self._keep(row.workflow_digest, sealed),
        )  # fmt: skip
        return Journal(
            self._db, run, self._locks.holder, self.taken, self._kept, self._soundness, fence=row.fence + 1, seq=row.seq
        )  # fmt: skip

    def give_up(self, run_id: str) -> None:
        """Hold an unfinished run no longer, which this process cannot go on with: whoever can may take it over."""
        give_up(self._db, run_id, self._locks.holder())

    def finished(self, run_id: str) -> RunRow | None:
        """Return what is known of a run; its `exit` is None while it has not ended."""
        found = self._db.row(_RUN, (run_id,))
        return RunRow(*found) if found else None

    def commitment_key(self, draw: Callable[[int], bytes] | None = None) -> bytes | None:
        """Return the key under which secrets are committed to (`commitments`), None where there is none.

        With `draw` one is made then; of a ledger in memory it is drawn with that. Raises Trouble, OB792 damaged.
        """
        if self._key is None:
            from .commitments import key_of

            self._key = key_of(self._db, self.root, draw)
        return self._key

    def _soundness(self) -> Sound:
        if self._sound is None:
            from .decisions.verifying import Sound

            self._sound = Sound()
        return self._sound

    def decisions(self, address: str) -> Decisions:
        """Return the ledger of decisions that a store keeps, for reading."""
        from .decisions.pages import Decisions

        return Decisions(self._db, address, self._soundness())

    def ledgers(self) -> list[str]:
        """Return the stores that keep a ledger of decisions which holds something."""
        from .decisions.verifying import ledgers

        return ledgers(self._db)

    @property
    def people(self) -> People:
        """What people say about runs that wait for them."""
        from .approvals import People

        return People(self._db)

    @property
    def cancellations(self) -> Cancellations:
        """Who asked that runs end."""
        from .cancellations import Cancellations

        return Cancellations(self._db)

    def taken(self, run_id: str) -> Diagnostic:
        """Say why a run that is recorded already cannot be started: OB713 held, OB712 unfinished, OB711 used."""
        found = self._db.row("SELECT exit, holder FROM runs WHERE run=?", (run_id,))
        if found is None or found[0] is not None:
            return Diagnostic("OB711", f"the trace id `{run_id}` belongs to another run")
        if self._locks.elsewhere(found[1]):
            return _held(run_id, found[1])
        if self.people.parked(run_id) is not None:
            return Diagnostic(
                "OB712",
                f"the run `{run_id}` waits for people",
                help=f"see for whom with `omnibachi approve {run_id} --show`",
            )
        return Diagnostic(
            "OB712",
            f"the run `{run_id}` was started and has not ended",
            help=f"finish it with `omnibachi resume {run_id}`",
        )

    def events(self, run_id: str) -> list[tuple[str, bytes, bytes]]:
        """Return (path, body, obs) of a run's events in order."""
        return self._db.rows(_EVENTS, (run_id,))

    def doubt(self, row: RunRow) -> str | None:
        """Say in what a run's row, events and receipts do not agree, or None where they do or are being written."""
        events = self.events(row.run)
        given = set(self._db.rows(_RECEIPTS, (row.run,)))
        now = self.finished(row.run)
        if now is None or (now.seq, now.fence, now.exit) != (row.seq, row.fence, row.exit):
            return None
        if row.seq != len(events) or not events:
            return f"its row counts {row.seq} events, and {len(events)} are there"
        told = set()
        try:
            for number, (path, text, obs) in enumerate(events, 1):
                body, seen = orjson.loads(text), orjson.loads(obs)
                if ("" if body["kind"] in UNPLACED else body.get("path", ""), seen["seq"]) != (path, number):
                    return f"event {number} does not belong there"
                if "receipt" in seen:
                    told.add((path, seen["receipt"], body["capability"], body["outcome"]))
            end = None if row.exit is None else (body["exit"], body["status"], digest_of(text for _, text, _ in events))
        except (AttributeError, KeyError, TypeError, ValueError):
            return "an event is none, or the last one no end"
        if given != told:
            return "its events and receipts do not agree"
        return None if end is None or end == (row.exit, row.status, row.digest) else "its row ends in another way"

    def record(self, run_id: str) -> bytes | None:
        """Return a run's record as JSONL, or None for an unknown run."""
        events = self.events(run_id)
        return export((body, obs) for _, body, obs in events) if events else None

    def runs(self, limit: int = 100) -> list[RunRow]:
        """Return what is known of the latest runs, newest first."""
        return [RunRow(*row) for row in self._db.rows(_RUNS, (limit,))]

    def unfinished(self) -> list[RunRow]:
        """Return what is known of all runs that have not ended, oldest first."""
        return [RunRow(*row) for row in self._db.rows(_UNFINISHED)]

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What the operator of the database should know: OB787, a role that may do more than a run needs."""
        return self._db.warnings

    def worked_on(self, row: RunRow) -> bool:
        """Tell whether another process works on an unfinished run."""
        return row.exit is None and self._locks.elsewhere(row.holder)

    def hold(self) -> None:
        """Take this process's lock now, so that it counts among the living."""
        self._locks.holder()

    def living(self) -> set[int]:
        """Return the numbers of the processes that hold a lock on this data root."""
        return self._locks.living()

    def left(self) -> dict[str, tuple[bytes, list[RunRow]]]:
        """Return, for each process that died before it was done, its note and the runs that it worked on last."""
        dead = self._locks.dead()
        found: dict[str, tuple[bytes, list[RunRow]]] = {holder: (note, []) for holder, note in dead.items()}
        holders = tuple(dead)
        # No index says who held what, so that no run pays for it: all rows are looked at, for many holders at once.
        for start in range(0, len(holders), _AT_ONCE):
            some = holders[start : start + _AT_ONCE]
            for row in self._db.rows(_HELD % ", ".join("?" * len(some)), some):
                known = RunRow(*row)
                found[str(known.holder)][1].append(known)
        return found

    def forget(self, holder: str) -> None:
        """Remove what a dead process left in the locks, once nothing of its work is missing any more."""
        self._locks.forget(holder)

    def sealed(self, digest: str) -> bytes | None:
        """Return the stored bytes of a sealed workflow, or None."""
        found = self._db.row("SELECT CAST(sealed AS BLOB) FROM workflows WHERE digest=?", (digest,))
        return found[0] if found else None

    def store(self, address: str) -> Store:
        """Return a store for reading."""
        return Store(self._db, address, _reading)

    def stores(self) -> dict[str, int]:
        """Return how many records each store has that has any, by address; of accounts how many accounts."""
        found = dict(self._db.rows(_STORES))
        for address in self.ledgers():
            found[address] = self.decisions(address).head()["length"]
        return found

    def records(self, address: str, keeps: str = "") -> list[dict[str, JSON]]:
        """Return a store's records: {key, value} in order of creation, or {sequence, event, record}.

        Of one that `keeps` accounts: {account, balance}; what was posted is told by the records of the runs. Of one
        that keeps decisions: its events.
        """
        if keeps == DECISIONS:
            from .decisions.pages import lines

            return [orjson.loads(line) for line in lines(self._db, address)]
        keyed = self._db.rows(_RECORDS, (address,))
        if keeps == ACCOUNTS:
            return [{"account": key, **read_row(value, address)} for key, value in keyed]
        if keyed:
            return [{"key": key, "value": read_row(value, address)} for key, value in keyed]
        return [
            {"sequence": sequence, "event": event, "record": read_row(record, address)}
            for sequence, event, record in self._db.rows(_STREAM, (address,))
        ]

    def load(self, facts: Facts, *, file_digest: str, seal: str, at: str) -> tuple[int, dict[str, dict[str, int]]]:
        """Put facts, {store: {key: record}}, into their stores, all or none, and record the load.

        Returns its commit number and, by store, how many records were `loaded` (new or changed) and `unchanged`.
        """
        from .loads import load

        return load(self._db, facts, file_digest=file_digest, seal=seal, at=at)

    def loads(self) -> list[dict[str, JSON]]:
        """Return all loads of facts: {number, at, file_digest, seal, stores: {store: {loaded, unchanged}}}."""
        from .loads import past

        return past(self._db)

    def mirror(self, keeps: Mapping[str, str]) -> None:
        """Bring the readable mirrors of registries and streams up to date; `keeps` says what each store keeps.

        Where another process stays at it for long, that one or the next does it. Raises Trouble OB731.
        """
        if self.root is not None:
            from .mirrors import refresh

            refresh(self._db, self.root, Locks(os.path.join(self.root, LOCKS)), keeps)

    def export(self, keeps: Mapping[str, str]) -> list[str]:
        """Write all mirrors anew, of keyed records too as they stand now; return the paths. Raises Trouble OB731."""
        if self.root is None:
            return []
        from .mirrors import rebuild

        return rebuild(self._db, self.root, Locks(os.path.join(self.root, LOCKS)), keeps)

    def close(self, *, done: bool = True) -> None:
        """Undo what is open, close the database and give up this process's lock.

        Unless it is `done`, the lock file stays: `left` will tell of this process as of one that died.
        """
        self._db.close(lambda: self._locks.release(done=done))

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _held(run_id: str, holder: str) -> Diagnostic:
    process = holder.partition("-")[0]
    return Diagnostic("OB713", f"process {process} works on the run `{run_id}` (it holds the lock `{holder}`)")


def _reading() -> int:
    raise PermissionError(READS_ONLY)


def _keeps(sealed: bytes) -> dict[str, str]:
    """Return what each store of a sealed workflow keeps; raises Defect for bytes that are none."""
    try:
        workflow: Any = orjson.loads(sealed)
        return {address: store["keeps"] for address, store in workflow.get("stores", {}).items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Defect(f"no sealed workflow: {error}") from error
