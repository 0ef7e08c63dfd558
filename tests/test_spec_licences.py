"""Licences, sentence by sentence as the specification of `ai_governance` has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asking import House
from governed import DENY, LICENSES, LICENSING, LIMITS, PROVISION, RECLAIM, TRAINING, provision, reclaim

DENIED = "DENIED"
START = "2026-01-01T00:00:00Z"


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Return an empty data root."""
    return House(tmp_path / "data")


def given(house: House, *pairs: tuple[str, str]) -> None:
    """Give employees licences."""
    for employee, licence in pairs:
        ended = house.ends(PROVISION, **provision(employee, licence))
        assert ended == ("provisioned", "COMPLETED", {"license_id": licence})


def active(employee: str, status: str = "ACTIVE") -> dict[str, str]:
    """Return the record of a licence."""
    return {"employee_id": employee, "status": status}


def test_a_licence_is_provisioned_once(house: House) -> None:
    given(house, ("E1", "L1"))
    before = house.all()
    assert house.ends(PROVISION, **provision("E1", "L1")) == ("already_provisioned", "COMPLETED", {})
    # asked before whether the employee may have one
    no = provision("E1", "L1", training_completed=False, cap=0)
    assert house.exit(PROVISION, **no) == "already_provisioned"
    assert house.ends(PROVISION, **provision("E2", "L1")) == ("conflict", "REJECTED", {})
    assert house.exit(PROVISION, **provision("E2", "L1", training_completed=False)) == "conflict"
    assert house.all() == before
    assert house.values(LICENSES) == {"L1": active("E1")}
    assert house.told(LICENSING) == [{"event": "LICENSE_PROVISIONED", "employee_id": "E1", "license_id": "L1"}]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"training_completed": False}, "TRAINING_INCOMPLETE"),
        ({"training_completed": False, "cap": 0}, "TRAINING_INCOMPLETE"),
        ({"cap": 0}, "QUOTA_EXCEEDED"),
        ({"cap": 5, "assigned_count": 5}, "QUOTA_EXCEEDED"),
        ({"cap": 5, "assigned_count": 6}, "QUOTA_EXCEEDED"),
        ({"cap": 5, "assigned_count": 4}, None),
        ({"cap": 1}, None),
        ({"reason_code": "TRAINING_INCOMPLETE"}, None),
        ({"reason_code": None}, None),
        ({"cap": 0, "reason_code": "ANYTHING"}, "QUOTA_EXCEEDED"),
    ],
)
def test_claims_count_where_no_fact_speaks_against_them(
    house: House, claims: dict[str, Any], reason: str | None
) -> None:
    ended = house.ends(PROVISION, **provision("E1", "L1", **claims))
    if reason is None:
        assert ended == ("provisioned", "COMPLETED", {"license_id": "L1"})
    else:
        assert ended == ("denied", DENIED, {"reason_code": reason})
        assert house.told(LICENSING) == [{"event": "PROVISION_DENIED", "employee_id": "E1", "reason_code": reason}]
        assert house.values(LICENSES) == {}


def test_facts_outrank_claims(house: House) -> None:
    house.load(
        {LIMITS: {"ai_licensing": {"cap": 2}}, TRAINING: {"E0": {"completed": False}, "E9": {"completed": True}}}
    )
    assert house.ends(PROVISION, **provision("E0", "L0"))[2] == {"reason_code": "TRAINING_INCOMPLETE"}
    # trained by fact and not by claim is not trained
    untrained = provision("E9", "L9", training_completed=False)
    assert house.ends(PROVISION, **untrained)[2] == {"reason_code": "TRAINING_INCOMPLETE"}
    # the smaller cap: here the claim
    assert house.exit(PROVISION, **provision("E1", "L1", cap=0)) == "denied"
    given(house, ("E1", "L1"), ("E9", "L2"))
    assert house.ends(PROVISION, **provision("E3", "L3"))[2] == {"reason_code": "QUOTA_EXCEEDED"}
    # the larger use: here what is stored
    house.load({LIMITS: {"ai_licensing": {"cap": 3}}})
    assert house.exit(PROVISION, **provision("E3", "L3", cap=2)) == "denied"
    assert house.exit(PROVISION, **provision("E3", "L3", assigned_count=3)) == "denied"
    given(house, ("E3", "L3"))


def test_a_denial_is_told_every_time(house: House) -> None:
    for code in ("ABC", "A_1", "A" * 64):
        for _ in range(2):
            assert house.ends(DENY, employee_id="E1", reason_code=code) == ("denied", DENIED, {"reason_code": code})
    assert len(house.told(LICENSING, "PROVISION_DENIED")) == 6
    for wrong in ("", "AB", "abc", "1AB", "_AB", "A-B", "A" * 65, "ABC\n", 5, None):
        assert house.exit(DENY, employee_id="E1", reason_code=wrong) == "rejected"
    assert house.exit(DENY, employee_id="E1", reason_code="ABC", more=1) == "rejected"


def test_a_licence_is_reclaimed_on_the_day_and_may_be_given_again(house: House) -> None:
    given(house, ("E1", "L1"))
    before = house.all()
    early = reclaim("E1", "L1", START, current_date="2026-01-30T23:59:59Z", is_inactive=True, days_inactive=99)
    assert house.ends(RECLAIM, **early) == ("active", "COMPLETED", {})
    assert house.all() == before
    on_the_day = reclaim("E1", "L1", START, current_date="2026-01-31T00:00:00Z", is_inactive=False, days_inactive=0)
    taken = {"license_id": "L1", "days_inactive": 30}
    assert house.ends(RECLAIM, **on_the_day) == ("reclaimed", "COMPLETED", taken)
    assert house.values(LICENSES) == {"L1": active("E1", "REVOKED")}
    assert house.told(LICENSING, "LICENSE_REVOKED") == [{"employee_id": "E1", **taken}]
    before = house.all()
    assert house.ends(RECLAIM, **on_the_day) == ("not_admitted", DENIED, {})
    assert house.all() == before
    # it counts no longer, and somebody else may have it
    assert house.exit(PROVISION, **provision("E2", "L1", cap=1)) == "provisioned"
    assert house.values(LICENSES) == {"L1": active("E2")}
    assert house.exit(RECLAIM, **on_the_day) == "not_admitted"
    assert house.exit(RECLAIM, **{**on_the_day, "employee_id": "E2"}) == "reclaimed"


def test_the_order_of_checks_of_a_reclaim(house: House) -> None:
    given(house, ("E1", "L1"))
    before = house.all()
    future = "2999-01-01T00:00:00Z"
    other = reclaim("E1", "L9", future, employee_id="E2")
    assert house.ends(RECLAIM, **other) == ("identity_mismatch", DENIED, {})
    assert house.ends(RECLAIM, **reclaim("E1", "L9", future)) == ("not_admitted", DENIED, {})
    assert house.ends(RECLAIM, **reclaim("E2", "L1", future)) == ("not_admitted", DENIED, {})
    for wrong in (
        reclaim("E1", "L1", future), reclaim("E1", "L1", START, current_date=future),
        reclaim("E1", "L1", "2026-01-02T00:00:00Z", current_date=START), reclaim("E1", "L1", "long ago"),
        reclaim("E1", "L1", START, current_date="today"),
    ):  # fmt: skip
        ended, status, result = house.ends(RECLAIM, **wrong)
        assert (ended, status, set(result or ())) == ("refused", "REJECTED", {"reason"})
    assert house.all() == before


def test_the_clock_says_what_day_it_is(house: House) -> None:
    given(house, ("E1", "L1"), ("E2", "L2"))
    now = datetime.now(UTC)
    last = (now - timedelta(days=30, minutes=-5)).isoformat(timespec="seconds").replace("+00:00", "Z")
    assert house.exit(RECLAIM, **reclaim("E1", "L1", last)) == "active"
    last = (now - timedelta(days=30, minutes=5)).isoformat(timespec="seconds").replace("+00:00", "Z")
    assert house.ends(RECLAIM, **reclaim("E1", "L1", last, employee_id="E1"))[2] == {
        "license_id": "L1", "days_inactive": 30
    }  # fmt: skip
    # a date alone is its first moment
    assert house.exit(RECLAIM, **reclaim("E2", "L2", "2026-01-01", current_date="2026-01-30")) == "active"
    assert house.exit(RECLAIM, **reclaim("E2", "L2", "2026-01-01", current_date="2026-01-31")) == "reclaimed"


@pytest.mark.parametrize(
    ("threshold", "days", "exit"),
    [
        (1, 0, "active"),
        (1, 1, "reclaimed"),
        (3650, 300, "active"),
        (0, 300, "rejected"),
        (3651, 300, "rejected"),
        ("30", 300, "rejected"),
    ],
)
def test_the_threshold_has_bounds(house: House, threshold: Any, days: int, exit: str) -> None:
    given(house, ("E1", "L1"))
    current = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)).isoformat().replace("+00:00", "Z")
    asked = reclaim("E1", "L1", START, current_date=current)
    assert house.exit(RECLAIM, **asked, threshold_days=threshold) == exit


@pytest.mark.parametrize(
    "wrong",
    [
        {"employee_id": 5},
        {"context": {}},
        {"context": {"training_completed": "yes", "assigned_count": 0, "cap": 1}},
        {"context": {"training_completed": True, "assigned_count": -1, "cap": 1}},
        {"context": {"training_completed": True, "assigned_count": 0, "cap": "1"}},
        {"context": {"training_completed": True, "assigned_count": 0, "cap": 1, "more": 1}},
        {"context": {"training_completed": True, "assigned_count": 0, "cap": 1, "reason_code": 5}},
        {"generated": {}},
        {"generated": {"license_id": 5}},
        {"generated": {"license_id": "L", "more": 1}},
        {"more": 1},
    ],
)
def test_what_asks_for_no_licence_is_rejected(house: House, wrong: dict[str, Any]) -> None:
    assert house.exit(PROVISION, **{**provision("E1", "L1"), **wrong}) == "rejected"
    assert not any(house.all().values())
