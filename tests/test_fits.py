"""Fits: verdicts are proofs, joins hold both sides, members say what is there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from generated import Schema, anything, changed, filled, schemas, values_near
from omnibachi_compiler.fits import Fit, Presence, array_of, fits, join, literal, member, object_of
from omnibachi_compiler.kinds import settled
from omnibachi_model.checks import link

MANY = settings(max_examples=300, deadline=None)
STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}


@MANY
@given(st.data())
def test_verdicts_are_proofs(data: st.DataObject) -> None:
    a = data.draw(schemas())
    b = data.draw(changed(a) | schemas())
    if data.draw(st.booleans()):
        a, b = b, a
    verdict = fits(a, b)
    for _ in range(4):
        value = data.draw(values_near(data.draw(st.sampled_from((a, b)))))
        if link(a)(value):
            continue
        broken = link(b)(filled(a, value))
        if verdict is Fit.FITS:
            assert not broken
        elif verdict is Fit.DISJOINT:
            assert broken


@MANY
@given(st.data())
def test_a_schema_fits_itself(data: st.DataObject) -> None:
    schema = data.draw(schemas(defaults=False))
    value = data.draw(values_near(schema))
    assume(not link(schema)(value))
    assert fits(schema, schema) is Fit.FITS
    assert fits(literal(value), schema) is Fit.FITS
    assert fits(schema, {}) is Fit.FITS


@MANY
@given(st.data())
def test_a_join_holds_both_sides(data: st.DataObject) -> None:
    a = data.draw(schemas())
    b = data.draw(changed(a) | schemas())
    joined = link(join(a, b))
    for side in (a, b):
        for _ in range(3):
            value = data.draw(values_near(side))
            if not link(side)(value):
                assert not joined(filled(side, value))


@MANY
@given(st.data())
def test_settled_schemas_hold_filled_values(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    value = data.draw(values_near(schema))
    assume(not link(schema)(value))
    assert not link(settled(schema))(filled(schema, value))
    assert "default" not in str(settled(schema))


@MANY
@given(st.data(), st.sampled_from(("a", "b", "d", 0, 1, -1, -2)))
def test_members_are_there_as_said(data: st.DataObject, segment: str | int) -> None:
    schema = data.draw(schemas())
    kind, presence = member(schema, segment)
    for _ in range(4):
        value = data.draw(values_near(schema))
        if link(schema)(value):
            continue
        value = filled(schema, value)
        try:
            found = value[segment] if type(value) is (dict if isinstance(segment, str) else list) else None
        except (KeyError, IndexError):
            found = None
            there = False
        else:
            there = type(value) is (dict if isinstance(segment, str) else list)
        if presence is Presence.ALWAYS:
            assert there
        elif presence is Presence.NEVER:
            assert not there
        if there:
            assert not link(kind)(found)


@MANY
@given(anything)
def test_a_literal_is_exactly_its_value(value: Any) -> None:
    schema = literal(value)
    assert not link(schema)(value)
    assert not link({key: inner for key, inner in schema.items() if key != "const"})(value)
    assert fits(schema, {"const": value}) is Fit.FITS


CASES = [
    (INTEGER, {"type": "number"}, Fit.FITS),
    ({"type": "number"}, INTEGER, Fit.CHECK),
    ({"type": "number", "minimum": 0.2, "maximum": 0.8}, INTEGER, Fit.DISJOINT),
    (STRING, {"type": ["string", "null"]}, Fit.FITS),
    ({"type": ["string", "null"]}, STRING, Fit.CHECK),
    (STRING, INTEGER, Fit.DISJOINT),
    ({"enum": ["a", "b"]}, {"enum": ["a", "b", "c"]}, Fit.FITS),
    ({"enum": ["a", "d"]}, {"enum": ["a", "b"]}, Fit.CHECK),
    ({"enum": ["x"]}, {"enum": ["a", "b"]}, Fit.DISJOINT),
    ({"type": "boolean"}, {"enum": [True, False, None]}, Fit.FITS),
    ({"type": "integer", "minimum": 1, "maximum": 5}, {"type": "integer", "exclusiveMinimum": 0}, Fit.FITS),
    ({"type": "integer", "exclusiveMaximum": 3}, {"type": "integer", "minimum": 3}, Fit.DISJOINT),
    ({"type": "string", "maxLength": 3}, {"type": "string", "minLength": 4}, Fit.DISJOINT),
    ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^a"}, Fit.FITS),
    (STRING, {"type": "string", "pattern": "^a"}, Fit.CHECK),
    ({"const": "ab"}, {"type": "string", "pattern": "^a", "format": "date"}, Fit.DISJOINT),
    ({"type": "string", "format": "date"}, STRING, Fit.FITS),
    ({"type": "array", "items": STRING}, {"type": "array", "items": INTEGER}, Fit.CHECK),
    ({"type": "array", "items": STRING, "minItems": 1}, {"type": "array", "items": INTEGER}, Fit.DISJOINT),
    (object_of({"a": STRING}), {"type": "object", "required": ["a", "b"]}, Fit.DISJOINT),
    ({"type": "object"}, object_of({"a": STRING}), Fit.CHECK),
    (object_of({"a": STRING, "b": INTEGER}), object_of({"a": STRING}), Fit.DISJOINT),
    (object_of({"a": literal("x")}), object_of({"a": {"enum": ["x", "y"]}}), Fit.FITS),
    (
        {"type": "object", "properties": {"a": {**STRING, "default": ""}}},
        {"type": "object", "required": ["a"]},
        Fit.FITS,
    ),
    ({"type": "object", "properties": {"a": STRING}}, {"type": "object", "required": ["a"]}, Fit.CHECK),
    ({}, STRING, Fit.CHECK),
    ({}, {"type": "array"}, Fit.CHECK),
    (array_of([literal(1), literal(2)]), {"type": "array", "items": INTEGER, "minItems": 2}, Fit.FITS),
]


@pytest.mark.parametrize(("a", "b", "verdict"), CASES)
def test_verdict(a: Schema, b: Schema, verdict: Fit) -> None:
    assert fits(a, b) is verdict


def test_joins_keep_what_both_sides_say() -> None:
    assert join(literal(1), literal(2)) == {"type": "integer", "enum": [1, 2]}
    assert join(STRING, {"type": "null"}) == {"type": ["string", "null"]}
    assert join(STRING, INTEGER) == {}
    both = join(object_of({"a": literal(1), "b": STRING}), object_of({"a": literal(7)}))
    assert both["required"] == ["a"]
    assert both["additionalProperties"] is False
    assert fits(both, {"type": "object", "properties": {"a": {"type": "integer", "maximum": 7}}}) is Fit.FITS


def test_long_literal_lists_are_joined_in_reasonable_time() -> None:
    joined = literal([f"item {number}" for number in range(3000)])["items"]
    assert joined["type"] == "string" and "enum" not in joined
