"""Requests, licences and numbers: payloads for the workflows of `ai_governance`, and what child processes do with
them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omnibachi import Workspace
from omnibachi_ledger.journal import Journal

ROOT = Path(__file__).resolve().parent.parent
ACTION = "ai_governance::WF_GOVERN_AGENT_ACTION_V0"
ADMISSION = "ai_governance::WF_GOVERN_AGENT_ADMISSION_V0"
PROVISION = "ai_governance::WF_PROVISION_AI_LICENSING_V0"
DENY = "ai_governance::WF_DENY_PROVISION_V0"
RECLAIM = "ai_governance::WF_AUTO_RECLAIM_V0"
COLLATZ = "ai_governance::WF_DEMO_COLLATZ_CONJECTURE_V0"
WORKFLOWS = (ACTION, ADMISSION, PROVISION, DENY, RECLAIM, COLLATZ)

FACTS = "ai_governance::ST_LICENSE_FACTS_V0"
TRAINING = "ai_governance::ST_TRAINING_V0"
LIMITS = "ai_governance::ST_LICENSING_LIMITS_V0"
LICENSES = "ai_governance::ST_LICENSES_V0"
ACTIONS = "ai_governance::ST_GOVERNED_ACTIONS_V0"
NUMBERS = "ai_governance::ST_COLLATZ_V0"
GOVERNANCE = "ai_governance::ST_GOVERNANCE_EVENTS_V0"
LICENSING = "ai_governance::ST_LICENSING_EVENTS_V0"
WRITTEN = (LICENSES, ACTIONS, NUMBERS, GOVERNANCE, LICENSING)

STANDARD = {"license_status": "active", "license_tier": "standard"}
ENTERPRISE = {"license_status": "active", "license_tier": "enterprise"}


def facts(**stores: dict[str, Any]) -> dict[str, Any]:
    """Return a file of facts about stores of the domain, named without `ST_` and `_V0`."""
    named = {f"ai_governance::ST_{name.upper()}_V0": records for name, records in stores.items()}
    return {"schema": "omnibachi.seed/1", "stores": named}


def request(tool: str, parameters: Any, user: str = "EMP_STD_001", **more: Any) -> dict[str, Any]:
    """Return what an agent asks."""
    asked = {"tool_name": tool, "parameters": parameters, "requesting_user_id": user, "domain_context": "licensing"}
    return {**asked, **more}


def provision(employee: str, licence: str, **context: Any) -> dict[str, Any]:
    """Return what asks for a licence; unless something else is said the employee is trained, and there are plenty."""
    claims = {"training_completed": True, "assigned_count": 0, "cap": 1000, **context}
    return {"employee_id": employee, "context": claims, "generated": {"license_id": licence}}


def reclaim(employee: str, licence: str, last: str = "2025-01-01T00:00:00Z", **context: Any) -> dict[str, Any]:
    """Return what asks to take a licence back."""
    return {"license_id": licence, "employee_id": employee, "context": {"last_active_date": last, **context}}


def ask_for_licences(barrier: Callable[[], None], root: str, asked: list[tuple[str, str]]) -> list[str]:
    """Ask for licences one after the other, each for an employee; return the exit of each run."""
    with Workspace(ROOT).engine(root) as engine:
        engine.linked(PROVISION)
        barrier()
        results = [engine.run(PROVISION, provision(employee, licence)) for employee, licence in asked]
    return [result.exit or result.diagnostics[0].message for result in results]


def ask_at_once(barrier: Callable[[], None], root: str, place: str, side: str, licences: list[str]) -> list[str]:
    """Ask for licences, each at the very moment at which another process asks for one of its own.

    The moment is before the first write of a run, after all that it read: each side leaves word there in a folder, and
    goes on when the other has.
    """
    begin = Journal.begin
    waiting: list[Path] = []

    def begin_together(self: Journal, **more: bool) -> None:
        if waiting:
            moment = waiting.pop()
            moment.with_suffix(f".{side}").touch()
            until = time.monotonic() + 30
            while len(list(moment.parent.glob(f"{moment.name}.*"))) < 2:
                assert time.monotonic() < until, "the other did not come"
        begin(self, **more)

    Journal.begin = begin_together  # type: ignore[assignment, method-assign]
    ends = []
    with Workspace(ROOT).engine(root) as engine:
        engine.linked(PROVISION)
        barrier()
        for turn, licence in enumerate(licences):
            waiting.append(Path(place, f"turn-{turn}"))
            result = engine.run(PROVISION, provision(f"EMP_{side}", licence, cap=turn + 1))
            ends.append(result.exit or result.diagnostics[0].message)
    return ends


def take_back(barrier: Callable[[], None], root: str, asked: list[tuple[str, str]]) -> list[str]:
    """Ask to take licences back, one after the other; return the exit of each run."""
    with Workspace(ROOT).engine(root) as engine:
        engine.linked(RECLAIM)
        barrier()
        results = [engine.run(RECLAIM, reclaim(employee, licence)) for employee, licence in asked]
    return [result.exit or result.diagnostics[0].message for result in results]
