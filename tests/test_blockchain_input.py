"""Whatever is handed to wallets, validators, slots and blocks is rejected with pointers or refused by name.

It never fails a run, and nothing is written but what the exit says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bad_input import (
    LONG,
    TEXTS,
    WRONG_AMOUNTS,
    WRONG_FLAGS,
    WRONG_LISTS,
    WRONG_NUMBERS,
    WRONG_OBJECTS,
    WRONG_TEXTS,
    WRONG_WEI,
    changed,
    records,
    rejected,
    spoilt,
)
from moving import ROOT, flow, operators
from omnibachi import Engine, Workspace

SHIPPED = Workspace(ROOT)


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "examples" / f"{name}.json").read_text("utf-8"))
    return found


WHO: dict[str, list[Any]] = {
    "/actor_record": WRONG_OBJECTS,
    "/actor_record/first_name": [*WRONG_TEXTS, "", "n" * 101, LONG],
    "/actor_record/last_name": [*WRONG_TEXTS, "", "n" * 101, LONG],
    "/actor_record/email_registration": [*WRONG_TEXTS, "", "nobody", "a@", "@b", "a b@example.org", LONG],
    "/actor_record/currency_preference": WRONG_TEXTS,
    "/actor_record/language": WRONG_TEXTS,
}
BLOCK: dict[str, list[Any]] = {
    "": WRONG_OBJECTS,
    "/predecessor_hash": [*WRONG_TEXTS, "0" * 129, LONG],
    "/height": [*WRONG_NUMBERS, 2**53 - 1],
    "/transactions": WRONG_LISTS,
    "/transactions/0": WRONG_OBJECTS,
    "/transactions/0/tx_type": [*WRONG_TEXTS, "", "mint", "SIGNED", LONG],
    "/transactions/0/amount": WRONG_AMOUNTS,
    "/transactions/0/from_wallet": [*WRONG_TEXTS[1:], "", "w" * 201, LONG],
    "/transactions/0/to_wallet": [*WRONG_TEXTS[1:], "", "w" * 201, LONG],
}
STEP = "/tx_sequence/0"
# Of each workflow: its payload, what does not fit by pointer, and which of these may be left out.
CASES: dict[str, tuple[dict[str, Any], dict[str, list[Any]], set[str]]] = {
    "CREATE_WALLET": (
        {**example("blockchain/create_wallet"), "wallet_config": {"name": "n"}, "mnemonic": "m"},
        {
            **WHO,
            "/actor_id": WRONG_TEXTS,
            "/wallet_type": [*WRONG_TEXTS, "", "STANDARD", LONG],
            "/wallet_config": WRONG_OBJECTS,
            "/wallet_config/name": WRONG_TEXTS,
            "/wallet_config/currency": WRONG_TEXTS,
            "/wallet_config/metadata": WRONG_OBJECTS,
            "/mnemonic": WRONG_TEXTS,
        },
        {"/wallet_type", "/wallet_config", "/wallet_config/name", "/wallet_config/currency", "/wallet_config/metadata",
         "/mnemonic", "/actor_record/currency_preference", "/actor_record/language"},
    ),
    "SUBMIT_TRANSACTION": (
        example("blockchain/submit_transaction"),
        {
            **WHO,
            "/wallet_id": WRONG_TEXTS,
            "/to_address": [*WRONG_TEXTS, *TEXTS, "0x" + "0" * 39, "0x" + "0" * 41, "0X" + "0" * 40, "0x" + "g" * 40],
            "/value": WRONG_WEI,
            "/max_fee_per_gas": WRONG_WEI,
            "/max_priority_fee_per_gas": WRONG_WEI,
            "/gas_limit": WRONG_NUMBERS,
            "/data": [*WRONG_TEXTS, "", "00", "0X00", "0xg0", "0x00 ", "0x" + "0" * 131_073],
            "/chain_id": [*WRONG_NUMBERS, 0],
            "/mnemonic": WRONG_TEXTS,
        },
        {"/max_fee_per_gas", "/max_priority_fee_per_gas", "/gas_limit", "/data", "/chain_id",
         "/actor_record/currency_preference", "/actor_record/language"},
    ),
    "REGISTER_VALIDATOR": (
        example("blockchain/register_validator"),
        {
            f"/validator_record{pointer}": values
            for pointer, values in {
                "": WRONG_OBJECTS,
                "/actor_id": WRONG_TEXTS,
                "/pubkey": [*WRONG_TEXTS, *TEXTS, "0x" + "A" * 96, "0x" + "a" * 95, "0x" + "a" * 97, "a" * 98],
                "/withdrawal_credentials": [*WRONG_TEXTS, *TEXTS, "0x" + "a" * 63, "0x" + "F" * 64],
                "/status": [*WRONG_TEXTS, *TEXTS, "active_ongoing"],
                "/effective_balance": [*WRONG_NUMBERS, 31_999_999_999],
                "/activation_epoch": WRONG_NUMBERS,
                "/exit_epoch": WRONG_NUMBERS[1:],
                "/slashed": WRONG_FLAGS,
                "/balance": WRONG_NUMBERS,
                "/activation_eligibility_epoch": WRONG_NUMBERS,
                "/withdrawable_epoch": WRONG_NUMBERS,
            }.items()
        },
        {f"/validator_record/{name}"
         for name in ("slashed", "balance", "activation_eligibility_epoch", "withdrawable_epoch")},
    ),
    "PROPOSE_BLOCK": (
        example("blockchain/propose_block"),
        {
            "/slot": WRONG_NUMBERS,
            "/epoch": WRONG_NUMBERS,
            "/round_number": WRONG_NUMBERS,
            "/timestamp": [*WRONG_TEXTS, *TEXTS, "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T24:00:00Z"],
            "/triggered_by": WRONG_TEXTS,
        },
        set(),
    ),
    "PROCESS_SLOT": (
        example("blockchain/process_slot"),
        {
            "/simulation_id": [*WRONG_TEXTS, "", "s" * 129, LONG],
            "/slot_number": [*WRONG_NUMBERS, 300239975158034, 2**53 - 1],
            "/triggered_by": WRONG_TEXTS,
        },
        set(),
    ),
    "RUN_CHAIN_SIMULATION": (
        example("blockchain/run_chain_simulation"),
        {
            "/simulation_id": [*WRONG_TEXTS, "", "s" * 129, LONG],
            "/slot_duration_seconds": [*WRONG_NUMBERS, 0, 3601],
            "/max_slots": [*WRONG_NUMBERS, 0, 65],
            "/tx_interval_seconds": [*WRONG_NUMBERS, 3601],
            "/max_transactions": [*WRONG_NUMBERS, 257],
            "/tx_sequence": [*WRONG_LISTS, [{"tx_type": "POOL"}] * 257],
            "/triggered_by": WRONG_TEXTS,
            STEP: WRONG_OBJECTS,
            f"{STEP}/tx_type": [*WRONG_TEXTS, "", "mint", "SIGNED"],
            f"{STEP}/amount": WRONG_AMOUNTS,
            f"{STEP}/from_wallet_id": WRONG_TEXTS,
            f"{STEP}/to_wallet_id": WRONG_TEXTS,
            f"{STEP}/actor_record": WRONG_OBJECTS,
            f"{STEP}/to_address": WRONG_TEXTS,
            f"{STEP}/validator_index": WRONG_NUMBERS,
            f"{STEP}/block_hash": [*WRONG_TEXTS, *TEXTS, "0x" + "A" * 64],
            f"{STEP}/request_id": [*WRONG_TEXTS, "", "r" * 129],
            f"{STEP}/memo": WRONG_TEXTS,
            f"{STEP}/gas_limit": WRONG_NUMBERS,
            f"{STEP}/max_fee_per_gas": WRONG_WEI,
            f"{STEP}/max_priority_fee_per_gas": WRONG_WEI,
            f"{STEP}/triggered_by": WRONG_TEXTS,
        },
        {f"{STEP}/{name}" for name in (
            "amount", "from_wallet_id", "to_wallet_id", "actor_record", "to_address", "validator_index", "block_hash",
            "request_id", "memo", "gas_limit", "max_fee_per_gas", "max_priority_fee_per_gas", "triggered_by")},
    ),
    "BOOTSTRAP_GENESIS_CHAIN": (
        example("blockchain/bootstrap_genesis_chain"),
        {f"/genesis_block_content{pointer}": values for pointer, values in BLOCK.items()},
        set(),
    ),
    "COMMIT_BLOCK": (
        example("blockchain/commit_block"),
        {f"/proposed_block{pointer}": values for pointer, values in BLOCK.items()},
        set(),
    ),
}  # fmt: skip
# An item of a list may be left out, and members of metadata are anybody's.
ITEMS = ("/transactions/0", STEP)


@pytest.fixture
def engine(tmp_path: Any) -> Iterator[Engine]:
    with SHIPPED.engine(str(tmp_path / "data")) as opened:
        operators(SHIPPED, str(tmp_path / "data"))
        for name, payload in (("REGISTER_ACTOR_UNVERIFIED", "register_actor"), ("VERIFY_ACTOR", "verify_actor")):
            assert opened.run(flow(name), example(payload)).status == "COMPLETED"
        assert opened.run(flow("CREATE_WALLET"), example("blockchain/create_wallet")).exit == "created"
        yield opened


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_fit_is_rejected_where_it_stands(engine: Engine, name: str) -> None:
    payload, wrong, optional = CASES[name]
    before = records(engine)
    count = 0
    for pointer, changed_payload in spoilt(payload, wrong, optional | {p for p in wrong if p.endswith(ITEMS)}):
        rejected(engine.run(flow(name), changed_payload), pointer)
        count += 1
    assert count > 30 and records(engine) == before


def ends(engine: Engine, name: str, payload: dict[str, Any], pointer: str, texts: list[Any]) -> set[str]:
    """Return where runs end with these texts at a pointer; none fails, and each has an end."""
    results = [engine.run(flow(name), changed(payload, pointer, text)) for text in texts]
    assert all(result.exit and result.status != "FAILED" and not result.diagnostics for result in results)
    return {str(result.exit) for result in results}


def test_any_text_that_names_somebody_is_nobody(engine: Engine) -> None:
    before = records(engine)
    for name, pointer, end in (
        ("CREATE_WALLET", "/actor_id", "identity_mismatch"),
        ("CREATE_WALLET", "/mnemonic", "refused"),
        ("SUBMIT_TRANSACTION", "/wallet_id", "not_admitted"),
        ("SUBMIT_TRANSACTION", "/mnemonic", "refused"),
        ("REGISTER_VALIDATOR", "/validator_record/actor_id", "not_admitted"),
        ("PROPOSE_BLOCK", "/triggered_by", "not_operator"),
        ("PROCESS_SLOT", "/triggered_by", "not_operator"),
        ("RUN_CHAIN_SIMULATION", "/triggered_by", "not_operator"),
    ):
        assert ends(engine, name, CASES[name][0], pointer, TEXTS) == {end}, (name, pointer)
    assert records(engine) == before


def test_numbers_that_are_too_large_are_refused(engine: Engine) -> None:
    payload = CASES["SUBMIT_TRANSACTION"][0]
    before = records(engine)
    for pointer in ("/value", "/max_fee_per_gas", "/max_priority_fee_per_gas"):
        assert ends(engine, "SUBMIT_TRANSACTION", payload, pointer, [str(2**256), "9" * 80]) == {"refused"}
    assert ends(engine, "SUBMIT_TRANSACTION", payload, "/data", ["0x0", "0x" + "00" * 65_536]) == {"refused"}
    assert ends(engine, "SUBMIT_TRANSACTION", payload, "/gas_limit", [0, 20_999]) == {"refused"}
    assert ends(engine, "PROCESS_SLOT", CASES["PROCESS_SLOT"][0], "/slot_number", [300239975158033]) == {"refused"}
    assert ends(engine, "PROPOSE_BLOCK", CASES["PROPOSE_BLOCK"][0], "/slot", [2**53 - 1]) == {"refused"}
    assert records(engine) == before


def test_the_largest_numbers_are_taken(engine: Engine) -> None:
    payload = {
        **CASES["SUBMIT_TRANSACTION"][0],
        "gas_limit": 2**53 - 1,
        "chain_id": 2**53 - 1,
        "value": str(2**256 - 1),
    }
    large = {**payload, "max_fee_per_gas": str(2**256 - 1), "max_priority_fee_per_gas": str(2**256 - 1)}
    assert engine.run(flow("SUBMIT_TRANSACTION"), {**large, "data": "0x" + "ff" * 65_536}).exit == "submitted"
    slot = {"slot": 2**53 - 1, "epoch": (2**53 - 1) // 32, "round_number": 2**53 - 1}
    proposal = {**CASES["PROPOSE_BLOCK"][0], **slot}
    assert engine.run(flow("PROPOSE_BLOCK"), proposal).exit == "no_validators"
    validator = {**CASES["REGISTER_VALIDATOR"][0]["validator_record"], "effective_balance": 2**53 - 1}
    assert engine.run(flow("REGISTER_VALIDATOR"), {"validator_record": validator}).exit == "registered"
    assert engine.run(flow("PROPOSE_BLOCK"), proposal).exit == "proposed"


def test_any_name_of_a_wallet_or_a_simulation_is_taken(engine: Engine) -> None:
    """On the chain an account is whatever received something; a simulation is called as somebody likes."""
    texts = [text for text in TEXTS if 0 < len(text) <= 128]
    genesis, block = CASES["BOOTSTRAP_GENESIS_CHAIN"][0], CASES["COMMIT_BLOCK"][0]
    assert engine.run(flow("COMMIT_BLOCK"), block).exit == "not_admitted"
    assert engine.run(flow("BOOTSTRAP_GENESIS_CHAIN"), genesis).exit == "bootstrapped"
    for pointer, end in (("/from_wallet", "insufficient_funds"), ("/to_wallet", "committed")):
        said = ends(engine, "COMMIT_BLOCK", block, f"/proposed_block/transactions/0{pointer}", texts[:1])
        assert said == {end}
    assert ends(engine, "COMMIT_BLOCK", block, "/proposed_block/predecessor_hash", TEXTS[3:]) == {"wrong_predecessor"}
    assert engine.run(flow("REGISTER_VALIDATOR"), CASES["REGISTER_VALIDATOR"][0]).exit == "registered"
    slot = CASES["PROCESS_SLOT"][0]
    assert ends(engine, "PROCESS_SLOT", slot, "/simulation_id", texts) == {"skipped"}
    simulation = CASES["RUN_CHAIN_SIMULATION"][0]
    assert ends(engine, "RUN_CHAIN_SIMULATION", simulation, "/simulation_id", texts[:2]) == {"simulated"}
