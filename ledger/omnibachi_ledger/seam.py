"""What the ledger asks of a database, whichever it is: the one seam between SQLite and PostgreSQL. For type checkers.

Statements are written once, in words that both understand, with `?` (or `?1`, `?2` where one is used twice) for values;
PostgreSQL's side puts its own words for the few that differ (`postgres.py`). A text is any text, with U+0000 too; bytes
are bytes; a count is an integer. What differs more than in words is a method here: transactions, since SQLite has one
writer by itself, and who holds a run, since there is no folder for lock files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from omnibachi_model.diagnostics import Diagnostic


class Database(Protocol):
    """One connection. Every method raises Trouble for what the world did, Defect for what this program did."""

    @property
    def path(self) -> str:
        """What messages call it; `memory` where nothing of it stays."""

    @property
    def version(self) -> int:
        """The version of its schema, an older one only where it is merely read."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What its operator should know."""

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> int:
        """Execute one statement; return how many rows it changed."""

    def row(self, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""

    def each(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Go through the rows of a query."""

    def many(self, sql: str, values: Iterable[tuple[Any, ...]]) -> None:
        """Execute one statement for each of several rows of values."""

    def begin(self, *, durable: bool = False) -> None:
        """Open a write transaction; until it ends nobody else has one, and all that was committed is seen.

        Once committed, what is `durable` outlives a power failure.
        """

    def look(self) -> None:
        """Open a transaction that sees one state of the database; `rollback` ends it."""

    def commit(self, stands: Callable[[], bool]) -> None:
        """Commit the write transaction.

        Where the answer is lost on the way, `stands` is asked, in a write transaction of a new connection, whether what
        was to be committed is there; it may raise Trouble.
        """

    def flush(self) -> None:
        """Return once all that this connection has committed outlives a power failure, as far as it is ours to say."""

    def rollback(self) -> None:
        """Undo the open transaction, if there is one."""

    def close(self, last: Callable[[], None] | None = None) -> None:
        """Undo what is open and close the connection; do the `last` thing, giving up what this process holds."""


class Holders(Protocol):
    """Who works on runs: this process, by a name of its own, and others, of whom it tells whether they live."""

    def holder(self) -> str:
        """Return the name by which runs know this process, holding it from now on."""

    def elsewhere(self, holder: str | None) -> bool:
        """Tell whether another process lives that `runs.holder` names."""

    def dead(self) -> dict[str, bytes]:
        """Return the notes of all processes that died before they were done, by holder."""

    def living(self) -> set[int]:
        """Return the numbers of all processes that live, this one's too."""

    def forget(self, holder: str) -> None:
        """Remove what a dead process left, whose work is done now."""

    def release(self, *, done: bool = True) -> None:
        """Give up this process's name and, unless it is done, leave its note."""
