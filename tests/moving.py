"""The shipped value flows in a data root of the test's own: actors with wallets, operators, and payloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnibachi import Engine, RunResult, Workspace
from omnibachi_capabilities.generate_id import generate_id

ROOT = Path(__file__).resolve().parent.parent
ACCOUNTS, MEMPOOL, EVENTS, OPERATORS = (
    f"blockchain::ST_{name}_V0" for name in ("ACCOUNTS", "MEMPOOL", "TRANSACTION_EVENTS", "OPERATORS")
)
GENESIS = "OP_GENESIS"


def identifier(prefix: str, data: Any) -> str:
    """Derive an id as `CT_GENERATE_ID_V0` does."""
    return str(generate_id({"prefix": prefix, "data": data, "length": 16})[1]["id"])


class Actor:
    """An actor, and the one standard wallet that they may have."""

    def __init__(self, name: str) -> None:
        self.record = {"first_name": name, "last_name": "Family", "email_registration": f"{name.lower()}@example.org"}
        self.id = identifier("AC", self.record)
        self.wallet = identifier("W", {"actor_id": self.id, "wallet_type": "standard"})


def flow(name: str) -> str:
    """Return the address of a workflow of `blockchain`."""
    return f"blockchain::WF_{name}_V0"


def settle(engine: Engine, *actors: Actor) -> None:
    """Register and verify actors and give each a wallet."""
    for actor in actors:
        who = {"actor_record": actor.record}
        ran(engine, "REGISTER_ACTOR_UNVERIFIED", "registered", **who)
        more = {"actor_id": actor.id, "verifier_id": "VERIFIER_1", "decision": "VERIFIED"}
        ran(engine, "VERIFY_ACTOR", "verified", **who, **more)
        ran(engine, "CREATE_WALLET", "created", **who, actor_id=actor.id)


def ran(engine: Engine, name: str, exit: str, **payload: Any) -> RunResult:
    """Run a workflow that must end at an exit."""
    result = engine.run(flow(name), payload)
    assert result.exit == exit, (result.exit, result.result, result.diagnostics)
    return result


def operators(workspace: Workspace, data_root: str | Path) -> None:
    """Load the shipped operators."""
    assert workspace.load_facts("blockchain/operators", data_root=data_root).ok


def balances(workspace: Workspace, data_root: str | Path) -> dict[str, int]:
    """Return all balances by account, having looked that they sum to zero."""
    found: dict[str, int] = {
        str(item["account"]): int(item["balance"])  # type: ignore[arg-type]
        for item in workspace.records(ACCOUNTS, data_root=data_root)
    }
    assert sum(found.values()) == 0
    return found
