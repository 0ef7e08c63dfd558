"""The side effects of `std`, row by row as their specification has them, on stores that ship.

Called one at a time through `Workspace.call`. Those that leave the house find no host declared here; what they answer
where one is stands in test_outside.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moving import ACCOUNTS, ROOT
from omnibachi import Workspace

SHIPPED = Workspace(ROOT)
ADDRESSES, CHAIN = "blockchain::ST_ADDRESSES_V0", "blockchain::ST_CHAIN_ACCOUNTS_V0"
LICENSES, LICENSING = "ai_governance::ST_LICENSES_V0", "ai_governance::ST_LICENSING_EVENTS_V0"
DENIED, REVOKED = "ai_governance::EV_PROVISION_DENIED_V0", "ai_governance::EV_LICENSE_REVOKED_V0"
MOST = 2**53 - 1

Ask = Callable[..., tuple[str | None, dict[str, Any]]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Return what asks an operation of `std` about a store in a fresh data root."""

    def asked(operation: str, store: str | None = None, event: str | None = None, **inputs: Any) -> Any:
        found = SHIPPED.call(f"std::{operation}", inputs, store=store, event=event, data_root=tmp_path / "data")
        assert (found.outcome is None) == bool(found.diagnostics)
        return found.outcome, found.output

    return asked


def kept(store: str, tmp_path: Path) -> list[dict[str, Any]]:
    """Return the records of a store."""
    return SHIPPED.records(store, data_root=tmp_path / "data")


def moved(*entries: tuple[str, str, Any]) -> list[dict[str, Any]]:
    """Return entries of a posting."""
    return [{"from": giver, "to": taker, "amount": amount} for giver, taker, amount in entries]


def test_a_registry_keeps_the_first(ask: Ask, tmp_path: Path) -> None:
    assert kept(ADDRESSES, tmp_path) == []
    assert ask("CS_REGISTRY_V0.RESOLVE", ADDRESSES, key="k") == ("NOT_FOUND", {})
    first = ask("CS_REGISTRY_V0.REGISTER", ADDRESSES, key="k", value={"wallet_id": "1"})
    assert first == ("SUCCESS", {"address": f"{ADDRESSES}/k"})
    again = ask("CS_REGISTRY_V0.REGISTER", ADDRESSES, key="k", value={"wallet_id": "2"})
    assert again == ("ALREADY_EXISTS", {"value": {"wallet_id": "1"}})
    assert ask("CS_REGISTRY_V0.RESOLVE", ADDRESSES, key="k") == ("SUCCESS", {"value": {"wallet_id": "1"}})
    assert ask("CS_REGISTRY_V0.REGISTER", ADDRESSES, key="q", value={"wallet": "1"})[0] is None
    assert kept(ADDRESSES, tmp_path) == [{"key": "k", "value": {"wallet_id": "1"}}]


def test_records_have_revisions(ask: Ask, tmp_path: Path) -> None:
    def records(operation: str, **inputs: Any) -> tuple[str | None, dict[str, Any]]:
        return ask(f"CS_RECORDS_V0.{operation}", LICENSES, **inputs)

    a, b, c = ({"employee_id": name, "status": "ACTIVE"} for name in "abc")
    assert records("GET", key="k") == ("NOT_FOUND", {})
    assert records("CREATE", key="k", value=a) == ("SUCCESS", {"revision": 1})
    assert records("CREATE", key="k", value=b) == ("ALREADY_EXISTS", {"value": a, "revision": 1})
    assert records("PUT", key="k", value=b) == ("SUCCESS", {"revision": 2})
    assert records("SWAP", key="k", value=c, revision=1) == ("CONFLICT", {"value": b, "revision": 2})
    assert records("SWAP", key="k", value=c, revision=2) == ("SUCCESS", {"revision": 3})
    assert records("SWAP", key="none", value=c, revision=1) == ("NOT_FOUND", {})
    assert records("GET", key="k") == ("SUCCESS", {"value": c, "revision": 3})
    assert records("PUT", key="j", value=a) == ("SUCCESS", {"revision": 1})
    assert records("PUT", key="k", value={"employee_id": "d"})[0] is None
    assert records("LIST", where={}, limit=1)[1] == {"items": [{"key": "k", "value": c, "revision": 3}], "total": 2}
    assert [item["key"] for item in records("LIST", where={}, limit=9)[1]["items"]] == ["k", "j"]
    assert records("COUNT", where={"status": "ACTIVE", "employee_id": "c"}) == ("SUCCESS", {"count": 1})
    assert records("COUNT", where={"status": "ACTIVE", "employee_id": "z"}) == ("SUCCESS", {"count": 0})
    assert kept(LICENSES, tmp_path) == [{"key": "k", "value": c}, {"key": "j", "value": a}]
    assert records("REMOVE", key="k") == ("SUCCESS", {"revision": 4})
    assert records("REMOVE", key="k") == ("NOT_FOUND", {})
    assert kept(LICENSES, tmp_path) == [{"key": "j", "value": a}]


def test_a_stream_only_grows(ask: Ask, tmp_path: Path) -> None:
    def events(operation: str, event: str = DENIED, **inputs: Any) -> tuple[str | None, dict[str, Any]]:
        return ask(f"CS_EVENTS_V0.{operation}", LICENSING, event, **inputs)

    first, second = ({"employee_id": "a", "reason_code": f"R_{n}", "at": "2026-01-01T00:00:00Z"} for n in "12")
    assert events("FIND", match={}) == ("NOT_FOUND", {})
    assert events("COUNT", match={}) == ("SUCCESS", {"count": 0})
    assert events("APPEND", record=first) == ("SUCCESS", {"sequence": 1})
    assert events("APPEND", record=second) == ("SUCCESS", {"sequence": 2})
    assert events("APPEND", record={"employee_id": 5})[0] == "VIOLATION"
    assert events("FIND", match={"employee_id": "a"}) == ("SUCCESS", {"record": second, "sequence": 2})
    assert events("FIND", match={"reason_code": "R_1"}) == ("SUCCESS", {"record": first, "sequence": 1})
    assert events("FIND", match={"employee_id": "b"}) == ("NOT_FOUND", {})
    assert events("FIND", REVOKED, match={"employee_id": "a"}) == ("NOT_FOUND", {})
    assert events("COUNT", match={"employee_id": "a"}) == ("SUCCESS", {"count": 2})
    told = [{"sequence": n, "event": DENIED, "record": record} for n, record in enumerate((first, second), 1)]
    assert kept(LICENSING, tmp_path) == told


def test_accounts_move_by_double_entry(ask: Ask, tmp_path: Path) -> None:
    def post(key: str, *entries: tuple[str, str, Any], **more: Any) -> tuple[str | None, dict[str, Any]]:
        return ask("CS_ACCOUNTS_V0.POST", ACCOUNTS, key=key, entries=moved(*entries), **more)

    assert kept(ACCOUNTS, tmp_path) == []
    for account in ("SUPPLY", "POOL"):
        assert ask("CS_ACCOUNTS_V0.BALANCE", ACCOUNTS, account=account) == ("SUCCESS", {"balance": 0})
        assert ask("CS_ACCOUNTS_V0.OPEN", ACCOUNTS, account=account) == ("ALREADY_EXISTS", {})
    assert ask("CS_ACCOUNTS_V0.BALANCE", ACCOUNTS, account="W") == ("NOT_FOUND", {})
    for account in "WV":
        assert ask("CS_ACCOUNTS_V0.OPEN", ACCOUNTS, account=account) == ("SUCCESS", {})
        assert ask("CS_ACCOUNTS_V0.OPEN", ACCOUNTS, account=account) == ("ALREADY_EXISTS", {})

    assert post("1", ("SUPPLY", "W", 10)) == ("SUCCESS", {"number": 1, "balances": {"SUPPLY": -10, "W": 10}})
    was = {"number": 1, "entries": moved(("SUPPLY", "W", 10))}
    assert post("1", ("SUPPLY", "W", 10)) == ("ALREADY_EXISTS", was)
    assert post("1", ("SUPPLY", "V", 99), after=7) == ("ALREADY_EXISTS", was)
    # the second entry overdraws, so the first one is not made either
    assert post("2", ("W", "V", 4), ("W", "V", 7)) == ("INSUFFICIENT", {"account": "W", "balance": 6})
    assert post("2", ("W", "V", 4), ("W", "nobody", 1)) == ("NOT_FOUND", {"account": "nobody"})
    assert post("2", ("nobody", "V", 4)) == ("NOT_FOUND", {"account": "nobody"})
    assert post("2", ("W", "V", 4), after=0) == ("CONFLICT", {"number": 1})
    assert post("2", ("W", "V", 4), after=1) == ("SUCCESS", {"number": 2, "balances": {"W": 6, "V": 4}})
    # in their order: what comes first may be spent by the second
    through = post("3", ("W", "V", 6), ("V", "W", 10))
    assert through == ("SUCCESS", {"number": 3, "balances": {"W": 10, "V": 0}})
    assert post("4") == ("SUCCESS", {"number": 4, "balances": {}})
    for amount in (0, -1):
        assert post("5", ("W", "V", amount))[0] == "VIOLATION"
    assert post("5", ("SUPPLY", "W", MOST))[0] == "VIOLATION"
    for odd in ("1", 1.5, None, True, 2**53):
        assert post("5", ("W", "V", odd))[0] is None
    balances = {"SUPPLY": -10, "POOL": 0, "W": 10, "V": 0}
    assert kept(ACCOUNTS, tmp_path) == [{"account": name, "balance": amount} for name, amount in balances.items()]


def test_receiving_opens_an_account_of_the_chain(ask: Ask, tmp_path: Path) -> None:
    opened = ask("CS_ACCOUNTS_V0.POST", CHAIN, key="1", entries=moved(("SUPPLY", "A", 5)), after=0)
    assert opened == ("SUCCESS", {"number": 1, "balances": {"SUPPLY": -5, "A": 5}})
    paid = ask("CS_ACCOUNTS_V0.POST", CHAIN, key="2", entries=moved(("B", "A", 5)))
    assert paid == ("NOT_FOUND", {"account": "B"})
    assert kept(CHAIN, tmp_path) == [{"account": "SUPPLY", "balance": -5}, {"account": "A", "balance": 5}]


def test_time_and_chance(ask: Ask) -> None:
    outcome, output = ask("CS_CLOCK_V0.NOW")
    assert outcome == "SUCCESS" and set(output) == {"at", "unix_ms"} and output["at"].endswith("Z")
    for count in (1, 64):
        outcome, output = ask("CS_ENTROPY_V0.DRAW", bytes=count)
        assert outcome == "SUCCESS" and len(bytes.fromhex(output["hex"][2:])) == count and output["hex"][:2] == "0x"
    for wrong in (0, 65, "1", None):
        assert ask("CS_ENTROPY_V0.DRAW", bytes=wrong)[0] is None


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("url", ["https://example.org/", "ftp://example.org/", "ssh://example.org/", "nonsense", ""])
def test_no_host_is_reached_that_is_not_declared(ask: Ask, method: str, url: str) -> None:
    outcome, output = ask(f"CS_HTTP_V0.{method}", url=url)
    assert outcome == "VIOLATION" and set(output) == {"reason"}


def test_an_operation_needs_the_store_and_the_event_that_are_its_own(ask: Ask) -> None:
    assert ask("CS_REGISTRY_V0.RESOLVE", key="k")[0] is None
    assert ask("CS_REGISTRY_V0.RESOLVE", LICENSES, key="k")[0] is None
    assert ask("CS_REGISTRY_V0.RESOLVE", "blockchain::ST_NONE_V0", key="k")[0] is None
    assert ask("CS_EVENTS_V0.FIND", LICENSING, match={})[0] is None
    assert ask("CS_EVENTS_V0.FIND", LICENSING, "ai_governance::EV_NONE_V0", match={})[0] is None
    assert ask("CS_CLOCK_V0.LATER")[0] is None
