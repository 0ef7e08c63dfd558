"""Facts, records and the command line as the specification of the shipped domains has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from front_door import Call, call
from governed import COLLATZ, DENY
from moving import OPERATORS, ROOT, Actor, flow
from omnibachi import Workspace

__all__ = ["call"]

SHIPPED = Workspace(ROOT)
FACTS, TRAINING, LIMITS = (f"ai_governance::ST_{name}_V0" for name in ("LICENSE_FACTS", "TRAINING", "LICENSING_LIMITS"))
SEEDS = {
    "ai_governance/license_facts": {
        FACTS: {
            "EMP_STD_001": {"license_status": "active", "license_tier": "standard", "org_unit": "engineering"},
            "EMP_ENT_001": {"license_status": "active", "license_tier": "enterprise", "org_unit": "platform"},
        }
    },
    "blockchain/operators": {
        OPERATORS: {"OP_GENESIS": {"roles": ["mint", "burn", "pool", "reward", "slash", "slots"]}},
    },
}
TAKING = (OPERATORS, FACTS, TRAINING, LIMITS)


def stores() -> list[str]:
    """Return the address of every store that ships."""
    sealed = [json.loads(path.read_bytes()) for path in sorted((ROOT / "protocol_snapshot").glob("*/domain.json"))]
    return [address for domain in sealed for address in domain["stores"]]


def seed(tmp_path: Path, **found: Any) -> Path:
    """Write a file of facts."""
    file = tmp_path / "facts.json"
    file.write_text(json.dumps({"schema": "omnibachi.seed/1", **found}))
    return file


def test_a_fresh_data_root_holds_nothing(tmp_path: Path) -> None:
    assert set(TAKING) < set(stores())
    assert [address for address in stores() if SHIPPED.records(address, data_root=tmp_path / "data")] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_seeds_ship_by_name(name: str, tmp_path: Path) -> None:
    counts = {store: len(records) for store, records in SEEDS[name].items()}
    first = SHIPPED.load_facts(name, data_root=tmp_path)
    assert (first.loaded, first.unchanged, first.diagnostics) == (counts, dict.fromkeys(counts, 0), ())
    again = SHIPPED.load_facts(name, data_root=tmp_path)
    assert (again.loaded, again.unchanged, again.diagnostics) == (dict.fromkeys(counts, 0), counts, ())
    for store, records in SEEDS[name].items():
        found = SHIPPED.records(store, data_root=tmp_path)
        assert found == [{"key": key, "value": value} for key, value in records.items()]


def test_a_changed_fact_replaces_the_old_one(tmp_path: Path) -> None:
    SHIPPED.load_facts("blockchain/operators", data_root=tmp_path)
    changed = seed(tmp_path, stores={OPERATORS: {"OP_GENESIS": {"roles": []}, "OP_2": {"roles": ["mint"]}}})
    assert SHIPPED.load_facts(changed, data_root=tmp_path).loaded == {OPERATORS: 2}
    found = {item["key"]: item["value"] for item in SHIPPED.records(OPERATORS, data_root=tmp_path)}
    assert found == {"OP_GENESIS": {"roles": []}, "OP_2": {"roles": ["mint"]}}


def test_history_cannot_be_planted(tmp_path: Path) -> None:
    for address in stores():
        result = SHIPPED.load_facts(seed(tmp_path, stores={address: {}}), data_root=tmp_path / "data")
        assert (result.exit_code, bool(result.diagnostics)) == ((0, False) if address in TAKING else (3, True)), address


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({OPERATORS: {"a/b": {"roles": ["mint"]}, "~": {"roles": "mint"}}}, f"/stores/{OPERATORS}/~0/roles"),
        ({OPERATORS: {"a": {}}}, f"/stores/{OPERATORS}/a/roles"),
        ({OPERATORS: {"a": {"roles": [], "more": 1}}}, f"/stores/{OPERATORS}/a/more"),
        ({OPERATORS: {"a": []}}, f"/stores/{OPERATORS}/a"),
        ({TRAINING: {"E": {"completed": "yes"}}}, f"/stores/{TRAINING}/E/completed"),
        ({LIMITS: {"ai_licensing": {"cap": -1}}}, f"/stores/{LIMITS}/ai_licensing/cap"),
        ({FACTS: {"E": {"license_status": "active", "license_tier": "gold"}}}, f"/stores/{FACTS}/E/license_tier"),
    ],
)
def test_one_bad_record_and_nothing_is_loaded(wrong: dict[str, Any], pointer: str, tmp_path: Path) -> None:
    good = {OPERATORS: {"good": {"roles": ["mint"]}}}
    file = seed(tmp_path, stores={**good, **wrong} if OPERATORS not in wrong else wrong)
    result = SHIPPED.load_facts(file, data_root=tmp_path / "data")
    assert (result.exit_code, result.loaded, result.unchanged) == (3, {}, {})
    assert pointer in result.diagnostics[0].message
    assert SHIPPED.records(OPERATORS, data_root=tmp_path / "data") == []


@pytest.mark.parametrize("found", [{}, {"stores": []}, {"stores": {}, "more": 1}, {"stores": {"ST_X": {}}}])
def test_what_is_no_file_of_facts_is_refused(found: dict[str, Any], tmp_path: Path) -> None:
    assert SHIPPED.load_facts(seed(tmp_path, **found), data_root=tmp_path / "data").exit_code == 3


def test_the_commands_print_what_the_specification_prints(call: Call, tmp_path: Path) -> None:
    root = str(tmp_path / "data")

    def printed(*words: str) -> tuple[int, dict[str, Any]]:
        said = call(*words, "--data-root", root, "--workspace", str(ROOT), "--json")
        return said.status, json.loads(said.out)

    for name, records in SEEDS.items():
        status, loaded = printed("data", "load", name)
        assert (status, loaded["loaded"]) == (0, {store: len(facts) for store, facts in records.items()})
    status, shown = printed("data", "show", FACTS)
    assert (status, shown["schema"], shown["store"], shown["count"]) == (0, "omnibachi.data/1", FACTS, 2)
    assert shown["records"] == SHIPPED.records(FACTS, data_root=root)
    status, shown = printed("data", "show", "blockchain::ST_ACTORS_V0")
    assert (status, shown["count"], shown["records"]) == (0, 0, [])
    assert printed("data", "show", "blockchain::ST_NONE_V0")[0] == 3
    assert printed("data", "load", str(seed(tmp_path, stores={"blockchain::ST_CHAIN_V0": {}})))[0] == 3
    assert [load["stores"] for load in printed("data", "ls")[1]["loads"]] == [
        {FACTS: {"loaded": 2, "unchanged": 0}},
        {OPERATORS: {"loaded": 1, "unchanged": 0}},
    ]


def test_what_a_run_returns_and_the_status_that_it_has(tmp_path: Path) -> None:
    actor = Actor("Ada")
    ended = SHIPPED.engine(tmp_path).run(flow("REGISTER_ACTOR_UNVERIFIED"), {"actor_record": actor.record})
    assert (ended.exit, ended.status, ended.result, ended.exit_code) == (
        "registered", "COMPLETED", {"actor_id": actor.id}, 0,
    )  # fmt: skip
    assert [step.outcome for step in ended.path] == ["SUCCESS"] * 3
    assert ended.trace_id and ended.digest and ended.diagnostics == ()

    def status(workflow: str, payload: dict[str, Any], root: Path = tmp_path) -> tuple[str | None, int]:
        result = Workspace.find(tmp_path).run(workflow, payload, data_root=root, picture=False)
        return result.exit, result.exit_code

    assert status(COLLATZ, {"numbers": []}) == ("conjecture_proven", 0)
    assert status(COLLATZ, {"numbers": [27], "max_steps": 1}) == ("conjecture_undecided", 1)
    assert status(COLLATZ, {"numbers": [0]}) == ("rejected", 1)
    assert status(DENY, {"employee_id": "E", "reason_code": "ABC"}) == ("denied", 5)
    assert status("ai_governance::WF_NONE_V0", {}) == (None, 3)
    (tmp_path / "file").write_text("")
    assert status(DENY, {"employee_id": "E", "reason_code": "ABC"}, tmp_path / "file") == (None, 6)
