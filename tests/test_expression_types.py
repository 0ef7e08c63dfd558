"""Types of expressions: what is inferred, what is reported, and where a finding points."""

from __future__ import annotations

import pytest

from generated import Schema
from omnibachi_compiler.declarations import Name
from omnibachi_compiler.expressions import Expression, parse_expression
from omnibachi_compiler.infer import Inferred, check_condition, check_expression, infer
from omnibachi_model.diagnostics import Span
from omnibachi_model.linked_expressions import link


def _parsed(text: str) -> Expression:
    found = parse_expression(text)
    assert isinstance(found, Expression), found
    return found


TYPES: dict[str, Schema] = {
    "s": {"type": "string"},
    "i": {"type": "integer"},
    "q": {"type": "integer", "minimum": 1, "maximum": 1000},
    "n": {"type": "number"},
    "b": {"type": "boolean"},
    "m": {"type": ["integer", "null"]},
    "x": {},
    "l": {"type": "array", "items": {"type": "string"}},
    "p": {
        "type": "object",
        "properties": {"given": {"type": "integer"}, "perhaps": {"type": "string"}},
        "required": ["given"],
        "additionalProperties": False,
    },
}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("s == 1", "OB508", "a string and an integer"),
        ("s == null", "OB508", "a string and null"),
        ("b < b", "OB508", "`<`"),
        ("s < 1", "OB508", "`<`"),
        ("s + 1", "OB508", "`+`"),
        ("s - s", "OB508", "needs numbers"),
        ("n % 2", "OB508", "needs integers"),
        ("i / 0", "OB508", "by zero"),
        ("n / 0.0", "OB508", "by zero"),
        ("i % 0", "OB508", "by zero"),
        ("!i", "OB508", "true or false"),
        ("b && i", "OB508", "`&&`"),
        ("b || s", "OB508", "`||`"),
        ("i ? 1 : 2", "OB508", "`?`"),
        ("-s", "OB508", "`-`"),
        ("1 in s", "OB508", "`in`"),
        ("1 in l", "OB508", "`in`"),
        ("1 in p", "OB508", "fields of a record"),
        ("size(i)", "OB508", "`size`"),
        ("s.startsWith(1)", "OB508", "texts"),
        ("s.f", "OB508", "no fields"),
        ("has(s.f)", "OB508", "no fields"),
        ("l['a']", "OB508", "no fields"),
        ("l[n]", "OB508", "no index"),
        ("l[-1]", "OB508", "counts from 0"),
        ("[1][3]", "OB310", "no item 3"),
        ("p.gvien", "OB310", "did you mean `given`?"),
        ("has(p.other)", "OB310", "no field"),
        ("qq + 1", "OB306", "did you mean `q`?"),
        ("type(i) == 3", "OB508", "`==`"),
    ],
)
def test_type_errors(text: str, code: str, words: str) -> None:
    (problem,) = infer(_parsed(text), TYPES).problems
    assert problem.code == code
    assert words in f"{problem.message} {problem.help or ''}"


@pytest.mark.parametrize(
    ("text", "kind", "may_fault"),
    [
        ("s == 'a' && q <= 100", {"type": "boolean"}, False),
        ("x == 'a'", {"type": "boolean"}, True),
        ("x == null", {"type": "boolean"}, False),
        ("m == 3", {"type": "boolean"}, False),
        ("m < 3", {"type": "boolean"}, True),
        ("m != null && m < 3", {"type": "boolean"}, False),
        ("q * q + 1", {"type": "integer", "minimum": 2, "maximum": 1_000_001}, False),
        ("i + 1", {"type": "integer", "minimum": 2 - 2**53}, True),
        ("7 / q", {"type": "integer", "minimum": 0, "maximum": 7}, False),
        ("7 / i", {"type": "integer", "minimum": -7, "maximum": 7}, True),
        ("i > 0 ? 7 / i : 0", {"type": "integer", "minimum": 0, "maximum": 7}, False),
        ("-7 % q", {"type": "integer", "minimum": -7, "maximum": 0}, False),
        ("q / 2.0", {"type": "number"}, True),
        ("q * 1.5", {"type": "number"}, True),
        ("s + s", {"type": "string"}, False),
        ("l[0]", {"type": "string"}, True),
        ("p.given", {"type": "integer"}, False),
        ("p.perhaps", {"type": "string"}, True),
        ("has(p.perhaps) && p.perhaps == s", {"type": "boolean"}, False),
        ("!has(p.perhaps) || p.perhaps == s", {"type": "boolean"}, False),
        ("type(x) == 'integer' && x > 3", {"type": "boolean"}, False),
        ("type(x) != 'integer' || x > 3", {"type": "boolean"}, False),
        ("type(x) == 'list' ? size(x) > 0 : false", {"type": "boolean"}, False),
        ("type(m)", {"type": "string", "enum": ["integer", "null"]}, False),
        ("b ? 1 : 'a'", {}, False),
        ("s in ['a', 'b']", {"type": "boolean"}, False),
    ],
)
def test_types(text: str, kind: Schema, may_fault: bool) -> None:
    found = infer(_parsed(text), TYPES)
    assert not found.problems
    assert found.type == kind
    assert found.may_fault is may_fault


def test_division_is_sealed_by_its_types() -> None:
    assert infer(_parsed("i / 2"), TYPES).sealed[0] == "div"
    for text in ("n / 2", "i / 2.0", "x / 2", "(b ? 2.0 : 3) / 2"):
        assert infer(_parsed(text), TYPES).sealed[0] == "quo"
    assert link(infer(_parsed("n / 2"), TYPES).sealed)({"n": 5}) == 2.5
    assert link(infer(_parsed("i / 2"), TYPES).sealed)({"i": 5}) == 2


def test_a_later_row_knows_what_an_earlier_one_refused() -> None:
    first = infer(_parsed("type(x) != 'integer'"), TYPES)
    assert not infer(_parsed("x > 3"), first.otherwise).may_fault
    assert infer(_parsed("x > 3"), TYPES).may_fault


def _named(text: str, column: int = 7, width: int | None = None) -> Name:
    end = column + (len(text) if width is None else width)
    return Name(text, Span("protocols/x.yaml", 3, column, 3, end))


def test_findings_point_into_the_text() -> None:
    quoted = "i == 1 && s == 2"
    (item,) = check_expression(_named(quoted, width=len(quoted) + 2), TYPES).diagnostics
    assert item.span == Span("protocols/x.yaml", 3, 18, 3, 24)
    (item,) = check_expression(_named("i ==== 1"), TYPES).diagnostics
    assert (item.code, item.span) == ("OB215", Span("protocols/x.yaml", 3, 11, 3, 12))
    escaped = _named("i && 1", width=40)
    assert {item.span for item in check_expression(escaped, TYPES).diagnostics} == {escaped.span}
    (item,) = check_condition(_named("q + 1"), TYPES).diagnostics
    assert item.code == "OB509"
    open_condition = check_condition(_named("x"), TYPES)
    assert (
        not open_condition.diagnostics and isinstance(open_condition.value, Inferred) and open_condition.value.may_fault
    )
