"""Who asked that a run end: one row for each run, written once, which its walk sees wherever it can end.

Once a row is there, the run ends at the reserved exit `cancelled`, whoever ends it: the process that works on it, one
that resumes it, or the one that asked. A run that had ended before gets no row.
"""

from __future__ import annotations

from omnibachi_model.diagnostics import Defect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import JSON

    from .seam import Database

SINCE = 4  # the schema version that brought the table

_OF = "SELECT CAST(at AS TEXT), CAST(author AS TEXT), CAST(because AS TEXT) FROM cancellations WHERE run=?"
_KEEP = "INSERT INTO cancellations (run, at, author, because) VALUES (?, ?, ?, ?)"
_ENDED = "SELECT exit FROM runs WHERE run=?"


class Cancellation:
    """Who asked, when (an instant as text), and why, where that was said."""

    __slots__ = ("at", "because", "by")

    def __init__(self, at: str, by: str, because: str | None) -> None:
        self.at = at
        self.by = by
        self.because = because

    def as_json(self) -> dict[str, JSON]:
        """Return it as the end of a record tells it."""
        return {"at": self.at, "by": self.by, "because": self.because}


class Cancellations:
    """The cancellations of one data root. Every method raises Trouble when the database cannot."""

    __slots__ = ("_db",)

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, run: str) -> Cancellation | None:
        """Return who asked that a run end; None where nobody did."""
        # One that is merely read may be of a version without the table.
        found = self._db.row(_OF, (run,)) if self._db.version >= SINCE else None
        return Cancellation(*found) if found is not None else None

    def keep(self, run: str, wanted: Cancellation) -> bool:
        """Keep that somebody asks that a recorded run end; False where it has ended, or somebody asked before."""
        db = self._db
        if db.in_transaction:
            raise Defect("a transaction is open already")
        db.begin(durable=True)
        try:
            found = db.row(_ENDED, (run,))
            if found is None or found[0] is not None or self.of(run) is not None:
                db.rollback()
                return False
            db.run(_KEEP, (run, wanted.at, wanted.by, wanted.because))
            db.commit(lambda: self.of(run) is not None)
        except BaseException:
            db.rollback()
            raise
        return True
