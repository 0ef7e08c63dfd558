"""Wallets, validators, blocks, slots, simulations and the chain: the examples, and several processes at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaining import proposal, validator
from children import together
from moving import EVENTS, GENESIS, MEMPOOL, ROOT, Actor, flow, operators, ran, settle
from omnibachi import Engine, Workspace
from omnibachi_capabilities.digest import digest
from performing import everywhere, root
from test_value_flows import EXAMPLES as MOVEMENTS

__all__ = ["root"]
FOLDER = ROOT / "examples" / "blockchain"
# In this order. A simulation of two slots of which nobody has had one.
EXAMPLES = {
    "create_wallet": ("CREATE_WALLET", "created"),
    "submit_transaction": ("SUBMIT_TRANSACTION", "submitted"),
    "register_validator": ("REGISTER_VALIDATOR", "registered"),
    "propose_block": ("PROPOSE_BLOCK", "proposed"),
    "process_slot": ("PROCESS_SLOT", "skipped"),
    "run_chain_simulation": ("RUN_CHAIN_SIMULATION", "simulated"),
    "bootstrap_genesis_chain": ("BOOTSTRAP_GENESIS_CHAIN", "bootstrapped"),
    "commit_block": ("COMMIT_BLOCK", "committed"),
}
AGAIN = {"submitted": "submitted", "proposed": "slot_taken", "skipped": "slot_passed"}
ACTORS = [Actor(name) for name in ("A", "B", "C", "D", "E", "F")]
BLOCKS, VALIDATORS, CLOCKS, CONSENSUS, CHAIN, HEAD, HOLDINGS = (
    f"blockchain::ST_{name}_V0"
    for name in ("BLOCKS", "VALIDATORS", "SLOT_CLOCK", "CONSENSUS_EVENTS", "CHAIN", "CHAIN_HEAD", "CHAIN_ACCOUNTS")
)


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return Workspace(ROOT)


@pytest.fixture
def engine(workspace: Workspace, root: str) -> Iterator[Engine]:
    with workspace.engine(root) as opened:
        operators(workspace, root)
        yield opened


def example(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def values(workspace: Workspace, store: str, root: str) -> list[Any]:
    return [item.get("value", item.get("record")) for item in workspace.records(store, data_root=root)]


def told(workspace: Workspace, event: str, root: str) -> list[Any]:
    found: Any = workspace.records(CONSENSUS, data_root=root)
    return [item["record"] for item in found if item["event"] == f"blockchain::EV_{event}_V0"]


def test_the_examples_run_in_their_order_and_again(workspace: Workspace, engine: Engine, root: str) -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {*MOVEMENTS, *EXAMPLES}
    for name in ("register_actor", "verify_actor"):
        payload = json.loads((ROOT / "examples" / f"{name}.json").read_text("utf-8"))
        assert engine.run(flow("REGISTER_ACTOR_UNVERIFIED" if "reg" in name else "VERIFY_ACTOR"), payload).exit
    for name, (workflow, exit) in EXAMPLES.items():
        result = engine.run(flow(workflow), example(name))
        assert (result.exit, result.diagnostics) == (exit, ()), name
        if exit == "simulated":
            counts = {"transactions_accepted": 4, "transactions_refused": 1, "blocks": 2, "skipped": 0}
            assert result.result == counts
    for name, (workflow, exit) in EXAMPLES.items():
        assert engine.run(flow(workflow), example(name)).exit == AGAIN.get(exit, "exists"), name
    words = example("submit_transaction")["mnemonic"].split()[0].encode()
    searched = [path for path in Path(root).rglob("*") if path.is_file()] if "://" not in root else []
    assert all(words not in path.read_bytes() for path in searched)
    assert len(values(workspace, EVENTS, root)) == 4 + 2


@everywhere
def test_validators_are_numbered_by_however_many_processes(workspace: Workspace, engine: Engine, root: str) -> None:
    settle(engine, *ACTORS)
    mine = [validator(actor.id, number) for number, actor in enumerate(ACTORS)]
    said = together(*(("chaining:ask", root, "REGISTER_VALIDATOR", order) for order in (mine, mine[::-1])))
    ends: Counter[str] = Counter(exit for side in said for exit, _ in side)
    assert ends == {"registered": 6, "exists": 6}
    assert [item["validator_index"] for item in values(workspace, VALIDATORS, root)] == list(range(6))
    assert sorted(item["validator_index"] for item in told(workspace, "VALIDATOR_REGISTERED", root)) == list(range(6))
    assert ran(engine, "REGISTER_VALIDATOR", "conflict", **validator(ACTORS[0].id, 1))


@everywhere
def test_a_slot_has_one_block_and_a_transaction_one_slot(workspace: Workspace, engine: Engine, root: str) -> None:
    settle(engine, *ACTORS[:2])
    for number, actor in enumerate(ACTORS[:2]):
        ran(engine, "REGISTER_VALIDATOR", "registered", **validator(actor.id, number))
    for amount in range(1, 31):
        ran(engine, "POOL", "pooled", amount=amount, triggered_by=GENESIS)
    slots = [proposal(slot) for slot in range(1, 5)]
    said = together(*(("chaining:ask", root, "PROPOSE_BLOCK", order) for order in (slots, slots[::-1], slots)))
    proposed = [exit for side in said for exit, _ in side].count("proposed")
    blocks = values(workspace, BLOCKS, root)
    assert 1 <= proposed == len(blocks) == len(told(workspace, "BLOCK_PROPOSED", root))
    # Whoever was slower may have claimed what the block does not hold; asking again sets it free.
    for slot in slots:
        engine.run(flow("PROPOSE_BLOCK"), slot)
    blocks = values(workspace, BLOCKS, root)
    held = [(tx_id, block["slot"]) for block in blocks for tx_id in block["transactions"]]
    assert len(dict(held)) == len(held)
    waiting: list[Any] = values(workspace, MEMPOOL, root)
    assert len(waiting) == 30
    for item in waiting:
        assert dict(held).get(item["tx_id"]) == (item["slot"] if item["status"] == "INCLUDED" else None)


@everywhere
def test_of_several_runs_for_a_slot_one_has_processed_it(workspace: Workspace, engine: Engine, root: str) -> None:
    settle(engine, ACTORS[0])
    ran(engine, "REGISTER_VALIDATOR", "registered", **validator(ACTORS[0].id, 1))
    ran(engine, "POOL", "pooled", amount=1, triggered_by=GENESIS)
    slots = [{"simulation_id": "S", "slot_number": n, "triggered_by": GENESIS} for n in (1, 2, 3)]
    said = together(*(("chaining:ask", root, "PROCESS_SLOT", slots) for _ in "ABC"))
    ends: Counter[str] = Counter(exit for side in said for exit, _ in side)
    assert ends.keys() <= {"processed", "skipped", "slot_passed", "slot_taken"}
    # Whoever proposed the block and whoever told of it may be two runs: both processed the slot, with one block, or the
    # second found nothing that waited and told so while the first was still claiming.
    (block,) = values(workspace, BLOCKS, root)
    assert {result["block_id"] for side in said for exit, result in side if exit == "processed"} == {block["block_id"]}
    done = told(workspace, "SLOT_PROCESSED", root)
    assert sorted(item["slot"] for item in done) == [1, 2, 3] and ends["skipped"] >= 2
    assert values(workspace, CLOCKS, root) == [{"slot": 3}]


@everywhere
def test_the_chain_has_one_block_for_each_height(workspace: Workspace, engine: Engine, root: str) -> None:
    mint = {"tx_type": "MINT", "amount": 1000, "from_wallet": None, "to_wallet": "W"}
    genesis = {"predecessor_hash": "0" * 64, "height": 0, "transactions": [mint]}
    other = {**genesis, "transactions": []}
    said = together(
        *(("chaining:ask", root, "BOOTSTRAP_GENESIS_CHAIN", [{"genesis_block_content": block}] * 2)
          for block in (genesis, other, genesis))
    )  # fmt: skip
    ends: Counter[str] = Counter(exit for side in said for exit, _ in side)
    assert ends["bootstrapped"] == 1 and ends.keys() <= {"bootstrapped", "exists", "conflict"}
    (head,) = values(workspace, HEAD, root)
    for height in range(1, 4):
        blocks = [
            {"predecessor_hash": head["hash"], "height": height,
             "transactions": [{"tx_type": "MINT", "amount": side, "from_wallet": None, "to_wallet": "V"}]}
            for side in (1, 2, 3)
        ]  # fmt: skip
        said = together(*(("chaining:ask", root, "COMMIT_BLOCK", [{"proposed_block": block}] * 2) for block in blocks))
        ends = Counter(exit for side in said for exit, _ in side)
        assert ends == {"committed": 1, "exists": 1, "wrong_predecessor": 4}
        (head,) = values(workspace, HEAD, root)
        assert head["height"] == height and head["hash"] in {_hash(block) for block in blocks}
    assert [item["height"] for item in values(workspace, CHAIN, root)] == [0, 1, 2, 3]
    balances: Any = workspace.records(HOLDINGS, data_root=root)
    assert sum(item["balance"] for item in balances) == 0


def _hash(block: dict[str, Any]) -> str:
    return str(digest({"data": block, "algorithm": "keccak256"})[1]["hash"])


def test_the_nonces_of_a_wallet_have_no_gap(workspace: Workspace, engine: Engine, root: str) -> None:
    settle(engine, ACTORS[0])
    payload = {**example("submit_transaction"), "actor_record": ACTORS[0].record, "wallet_id": ACTORS[0].wallet}
    said = together(*(("chaining:ask", root, "SUBMIT_TRANSACTION", [payload] * 4) for _ in "AB"))
    ends: Counter[str] = Counter(exit for side in said for exit, _ in side)
    assert ends["submitted"] >= 4 and ends.keys() <= {"submitted", "busy"}
    nonces = [item["nonce"] for item in values(workspace, MEMPOOL, root)]
    assert nonces == list(range(ends["submitted"]))
    assert sorted(item["nonce"] for item in values(workspace, EVENTS, root)) == nonces
