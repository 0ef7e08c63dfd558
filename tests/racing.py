"""What processes do that race in the shipped `blockchain`, and the laws that hold at every moment meanwhile."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moving import ACCOUNTS, EVENTS, GENESIS, MEMPOOL, ROOT, Actor, flow
from omnibachi import Engine, Workspace
from omnibachi_ledger import Ledger, open_root
from omnibachi_ledger.journal import Journal

Barrier = Callable[[], None]
CHAIN_ACCOUNTS, HEAD, CHAIN, VALIDATORS, VALIDATOR_KEYS, BLOCKS, CLOCKS, CONSENSUS = (
    f"blockchain::ST_{name}_V0"
    for name in (
        "CHAIN_ACCOUNTS", "CHAIN_HEAD", "CHAIN", "VALIDATORS", "VALIDATOR_KEYS", "BLOCKS", "SLOT_CLOCK",
        "CONSENSUS_EVENTS",
    )
)  # fmt: skip
WALLETS, WALLET_KEYS, ADDRESSES, WALLET_EVENTS, IDENTITY, VERIFICATIONS = (
    f"blockchain::ST_{name}_V0"
    for name in ("WALLETS", "WALLET_KEYS", "ADDRESSES", "WALLET_EVENTS", "IDENTITY_EVENTS", "VERIFICATIONS")
)
PEOPLE = [Actor(name) for name in ("Anna", "Bert", "Carl", "Dora", "Emil", "Frau", "Gerd", "Hans")]
DAWDLE = 0.01
# What is told once: the event, and which member of its record says of what.
ONCE = {
    "EV_ACTOR_VERIFIED_V0": ("actor_id",), "EV_ACTOR_REJECTED_V0": ("actor_id",),
    "EV_WALLET_CREATED_V0": ("wallet_id",), "EV_TRANSACTION_SUBMITTED_V0": ("tx_hash",),
    "EV_VALUE_MOVED_V0": ("tx_id",), "EV_VALIDATOR_REGISTERED_V0": ("actor_id",), "EV_BLOCK_PROPOSED_V0": ("slot",),
    "EV_SLOT_PROCESSED_V0": ("simulation_id", "slot"), "EV_GENESIS_CREATED_V0": ("height",),
    "EV_BLOCK_COMMITTED_V0": ("height",),
}  # fmt: skip


def validator(actor: Actor, number: int) -> dict[str, Any]:
    """Return what an actor hands in to be a validator, with the public key of a number."""
    return {
        "actor_id": actor.id, "pubkey": f"0x{number:096x}", "withdrawal_credentials": f"0x{number:064x}",
        "status": "ACTIVE_ONGOING", "effective_balance": 32_000_000_000, "activation_epoch": 0, "exit_epoch": None,
    }  # fmt: skip


def dawdling(seed: str) -> random.Random:
    """Let this process wait before some of its transactions, so that others come between; return the chance."""
    chance = random.Random(seed)
    begin = Journal.begin

    def begin_later(self: Journal, **more: bool) -> None:
        if chance.random() < 0.5:
            time.sleep(chance.random() * DAWDLE)
        begin(self, **more)

    Journal.begin = begin_later  # type: ignore[method-assign]
    return chance


def ended(engine: Engine, name: str, payload: dict[str, Any]) -> tuple[str, Any]:
    """Run a workflow; return its exit, or what stood in the way, and its result."""
    result = engine.run(flow(name), payload)
    return result.exit or result.diagnostics[0].message, result.result


def play(
    barrier: Barrier, root: str, seed: str, calls: list[tuple[str, dict[str, Any]]], place: str, companies: list[int]
) -> list[tuple[str, Any]]:
    """Run workflows one after the other; return how each ended.

    Each begins at the moment at which as many processes as `companies` says have come to that turn; they leave word of
    it in a folder.
    """
    ends = []
    with Workspace(ROOT).engine(root) as engine:
        for name in {name for name, _ in calls}:
            engine.linked(flow(name))
        dawdling(seed)
        barrier()
        for turn, (name, payload) in enumerate(calls):
            Path(place, f"turn-{turn}.{seed}").touch()
            until = time.monotonic() + 30
            while len(list(Path(place).glob(f"turn-{turn}.*"))) < companies[turn]:
                assert time.monotonic() < until, "the others did not come"
                time.sleep(0.0005)
            ends.append(ended(engine, name, payload))
    return ends


def shuttle(barrier: Barrier, root: str, seed: str, turns: int) -> list[tuple[str, str, str]]:
    """Move value to and fro between the first two, often all that is there; return each flow, its request and exit."""
    with Workspace(ROOT).engine(root) as engine:
        for name in ("TRANSFER", "STAKE", "UNSTAKE", "MINT", "BURN", "REWARD"):
            engine.linked(flow(name))
        chance = dawdling(seed)
        barrier()
        return [_moved(engine, chance, turn) for turn in range(turns)]


def _moved(engine: Engine, chance: random.Random, turn: int) -> tuple[str, str, str]:
    found: dict[str, Any] = {str(item["account"]): item["balance"] for item in records(engine.ledger, ACCOUNTS)}
    one, other = chance.sample(PEOPLE[:2], 2)
    name = chance.choice(["TRANSFER", "TRANSFER", "STAKE", "UNSTAKE", "MINT", "BURN", "REWARD"])
    mine, operator = {"actor_record": one.record}, {"triggered_by": GENESIS}
    whole = max(1, int(found[one.wallet]))
    request = f"{name} {turn}" if name in ("MINT", "BURN") else ""
    payload: dict[str, Any] = {
        "TRANSFER": {**mine, "from_wallet_id": one.wallet, "to_address": other.wallet, "amount": whole},
        "STAKE": {**mine, "from_wallet_id": one.wallet, "amount": chance.choice([1, whole])},
        "UNSTAKE": {**mine, "to_wallet_id": one.wallet, "validator_index": 0,
                    "amount": max(1, int(found[f"{one.wallet}#stake"]))},
        # the same in every process
        "MINT": {**operator, "to_wallet_id": PEOPLE[turn % 2].wallet, "amount": 10 + turn, "request_id": request},
        "BURN": {**operator, "from_wallet_id": PEOPLE[turn % 2].wallet, "amount": 5, "request_id": request},
        "REWARD": {**operator, "to_wallet_id": PEOPLE[turn % 2].wallet, "amount": 3, "block_hash": f"0x{turn:064x}"},
    }[name]  # fmt: skip
    return name, request or (f"REWARD {turn}" if name == "REWARD" else ""), ended(engine, name, payload)[0]


def link_blocks(barrier: Barrier, root: str, seed: str, turns: int) -> list[str]:
    """Begin the chain and propose one block after the other, each behind the head as this process sees it."""
    ends = []
    with Workspace(ROOT).engine(root) as engine:
        engine.linked(flow("COMMIT_BLOCK"))
        chance = dawdling(seed)
        minted = {"tx_type": "MINT", "amount": 100, "from_wallet": None, "to_wallet": "W_1"}
        genesis = {"predecessor_hash": "0" * 64, "height": 0, "transactions": [minted]}
        barrier()
        ends.append(ended(engine, "BOOTSTRAP_GENESIS_CHAIN", {"genesis_block_content": genesis})[0])
        for _ in range(turns):
            head: Any = engine.ledger.records(HEAD)[0]["value"]
            one, other = chance.sample(["W_1", "W_2"], 2)
            # now and then what every process proposes, and what only this one does
            amount = chance.choice([1, 1, 60, 200])
            moved = {"tx_type": "TRANSFER", "amount": amount, "from_wallet": one, "to_wallet": other}
            block = {"predecessor_hash": head["hash"], "height": head["height"] + 1, "transactions": [moved]}
            ends.append(ended(engine, "COMMIT_BLOCK", {"proposed_block": block})[0])
    return ends


def watch(barrier: Barrier, root: str, stop: str) -> int:
    """Look at the laws again and again until there is a file; return how often."""
    looks = 0
    with open_root(root) as ledger:
        barrier()
        deadline = time.monotonic() + 50
        while not Path(stop).exists() and time.monotonic() < deadline:
            hold(ledger)
            looks += 1
            time.sleep(0.005)
        hold(ledger)
    return looks + 1


# The laws, of what can be seen at any moment.


def records(ledger: Ledger, store: str) -> list[dict[str, Any]]:
    """Return the records of a store."""
    return ledger.records(store, "accounts" if store in (ACCOUNTS, CHAIN_ACCOUNTS) else "")


def hold(ledger: Ledger) -> None:
    """Assert what must be so at every moment, however many are at work; raises AssertionError."""
    _balanced(ledger)
    _blocks(ledger)
    _numbered(ledger)
    for store in (IDENTITY, WALLET_EVENTS, EVENTS, CONSENSUS, CHAIN):
        twice = {told: count for told, count in told_of(ledger, store).items() if count > 1}
        assert not twice, twice


def _balanced(ledger: Ledger) -> None:
    for store in (ACCOUNTS, CHAIN_ACCOUNTS):
        found = {item["account"]: item["balance"] for item in records(ledger, store)}
        assert sum(found.values()) == 0, found
        assert all(balance >= 0 for account, balance in found.items() if account != "SUPPLY"), found


def _blocks(ledger: Ledger) -> None:
    blocks = [item["value"] for item in records(ledger, BLOCKS)]
    slots = [block["slot"] for block in blocks]
    held = [transaction for block in blocks for transaction in block["transactions"]]
    assert len(slots) == len(set(slots)) and len(held) == len(set(held))
    # What stands in a block is claimed for its slot, and stays so.
    claimed = {item["value"]["tx_id"]: item["value"].get("slot") for item in records(ledger, MEMPOOL)}
    for block in blocks:
        assert {claimed[transaction] for transaction in block["transactions"]} == {block["slot"]}
    told = [item["record"] for item in records(ledger, CHAIN)]
    heights = [record["height"] for record in told]
    assert len(heights) == len(set(heights))


def _numbered(ledger: Ledger) -> None:
    validators = [item["value"] for item in records(ledger, VALIDATORS)]
    assert [value["validator_index"] for value in validators] == list(range(len(validators)))
    keys = [value["validator_record"]["pubkey"] for value in validators]
    assert len(keys) == len(set(keys))
    signed: dict[str, list[int]] = {}
    for item in records(ledger, MEMPOOL):
        value = item["value"]
        if value["tx_type"] == "SIGNED":
            assert item["key"] == f"{value['wallet_id']}/{value['nonce']}"
            signed.setdefault(value["wallet_id"], []).append(value["nonce"])
    assert all(nonces == list(range(len(nonces))) for nonces in signed.values()), signed
    # The address is bound first: read the other way round, each wallet's address is there and is its own.
    bound = {item["key"]: item["value"]["address"] for item in records(ledger, WALLET_KEYS)}
    holders = {item["key"]: item["value"]["wallet_id"] for item in records(ledger, ADDRESSES)}
    assert all(holders[address] == wallet for wallet, address in bound.items())


def told_of(ledger: Ledger, store: str) -> Counter[tuple[Any, ...]]:
    """Return how often a stream tells of each thing that is told once: (event, what says of what)."""
    found: Counter[tuple[Any, ...]] = Counter()
    for item in records(ledger, store):
        event = str(item["event"]).partition("::")[2]
        if event in ONCE:
            found[(event, *(item["record"][member] for member in ONCE[event]))] += 1
    return found
