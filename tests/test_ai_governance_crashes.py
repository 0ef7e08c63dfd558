"""A governing run may be killed anywhere: resumed it leaves what an undisturbed run leaves, and not resumed it locks
nobody out: the same request again completes what is missing.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from crash_cases import ID, RESUME, Case, case, fresh_place, warmed_trial
from crashing import in_child
from governed import (
    ACTION,
    ACTIONS,
    ADMISSION,
    COLLATZ,
    DENY,
    GOVERNANCE,
    LICENSES,
    LICENSING,
    NUMBERS,
    PROVISION,
    RECLAIM,
    ROOT,
    STANDARD,
    WORKFLOWS,
    facts,
    provision,
    reclaim,
    request,
)
from omnibachi import Workspace

place = fresh_place
trial = warmed_trial
SHIPPED = Workspace(ROOT)
READING = request("READ_RECORD", {"record_type": "license_pool", "id": "1"})
CASES: dict[str, tuple[dict[str, Any], str]] = {
    ACTION: (READING, "authorized"),
    ADMISSION: (request("write_file", {"path": "a", "content": ""}), "unauthorized_tool"),
    PROVISION: (provision("EMP_2", "LIC_2"), "provisioned"),
    DENY: ({"employee_id": "EMP_1", "reason_code": "BUDGET"}, "denied"),
    RECLAIM: (reclaim("EMP_1", "LIC_1"), "reclaimed"),
    COLLATZ: ({"numbers": [6]}, "conjecture_proven"),
}


@pytest.fixture(scope="module", name="governed")
def governed_folder(place: Path, trial: Path) -> Path:
    """Return a folder with facts, in which one licence was given."""
    folder = place / "governed"
    folder.mkdir()
    file = place / "facts.json"
    file.write_text(
        json.dumps(facts(license_facts={"EMP_STD_001": STANDARD}, licensing_limits={"ai_licensing": {"cap": 2}}))
    )
    assert SHIPPED.load_facts(file, data_root=folder / "data").loaded
    sets = [
        word for key, value in provision("EMP_1", "LIC_1").items() for word in ("--set", f"{key}:={json.dumps(value)}")
    ]
    ended = in_child(("run", "--wf", PROVISION, *sets, "--trace-id", "P1", "--no-picture"), folder)
    assert ended.status == 0, ended.out
    return folder


def commits(found: Case) -> list[int]:
    """Return the edges that part what a run leaves: whoever dies before a commit leaves what the one before it left."""
    return [edge for edge, name in enumerate(found.edges, 1) if name == "after COMMIT"]


def records(folder: Path, store: str) -> list[Any]:
    return SHIPPED.records(store, data_root=folder / "data")


def test_there_is_a_case_for_each_workflow() -> None:
    assert (
        {name for name in SHIPPED.load().workflows if name.startswith("ai_governance::")}
        == set(CASES)
        == set(WORKFLOWS)
    )


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_killed_run_is_resumed(place: Path, governed: Path, workflow: str) -> None:
    payload, ending = CASES[workflow]
    found = case(place, workflow.partition("::")[2], governed, workflow, payload)
    assert found.answer["exit"] == ending
    for edge in commits(found):
        found.survives(edge)


@pytest.mark.parametrize(
    ("workflow", "ends"),
    [
        (ACTION, {"authorized"}),
        (PROVISION, {"provisioned", "already_provisioned"}),
        (RECLAIM, {"reclaimed", "not_admitted"}),
        (COLLATZ, {"conjecture_proven"}),
    ],
)
def test_what_a_killed_run_left_is_completed_by_a_repeat(
    place: Path, governed: Path, workflow: str, ends: set[str]
) -> None:
    """The same request again, as another run; and what was killed may be resumed after that, and does no harm."""
    payload, _ = CASES[workflow]
    name = f"again-{workflow.partition('::')[2]}"
    found = case(place, name, governed, workflow, payload)
    said = set()
    for edge in commits(found):
        folder = found.killed(edge)
        again = tuple("T2" if word == ID else word for word in found.command)
        ended = in_child(again, folder)
        exit = json.loads(ended.out)["exit"]
        assert exit in ends, (found.edges[edge - 1], exit)
        said.add(exit)
        _complete(folder, workflow)
        assert in_child(RESUME, folder).status in (0, 1)
        _complete(folder, workflow)
        shutil.rmtree(folder)
    assert said == ends


def _complete(folder: Path, workflow: str) -> None:
    """Assert that stores and streams agree: each record is there once, and told."""
    told = [(item["event"], item["record"]) for item in records(folder, LICENSING) + records(folder, GOVERNANCE)]
    events = [str(event).partition("::")[2] for event, _ in told]
    holders = {item["key"]: item["value"] for item in records(folder, LICENSES)}
    given = {"employee_id": "EMP_1", "status": "REVOKED" if workflow == RECLAIM else "ACTIVE"}
    assert holders["LIC_1"] == given
    if workflow == PROVISION:
        assert holders["LIC_2"] == {"employee_id": "EMP_2", "status": "ACTIVE"}
        assert [record["employee_id"] for _, record in told if record["license_id"] == "LIC_2"] in (
            ["EMP_2"],
            ["EMP_2"] * 2,
        )
    if workflow == RECLAIM:
        assert events[0] == "EV_LICENSE_PROVISIONED_V0" and set(events[1:]) == {"EV_LICENSE_REVOKED_V0"}
    if workflow == ACTION:
        assert len(records(folder, ACTIONS)) == 1 and "EV_AGENT_ACTION_AUTHORIZED_V0" in events
    if workflow == COLLATZ:
        assert sorted(item["key"] for item in records(folder, NUMBERS)) == ["6"]
