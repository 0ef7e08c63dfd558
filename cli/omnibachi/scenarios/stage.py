"""The world of one scenario: an engine in memory, a standing clock, chance from a seed, facts, forced answers."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from omnibachi import facts
from omnibachi.catalogue import Capabilities
from omnibachi.engine import Engine, Linked
from omnibachi.wiring import Compilation, Snapshot, load_domain, open_snapshot, plain
from omnibachi_model.addresses import candidates, split
from omnibachi_model.diagnostics import Diagnostic, Refused, Span
from omnibachi_model.digests import decode, digest, digest_of
from omnibachi_model.formats import parse_time, write_time
from omnibachi_model.nearest import nearest_address
from omnibachi_model.sealed import CALL, WAIT
from omnibachi_model.waits import outputs

from .laws import Law, law_of

# Answers that a scenario gives instead of asking a capability: sealed name of the node, (outcome, output).
Forced = Mapping[str, tuple[str, dict[str, Any]]]
ANSWERED = (CALL, WAIT)  # nodes whose answer comes from outside of the workflow, so that it can be forced
START = "2026-01-01T00:00:00Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def outcomes_of(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of what each outcome of a node gives that can be forced."""
    if node["kind"] == WAIT:
        return outputs(node["quorum"], node["within_ms"] is not None)
    found: dict[str, Any] = node["outcomes"]
    return found


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
        self._sealed: dict[str, dict[str, Any]] = {}
        self._linked: dict[str, Linked] = {}
        self._laws: dict[str, dict[str, Law]] = {}

    def sealed(self, address: str) -> dict[str, Any]:
        """Return a sealed workflow; nobody changes it."""
        found = self._sealed.get(address)
        if found is None:
            found = self._sealed[address] = decode(self.bytes_of(address))
        return found

    def bytes_of(self, address: str) -> bytes:
        """Return the bytes of a sealed workflow."""
        data = self.snapshot.read(self.snapshot.manifest["workflows"][address]["file"])
        assert data is not None
        return data

    def laws(self, address: str) -> dict[str, Law]:
        """Return the laws that bind a workflow and say something of it, by address."""
        if address not in self._laws:
            workflow = self.sealed(address)
            sealed = {law: load_domain(self.snapshot, split(law)[0])["laws"][law] for law in workflow.get("laws", {})}
            laws = {law: law_of(form, workflow, self.library) for law, form in sealed.items()}
            self._laws[address] = {name: law for name, law in laws.items() if law.moments}
        return self._laws[address]

    def examples(self, transform: str) -> list[dict[str, Any]]:
        """Return the examples of a transform: {with, gives, output}."""
        return [plain(tree) for tree in self.library.transforms[transform].examples]  # type: ignore[misc]

    def changed(self, address: str, data: bytes) -> Stage:
        """Return a stage on which one workflow is sealed as `data`, and all else is as here."""
        before = self.snapshot
        entry = {**before.manifest["workflows"][address], "sha256": digest(data)}
        manifest = {**before.manifest, "workflows": {**before.manifest["workflows"], address: entry}}

        def read(file: str) -> bytes | None:
            return data if file == entry["file"] else before.read(file)

        other = copy.copy(self)
        other.snapshot = Snapshot(read, manifest, before.seal, before.pinned, before.strict)
        other._sealed = {}
        other._linked = {name: linked for name, linked in self._linked.items() if name != address}
        return other

    def engine(self, given: Mapping[str, Any], forced: Forced) -> Engine:
        """Return a fresh world for one scenario."""
        return Engine(
            self.snapshot,
            self.capabilities,
            None,
            clock=_clock(given),
            entropy=SeededEntropy(given.get("entropy", 0)),
            forced=forced,
            linked=None if forced else self._linked,
            secrets=_secret,
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


def _secret(name: str) -> str:
    """Give what stands for every secret while nothing is in earnest."""
    return "not a secret, only a trial"


def _clock(given: Mapping[str, Any]) -> StandingClock:
    return StandingClock(given.get("clock", START))


def _named(name: str, domain: str, known: Any, code: str, kind: str, span: Span) -> str | Diagnostic:
    for address in candidates(name, domain):
        if address in known:
            return address
    near = nearest_address(name, known, domain)
    help = f"did you mean `{near}`?" if near else f"name a {kind} of this workspace"
    return Diagnostic(code, f"no {kind} is called `{name}`", span, help=help)
