"""Tables of a thousand rows: each row is still judged, in time that grows with the table and not with its square."""

from __future__ import annotations

from typing import Any

import pytest

from omnibachi_compiler.rows import MOST_CASES, dead_rows

TYPES: dict[str, Any] = {"n": {"type": "integer"}, "s": {"type": "string"}, "b": {"type": "boolean"}}
MANY = 999


def asked(operation: str, name: str, literal: Any) -> list[Any]:
    return [operation, ["name", name], ["lit", literal]]


@pytest.mark.parametrize(
    "rows",
    [
        [asked("eq", "n", 3 * number) for number in range(MANY)],
        [asked("eq", "s", f"k{number:04}") for number in range(MANY)],
        [asked("lt", "n", number) for number in range(MANY)],
        [["and", asked("ge", "n", 10 * number), asked("lt", "n", 10 * number + 10)] for number in range(MANY)],
        [["and", ["name", "b"], asked("eq", "n", 3 * number)] for number in range(MANY // 2)],
    ],
    ids=["numbers", "texts", "thresholds", "ranges", "two subjects"],
)
def test_each_row_of_a_long_table_is_judged(rows: list[Any]) -> None:
    assert dead_rows([*rows, None], TYPES) == []
    assert dead_rows([*rows[:-1], rows[7], None], TYPES) == [(len(rows) - 1, 7)]
    assert dead_rows([*rows[:-1], None, rows[7]], TYPES) == [(len(rows), len(rows) - 1)]


def test_what_many_rows_cover_together_names_the_last_of_them() -> None:
    rows = [asked("eq", "n", number) for number in range(MANY - 1)]
    together = ["and", asked("gt", "n", 3), asked("lt", "n", 9)]
    assert dead_rows([*rows, together], TYPES) == [(MANY - 1, 8)]
    assert dead_rows([*rows, ["and", asked("gt", "n", 3), asked("lt", "n", 4)]], TYPES) == [(MANY - 1, None)]


def test_where_there_are_too_many_cases_nothing_is_said() -> None:
    """Each of the two names has 2 n + 1 cells; one case more than is tried is too many."""
    most = int(MOST_CASES**0.5)
    for count in ((most - 1) // 2, most):
        rows = [["and", asked("eq", "n", 3 * at), asked("eq", "m", 3 * at)] for at in range(count)]
        dead = dead_rows([*rows, rows[0], None], TYPES | {"m": {"type": "integer"}})
        assert dead == ([(count, 0)] if (2 * count + 1) ** 2 <= MOST_CASES else [])
