"""Value flows, sentence by sentence as their specification has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asking import House
from moving import GENESIS, OPERATORS, Actor, identifier

ADA, BOB = Actor("Ada"), Actor("Bob")
WORDS = "abandon " * 11 + "about"
ADDRESS = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
STAKE = f"{ADA.wallet}#stake"
BLOCK = "0x" + "ab" * 32
MOST = 2**53 - 1
ROLES = {"MINT": "mint", "BURN": "burn", "POOL": "pool", "REWARD": "reward", "SLASH": "slash"}
GAS = {"gas_limit": 21000, "max_fee_per_gas": "20000000000", "max_priority_fee_per_gas": "1000000000"}


def asked(name: str, amount: Any = 5, **changed: Any) -> dict[str, Any]:
    """Return a payload of a flow between Ada's wallet and whatever it needs besides."""
    fields: dict[str, dict[str, Any]] = {
        "MINT": {"to_wallet_id": ADA.wallet},
        "BURN": {"from_wallet_id": ADA.wallet},
        "TRANSFER": {"actor_record": ADA.record, "from_wallet_id": ADA.wallet, "to_address": BOB.wallet},
        "STAKE": {"actor_record": ADA.record, "from_wallet_id": ADA.wallet},
        "UNSTAKE": {"actor_record": ADA.record, "to_wallet_id": ADA.wallet, "validator_index": 0},
        "POOL": {},
        "REWARD": {"to_wallet_id": ADA.wallet, "block_hash": BLOCK},
        "SLASH": {"from_wallet_id": ADA.wallet, "validator_index": 0},
    }
    by = {"triggered_by": GENESIS} if name in ROLES else {}
    return {"amount": amount, **fields[name], **by, **changed}


def held(house: House) -> dict[str, int]:
    """Return all balances, having looked that they sum to zero."""
    found = {item["account"]: item["balance"] for item in house.records("ACCOUNTS")}
    assert sum(found.values()) == 0
    return found


@pytest.fixture
def house(prepared: House, tmp_path: Path) -> House:
    """Return a data root with operators, where Ada has 100 and has staked 40 more, and the pool holds 20."""
    return prepared.copy(tmp_path / "data")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return the data root that all of these begin with."""
    found = House(tmp_path_factory.mktemp("prepared") / "data")
    found.with_wallets(ADA, BOB)
    found.load("blockchain/operators")
    for name, amount in (("MINT", 140), ("STAKE", 40), ("POOL", 20)):
        found.run(name, **asked(name, amount))
    return found


FLOWS = [
    ("MINT", "minted", "SUPPLY", ADA.wallet, {ADA.wallet: 105}),
    ("BURN", "burned", ADA.wallet, "SUPPLY", {ADA.wallet: 95}),
    ("TRANSFER", "transferred", ADA.wallet, BOB.wallet, {ADA.wallet: 95, BOB.wallet: 5}),
    ("STAKE", "staked", ADA.wallet, STAKE, {ADA.wallet: 95, STAKE: 45}),
    ("UNSTAKE", "unstaked", STAKE, ADA.wallet, {STAKE: 35, ADA.wallet: 105}),
    ("POOL", "pooled", "SUPPLY", "POOL", {"POOL": 25}),
    ("REWARD", "rewarded", "POOL", ADA.wallet, {"POOL": 15, ADA.wallet: 105}),
    ("SLASH", "slashed", STAKE, "POOL", {STAKE: 35, "POOL": 25}),
]


@pytest.mark.parametrize(("name", "exit", "giver", "taker", "balances"), FLOWS)
def test_each_flow_moves_once_records_and_tells(
    house: House, name: str, exit: str, giver: str, taker: str, balances: dict[str, int]
) -> None:
    before = held(house)
    data = {"tx_type": name, "from": giver, "to": taker, "amount": 5, "number": 4}
    tx_id = identifier("TX", data)
    ended = house.ends(name, **asked(name, memo="m"))
    assert ended == (exit, "COMPLETED", {"tx_id": tx_id, "balances": balances})
    after = held(house)
    assert (after[giver], after[taker]) == (before[giver] - 5, before[taker] + 5)
    record = house.values("MEMPOOL")[tx_id]
    assert (record["tx_id"], record["tx_type"], record["amount"], record["status"]) == (tx_id, name, 5, "PENDING")
    assert set(record) == {"tx_id", "tx_type", "from_wallet", "to_wallet", "amount", "status"}
    if "SUPPLY" not in (giver, taker):
        assert (record["from_wallet"], record["to_wallet"]) == (giver, taker)
    told = house.told("TRANSACTION_EVENTS", "VALUE_MOVED")
    assert len(told) == 4 and told[-1]["tx_id"] == tx_id and told[-1]["memo"] == "m"
    assert told[-1]["request_id"] is None


@pytest.mark.parametrize(("name", "exit"), [flow[:2] for flow in FLOWS])
def test_the_same_request_is_one_movement(house: House, name: str, exit: str) -> None:
    first = house.ends(name, **asked(name, request_id="R"))
    assert first[0] == exit and first[2] is not None
    before = house.all()
    for _ in range(2):
        again = house.ends(name, **asked(name, request_id="R"))
        assert again == ("duplicate", "COMPLETED", {"tx_id": first[2]["tx_id"]})
        assert house.ends(name, **asked(name, amount=6, request_id="R")) == ("conflict", "REJECTED", {})
    assert house.all() == before
    # of another workflow it is another request
    other = "POOL" if name != "POOL" else "MINT"
    assert house.run(other, **asked(other, request_id="R")).exit_code == 0
    assert len(house.records("MEMPOOL")) == 5


@pytest.mark.parametrize("name", [flow[0] for flow in FLOWS])
def test_two_equal_ones_without_a_request_are_two(house: House, name: str) -> None:
    more = [asked(name), asked(name)] if name != "REWARD" else [asked(name), asked(name, block_hash="0x" + "1" * 64)]
    first, second = (house.run(name, **payload).result for payload in more)
    assert first is not None and second is not None and first["tx_id"] != second["tx_id"]


def test_a_reward_is_one_for_each_block_and_wallet(house: House) -> None:
    assert house.exit("REWARD", **asked("REWARD")) == "rewarded"
    before = house.all()
    assert house.exit("REWARD", **asked("REWARD")) == "duplicate"
    assert house.exit("REWARD", **asked("REWARD", amount=6)) == "conflict"
    assert house.all() == before
    assert house.exit("REWARD", **asked("REWARD", to_wallet_id=BOB.wallet)) == "rewarded"
    # a request is another one, whatever it is called
    for name in ("R", f"of {BLOCK} to {ADA.wallet}", f": {BLOCK} to {ADA.wallet}"):
        assert house.exit("REWARD", **asked("REWARD", amount=1, request_id=name)) == "rewarded"


@pytest.mark.parametrize("name", sorted(ROLES))
def test_an_operator_is_a_fact_and_acts_in_its_roles(house: House, name: str) -> None:
    others = [role for role in (*ROLES.values(), "slots") if role != ROLES[name]]
    house.load({OPERATORS: {"OP_ONE": {"roles": [ROLES[name]]}, "OP_OTHERS": {"roles": others}}})
    before = house.all()
    for who in ("NOBODY", "OP_OTHERS", "", ADA.id):
        assert house.ends(name, **asked(name, triggered_by=who)) == ("not_operator", "DENIED", {})
    assert house.all() == before
    assert house.run(name, **asked(name, triggered_by="OP_ONE")).exit_code == 0


def test_only_its_owner_acts_for_a_wallet(house: House) -> None:
    before = house.all()
    for name, wallet in (("TRANSFER", "from_wallet_id"), ("STAKE", "from_wallet_id"), ("UNSTAKE", "to_wallet_id")):
        assert house.ends(name, **asked(name, actor_record=BOB.record)) == ("not_owner", "DENIED", {})
        for unknown in ("W_0000000000000000", "POOL", "SUPPLY", STAKE):
            assert house.ends(name, **asked(name, **{wallet: unknown})) == ("not_admitted", "DENIED", {})
    assert house.all() == before


def test_what_is_refused_writes_nothing(house: House) -> None:
    before = house.all()
    for name, refusal in (
        ("BURN", "insufficient_funds"), ("TRANSFER", "insufficient_funds"), ("STAKE", "insufficient_funds"),
        ("UNSTAKE", "insufficient_stake"), ("SLASH", "insufficient_stake"), ("REWARD", "insufficient_pool"),
    ):  # fmt: skip
        assert house.ends(name, **asked(name, amount=101, request_id="R")) == (refusal, "REJECTED", {})
        assert house.exit(name, **asked(name, amount=MOST)) == refusal
    for name, wallet in (("MINT", "to"), ("BURN", "from"), ("REWARD", "to"), ("SLASH", "from")):
        assert house.exit(name, **asked(name, **{f"{wallet}_wallet_id": "W_none"})) == "unknown_wallet"
    for recipient in ("W_none", "", "0x" + "11" * 20):
        assert house.exit("TRANSFER", **asked("TRANSFER", to_address=recipient)) == "unknown_wallet"
    ended, status, result = house.ends("TRANSFER", **asked("TRANSFER", to_address=ADA.wallet))
    assert (ended, status, set(result or ())) == ("refused", "REJECTED", {"reason"})
    # a balance would pass 2^53 - 1
    for name in ("MINT", "POOL"):
        assert set(house.run(name, **asked(name, amount=MOST)).result or ()) == {"reason"}
    assert house.all() == before
    # the same request_id again, now that it can be done
    for name, exit in (("BURN", "burned"), ("UNSTAKE", "unstaked"), ("REWARD", "rewarded")):
        assert house.exit(name, **asked(name, request_id="R")) == exit


def test_the_whole_balance_and_one_more(house: House) -> None:
    assert house.exit("TRANSFER", **asked("TRANSFER", amount=100)) == "transferred"
    assert house.exit("TRANSFER", **asked("TRANSFER", amount=1)) == "insufficient_funds"
    assert house.exit("SLASH", **asked("SLASH", amount=30)) == "slashed"
    assert house.exit("UNSTAKE", **asked("UNSTAKE", amount=10)) == "unstaked"
    assert house.exit("UNSTAKE", **asked("UNSTAKE", amount=1)) == "insufficient_stake"
    assert held(house) == {
        "SUPPLY": -160, "POOL": 50, ADA.wallet: 10, STAKE: 0, BOB.wallet: 100, f"{BOB.wallet}#stake": 0
    }  # fmt: skip


def test_a_recipient_may_be_named_by_its_address_in_any_case(house: House) -> None:
    bound = {"actor_record": BOB.record, "actor_id": BOB.id, "mnemonic": WORDS}
    assert house.exit("CREATE_WALLET", **bound) == "exists"
    names = [ADDRESS, ADDRESS.lower(), "0x" + ADDRESS[2:].upper(), ADDRESS.upper(), "0x" + ADDRESS[2:].swapcase()]
    for name in names:
        assert house.exit("TRANSFER", **asked("TRANSFER", to_address=name, amount=1)) == "transferred"
    assert held(house)[BOB.wallet] == len(names)
    own = {"actor_record": BOB.record, "from_wallet_id": BOB.wallet, "to_address": ADDRESS.lower()}
    assert house.exit("TRANSFER", **asked("TRANSFER", **own)) == "refused"


@pytest.mark.parametrize("name", ["TRANSFER", "STAKE", "UNSTAKE"])
def test_gas_of_older_payloads_is_recorded_and_not_charged(house: House, name: str) -> None:
    assert house.run(name, **asked(name, **GAS)).exit_code == 0
    told = house.told("TRANSACTION_EVENTS", "VALUE_MOVED")[-1]
    assert {key: told[key] for key in GAS} == GAS
    for wrong in ({"gas_limit": "21000"}, {"max_fee_per_gas": "-1"}, {"max_priority_fee_per_gas": "01"}, {"gas": 1}):
        assert house.exit(name, **asked(name, **wrong)) == "rejected"


@pytest.mark.parametrize("name", [flow[0] for flow in FLOWS])
def test_amounts_and_request_ids_have_bounds(house: House, name: str) -> None:
    before = house.all()
    for amount in (0, -1, 1.5, "5", None, True, [5]):
        assert house.exit(name, **asked(name, amount=amount)) == "rejected"
    for request_id in ("", "x" * 129, 5, None):
        assert house.exit(name, **asked(name, request_id=request_id)) == "rejected"
    assert house.exit(name, **asked(name, more=1)) == "rejected"
    # beyond what JSON numbers mean everywhere there is no payload at all
    beyond = house.engine.run(f"blockchain::WF_{name}_V0", asked(name, amount=2**53))
    assert (beyond.exit, beyond.exit_code) == (None, 3) and "/amount" in beyond.diagnostics[0].message
    if name in ("REWARD", "UNSTAKE", "SLASH"):
        field, wrong = ("block_hash", BLOCK.upper()) if name == "REWARD" else ("validator_index", -1)
        assert house.exit(name, **asked(name, **{field: wrong})) == "rejected"
    assert house.all() == before
    for request_id in ("x", "x" * 128, "ü" * 128):
        assert house.run(name, **asked(name, amount=1, request_id=request_id)).exit_code == 0
