"""The world of one scenario: an engine in memory, a standing clock, chance from a seed, facts, forced answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from omnibachi import facts
from omnibachi.catalogue import Capabilities
from omnibachi.engine import Engine
from omnibachi.wiring import Compilation, Snapshot, open_snapshot
from omnibachi_model.addresses import candidates
from omnibachi_model.diagnostics import Diagnostic, Refused, Span
from omnibachi_model.digests import digest_of
from omnibachi_model.formats import parse_time, write_time
from omnibachi_model.nearest import nearest_address

START = "2026-01-01T00:00:00Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StandingClock:
    """A clock that always shows the same instant."""

    def __init__(self, at: str) -> None:
        self._now = (parse_time(at) - EPOCH) // timedelta(microseconds=1) * 1000

    def now_ns(self) -> int:
        """Return the instant in nanoseconds since 1970."""
        return self._now


class SeededEntropy:
    """Bytes that follow from a seed: SHA-256 of seed and counter, block after block."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._block = 0
        self._left = b""

    def draw(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._left) < count:
            self._left += hashlib.sha256(f"{self._seed}:{self._block}".encode()).digest()
            self._block += 1
        drawn, self._left = self._left[:count], self._left[count:]
        return drawn


class Stage:
    """What all scenarios of a workspace share: the compiled snapshot, in memory, and the capabilities."""

    def __init__(self, compilation: Compilation, capabilities: Capabilities) -> None:
        assert compilation.sealed is not None
        self.library = compilation.library
        self.capabilities = capabilities
        self.snapshot: Snapshot = open_snapshot(compilation.sealed.files.get)

    def engine(self, given: Mapping[str, Any], forced: Mapping[str, tuple[str, dict[str, Any]]]) -> Engine:
        """Return a fresh world for one scenario."""
        return Engine(
            self.snapshot,
            self.capabilities,
            None,
            clock=_clock(given),
            entropy=SeededEntropy(given.get("entropy", 0)),
            forced=forced,
        )

    def workflow(self, name: str, domain: str, span: Span) -> str | Diagnostic:
        """Find a workflow by the name that a scenario gives it: its address, or OB311."""
        return _named(name, domain, self.snapshot.workflows, "OB311", "workflow", span)

    def store(self, name: str, domain: str, span: Span) -> str | Diagnostic:
        """Find a store by the name that a scenario gives it: its address, or OB303."""
        return _named(name, domain, self.library.stores, "OB303", "store", span)

    def plant(
        self, engine: Engine, stores: Mapping[str, Any], domain: str, span: Span, given: Mapping[str, Any]
    ) -> list[Diagnostic]:
        """Put facts, {store: {key: record}}, into stores that take them; on any mistake nothing is planted.

        Bare names of stores are those of the scenario's domain; all else is as `omnibachi data load` does it, at the
        instant that is `given`.
        """
        found: list[Diagnostic] = []
        addressed: dict[str, dict[str, Any]] = {}
        for name, records in stores.items():
            address = self.store(name, domain, span)
            if isinstance(address, Diagnostic):
                found.append(address)
            else:
                addressed.setdefault(address, {}).update(records)
        try:
            admitted = facts.admitted(self.snapshot, addressed, span)
        except Refused as refused:
            found += refused.diagnostics
        if found or not addressed:
            return found
        whole = {"schema": facts.SEED_FORMAT, "stores": addressed}
        at = write_time(_clock(given).now_ns())
        engine.ledger.load(admitted, file_digest=digest_of(whole), seal=self.snapshot.seal, at=at)
        return []


def _clock(given: Mapping[str, Any]) -> StandingClock:
    return StandingClock(given.get("clock", START))


def _named(name: str, domain: str, known: Any, code: str, kind: str, span: Span) -> str | Diagnostic:
    for address in candidates(name, domain):
        if address in known:
            return address
    near = nearest_address(name, known, domain)
    help = f"did you mean `{near}`?" if near else f"name a {kind} of this workspace"
    return Diagnostic(code, f"no {kind} is called `{name}`", span, help=help)
