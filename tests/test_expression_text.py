"""Sealed trees written back as text: the compiler reads the text to the same tree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler.expressions import Expression, parse_expression, seal_expression
from omnibachi_model.expressions import MACROS
from omnibachi_observer.expression_text import expression, names, reference, references, template

SAME = [
    "tier == 'standard' && quantity <= 100",
    "!(a && b) || c",
    "a || b && c",
    "(a || b) && c",
    "a && b && c && d && e",
    "a ? b : c ? d : e",
    "(a ? b : c) ? d : e",
    "a ? (b ? c : d) : e",
    "x - (y - z) - 1",
    "x - y - z",
    "(1 + 2) * 3 % 4 / x",
    "-x.f + (-x).f",
    "-(x + 1)",
    "!!a",
    "!(x in [1, 'two', null, true])",
    "has(x.items) && size(x.items[0].name) > 0",
    "type(x) == 'string' && x.startsWith('it\\'s \"so\"\\n')",
    "a == (b == c)",
    "x.endsWith('\\\\') || x.contains('`|`')",
    "-5 < x",
    "'é✓'",
    "l.filter(i, i.outcome == 'A' && has(i.v)).map(i, {'v': i.v, 'a b': [{}]})",
    "(a + b).all(i, l.exists(j, j == i)) || l.exists_one(i, !i)",
    "{'f': a ? b : c}.f + string(1)",
]


def sealed(text: str) -> Any:
    found = parse_expression(text)
    assert isinstance(found, Expression), f"{text}: {found}"
    return seal_expression(found)


@pytest.mark.parametrize("text", SAME)
def test_text_survives_sealing(text: str) -> None:
    assert expression(sealed(text)) == text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("((a))", "a"),
        ("(a && b) || c", "a && b || c"),
        ("size( x )", "size(x)"),
        ('"two"', "'two'"),
        ("x.size()", "size(x)"),
        ("l.map(i, i > 1, i)", "l.filter(i, i > 1).map(i, i)"),
        ("{'f': 1,}", "{'f': 1}"),
    ],
)
def test_needless_parentheses_and_spaces_are_dropped(written: str, shown: str) -> None:
    assert expression(sealed(written)) == shown


ATOMS = st.one_of(
    st.sampled_from(["a", "b", "tier"]).map(lambda name: ["name", name]),
    st.one_of(st.none(), st.booleans(), st.integers(0, 9999), st.text(max_size=6)).map(lambda value: ["lit", value]),
    st.sampled_from([0.5, 1.25, 12345.678]).map(lambda value: ["lit", value]),
)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    two = ["eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "div", "mod", "in", "and", "or", "at"]
    methods = ["startsWith", "endsWith", "contains"]
    name = st.sampled_from(["a", "b"]).map(lambda found: ["name", found])
    body = st.tuples(st.sampled_from([*two[:7], "map"]), ATOMS, ATOMS).map(
        lambda parts: ["map", parts[1], "j", parts[2]] if parts[0] == "map" else list(parts)
    )
    return st.one_of(
        st.tuples(st.sampled_from([*two, *methods]), inner, inner).map(list),
        st.tuples(st.sampled_from(["size", "type", "not"]), inner).map(list),
        name.map(lambda found: ["neg", found]),
        st.tuples(st.just("get"), inner, st.sampled_from(["f", "items"])).map(list),
        st.tuples(st.just("has"), inner, st.sampled_from(["f"])).map(list),
        st.tuples(st.just("if"), inner, inner, inner).map(list),
        st.lists(inner, max_size=3).map(lambda items: ["list", items]),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(lambda items: ["record", items]),
        st.tuples(st.sampled_from(MACROS), inner, st.sampled_from(["i", "map"]), body).map(list),
        st.tuples(st.just("string"), inner).map(list),
    )


def flat(tree: Any) -> Any:
    """Return a tree as the compiler has it: chains of `&&` and `||` as lists of terms, since only their order means
    something, and a field by its name however it is written."""
    if not isinstance(tree, list):
        return tree
    if tree and tree[0] == "at" and tree[2][0] == "lit" and isinstance(tree[2][1], str):
        return ["get", flat(tree[1]), tree[2][1]]
    if tree and tree[0] in ("and", "or"):
        terms = []
        for part in map(flat, tree[1:]):
            terms += part[1:] if isinstance(part, list) and part[:1] == [tree[0]] else [part]
        return [tree[0], *terms]
    if tree and tree[0] == "record":
        return ["record", {key: flat(part) for key, part in tree[1].items()}]
    return [flat(part) for part in tree]


@settings(max_examples=150, deadline=None)
@given(st.recursive(ATOMS, grown, max_leaves=8))
def test_the_compiler_reads_back_what_was_written(tree: Any) -> None:
    text = expression(tree)
    assert flat(sealed(text)) == flat(tree), text


def test_names_are_those_that_are_read() -> None:
    assert names(sealed("b.x in [a, 'c'] && has(b.y) ? size(d) > 1 : 'name'")) == ("b", "a", "d")
    assert names(sealed("c.map(i, d.filter(j, j == i && b) + [i])")) == ("c", "d", "b")
    assert names(sealed("{'x': b, 'y': {'z': a}}")) == ("b", "a")


@pytest.mark.parametrize(
    "tree",
    [
        None,
        1,
        [],
        ["lit"],
        ["future", ["name", "x"]],
        ["eq", 1],
        {"a": 1},
        ["get", 1, 2],
        ["record", 1],
        ["all", 1],
        ["map", ["name", "x"], 3, 4],
        ["record", {"a": 1}],
    ],
)
def test_a_tree_of_another_form_is_shown_and_not_refused(tree: Any) -> None:
    assert isinstance(expression(tree), str)
    assert isinstance(template(tree, ["a"]), str)
    assert names(tree) == () or names(tree) == ("x",)
    assert references(tree) == ()


def test_templates_and_references_read_as_authors_write_them() -> None:
    nodes = ["read", "total"]
    tree = [
        "map",
        {"b": ["list", [["ref", 0, ["value", "items", -1]], ["lit", "x"]]], "a": ["ref", "payload", ["a b"]]},
    ]
    assert template(tree, nodes) == "{a: $.payload['a b'], b: [$.nodes.read.value.items[-1], \"x\"]}"
    assert template(["first", [["ref", "run", ["actor"]], ["lit", None]]], nodes) == "$first: [$.run.actor, null]"
    assert references(tree) == ((0, ("value", "items", -1)), ("payload", ("a b",)))
    assert reference(1, ["sum"], nodes) == "$.nodes.total.sum"
