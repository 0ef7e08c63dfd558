"""Two real processes that govern licences at once: the cap is never exceeded, and nothing is done twice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from children import together
from governed import LICENSES, LICENSING, ROOT, ask_for_licences, facts, take_back
from omnibachi import Workspace

SHIPPED = Workspace(ROOT)


def load(root: str, place: Path, content: dict[str, Any]) -> None:
    file = place / "facts.json"
    file.write_text(json.dumps(content))
    assert SHIPPED.load_facts(file, data_root=root).loaded


def told(root: str) -> Counter[str]:
    return Counter(str(item["event"]).partition("::")[2] for item in SHIPPED.records(LICENSING, data_root=root))


def test_the_cap_is_never_exceeded(tmp_path: Path) -> None:
    """(On PostgreSQL too: test_admit.py.)"""
    cap, each, root = 12, 30, str(tmp_path / "data")
    load(root, tmp_path, facts(licensing_limits={"ai_licensing": {"cap": cap}}))
    asked = [[(f"EMP_{side}{n}", f"LIC_{side}{n}") for n in range(each)] for side in "AB"]
    said = together(*(("governed:ask_for_licences", root, side) for side in asked))
    assert Counter(end for side in said for end in side) == {"provisioned": cap, "denied": 2 * each - cap}
    kept = SHIPPED.records(LICENSES, data_root=root)
    assert len(kept) == cap and all(item["value"]["status"] == "ACTIVE" for item in kept)  # type: ignore[index, call-overload]
    assert told(root) == {"EV_LICENSE_PROVISIONED_V0": cap, "EV_PROVISION_DENIED_V0": 2 * each - cap}


def test_the_last_licence_goes_to_one(tmp_path: Path) -> None:
    """Many times over: both have read that one is left before either writes, and one of them gets it."""
    root = str(tmp_path / "data")
    turns = range(10)
    said = together(
        *(("governed:ask_at_once", root, str(tmp_path), side, [f"LIC_{side}{n}" for n in turns]) for side in "AB")
    )
    assert [sorted(pair) for pair in zip(*said, strict=True)] == [["denied", "provisioned"] for _ in turns]
    assert len(SHIPPED.records(LICENSES, data_root=root)) == len(turns)
    assert told(root) == {"EV_LICENSE_PROVISIONED_V0": len(turns), "EV_PROVISION_DENIED_V0": len(turns)}


def test_one_licence_that_both_may_have_goes_to_one(tmp_path: Path) -> None:
    """The same, where both ask for the same licence: both have read that it is free."""
    root = str(tmp_path / "data")
    names = [f"LIC_{n}" for n in range(10)]
    said = together(*(("governed:ask_at_once", root, str(tmp_path), side, names) for side in "AB"))
    assert [sorted(pair) for pair in zip(*said, strict=True)] == [["conflict", "provisioned"] for _ in names]
    assert told(root) == {"EV_LICENSE_PROVISIONED_V0": len(names)}


def test_one_licence_asked_for_by_both_has_one_holder(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    names = [f"LIC_{n}" for n in range(20)]
    said = together(*(("governed:ask_for_licences", root, [(f"EMP_{side}", name) for name in names]) for side in "AB"))
    pairs = list(zip(*said, strict=True))
    assert {tuple(sorted(pair)) for pair in pairs} == {("conflict", "provisioned")}
    holders = {item["key"]: item["value"]["employee_id"] for item in SHIPPED.records(LICENSES, data_root=root)}  # type: ignore[index, call-overload]
    for name, pair in zip(names, pairs, strict=True):
        assert holders[name] == f"EMP_{'AB'[pair.index('provisioned')]}"
    assert told(root) == {"EV_LICENSE_PROVISIONED_V0": 20}


def test_one_licence_for_one_employee_is_given_once(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    asked = [("EMP_1", f"LIC_{n}") for n in range(20)]
    said = together(*(("governed:ask_for_licences", root, asked) for _ in "AB"))
    ends = Counter(end for side in said for end in side)
    assert set(ends) <= {"provisioned", "already_provisioned"} and ends["provisioned"] >= 20
    assert len(SHIPPED.records(LICENSES, data_root=root)) == 20
    # who comes between the other's record and its event tells it as well
    assert told(root) == {"EV_LICENSE_PROVISIONED_V0": ends["provisioned"]}


def test_what_both_take_back_is_taken_back_once(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    asked = [("EMP_1", f"LIC_{n}") for n in range(20)]
    assert set(ask_for_licences(lambda: None, root, asked)) == {"provisioned"}
    said = together(*(("governed:take_back", root, asked) for _ in "AB"))
    ends = Counter(end for side in said for end in side)
    assert set(ends) <= {"reclaimed", "not_admitted"} and ends["reclaimed"] >= 20
    assert all(item["value"]["status"] == "REVOKED" for item in SHIPPED.records(LICENSES, data_root=root))  # type: ignore[index, call-overload]
    assert told(root)["EV_LICENSE_REVOKED_V0"] == ends["reclaimed"]
    assert set(take_back(lambda: None, root, asked)) == {"not_admitted"}
