"""Expressions: syntax, types, values; Google's CEL runtime is the oracle where both languages agree."""

from __future__ import annotations

from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from generated import Schema, filled, schemas, values_near
from omnibachi_compiler.declarations import Name
from omnibachi_compiler.expressions import Expression, ExpressionError, parse_expression, seal_expression
from omnibachi_compiler.infer import Inferred, check_condition, check_expression, infer
from omnibachi_model.checks import link as link_check
from omnibachi_model.diagnostics import Span
from omnibachi_model.values import admit
from omnibachi_runtime.expressions import ExpressionFault, link
from written import COMMON, OWN, texts

MANY = settings(max_examples=500, deadline=None)


def _parsed(text: str) -> Expression:
    found = parse_expression(text)
    assert isinstance(found, Expression), found
    return found


def _value(text: str, names: dict[str, Any], types: dict[str, Schema] | None = None) -> Any:
    """Return an expression's value, or the reason of its fault."""
    sealed = infer(_parsed(text), types or dict.fromkeys(names, {})).sealed
    try:
        return link(sealed)(names)
    except ExpressionFault as fault:
        return fault


# Syntax


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
        ("", 0, "ends"), ("a +", 3, "ends"), ("(a", 2, "`)` was expected"), ("a b", 2, "not `b`"), ("a = b", 2, "`==`"),
        ("a & b", 2, "`&&`"), ("a | b", 2, "`||`"), ("{}", 0, "no records"), ("a ? b", 5, "`:` was expected"), ("!-a", 1, "not `-`"),
        ("1.", 1, "digits are missing"), (".5", 0, "not `.`"), ("010", 0, "leading zero"), ("0x1F", 0, "no number"), ("1u", 0, "no number"),
        ("9007199254740992", 0, "2^53"), ("1e300", 0, "canonical range"), ("0.000001", 0, "canonical range"), ("'a", 0, "no closing"),
        ("'a\nb'", 2, "on the line"), ("'\\q'", 1, "no escape"), ("'\\ud800'", 1, "no character"), ("'''a'''", 0, "triple-quoted"),
        ("r'a'", 0, "prefix `r`"), ("b'a'", 0, "prefix `b`"), ("a // b", 2, "comments"), ("size()", 0, "one value"), ("size(a, b)", 0, "one value"),
        ("siez(a)", 0, "did you mean `size`?"), ("a.startWith('b')", 2, "did you mean `startsWith`?"), ("contains(a, b)", 0, "is a method"),
        ("a.contains()", 2, "takes 1"), ("a.size(b)", 2, "takes nothing"), ("has(a)", 4, "asks for a field"), ("if", 0, "reserved word"),
        ("a.1", 1, "not `.`" ), ("a[", 2, "ends"), ("[1 2]", 3, "`,` was expected"), ("a.in", 2, "not `in`"), ("in", 0, "not `in`"), ("§", 0, "cannot stand"),
        ("true false", 5, "not `false`"), ("(" * 100, 40, "nested"), ("+".join("a" * 99), 0, "deep"), ("!" * 99 + "a", 0, "deep"),
        ("a" * 10_001, 0, "characters"),
    ],
)  # fmt: skip
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


@MANY
@given(st.text("ab1.0 '\"\\()[]!=<>&|+-*/%?:,in_e", max_size=20))
def test_any_text_is_read_or_refused_at_a_place(text: str) -> None:
    found = parse_expression(text)
    if isinstance(found, ExpressionError):
        assert 0 <= found.offset <= len(text)
    else:
        assert found.depth <= 48


# Types

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
        ("s == 1", "OB508", "a string and an integer"), ("s == null", "OB508", "a string and null"), ("b < b", "OB508", "`<`"),
        ("s < 1", "OB508", "`<`"), ("s + 1", "OB508", "`+`"), ("s - s", "OB508", "needs numbers"), ("n % 2", "OB508", "needs integers"),
        ("i / 0", "OB508", "by zero"), ("n / 0.0", "OB508", "by zero"), ("i % 0", "OB508", "by zero"), ("!i", "OB508", "true or false"),
        ("b && i", "OB508", "`&&`"), ("b || s", "OB508", "`||`"), ("i ? 1 : 2", "OB508", "`?`"), ("-s", "OB508", "`-`"),
        ("1 in s", "OB508", "`in`"), ("1 in l", "OB508", "`in`"), ("1 in p", "OB508", "fields of a record"), ("size(i)", "OB508", "`size`"),
        ("s.startsWith(1)", "OB508", "texts"), ("s.f", "OB508", "no fields"), ("has(s.f)", "OB508", "no fields"), ("l['a']", "OB508", "no fields"),
        ("l[n]", "OB508", "no index"), ("l[-1]", "OB508", "counts from 0"), ("[1][3]", "OB310", "no item 3"), ("p.gvien", "OB310", "did you mean `given`?"),
        ("has(p.other)", "OB310", "no field"), ("qq + 1", "OB306", "did you mean `q`?"), ("type(i) == 3", "OB508", "`==`"),
    ],
)  # fmt: skip
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
    assert _value("n / 2", {"n": 5}, TYPES) == 2.5
    assert _value("i / 2", {"i": 5}, TYPES) == 2


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


# Values


@pytest.mark.parametrize(
    ("text", "names", "value"),
    [
        ("-7 / 2", {}, -3), ("7 / -2", {}, -3), ("-7 % 2", {}, -1), ("7 % -2", {}, 1), ("1.5 + 0.5", {}, 2), ("x / 2.0", {"x": 5}, 2.5),
        ("x == null", {"x": 3}, False), ("x == null", {"x": None}, True), ("x != 'a'", {"x": None}, True), ("[1, 'a'] == [1, 2]", {}, False),
        ("x in [1, 2]", {"x": 2}, True), ("x in []", {"x": 2}, False), ("'a' in x", {"x": {"a": 1}}, True), ("null in [1]", {}, False),
        ("size('𝄞é')", {}, 2), ("type(x)", {"x": 2.5}, "number"), ("type(x)", {"x": True}, "boolean"), ("type(x)", {"x": {}}, "record"),
        ("has(x.a)", {"x": {"a": None}}, True), ("x == 1 || x.f", {"x": 1}, True), ("false && x.f", {"x": 1}, False), ("true ? 1 : x.f", {"x": 1}, 1),
        ("1 == 1.0", {}, True), ("x == {}".replace("{}", "y"), {"x": {"a": [1]}, "y": {"a": [1]}}, True), ("'b' > 'a'", {}, True), ("-x", {"x": 0}, 0),
    ],
)  # fmt: skip
def test_values(text: str, names: dict[str, Any], value: Any) -> None:
    found = _value(text, names)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "names", "words"),
    [
        ("x == 'a'", {"x": 1}, "a integer and a string"), ("x == true", {"x": 1}, "a integer and a boolean"), ("x < 'a'", {"x": 1}, "`<`"),
        ("x < null", {"x": None}, "`<`"), ("x && true", {"x": 1}, "`&&`"), ("false || x", {"x": None}, "`||`"), ("!x", {"x": "true"}, "`!`"),
        ("x ? 1 : 2", {"x": 0}, "`?`"), ("x.a", {"x": {}}, "`a` is absent"), ("x.a", {"x": [1]}, "from a list"), ("has(x.a)", {"x": 1}, "`has`"),
        ("has(x.a.b)", {"x": {}}, "absent"), ("x[0]", {"x": []}, "outside the list"), ("x[i]", {"x": [1], "i": -1}, "outside the list"),
        ("x[i]", {"x": [1], "i": True}, "no index"), ("x / 0", {"x": 1}, "by zero"), ("x / y", {"x": 1, "y": 0}, "by zero"),
        ("x % y", {"x": 1, "y": 0}, "by zero"), ("x % 2", {"x": 1.5}, "`%`"), ("x + 1", {"x": 2**53 - 1}, "2^53"), ("x * x", {"x": 2**30}, "2^53"),
        ("x * 0.00001", {"x": 0.5}, "1e-5"), ("x * 100000.5", {"x": 100000000000.5}, "1e15"), ("x + true", {"x": 1}, "`+`"), ("-x", {"x": True}, "`-`"),
        ("size(x)", {"x": 1}, "`size`"), ("x.contains('a')", {"x": ["a"]}, "contains"), ("x in [1, 'a']", {"x": "b"}, "`==`"),
        ("1 in x", {"x": "1"}, "`in`"), ("1 in x", {"x": {}}, "`in`"), ("x + x", {"x": "a" * 9 * 2**20}, "too long"), ("true && x.a", {"x": {}}, "absent"),
        ("x == 1 || true", {"x": "a"}, "`==`"),
    ],
)  # fmt: skip
def test_faults(text: str, names: dict[str, Any], words: str) -> None:
    expression = _parsed(text)
    with pytest.raises(ExpressionFault, match=words.replace("^", r"\^")):
        link(infer(expression, dict.fromkeys(names, {})).sealed)(names)


# Properties

COMMON_TYPES: dict[str, Schema] = {
    **{name: {"type": "integer"} for name in "ij"},
    **{name: {"type": "number"} for name in "no"},
    **{name: {"type": "string"} for name in "st"},
    **{name: {"type": "boolean"} for name in "bc"},
    "l": {"type": "array", "items": {"type": "integer"}},
    "u": {"type": "array", "items": {"type": "string"}},
    "p": {"type": "object", "properties": {"f": {"type": "integer"}, "g": {"type": "integer"}}},
}
integers = st.integers(-9, 9) | st.sampled_from((2**53 - 1, 1 - 2**53, 10**8))
letters = st.text("abé𝄞'\n", max_size=3)
common_values = st.fixed_dictionaries(
    {
        **dict.fromkeys("ij", integers),
        **{name: st.integers(-20, 20).map(lambda part: part / 4) for name in "no"},
        **dict.fromkeys("st", letters),
        **{name: st.booleans() for name in "bc"},
        "l": st.lists(st.integers(-3, 3), max_size=3),
        "u": st.lists(letters, max_size=3),
        "p": st.dictionaries(st.sampled_from("fg"), st.integers(-3, 3)),
    }
)
CEL = cel.NewEnv(
    variables={
        **dict.fromkeys("ij", cel.Type.INT),
        **dict.fromkeys("no", cel.Type.DOUBLE),
        **dict.fromkeys("st", cel.Type.STRING),
        **dict.fromkeys("bc", cel.Type.BOOL),
        "l": cel.Type.List(cel.Type.INT),
        "u": cel.Type.List(cel.Type.STRING),
        "p": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
    }
)
# Where this language has a fault and CEL a value: its integers and numbers reach further, a number divided by zero is
# infinite, and `error && false` is false.
BEYOND = ("leaves the range", "division by zero")


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from(("boolean", "boolean", "integer", "number", "string")).flatmap(lambda kind: texts(COMMON, kind)),
    common_values,
)
def test_values_are_those_of_cel(text: str, values: dict[str, Any]) -> None:
    found = infer(_parsed(text), COMMON_TYPES)
    expected = CEL.compile(text).eval(data=values)
    failed = expected.type() == cel.Type.ERROR
    impossible = [item for item in found.problems if "by zero" not in item.message and "no item" not in item.message]
    assert not impossible
    try:
        value = link(found.sealed)({name: admit(value) for name, value in values.items()})
    except ExpressionFault as fault:
        assert failed or any(words in str(fault) for words in BEYOND) or "&&" in text or "||" in text
        return
    assert not failed, expected.value()
    assert value == expected.plain_value()


KINDS_OF_NAMES: dict[str, list[Schema]] = {
    "i": [{"type": "integer"}, {"type": "integer", "minimum": -3, "maximum": 40}, {"enum": [1, 2]}],
    "j": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": ["integer", "null"]}, {"const": 0}],
    "p": [
        {"type": "object", "properties": {"f": {"type": "integer"}}, "additionalProperties": False},
        {
            "type": "object",
            "properties": {"f": {"type": "integer", "default": 3}, "g": {"type": "integer"}},
            "required": ["g"],
        },
    ],
}


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_types_are_sound(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(("boolean", "integer", "number", "string", "any")))
    text = data.draw(texts(OWN, kind))
    types = {
        **COMMON_TYPES,
        **{name: data.draw(st.sampled_from(kinds)) for name, kinds in KINDS_OF_NAMES.items()},
        **{name: data.draw(st.just({}) | schemas(depth=1)) for name in "xy"},
    }
    found = infer(_parsed(text), types)
    if found.problems:
        return
    check, run = link_check(found.type), link(found.sealed)
    for _ in range(3):
        values = {name: admit(value) for name, value in data.draw(common_values).items()}
        values |= {name: data.draw(values_near(types[name])) for name in ("i", "j", "p", "x", "y")}
        if any(link_check(types[name])(value) for name, value in values.items()):
            continue
        values = {name: filled(types[name], value) for name, value in values.items()}
        try:
            value = run(values)
        except ExpressionFault:
            assert found.may_fault
        else:
            assert not check(value), (value, found.type)
