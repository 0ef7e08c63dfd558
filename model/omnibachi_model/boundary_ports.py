"""The ports of the decision boundary: what its doors ask of the gateway, of the ledger, and of the observer's folds.

Only type checkers and implementers read this module.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from .values import JSON
else:
    JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

Event: TypeAlias = "dict[str, Any]"


class Governed(Protocol):
    """What became of an intent."""

    index: int | None  # of its INTENT; None where it was refused
    state: str | None  # INTENTED, DENIED, ALLOWED or EXECUTED
    replayed: bool  # it was there before
    refused: str | None  # the reason code
    run: Any  # its `diagnostics` say what stood in the way


class Govern(AbstractContextManager["Govern"], Protocol):
    """Governs intents on one data root. Each is for one thread; several may stand beside one another."""

    boundary: dict[str, JSON]  # pack, provider, model and budget in force

    def govern(
        self,
        anchors: dict[str, JSON],
        intent: dict[str, JSON],
        identity: dict[str, JSON],
        run_id: str | None = None,
    ) -> Governed:
        """Record a normalised intent, decide it, execute it where that is allowed; nothing is raised."""
        ...

    def recover(self) -> Sequence[Any]:
        """Finish what dead processes left, before the door opens; raises Trouble."""
        ...

    def sweep(self) -> Sequence[Any]:
        """Complete every story on which nobody works; raises Trouble."""
        ...


class Ledger(Protocol):
    """A ledger of decisions, for reading. Each answer is one state of it; every method may raise Trouble."""

    def page(
        self,
        filters: Mapping[str, str] | None = None,
        *,
        limit: int = ...,
        offset: int | None = None,
        after: int | None = None,
    ) -> dict[str, Any]:
        """Return {length, matched, offset, limit, next_offset, v_digest, normative_head, events}."""
        ...

    def tail(self, since: int, filters: Mapping[str, str] | None = None, *, limit: int = ...) -> list[Event]:
        """Return the first matching events after an index."""
        ...

    def head(self) -> dict[str, Any]:
        """Return {length, v_digest, normative_head}."""
        ...

    def status(self) -> dict[str, Any]:
        """Return {ledger, correlations, phase}."""
        ...

    def correlation(self, correlation_id: str) -> dict[str, Any] | None:
        """Return {correlation_id, state, indexes, reason_codes}."""
        ...

    def flush(self) -> None:
        """Return once what was read outlives a power failure, as far as this process wrote it."""
        ...

    def timeline(self, thread_id: str, *, payloads: bool = False) -> dict[str, Any]:
        """Return {thread_id, turns}."""
        ...


class Stopped(Protocol):
    """Why a fold does not go on."""

    @property
    def what(self) -> str:
        """Return `mismatch`, `gap` or `rewritten`."""
        ...

    @property
    def at_index(self) -> int:
        """Return the index of the event that is not folded."""
        ...

    @property
    def why(self) -> str:
        """Return why, in words."""
        ...


class Projection(Protocol):
    """What is folded of a ledger's events, and the signals that follow; it decides nothing. Times are ms since 1970."""

    @property
    def last_index(self) -> int:
        """Return the index of the last event that is held, -1 where there is none."""
        ...

    @property
    def stopped(self) -> Stopped | None:
        """Return why the fold does not go on; None while it does."""
        ...

    def fold(self, events: Sequence[Any]) -> Sequence[Event]:
        """Verify and fold the next events, and return those that were; what does not hold stops the fold there."""
        ...

    def page(self, page: Mapping[str, Any], after: int, limit: int, held: int) -> Sequence[Event]:
        """Fold a page that was asked for `after` an index when `held` events were held, and compare its heads."""
        ...

    def ingest(self, events: Sequence[Any]) -> tuple[Sequence[Event], Stopped | None]:
        """Fold events that somebody sent: all of them, or none, and why."""
        ...

    def digest_at(self, index: int) -> str:
        """Return the digest of an event that is held."""
        ...

    def answered(self, now_ms: int) -> None:
        """Note that the gateway answered, or that it is asked from now on."""
        ...

    def signals(self, now_ms: int) -> list[dict[str, Any]]:
        """Return every signal that is raised, the most severe first."""
        ...

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules of the signals."""
        ...

    def severities(self, now_ms: int) -> dict[str, int]:
        """Return how many signals of each severity are raised."""
        ...

    def status(self, now_ms: int) -> dict[str, Any]:
        """Return the figures."""
        ...

    def threads(self, limit: int, offset: int) -> list[dict[str, Any]]:
        """Return threads, those of the latest events first."""
        ...

    def thread(self, thread_id: str, limit: int | None, offset: int | None) -> dict[str, Any] | None:
        """Return a thread with its turns, all or some; None for an unknown one."""
        ...

    def correlations(self, thread_id: str, turn_id: str) -> list[str]:
        """Return the correlations of the turns of that name in a thread: one in each stream."""
        ...

    def path(self, events: Sequence[Event]) -> Hashable:
        """Return the path that a correlation's events took through the gateway's workflow."""
        ...

    def draw(self, path: Any) -> bytes | None:
        """Draw such a path as SVG, in any thread; None where that cannot be done."""
        ...
