"""Validators, blocks, slots and simulations, sentence by sentence as their specification has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asking import House
from moving import GENESIS, OPERATORS, Actor

ADA, BOB, CYD = Actor("Ada"), Actor("Bob"), Actor("Cyd")
ACTIVE = "ACTIVE_ONGOING"


def validator(actor: Actor, number: int = 0, **changed: Any) -> dict[str, Any]:
    """Return what asks for an actor to be a validator."""
    record = {
        "actor_id": actor.id, "pubkey": f"0x{number:096x}", "withdrawal_credentials": f"0x{number:064x}",
        "status": ACTIVE, "effective_balance": 32_000_000_000, "activation_epoch": 0, "exit_epoch": None,
    }  # fmt: skip
    return {"validator_record": {**record, **changed}}


def block(slot: int, **changed: Any) -> dict[str, Any]:
    """Return what asks for the block of a slot."""
    asked = {"slot": slot, "epoch": slot // 32, "round_number": slot, "timestamp": "2026-01-01T00:00:00Z"}
    return {**asked, "triggered_by": GENESIS, **changed}


def slot(number: int, simulation: str = "S", **changed: Any) -> dict[str, Any]:
    """Return what asks for a slot of a simulation."""
    return {"simulation_id": simulation, "slot_number": number, "triggered_by": GENESIS, **changed}


def simulation(*sequence: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return what asks for a simulation."""
    asked = {
        "simulation_id": "SIM", "slot_duration_seconds": 12, "max_slots": 2, "tx_interval_seconds": 6,
        "max_transactions": 256, "tx_sequence": list(sequence), "triggered_by": GENESIS,
    }  # fmt: skip
    return {**asked, **changed}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return the data root that all of these begin with: three actors with wallets, and operators."""
    found = House(tmp_path_factory.mktemp("prepared") / "data")
    found.with_wallets(ADA, BOB, CYD)
    found.load("blockchain/operators")
    return found


@pytest.fixture
def house(prepared: House, tmp_path: Path) -> House:
    """Return a data root of three actors with wallets, and operators."""
    return prepared.copy(tmp_path / "data")


@pytest.fixture
def three(house: House) -> House:
    """Return that data root with three validators."""
    for number, actor in enumerate((ADA, BOB, CYD)):
        house.run("REGISTER_VALIDATOR", **validator(actor, number))
    return house


def minted(house: House, count: int = 1) -> list[str]:
    """Mint to Ada and return the ids of the transactions that wait."""
    results = [house.run("MINT", to_wallet_id=ADA.wallet, amount=1, triggered_by=GENESIS).result for _ in range(count)]
    return [str(result["tx_id"]) for result in results if result is not None]


def test_validators_are_numbered_in_their_order(house: House) -> None:
    unknown = Actor("Nobody")
    assert house.ends("REGISTER_VALIDATOR", **validator(unknown)) == ("not_admitted", "DENIED", {})
    for number, actor in enumerate((ADA, BOB, CYD)):
        ended = house.ends("REGISTER_VALIDATOR", **validator(actor, number))
        assert ended == ("registered", "COMPLETED", {"validator_index": number})
    told = [
        {"event": "VALIDATOR_REGISTERED", "actor_id": actor.id, "validator_index": number}
        for number, actor in enumerate((ADA, BOB, CYD))
    ]
    before = house.all()
    assert house.told("CONSENSUS_EVENTS") == told
    assert [item["key"] for item in house.records("VALIDATORS")] == [ADA.id, BOB.id, CYD.id]
    assert house.run("REGISTER_VALIDATOR", **validator(BOB, 1)).exit == "exists"
    # one record an actor, one actor a pubkey
    assert house.ends("REGISTER_VALIDATOR", **validator(BOB, 9)) == ("conflict", "REJECTED", {})
    assert house.exit("REGISTER_VALIDATOR", **validator(BOB, 1, exit_epoch=9)) == "conflict"
    fourth = Actor("Dan")
    house.verified(fourth)
    assert house.exit("REGISTER_VALIDATOR", **validator(fourth, 1)) == "conflict"
    after = house.all()
    changed = {store for store in after if after[store] != before[store]}
    assert changed == {f"blockchain::ST_{name}_V0" for name in ("ACTORS", "VERIFICATIONS", "IDENTITY_EVENTS")}


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ({"status": "PENDING_INITIALIZED"}, True),
        ({"status": "EXITED", "exit_epoch": 5, "slashed": False, "balance": 0}, True),
        ({"status": "SLASHED", "activation_eligibility_epoch": 0, "withdrawable_epoch": 9}, True),
        ({"status": "ACTIVE"}, False),
        ({"effective_balance": 31_999_999_999}, False),
        ({"effective_balance": "32000000000"}, False),
        ({"pubkey": "0x" + "0" * 95}, False),
        ({"pubkey": "0" * 96}, False),
        ({"withdrawal_credentials": "0x" + "g" * 64}, False),
        ({"exit_epoch": "never"}, False),
        ({"slashed": 0}, False),
        ({"more": 1}, False),
    ],
)
def test_the_bounds_of_a_validator_record(house: House, changed: dict[str, Any], fits: bool) -> None:
    assert house.exit("REGISTER_VALIDATOR", **validator(ADA, **changed)) == ("registered" if fits else "rejected")


def test_who_proposes_is_whose_turn_it_is(three: House) -> None:
    proposers = []
    for number in range(4):
        (tx_id,) = minted(three)
        ended, status, result = three.ends("PROPOSE_BLOCK", **block(number))
        assert (ended, status) == ("proposed", "COMPLETED") and result is not None
        assert set(result) == {"block_id", "proposer_id", "transactions"} and result["transactions"] == 1
        kept = three.values("BLOCKS")[str(number)]
        assert kept == {
            "block_id": result["block_id"], "slot": number, "epoch": 0, "round_number": number,
            "timestamp": "2026-01-01T00:00:00Z", "proposer_id": result["proposer_id"], "transactions": [tx_id],
        }  # fmt: skip
        assert three.values("MEMPOOL")[tx_id]["status"] == "INCLUDED"
        assert three.values("MEMPOOL")[tx_id]["slot"] == number
        proposers.append(result["proposer_id"])
    assert proposers == [ADA.id, BOB.id, CYD.id, ADA.id]
    assert [one["slot"] for one in three.told("CONSENSUS_EVENTS", "BLOCK_PROPOSED")] == [0, 1, 2, 3]


def test_the_order_of_checks_of_a_proposal(house: House) -> None:
    house.load({OPERATORS: {"OP_MINT": {"roles": ["mint", "burn", "pool", "reward", "slash"]}}})
    waiting = minted(house)
    before = house.all()
    for who in ("NOBODY", "OP_MINT"):
        wrong = block(1, epoch=9, triggered_by=who)
        assert house.ends("PROPOSE_BLOCK", **wrong) == ("not_operator", "DENIED", {})
    for number, epoch in ((31, 1), (32, 0), (63, 2)):
        ended, status, result = house.ends("PROPOSE_BLOCK", **block(number, epoch=epoch))
        assert (ended, status, set(result or ())) == ("refused", "REJECTED", {"reason"})
    assert house.ends("PROPOSE_BLOCK", **block(1)) == ("no_validators", "REJECTED", {})
    assert house.all() == before
    # neither who waits nor who was slashed
    house.run("REGISTER_VALIDATOR", **validator(ADA, 0, status="PENDING_INITIALIZED"))
    house.run("REGISTER_VALIDATOR", **validator(BOB, 1, slashed=True))
    assert house.exit("PROPOSE_BLOCK", **block(1)) == "no_validators"
    house.run("REGISTER_VALIDATOR", **validator(CYD, 2))
    ended, _, result = house.ends("PROPOSE_BLOCK", **block(1, round_number=7))
    assert ended == "proposed" and result is not None and result["proposer_id"] == CYD.id
    before = house.all()
    assert house.ends("PROPOSE_BLOCK", **block(1)) == ("slot_taken", "REJECTED", {})
    assert house.all() == before and house.values("BLOCKS")["1"]["transactions"] == waiting
    for wrong in ({"slot": -1}, {"epoch": "0"}, {"round_number": -1}, {"timestamp": "now"}, {"more": 1}):
        assert house.exit("PROPOSE_BLOCK", **{**block(2), **wrong}) == "rejected"


def test_a_block_holds_a_hundred_and_none_is_skipped(three: House) -> None:
    waiting = minted(three, 101)
    assert three.ends("PROPOSE_BLOCK", **block(32))[2] is not None
    assert three.values("BLOCKS")["32"]["transactions"] == waiting[:100]
    assert three.run("PROPOSE_BLOCK", **block(33)).result is not None
    assert three.values("BLOCKS")["33"]["transactions"] == waiting[100:]
    assert three.ends("PROPOSE_BLOCK", **block(34)) == ("skipped", "COMPLETED", {})
    assert three.told("CONSENSUS_EVENTS", "ROUND_SKIPPED") == [{"slot": 34, "round_number": 34}]
    assert "34" not in three.values("BLOCKS")
    # a slot that was skipped may still have its block
    minted(three)
    assert three.exit("PROPOSE_BLOCK", **block(34)) == "proposed"


def test_slots_of_a_simulation_go_forward(three: House) -> None:
    assert three.ends("PROCESS_SLOT", **slot(0)) == ("skipped", "COMPLETED", {})
    assert three.values("SLOT_CLOCK") == {"S": {"slot": 0}}
    minted(three)
    ended, status, result = three.ends("PROCESS_SLOT", **slot(34))
    assert (ended, status) == ("processed", "COMPLETED") and result is not None
    kept = three.values("BLOCKS")["34"]
    assert (kept["epoch"], kept["round_number"], kept["timestamp"]) == (1, 34, "2026-01-01T00:17:00Z")
    assert result == {"block_id": kept["block_id"], "proposer_id": BOB.id, "transactions": 1}
    before = three.all()
    for number in (34, 33, 0):
        assert three.ends("PROCESS_SLOT", **slot(number)) == ("slot_passed", "REJECTED", {})
    assert three.exit("PROCESS_SLOT", **slot(35, triggered_by="NOBODY")) == "not_operator"
    assert three.exit("PROCESS_SLOT", **slot(34, "another")) == "slot_taken"
    assert three.exit("PROCESS_SLOT", **slot(-1)) == "rejected"
    assert three.all() == before
    assert three.exit("PROCESS_SLOT", **slot(35)) == "skipped"
    assert three.values("SLOT_CLOCK") == {"S": {"slot": 35}}
    told = three.told("CONSENSUS_EVENTS", "SLOT_PROCESSED")
    assert told == [{"simulation_id": "S", "slot": number} for number in (0, 34, 35)]


def transfer(amount: int, sender: Actor = ADA, wallet: str = ADA.wallet) -> dict[str, Any]:
    """Return a transfer to Bob as a simulation plays it."""
    names = {"actor_record": sender.record, "from_wallet_id": wallet, "to_address": BOB.wallet}
    return {"tx_type": "TRANSFER", "amount": amount, **names}


def test_a_simulation_of_two_slots_and_five_transactions(three: House) -> None:
    sequence = (
        {"tx_type": "MINT", "to_wallet_id": ADA.wallet, "amount": 10},
        transfer(11),
        transfer(4),
        {"tx_type": "STAKE", "actor_record": ADA.record, "from_wallet_id": ADA.wallet, "amount": 6},
        {"tx_type": "SLASH", "from_wallet_id": ADA.wallet, "validator_index": 0, "amount": 6},
    )
    ended = three.ends("RUN_CHAIN_SIMULATION", **simulation(*sequence))
    counts = {"transactions_accepted": 4, "transactions_refused": 1, "blocks": 2, "skipped": 0}
    assert ended == ("simulated", "COMPLETED", counts)
    # transactions at 0, 6, 12, 18 and 24 seconds, slots at 12 and 24: at one instant the transactions come first
    assert [len(one["transactions"]) for one in three.values("BLOCKS").values()] == [2, 2]
    assert three.values("SLOT_CLOCK") == {"SIM": {"slot": 2}}
    before = three.all()
    assert three.exit("RUN_CHAIN_SIMULATION", **simulation(*sequence)) == "exists"
    assert three.ends("RUN_CHAIN_SIMULATION", **simulation(*sequence[:4])) == ("conflict", "REJECTED", {})
    assert three.all() == before


def test_no_more_is_played_than_asked_for_and_denials_stop_nothing(three: House) -> None:
    denied = [transfer(1, BOB), transfer(1, ADA, "W_none"), {"tx_type": "BURN", "from_wallet_id": "W", "amount": 1}]
    sequence = [*denied, {"tx_type": "POOL", "amount": 3}, {"tx_type": "POOL", "amount": 4}]
    asked = simulation(*sequence, max_transactions=4, max_slots=1, tx_interval_seconds=0)
    counts = {"transactions_accepted": 1, "transactions_refused": 3, "blocks": 1, "skipped": 0}
    assert three.ends("RUN_CHAIN_SIMULATION", **asked)[2] == counts
    none = simulation(*sequence, simulation_id="NONE", max_transactions=0, max_slots=3)
    counts = {"transactions_accepted": 0, "transactions_refused": 0, "blocks": 0, "skipped": 3}
    assert three.ends("RUN_CHAIN_SIMULATION", **none)[2] == counts


def test_a_simulation_is_refused_before_anything_is_played(house: House) -> None:
    before = house.all()
    mint = {"tx_type": "MINT", "to_wallet_id": ADA.wallet, "amount": 1}
    asked = simulation(mint)
    assert house.ends("RUN_CHAIN_SIMULATION", **{**asked, "triggered_by": "NOBODY"}) == ("not_operator", "DENIED", {})
    assert house.ends("RUN_CHAIN_SIMULATION", **asked) == ("no_validators", "REJECTED", {})
    for name, values in {
        "slot_duration_seconds": (0, 3601), "max_slots": (0, 65), "tx_interval_seconds": (-1, 3601),
        "max_transactions": (-1, 257), "tx_sequence": ([mint] * 257, [{"tx_type": "GIFT"}], [{**mint, "more": 1}]),
    }.items():  # fmt: skip
        for value in values:
            assert house.exit("RUN_CHAIN_SIMULATION", **{**asked, name: value}) == "rejected"
    assert house.all() == before
