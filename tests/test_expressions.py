"""Expressions: how a text is read, and what a sealed expression gives for values, or why it gives none."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler.expressions import Expression, ExpressionError, parse_expression, seal_expression
from omnibachi_compiler.infer import infer
from omnibachi_model.linked_expressions import ExpressionFault, link


def _parsed(text: str) -> Expression:
    found = parse_expression(text)
    assert isinstance(found, Expression), found
    return found


def _value(text: str, names: dict[str, Any]) -> Any:
    """Return an expression's value, or the reason of its fault."""
    sealed = infer(_parsed(text), {key: {} for key in names}).sealed
    try:
        return link(sealed)(names)
    except ExpressionFault as fault:
        return fault


@pytest.mark.parametrize(
    ("text", "sealed"),
    [
        ("a || b && c", ["or", ["name", "a"], ["and", ["name", "b"], ["name", "c"]]]),
        (
            "a == b + c * -d",
            ["eq", ["name", "a"], ["add", ["name", "b"], ["mul", ["name", "c"], ["neg", ["name", "d"]]]]],
        ),
        ("a - b - c", ["sub", ["sub", ["name", "a"], ["name", "b"]], ["name", "c"]]),
        (
            "a ? b : c ? d : e",
            ["if", ["name", "a"], ["name", "b"], ["if", ["name", "c"], ["name", "d"], ["name", "e"]]],
        ),
        ("!a.b[0]", ["not", ["at", ["get", ["name", "a"], "b"], ["lit", 0]]]),
        ("a['b'].c", ["get", ["get", ["name", "a"], "b"], "c"]),
        ("has(a.b.c)", ["has", ["get", ["name", "a"], "b"], "c"]),
        ("size(a) + a.size()", ["add", ["size", ["name", "a"]], ["size", ["name", "a"]]]),
        ("a.startsWith('x')", ["startsWith", ["name", "a"], ["lit", "x"]]),
        ("type(a)", ["type", ["name", "a"]]),
        (
            "a in [1, 2.0, 'x', null, true,]",
            ["in", ["name", "a"], ["list", [["lit", v] for v in (1, 2, "x", None, True)]]],
        ),
        ("-5", ["lit", -5]),
        ("- -5", ["lit", 5]),
        ("1.50e1", ["lit", 15]),
        ("'\\a\\b\\f\\n\\r\\t\\v\\\\\\'\\\"\\`\\?'", ["lit", "\a\b\f\n\r\t\v\\'\"`?"]),
        ("'\\x41\\u00e9\\U0001F600\\101'", ["lit", "Aé😀A"]),
        ("a.if", ["get", ["name", "a"], "if"]),
        ("\ta\n+\r b ", ["add", ["name", "a"], ["name", "b"]]),
    ],
)
def test_sealed_form(text: str, sealed: Any) -> None:
    assert seal_expression(_parsed(text)) == sealed


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ("", 0, "ends"),
        ("a +", 3, "ends"),
        ("(a", 2, "`)` was expected"),
        ("a b", 2, "not `b`"),
        ("a = b", 2, "`==`"),
        ("a & b", 2, "`&&`"),
        ("a | b", 2, "`||`"),
        ("a ? b", 5, "`:` was expected"),
        ("!-a", 1, "not `-`"),
        ("1.", 1, "digits are missing"),
        (".5", 0, "not `.`"),
        ("010", 0, "leading zero"),
        ("0x1F", 0, "no number"),
        ("1u", 0, "no number"),
        ("9007199254740992", 0, "2^53"),
        ("1e300", 0, "canonical range"),
        ("0.000001", 0, "canonical range"),
        ("'a", 0, "no closing"),
        ("'a\nb'", 2, "on the line"),
        ("'\\q'", 1, "no escape"),
        ("'\\ud800'", 1, "no character"),
        ("'''a'''", 0, "triple-quoted"),
        ("r'a'", 0, "prefix `r`"),
        ("b'a'", 0, "prefix `b`"),
        ("a // b", 2, "comments"),
        ("size()", 0, "one value"),
        ("size(a, b)", 0, "one value"),
        ("siez(a)", 0, "did you mean `size`?"),
        ("a.startWith('b')", 2, "did you mean `startsWith`?"),
        ("contains(a, b)", 0, "is a method"),
        ("a.contains()", 2, "takes 1"),
        ("a.size(b)", 2, "takes nothing"),
        ("has(a)", 4, "asks for a field"),
        ("if", 0, "reserved word"),
        ("a.1", 2, "not a literal"),
        ("a[", 2, "ends"),
        ("[1 2]", 3, "`,` was expected"),
        ("a.in", 2, "not `in`"),
        ("in", 0, "not `in`"),
        ("§", 0, "cannot stand"),
        ("true false", 5, "not `false`"),
        ("(" * 100, 40, "nested"),
        ("+".join("a" * 99), 0, "deep"),
        ("!" * 99 + "a", 0, "deep"),
        ("a" * 10_001, 0, "characters"),
    ],
)
def test_syntax_errors(text: str, offset: int, words: str) -> None:
    found = parse_expression(text)
    assert isinstance(found, ExpressionError), found
    assert found.offset == offset, found
    assert words in f"{found.message} {found.help or ''}"


def test_long_chains_stay_shallow() -> None:
    found = _parsed(" || ".join(f"a == {number}" for number in range(400)))
    assert found.depth < 14
    run = link(seal_expression(found))
    assert run({"a": 399}) is True
    assert run({"a": 400}) is False


@settings(max_examples=500, deadline=None)
@given(st.text("ab1.0 '\"\\()[]!=<>&|+-*/%?:,in_e", max_size=20))
def test_any_text_is_read_or_refused_at_a_place(text: str) -> None:
    found = parse_expression(text)
    if isinstance(found, ExpressionError):
        assert 0 <= found.offset <= len(text)
    else:
        assert found.depth <= 48


@pytest.mark.parametrize(
    ("text", "names", "value"),
    [
        ("-7 / 2", {}, -3),
        ("7 / -2", {}, -3),
        ("-7 % 2", {}, -1),
        ("7 % -2", {}, 1),
        ("1.5 + 0.5", {}, 2),
        ("x / 2.0", {"x": 5}, 2.5),
        ("x == null", {"x": 3}, False),
        ("x == null", {"x": None}, True),
        ("x != 'a'", {"x": None}, True),
        ("[1, 'a'] == [1, 2]", {}, False),
        ("x in [1, 2]", {"x": 2}, True),
        ("x in []", {"x": 2}, False),
        ("'a' in x", {"x": {"a": 1}}, True),
        ("null in [1]", {}, False),
        ("size('𝄞é')", {}, 2),
        ("type(x)", {"x": 2.5}, "number"),
        ("type(x)", {"x": True}, "boolean"),
        ("type(x)", {"x": {}}, "record"),
        ("has(x.a)", {"x": {"a": None}}, True),
        ("x == 1 || x.f", {"x": 1}, True),
        ("false && x.f", {"x": 1}, False),
        ("true ? 1 : x.f", {"x": 1}, 1),
        ("1 == 1.0", {}, True),
        ("x == {}".replace("{}", "y"), {"x": {"a": [1]}, "y": {"a": [1]}}, True),
        ("'b' > 'a'", {}, True),
        ("-x", {"x": 0}, 0),
    ],
)
def test_values(text: str, names: dict[str, Any], value: Any) -> None:
    found = _value(text, names)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "names", "words"),
    [
        ("x == 'a'", {"x": 1}, "an integer and a string"),
        ("x == true", {"x": 1}, "an integer and a boolean"),
        ("x < 'a'", {"x": 1}, "`<`"),
        ("x < null", {"x": None}, "`<`"),
        ("x && true", {"x": 1}, "`&&`"),
        ("false || x", {"x": None}, "`||`"),
        ("!x", {"x": "true"}, "`!`"),
        ("x ? 1 : 2", {"x": 0}, "`?`"),
        ("x.a", {"x": {}}, "`a` is absent"),
        ("x.a", {"x": [1]}, "from a list"),
        ("has(x.a)", {"x": 1}, "`has`"),
        ("has(x.a.b)", {"x": {}}, "absent"),
        ("x[0]", {"x": []}, "outside the list"),
        ("x[i]", {"x": [1], "i": -1}, "outside the list"),
        ("x[i]", {"x": [1], "i": True}, "no index"),
        ("x / 0", {"x": 1}, "by zero"),
        ("x / y", {"x": 1, "y": 0}, "by zero"),
        ("x % y", {"x": 1, "y": 0}, "by zero"),
        ("x % 2", {"x": 1.5}, "`%`"),
        ("x + 1", {"x": 2**53 - 1}, "2^53"),
        ("x * x", {"x": 2**30}, "2^53"),
        ("x * 0.00001", {"x": 0.5}, "1e-5"),
        ("x * 10000.75", {"x": 100000000000.5}, "1e15"),
        ("x + true", {"x": 1}, "`+`"),
        ("-x", {"x": True}, "`-`"),
        ("size(x)", {"x": 1}, "`size`"),
        ("x.contains('a')", {"x": ["a"]}, "contains"),
        ("x in [1, 'a']", {"x": "b"}, "`==`"),
        ("1 in x", {"x": "1"}, "`in`"),
        ("1 in x", {"x": {}}, "`in`"),
        ("x + x", {"x": "a" * 9 * 2**20}, "too long"),
        ("true && x.a", {"x": {}}, "absent"),
        ("x == 1 || true", {"x": "a"}, "`==`"),
    ],
)
def test_faults(text: str, names: dict[str, Any], words: str) -> None:
    expression = _parsed(text)
    with pytest.raises(ExpressionFault, match=re.escape(words)):
        link(infer(expression, {key: {} for key in names}).sealed)(names)
