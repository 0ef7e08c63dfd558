"""Macros, records and `string`: how they are read, typed and reckoned, what they refuse, and that they always end."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler.expressions import Expression, ExpressionError, parse_expression, seal_expression
from omnibachi_compiler.infer import infer
from omnibachi_compiler.kinds import Schema
from omnibachi_compiler.rows import dead_rows
from omnibachi_model import linked_building as building
from omnibachi_model.checks import link as link_check
from omnibachi_model.expressions import names
from omnibachi_model.linked_expressions import ExpressionFault, link
from reckoning import Nothing, reckoned
from written import texts

LEFT: Schema = {"type": "integer", "minimum": 0}
DIGIT: Schema = {"type": "integer", "minimum": 0, "maximum": 9}
RESULT: Schema = {
    "type": "object",
    "properties": {"outcome": {"type": "string", "enum": ["SUCCESS", "NOT_FOUND"]}, "left": LEFT},
    "required": ["outcome"],
    "additionalProperties": False,
}
SOME_LEFT: Schema = {"type": "array", "maxItems": 50, "items": LEFT}
TYPES: dict[str, Schema] = {
    "l": {"type": "array", "items": DIGIT, "maxItems": 5},
    "three": {"const": [1, 2, 3]},
    "items": {"type": "array", "items": RESULT, "minItems": 1, "maxItems": 50},
    "p": {"type": "object", "properties": {"f": {"type": "integer"}}, "required": ["f"]},
    "s": {"type": "string"},
    "n": {"type": "number"},
    "q": {"type": "integer"},
    "b": {"type": "boolean"},
    "m": {"type": ["integer", "null"]},
    "x": {},
}


def _parsed(text: str) -> Expression:
    found = parse_expression(text)
    assert isinstance(found, Expression), found
    return found


def _value(text: str, values: dict[str, Any]) -> Any:
    return link(seal_expression(_parsed(text)))(values)


@pytest.mark.parametrize(
    ("text", "sealed"),
    [
        ("l.all(i, i > 0)", ["all", ["name", "l"], "i", ["gt", ["name", "i"], ["lit", 0]]]),
        ("l.map(i, b, i)", ["map", ["filter", ["name", "l"], "i", ["name", "b"]], "i", ["name", "i"]]),
        ("l.map(map, map)", ["map", ["name", "l"], "map", ["name", "map"]]),
        ("{'a b': 1, \"f\": {},}", ["record", {"a b": ["lit", 1], "f": ["record", {}]}]),
        ("{'f': b ? 1 : 2}.f", ["get", ["record", {"f": ["if", ["name", "b"], ["lit", 1], ["lit", 2]]}], "f"]),
        ("string(q)", ["string", ["name", "q"]]),
        ("a.map.all.exists", ["get", ["get", ["get", ["name", "a"], "map"], "all"], "exists"]),
    ],
)
def test_sealed_form(text: str, sealed: Any) -> None:
    assert seal_expression(_parsed(text)) == sealed


@pytest.mark.parametrize(
    ("text", "offset", "code", "words"),
    [
        ("l.map(i, l.map(j, l.map(k, k)))", 20, "OB226", "two deep".replace("two", "2")),
        ("l.all(i, l.all(j, l.exists(k, k)))", 20, "OB226", "in a node before"),
        ("l.map(i)", 2, "OB215", "takes a variable"),
        ("l.all(i, i, i)", 2, "OB215", "list.all(x, condition)"),
        ("l.map(i, i, i, i)", 2, "OB215", "takes a variable"),
        ("l.map()", 2, "OB215", "takes a variable"),
        ("l.map(1, 2)", 6, "OB215", "the name of its variable"),
        ("l.map(i.f, 2)", 6, "OB215", "the name of its variable"),
        ("l.map(for, 2)", 6, "OB215", "reserved word"),
        ("map(l, i, i)", 0, "OB215", "is a method"),
        ("l.exist(i, i)", 2, "OB215", "did you mean `exists`?"),
        ("{f: 1}", 1, "OB215", "`'f': …`"),
        ("{1: 1}", 1, "OB215", "as text"),
        ("{'f' 1}", 5, "OB215", "`:` was expected"),
        ("{'f': 1 'g': 2}", 8, "OB215", "`,` was expected"),
        ("{'f': 1, 'f': 2}", 9, "OB215", "already"),
        ("{'f': 1", 7, "OB215", "ends"),
        ("}", 0, "OB215", "not `}`"),
        ("string()", 0, "OB215", "one value"),
        ("{'f':" * 99, 0, "OB215", "nested"),
    ],
)
def test_syntax_errors(text: str, offset: int, code: str, words: str) -> None:
    found = parse_expression(text)
    assert isinstance(found, ExpressionError), found
    assert found.code == code
    assert words in f"{found.message} {found.help or ''}"
    assert found.offset == offset or "nested" in found.message


@pytest.mark.parametrize(
    ("text", "kind", "may_fault"),
    [
        ("l.all(i, i < 3)", {"type": "boolean"}, False),
        ("l.filter(i, i > 3)", {"type": "array", "maxItems": 5, "items": DIGIT | {"exclusiveMinimum": 3}}, False),
        ("l.map(i, i - 1)", {"type": "array", "maxItems": 5, "items": {**DIGIT, "minimum": -1, "maximum": 8}}, False),
        ("three.map(i, b)", {"type": "array", "minItems": 3, "maxItems": 3, "items": {"type": "boolean"}}, False),
        ("three.map(i, i)[2] + 1", {"type": "integer", "minimum": 2, "maximum": 4}, False),
        ("items.map(i, i.outcome)[0]", {"type": "string", "enum": ["SUCCESS", "NOT_FOUND"]}, False),
        ("items.map(i, i.left)", {"type": "array", "minItems": 1, "maxItems": 50, "items": LEFT}, True),
        ("items.filter(i, i.outcome == 'SUCCESS').map(i, i.left)", SOME_LEFT, True),
        ("items.filter(i, i.outcome == 'SUCCESS' && has(i.left)).map(i, i.left)", SOME_LEFT, False),
        ("items.map(i, has(i.left), i.left)", SOME_LEFT, False),
        ("items.exists(i, has(i.left) && i.left > 3)", {"type": "boolean"}, False),
        ("x.filter(i, type(i) == 'integer').all(i, i > 3)", {"type": "boolean"}, True),
        ("x.map(i, i)", {"type": "array", "items": {}}, True),
        ("[].map(i, i.f.g)", {"type": "array", "maxItems": 0}, True),
        ("{'f': q, 'g': 'a'}.f", {"type": "integer"}, False),
        ("string(q) + string(b) + string(s)", {"type": "string"}, False),
        ("string(x)", {"type": "string"}, True),
        ("string(m)", {"type": "string"}, True),
    ],
)  # fmt: skip
def test_types(text: str, kind: Schema, may_fault: bool) -> None:
    found = infer(_parsed(text), TYPES)
    assert not found.problems
    assert (found.type, found.may_fault) == (kind, may_fault)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("l.map(s, s)", "OB540", "calls its items `s`"),
        ("l.map(i, l.map(i, i))", "OB540", "calls its items `i`"),
        ("l.map(l, l)", "OB540", "calls its items `l`"),
        ("l.map(i, i).all(j, i > 1)", "OB306", "gives no `i`"),
        ("items.map(i, i.lft)", "OB310", "did you mean `left`?"),
        ("{'field': 1}.feild", "OB310", "did you mean `field`?"),
        ("p.all(i, true)", "OB508", "goes over a list, not a record"),
        ("s.map(i, i)", "OB508", "not a string"),
        ("l.filter(i, i)", "OB508", "true or false"),
        ("l.map(i, i == 'a')", "OB508", "`==`"),
        ("l.map(i, i > 1, 'a') == [1] || q + s == 1", "OB508", "`+`"),
        ("string(n)", "OB508", "`string` cannot take a number"),
        ("string(1.5)", "OB508", "integers, booleans and texts"),
        ("string(null)", "OB508", "null"),
        ("string(l)", "OB508", "a list"),
        ("string({})", "OB508", "a record"),
    ],
)
def test_type_errors(text: str, code: str, words: str) -> None:
    (problem,) = infer(_parsed(text), TYPES).problems
    assert problem.code == code
    assert words in f"{problem.message} {problem.help or ''}"


ITEMS = [{"outcome": "SUCCESS", "left": 2}, {"outcome": "NOT_FOUND"}, {"outcome": "SUCCESS", "left": 0}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("size(items.filter(i, i.outcome == 'SUCCESS'))", 2),
        ("items.map(i, i.outcome == 'SUCCESS', {'left': i.left})", [{"left": 2}, {"left": 0}]),
        ("slot / 32", 3),
        ("l[number % size(l)]", "b"),
        ("wallet + '/' + string(number)", "WL_1/7"),
        ("l.map(i, l.filter(j, j != i))", [["b", "c"], ["a", "c"], ["a", "b"]]),
        ("l.all(i, i < 'd') && !l.exists(i, i == 'd') && l.exists_one(i, i > 'b')", True),
        ("[].all(i, i.f) && ![].exists(i, i.f) && ![].exists_one(i, i.f)", True),
        ("l.exists(i, i == 'a' || i.f)", True),
        ("!l.all(i, i == 'b' && i.f)", True),
        ("string(-5) + string(true) + string('a') + string(9007199254740991)", "-5truea9007199254740991"),
        ("string(half * 2)", "1"),
    ],
)
def test_values(text: str, value: Any) -> None:
    names = {"items": ITEMS, "slot": 96 + 31, "l": ["a", "b", "c"], "number": 7, "wallet": "WL_1", "half": 0.5}
    found = _value(text, names)
    assert found == value and type(found) is type(value)


GOOD = ("a", "a/b", "..a", "a..", "a/..b/c", "a/b..", "...", "./a")
BAD = ("", "/", "/a", "..", "../a", "a/..", "a/../b", "/..")


def test_a_path_is_judged_without_taking_it_apart() -> None:
    text = (
        "path != '' && !path.startsWith('/') && path != '..' && !path.startsWith('../') && !path.endsWith('/..')"
        " && !path.contains('/../')"
    )
    judge = link(infer(_parsed(text), {"path": {"type": "string"}}).sealed)
    assert [path for path in GOOD + BAD if judge({"path": path})] == list(GOOD)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x.map(i, i)", "`map` goes over a record, not a list"),
        ("l.map(i, i.f)", "read from an integer"),
        ("l.all(i, i == 1 || i.f)", "read from an integer"),
        ("l.exists_one(i, i == 1 || i.f)", "read from an integer"),
        ("l.filter(i, i)", "`filter` needs true or false, not an integer"),
        ("l.exists(i, null)", "`exists` needs true or false, not null"),
        ("l.map(i, {'f': i}.g)", "`g` is absent"),
        ("string(x)", "`string` cannot take a record"),
        ("string(half)", "`string` cannot take a number"),
        ("string(null)", "`string` cannot take null"),
        ("l.map(i, i * 9007199254740991)", "2^53"),
    ],
)
def test_faults(text: str, words: str) -> None:
    with pytest.raises(ExpressionFault, match=re.escape(words)):
        _value(text, {"x": {}, "l": [1, 2], "half": 0.5})


MANY = list(range(20_000))
WIDE = {"f": ["a" * 100] * 500}


@pytest.mark.parametrize(
    "text",
    [
        "l.all(i, l.all(j, true))",
        "l.map(i, l)",
        "l.map(i, i in l)",
        "l.map(i, {'f': [s + s]})",
        "l.map(i, s)",
        "l.all(i, s + 'b' != s)",
        "l.all(i, s == t)",
        "l.all(i, !s.contains('ab'))",
        "l.all(i, w == v)",
        "l.all(i, [w] == [v])",
        "l.all(i, l + [1] != l)",
        "l.map(i, l.filter(j, j == i))",
    ],
)
def test_what_would_take_too_long_is_a_fault_soon(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would go over 10^8 values or more, or make as many."""
    monkeypatch.setattr(building, "MOST_STEPS", 200_000)
    names = {"l": MANY, "s": "a" * 100_000, "t": "a" * 100_000, "w": WIDE, "v": json.loads(json.dumps(WIDE))}
    with pytest.raises(ExpressionFault, match="more than 200000 steps"):
        _value(text, names)


def test_what_is_linear_is_no_fault() -> None:
    names = {"l": list(range(100_000)), "s": "a"}
    assert _value("size(l.filter(i, i % 2 == 0).map(i, {'f': i, 'k': s + string(i)}))", names) == 50_000
    assert _value("l.all(i, i < 500000) && l.all(i, i >= 0) && l.map(i, i) == l", names) is True


def test_what_doubles_again_and_again_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and types that share their parts, and written out would fill every disk."""
    monkeypatch.setattr(building, "MOST_STEPS", 20_000)
    text = "x" + ".map(i, {'a': i, 'b': i})" * 45
    found = infer(_parsed(text), TYPES | {"x": TYPES["l"]})
    assert not found.problems and len(json.dumps(found.type)) < 200_000
    with pytest.raises(ExpressionFault, match="20000 steps"):
        link(found.sealed)({"x": [1]})


@pytest.mark.parametrize("variable", ["", 1, None, ["i"]])
def test_a_variable_that_is_no_name_is_not_linked(variable: Any) -> None:
    with pytest.raises(ValueError, match="no variable"):
        link(["map", ["name", "l"], variable, ["lit", 1]])


def test_values_of_the_outside_are_not_changed() -> None:
    names = {"l": [1, 2], "x": {"f": [1]}}
    assert _value("l.map(i, x.f.map(j, i + j))", names) == [[2], [3]]
    assert names == {"l": [1, 2], "x": {"f": [1]}}


def test_names_leave_out_the_variables() -> None:
    assert names(seal_expression(_parsed("a.map(i, b.filter(j, j == i && c) + d)"))) == ("a", "b", "c", "d")
    assert names(seal_expression(_parsed("{'a': b, 'c': [d]}"))) == ("b", "d")


def test_a_macro_in_a_row_says_nothing_of_other_rows() -> None:
    def dead(*rows: str | None) -> list[tuple[int, int | None]]:
        return dead_rows([row and infer(_parsed(row), TYPES).sealed for row in rows], TYPES)  # type: ignore[misc]

    assert dead("l.exists(i, i > 3)", "l.exists(i, i > 4)", "size(l.filter(i, i > 3)) > 0", None) == []
    assert dead("l.all(i, i > 3)", "!l.all(i, i > 3)", "l.exists(i, true)", None) == [(2, 1), (3, 1)]
    assert dead("q > 3 && l.all(i, i > 3)", "q > 4 && l.all(i, i > 3)", None) == [(1, 0)]


FORMS = {
    "any": ("<integer>", "<boolean>", "<text>", "<list>", "x", "y", "{'f': <any>, 'g': <any>}", "x.f", "[<any>]"),
    "boolean": (
        "(<list>).all(a, <asked>)", "(<list>).exists(a, <asked>)", "(<list>).exists_one(a, <asked>)",
        "(<any>) == (<any>)", "(<any>) in (<list>)", "(<boolean>) && (<boolean>)", "(<boolean>) || (<boolean>)",
        "has(x.f)", "!(<boolean>)", "(<any>) < (<any>)", "x",
    ),
    "integer": ("size(<list>)", "<integer> + <integer>", "<integer> * <integer>", "1", "2", "x", "y.g"),
    "text": ("string(<any>)", "string(<integer>)", "<text> + <text>", "'a'", "y"),
    "list": (
        "(<list>).filter(a, <asked>)", "(<list>).map(a, <made>)", "(<list>).map(a, <asked>, <made>)", "x", "y", "l",
        "[<any>, <any>]", "(<list>) + (<list>)", "x.filter(a, has(a.f)).map(a, a.f)", "(<boolean>) ? <list> : <list>",
    ),
    "asked": ("a == 1", "a != x", "a", "has(a.f)", "l.exists(k, k == a)", "l.all(k, a < k)", "a in l", "true",
              "a.f == a.g"),
    "made": ("a", "[a, x]", "{'f': a, 'g': y}", "l.map(k, [k, a])", "a.f", "string(a)", "l.filter(k, k != a)", "a + a"),
}  # fmt: skip
LEAVES = {
    "any": ("x", "y"),
    "boolean": ("true", "x"),
    "integer": ("1", "2"),
    "text": ("'a'",),
    "list": ("l", "x", "[]"),
}
anything = st.recursive(
    st.sampled_from((None, True, False, 0, 1, 2, -1, 2**53 - 1, "", "a", "b")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("fg"), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(("any", "boolean", "list")).flatmap(lambda kind: texts(FORMS, kind, leaves=LEAVES)), st.data())
def test_values_are_those_of_another_evaluator(text: str, data: st.DataObject) -> None:
    expression = _parsed(text)
    found = infer(expression, {"l": {"type": "array"}, "x": {}, "y": {}})
    if found.problems:
        return
    run, check = link(found.sealed), link_check(found.type)
    for _ in range(4):
        values = {"l": data.draw(st.lists(anything, max_size=4)), "x": data.draw(anything), "y": data.draw(anything)}
        try:
            expected = reckoned(expression, values)
        except Nothing:
            with pytest.raises(ExpressionFault):
                run(values)
            assert found.may_fault
        else:
            value = run(values)
            assert json.dumps(value, sort_keys=True) == json.dumps(expected, sort_keys=True)
            assert not check(value)


@settings(max_examples=300, deadline=None)
@given(st.text("lxi.,map()al exists{}:'1>", max_size=24))
def test_any_text_is_read_or_refused_at_a_place(text: str) -> None:
    for whole in (text, f"l.map(i, {text})", f"{{'f': {text}}}"):
        found = parse_expression(whole)
        if isinstance(found, ExpressionError):
            assert 0 <= found.offset <= len(whole)
        else:
            assert found.depth <= 48
