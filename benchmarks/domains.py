"""The shipped domains cost the same however much they hold: registration, transfer, agent action at 0 and at 100,000.

A full data root holds 100,000 actors with their registrations told, as many wallets with two accounts each, as many
movements that wait and are told, and as many actions that were granted and told. They are put there through the
ledger's own doors, many in one transaction, as the workflows would have left them. Both data roots take turns; what is
allowed is a quarter more, as in flat.py. Besides: the whole story, start to end.

Run it as `python benchmarks/domains.py [MOST]`; the status is 1 where something grows by more.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any

from measured import machine

from omnibachi import Engine, Workspace
from omnibachi_model.digests import digest, encode

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = 1.25
ROUNDS = 300
AT = "2026-01-01T00:00:00Z"
AT_ONCE = 1000  # records in one transaction
NAMES = (
    "ACTORS", "IDENTITY_EVENTS", "WALLETS", "WALLET_EVENTS", "ACCOUNTS", "MEMPOOL", "TRANSACTION_EVENTS",
)  # fmt: skip
ACTORS, IDENTITY, WALLETS, WALLET_EVENTS, ACCOUNTS, MEMPOOL, TOLD = (f"blockchain::ST_{name}_V0" for name in NAMES)
ACTIONS, GOVERNANCE = "ai_governance::ST_GOVERNED_ACTIONS_V0", "ai_governance::ST_GOVERNANCE_EVENTS_V0"
SEEDS = ("blockchain/operators", "ai_governance/license_facts")
_numbers = count(1)


def record(number: int) -> dict[str, str]:
    """Return what an actor says about themselves."""
    return {"first_name": "Given", "last_name": "Family", "email_registration": f"a{number}@example.org"}


def main(most: int) -> int:
    """Fill the data roots, measure in turns, print the tables."""
    workspace = Workspace(ROOT)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        engines, cases = {}, {}
        for size in (0, most):
            root = Path(name) / str(size)
            for seed in SEEDS:
                assert not workspace.load_facts(seed, data_root=root).diagnostics
            engine = engines[size] = stack.enter_context(workspace.engine(root))
            cases[size] = measured(engine)  # what they need comes first, and with it the indexes
            begun = time.perf_counter()
            fill(engine, size)
            print(f"{size:,} of each: {time.perf_counter() - begun:.1f} s, ", end="")
            print(f"{(root / 'store.db').stat().st_size / 1e6:.1f} MB", flush=True)
        rows = {case: taken([cases[size][case] for size in cases]) for case in cases[0]}
        story = min(played(Path(name) / f"story-{number}") for number in range(3))
    print(f"\n{machine()}\n")
    print(f"| run | at 0 | at {most:,} | growth | quartiles | allowed | holds |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for case, (least, full, low, high) in rows.items():
        growth = full / least
        shown = f"{1 / least:,.0f} a second | {1 / full:,.0f} a second | {growth:.2f}x | {low:.2f} to {high:.2f}"
        print(f"| {case} | {shown} | {ALLOWED}x | {'yes' if growth <= ALLOWED else 'NO'} |")
    print(f"\nthe story (38 runs, one of them of 24 slots), as a process, the best of three: {story:.2f} s")
    return int(any(full / least > ALLOWED for least, full, _, _ in rows.values()))


def measured(engine: Engine) -> dict[str, Callable[[], float]]:
    """Give a data root two people with wallets and money; return what is measured there, each giving its seconds."""
    wallets = []
    for number in range(2):
        who: dict[str, Any] = {"actor_record": record(-number)}
        actor = run(engine, "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0", who)["actor_id"]
        more = {**who, "actor_id": actor}
        run(engine, "blockchain::WF_VERIFY_ACTOR_V0", {**more, "verifier_id": "V_1", "decision": "VERIFIED"})
        wallets.append(run(engine, "blockchain::WF_CREATE_WALLET_V0", more)["wallet_id"])
    mint = {"to_wallet_id": wallets[0], "amount": 1_000_000, "triggered_by": "OP_GENESIS"}
    run(engine, "blockchain::WF_MINT_V0", mint)
    send = {"actor_record": record(0), "from_wallet_id": wallets[0], "to_address": wallets[1], "amount": 1}
    ask = {
        "tool_name": "READ_RECORD", "requesting_user_id": "EMP_STD_001", "domain_context": "licensing",
    }  # fmt: skip

    def action() -> dict[str, Any]:
        return {**ask, "parameters": {"record_type": "user_profile", "id": str(next(_numbers))}}

    def once(workflow: str, payload: Callable[[], dict[str, Any]]) -> Callable[[], float]:
        def timed() -> float:
            given = payload()
            begun = time.perf_counter()
            run(engine, workflow, given)
            return time.perf_counter() - begun

        timed()
        return timed

    return {
        "registration": once(
            "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0", lambda: {"actor_record": record(10**9 + next(_numbers))}
        ),
        "transfer": once("blockchain::WF_TRANSFER_V0", lambda: send),
        "agent action": once("ai_governance::WF_GOVERN_AGENT_ACTION_V0", action),
    }


def run(engine: Engine, workflow: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Run a workflow that must complete; return its result."""
    result = engine.run(workflow, payload)
    assert result.status == "COMPLETED", (result.exit, result.diagnostics)
    return dict(result.result or {})


def fill(engine: Engine, size: int) -> None:
    """Leave `size` actors, wallets, movements and actions, as runs would have left them."""
    for first in range(1, size + 1, AT_ONCE):
        left(engine, f"fill-{first}", range(first, min(first + AT_ONCE, size + 1)))


def left(engine: Engine, name: str, numbers: range) -> None:
    """Leave what those numbers stand for, in one transaction of a run of its own."""
    keeps = dict.fromkeys((ACTORS, WALLETS, ACTIONS), "registry") | {ACCOUNTS: "accounts", MEMPOOL: "records"}
    keeps |= dict.fromkeys((IDENTITY, WALLET_EVENTS, TOLD, GOVERNANCE), "events")
    stores = {store: {"keeps": kind} for store, kind in keeps.items()}
    sealed = encode({"format": "omnibachi.workflow/1", "stores": stores})
    journal = engine.ledger.journal(
        name, workflow="blockchain::WF_FILL_V0", workflow_digest=digest(sealed), sealed=sealed,
        seal=engine.snapshot.seal, payload_digest=digest(b"{}"), started_at=AT,
    )  # fmt: skip
    journal.begin()
    held = {store: journal.store(store) for store in keeps}
    for number in numbers:
        for store, key, value in kept(number):
            held[store].put(key, value)
        for store, event, told in heard(number):
            held[store].append(event, told)
    journal.receipt("fill", "std::CS_RECORDS_V0.PUT", "SUCCESS")
    obs = encode({"at_us": 0})
    journal.write([("", encode({"kind": kind}), obs) for kind in ("STARTED", "ENDED")])
    journal.finish("done", "COMPLETED", digest(b"filled"))
    journal.commit()


def kept(number: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the records that belong to a number: store, key, value."""
    actor, wallet, action = f"AC_{number:016x}", f"W_{number:016x}", f"0x{number:064x}"
    yield ACTORS, actor, dict(record(number))
    yield WALLETS, wallet, {"wallet_id": wallet, "actor_id": actor, "wallet_type": "standard", "wallet_config": None}
    for account in (wallet, f"{wallet}#stake"):
        yield ACCOUNTS, account, {"balance": 0}
    waiting = {"tx_type": "TRANSFER", "from_wallet": wallet, "to_wallet": f"{wallet}#stake", "amount": 1}
    yield MEMPOOL, f"TX_{number:016x}", {"tx_id": f"TX_{number:016x}", **waiting, "status": "PENDING"}
    yield ACTIONS, action, {"tool_name": "READ_RECORD", "requesting_user_id": "EMP_STD_001"}


def heard(number: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield what was told of a number: stream, event, record."""
    actor, wallet = f"AC_{number:016x}", f"W_{number:016x}"
    yield IDENTITY, "blockchain::EV_ACTOR_REGISTERED_V0", {"actor_id": actor, "at": AT}
    yield IDENTITY, "blockchain::EV_ACTOR_VERIFIED_V0", {"actor_id": actor, "verifier_id": "V_1", "at": AT}
    yield WALLET_EVENTS, "blockchain::EV_WALLET_CREATED_V0", {"wallet_id": wallet, "actor_id": actor, "at": AT}
    to_and_fro = [{"from": "SUPPLY", "to": wallet, "amount": 1}, {"from": wallet, "to": "SUPPLY", "amount": 1}]
    yield ACCOUNTS, "posting", {"key": f"MINT {number}", "entries": to_and_fro}
    moved = {"tx_id": f"TX_{number:016x}", "tx_type": "TRANSFER", "from": wallet, "to": f"{wallet}#stake", "amount": 1}
    absent = ("request_id", "memo", "validator_index", "block_hash", "gas_limit", "max_fee_per_gas")
    more = dict.fromkeys((*absent, "max_priority_fee_per_gas"))
    yield TOLD, "blockchain::EV_VALUE_MOVED_V0", {**moved, "by": actor, **more, "at": AT}
    action = {"intent_hash": f"0x{number:064x}", "tool_name": "READ_RECORD", "requesting_user_id": "EMP_STD_001"}
    yield GOVERNANCE, "ai_governance::EV_AGENT_ACTION_AUTHORIZED_V0", {**action, "request_id": None, "at": AT}


def taken(measures: list[Callable[[], float]]) -> tuple[float, float, float, float]:
    """Let the sizes take turns; return the first deciles of both, and the quartiles of the ratios of neighbours."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(ROUNDS):
        for measure, times in zip(measures, found, strict=True):
            times.append(measure())
    low, _, high = quantiles((full / least for least, full in zip(*found, strict=True)), n=4)
    least, full = (quantiles(times, n=10)[0] for times in found)
    return least, full, low, high


def played(root: Path) -> float:
    """Play the story as a stranger would; return how long it took, in seconds."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, ROOT / "examples" / "story.py", "--data-root", root], check=True, capture_output=True
    )
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
