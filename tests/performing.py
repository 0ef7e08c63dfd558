"""A data root, and doing one effect there as a run does it: begin, the function, its receipt, commit; clock and chance
are given."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from omnibachi_capabilities.catalogue import CATALOGUE
from omnibachi_ledger import Ledger, open_root
from omnibachi_ledger.addresses import is_address
from omnibachi_ledger.journal import Journal
from omnibachi_model.checks import link, listed
from omnibachi_model.diagnostics import Trouble
from omnibachi_model.digests import digest, encode
from omnibachi_model.sealed import WRITES

REGISTRY = "shop::ST_REGISTRY_V0"
RECORDS = "shop::ST_RECORDS_V0"
STREAM = "shop::ST_STREAM_V0"
ACCOUNTS = "shop::ST_ACCOUNTS_V0"
OPENED = "shop::ST_OPENED_ACCOUNTS_V0"
KEEPS = {REGISTRY: "registry", RECORDS: "records", STREAM: "events", ACCOUNTS: "accounts", OPENED: "accounts"}
# What is sealed of the two stores of accounts besides: the second one opens accounts by what they receive.
DECLARED: dict[str, dict[str, Any]] = {
    ACCOUNTS: {"overdraft": ["SUPPLY"], "opened": ["POOL"]},
    OPENED: {"overdraft": ["SUPPLY"], "open_on_receipt": True},
}
STORES = {store: {"keeps": kind, **DECLARED.get(store, {})} for store, kind in KEEPS.items()}
SEALED = encode({"format": "omnibachi.workflow/1", "stores": STORES})
EVENT = "shop::EV_SOLD_V0"
NOW_NS = 1_767_225_600_123_456_789


class Event:
    """An event whose records are objects with a text `a`."""

    def __init__(self, address: str = EVENT) -> None:
        self.address = address
        schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
        self._check = link(schema)

    def violations(self, record: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return every violation as `{pointer, keyword}`."""
        return listed(self._check(record) or [])


class Fixed:
    """A clock that stands still, and chance that counts."""

    def now_ns(self) -> int:
        """Return the one instant."""
        return NOW_NS

    def draw(self, count: int) -> bytes:
        """Return 0, 1, 2 and so on."""
        return bytes(range(count))


class Call:
    """A call as the runtime makes it."""

    def __init__(self, run: str, path: str, store: str | None = None) -> None:
        self.run = run
        self.declared = STORES.get(store or "", {})
        self.path = path
        self.key = digest(f"{run} {path}".encode())
        self.deadline = None
        self.clock = self.entropy = Fixed()
        self.event = Event()


def journal(ledger: Ledger, run: str, *, sealed: bytes = SEALED) -> Journal:
    """Return the journal of a new run of a workflow that names the stores."""
    return ledger.journal(
        run,
        workflow="shop::WF_SELL_V0",
        workflow_digest=digest(sealed),
        sealed=sealed,
        seal=digest(b"manifest"),
        payload_digest=digest(b"{}"),
        started_at="2026-01-01T00:00:00.000Z",
    )


def perform(
    ledger: Ledger, run: str, address: str, effect: str, inputs: dict[str, Any], store: str | None = None
) -> tuple[str, dict[str, Any]]:
    """Do one operation as a run of its own; what is of a writing class gets a receipt and an end."""
    held = journal(ledger, run)
    call = Call(run, "node", store)
    function: Any = CATALOGUE[address]
    if effect not in WRITES:
        answer: tuple[str, dict[str, Any]] = function(inputs, held.store(store) if store else None, call)
        return answer
    held.begin()
    answer = function(inputs, held.store(store or ""), call)
    held.receipt("node", address, answer[0])
    held.write(events(3))
    held.finish("done", "COMPLETED", digest(b"bodies"))
    held.commit()
    return answer


def events(count: int) -> Sequence[tuple[str, bytes, bytes]]:
    """Return the events of a run: its start, nodes, its end."""
    paths = ["", *[f"node_{index}" for index in range(count - 2)], ""]
    return [(path, encode({"kind": "CALLED", "path": path}), encode({"at_us": 1})) for path in paths]


def state(ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
    """Return all records of the stores."""
    return {store: ledger.records(store, kind) for store, kind in KEEPS.items()}


def trouble(action: Callable[[], Any]) -> str:
    """Return the code of the Trouble that an action raises."""
    with pytest.raises(Trouble) as caught:
        action()
    message = caught.value.diagnostic.message
    assert message[0].islower() or message[0] == "`"
    assert not message.endswith(".")
    return caught.value.diagnostic.code


# For tests that are as true of a server as of a folder.
everywhere = pytest.mark.parametrize("root", ["folder", "postgres"], indirect=True)


@pytest.fixture
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a data root that nobody has opened yet."""
    if getattr(request, "param", "folder") == "folder":
        return str(tmp_path / "data")
    address: str = request.getfixturevalue("postgres").root()
    return address


@pytest.fixture
def ledger(root: str) -> Iterator[Ledger]:
    with open_root(root) as opened:
        yield opened


def raw(root: str) -> Any:
    """Open the database as any other tool would."""
    if is_address(root):
        import psycopg

        return psycopg.connect(root, autocommit=True)
    return sqlite3.connect(os.path.join(root, "store.db"), isolation_level=None, timeout=0)
