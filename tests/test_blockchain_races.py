"""Real processes at once in the shipped `blockchain`: every law holds at every moment, and every run ends as specified.

Each process dawdles before some of its transactions, so that the others come between; a watcher looks all the while.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from children import children
from moving import ACCOUNTS, EVENTS, GENESIS, MEMPOOL, ROOT, Actor, operators, ran, settle
from omnibachi import Workspace
from omnibachi_ledger import open_root
from omnibachi_ledger.addresses import is_address
from performing import everywhere, root
from racing import (
    ADDRESSES,
    BLOCKS,
    CHAIN,
    CHAIN_ACCOUNTS,
    CONSENSUS,
    HEAD,
    IDENTITY,
    PEOPLE,
    VALIDATORS,
    VERIFICATIONS,
    WALLET_EVENTS,
    WALLET_KEYS,
    WALLETS,
    hold,
    records,
    told_of,
    validator,
)  # fmt: skip

__all__ = ["root"]
SHIPPED = Workspace(ROOT)
ANNA, BERT = PEOPLE[:2]
MOVED = {"transferred", "staked", "unstaked", "minted", "burned", "rewarded"}


def raced(root: str, place: Path, *calls: tuple[Any, ...]) -> list[Any]:
    """Run children at once beside a watcher; return what they said, when the watcher found nothing amiss."""
    stop = place / "stop"
    with children(*calls, ("racing:watch", root, str(stop))) as started:
        said = [child.said() for child in started[:-1]]
        stop.touch()
        assert started[-1].said() > 1
    return said


def played(root: str, place: Path, calls: dict[str, list[tuple[str, dict[str, Any]]]]) -> list[Any]:
    """Run the calls of each side in a process of its own, turn by turn at the same moment; return how they ended."""
    turns = range(max(map(len, calls.values())))
    companies = [sum(len(given) > turn for given in calls.values()) for turn in turns]
    sides = (("racing:play", root, side, given, str(place), companies) for side, given in calls.items())
    return raced(root, place, *sides)


def settled(root: str, *actors: Actor) -> None:
    operators(SHIPPED, root)
    with SHIPPED.engine(root) as engine:
        settle(engine, *actors)


def verified(root: str, *actors: Actor) -> None:
    with SHIPPED.engine(root) as engine:
        for actor in actors:
            ran(engine, "REGISTER_ACTOR_UNVERIFIED", "registered", actor_record=actor.record)
            ran(
                engine, "VERIFY_ACTOR", "verified", actor_record=actor.record, actor_id=actor.id, verifier_id="V_1",
                decision="VERIFIED",
            )  # fmt: skip


def words(number: int) -> str:
    made = SHIPPED.call("std::CT_ENTROPY_TO_MNEMONIC_V0", {"entropy": f"{number:032x}"})
    return str(made.output["mnemonic"])


def seen(root: str, store: str) -> list[dict[str, Any]]:
    with open_root(root) as ledger:
        return records(ledger, store)


def told(root: str, store: str) -> Counter[tuple[Any, ...]]:
    with open_root(root) as ledger:
        return told_of(ledger, store)


def ends(said: list[Any]) -> Counter[str]:
    return Counter(end for side in said for end, *_ in side)


@everywhere
def test_value_that_goes_to_and_fro_is_neither_made_nor_lost(root: str, tmp_path: Path) -> None:
    settled(root, ANNA, BERT)
    turns = 12 if is_address(root) else 40
    said = raced(root, tmp_path, *(("racing:shuttle", root, side, turns) for side in "ABC"))
    runs = [tuple(run) for side in said for run in side]
    refused = {"insufficient_funds", "insufficient_stake", "insufficient_pool", "duplicate", "conflict"}
    assert {end for _, _, end in runs} <= MOVED | refused, Counter(runs)
    done = [(name, request) for name, request, end in runs if end in MOVED]
    # A request is done once, whichever process was first, and everybody else hears of it.
    requests = Counter(item for item in done if item[1])
    assert set(requests.values()) <= {1}
    assert all((name, request) in requests for name, request, end in runs if end == "duplicate")
    moved: Counter[str] = Counter()
    for item in seen(root, EVENTS):
        if str(item["event"]).endswith("EV_VALUE_MOVED_V0"):
            moved[item["record"]["from"]] -= item["record"]["amount"]
            moved[item["record"]["to"]] += item["record"]["amount"]
    balances = {item["account"]: item["balance"] for item in seen(root, ACCOUNTS)}
    assert balances == {account: moved[account] for account in balances}
    assert len(told(root, EVENTS)) == len(done) == len(seen(root, MEMPOOL))


@everywhere
def test_the_nonces_of_one_wallet_have_no_gap(root: str, tmp_path: Path) -> None:
    settled(root, ANNA)
    asked = {
        "actor_record": ANNA.record, "wallet_id": ANNA.wallet, "value": "1", "mnemonic": words(1),
        "to_address": "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F",
    }  # fmt: skip
    other = {**asked, "mnemonic": words(2)}
    turns = 4 if is_address(root) else 8
    calls = {
        "A": [("SUBMIT_TRANSACTION", asked)] * turns,
        "B": [("SUBMIT_TRANSACTION", asked)] * turns,
        "C": [("SUBMIT_TRANSACTION", other)] * (turns // 2),
    }
    said = played(root, tmp_path, calls)
    assert set(ends(said)) <= {"submitted", "busy", "not_owner"}
    nonces = [result["nonce"] for side in said for end, result in side if end == "submitted"]
    assert sorted(nonces) == list(range(len(nonces))) and len(nonces) >= turns // 2
    assert len({result["tx_hash"] for side in said for end, result in side if end == "submitted"}) == len(nonces)
    assert len({result["from_address"] for side in said for end, result in side if end == "submitted"}) == 1
    assert len(told(root, EVENTS)) == len(nonces) == len(seen(root, MEMPOOL))


@everywhere
def test_a_slot_has_one_block_and_a_transaction_one_place(root: str, tmp_path: Path) -> None:
    settled(root, ANNA)
    with SHIPPED.engine(root) as engine:
        ran(engine, "REGISTER_VALIDATOR", "registered", validator_record=validator(ANNA, 1))
    slots = 4 if is_address(root) else 10
    mint = ("MINT", {"to_wallet_id": ANNA.wallet, "amount": 1, "triggered_by": GENESIS})
    calls = {
        "A": [proposal(slot) for slot in range(slots)],
        "B": [proposal(slot) for slot in range(slots)],
        "C": [proposal(slot ^ 1) for slot in range(slots)],  # the neighbours of those
        "D": [mint] * (slots * 3),
    }
    said = played(root, tmp_path, calls)
    assert ends(said[3:]) == {"minted": slots * 3}
    assert set(ends(said[:3])) <= {"proposed", "skipped", "slot_taken"}
    blocks = [item["value"] for item in seen(root, BLOCKS)]
    assert ends(said[:3])["proposed"] == len(blocks) == len(told(root, CONSENSUS)) - 1
    # Who asks again for a slot gives back what was left claimed for it: nothing is claimed and in no block.
    with SHIPPED.engine(root) as engine:
        for block in blocks:
            name, payload = proposal(block["slot"])
            ran(engine, name, "slot_taken", **payload)
    held = {transaction: block["slot"] for block in blocks for transaction in block["transactions"]}
    waiting = {item["value"]["tx_id"]: item["value"].get("slot") for item in seen(root, MEMPOOL)}
    assert {transaction: slot for transaction, slot in waiting.items() if slot is not None} == held


def proposal(slot: int) -> tuple[str, dict[str, Any]]:
    """Return what asks for the block of a slot."""
    at = {"slot": slot, "epoch": slot // 32, "round_number": slot, "timestamp": "2026-01-01T00:00:00Z"}
    return "PROPOSE_BLOCK", {**at, "triggered_by": GENESIS}


@everywhere
def test_validators_are_numbered_without_gaps(root: str, tmp_path: Path) -> None:
    verified(root, *PEOPLE)
    right = [("REGISTER_VALIDATOR", {"validator_record": validator(actor, n)}) for n, actor in enumerate(PEOPLE)]
    # with the public key of the neighbour
    wrong = [("REGISTER_VALIDATOR", {"validator_record": validator(actor, n ^ 1)}) for n, actor in enumerate(PEOPLE)]
    calls = {"A": right, "B": right, "C": wrong[::-1]}
    said = played(root, tmp_path, calls)
    assert set(ends(said)) <= {"registered", "exists", "conflict"}
    kept = seen(root, VALIDATORS)
    assert ends(said)["registered"] == len(kept) == len(told(root, CONSENSUS))
    numbers = {item["key"]: item["value"]["validator_index"] for item in kept}
    stands = [item["value"]["validator_record"] for item in kept]
    for side, given in zip(said, calls.values(), strict=True):
        for (_, payload), (end, result) in zip(given, side, strict=True):
            asked = payload["validator_record"]
            assert (end != "conflict") == (asked in stands), (end, asked)
            assert end == "conflict" or result["validator_index"] == numbers[asked["actor_id"]]
    if len(kept) == len(PEOPLE):
        return
    # Two who took each other's key at once have none of them: each is told so.
    with SHIPPED.engine(root) as engine:
        for actor, call in zip(PEOPLE, right, strict=True):
            if actor.id not in numbers:
                ran(engine, call[0], "conflict", **call[1])


def test_an_actor_is_verified_once(root: str, tmp_path: Path) -> None:
    with SHIPPED.engine(root) as engine:
        for actor in PEOPLE:
            ran(engine, "REGISTER_ACTOR_UNVERIFIED", "registered", actor_record=actor.record)

    def decided(actor: Actor, decision: str) -> tuple[str, dict[str, Any]]:
        who = {"actor_record": actor.record, "actor_id": actor.id, "verifier_id": "V_1"}
        return "VERIFY_ACTOR", {**who, "decision": decision}

    yes, no = ([decided(actor, decision) for actor in PEOPLE] for decision in ("VERIFIED", "REJECTED"))
    calls = {"A": yes, "B": yes, "C": yes[:6] + no[6:]}
    said = played(root, tmp_path, calls)
    assert set(ends(said)) <= {"verified", "already_decided", "actor_rejected", "conflict"}
    stands = {item["key"]: item["value"]["decision"] for item in seen(root, VERIFICATIONS)}
    wanted = {(f"EV_ACTOR_{decision}_V0", actor): 1 for actor, decision in stands.items()}
    assert told(root, IDENTITY) == wanted
    assert ends(said)["verified"] == sum(decision == "VERIFIED" for decision in stands.values())


def test_a_wallet_has_one_address_and_an_address_one_wallet(root: str, tmp_path: Path) -> None:
    people = PEOPLE[:3]
    verified(root, *people)
    mine = [words(number) for number in range(4)]

    def wallet(actor: Actor, type: str, key: str | None) -> tuple[str, dict[str, Any]]:
        more = {} if key is None else {"mnemonic": key}
        return "CREATE_WALLET", {"actor_record": actor.record, "actor_id": actor.id, "wallet_type": type, **more}

    types = ["standard", "private", "business", "staking"]
    same = [wallet(people[0], type, None) for type in types]
    # everybody binds the same four addresses, each to another wallet; and two wallets of one to each of two addresses
    calls = {
        "A": [*same, *(wallet(people[1], type, key) for type, key in zip(types, mine, strict=True))],
        "B": [*same, *(wallet(people[1], type, key) for type, key in zip(types, mine[::-1], strict=True))],
        "C": [*same, *(wallet(people[2], type, key) for type, key in zip(types, mine, strict=True))],
    }
    said = played(root, tmp_path, calls)
    assert set(ends(said)) <= {"created", "exists", "address_taken", "conflict"}
    kept = {item["key"] for item in seen(root, WALLETS)}
    assert ends(said)["created"] == len(kept) == len(told(root, WALLET_EVENTS))
    assert {item["account"] for item in seen(root, ACCOUNTS)} == {
        "SUPPLY", "POOL", *(f"{wallet}{more}" for wallet in kept for more in ("", "#stake")),
    }  # fmt: skip
    bound = {item["key"]: item["value"]["address"] for item in seen(root, WALLET_KEYS)}
    assert len(set(bound.values())) == len(bound) and set(bound) <= kept
    assert set(bound.values()) <= {item["key"] for item in seen(root, ADDRESSES)}
    answered = {(r["wallet_id"], r["address"]) for side in said for _, r in side if r and r.get("address")}
    assert answered <= set(bound.items())


def test_a_simulation_is_played_once_beside_others(root: str, tmp_path: Path) -> None:
    settled(root, ANNA, BERT)
    with SHIPPED.engine(root) as engine:
        ran(engine, "REGISTER_VALIDATOR", "registered", validator_record=validator(ANNA, 1))
        ran(engine, "MINT", "minted", to_wallet_id=ANNA.wallet, amount=1000, triggered_by=GENESIS)
    send = {"tx_type": "TRANSFER", "actor_record": ANNA.record, "from_wallet_id": ANNA.wallet, "amount": 5}
    asked = {
        "simulation_id": "S1", "slot_duration_seconds": 2, "max_slots": 6, "tx_interval_seconds": 1,
        "max_transactions": 8, "tx_sequence": [{**send, "to_address": BERT.wallet}] * 8, "triggered_by": GENESIS,
    }  # fmt: skip
    other = {**asked, "simulation_id": "S2"}
    name = "RUN_CHAIN_SIMULATION"
    slots = [("PROCESS_SLOT", {"simulation_id": "S3", "slot_number": n, "triggered_by": GENESIS}) for n in range(1, 7)]
    calls = {
        "A": [(name, asked), (name, other)], "B": [(name, asked), (name, {**asked, "max_slots": 7})],
        "C": [(name, other), *slots], "D": slots,
    }  # fmt: skip
    said = played(root, tmp_path, calls)
    results = [result for side in said for end, result in side if end == "simulated"]
    assert len(results) == 2 and ends(said)["exists"] == 2 and ends(said)["conflict"] == 1
    assert all((result["transactions_accepted"], result["transactions_refused"]) == (8, 0) for result in results)
    known = {"simulated", "exists", "conflict", "processed", "skipped", "slot_passed", "slot_taken"}
    assert set(ends(said)) <= known
    blocks = seen(root, BLOCKS)
    assert sum(result["blocks"] for result in results) + ends(said)["processed"] == len(blocks)
    balances = {item["account"]: item["balance"] for item in seen(root, ACCOUNTS)}
    assert balances[BERT.wallet] == 80


def test_a_chain_has_one_block_at_each_height(root: str, tmp_path: Path) -> None:
    turns = 25
    said = raced(root, tmp_path, *(("racing:link_blocks", root, side, turns) for side in "ABC"))
    found = Counter(end for side in said for end in side)
    assert set(found) <= {
        "bootstrapped", "committed", "exists", "wrong_predecessor", "wrong_height", "insufficient_funds",
    }  # fmt: skip
    told_blocks = [item["record"] for item in seen(root, CHAIN)]
    assert found["bootstrapped"] == 1 and found["committed"] == len(told_blocks) - 1
    ordered = sorted(told_blocks, key=lambda record: record["height"])
    assert [record["height"] for record in ordered] == list(range(len(ordered)))
    for before, after in pairwise(ordered):
        assert after["block"]["predecessor_hash"] == before["hash"]
    (head,) = seen(root, HEAD)
    assert head["value"] == {"hash": ordered[-1]["hash"], "height": ordered[-1]["height"]}
    balances = {"SUPPLY": -100, "W_1": 100}
    for record in ordered[1:]:
        (moved,) = record["block"]["transactions"]
        balances[moved["from_wallet"]] -= moved["amount"]
        balances[moved["to_wallet"]] = balances.get(moved["to_wallet"], 0) + moved["amount"]
    assert {item["account"]: item["balance"] for item in seen(root, CHAIN_ACCOUNTS)} == balances


def test_the_watcher_sees_what_breaks_a_law(root: str) -> None:
    """Whatever this file trusts the watcher to find, it finds."""
    settled(root, ANNA)
    with SHIPPED.engine(root) as engine:
        ran(engine, "REGISTER_VALIDATOR", "registered", validator_record=validator(ANNA, 1))
        ran(engine, "MINT", "minted", to_wallet_id=ANNA.wallet, amount=10, triggered_by=GENESIS)
        ran(engine, *proposal(1)[:1], "proposed", **proposal(1)[1])
    hold_on(root)
    block: Any = seen(root, BLOCKS)[0]["value"]
    moved = seen(root, EVENTS)[0]
    place = seen(root, VALIDATORS)[0]["value"]
    waiting = seen(root, MEMPOOL)[0]["value"]
    signed = {"tx_id": "T", "tx_type": "SIGNED", "wallet_id": "W", "nonce": 1, "status": "PENDING"}
    breaks: list[tuple[str, str, dict[str, Any], str | None]] = [
        ("CS_REGISTRY_V0.REGISTER", BLOCKS, {"key": "2", "value": {**block, "slot": 2}}, None),
        ("CS_RECORDS_V0.CREATE", VALIDATORS, {"key": "AC_2", "value": {**place, "validator_index": 2}}, None),
        ("CS_RECORDS_V0.CREATE", MEMPOOL, {"key": "W/1", "value": signed}, None),
        ("CS_RECORDS_V0.PUT", MEMPOOL, {"key": waiting["tx_id"], "value": {**waiting, "slot": 3}}, None),
        ("CS_EVENTS_V0.APPEND", EVENTS, {"record": moved["record"]}, moved["event"]),
    ]
    for number, (capability, store, inputs, event) in enumerate(breaks):
        copy = f"{root}-{number}"
        shutil.copytree(root, copy)
        assert SHIPPED.call(f"std::{capability}", inputs, store=store, event=event, data_root=copy).outcome == "SUCCESS"
        with pytest.raises(AssertionError):
            hold_on(copy)
    with sqlite3.connect(f"{root}/store.db") as db:
        db.execute("UPDATE records SET value='{\"balance\":11}' WHERE store=? AND key=?", (ACCOUNTS, ANNA.wallet))
    db.close()
    with pytest.raises(AssertionError):
        hold_on(root)


def hold_on(root: str) -> None:
    with open_root(root) as ledger:
        hold(ledger)
