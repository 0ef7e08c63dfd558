"""Stores of accounts from the front door: runs, scenarios, `data`, tried calls; and several processes at once."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from banking import OPEN, PAY, SCENARIO, TILL, bank
from children import together
from errands import Barrier
from front_door import Call, call
from omnibachi import Workspace, examine, replay, verify
from omnibachi.compiling import compile_workspace
from omnibachi.workspace import shipped_root
from omnibachi_compiler.editing.hover import hover
from omnibachi_compiler.editing.spots import Open, Project
from omnibachi_ledger import open_root
from performing import everywhere, root

__all__ = ["call", "root"]
NAMES = ("anna", "bert", "clara")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return bank(tmp_path_factory.mktemp("bank"))


def shown(workspace: Workspace, data: str | Path) -> dict[Any, Any]:
    return {item["account"]: item["balance"] for item in workspace.records(TILL, data_root=data)}


def test_runs_move_and_their_records_hold(made: Workspace, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert made.records(TILL, data_root=data) == []
    with made.engine(data) as engine:
        assert engine.run(OPEN, {"who": "anna"}).exit == "opened"
        paid = engine.run(PAY, {"from": "MINT", "to": "anna", "amount": 10})
        twice = engine.run(PAY, {"from": "MINT", "to": "anna", "amount": 10})
        assert [paid.result, twice.result] == [{"number": 1, "left": -11}, {"number": 2, "left": -22}]
        for result in (paid, twice):
            assert verify(result.record, data_root=data).verdict == "ANCHORED"
            assert replay(result.record, made.load()).same
            (told,) = examine(result.record, snapshot=made.load(), data_root=data).changed
            assert '{"amount":10,"from":"MINT","to":"anna"},{"amount":1,"from":"MINT","to":"FEES"}' in told["what"]
    assert shown(made, data) == {"MINT": -22, "FEES": 2, "anna": 20}


def test_what_is_declared_is_sealed_with_the_store_and_its_workflows(made: Workspace) -> None:
    snapshot = Path(made.root) / "protocol_snapshot"
    rules = {"overdraft": ["MINT"], "opened": ["FEES"]}
    store = json.loads((snapshot / "bank/domain.json").read_bytes())["stores"][TILL]
    assert {key: store[key] for key in rules} == rules and "open_on_receipt" not in store
    assert json.loads((snapshot / "bank/WF_PAY_V0.json").read_bytes())["stores"] == {
        TILL: {"keeps": "accounts", **rules}
    }


def test_a_tried_call_knows_what_the_store_declares(made: Workspace, tmp_path: Path) -> None:
    def tried(operation: str, **inputs: Any) -> Any:
        found = made.call(f"std::CS_ACCOUNTS_V0.{operation}", inputs, store=TILL, data_root=tmp_path / "data")
        return found.outcome, found.output or [item.code for item in found.diagnostics]

    entries = [{"from": "MINT", "to": "FEES", "amount": 3}]
    assert tried("BALANCE", account="FEES") == ("SUCCESS", {"balance": 0})
    assert tried("POST", entries=entries) == ("SUCCESS", {"number": 1, "balances": {"MINT": -3, "FEES": 3}})
    assert tried("POST", entries=entries, key=None) == ("SUCCESS", {"number": 2, "balances": {"MINT": -6, "FEES": 6}})
    assert tried("POST", entries=entries, after=1) == ("CONFLICT", {"number": 2})
    assert tried("POST", entries=[{"from": "MINT", "to": "FEES", "amount": "3"}]) == (None, ["OB744"])
    assert tried("POST", entries=entries, after=-1) == (None, ["OB744"])
    assert tried("OPEN", account=5) == (None, ["OB744"])
    assert shown(made, tmp_path / "data") == {"MINT": -6, "FEES": 6}


def test_scenarios_speak_of_accounts(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = bank(tmp_path / "bank")
    monkeypatch.chdir(workspace.root)
    told = call("test", "--json").json()
    assert [item["ok"] for item in told["scenarios"]] == [True]
    wrong = SCENARIO.replace("count: 3", "count: 4", 1).replace("anna, balance: 5", "anna, balance: 4")
    bank(Path(workspace.root), wrong)
    said = call("test")
    assert said.status == 1
    assert f"step 1: `{TILL}` holds 3 records, expected 4" in said.err
    assert f"step 2: among the records of `{TILL}`, `/2/balance` is `5`, expected `4`" in said.err


def test_no_scenario_and_no_file_of_facts_plants_a_balance(tmp_path: Path) -> None:
    planted = SCENARIO.replace("steps:", "given: {stores: {ST_TILL_V0: {anna: {balance: 5}}}}\nsteps:")
    workspace = bank(tmp_path / "bank", planted)
    file = tmp_path / "facts.json"
    file.write_text(json.dumps({"schema": "omnibachi.seed/1", "stores": {TILL: {"anna": {"balance": 5}}}}))
    result = workspace.load_facts(file, data_root=tmp_path / "data")
    assert (result.exit_code, [item.code for item in result.diagnostics]) == (3, ["OB763"])
    assert not (tmp_path / "data").exists()


def test_accounts_are_listed_shown_and_exported(call: Call, made: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.root)
    made.run(OPEN, {"who": "anna"}, picture=False)
    made.run(PAY, {"from": "MINT", "to": "anna", "amount": 10}, picture=False)
    records = [
        {"account": "MINT", "balance": -11},
        {"account": "FEES", "balance": 1},
        {"account": "anna", "balance": 10},
    ]
    told = call("data", "show", TILL, "--json").json()
    assert (told["schema"], told["count"], told["records"]) == ("omnibachi.data/1", 3, records)
    assert call("data", "ls", "--json").json()["stores"] == [{"store": TILL, "keeps": "accounts", "count": 3}]
    mirror = Path(made.root) / "data/accounts/bank/ST_TILL_V0.jsonl"
    assert not mirror.exists(), "a mirror of what changes is written when it is asked for"
    assert call("data", "export", "--json").json()["files"] == [str(mirror)]
    assert mirror.read_text() == (
        '{"account":"MINT","balance":-11,"number":2}\n'
        '{"account":"FEES","balance":1,"number":2}\n'
        '{"account":"anna","balance":10,"number":2}\n'
    )


# Several processes at once.


def pay(barrier: Barrier, workspace: str, root: str, seed: int, times: int) -> list[Any]:
    """Pay at random from one to another; return how each run ended."""
    chance = random.Random(seed)
    with Workspace(workspace).engine(root) as engine:
        engine.linked(PAY)
        barrier()
        ends = []
        for _ in range(times):
            giver, taker = chance.sample([*NAMES, "MINT"], 2)
            ends.append(engine.run(PAY, {"from": giver, "to": taker, "amount": chance.randint(1, 40)}))
    return [[end.exit, (end.result or {}).get("number")] for end in ends]


def watch(barrier: Barrier, root: str, postings: int) -> int:
    """Look at the balances over and over until so many postings were made; return how many states were seen."""
    seen: set[str] = set()
    with open_root(root) as ledger:
        barrier()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            records = ledger.records(TILL, "accounts")
            balances = {str(item["account"]): int(item["balance"]) for item in records}  # type: ignore[arg-type]
            assert sum(balances.values()) == 0, balances
            assert all(amount >= 0 or name == "MINT" for name, amount in balances.items()), balances
            seen.add(json.dumps(balances))
            if ledger.store(TILL).count({}, event="posting") >= postings:
                break
    return len(seen)


@everywhere
def test_two_processes_pay_while_a_third_one_looks(made: Workspace, root: str) -> None:
    with made.engine(root) as engine:
        for name in NAMES:
            engine.run(OPEN, {"who": name})
            assert engine.run(PAY, {"from": "MINT", "to": name, "amount": 50}).exit == "paid"
    times = 80
    *sides, states = together(
        *(("test_accounts_shown:pay", made.root, root, seed, times) for seed in (1, 2)),
        ("test_accounts_shown:watch", root, 3 + times // 2),
    )
    ends = [tuple(end) for side in sides for end in side]
    assert {exit for exit, _ in ends} == {"paid", "too_little"} and states > 1
    numbers = sorted(number for exit, number in ends if exit == "paid")
    assert numbers == list(range(4, 4 + len(numbers)))
    balances = shown(made, root)
    assert sum(balances.values()) == 0 and balances["FEES"] == 3 + len(numbers)


def test_the_site_and_the_editor_tell_what_a_store_declares(call: Call, made: Workspace, tmp_path: Path) -> None:
    said = call("docs", "--workspace", made.root, "--output", str(tmp_path / "site"), "--json")
    assert said.status == 0
    page = next((tmp_path / "site").rglob("ST_TILL_V0.html")).read_text("utf-8")
    assert "May go below zero" in page and "There from the start" in page and "Receiving" not in page
    file = "protocols/bank/bank.yaml"
    text = (Path(made.root) / file).read_text("utf-8")
    project = Project(compile_workspace(made.root, shipped=shipped_root()).library, {})
    found = hover(project, Open(file, "bank", text), text.index("ST_TILL_V0", text.index("use:")))
    assert found and "may go below zero: `MINT`" in found.text and "there from the start: `FEES`" in found.text
