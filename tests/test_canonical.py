"""Canonical bytes: inside the profile they are RFC 8785's, as the `rfc8785` package writes them; outside is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_model.digests import decode, encode, pretty
from omnibachi_model.values import LIMIT, MAX_DEPTH, Outside, _admit, admit, canonical, parse, pointer
from thoroughness import many

MANY = settings(max_examples=many(300, 10_000), deadline=None)

whole = st.integers(1 - LIMIT, LIMIT - 1)
fractions = st.floats(1e-5, 1e15, exclude_max=True, allow_nan=False) | st.floats(
    -1e15, -1e-5, exclude_min=True, allow_nan=False
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
keys = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=4)
inside = st.recursive(
    st.none() | st.booleans() | whole | fractions | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
wild = st.recursive(
    st.none() | st.integers() | st.sampled_from([LIMIT, -LIMIT, LIMIT - 1]) | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2) | st.integers(), inner) | st.tuples(inner)
    ),
    max_leaves=6,
)


@MANY
@given(inside)
def test_bytes_are_those_of_rfc_8785(value: Any) -> None:
    admitted = admit(value)
    data = encode(admitted)
    assert data == rfc8785.dumps(value) == rfc8785.dumps(admitted)
    assert decode(data) == admitted == parse(data) == value
    assert encode(parse(data)) == data
    assert encode(parse(pretty(admitted))) == data
    assert encode(parse(json.dumps(value, indent=1).encode())) == data


@MANY
@given(inside)
def test_what_is_admitted_is_admitted_again_as_the_same_object(value: Any) -> None:
    admitted = admit(value)
    assert admit(admitted) is admitted
    assert not any(type(item) is float and item.is_integer() for item in _leaves(admitted))


@MANY
@given(wild | inside)
def test_what_is_told_quickly_to_be_canonical_is_admitted_as_it_is(value: Any) -> None:
    try:
        same = _admit(value, (), 3) is value
    except Outside:
        same = False
    assert same or not canonical(value, 3)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return [leaf for item in items for leaf in _leaves(item)]
    return [value]


EDGES = [
    0, -0.0, 0.0, 1.0, -1.0, 1e-5, -1e-5, math.nextafter(1e-5, 1), 1.1e-5, 0.0001, 0.001, 0.1, 0.3, 1 / 3, 0.1 + 0.2,
    1.5, 123456789.125, 1e14 + 0.5, 999999999999999.9, math.nextafter(1e15, 0), 1e15, 1e15 + 1, 2.0**52 + 0.5, 2.0**52,
    LIMIT - 1, 1 - LIMIT, float(LIMIT - 1), 5e14 + 0.0625, 4.35, 2.675,
    1e2, 1.0000000000000002, 0.000012345678901234567,
]  # fmt: skip


@pytest.mark.parametrize("number", EDGES, ids=repr)
def test_numbers_at_the_edges(number: float) -> None:
    admitted = admit(number)
    assert encode(admitted) == rfc8785.dumps(number)
    assert admitted == number
    assert type(admitted) is (int if float(number).is_integer() else float)
    assert encode(parse(repr(number).encode())) == encode(admitted)


@MANY
@given(
    st.integers(0, 52).map(lambda power: 2.0**power) | st.integers(-4, 14).map(lambda power: 10.0**power),
    st.integers(-3, 3),
    st.sampled_from((1, -1)),
)
def test_numbers_beside_powers_of_two_and_ten(power: float, steps: int, sign: int) -> None:
    for _ in range(abs(steps)):
        power = math.nextafter(power, math.inf if steps > 0 else 0)
    number = sign * power
    if (number.is_integer() and abs(number) < LIMIT) or 1e-5 <= abs(number) < 1e15:
        assert encode(admit(number)) == rfc8785.dumps(number)
    else:
        with pytest.raises(Outside):
            admit(number)


def test_keys_stand_in_the_order_of_their_utf_16_units() -> None:
    # Inside the basic plane units and code points agree; U+FFFF sorts after the surrogates only by code points, which
    # is why keys beyond it are refused.
    names = [
        "\uffff",
        "\ue000",
        "\ud7ff",
        "é",
        "e\u0301",
        "z",
        "Z",
        "",
        "10",
        "9",
        "\u0000",
        "\x7f",
        "\u2028",
        '"',
        "\\",
    ]
    value = dict.fromkeys(names, 0)
    data = encode(admit(value))
    assert data == rfc8785.dumps(value)
    assert list(json.loads(data)) == sorted(names, key=lambda name: name.encode("utf-16-be")) == sorted(names)
    beyond = {"\ue000": 0, "\U00010000": 0}
    assert encode(beyond) != rfc8785.dumps(beyond)
    with pytest.raises(Outside):
        admit(beyond)


class _Number(int):
    """No plain integer."""


OUTSIDE = [
    math.nan, math.inf, -math.inf, LIMIT, -LIMIT, float(LIMIT), 1e16, -1e300, 10**400, math.nextafter(1e-5, 0), 5e-324,
    -9.9e-6, 1e-300, "\ud800", "a\udc00", "\udc00\ud800", b"", (), set(), object(), 1j, _Number(3),
]  # fmt: skip


@MANY
@given(
    inside,
    st.sampled_from([*OUTSIDE, {"\U00010000": 1}, {"a\ud800": 1}, {1: 1}, {None: 1}, {True: 1}]),
    st.data(),
)
def test_what_is_outside_is_refused_at_its_pointer(value: Any, wrong: Any, data: st.DataObject) -> None:
    spoilt, at = _planted(value, wrong, data)
    with pytest.raises(Outside) as refused:
        admit(spoilt)
    assert refused.value.pointer == pointer(at)
    assert refused.value.reason


def _planted(value: Any, wrong: Any, data: st.DataObject) -> tuple[Any, tuple[str | int, ...]]:
    """Put a wrong value somewhere into a right one: (the whole, where)."""
    if isinstance(value, list) and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(value)))
        inner, at = _planted(value[place] if place < len(value) else None, wrong, data)
        return [*value[:place], inner, *value[place + 1 :]], (place, *at)
    if isinstance(value, dict) and data.draw(st.booleans()):
        key = data.draw(st.sampled_from([*value, "~/", "é"]))
        inner, at = _planted(value.get(key), wrong, data)
        return {**value, key: inner}, (key, *at)
    return wrong, ()


@pytest.mark.parametrize("number", [item for item in OUTSIDE if isinstance(item, float | int)], ids=repr)
def test_texts_of_numbers_outside_are_refused(number: float) -> None:
    text = str(number) if type(number) is not float else json.dumps(number)
    if type(number) is _Number:
        return
    with pytest.raises(Outside):
        parse(f'{{"a": [{text}]}}'.encode())


def test_an_integer_of_thousands_of_digits_is_refused_in_our_words() -> None:
    with pytest.raises(Outside, match="an integer has thousands of digits; write it as a string"):
        parse(b'{"a":' + b"9" * 5000 + b"}")


def test_depth_is_counted_in_levels() -> None:
    value: Any = 0
    for level in range(MAX_DEPTH):
        value = [value] if level % 2 else {"a": value}
    data = encode(admit(value))
    assert data == rfc8785.dumps(value)
    assert parse(data) == value
    for deeper in ([value], {"a": value}):
        with pytest.raises(Outside, match="deeper than 64"):
            admit(deeper)
        with pytest.raises(Outside, match="deeper than 64"):
            parse(orjson.dumps(deeper))


@MANY
@given(inside, st.data())
def test_the_door_reads_whatever_stands_in_a_text_or_refuses_it(value: Any, data: st.DataObject) -> None:
    text = bytearray(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(
            st.integers(0, 255) | st.sampled_from(b'0123456789.eE-+{}[]",:\\u')
        )
    try:
        found = parse(bytes(text))
    except Outside as refused:
        assert refused.reason
        return
    assert encode(found) == rfc8785.dumps(found)
    assert json.loads(bytes(text)) == found
