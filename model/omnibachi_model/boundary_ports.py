"""The ports of the decision boundary: what its doors ask of the gateway, of the ledger, and of the observer's folds.

Only type checkers and implementers read this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class Govern(AbstractContextManager["Govern"], Protocol):
    """Governs intents on one data root. Each is for one thread; several may stand beside one another."""

    boundary: dict[str, JSON]  # pack, provider, model and budget in force

    def govern(self, anchors: dict[str, JSON], intent: dict[str, JSON], identity: dict[str, JSON]) -> Governed:
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

    def timeline(self, thread_id: str, *, payloads: bool = False) -> dict[str, Any]:
        """Return {thread_id, turns}."""
        ...


class Projection(Protocol):
    """What is folded of a ledger's events, and the signals that follow; it normalises nothing and decides nothing."""

    last_index: int  # -1 where nothing is held
    head: str  # digest of the last event that is held; zeros where there is none

    def fold(self, events: Sequence[Event]) -> Any:
        """Verify and fold the next events; what does not hold stops the fold there."""
        ...
