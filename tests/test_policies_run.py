"""The transforms of a decision in a run: from the shipped catalogue, under locks, replayed, and shadowed by nobody."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from front_door import Call, call, workspace
from omnibachi import Workspace
from omnibachi.packs import in_force
from omnibachi_model.digests import decode, digest

__all__ = ["call", "workspace"]

ROOT = Path(__file__).resolve().parent.parent
JUDGE = """\
intent: IN_JUDGED_V0
payload:
  type: object
  properties: {message: {type: string}, boundary: {type: object}}
  required: [message, boundary]
---
workflow: WF_JUDGE_V0
summary: Take facts, ask a pack.
intent: IN_JUDGED_V0
start: facts
fault: failed
nodes:
  facts:
    use: CT_AUTHORITATIVE_FACTS_V0
    with:
      anchors: {intent_type: chat.message, stream_id: default, lane: user_chat}
      intent: {payload: {message: $.payload.message}}
      identity: {principal: local}
      boundary: $.payload.boundary
    next: {SUCCESS: verdict}
  verdict:
    use: CT_POLICY_EVALUATE_V0
    with: {policy: $.payload.boundary.policy, facts: $.nodes.facts.facts, intent_normative_digest: none}
    next: {ALLOW: allowed, DENY: denied}
exits:
  allowed: {status: COMPLETED, result: {decision: $.nodes.verdict.decision}}
  denied: {status: DENIED, result: {decision: $.nodes.verdict.decision}}
  failed: {status: FAILED}
"""


@pytest.fixture
def court(workspace: Path, call: Call) -> Path:
    """A workspace that declares the two transforms and a workflow over them, compiled."""
    place = workspace / "protocols/dbl"
    place.mkdir()
    (place / "domain.yaml").write_text("domain: dbl\nsummary: The decision boundary.\n")
    for name in ("deciding", "policies"):
        shutil.copy(ROOT / f"protocols/dbl/{name}.yaml", place)
    (place / "judge.yaml").write_text(JUDGE)
    said = call("compile")
    assert said.status == 0, said.err
    return workspace


def judge(call: Call, court: Path, trace: str, message: str, spoil: dict[str, Any], *more: str) -> tuple[int, Any]:
    """Run the workflow with the demo pack, of which `spoil` replaces members."""
    policy = {**in_force(Workspace(court).load(), "demo"), **spoil}
    boundary = {"provider": "stub", "model_id": "stub-echo", "policy": policy}
    (court / "payload.json").write_text(json.dumps({"message": message, "boundary": boundary}))
    how = ("--payload", "payload.json", "--trace-id", trace, "--no-picture", "--json", *more)
    said = call("run", "--wf", "dbl::WF_JUDGE_V0", *how)
    result = said.json().get("result") or {} if said.out else {}
    return said.status, result.get("decision", {}).get("reason_codes", said.out + said.err)


def test_a_run_decides_and_replays(call: Call, court: Path) -> None:
    assert judge(call, court, "T1", "hello", {}) == (0, ["policy.within_limits"])
    assert judge(call, court, "T2", "x" * 281, {}, "--strict") == (5, ["policy.message_too_long"])
    assert judge(call, court, "T3", "hello", {"digest": digest(b"")}) == (5, ["policy.unavailable"])
    assert judge(call, court, "T4", "hello", {"pack": {}}, "--strict") == (5, ["policy.unavailable"])
    for trace in ("T1", "T2", "T3", "T4"):
        assert call("replay", trace).status == 0
        assert call("verify", trace).status == 0


def test_the_lock_covers_all_of_the_room(court: Path) -> None:
    manifest = decode((court / "protocol_snapshot/manifest.json").read_bytes())
    lock = manifest["capabilities"]["dbl::CT_POLICY_EVALUATE_V0"]
    assert lock["implementation"] == "omnibachi_policy.deciding:policy_evaluate"
    for name in ("", ".deciding", ".evaluation", ".facts", ".gates"):
        file = ROOT / "policy/omnibachi_policy" / (f"{name[1:]}.py" if name else "__init__.py")
        assert lock["modules"][f"omnibachi_policy{name}"] == digest(file.read_bytes())


def test_a_workspace_cannot_put_another_room_in_its_place(call: Call, court: Path) -> None:
    """Neither before compiling, where the lock is not that of what is loaded, nor after, where it is not looked at."""
    planted = court / "capabilities/omnibachi_policy"
    shutil.copytree(ROOT / "policy/omnibachi_policy", planted, ignore=shutil.ignore_patterns("__pycache__"))
    deciding = planted / "deciding.py"
    deciding.write_text(deciding.read_text().replace('return decision["result"]', 'return "ALLOW"'))
    assert judge(call, court, "T5", "x" * 281, {}) == (5, ["policy.message_too_long"])
    assert call("compile").status == 0
    status, said = judge(call, court, "T6", "x" * 281, {})
    assert status == 4 and "OB604" in said
