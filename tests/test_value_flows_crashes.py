"""A movement may be killed anywhere: resumed it is made once and told once; the same request again completes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from crash_cases import ID, RESUME, Case, case, fresh_place, warmed_trial
from crashing import in_child
from moving import ACCOUNTS, EVENTS, GENESIS, MEMPOOL, ROOT, Actor, flow, operators, ran, settle
from omnibachi import Workspace

place = fresh_place
trial = warmed_trial
SHIPPED = Workspace(ROOT)
ANNA, BERT = Actor("Anna"), Actor("Bert")
MINT = {"to_wallet_id": ANNA.wallet, "amount": 7, "triggered_by": GENESIS, "request_id": "R1"}
REWARD = {"to_wallet_id": BERT.wallet, "block_hash": f"0x{7:064x}", "amount": 7, "triggered_by": GENESIS}
TRANSFER = {
    "actor_record": ANNA.record, "from_wallet_id": ANNA.wallet, "to_address": BERT.wallet, "amount": 7
}  # fmt: skip


@pytest.fixture(scope="module")
def funded(place: Path, trial: Path) -> Path:
    """Return a folder with operators, two wallets and something in each account."""
    folder = place / "funded"
    folder.mkdir()
    operators(SHIPPED, folder / "data")
    with SHIPPED.engine(folder / "data") as engine:
        settle(engine, ANNA, BERT)
        ran(engine, "MINT", "minted", to_wallet_id=ANNA.wallet, amount=100, triggered_by=GENESIS)
        ran(engine, "POOL", "pooled", amount=100, triggered_by=GENESIS)
    return folder


def commits(found: Case) -> list[int]:
    """Return the edges that part what a run leaves."""
    return [edge for edge, name in enumerate(found.edges, 1) if name == "after COMMIT"]


def test_a_killed_transfer_is_resumed(place: Path, funded: Path) -> None:
    found = case(place, "transfer", funded, flow("TRANSFER"), TRANSFER)
    assert found.answer["exit"] == "transferred" and len(commits(found)) >= 3
    for edge in commits(found):
        found.survives(edge)


@pytest.mark.parametrize(("name", "payload", "done"), [("MINT", MINT, "minted"), ("REWARD", REWARD, "rewarded")])
def test_what_a_killed_run_left_is_completed_by_a_repeat(
    place: Path, funded: Path, name: str, payload: dict[str, Any], done: str
) -> None:
    """As another run; and what was killed may be resumed after that, and does no harm."""
    found = case(place, name.lower(), funded, flow(name), payload)
    assert found.answer["exit"] == done
    undisturbed = _left(found.folder)
    said = []
    for edge in [1, *commits(found)]:
        folder = found.killed(edge)
        again = tuple("T2" if word == ID else word for word in found.command)
        said.append(json.loads(in_child(again, folder).out)["exit"])
        assert _left(folder) == undisturbed, found.edges[edge - 1]
        assert in_child(RESUME, folder).status in (0, 1)
        assert _left(folder) == undisturbed, found.edges[edge - 1]
        shutil.rmtree(folder)
    # Before anything was posted the repeat is the movement; behind it, a duplicate.
    assert said[0] == done and set(said) == {done, "duplicate"}


def _left(folder: Path) -> Any:
    """Return balances, pending movements, and what was told, without the moment."""
    accounts, pending, told = (
        SHIPPED.records(store, data_root=folder / "data") for store in (ACCOUNTS, MEMPOOL, EVENTS)
    )
    records: list[Any] = [item["record"] for item in told]
    return accounts, pending, [{key: value for key, value in record.items() if key != "at"} for record in records]
