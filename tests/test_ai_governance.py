"""The domain `ai_governance` as its users meet it: facts, examples, laws, and scenarios that leave nothing out."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from governed import (
    ACTION,
    ACTIONS,
    ADMISSION,
    COLLATZ,
    DENY,
    FACTS,
    GOVERNANCE,
    LICENSES,
    LICENSING,
    LIMITS,
    NUMBERS,
    PROVISION,
    RECLAIM,
    ROOT,
    STANDARD,
    TRAINING,
    WORKFLOWS,
    facts,
    provision,
    request,
)
from omnibachi import Workspace, replay, verify
from omnibachi.__main__ import main as front
from omnibachi_model.digests import encode

EXAMPLES = {
    "govern_agent_action": (ACTION, "authorized", "COMPLETED"),
    "govern_agent_admission": (ADMISSION, "authorized", "COMPLETED"),
    "provision_ai_licensing": (PROVISION, "provisioned", "COMPLETED"),
    "auto_reclaim": (RECLAIM, "reclaimed", "COMPLETED"),
    "deny_provision": (DENY, "denied", "DENIED"),
    "demo_collatz_conjecture": (COLLATZ, "conjecture_proven", "COMPLETED"),
}
DECLARED = "".join(file.read_text("utf-8") for file in sorted((ROOT / "protocols/ai_governance").rglob("*.yaml")))
READING = request("READ_RECORD", {"record_type": "user_profile", "id": "1"})


@pytest.fixture
def governed(tmp_path: Path) -> Workspace:
    """The shipped snapshot, with state and traces elsewhere."""
    found = Workspace(ROOT)
    found.data_root = str(tmp_path / "data")
    found.traces.folder = str(tmp_path / "traces")
    return found


def test_every_example_runs_and_has_its_picture(governed: Workspace) -> None:
    """In the order of the table: what is taken back must be given first."""
    folder = ROOT / "examples" / "ai_governance"
    assert {path.stem for path in folder.glob("*.json")} == {"facts", *EXAMPLES}
    assert {address for address, _, _ in EXAMPLES.values()} == set(WORKFLOWS)
    loaded = governed.load_facts(folder / "facts.json", data_root=governed.data_root)
    assert loaded.loaded == {FACTS: 3, TRAINING: 2, LIMITS: 1}
    snapshot = governed.load()
    for name, (address, ending, status) in EXAMPLES.items():
        result = governed.run(address, json.loads((folder / f"{name}.json").read_text("utf-8")))
        assert (result.exit, result.status, result.diagnostics) == (ending, status, ())
        assert Path(governed.traces.path(str(result.trace_id), "png")).read_bytes().startswith(b"\x89PNG")
        assert verify(result.record, data_root=governed.data_root).verdict == "ANCHORED"
        assert replay(result.record, snapshot).same


def test_a_fresh_data_root_holds_no_facts(governed: Workspace) -> None:
    for store in (FACTS, TRAINING, LIMITS):
        assert governed.records(store, data_root=governed.data_root) == []
    assert governed.run(ACTION, READING, picture=False).exit == "unauthorized_actor"


def test_the_shipped_facts_are_loaded_by_name(governed: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--data-root", str(governed.data_root), "--workspace", str(ROOT), "--json")
    assert front(["data", "load", "ai_governance/license_facts", *where]) == 0
    assert json.loads(capsys.readouterr().out)["loaded"] == {FACTS: 2}
    assert governed.records(FACTS, data_root=governed.data_root) == [
        {"key": "EMP_STD_001", "value": {**STANDARD, "org_unit": "engineering"}},
        {
            "key": "EMP_ENT_001",
            "value": {"license_status": "active", "license_tier": "enterprise", "org_unit": "platform"},
        },
    ]
    for user, tier in (("EMP_STD_001", "standard"), ("EMP_ENT_001", "enterprise")):
        result = governed.run(ACTION, {**READING, "requesting_user_id": user}, picture=False)
        assert (result.exit, result.result["tier"]) == ("authorized", tier)  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("store", "record", "pointer"),
    [
        (FACTS, {"license_status": "active"}, "license_tier"),
        (FACTS, {"license_status": "pending", "license_tier": "standard"}, "license_status"),
        (FACTS, {"license_status": "active", "license_tier": "gold"}, "license_tier"),
        (FACTS, {**STANDARD, "org_unit": None}, "org_unit"),
        (FACTS, {**STANDARD, "boss": "x"}, "boss"),
        (TRAINING, {"completed": "true"}, "completed"),
        (LIMITS, {"cap": -1}, "cap"),
        (LIMITS, {"cap": 1.5}, "cap"),
        (LIMITS, {}, "cap"),
    ],
)
def test_a_bad_fact_is_refused(
    governed: Workspace, tmp_path: Path, store: str, record: dict[str, Any], pointer: str
) -> None:
    file = tmp_path / "facts.json"
    stores = {FACTS: {"GOOD": STANDARD}}
    stores.setdefault(store, {})["BAD"] = record
    file.write_text(json.dumps({"schema": "omnibachi.seed/1", "stores": stores}))
    result = governed.load_facts(file, data_root=governed.data_root)
    assert result.loaded == {} and pointer in " ".join(item.message for item in result.diagnostics)
    assert governed.records(FACTS, data_root=governed.data_root) == []


@pytest.mark.parametrize(
    ("store", "record"),
    [
        (LICENSES, {"employee_id": "EMP_1", "status": "ACTIVE"}),
        (ACTIONS, {}),
        (NUMBERS, {}),
        (GOVERNANCE, {}),
        (LICENSING, {"employee_id": "EMP_1", "license_id": "LIC_1", "at": "2026-01-01T00:00:00Z"}),
    ],
)
def test_history_cannot_be_planted(governed: Workspace, tmp_path: Path, store: str, record: dict[str, Any]) -> None:
    file = tmp_path / "facts.json"
    file.write_text(json.dumps({"schema": "omnibachi.seed/1", "stores": {store: {"LIC_1": record}}}))
    result = governed.load_facts(file, data_root=governed.data_root)
    assert result.loaded == {} and result.diagnostics
    assert governed.records(store, data_root=governed.data_root) == []


def test_the_same_request_has_the_same_digest_in_any_order(governed: Workspace) -> None:
    """It is that of the payload's canonical bytes, so that whoever has the request can find its grant."""
    result = governed.run(ACTION, READING, picture=False)
    turned = governed.run(ACTION, dict(reversed(READING.items())), picture=False)
    wanted = f"0x{hashlib.sha256(encode(READING)).hexdigest()}"
    assert result.result == turned.result == {"intent_hash": wanted, "reason": "unauthorized_actor"}


def test_facts_that_change_change_what_is_decided(governed: Workspace, tmp_path: Path) -> None:
    """Nothing is remembered of an earlier run."""
    file = tmp_path / "facts.json"
    ends = []
    for status in ("active", "suspended", "active", "revoked"):
        file.write_text(json.dumps(facts(license_facts={"EMP_STD_001": {**STANDARD, "license_status": status}})))
        governed.load_facts(file, data_root=governed.data_root)
        ends.append(governed.run(ACTION, READING, picture=False).exit)
    assert ends == ["authorized", "unauthorized_actor", "authorized", "unauthorized_actor"]
    assert len(governed.records(ACTIONS, data_root=governed.data_root)) == 1
    assert len(governed.records(GOVERNANCE, data_root=governed.data_root)) == 4


def test_the_reason_code_of_a_request_decides_nothing(governed: Workspace) -> None:
    for reason in (None, "QUOTA_EXCEEDED", "APPROVED"):
        result = governed.run(PROVISION, provision("EMP_1", f"LIC_{reason}", reason_code=reason), picture=False)
        assert result.exit == "provisioned"
    result = governed.run(
        PROVISION, provision("EMP_1", "LIC", training_completed=False, reason_code="X"), picture=False
    )
    assert (result.exit, result.result) == ("denied", {"reason_code": "TRAINING_INCOMPLETE"})


def test_every_law_is_proven_of_what_it_binds(governed: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    bound = {
        ACTION: {"IV_LICENSE_BEFORE_GRANT_V0", "IV_DENIAL_IS_TOLD_V0"},
        ADMISSION: {"IV_LICENSE_BEFORE_GRANT_V0", "IV_DENIAL_IS_TOLD_V0"},
        PROVISION: {"IV_TRAINED_AND_UNDER_CAP_V0", "IV_DENIAL_IS_TOLD_V0"},
        DENY: {"IV_DENIAL_IS_TOLD_V0"},
        RECLAIM: {"IV_REVOKE_AFTER_PROVISION_V0", "IV_DENIAL_IS_TOLD_V0"},
        COLLATZ: {"IV_PROVE_THEN_STORE_V0"},
    }
    for workflow, laws in bound.items():
        assert front(["show", workflow, "--workspace", str(ROOT)]) == 0
        said = capsys.readouterr().out
        assert set(re.findall(r"ai_governance::(IV_\w+)", said)) == laws, workflow


def test_the_scenarios_leave_nothing_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert front(["test", "ai_governance", "--workspace", str(ROOT), "--json"]) == 0
    coverage = json.loads(capsys.readouterr().out)["coverage"]
    assert coverage["missed"] == []
    for kind in ("nodes", "outcomes", "rows", "exits", "laws"):
        reached, of = coverage[kind]
        assert reached == of > 0


def test_the_page_says_what_is_there(governed: Workspace) -> None:
    page = (ROOT / "docs" / "ai_governance.md").read_text("utf-8")
    for name in re.findall(r"`(?:ai_governance::)?((?:WF|ST)_\w+_V0)`", page):
        assert re.search(rf"^(?:workflow|store): {name}$", DECLARED, re.MULTILINE), name
    named = set(re.findall(r"`(IV_\w+)`", page))
    assert named == set(re.findall(r"^invariant: (\w+)$", DECLARED, re.MULTILINE))
    for path in re.findall(r"examples/\S+?\.json", page):
        assert (ROOT / path).is_file(), path
