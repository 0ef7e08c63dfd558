"""One run's hold on the durable truth: a transaction per effect, with its receipt and the events so far.

The first `commit` records the run and its sealed workflow; until then its id must be free. Every `begin` after it
first checks the fence: if another process took the run over, this one must not write any more.
"""

from __future__ import annotations

from omnibachi_model.diagnostics import Cancelled, Defect, Diagnostic, Trouble
from omnibachi_model.record import WAITING
from omnibachi_model.sealed import DECISIONS

from .stores import READS_ONLY, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .decisions.verifying import Sound
    from .seam import Database

_ENROL = (
    "INSERT INTO runs (run, workflow, workflow_digest, seal, payload_digest, started_at, fence, holder,"
    " seq, exit, status, digest) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)"
)
_KEEP = "INSERT INTO workflows (digest, sealed) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM workflows WHERE digest=?)"
NUMBER = "SELECT coalesce(max(number), 0) + 1 FROM receipts"
_STOPPED = "SELECT 1 FROM cancellations WHERE run=?"
_BEGUN = f"SELECT (SELECT fence FROM runs WHERE run=?1), ({NUMBER}), EXISTS ({_STOPPED}1)"
RECEIPT = "INSERT INTO receipts (number, run, path, capability, outcome) VALUES (?, ?, ?, ?, ?)"
_EVENT = "INSERT INTO events (run, seq, path, body, obs) VALUES (?, ?, ?, ?, ?)"
_STANDS = "SELECT fence, holder, seq, exit, (SELECT run FROM receipts WHERE number=?) FROM runs WHERE run=?"
_TAKE = "UPDATE runs SET fence=fence+1, holder=?, status=NULL WHERE run=? AND fence=? AND seq=? AND exit IS NULL"
_GIVE_UP = "UPDATE runs SET holder=NULL WHERE run=? AND holder=? AND exit IS NULL"
_TAKEN = "SELECT fence, holder FROM runs WHERE run=?"
_PROGRESS = "UPDATE runs SET seq=? WHERE run=? AND fence=?"
_PARK = "UPDATE runs SET seq=?, holder=NULL, status=? WHERE run=? AND fence=?"
_END = "UPDATE runs SET seq=?, exit=?, status=?, digest=? WHERE run=? AND fence=?"


class Run:
    """What is recorded of a run when it starts; `sealed` are its workflow's bytes, `keeps` what its stores keep."""

    __slots__ = ("keeps", "payload_digest", "run", "seal", "sealed", "started_at", "workflow", "workflow_digest")

    def __init__(
        self,
        run: str,
        workflow: str,
        workflow_digest: str,
        sealed: bytes,
        seal: str | None,
        payload_digest: str,
        started_at: str,
        keeps: Mapping[str, str],
    ) -> None:
        self.run = run
        self.workflow = workflow
        self.workflow_digest = workflow_digest
        self.sealed = sealed
        self.seal = seal
        self.payload_digest = payload_digest
        self.started_at = started_at
        self.keeps = keeps


class Journal:
    """Implements `ports.Journal`. `holder` names this process; `taken` says why a run that is there cannot start.

    `kept` are the digests of the workflows that are known to be stored; the journal adds its own.
    """

    __slots__ = (
        "_claimed",
        "_db",
        "_end",
        "_fence",
        "_given",
        "_holder",
        "_kept",
        "_number",
        "_open",
        "_parked",
        "_run",
        "_seq",
        "_sound",
        "_taken",
        "_written",
        "cancelled",
    )

    def __init__(
        self,
        db: Database,
        run: Run,
        holder: Callable[[], str],
        taken: Callable[[str], Diagnostic],
        kept: set[str],
        sound: Callable[[], Sound],
        *,
        fence: int = 0,
        seq: int = 0,
    ) -> None:
        self._db = db
        self._run = run
        self._holder = holder
        self._taken = taken
        self._kept = kept
        self._sound = sound
        self._fence = fence  # 0 until the run is recorded
        self._seq = seq  # events committed
        self._open = False
        self._written = 0  # events of the open transaction
        self._number = 0  # the next commit number of the open transaction
        self._claimed = False  # a store wrote under that number
        self._given = False  # a receipt was given in the open transaction
        self._end: tuple[str, str, str] | None = None
        self._parked = False  # the run is given up in the open transaction
        self.cancelled = False

    def store(self, address: str) -> Any:
        """Return the store with that address: a `Store`, or of a ledger of decisions a `DecisionStore`."""
        keeps = self._run.keeps.get(address)
        if keeps == DECISIONS:
            from .decisions.appending import DecisionStore

            return DecisionStore(self._db, address, self._claim, self._sound())
        return Store(self._db, address, self._claim, fixed=keeps == "registry")

    def begin(self, *, durable: bool = False, settling: bool = False) -> None:
        """Open the write transaction and check the fence; once committed, what is `durable` outlives a power failure.

        Raises Trouble (OB711 to OB713, OB72x), and Cancelled where somebody asked that the run end and nothing of it
        is `settling`.
        """
        if self._open or self._db.in_transaction:
            raise Defect("a transaction is open already")
        self._holder()
        self._db.begin(durable=durable)
        self._open = True
        try:
            begun = self._db.row(_BEGUN, (self._run.run,))
            assert begun is not None
            fence, self._number, cancelled = begun
            if fence != (self._fence or None):
                raise Trouble(self._lost() if self._fence else self._taken(self._run.run))
            self.cancelled = bool(cancelled)
            if cancelled and not settling:
                raise Cancelled
        except BaseException:
            self.rollback()
            raise

    def stopped(self) -> bool:
        """Tell whether somebody asked that the run end. A database that cannot say so just now is asked again later."""
        try:
            return self._fence > 0 and self._db.row(_STOPPED, (self._run.run,)) is not None
        except Trouble:
            return False

    def cancellation(self) -> dict[str, Any]:
        """Return who asked that the run end: {at, by, because}."""
        from .cancellations import Cancellations

        found = Cancellations(self._db).of(self._run.run)
        return {} if found is None else found.as_json()

    def _lost(self) -> Diagnostic:
        return Diagnostic("OB713", f"another process took over the run `{self._run.run}`")

    def receipt(self, path: str, capability: str, outcome: str) -> int:
        """Record that an effect happened in this transaction; return its database-wide commit number."""
        self._must_be_open()
        number = self._number
        self._db.run(RECEIPT, (number, self._run.run, path, capability, outcome))
        self._number = number + 1
        self._claimed, self._given = False, True
        return number

    def write(self, events: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Add (path, body, obs) of further events to this transaction."""
        self._must_be_open()
        run, seq = self._run.run, self._seq + self._written
        rows = [(run, seq + index, path, body, obs) for index, (path, body, obs) in enumerate(events, 1)]
        self._db.many(_EVENT, rows)
        self._written += len(rows)

    def finish(self, exit: str, status: str, digest: str) -> None:
        """Record in this transaction that the run ended; nobody takes it over any more."""
        self._must_be_open()
        self._end = (exit, status, digest)

    def park(self) -> None:
        """Give the run up in this transaction: it waits for people, and whoever goes on with it takes it over."""
        self._must_be_open()
        self._parked = True

    def approvals(self, path: str, subject: str) -> tuple[list[tuple[str, bytes, int]], int]:
        """Return the statements that count at a node, with key and arrival, and the latest instant known of any."""
        from .approvals import People

        return People(self._db).counted(self._run.run, path)

    def commit(self) -> None:
        """Commit the transaction; when that fails, everything in it is undone and Trouble raised."""
        self._must_be_open()
        if self._claimed:
            self.rollback()
            raise Defect("a store was written without a receipt")
        seq = self._seq + self._written
        try:
            if self._fence:
                self._progress(seq)
            else:
                self._enrol(seq)
            self._db.commit(lambda: self._stands(seq))
        except BaseException:
            self.rollback()
            raise
        self._seq, self._fence = seq, self._fence or 1
        self._kept.add(self._run.workflow_digest)
        self._clear()

    def _stands(self, seq: int) -> bool:
        """Tell by the run's row, its last event's number and its last receipt whether a commit has happened.

        Raises Trouble (OB713) where somebody has taken the run over since, so that it is theirs, whatever happened.
        """
        fence, last = self._fence or 1, self._number - 1
        found = self._db.row(_STANDS, (last, self._run.run))
        if found is None:
            return False
        if found[0] > fence:
            raise Trouble(self._lost())
        wanted = (fence, None if self._parked else self._holder(), seq, self._end and self._end[0])
        return tuple(found[:4]) == wanted and (not self._given or found[4] == self._run.run)

    def _enrol(self, seq: int) -> None:
        run = self._run
        begun = (run.run, run.workflow, run.workflow_digest, run.seal, run.payload_digest, run.started_at)
        holder, status = (None, WAITING) if self._parked else (self._holder(), None)
        self._db.run(_ENROL, (*begun, holder, seq, *(self._end or (None, status, None))))
        if run.workflow_digest not in self._kept:
            self._db.run(_KEEP, (run.workflow_digest, run.sealed, run.workflow_digest))

    def _progress(self, seq: int) -> None:
        if self._parked:
            changed = self._db.run(_PARK, (seq, WAITING, self._run.run, self._fence))
        elif self._end is None:
            changed = self._db.run(_PROGRESS, (seq, self._run.run, self._fence))
        else:
            changed = self._db.run(_END, (seq, *self._end, self._run.run, self._fence))
        if changed != 1:
            raise Defect(f"the run `{self._run.run}` vanished from an open transaction")

    def rollback(self) -> None:
        """Undo the transaction; does nothing when none is open."""
        if not self._open:
            return
        self._clear()
        self._db.rollback()

    def _clear(self) -> None:
        self._open = self._claimed = self._given = self._parked = False
        self._written = self._number = 0
        self._end = None

    def _must_be_open(self) -> None:
        if not self._open:
            raise Defect("a write outside a transaction")

    def _claim(self) -> int:
        """Return the commit number for what a store writes now; the receipt must follow."""
        if not self._open:
            raise PermissionError(READS_ONLY)
        self._claimed = True
        return self._number


def give_up(db: Database, run: str, holder: str) -> None:
    """Let an unfinished run have no holder, if it has this one."""
    db.begin()
    try:
        db.run(_GIVE_UP, (run, holder))
        db.commit(lambda: db.row(_TAKEN, (run,)) is not None)
    except BaseException:
        db.rollback()
        raise


def take_over(db: Database, run: str, fence: int, seq: int, holder: str, refuse: Callable[[], None]) -> bool:
    """Raise the fence of an unfinished run and name its new holder; tell whether it was as `fence` and `seq` say.

    `refuse` is asked first, inside the transaction: it raises Trouble where somebody still works on the run.
    """
    if db.in_transaction:
        raise Defect("a transaction is open already")
    db.begin()
    try:
        refuse()
        taken = db.run(_TAKE, (holder, run, fence, seq)) == 1
        db.commit(lambda: not taken or db.row(_TAKEN, (run,)) == (fence + 1, holder))
    except BaseException:
        db.rollback()
        raise
    return taken
