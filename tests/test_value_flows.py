"""The value flows of `blockchain`: against a dictionary, cut short and repeated, by several processes at once."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from children import together
from errands import Barrier
from moving import ACCOUNTS, EVENTS, GENESIS, MEMPOOL, OPERATORS, ROOT, Actor, balances, flow, operators, ran, settle
from omnibachi import Engine, Workspace, replay, verify
from omnibachi.__main__ import main as front
from omnibachi.compiling import compile_workspace
from performing import everywhere, root

__all__ = ["root"]
ANNA, BERT = Actor("Anna"), Actor("Bert")
FOLDER = ROOT / "examples" / "blockchain"
VALUE = ROOT / "protocols" / "blockchain" / "value"
# In this order: what is moved must be there first.
EXAMPLES = {
    "create_wallet": ("CREATE_WALLET", "created"),
    "create_staking_wallet": ("CREATE_WALLET", "created"),
    "mint": ("MINT", "minted"),
    "pool": ("POOL", "pooled"),
    "stake": ("STAKE", "staked"),
    "slash": ("SLASH", "slashed"),
    "unstake": ("UNSTAKE", "unstaked"),
    "reward": ("REWARD", "rewarded"),
    "burn": ("BURN", "burned"),
    "transfer": ("TRANSFER", "transferred"),
}


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return Workspace(ROOT)


@pytest.fixture
def engine(workspace: Workspace, root: str) -> Iterator[Engine]:
    with workspace.engine(root) as opened:
        yield opened
        balances(workspace, root)


def test_the_examples_run_in_their_order(workspace: Workspace, engine: Engine, root: str) -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} >= set(EXAMPLES)  # the others: test_chain.py
    operators(workspace, root)
    engine.run(flow("REGISTER_ACTOR_UNVERIFIED"), example("register_actor"))
    engine.run(flow("VERIFY_ACTOR"), example("verify_actor"))
    for name, (workflow, exit) in EXAMPLES.items():
        result = engine.run(flow(workflow), example(f"blockchain/{name}"))
        assert (result.exit, result.diagnostics) == (exit, ()), name
    assert balances(workspace, root)["POOL"] == 500 + 20 - 25
    for name, (workflow, _) in EXAMPLES.items():
        assert engine.run(flow(workflow), example(f"blockchain/{name}")).status == "COMPLETED", name


def example(name: str) -> Any:
    return json.loads((ROOT / "examples" / f"{name}.json").read_text("utf-8"))


def test_a_fresh_data_root_knows_no_operator(workspace: Workspace, engine: Engine, root: str) -> None:
    ran(engine, "POOL", "not_operator", amount=1, triggered_by=GENESIS)
    assert workspace.records(ACCOUNTS, data_root=root) == workspace.records(OPERATORS, data_root=root) == []
    operators(workspace, root)
    assert ran(engine, "POOL", "pooled", amount=1, triggered_by=GENESIS).result["balances"] == {"POOL": 1}


@everywhere
def test_what_was_cut_short_is_completed_by_a_repeat(workspace: Workspace, engine: Engine, root: str) -> None:
    """The posting alone is there, as if the process had died behind it; the repeat moves nothing and tells it."""
    operators(workspace, root)
    settle(engine, ANNA)
    entries = [{"from": "SUPPLY", "to": ANNA.wallet, "amount": 5}]
    inputs: dict[str, Any] = {"key": "MINT R1", "entries": entries}
    assert workspace.call("std::CS_ACCOUNTS_V0.POST", inputs, store=ACCOUNTS, data_root=root).outcome == "SUCCESS"
    payload = {"to_wallet_id": ANNA.wallet, "amount": 5, "triggered_by": GENESIS, "request_id": "R1"}
    for _ in range(2):
        tx_id = ran(engine, "MINT", "duplicate", **payload).result["tx_id"]
        assert [item["key"] for item in workspace.records(MEMPOOL, data_root=root)] == [tx_id]
        (told,) = workspace.records(EVENTS, data_root=root)
        assert told["record"]["tx_id"] == tx_id  # type: ignore[call-overload, index]
    assert balances(workspace, root)[ANNA.wallet] == 5


def test_the_run_enters_no_input(workspace: Workspace, engine: Engine, root: str) -> None:
    """So that the record of a movement can be computed again from what it says."""
    operators(workspace, root)
    settle(engine, ANNA)
    payload = {"to_wallet_id": ANNA.wallet, "amount": 5, "triggered_by": GENESIS}
    first, second = (ran(engine, "MINT", "minted", **payload) for _ in "12")
    assert first.result["tx_id"] != second.result["tx_id"]
    for result in (first, second):
        assert str(result.trace_id).encode() not in result.record.split(b"\n", 1)[1].replace(b'"run":', b"")
        assert verify(result.record, data_root=root).verdict == "ANCHORED"
        assert replay(result.record, workspace.load()).same


@pytest.mark.parametrize(
    ("file", "right", "wrong", "law"),
    [
        ("who", "SAME: OWNER, OTHER: NOT_OWNER", "SAME: NOT_OWNER, OTHER: OWNER", "OWNER_BEFORE_MOVEMENT"),
        ("who", "HELD: OPERATOR, NOT_HELD: NOT_", "HELD: NOT_OPERATOR, NOT_HELD: ", "OWNER_BEFORE_MOVEMENT"),
        ("move", "SUCCESS: tell, ALREADY_EXISTS: tell", "SUCCESS: tell, ALREADY_EXISTS: anew", "MOVEMENT_IS_TOLD"),
    ],
)
def test_the_laws_find_who_breaks_them(tmp_path: Path, file: str, right: str, wrong: str, law: str) -> None:
    shutil.copytree(ROOT / "protocols", tmp_path / "protocols")
    path = tmp_path / f"protocols/blockchain/value/{file}.yaml"
    text = path.read_text("utf-8")
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong), "utf-8")
    diagnostics = compile_workspace(str(tmp_path), shipped=str(ROOT)).diagnostics
    found = [item for item in diagnostics if item.severity == "error"]
    assert found and {item.code for item in found} == {"OB520"}
    assert any(f"IV_{law}_V0" in item.message for item in found), [item.message for item in found]


# A dictionary does the same.

who = st.sampled_from([ANNA, BERT])
step = st.tuples(
    st.sampled_from(["MINT", "BURN", "POOL", "REWARD", "SLASH", "STAKE", "UNSTAKE", "TRANSFER"]),
    who,
    who,
    st.integers(1, 30),
    st.none() | st.sampled_from("ab"),
)
SHORT = {"STAKE": "insufficient_funds", "TRANSFER": "insufficient_funds", "BURN": "insufficient_funds"}
SHORT |= {"UNSTAKE": "insufficient_stake", "SLASH": "insufficient_stake", "REWARD": "insufficient_pool"}
DONE = {"MINT": "minted", "BURN": "burned", "POOL": "pooled", "REWARD": "rewarded", "SLASH": "slashed"}
DONE |= {"STAKE": "staked", "UNSTAKE": "unstaked", "TRANSFER": "transferred"}


def asked(name: str, actor: Actor, other: Actor, amount: int, request: str | None) -> tuple[str, str, dict[str, Any]]:
    """Return between which accounts a flow moves, and its payload."""
    wallet, staked = actor.wallet, f"{actor.wallet}#stake"
    by = {"triggered_by": GENESIS}
    mine = {"actor_record": actor.record}
    giver, taker, more = {
        "MINT": ("SUPPLY", wallet, {"to_wallet_id": wallet, **by}),
        "BURN": (wallet, "SUPPLY", {"from_wallet_id": wallet, **by}),
        "POOL": ("SUPPLY", "POOL", by),
        "REWARD": ("POOL", wallet, {"to_wallet_id": wallet, "block_hash": f"0x{amount:064x}", **by}),
        "SLASH": (staked, "POOL", {"from_wallet_id": wallet, "validator_index": 0, **by}),
        "STAKE": (wallet, staked, {"from_wallet_id": wallet, **mine}),
        "UNSTAKE": (staked, wallet, {"to_wallet_id": wallet, "validator_index": 0, **mine}),
        "TRANSFER": (wallet, other.wallet, {"from_wallet_id": wallet, "to_address": other.wallet, **mine}),
    }[name]
    return giver, taker, {**more, "amount": amount, **({"request_id": request} if request else {})}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(step, max_size=12))
def test_the_flows_do_what_a_dictionary_does(workspace: Workspace, steps: list[Any]) -> None:
    facts = {OPERATORS: {GENESIS: {"roles": ["mint", "burn", "pool", "reward", "slash"]}}}
    with workspace.engine() as engine:
        engine.ledger.load(facts, file_digest="sha256:0", seal="sha256:0", at="2026-01-01T00:00:00Z")
        settle(engine, ANNA, BERT)
        held: Counter[str] = Counter()
        posted: dict[tuple[str, str], tuple[str, str, int]] = {}
        for name, actor, other, amount, request in steps:
            giver, taker, payload = asked(name, actor, other, amount, request)
            movement = (giver, taker, amount)
            own = f"{amount} {taker}" if name == "REWARD" else None
            key = (name, f"request {request}" if request else own or f"run {len(posted)}")
            if giver == taker:
                wanted = "refused"
            elif key in posted:
                wanted = "duplicate" if posted[key] == movement else "conflict"
            elif giver != "SUPPLY" and held[giver] < amount:
                wanted = SHORT[name]
            else:
                wanted, posted[key] = DONE[name], movement
                held[giver] -= amount
                held[taker] += amount
            result = ran(engine, name, wanted, **payload)
            if wanted == DONE[name]:
                assert result.result["balances"] == {a: held[a] for a in (giver, taker) if a != "SUPPLY"}
        records = engine.ledger.records(ACCOUNTS, "accounts")
        shown = {item["account"]: item["balance"] for item in records if item["balance"]}
        assert shown == {account: amount for account, amount in held.items() if amount}
        assert len(engine.ledger.records(MEMPOOL)) == len(engine.ledger.records(EVENTS)) == len(posted)


def spend(barrier: Barrier, root: str, times: int, request: str | None) -> dict[str, int]:
    """Transfer 7 from one wallet to another many times; return how often each exit was reached."""
    payload: dict[str, Any] = {"actor_record": ANNA.record, "from_wallet_id": ANNA.wallet, "to_address": BERT.wallet}
    more = {"request_id": request} if request else {}
    with Workspace(ROOT).engine(root) as engine:
        engine.linked(flow("TRANSFER"))
        barrier()
        return Counter(str(engine.run(flow("TRANSFER"), {**payload, "amount": 7, **more}).exit) for _ in range(times))


@everywhere
@pytest.mark.parametrize("request_id", [None, "R1"])
def test_two_processes_spend_one_wallet(workspace: Workspace, root: str, request_id: str | None) -> None:
    with workspace.engine(root) as engine:
        operators(workspace, root)
        settle(engine, ANNA, BERT)
        ran(engine, "MINT", "minted", to_wallet_id=ANNA.wallet, amount=100, triggered_by=GENESIS)
    said = together(*(("test_value_flows:spend", root, 12, request_id) for _ in "AB"))
    ends = sum((Counter(side) for side in said), Counter[str]())
    moved = 14 if request_id is None else 1
    assert ends == (
        {"transferred": 14, "insufficient_funds": 10} if moved == 14 else {"transferred": 1, "duplicate": 23}
    )
    assert balances(workspace, root) == {
        "SUPPLY": -100, "POOL": 0, ANNA.wallet: 100 - 7 * moved, f"{ANNA.wallet}#stake": 0,
        BERT.wallet: 7 * moved, f"{BERT.wallet}#stake": 0,
    }  # fmt: skip
    assert len(workspace.records(EVENTS, data_root=root)) == 1 + moved


def test_the_scenarios_leave_nothing_out(capsys: pytest.CaptureFixture[str]) -> None:
    front(["test", "blockchain/value", "--workspace", str(ROOT), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert {item["file"].rpartition("/")[2] for item in told["scenarios"]} == {f"{n.lower()}.test.yaml" for n in DONE}
    assert all(item["ok"] for item in told["scenarios"])
    assert [item for item in told["coverage"]["missed"] if item["workflow"] in {flow(name) for name in DONE}] == []


def test_the_page_says_what_is_there(workspace: Workspace) -> None:
    page = (ROOT / "docs" / "blockchain.md").read_text("utf-8").partition("## Value")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(WF_\w+)_V0` \|.*\| ([^|]+) \|$", page, re.MULTILINE))
    assert set(rows) == {f"WF_{name}" for name in DONE}
    for name, done in DONE.items():
        ends = re.findall(r"`(\w+)`", rows[f"WF_{name}"])
        assert ends == [done, *([SHORT[name]] if name in SHORT else [])]
        sealed = json.loads((ROOT / f"protocol_snapshot/blockchain/WF_{name}_V0.json").read_bytes())
        assert set(ends) <= {node["name"] for node in sealed["nodes"] if node["kind"] == "EXIT"}
    laws = set(re.findall(r"`(IV_\w+)`", page))
    assert laws == set(re.findall(r"^invariant: (\w+)$", (VALUE / "laws.yaml").read_text("utf-8"), re.MULTILINE))
