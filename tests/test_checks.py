"""Checks of values: against `jsonschema` as the oracle, and what OmniBachi's profile adds."""

from __future__ import annotations

import datetime
import uuid
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from generated import Schema, schemas, values_near
from omnibachi_model import checks, formats
from omnibachi_model.checks import compile_pattern, conform, filler, link, listed
from omnibachi_model.quick import quick
from omnibachi_model.values import pointer

MANY = settings(max_examples=500, deadline=None)
Places = set[tuple[str, str]]


def _oracle(schema: Schema, value: Any) -> Places:
    """Return what `jsonschema` finds, in this project's terms: a missing or unknown member is named by its own path."""
    found: Places = set()
    for error in Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(value):
        at = list(error.absolute_path)
        names: list[Any] = [None]
        if error.validator == "required":
            names = [name for name in error.validator_value if name not in error.instance]
        elif error.validator == "additionalProperties":
            names = [name for name in error.instance if name not in error.schema.get("properties", {})]
        for name in names:
            found.add((pointer(at if name is None else [*at, name]), str(error.validator)))
    return found


@MANY
@given(st.data())
def test_checks_find_what_jsonschema_finds(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    for _ in range(4):
        value = data.draw(values_near(schema))
        found = link(schema)(value) or []
        mine = {(pointer(at), keyword) for at, keyword in found}
        theirs = _oracle(schema, value)
        # A value of the wrong type is not asked anything else, and a text that is too long is not searched.
        wrong_type = {at for at, keyword in mine if keyword == "type"}
        too_long = {(at, "pattern") for at, keyword in mine if keyword == "maxLength"}
        assert mine == {found for found in theirs - too_long if found[0] not in wrong_type or found[1] == "type"}
        assert bool(mine) == bool(theirs)


@MANY
@given(st.data())
def test_what_is_told_quickly_to_fit_fits(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    fits = quick(schema, compile_pattern)
    if fits is not None:
        value = data.draw(values_near(schema) | st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=2))
        with mock.patch.object(checks, "quick", lambda *_: None):
            assert not fits(value) or not link(schema)(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {"const": "x"}}, "required": ["a", "z"]},
        {"type": "object", "properties": {"a": {"enum": ["x"]}}, "additionalProperties": {"type": "integer"}},
    ],
)
def test_open_records_are_told_quickly(schema: Schema) -> None:
    fits = quick(schema, compile_pattern)
    assert fits is not None and fits({"a": "x", "z": 1}) and not fits({"a": "x", "z": 2.0})
    assert not fits({"a": "x", "z": 1, "\ud800": 1}) and not fits([])


@MANY
@given(st.data())
def test_filling_defaults_keeps_a_fitting_value_fitting(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    value = data.draw(values_near(schema))
    fill = filler(schema)
    if fill is None or link(schema)(value) or "enum" in str(schema) or "const" in str(schema):
        return
    before = repr(value)
    filled = fill(value)
    assert repr(value) == before
    assert not link(schema)(filled)
    assert fill(filled) == filled


def test_defaults_are_filled_wherever_an_object_is() -> None:
    inner = {"type": "object", "properties": {"x": {"type": "integer", "default": 1}}}
    schema = {
        "type": "object",
        "properties": {"one": {**inner, "default": {}}, "many": {"type": "array", "items": inner}},
        "additionalProperties": inner,
    }
    fill = filler(schema)
    assert fill is not None
    assert fill({"many": [{}, {"x": 2}], "other": {}}) == {
        "one": {"x": 1},
        "many": [{"x": 1}, {"x": 2}],
        "other": {"x": 1},
    }


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [
        ({"type": "string"}, "\ud800", [("", "canonical")]),
        ({"type": ["string", "null"]}, "\ud800", [("", "canonical")]),
        ({"type": "integer"}, 2**53, [("", "canonical")]),
        ({"type": "integer"}, True, [("", "type")]),
        ({"type": "integer"}, 1.5, [("", "type")]),
        ({"type": "number"}, 1e300, [("", "canonical")]),
        ({"type": "number"}, 1e-9, [("", "canonical")]),
        ({"type": "number"}, False, [("", "type")]),
        ({}, float("nan"), [("", "canonical")]),
        ({"type": "object"}, {"a": {"b": 2**60}}, [("/a", "canonical")]),
        ({"type": "object", "required": ["a/b"]}, {}, [("/a~1b", "required")]),
        ({"enum": [1]}, True, [("", "enum")]),
        ({"const": [0]}, [False], [("", "const")]),
        ({"type": "string", "maxLength": 2, "pattern": "^a*$"}, "bbb", [("", "maxLength")]),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "required": ["b"],
                "additionalProperties": False,
            },
            {"c": 1, "a": 2},
            [("/a", "type"), ("/b", "required"), ("/c", "additionalProperties")],
        ),
    ],
)
def test_violations(schema: Schema, value: Any, found: list[tuple[str, str]]) -> None:
    wanted = [{"pointer": at, "keyword": keyword} for at, keyword in found]
    assert listed(link(schema)(value) or []) == wanted


def test_whole_floats_pass_as_integers_at_the_door() -> None:
    check = link({"type": "object", "properties": {"n": {"type": "integer"}}})
    value, found = conform(check, {"n": 3.0})
    assert (value, found) == ({"n": 3}, [])
    assert type(value["n"]) is int
    assert conform(check, {"n": 3.5})[1] == [(("n",), "type")]


def test_patterns_mean_what_ecma_says() -> None:
    assert compile_pattern("a$").search("a\n") is None
    assert compile_pattern(r"\$[$]$").search("$$") is not None
    assert compile_pattern(r"^\d$").search("٣") is None
    assert compile_pattern("^.$").search("\u2028") is None
    assert compile_pattern("^.$").search("𝄞") is not None
    assert compile_pattern("^[.]$").search("a") is None


@given(st.dates(), st.datetimes(timezones=st.just(datetime.UTC)), st.uuids())
def test_formats_take_what_python_writes(day: datetime.date, moment: datetime.datetime, name: uuid.UUID) -> None:
    assert formats.is_date(day.isoformat())
    assert formats.is_date_time(moment.isoformat())
    assert formats.parse_time(moment.isoformat()) == moment
    assert formats.is_uuid(str(name))
    assert formats.is_uri(name.urn)


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789-:TZ+.@aeg/%", max_size=26), st.sampled_from(sorted(formats.FORMATS)))
def test_formats_are_total(text: str, name: str) -> None:
    good = formats.FORMATS[name](text)
    if good and name in ("date", "uuid"):
        assert FormatChecker().conforms(text, name)
    if good and name == "date-time":
        assert datetime.datetime.fromisoformat(text.upper()).tzinfo is not None


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "date",
            ["2024-02-29", "0001-01-01"],
            ["2023-02-29", "2024-2-9", "20240229", "2024-02-29\n", "0000-01-01", ""],
        ),
        (
            "date-time",
            ["2026-01-01T00:00:00Z", "2026-01-01t00:00:00.123z", "2026-12-31T23:59:59+05:30"],
            [
                "2026-01-01",
                "2026-01-01 00:00:00Z",
                "2026-01-01T24:00:00Z",
                "2026-01-01T00:00:60Z",
                "2026-01-01T00:00:00",
            ],
        ),
        ("email", ["a@b.cd", "first.last+tag@sub.example.org"], ["a@b", "@b.cd", "a b@c.de", "a@-b.cd", "a..b@c.de"]),
        ("uri", ["urn:a:b", "https://example.org/a?b=%20#c"], ["example.org", "http://a b", "http://%zz", "1a:b"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000", "{123e4567}"]),
    ],
)
def test_formats(name: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not formats.FORMATS[name](text)] == []
    assert [text for text in bad if formats.FORMATS[name](text)] == []


@given(st.integers(-(10**18), 4 * 10**18))
def test_times_are_written_as_python_writes_them(unix_ns: int) -> None:
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    exact = epoch + datetime.timedelta(milliseconds=unix_ns // 1_000_000)
    assert formats.write_time(unix_ns) == exact.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert formats.is_date_time(formats.write_time(unix_ns))
