"""The ports: what one room asks of another without knowing it.

Only type checkers and implementers read this module; the run path imports it under TYPE_CHECKING.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from .values import JSON, Answer, Inputs
else:
    # The aliases of `values` are for type checkers only; who imports the ports at run time gets them as text.
    JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
    Inputs: TypeAlias = Mapping[str, Any]
    Answer: TypeAlias = tuple[str, dict[str, Any]]


class Clock(Protocol):
    """Where time comes from: nanoseconds since 1970, UTC."""

    def now_ns(self) -> int:
        """Return the present instant."""
        ...


class Pausing(Clock, Protocol):
    """A clock that can wait. One that cannot is virtual: on it waits take no time."""

    def pause(self, ns: int) -> None:
        """Return after so many nanoseconds."""
        ...


class Entropy(Protocol):
    """Where chance comes from."""

    def draw(self, count: int) -> bytes:
        """Return `count` random bytes."""
        ...


class Txn(Protocol):
    """One store inside the present transaction. A capability sees nothing else of the database.

    Keyed stores: a record is (value, revision), revisions count from 1 for each key and never go back.
    Streams: sequences count from 1 in each store. `where` and `match` compare top-level fields for JSON equality.
    In an operation of class READ `put`, `remove` and `append` raise PermissionError, which is FAULT of the node.
    """

    address: str

    def get(self, key: str) -> tuple[dict[str, JSON], int] | None:
        """Return (value, revision) of a key, or None."""
        ...

    def put(self, key: str, value: Mapping[str, JSON], *, revision: int | None = None) -> int | None:
        """Write a record: always (`revision` None), only if absent (0), or only over that revision.

        Returns the new revision, or None when the expectation does not hold (nothing is written then).
        """
        ...

    def remove(self, key: str) -> int | None:
        """Remove a record; return the revision that the removal has, or None if there was none."""
        ...

    def list(self, where: Mapping[str, JSON], limit: int) -> tuple[list[tuple[str, dict[str, JSON], int]], int]:
        """Return the first `limit` (key, value, revision) in order of creation, and how many there are in all."""
        ...

    def append(self, event: str, record: Mapping[str, JSON]) -> int:
        """Append a record under an event's address; return its sequence."""
        ...

    def find(self, event: str, match: Mapping[str, JSON]) -> tuple[dict[str, JSON], int] | None:
        """Return (record, sequence) of the latest such event, or None."""
        ...

    def count(self, match: Mapping[str, JSON], *, event: str | None = None) -> int:
        """Return how many records (of a stream: of that event) match."""
        ...


class DecisionTxn(Protocol):
    """A ledger of decisions inside the present transaction (see `decisions`); a refused append changes nothing.

    Each append answers with an outcome and what belongs to it: the event (SUCCESS, ALREADY_EXISTS), `state` and
    `because` (OUT_OF_ORDER), else nothing. Raises ValueError for what is no event, Outside for what is outside the
    canonical profile, Trouble (OB820) where the ledger does not hold, and, in an operation of class READ,
    PermissionError.
    """

    address: str

    def append_intent(
        self, anchors: Mapping[str, JSON], actor: str, payload: Mapping[str, JSON], obs: Mapping[str, JSON]
    ) -> Answer:
        """Begin a correlation: SUCCESS, ALREADY_EXISTS, CORRELATION_CONFLICT, TURN_CONFLICT or INVALID_PARENT."""
        ...

    def append_decision(
        self, anchors: Mapping[str, JSON], payload: Mapping[str, JSON], obs: Mapping[str, JSON]
    ) -> Answer:
        """Decide an INTENT: SUCCESS or OUT_OF_ORDER; `intent_normative_digest` is put there where it is missing."""
        ...

    def append_execution(
        self, anchors: Mapping[str, JSON], payload: Mapping[str, JSON], obs: Mapping[str, JSON]
    ) -> Answer:
        """Tell what came of it: SUCCESS or OUT_OF_ORDER; `decision_normative_digest` is put there where missing."""
        ...

    def read(self, correlation_id: str) -> tuple[str, list[dict[str, JSON]]]:
        """Return the state of a correlation and its events; EMPTY where there is none."""
        ...


class Event(Protocol):
    """The event that a node names: its address and the check of its records."""

    address: str

    def violations(self, record: Mapping[str, JSON]) -> list[dict[str, str]]:
        """Return every violation of the event's schema as `{pointer, keyword}`."""
        ...


class Call(Protocol):
    """What a side effect may know of its call besides its inputs and its store."""

    run: str
    path: str
    key: str  # sha256 over (run, path): the same for every attempt of this call
    deadline: int | None  # of this attempt: nanoseconds since 1970, None where none is declared
    clock: Clock
    entropy: Entropy
    event: Event | None
    hosts: tuple[str, ...]  # that the domain declares, where the operation needs them (see `hosts`)
    programs: Mapping[str, JSON]  # the same of programs

    def cancelled(self) -> bool:
        """Tell whether somebody asked since that the run end: ask a few times a second while waiting, and give up."""
        ...

    def secret(self, name: str) -> str:
        """Return the text behind a secret that the node names; raises where there is none, which is FAULT."""
        ...

    declared: Mapping[str, Any]  # what is sealed of the store; of accounts which may go below zero, and more


Transform = Callable[[Inputs], Answer]
Operation = Callable[[Inputs, Any, Any], Answer]  # (inputs, Txn | None, Call)


class Journal(Protocol):
    """One run's hold on the durable truth. Raises `diagnostics.Trouble` when the database cannot do what is needed.

    Outside `begin` ... `commit | rollback` a Txn only reads.
    """

    def store(self, address: str) -> Txn:
        """Return the store with that address."""
        ...

    cancelled: bool  # whether somebody asked that the run end, as of the last `begin`

    def begin(self, *, durable: bool = False, settling: bool = False) -> None:
        """Open the write transaction (`BEGIN IMMEDIATE`), check the fence; the first time, record the run and its
        sealed workflow. What is `durable` outlives a power failure once it is committed. Raises `Cancelled` where
        somebody asked that the run end, unless what is to be written must be, whatever comes then (`settling`)."""
        ...

    def stopped(self) -> bool:
        """Tell whether somebody asked that the run end; also from another thread, while the first one only waits."""
        ...

    def cancellation(self) -> dict[str, JSON]:
        """Return who asked that the run end: {at, by, because}."""
        ...

    def receipt(self, path: str, capability: str, outcome: str) -> int:
        """Record that an effect happened in this transaction; return its database-wide commit number."""
        ...

    def write(self, events: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Add (path, body, obs) of further events to this transaction; the path is empty for the run's own events."""
        ...

    def finish(self, exit: str, status: str, digest: str) -> None:
        """Record in this transaction that the run ended, and give up the lease."""
        ...

    def park(self) -> None:
        """Give the run up in this transaction: it waits for people, and whoever goes on with it takes it over."""
        ...

    def approvals(self, path: str, subject: str) -> tuple[list[tuple[str, bytes, int]], int]:
        """Return what people said of `subject` at a node, as far as it counts, as (key id, statement, arrival in
        microseconds), and the latest arrival of any statement."""
        ...

    def commit(self) -> None:
        """Commit the transaction."""
        ...

    def rollback(self) -> None:
        """Undo the transaction; does nothing when none is open."""
        ...
