"""The words of the chain in Python: what a block moves, what happens when, what is signed and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_capabilities.intrinsic_gas import intrinsic_gas
from omnibachi_capabilities.postings import postings
from omnibachi_capabilities.schedule import schedule
from omnibachi_capabilities.transactions import sign_transaction

wallets = st.none() | st.sampled_from(["W_1", "W_2", "W_1#stake", "POOL", "SUPPLY", "supply", ""])
kinds = st.sampled_from(["MINT", "BURN", "TRANSFER", "STAKE", "UNSTAKE", "POOL", "REWARD", "SLASH"])
transactions = st.lists(
    st.fixed_dictionaries(
        {"tx_type": kinds, "amount": st.integers(1, 2**53 - 1), "from_wallet": wallets, "to_wallet": wallets}
    ),
    max_size=6,
)


def names(transaction: dict[str, Any]) -> bool:
    """Tell whether a transaction names whom its kind must name, and nobody takes the supply for a wallet."""
    kind, payer, payee = (transaction[key] for key in ("tx_type", "from_wallet", "to_wallet"))
    given = (payer is not None, payee is not None)
    wanted = {"MINT": (False, True), "BURN": (True, False)}.get(kind, (True, True))
    return given == wanted and payee != "SUPPLY" and (payer != "SUPPLY" or kind == "POOL")


@given(transactions)
def test_postings_are_the_transactions_in_their_order(block: list[dict[str, Any]]) -> None:
    outcome, output = postings({"transactions": block})
    assert outcome == ("SUCCESS" if all(map(names, block)) else "VIOLATION")
    if outcome == "VIOLATION":
        assert output == {}
        return
    found = [(entry["from"], entry["to"], entry["amount"]) for entry in output["entries"]]
    ends = [["SUPPLY" if t[key] is None else t[key] for key in ("from_wallet", "to_wallet")] for t in block]
    assert found == [(*pair, t["amount"]) for pair, t in zip(ends, block, strict=True)]


@given(st.integers(0, 20), st.integers(0, 8), st.integers(0, 50), st.integers(0, 50))
def test_a_schedule_is_in_order_of_time(count: int, slots: int, interval: int, duration: int) -> None:
    """Transaction k at k intervals, slot s at s durations; at one instant transactions first, in their order."""
    given = [{"tx_type": "POOL", "amount": number + 1} for number in range(count)]
    inputs = {"transactions": given, "slots": slots, "interval": interval, "duration": duration}
    outcome, output = schedule(inputs)
    steps: list[Any] = output["steps"]
    assert outcome == "SUCCESS" and len(steps) == count + slots
    kinds = ("TRANSACTION", "SLOT")
    assert steps == sorted(steps, key=lambda step: (step["at"], kinds.index(step["kind"]), step["number"]))
    for step in steps:
        number = step["number"]
        if step["kind"] == "SLOT":
            assert step.keys() == {"kind", "number", "at"} and step["at"] == number * duration
        else:
            assert step["at"] == number * interval and step["transaction"] == given[number]
    assert [step["number"] for step in steps if step["kind"] == "SLOT"] == list(range(1, slots + 1))


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 2**53 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**256 - 1))
def test_what_was_signed_is_read_again(data: bytes, gas: int, nonce: int, value: int) -> None:
    """By another reader: from the raw bytes alone come the sender and every field."""
    key = "0x" + "46" * 32
    transaction = {
        "chain_id": 1337, "nonce": nonce, "max_priority_fee_per_gas": "1", "max_fee_per_gas": "2", "gas_limit": gas,
        "to_address": "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F", "value": str(value), "data": "0x" + data.hex(),
    }  # fmt: skip
    outcome, made = sign_transaction({"transaction": transaction, "private_key": key})
    assert outcome == "SUCCESS"
    assert Account.recover_transaction(made["raw"]) == made["from"] == Account.from_key(key).address
    read = TypedTransaction.from_bytes(HexBytes(made["raw"])).as_dict()
    assert (read["chainId"], read["nonce"], read["gas"], read["value"]) == (1337, nonce, gas, value)
    assert bytes(read["data"]) == data and read["accessList"] == ()
    again = sign_transaction({"transaction": transaction, "private_key": key})
    assert again == (outcome, made)


@pytest.mark.parametrize(("data", "gas"), [
    ("0x", 21000), ("0x00", 21004), ("0x01", 21016), ("0x" + "00" * 65536, 21000 + 4 * 65536), ("FF", 21016),
])  # fmt: skip
def test_the_gas_of_known_data(data: str, gas: int) -> None:
    assert intrinsic_gas({"data": data}) == ("SUCCESS", {"gas": gas})


@pytest.mark.parametrize("data", ["0x0", "0xzz", "0x 00", "0x00\n", "\u0660\u0660", "0x0x00"])
def test_data_that_is_none_has_no_gas(data: str) -> None:
    assert intrinsic_gas({"data": data}) == ("VIOLATION", {})
