"""Retries, deadlines and durations as they are compiled."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from looping import compiled, sealed
from omnibachi_compiler.language.durations import DAY, DURATION, UNITS, at_most, milliseconds

FLOW = """
intent: IN_TEST_V0
payload: {{type: object}}
---
store: ST_KEPT_V0
governed_by: CS_RECORDS_V0
---
workflow: WF_TEST_V0
summary: Test.
intent: IN_TEST_V0
start: read
fault: failed
nodes:
  read:
    use: CS_RECORDS_V0.GET
    store: ST_KEPT_V0
    with: {{key: k}}
    {more}
    next: {{SUCCESS: done, NOT_FOUND: done{also}}}
exits: {{done: {{status: COMPLETED}}, failed: {{status: FAILED}}}}
"""


def call(more: str, also: str = "") -> dict[str, Any]:
    """Return the sealed node of a call with a retry or a deadline."""
    found: dict[str, Any] = sealed(compiled(FLOW.format(more=more, also=also)))["nodes"][0]
    return found


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        ("{on: [NOT_FOUND], max: 1}", {"on": ["NOT_FOUND"], "max": 1, "backoff_ms": 0, "factor": 1}),
        (
            "{on: [SUCCESS, NOT_FOUND], max: 100, backoff: 2s, factor: 1.5}",
            {"on": ["NOT_FOUND", "SUCCESS"], "max": 100, "backoff_ms": 2000, "factor": 1.5},
        ),
        (
            "{on: [NOT_FOUND], max: 3.0, backoff: 24h, factor: 10.0}",
            {"on": ["NOT_FOUND"], "max": 3, "backoff_ms": DAY, "factor": 10},
        ),
    ],
)
def test_the_sealed_form_of_a_retry(retry: str, expected: dict[str, Any]) -> None:
    node = call(f"retry: {retry}")
    assert (node["retry"], node["deadline_ms"]) == (expected, None)
    assert type(node["retry"]["max"]) is int


def test_a_deadline_has_an_outcome_that_gives_nothing() -> None:
    node = call("deadline: 250ms\n    retry: {on: [TIMEOUT], max: 2}", ", TIMEOUT: failed")
    assert node["deadline_ms"] == 250
    assert node["outcomes"]["TIMEOUT"] == {"type": "object", "properties": {}, "additionalProperties": False}
    assert node["next"]["TIMEOUT"] == node["next"]["FAULT"]
    assert node["retry"]["on"] == ["TIMEOUT"]


def test_a_call_without_them_says_so() -> None:
    node = call("")
    assert (node["retry"], node["deadline_ms"]) == (None, None)
    assert "TIMEOUT" not in node["outcomes"]


@pytest.mark.parametrize("limit", [1, 7, 9, 10, 24, 99, 100, 101, 1440, 86400])
def test_the_pattern_of_numbers_up_to_a_limit(limit: int) -> None:
    pattern = re.compile(f"(?:{at_most(limit)})")
    near = {*range(130), *range(max(0, limit - 40), limit + 40), limit * 10, limit * 10 + 9}
    assert {number for number in near if pattern.fullmatch(str(number))} == {n for n in near if 1 <= n <= limit}
    assert not any(pattern.fullmatch(text) for text in ("", "01", "1.0", "-1", "+1", " 1", "1 ", "１"))


@given(st.integers(0, 10**9), st.sampled_from([*UNITS, "us", "d", "", "S"]))
def test_a_duration_is_at_most_a_day_and_comes_to_milliseconds(number: int, unit: str) -> None:
    text = f"{number}{unit}"
    fine = re.search(DURATION["pattern"], text) is not None
    assert fine == (unit in UNITS and 1 <= number * UNITS.get(unit, 0) <= DAY)
    if fine:
        assert milliseconds(text) == number * UNITS[unit]


@pytest.mark.parametrize("text", ["5s\n", "5 s", "5S", "0x5s", "5s5s", "1e3s", "1_000ms", "", "s"])
def test_what_looks_like_a_duration(text: str) -> None:
    assert re.search(DURATION["pattern"], text) is None
