"""The whole story of the shipped domains, played on one data root: who is who, what they have, and what they may do.

    .venv/bin/python examples/story.py [--data-root DIR]

Actors are registered and verified, get wallets, mint, send and stake; transactions are signed; a simulation of 24 slots
plays 24 transactions; a chain begins and grows; agents ask, and licences are given until there are no more. Each step
says how it should end, and the script ends with status 1 where one ends otherwise or a balance does not add up. The
words behind the signing key are made in memory and written nowhere.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from omnibachi import Engine, Workspace

HERE = Path(__file__).resolve().parent.parent
OPERATOR = "OP_GENESIS"
PEOPLE = [("First", "Actor"), ("Second", "Actor"), ("Third", "Actor")]
ZEROS = "0" * 64


class Step(NamedTuple):
    """What is asked for, and the exit that it should end at; `said` is a word for the table."""

    said: str
    workflow: str
    payload: dict[str, Any]
    exit: str


class Teller:
    """The story as steps; what later steps need of earlier ones is kept from their results."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.actors: list[str] = []
        self.wallets: list[str] = []
        self.head = ""
        self.result: dict[str, Any] = {}

    def steps(self) -> Iterator[Step]:
        """Yield one step after the other; `result` is set to what came of each before the next is asked for."""
        yield from self.people()
        yield from self.value()
        yield from self.signed()
        yield from self.simulated()
        yield from self.chained()
        yield from self.governed()

    def people(self) -> Iterator[Step]:
        """Register, verify, and give wallets; one who is not verified gets none."""
        for number, (first, last) in enumerate(PEOPLE):
            record = self.record(number)
            yield Step(f"{first} {last} registers", "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0",
                       {"actor_record": record}, "registered")  # fmt: skip
            self.actors.append(self.result["actor_id"])
            asked = {"actor_record": record, "actor_id": self.actors[-1]}
            if number == 0:
                yield Step("a wallet before the verification", "blockchain::WF_CREATE_WALLET_V0", asked, "not_admitted")
            yield Step("somebody verifies", "blockchain::WF_VERIFY_ACTOR_V0",
                       {**asked, "verifier_id": OPERATOR, "decision": "VERIFIED"}, "verified")  # fmt: skip
            yield Step("a wallet", "blockchain::WF_CREATE_WALLET_V0", asked, "created")
            self.wallets.append(self.result["wallet_id"])
            validator = {
                "actor_id": self.actors[-1], "pubkey": f"0x{number + 1:096x}",
                "withdrawal_credentials": f"0x{number + 1:064x}", "status": "ACTIVE_ONGOING",
                "effective_balance": 32_000_000_000, "activation_epoch": 0, "exit_epoch": None,
            }  # fmt: skip
            yield Step("a validator", "blockchain::WF_REGISTER_VALIDATOR_V0", {"validator_record": validator},
                       "registered")  # fmt: skip

    def value(self) -> Iterator[Step]:
        """Mint, send, send too much, stake."""
        one, two, _ = self.wallets
        mint = {"to_wallet_id": one, "amount": 1000, "triggered_by": OPERATOR, "request_id": "first"}
        yield Step("1000 are minted", "blockchain::WF_MINT_V0", mint, "minted")
        yield Step("the same request again", "blockchain::WF_MINT_V0", mint, "duplicate")
        send = {"actor_record": self.record(0), "from_wallet_id": one, "to_address": two}
        yield Step("400 are sent", "blockchain::WF_TRANSFER_V0", {**send, "amount": 400}, "transferred")
        yield Step("more than there is", "blockchain::WF_TRANSFER_V0", {**send, "amount": 601}, "insufficient_funds")
        yield Step("what belongs to another", "blockchain::WF_TRANSFER_V0",
                   {**send, "from_wallet_id": two, "to_address": one, "amount": 1}, "not_owner")  # fmt: skip
        yield Step("100 are staked", "blockchain::WF_STAKE_V0",
                   {"actor_record": self.record(0), "from_wallet_id": one, "amount": 100}, "staked")  # fmt: skip
        yield Step("somebody who is no operator mints", "blockchain::WF_MINT_V0",
                   {**mint, "triggered_by": "NOBODY"}, "not_operator")  # fmt: skip

    def signed(self) -> Iterator[Step]:
        """Sign transactions with a key that is only in memory."""
        drawn = self.workspace.call("std::CS_ENTROPY_V0.DRAW", {"bytes": 16})
        made = self.workspace.call("std::CT_ENTROPY_TO_MNEMONIC_V0", {"entropy": drawn.output["hex"]})
        transaction = {
            "actor_record": self.record(0), "wallet_id": self.wallets[0], "value": "1000000000000000000",
            "to_address": "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F", "mnemonic": made.output["mnemonic"],
        }  # fmt: skip
        yield Step("a signed transaction", "blockchain::WF_SUBMIT_TRANSACTION_V0", transaction, "submitted")
        yield Step("another one", "blockchain::WF_SUBMIT_TRANSACTION_V0", transaction, "submitted")
        yield Step("a tip above the fee", "blockchain::WF_SUBMIT_TRANSACTION_V0",
                   {**transaction, "max_fee_per_gas": "1"}, "refused")  # fmt: skip

    def simulated(self) -> Iterator[Step]:
        """Play 24 transactions in 24 slots."""
        one, two, three = self.wallets
        transfers = [
            {"tx_type": "TRANSFER", "actor_record": self.record(0), "from_wallet_id": one, "to_address": three,
             "amount": 10 + number}
            for number in range(10)
        ]  # fmt: skip
        others = [
            {"tx_type": "MINT", "to_wallet_id": two, "amount": 50},
            {"tx_type": "POOL", "amount": 30},
            {"tx_type": "REWARD", "to_wallet_id": three, "block_hash": f"0x{1:064x}", "amount": 5},
            {"tx_type": "SLASH", "from_wallet_id": one, "validator_index": 0, "amount": 20},
            {"tx_type": "UNSTAKE", "actor_record": self.record(0), "to_wallet_id": one, "validator_index": 0,
             "amount": 30},
            {"tx_type": "BURN", "from_wallet_id": two, "amount": 40},
            {"tx_type": "BURN", "from_wallet_id": two, "amount": 100_000},
        ]  # fmt: skip
        sequence = [*transfers, *others, *transfers][:24]
        asked = {
            "simulation_id": "story", "slot_duration_seconds": 12, "max_slots": 24, "tx_interval_seconds": 12,
            "max_transactions": 24, "tx_sequence": sequence, "triggered_by": OPERATOR,
        }  # fmt: skip
        yield Step("24 slots, 24 transactions", "blockchain::WF_RUN_CHAIN_SIMULATION_V0", asked, "simulated")
        yield Step("the same simulation again", "blockchain::WF_RUN_CHAIN_SIMULATION_V0", asked, "exists")

    def chained(self) -> Iterator[Step]:
        """Begin a chain and let it grow."""
        one, two, _ = self.wallets
        minted = {"tx_type": "MINT", "amount": 500, "from_wallet": None, "to_wallet": one}
        genesis = {"predecessor_hash": ZEROS, "height": 0, "transactions": [minted]}
        yield Step("a chain begins", "blockchain::WF_BOOTSTRAP_GENESIS_CHAIN_V0", {"genesis_block_content": genesis},
                   "bootstrapped")  # fmt: skip
        head = self.result["head"]
        moved = {"tx_type": "TRANSFER", "amount": 200, "from_wallet": one, "to_wallet": two}
        block = {"predecessor_hash": head, "height": 1, "transactions": [moved]}
        yield Step("a block follows", "blockchain::WF_COMMIT_BLOCK_V0", {"proposed_block": block}, "committed")
        yield Step("one that follows another", "blockchain::WF_COMMIT_BLOCK_V0",
                   {"proposed_block": {**block, "height": 2}}, "wrong_predecessor")  # fmt: skip
        overdrawn = {**moved, "amount": 301}
        yield Step("a block that overdraws", "blockchain::WF_COMMIT_BLOCK_V0",
                   {"proposed_block": {"predecessor_hash": self.head, "height": 2, "transactions": [overdrawn]}},
                   "insufficient_funds")  # fmt: skip

    def governed(self) -> Iterator[Step]:
        """Let agents ask, and give licences until there are no more."""
        asked = {
            "tool_name": "PROVISION_STANDARD_LICENSE", "parameters": {"tier": "standard", "quantity": 100},
            "requesting_user_id": "EMP_STD_001", "domain_context": "licensing",
        }  # fmt: skip
        action = "ai_governance::WF_GOVERN_AGENT_ACTION_V0"
        yield Step("an agent may", action, asked, "authorized")
        yield Step("one too many", action, {**asked, "parameters": {"tier": "standard", "quantity": 101}},
                   "parameter_violation")  # fmt: skip
        yield Step("another tool", action, {**asked, "tool_name": "DROP_TABLE"}, "undeclared_tool")
        yield Step("nobody known", action, {**asked, "requesting_user_id": "EMP_X"}, "unauthorized_actor")
        for number in range(3):
            yield Step(f"licence {number + 1} of 2", "ai_governance::WF_PROVISION_AI_LICENSING_V0", {
                "employee_id": f"EMP_{number}", "generated": {"license_id": f"LIC_{number}"},
                "context": {"training_completed": True, "assigned_count": 0, "cap": 2},
            }, "provisioned" if number < 2 else "denied")  # fmt: skip
        yield Step("an idle licence comes back", "ai_governance::WF_AUTO_RECLAIM_V0", {
            "license_id": "LIC_0", "employee_id": "EMP_0", "context": {"last_active_date": "2020-01-01T00:00:00Z"},
        }, "reclaimed")  # fmt: skip
        yield Step("27 comes down to 1", "ai_governance::WF_DEMO_COLLATZ_CONJECTURE_V0", {"numbers": [27, 97, 871]},
                   "conjecture_proven")  # fmt: skip

    def record(self, number: int) -> dict[str, str]:
        """Return what a person says about themselves."""
        first, last = PEOPLE[number]
        return {"first_name": first, "last_name": last, "email_registration": f"{first.lower()}@example.org"}


def play(engine: Engine, teller: Teller, progress: Progress, table: Table) -> int:
    """Play all steps and fill the table; return how many ended otherwise than they should."""
    wrong = 0
    task = progress.add_task("playing", total=None)
    for number, step in enumerate(teller.steps(), 1):
        ended = engine.run(step.workflow, step.payload)
        teller.result = ended.result or {}
        if "head" in teller.result:
            teller.head = teller.result["head"]
        right = ended.exit == step.exit
        wrong += not right
        said = str(ended.exit) if right else f"[bold]{ended.exit}, not {step.exit}[/bold]"
        table.add_row(str(number), step.said, step.workflow.partition("::")[2], said)
        progress.update(task, advance=1, description=step.said)
    progress.update(task, total=number)
    return wrong


def balances(workspace: Workspace, data_root: str, console: Console) -> bool:
    """Show all balances; tell whether those of each store sum to zero."""
    right = True
    for store in ("blockchain::ST_ACCOUNTS_V0", "blockchain::ST_CHAIN_ACCOUNTS_V0"):
        table = Table("account", "balance", title=store)
        found = workspace.records(store, data_root=data_root)
        for account in found:
            table.add_row(account["account"], str(account["balance"]))
        total = sum(account["balance"] for account in found)
        table.add_row("all together", str(total))
        right = right and total == 0
        console.print(table)
    return right


def main(arguments: list[str]) -> int:
    """Play the story; return 0 where everything ended as it should."""
    parser = argparse.ArgumentParser(description="Play the whole story of the shipped domains.")
    parser.add_argument("--data-root", help="where the state goes (default: a folder that is removed)")
    chosen = parser.parse_args(arguments).data_root
    console = Console()
    workspace = Workspace(HERE)
    with tempfile.TemporaryDirectory() as aside:
        data_root = chosen or aside
        for seed in ("blockchain/operators", "ai_governance/license_facts"):
            loaded = workspace.load_facts(seed, data_root=data_root)
            if loaded.diagnostics:
                console.print(*loaded.diagnostics)
                return 1
        table = Table("", "what", Column("workflow", no_wrap=True), "ends at")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with (
            workspace.engine(data_root) as engine,
            Progress(*columns, console=Console(stderr=True), transient=True) as progress,
        ):
            wrong = play(engine, Teller(workspace), progress, table)
        console.print(table)
        right = balances(workspace, data_root, console)
    if wrong or not right:
        console.print(f"{wrong} steps ended otherwise" if wrong else "the balances do not sum to zero")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
