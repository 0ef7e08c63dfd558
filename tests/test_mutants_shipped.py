"""No mutant of what ships survives, but for those of which docs/testing.md says why they change nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from omnibachi import Workspace
from omnibachi.compiling import compile_workspace
from omnibachi.scenarios.mutation import Mutation, mutate
from omnibachi.workspace import shipped_root
from thoroughness import THOROUGH

ROOT = Path(__file__).resolve().parent.parent
SURVIVE = {
    ("ai_governance/licensing/contracts.yaml", "in row 1, `>` is `>=`"),
    (
        "blockchain/chain/commit_block.yaml",
        "`$.payload.proposed_block.height` is read instead of `$.nodes.head.revision`",
    ),
    (
        "blockchain/chain/commit_block.yaml",
        "`$.nodes.head.revision` is read instead of `$.payload.proposed_block.height`",
    ),
    ("blockchain/consensus/propose_block.yaml", "`minimum` at `/limit` is gone"),
    ("blockchain/consensus/propose_block.yaml", "`maxItems` at `/claims` is gone"),
    ("blockchain/consensus/propose_block.yaml", "`maxItems` at `/waiting` is gone"),
    ("blockchain/consensus/simulation.yaml", "`maxItems` at `/steps` is gone"),
    (
        "blockchain/consensus/simulation.yaml",
        "`rejected` leads to `play/steps[]/ACCEPTED` instead of `play/steps[]/SKIPPED`",
    ),
    ("blockchain/wallets/submit_transaction.yaml", "the payload's `maxLength` at `/data` is gone"),
}


def found(selector: str = "", workers: int | None = 1) -> Mutation:
    workspace = Workspace(ROOT)
    compilation = compile_workspace(workspace.root, shipped=shipped_root())
    return mutate(compilation, workspace.capabilities, selector, workers=workers)


def changes(mutation: Mutation) -> set[tuple[str, str]]:
    return {(str(item["file"]).removeprefix("protocols/"), str(item["change"])) for item in mutation.survivors}


@pytest.mark.parametrize("selector", ["blockchain/identity/", "ai_governance/collatz/"])
def test_scenarios_of_a_folder_kill_every_mutant_of_what_they_run(selector: str) -> None:
    mutation = found(selector)
    assert mutation.of > 30
    assert changes(mutation) == set()
    assert mutation.ok


@pytest.mark.skipif(not THOROUGH, reason="OMNIBACHI_THOROUGH is not set")
def test_what_survives_of_all_is_what_the_page_says() -> None:
    mutation = found(workers=None)
    assert changes(mutation) == SURVIVE
    assert len(mutation.survivors) == len(SURVIVE)
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    assert f"{mutation.of:,}" in page


def test_the_page_has_a_reason_for_each() -> None:
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    _, _, table = page.partition("### What survives in what ships")
    rows = [line for line in table.splitlines() if re.match(r"\| `", line)]
    assert {name for row in rows for name in re.findall(r"[a-z_]+/[a-z_]+\.yaml", row)} == {
        "/".join(file.split("/")[-2:]) for file, _ in SURVIVE
    }
    assert all(len(row.split(" | ")) == 3 and len(row.split(" | ")[2]) > 20 for row in rows)
