"""Identity, wallets and signed transactions, sentence by sentence as their specification has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asking import House, verification
from moving import ROOT, Actor, identifier
from omnibachi import Workspace

ADA, BOB = Actor("Ada"), Actor("Bob")
WORDS = "abandon " * 11 + "about"
ADDRESS = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
OTHER_WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"
SOMEWHERE = "0x" + "ab" * 20


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return an empty data root."""
    return House(tmp_path / "data")


def wallet(actor: Actor = ADA, **more: Any) -> dict[str, Any]:
    """Return what asks for a wallet."""
    return {"actor_record": actor.record, "actor_id": actor.id, **more}


def transaction(**changed: Any) -> dict[str, Any]:
    """Return what asks for a signed transaction of Ada's."""
    asked = {"actor_record": ADA.record, "wallet_id": ADA.wallet, "to_address": SOMEWHERE, "value": "1"}
    return {**asked, "mnemonic": WORDS, **changed}


def test_registering_twice_keeps_one_record_and_tells_two_events(house: House) -> None:
    for _ in range(2):
        ended = house.ends("REGISTER_ACTOR_UNVERIFIED", actor_record=ADA.record)
        assert ended == ("registered", "COMPLETED", {"actor_id": identifier("AC", ADA.record)})
    assert house.values("ACTORS") == {ADA.id: ADA.record}
    assert house.told("IDENTITY_EVENTS") == [{"event": "ACTOR_REGISTERED", "actor_id": ADA.id}] * 2


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ({"first_name": "a" * 100}, True),
        ({"first_name": "a" * 101}, False),
        ({"last_name": ""}, False),
        ({"last_name": 5}, False),
        ({"email_registration": "nobody"}, False),
        ({"currency_preference": "EUR", "language": "en"}, True),
        ({"language": None}, False),
        ({"age": 5}, False),
    ],
)
def test_the_bounds_of_an_actor_record(house: House, changed: dict[str, Any], fits: bool) -> None:
    record = {**ADA.record, **changed}
    assert house.exit("REGISTER_ACTOR_UNVERIFIED", actor_record=record) == ("registered" if fits else "rejected")
    assert list(house.values("ACTORS").values()) == ([record] if fits else [])


def test_the_order_of_checks_of_a_verification(house: House) -> None:
    assert house.ends("VERIFY_ACTOR", **verification(ADA)) == ("not_admitted", "DENIED", {})
    house.registered(ADA)
    mismatch = verification(ADA, actor_id=BOB.id)
    assert house.ends("VERIFY_ACTOR", **{**mismatch, "verifier_id": BOB.id}) == ("identity_mismatch", "DENIED", {})
    by_self = verification(ADA) | {"verifier_id": ADA.id}
    assert house.ends("VERIFY_ACTOR", **by_self) == ("self_verification", "DENIED", {})
    assert house.exit("VERIFY_ACTOR", **verification(ADA, "verified")) == "rejected"
    assert house.values("VERIFICATIONS") == {} and len(house.records("IDENTITY_EVENTS")) == 1


def test_the_first_decision_stands(house: House) -> None:
    house.registered(ADA, BOB)
    assert house.ends("VERIFY_ACTOR", **verification(ADA)) == ("verified", "COMPLETED", {"actor_id": ADA.id})
    assert house.ends("VERIFY_ACTOR", **verification(BOB, "REJECTED", notes="no")) == ("actor_rejected", "DENIED", {})
    kept = {
        ADA.id: {"actor_id": ADA.id, "decision": "VERIFIED", "verifier_id": "VERIFIER", "notes": None},
        BOB.id: {"actor_id": BOB.id, "decision": "REJECTED", "verifier_id": "VERIFIER", "notes": "no"},
    }
    told = [
        {"event": "ACTOR_VERIFIED", "actor_id": ADA.id, "verifier_id": "VERIFIER"},
        {"event": "ACTOR_REJECTED", "actor_id": BOB.id, "verifier_id": "VERIFIER"},
    ]
    for _ in range(2):
        assert house.values("VERIFICATIONS") == kept and house.told("IDENTITY_EVENTS")[2:] == told
        assert house.ends("VERIFY_ACTOR", **verification(ADA, notes="x")) == ("already_decided", "COMPLETED", {})
        assert house.exit("VERIFY_ACTOR", **verification(BOB, "REJECTED")) == "actor_rejected"
        assert house.ends("VERIFY_ACTOR", **verification(ADA, "REJECTED")) == ("conflict", "REJECTED", {})
        assert house.exit("VERIFY_ACTOR", **verification(BOB)) == "conflict"


def test_who_may_have_a_wallet(house: House) -> None:
    house.registered(ADA, BOB)
    house.run("VERIFY_ACTOR", **verification(BOB, "REJECTED"))
    before = house.all()
    assert house.ends("CREATE_WALLET", **wallet(ADA)) == ("not_admitted", "DENIED", {})
    assert house.ends("CREATE_WALLET", **wallet(BOB)) == ("not_admitted", "DENIED", {})
    assert house.ends("CREATE_WALLET", **wallet(BOB, actor_id=ADA.id)) == ("identity_mismatch", "DENIED", {})
    assert house.exit("CREATE_WALLET", **wallet(ADA, wallet_type="gold")) == "rejected"
    assert house.exit("CREATE_WALLET", **wallet(ADA, wallet_config={"colour": "red"})) == "rejected"
    assert house.all() == before


def test_a_wallet_without_a_key_and_again(house: House) -> None:
    house.verified(ADA)
    assert ADA.wallet == identifier("W", {"actor_id": ADA.id, "wallet_type": "standard"})
    made = {"wallet_id": ADA.wallet, "address": None}
    assert house.ends("CREATE_WALLET", **wallet()) == ("created", "COMPLETED", made)
    record = {"wallet_id": ADA.wallet, "actor_id": ADA.id, "wallet_type": "standard", "wallet_config": None}
    for _ in range(2):
        assert house.values("WALLETS") == {ADA.wallet: record}
        assert house.values("WALLET_KEYS") == house.values("ADDRESSES") == {}
        accounts = [item["account"] for item in house.records("ACCOUNTS")]
        assert accounts[-2:] == [ADA.wallet, f"{ADA.wallet}#stake"]
        told = [{"event": "WALLET_CREATED", "wallet_id": ADA.wallet, "actor_id": ADA.id}]
        assert house.told("WALLET_EVENTS") == told
        again = {"wallet_id": ADA.wallet}
        assert house.ends("CREATE_WALLET", **wallet(wallet_type="standard")) == ("exists", "COMPLETED", again)


def test_a_wallet_is_bound_to_one_address_and_an_address_to_one_wallet(house: House) -> None:
    house.verified(ADA, BOB)
    config = {"name": "n", "currency": "EUR", "metadata": {"any": [1]}}
    business = wallet(wallet_type="business", wallet_config=config)
    before = house.all()
    assert house.exit("CREATE_WALLET", **business, mnemonic="abandon") == "refused"
    assert house.all() == before
    _, _, made = house.ends("CREATE_WALLET", **business, mnemonic=WORDS)
    other = identifier("W", {"actor_id": ADA.id, "wallet_type": "business"})
    assert made == {"wallet_id": other, "address": ADDRESS}
    assert house.values("WALLETS")[other]["wallet_config"] == config
    assert house.values("WALLET_KEYS") == {other: {"address": ADDRESS}}
    before = house.all()
    assert house.ends("CREATE_WALLET", **wallet(BOB, mnemonic=WORDS)) == ("address_taken", "REJECTED", {})
    assert house.ends("CREATE_WALLET", **business, mnemonic=OTHER_WORDS) == ("conflict", "REJECTED", {})
    assert house.exit("CREATE_WALLET", **business, mnemonic=WORDS) == "exists"
    assert house.all() == before
    # bound later: no new event
    house.run("CREATE_WALLET", **wallet(BOB))
    told = house.told("WALLET_EVENTS")
    ended, _, bound = house.ends("CREATE_WALLET", **wallet(BOB, mnemonic=OTHER_WORDS))
    assert ended == "exists" and bound is not None and bound["wallet_id"] == BOB.wallet
    assert house.values("WALLET_KEYS")[BOB.wallet] == {"address": bound["address"]}
    assert house.told("WALLET_EVENTS") == told


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return a data root where Ada has a wallet without a key, and Bob one whose key is that of `OTHER_WORDS`."""
    found = House(tmp_path_factory.mktemp("sender") / "data")
    found.with_wallets(ADA, BOB)
    assert found.exit("CREATE_WALLET", **wallet(BOB, mnemonic=OTHER_WORDS)) == "exists"
    return found


@pytest.mark.parametrize(
    ("changed", "exit"),
    [
        ({"wallet_id": "W_0000000000000000"}, "not_admitted"),
        ({"actor_record": BOB.record}, "not_owner"),
        ({"to_address": ADDRESS.swapcase().replace("X", "x", 1)}, "refused"),
        ({"max_fee_per_gas": "999999999"}, "refused"),
        ({"value": str(2**256)}, "refused"),
        ({"value": "9" * 80}, "refused"),
        ({"max_fee_per_gas": str(2**256)}, "refused"),
        ({"max_fee_per_gas": str(2**256), "max_priority_fee_per_gas": str(2**256)}, "refused"),
        ({"gas_limit": 20999}, "refused"),
        ({"gas_limit": 0}, "refused"),
        ({"data": "0x00", "gas_limit": 21003}, "refused"),
        ({"data": "0x00fF", "gas_limit": 21019}, "refused"),
        ({"data": "0x0", "gas_limit": 99999}, "refused"),
        ({"mnemonic": "abandon"}, "refused"),
        ({"mnemonic": OTHER_WORDS}, "address_taken"),
        ({"wallet_id": BOB.wallet, "actor_record": BOB.record}, "not_owner"),
        ({"value": "01"}, "rejected"),
        ({"value": "+1"}, "rejected"),
        ({"value": "-1"}, "rejected"),
        ({"value": ""}, "rejected"),
        ({"value": 1}, "rejected"),
        ({"value": "9" * 81}, "rejected"),
        ({"max_fee_per_gas": "1e9"}, "rejected"),
        ({"to_address": "ab" * 20}, "rejected"),
        ({"to_address": SOMEWHERE + "00"}, "rejected"),
        ({"data": "00"}, "rejected"),
        ({"gas_limit": "21000"}, "rejected"),
        ({"chain_id": 0}, "rejected"),
        ({"nonce": 0}, "rejected"),
        ({"mnemonic": None}, "rejected"),
    ],
)
def test_each_refusal_of_a_transaction_writes_nothing(sender: House, changed: dict[str, Any], exit: str) -> None:
    ended, _, result = sender.ends("SUBMIT_TRANSACTION", **transaction(**changed))
    assert ended == exit
    assert set(result or ()) == {"refused": {"reason"}, "rejected": {"violations"}}.get(exit, set())
    assert sender.records("MEMPOOL") == sender.records("TRANSACTION_EVENTS") == []
    assert ADA.wallet not in sender.values("WALLET_KEYS")


def test_good_transactions_have_nonces_without_gaps(house: House) -> None:
    house.with_wallets(ADA)
    house.run("SUBMIT_TRANSACTION", **transaction(gas_limit=20999))
    wei = str(2**256 - 1)
    given = [
        {}, {}, {"value": wei, "max_fee_per_gas": wei, "max_priority_fee_per_gas": wei},
        {"value": "0", "data": "0x00Ff", "gas_limit": 21020, "chain_id": 1, "to_address": "0x" + "AB" * 20},
    ]  # fmt: skip
    hashes = set()
    for nonce, changed in enumerate(given):
        asked = transaction(**changed)
        ended, status, result = house.ends("SUBMIT_TRANSACTION", **asked)
        assert (ended, status) == ("submitted", "COMPLETED") and result is not None
        assert set(result) == {"tx_hash", "raw_transaction", "nonce", "from_address"}
        assert (result["nonce"], result["from_address"]) == (nonce, ADDRESS)
        record = house.values("MEMPOOL")[f"{ADA.wallet}/{nonce}"]
        assert record.pop("to_address").lower() == asked["to_address"].lower()
        assert record == {
            "tx_id": result["tx_hash"], "tx_type": "SIGNED", "wallet_id": ADA.wallet, "nonce": nonce,
            "from_address": ADDRESS, "value": asked["value"], "raw": result["raw_transaction"], "status": "PENDING",
        }  # fmt: skip
        keccak = Workspace(ROOT).call("std::CT_KECCAK256_V0", {"bytes": result["raw_transaction"]}).output
        assert keccak == {"hash": result["tx_hash"]}
        hashes.add(result["tx_hash"])
    assert len(hashes) == 4 and len(house.told("TRANSACTION_EVENTS", "TRANSACTION_SUBMITTED")) == 4
    # wei is not the wallets' unit; the first transaction has bound the wallet
    assert {item["balance"] for item in house.records("ACCOUNTS")} == {0}
    assert house.values("WALLET_KEYS") == {ADA.wallet: {"address": ADDRESS}}
    assert house.exit("SUBMIT_TRANSACTION", **transaction(mnemonic=OTHER_WORDS)) == "not_owner"
