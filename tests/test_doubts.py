"""Which bounds may be broken where inputs are checked when run: each of those, and no other."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler.doubts import bounded_by, bounds_of, doubts
from omnibachi_model.checks import link

ITEM = {
    "type": "object",
    "properties": {"key": {"type": "string", "minLength": 1}, "number": {"type": "integer", "minimum": 0}},
    "required": ["key"],
    "additionalProperties": False,
}
LIST: dict[str, Any] = {"type": "array", "maxItems": 3, "items": ITEM}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (LIST, ""),
        ({**LIST, "maxItems": 4}, ": `maxItems`"),
        ({"type": "array", "maxItems": 3, "items": {**ITEM, "required": []}}, ": `required` at `/*/key`"),
        (
            {"type": "array", "items": {**ITEM, "properties": {"key": {"type": "string"}}}},
            ": `maxItems`, `minLength` at `/*/key`",
        ),
        (
            {"type": "array", "maxItems": 0, "items": {}},
            "",  # of no items none breaks anything
        ),
    ],
)
def test_what_may_be_broken_is_told_with_its_place(given: dict[str, Any], told: str) -> None:
    assert doubts(given, LIST) == told


def test_what_is_of_another_type_alone_breaks_no_bound() -> None:
    assert doubts({}, {"type": "string"}) == ""


def test_more_than_anybody_reads_is_not_told() -> None:
    many = {"type": "object", "properties": {}, "required": [f"m{number}" for number in range(13)]}
    assert doubts({"type": "object"}, many) == ""
    assert doubts({"type": "object"}, {**many, "required": many["required"][:12]}).count("required") == 12


VALUES = st.recursive(
    st.none() | st.integers(-2, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["key", "number", "x"]), inner),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    value=VALUES | st.lists(st.dictionaries(st.sampled_from(["key", "number"]), st.text("a", max_size=1)), max_size=4)
)
def test_a_value_breaks_only_bounds_that_are_doubted(value: Any) -> None:
    """A value alone is a type: whatever it breaks is said of it, and what is not said it does not break."""
    told = doubts({"const": value}, LIST)
    for bound in bounds_of(LIST):
        without = _without(LIST, bound)
        if link(LIST)(value) and not link(without)(value):
            assert bound.told in told.removeprefix(": ").split(", ")


def _without(schema: dict[str, Any], bound: Any) -> dict[str, Any]:
    changed = copy.deepcopy(schema)
    at = bounded_by(changed, bound)
    if bound.member is not None:
        at["required"].remove(bound.member)
    else:
        del at[bound.keyword]
    return changed
