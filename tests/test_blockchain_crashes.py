"""Every workflow of `blockchain` may be killed: resumed it leaves what an undisturbed run leaves, and not resumed it
locks nobody out: the same request again, as another run, completes what is missing.

A run is killed after each of its commits, or of many after a sample, and at some edges between them, drawn by the name
of the workflow. Those whose payload holds words are killed in test_wallet_secrets.py, those of identity in
test_crash_matrix.py.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from crash_cases import ID, RESUME, Case, case, fresh_place, warmed_trial
from crashing import in_child
from moving import ACCOUNTS, EVENTS, GENESIS, MEMPOOL, ROOT, Actor, flow, operators, ran, settle
from omnibachi import Workspace
from omnibachi_ledger import open_root
from racing import (
    BLOCKS,
    CHAIN,
    CHAIN_ACCOUNTS,
    CLOCKS,
    CONSENSUS,
    HEAD,
    VALIDATOR_KEYS,
    VALIDATORS,
    WALLET_EVENTS,
    WALLETS,
    hold,
    records,
    validator,
)

place = fresh_place
trial = warmed_trial
SHIPPED = Workspace(ROOT)
ANNA, BERT, CARL = Actor("Anna"), Actor("Bert"), Actor("Carl")
KEPT = (
    ACCOUNTS, MEMPOOL, EVENTS, WALLETS, WALLET_EVENTS, VALIDATORS, VALIDATOR_KEYS, BLOCKS, CLOCKS, CONSENSUS, CHAIN,
    CHAIN_ACCOUNTS, HEAD,
)  # fmt: skip
COMMITS, BETWEEN = 6, 2
MINE, OPERATOR = {"actor_record": ANNA.record}, {"triggered_by": GENESIS}


def block(height: int, predecessor: str, kind: str, *between: str | None) -> dict[str, Any]:
    """Return a block of one transaction."""
    moved = {"tx_type": kind, "amount": 5, "from_wallet": between[0], "to_wallet": between[1]}
    return {"predecessor_hash": predecessor, "height": height, "transactions": [moved]}


FIRST = block(0, "0" * 64, "MINT", None, "W_1")
HASH = SHIPPED.call("std::CT_DIGEST_V0", {"data": FIRST, "algorithm": "keccak256"}).output["hash"]
STEPS = [
    {"tx_type": "TRANSFER", **MINE, "from_wallet_id": ANNA.wallet, "to_address": BERT.wallet, "amount": 3},
    {"tx_type": "BURN", "from_wallet_id": BERT.wallet, "amount": 100_000},
]
PLAYED = {
    "simulation_id": "S1", "slot_duration_seconds": 1, "max_slots": 2, "tx_interval_seconds": 1,
    "max_transactions": 2, "tx_sequence": STEPS, **OPERATOR,
}  # fmt: skip
SLOT = {"slot": 7, "epoch": 0, "round_number": 7, "timestamp": "2026-01-01T00:00:00Z", **OPERATOR}
# Of each workflow: a payload, how it ends, and how a repeat may end; it leaves the same, where nothing else is said.
CASES: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "CREATE_WALLET": ({"actor_record": CARL.record, "actor_id": CARL.id}, "created", {"created", "exists"}),
    "MINT": ({"to_wallet_id": ANNA.wallet, "amount": 7, "request_id": "R", **OPERATOR}, "minted",
             {"minted", "duplicate"}),
    "BURN": ({"from_wallet_id": ANNA.wallet, "amount": 7, "request_id": "R", **OPERATOR}, "burned",
             {"burned", "duplicate"}),
    "TRANSFER": ({**MINE, "from_wallet_id": ANNA.wallet, "to_address": BERT.wallet, "amount": 7, "request_id": "R"},
                 "transferred", {"transferred", "duplicate"}),
    "STAKE": ({**MINE, "from_wallet_id": ANNA.wallet, "amount": 80, "request_id": "R"}, "staked",
              {"staked", "duplicate"}),
    "UNSTAKE": ({**MINE, "to_wallet_id": ANNA.wallet, "validator_index": 0, "amount": 20, "request_id": "R"},
                "unstaked", {"unstaked", "duplicate"}),
    "POOL": ({"amount": 7, "request_id": "R", **OPERATOR}, "pooled", {"pooled", "duplicate"}),
    "REWARD": ({"to_wallet_id": BERT.wallet, "block_hash": f"0x{7:064x}", "amount": 7, **OPERATOR}, "rewarded",
               {"rewarded", "duplicate"}),
    "SLASH": ({"from_wallet_id": ANNA.wallet, "validator_index": 0, "amount": 20, "request_id": "R", **OPERATOR},
              "slashed", {"slashed", "duplicate"}),
    "REGISTER_VALIDATOR": ({"validator_record": validator(BERT, 2)}, "registered", {"registered", "exists"}),
    "PROPOSE_BLOCK": (SLOT, "proposed", {"proposed", "slot_taken"}),
    "PROCESS_SLOT": ({"simulation_id": "S0", "slot_number": 7, **OPERATOR}, "processed",
                     {"processed", "slot_passed"}),
    "RUN_CHAIN_SIMULATION": (PLAYED, "simulated", {"simulated", "exists"}),
    "BOOTSTRAP_GENESIS_CHAIN": ({"genesis_block_content": FIRST}, "bootstrapped", {"bootstrapped", "exists"}),
    "COMMIT_BLOCK": ({"proposed_block": block(1, HASH, "TRANSFER", "W_1", "W_2")}, "committed",
                     {"committed", "exists"}),
}  # fmt: skip
ELSEWHERE = {"REGISTER_ACTOR_UNVERIFIED", "VERIFY_ACTOR", "SUBMIT_TRANSACTION"}


@pytest.fixture(scope="module")
def funded(place: Path, trial: Path) -> Path:
    """Return a folder with operators, wallets, something in each account, a validator, and one who gets a wallet."""
    folder = place / "funded"
    folder.mkdir()
    operators(SHIPPED, folder / "data")
    with SHIPPED.engine(folder / "data") as engine:
        settle(engine, ANNA, BERT)
        who = {"actor_record": CARL.record}
        ran(engine, "REGISTER_ACTOR_UNVERIFIED", "registered", **who)
        ran(engine, "VERIFY_ACTOR", "verified", **who, actor_id=CARL.id, verifier_id="V_1", decision="VERIFIED")
        ran(engine, "MINT", "minted", to_wallet_id=ANNA.wallet, amount=100, **OPERATOR)
        ran(engine, "POOL", "pooled", amount=100, **OPERATOR)
        ran(engine, "STAKE", "staked", **MINE, from_wallet_id=ANNA.wallet, amount=20)
        ran(engine, "REGISTER_VALIDATOR", "registered", validator_record=validator(ANNA, 1))
    return folder


@pytest.fixture(scope="module")
def cases(place: Path, funded: Path) -> dict[str, Case]:
    """Return the cases by name, laid when they are first asked for."""
    return {}


def laid(cases: dict[str, Case], place: Path, funded: Path, name: str) -> Case:
    """Return the case of a workflow."""
    if name not in cases:
        template = funded
        if name == "COMMIT_BLOCK":
            template = place / "chained"
            shutil.copytree(funded, template)
            with SHIPPED.engine(template / "data") as engine:
                ran(engine, "BOOTSTRAP_GENESIS_CHAIN", "bootstrapped", genesis_block_content=FIRST)
        cases[name] = case(place, name, template, flow(name), CASES[name][0])
        assert cases[name].answer["exit"] == CASES[name][1]
    return cases[name]


def edges(found: Case) -> list[int]:
    """Return the edges to die at, in their order: after commits, and some between."""
    chance = random.Random(found.workflow)
    after = [edge for edge, name in enumerate(found.edges, 1) if name == "after COMMIT"]
    between = [edge for edge in range(1, len(found.edges) + 1) if edge not in after]
    return [1, *sorted(chance.sample(after, min(COMMITS, len(after))) + chance.sample(between[1:], BETWEEN))]


def test_there_is_a_case_for_each_workflow() -> None:
    named = {name for name in SHIPPED.load().workflows if name.startswith("blockchain::")}
    assert named == {flow(name) for name in set(CASES) | ELSEWHERE}


@pytest.mark.parametrize("name", CASES)
def test_a_killed_run_is_resumed(place: Path, funded: Path, cases: dict[str, Case], name: str) -> None:
    found = laid(cases, place, funded, name)
    for edge in edges(found):
        found.survives(edge)


@pytest.mark.parametrize("name", CASES)
def test_a_repeat_completes_what_a_killed_run_left(
    place: Path, funded: Path, cases: dict[str, Case], name: str
) -> None:
    """And what was killed may be resumed after that, and does no harm."""
    found = laid(cases, place, funded, name)
    undisturbed = left(found.folder)
    said = set()
    for edge in edges(found):
        folder = found.killed(edge)
        said.add(repeated(found, folder, name))
        if name == "RUN_CHAIN_SIMULATION":
            goes_on(folder)
        else:
            assert left(folder) == undisturbed, found.edges[edge - 1]
        resumed = json.loads(in_child(RESUME, folder).out)
        assert all(run["exit"] in CASES[name][2] for run in resumed["runs"]), resumed
        with open_root(str(folder / "data")) as ledger:
            hold(ledger)
        if name != "RUN_CHAIN_SIMULATION":
            assert left(folder) == undisturbed, found.edges[edge - 1]
        shutil.rmtree(folder)
    assert said <= CASES[name][2] and CASES[name][1] in said


def repeated(found: Case, folder: Path, name: str) -> str:
    """Give the command of a case as another run; return its exit."""
    again = tuple("T2" if word == ID else word for word in found.command)
    return str(json.loads(in_child(again, folder).out)["exit"])


def goes_on(folder: Path) -> None:
    """Assert that another simulation is played: one that was cut short is finished by `resume` alone."""
    steps = [{"tx_type": "MINT", "to_wallet_id": ANNA.wallet, "amount": 1}]
    with SHIPPED.engine(folder / "data") as engine:
        ran(engine, "RUN_CHAIN_SIMULATION", "simulated", **{**PLAYED, "simulation_id": "S2", "tx_sequence": steps})


def left(folder: Path) -> Any:
    """Return what is kept, without the moments at which it was told, and without rounds that others were faster in."""
    with open_root(str(folder / "data")) as ledger:
        kept = {store: records(ledger, store) for store in KEPT}
    for found in kept.values():
        for item in found:
            item.get("record", {}).pop("at", None)
    kept[CONSENSUS] = [item for item in kept[CONSENSUS] if not item["event"].endswith("EV_ROUND_SKIPPED_V0")]
    return kept
