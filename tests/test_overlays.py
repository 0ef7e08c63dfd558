"""`$merge` and `$optional`: what is built, and that its type holds it whatever the parts are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler.fits import join_all, literal
from omnibachi_compiler.overlays import is_record, overlaid
from omnibachi_model.checks import link as check
from omnibachi_runtime.templates import ABSENT, link, missing

scalar = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"])
record = st.dictionaries(st.sampled_from("abcd"), scalar | st.lists(scalar, max_size=2), max_size=3)
# Some values of one type: a closed type of all of them, or one that lets further members in.
samples = st.tuples(st.lists(record, min_size=1, max_size=3), st.booleans())


def type_of(records: list[dict[str, Any]], *, open_ended: bool) -> dict[str, Any]:
    found = join_all([literal(item) for item in records])
    if not open_ended:
        return found
    members = {key: value for key, value in found.get("properties", {}).items() if key in "ab"}
    return {"type": "object", "properties": members}


@settings(max_examples=150, deadline=None)
@given(samples, samples)
def test_the_type_holds_what_is_built(
    below: tuple[list[dict[str, Any]], bool], above: tuple[list[dict[str, Any]], bool]
) -> None:
    types = [type_of(records, open_ended=end) for records, end in (below, above)]
    made = overlaid(*types)
    assert is_record(made)
    for one in below[0]:
        for other in above[0]:
            built = link(["merge", [["ref", 0, []], ["ref", 1, []]]], 2)([one, other])
            assert built == {**one, **other}
            assert not check(made)(built), (types, made, built)


@given(st.lists(record, min_size=1, max_size=3))
def test_one_record_alone_keeps_its_type(records: list[dict[str, Any]]) -> None:
    kind = join_all([literal(item) for item in records])
    for built in records:
        assert not check(overlaid({"type": "object", "additionalProperties": False}, kind))(built)


def test_parts_stay_as_they_are() -> None:
    one, other = {"a": 1}, {"a": 2, "b": 3}
    assert link(["merge", [["ref", 0, []], ["ref", 1, []], ["map", {"c": ["lit", 4]}]]], 2)([one, other]) == {
        "a": 2, "b": 3, "c": 4,
    }  # fmt: skip
    assert (one, other) == ({"a": 1}, {"a": 2, "b": 3})


def test_a_part_that_is_absent_is_missed() -> None:
    with pytest.raises(ABSENT):
        link(["merge", [["ref", 0, ["x"]], ["ref", 1, []]]], 2)([{}, {}])


@given(record, st.sets(st.sampled_from("abcd")))
def test_a_member_that_is_absent_is_left_out(given_: dict[str, Any], asked: set[str]) -> None:
    sealed = ["map", {"x": ["lit", 1], **{key: ["optional", ["ref", 0, [key]]] for key in asked}}]
    made = link(sealed, 1)
    assert made([given_]) == {"x": 1, **{key: given_[key] for key in asked if key in given_}}
    assert made([None]) == {"x": 1}
    assert missing(sealed, [None], (("node", None),)) is None


def test_what_is_needed_beside_an_optional_member_is_missed() -> None:
    sealed = ["map", {"a": ["optional", ["ref", 0, ["a"]]], "b": ["ref", 0, ["b"]]}]
    with pytest.raises(ABSENT):
        link(sealed, 1)([{"a": 1}])
    assert missing(sealed, [{"a": 1}], (("$.nodes.node", None),)) == "$.nodes.node.b"
