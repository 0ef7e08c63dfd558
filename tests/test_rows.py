"""Dead rows: what is reported never wins, and what a table's reader sees at once is reported."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated import Schema
from omnibachi_compiler.expressions import Expression, parse_expression
from omnibachi_compiler.infer import infer
from omnibachi_compiler.rows import dead_rows
from omnibachi_model.checks import link as link_check
from omnibachi_model.linked_expressions import ExpressionFault, link
from written import texts

TYPES: dict[str, Schema] = {
    "tier": {"type": "string"},
    "kind": {"enum": ["a", "b", "c"]},
    "count": {"type": "integer", "minimum": 0},
    "price": {"type": "number"},
    "flag": {"type": "boolean"},
    "perhaps": {"type": ["integer", "null"]},
    "open": {},
    "list": {"type": "array"},
    "order": {"type": "object", "properties": {"size": {"type": "integer"}, "tag": {"type": "string"}}},
}


def _sealed(text: str | None, types: dict[str, Schema]) -> Any:
    if text is None:
        return None
    found = parse_expression(text)
    assert isinstance(found, Expression), (text, found)
    return infer(found, types).sealed


def _dead(*rows: str | None) -> list[tuple[int, int | None]]:
    return dead_rows([_sealed(row, TYPES) for row in rows], TYPES)


@pytest.mark.parametrize(
    ("rows", "dead"),
    [
        (["tier == 'a'", "tier == 'a'", None], [(1, 0)]),
        (["tier == 'a'", "'a' == tier && flag", None], [(1, 0)]),
        (["tier in ['a', 'b']", "tier == 'b'", "tier == 'c'", None], [(1, 0)]),
        (["tier == 'a' || tier == 'b'", "tier == 'b'", None], [(1, 0)]),
        (["count > 10", "count >= 11", None], [(1, 0)]),
        (["price > 10", "price >= 11", "price > 10.5", None], [(1, 0), (2, 0)]),
        (["count > 10", "count <= 10", None], [(2, 1)]),
        (["count > 10", "count < 5", "count >= 5 && count <= 10", None], [(3, 2)]),
        (["count > 10 && flag", "count > 10 && !flag", "count > 12", None], [(2, 1)]),
        (["flag", "!flag", None], [(2, 1)]),
        (["flag == true", "flag", None], [(1, 0)]),
        (["kind == 'a'", "kind == 'b'", "kind == 'c'", None], [(3, 2)]),
        (["kind == 'd'", None], [(0, None)]),
        (["kind != 'a'", "kind == 'b'", None], [(1, 0)]),
        (["count < 0", None], [(0, None)]),
        (["count > 5 && count < 3", None], [(0, None)]),
        (["count > 5 && count < 6", None], [(0, None)]),
        (["tier == 'a' && tier == 'b'", None], [(0, None)]),
        (["tier < 'b'", "tier < 'a'", None], [(1, 0)]),
        (["perhaps == null", "perhaps != null", None], [(2, 1)]),
        (["order.size > 3", "order.size > 5", None], [(1, 0)]),
        (["size(list) > 3", "size(list) == 4", None], [(1, 0)]),
        (["type(open) == 'string'", "type(open) != 'string'", "flag", None], [(2, 1), (3, 1)]),
        (["open > 3", "open <= 3", None], [(2, 1)]),
        (["has(order.tag)", "!has(order.tag)", None], [(2, 1)]),
        (["count > price", "count > price", None], [(1, 0)]),
        (["count > price && flag", "flag", None], []),
        (["flag", None, "!flag", None], [(2, 1), (3, 1)]),
        (["true", None], [(1, 0)]),
        (["false", None], [(0, None)]),
        (["flag ? count > 3 : count > 5", "count > 5", None], [(1, 0)]),
        (["count > 10", "count > 5", None], []),
        (["price > 5 && price < 6", None], []),
        (["tier == 'a'", "kind == 'a'", None], []),
        (["flag || order.size > 3", "order.size > 3", None], [(1, 0)]),
        ([None], []),
        (["count == 3"], []),
        (["tier > 'a' && tier < 'b'", None], []),
        (["tier > 'a' && tier < 'a\\x00'", None], [(0, None)]),
    ],
)
def test_dead_rows(rows: list[str | None], dead: list[tuple[int, int | None]]) -> None:
    assert _dead(*rows) == dead


def test_many_subjects_fall_back_to_what_one_row_asks() -> None:
    names = [f"n{number}" for number in range(12)]
    types: dict[str, Schema] = {name: {"type": "integer"} for name in names}
    rows = [*(f"{name} > 3" for name in names), "n7 > 4", None]
    assert dead_rows([_sealed(row, types) for row in rows], types) == [(12, 7)]


SAMPLES: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    3,
    4,
    0.5,
    1.5,
    2.5,
    "",
    "a",
    "aa",
    "b",
    "c",
    [],
    [1],
    {},
    {"f": 1},
    {"f": "a"},
]
DOMAINS: list[Schema] = [
    {}, {"type": "integer"}, {"type": "integer", "minimum": 1},
    {"type": "integer", "minimum": 0, "exclusiveMaximum": 3},
    {"type": "number"}, {"type": "number", "maximum": 1.5}, {"type": ["integer", "null"]}, {"type": "string"},
    {"enum": ["a", "b"]}, {"type": "boolean"}, {"type": "object"},
]  # fmt: skip
FORMS = {
    "boolean": (
        *(f"<name> {sign} <literal>" for sign in ("==", "!=", "<", "<=", ">", ">=")), "<literal> < <name>", "<name>",
        "<name> in [<literal>, <literal>]", "<name> == <name>", "type(<name>) == <text>", "has(x.f)",
        "x.f == <literal>",
        "(<boolean>) && (<boolean>)", "(<boolean>) && (<boolean>)", "(<boolean>) || (<boolean>)", "!(<boolean>)",
        "(<boolean>) ? (<boolean>) : (<boolean>)",
    ),
    "name": ("x", "y"),
    "literal": ("-1", "0", "1", "2", "2.5", "0.5", "'a'", "'b'", "''", "null", "true"),
    "text": ("'integer'", "'string'", "'null'"),
}  # fmt: skip


NUMBERS = ("-1", "0", "1", "2", "2.5", "0.5")
TEXTS = ("''", "'a'", "'aa'", "'b'")
LEAVES = {"boolean": ("x", "x == 1", "y < 2", "x != 'a'", "y == null", "true")}


@settings(max_examples=800, deadline=None)
@given(st.data())
def test_what_is_reported_never_wins(data: st.DataObject) -> None:
    types = {name: data.draw(st.sampled_from(DOMAINS)) for name in "xy"}
    literals = data.draw(st.sampled_from((FORMS["literal"], NUMBERS, TEXTS)))
    conditions = data.draw(st.lists(texts(FORMS | {"literal": literals}, leaves=LEAVES), min_size=1, max_size=4))
    rows = [*(_sealed(condition, types) for condition in conditions), None]
    dead = dead_rows(rows, types)
    linked = [None if row is None else link(row) for row in rows]
    domains = [[value for value in SAMPLES if not link_check(types[name])(value)] for name in "xy"]
    alone = {at for at, by in dead if by is None}
    for x, y in itertools.product(*domains):
        names = {"x": x, "y": y}
        winner = _winner(linked, names)
        assert winner not in {at for at, _ in dead}
        for at in alone:
            assert _winner([linked[at]], names) is None


def _winner(rows: list[Any], names: dict[str, Any]) -> int | None:
    """Return the row that wins, None where none does or where the decision ends in FAULT."""
    try:
        for at, row in enumerate(rows):
            verdict = True if row is None else row(names)
            if verdict is True:
                return at
            if verdict is not False:
                return None
    except ExpressionFault:
        pass
    return None
