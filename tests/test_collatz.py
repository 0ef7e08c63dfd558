"""`ai_governance::CT_COLLATZ_V0`: how far it follows a number, and what it says of what it found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from declared import transform
from omnibachi_capabilities.collatz import LARGEST, follow

ADDRESS = "ai_governance::CT_COLLATZ_V0"


def steps_of(number: int) -> list[int]:
    """Return the terms by the rule, said in another way."""
    terms = [number]
    while terms[-1] != 1:
        half, odd = divmod(terms[-1], 2)
        terms.append(3 * terms[-1] + 1 if odd else half)
    return terms


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 10**6))
def test_the_terms_follow_the_rule_to_1(number: int) -> None:
    terms = steps_of(number)
    assert transform(ADDRESS, {"number": number, "max_steps": 1000}) == (
        "SUCCESS",
        {"terms": terms, "length": len(terms), "peak": max(terms)},
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 10**5), st.data())
def test_it_takes_as_many_steps_as_it_may(number: int, data: st.DataObject) -> None:
    needed = len(steps_of(number)) - 1
    most = data.draw(st.integers(1, needed + 2))
    outcome, output = transform(ADDRESS, {"number": number, "max_steps": most})
    assert outcome == ("SUCCESS" if most >= needed else "EXHAUSTED")
    assert outcome == "SUCCESS" or output == {"steps": most}


def test_27_climbs_high() -> None:
    outcome, output = transform(ADDRESS, {"number": 27, "max_steps": 1000})
    assert (outcome, output["length"], output["peak"]) == ("SUCCESS", 112, 9232)
    assert (output["terms"][0], output["terms"][-1]) == (27, 1)


@pytest.mark.parametrize(
    ("number", "circle"), [(-1, {-1, -2}), (-5, {-5, -14, -7, -20, -10}), (-17, {-17, -50, -25, -74, -37}), (0, {0})]
)
def test_a_circle_is_found(number: int, circle: set[int]) -> None:
    """No number above 0 is known that goes round in one; those below have some."""
    outcome, output = follow(number, 1000)
    assert outcome == "CYCLE" and output["term"] in circle
    assert transform(ADDRESS, {"number": number, "max_steps": 1000}) == ("VIOLATION", {})


@pytest.mark.parametrize("number", [319804831, LARGEST, LARGEST // 3 + 1])
def test_no_term_leaves_the_range_of_integers(number: int) -> None:
    outcome, output = transform(ADDRESS, {"number": number, "max_steps": 10_000})
    assert outcome == "EXHAUSTED"
    terms = [number]
    for _ in range(output["steps"]):
        terms.append(3 * terms[-1] + 1 if terms[-1] % 2 else terms[-1] // 2)
    assert max(terms) <= LARGEST < 3 * terms[-1] + 1
