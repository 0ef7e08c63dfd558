"""What child processes do at once on one data root: validators, blocks of slots, and blocks of the chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moving import ROOT, flow
from omnibachi import Workspace


def ask(barrier: Callable[[], None], root: str, name: str, payloads: list[dict[str, Any]]) -> list[list[Any]]:
    """Run a workflow of `blockchain` for each payload; return exit and result of each, or what was wrong."""
    with Workspace(ROOT).engine(root) as engine:
        engine.linked(flow(name))
        barrier()
        results = [engine.run(flow(name), payload) for payload in payloads]
    return [[result.exit or result.diagnostics[0].message, result.result] for result in results]


def validator(actor_id: str, number: int, **more: Any) -> dict[str, Any]:
    """Return what asks to make an actor a validator, with a public key of this number."""
    record = {
        "actor_id": actor_id,
        "pubkey": f"0x{number:096x}",
        "withdrawal_credentials": f"0x{number:064x}",
        "status": "ACTIVE_ONGOING",
        "effective_balance": 32_000_000_000,
        "activation_epoch": 0,
        "exit_epoch": None,
        **more,
    }
    return {"validator_record": record}


def proposal(slot: int, round_number: int = 0) -> dict[str, Any]:
    """Return what asks for the block of a slot."""
    return {
        "slot": slot,
        "epoch": slot // 32,
        "round_number": round_number,
        "timestamp": "2026-01-01T00:00:00Z",
        "triggered_by": "OP_GENESIS",
    }
