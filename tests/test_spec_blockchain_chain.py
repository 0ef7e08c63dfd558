"""The chain of blocks, sentence by sentence as its specification has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asking import House
from moving import ROOT
from omnibachi import Workspace

ZEROS = "0" * 64
MOST = 2**53 - 1


def moved(kind: str, amount: Any, giver: str | None, taker: str | None) -> dict[str, Any]:
    """Return a transaction of a block."""
    return {"tx_type": kind, "amount": amount, "from_wallet": giver, "to_wallet": taker}


def block(predecessor: str, height: int, *transactions: dict[str, Any]) -> dict[str, Any]:
    """Return a block."""
    return {"predecessor_hash": predecessor, "height": height, "transactions": list(transactions)}


FIRST = block(ZEROS, 0, moved("MINT", 100, None, "A"), moved("MINT", 5, None, "B"))


def hashed(one: dict[str, Any]) -> str:
    """Return the hash of a block as given."""
    found = Workspace(ROOT).call("std::CT_DIGEST_V0", {"data": one, "algorithm": "keccak256"}).output["hash"]
    return str(found)


HEAD = hashed(FIRST)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return an empty data root."""
    return House(tmp_path / "data")


def begun(house: House, one: dict[str, Any]) -> Any:
    """Ask for a first block."""
    return house.ends("BOOTSTRAP_GENESIS_CHAIN", genesis_block_content=one)


def committed(house: House, one: dict[str, Any]) -> Any:
    """Ask for a block that follows."""
    return house.ends("COMMIT_BLOCK", proposed_block=one)


def held(house: House) -> dict[str, int]:
    """Return all balances, having looked that they sum to zero."""
    found = {item["account"]: item["balance"] for item in house.records("CHAIN_ACCOUNTS")}
    assert sum(found.values()) == 0
    return found


@pytest.mark.parametrize(
    "wrong",
    [
        block(ZEROS, 1, *FIRST["transactions"]),
        block("1" * 64, 0),
        block(ZEROS[1:], 0),
        block(HEAD, 0),
        block(ZEROS, 0, moved("TRANSFER", 1, "A", "B")),
        block(ZEROS, 0, moved("MINT", 1, None, "A"), moved("BURN", 1, "A", None)),
        block(ZEROS, 0, moved("MINT", 1, "A", "B")),
        block(ZEROS, 0, moved("MINT", 1, None, None)),
        block(ZEROS, 0, moved("MINT", MOST, None, "A"), moved("MINT", 1, None, "B")),
    ],
)
def test_what_is_no_first_block_is_refused(house: House, wrong: dict[str, Any]) -> None:
    ended, status, result = begun(house, wrong)
    assert (ended, status, set(result)) == ("refused", "REJECTED", {"reason"})
    assert not any(house.all().values())


def test_a_chain_begins_once(house: House) -> None:
    assert committed(house, block(HEAD, 1)) == ("not_admitted", "DENIED", {})
    assert begun(house, FIRST) == ("bootstrapped", "COMPLETED", {"head": HEAD, "height": 0})
    assert held(house) == {"SUPPLY": -105, "A": 100, "B": 5}
    assert house.told("CHAIN") == [{"event": "GENESIS_CREATED", "hash": HEAD, "height": 0, "block": FIRST}]
    assert [item["value"] for item in house.records("CHAIN_HEAD")] == [{"hash": HEAD, "height": 0}]
    before = house.all()
    assert begun(house, FIRST)[:2] == ("exists", "COMPLETED")
    assert begun(house, block(ZEROS, 0)) == ("conflict", "REJECTED", {})
    assert house.all() == before


def test_blocks_follow_the_head(house: House) -> None:
    begun(house, FIRST)
    second = block(
        HEAD, 1, moved("TRANSFER", 40, "A", "C"), moved("BURN", 5, "C", None), moved("STAKE", 10, "C", "C#stake"),
        moved("MINT", 1, None, "B"),
    )  # fmt: skip
    head = hashed(second)
    assert committed(house, second) == ("committed", "COMPLETED", {"head": head, "height": 1})
    assert held(house) == {"SUPPLY": -101, "A": 60, "B": 6, "C": 25, "C#stake": 10}
    assert house.told("CHAIN", "BLOCK_COMMITTED") == [{"hash": head, "height": 1, "block": second}]
    before = house.all()
    assert committed(house, second)[:2] == ("exists", "COMPLETED")
    assert committed(house, FIRST) == ("wrong_predecessor", "REJECTED", {})
    assert begun(house, FIRST)[0] == "exists"
    assert house.all() == before
    # an empty block is legal, and the next one has its place behind it
    third = block(head, 2)
    assert committed(house, third) == ("committed", "COMPLETED", {"head": hashed(third), "height": 2})
    fourth = block(hashed(third), 3, moved("TRANSFER", 60, "A", "B"))
    assert committed(house, fourth)[0] == "committed"
    assert committed(house, second)[0] == "wrong_predecessor"
    assert begun(house, block(ZEROS, 0))[0] == "conflict"
    assert len(house.records("CHAIN")) == 4


@pytest.mark.parametrize(
    ("wrong", "exit"),
    [
        (block("0x" + "1" * 64, 1), "wrong_predecessor"),
        (block("0x" + "1" * 64, 7), "wrong_predecessor"),
        (block(ZEROS, 1), "wrong_predecessor"),
        (block(HEAD, 0), "wrong_height"),
        (block(HEAD, 2), "wrong_height"),
        (block(HEAD, 1, moved("TRANSFER", 101, "A", "B")), "insufficient_funds"),
        (block(HEAD, 1, moved("TRANSFER", 60, "A", "B"), moved("TRANSFER", 60, "A", "B")), "insufficient_funds"),
        (block(HEAD, 1, moved("TRANSFER", 1, "never", "B")), "insufficient_funds"),
        (block(HEAD, 1, moved("BURN", 6, "B", None)), "insufficient_funds"),
        (block(HEAD, 1, moved("MINT", 1, "A", "B")), "refused"),
        (block(HEAD, 1, moved("BURN", 1, "A", "B")), "refused"),
        (block(HEAD, 1, moved("TRANSFER", 1, None, "B")), "refused"),
        (block(HEAD, 1, moved("STAKE", 1, "A", None)), "refused"),
        (block(HEAD, 1, moved("MINT", MOST, None, "B")), "refused"),
        (block(HEAD, 1, moved("TRANSFER", 0, "A", "B")), "rejected"),
        (block(HEAD, 1, moved("TRANSFER", "1", "A", "B")), "rejected"),
        (block(HEAD, -1), "rejected"),
        (block(HEAD, 1, {"tx_type": "BURN", "amount": 1, "from_wallet": "A"}), "rejected"),
        ({**block(HEAD, 1), "more": 1}, "rejected"),
        (block(HEAD, 1, {**moved("BURN", 1, "A", None), "memo": "m"}), "rejected"),
    ],
)
def test_what_does_not_follow_changes_nothing(house: House, wrong: dict[str, Any], exit: str) -> None:
    begun(house, FIRST)
    before = house.all()
    ended, status, result = committed(house, wrong)
    assert (ended, status) == (exit, "REJECTED")
    assert set(result) == {"refused": {"reason"}, "rejected": {"violations"}}.get(exit, set())
    assert house.all() == before
