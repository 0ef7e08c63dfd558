"""Binding paths: the singular queries of RFC 9535, and everything else of JSONPath refused with its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler.paths import PathError, parse_path

GOOD = [
    ("$", ()),
    ("$.a", ("a",)),
    ("$._", ("_",)),
    ("$.☺", ("☺",)),
    ("$.𝄞", ("𝄞",)),
    ("$.a1.b_2", ("a1", "b_2")),
    ('$["a"]', ("a",)),
    ("$['a']", ("a",)),
    ("$['']", ("",)),
    ("$['a.b']['c d']", ("a.b", "c d")),
    ("$[0]", (0,)),
    ("$[-1]", (-1,)),
    ("$[9007199254740991]", (2**53 - 1,)),
    ("$[-9007199254740991]", (1 - 2**53,)),
    ("$.a[3]['b'].c", ("a", 3, "b", "c")),
    ("$ .a", ("a",)),
    ("$\n['a']\t[0]\r.b", ("a", 0, "b")),
    ("$[ 'a' ]", ("a",)),
    ("$[\n1\t]", (1,)),
    ('$["\\""]', ('"',)),
    ("$['\\'']", ("'",)),
    ("$['\"']", ('"',)),
    ('$["\'"]', ("'",)),
    ('$["\\\\\\/\\b\\f\\n\\r\\t"]', ("\\/\b\f\n\r\t",)),
    ('$["\\u263A\\u263a"]', ("☺☺",)),
    ("$['\\uD834\\uDD1E']", ("𝄞",)),
    ('$["\x7f"]', ("\x7f",)),
]

BAD = [
    ("", 0, "begins with"),
    ("a", 0, "begins with"),
    (" $", 0, "begins with"),
    ("$ ", 1, "white space at the end"),
    ("$.a ", 3, "white space at the end"),
    ("$.", 2, "a name was expected"),
    ("$. a", 2, "a name was expected"),
    ("$.&", 2, "a name was expected"),
    ("$.1", 2, "a name was expected"),
    ("$.-a", 2, "a name was expected"),
    ("$a", 1, "`.` or `[` was expected"),
    ("$['a']b", 6, "`.` or `[` was expected"),
    ("$..a", 1, "many values"),
    ("$..", 1, "many values"),
    ("$.*", 2, "a wildcard"),
    ("$[*]", 2, "a wildcard"),
    ("$[?@.a]", 2, "a filter"),
    ("$[:]", 2, "a slice"),
    ("$[1:2]", 3, "a slice"),
    ("$[0,1]", 3, "a list of selectors"),
    ("$['a','b']", 5, "a list of selectors"),
    ("$['a' , 'b']", 6, "a list of selectors"),
    ("$['a':'b']", 5, "`]` was expected"),
    ("$[0 2]", 4, "`]` was expected"),
    ("$[]", 2, "a quoted name or an index"),
    ("$[", 2, "a quoted name or an index"),
    ("$[a]", 2, "a quoted name or an index"),
    ("$[+1]", 2, "a quoted name or an index"),
    ("$[- 1]", 2, "after `-`"),
    ("$[01]", 2, "leading zero"),
    ("$[-01]", 2, "leading zero"),
    ("$[-0]", 2, "`-0`"),
    ("$[1.0]", 3, "`]` was expected"),
    ("$[9007199254740992]", 2, "2^53"),
    ("$[-9007199254740992]", 2, "2^53"),
    (f"$[{'1' * 5000}]", 2, "2^53"),
    ("$[0", 3, "`]` was expected"),
    ("$['a", 2, "no closing '"),
    ('$["a', 2, 'no closing "'),
    ('$["\\\'"]', 3, "no escape"),
    ("$['\\\"']", 3, "no escape"),
    ("$['\\a']", 3, "no escape"),
    ("$['\\x41']", 3, "no escape"),
    ("$['\\U0041']", 3, "no escape"),
    ("$['\\", 3, "no escape"),
    ("$['\\u12']", 3, "four hex digits"),
    ("$['\\u+123']", 3, "four hex digits"),
    ("$['\\u{1234}']", 3, "four hex digits"),
    ("$['\\uD800']", 3, "without a low one"),
    ("$['\\uD800\\u0041']", 3, "without a low one"),
    ("$['\\uD800\\uD800']", 3, "without a low one"),
    ("$['\\uDC00']", 3, "without a high one"),
    ("$['\\uDC00\\uD800']", 3, "without a high one"),
]


@pytest.mark.parametrize(("text", "segments"), GOOD)
def test_singular_queries(text: str, segments: tuple[str | int, ...]) -> None:
    assert parse_path(text) == segments


@pytest.mark.parametrize(("text", "offset", "message"), BAD)
def test_what_is_no_singular_query(text: str, offset: int, message: str) -> None:
    found = parse_path(text)
    assert isinstance(found, PathError), found
    assert found.offset == offset
    assert message in found.message


@pytest.mark.parametrize("code", range(0x20))
def test_control_characters_must_be_escaped(code: int) -> None:
    for quote in "'\"":
        assert parse_path(f"$[{quote}{chr(code)}{quote}]") == PathError(3, "a control character must be escaped")


def _written(segment: str | int) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    return (
        "['"
        + "".join(f"\\u{ord(char):04x}" if char < " " else f"\\{char}" * (char in "'\\") or char for char in segment)
        + "']"
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=6) | st.integers(1 - 2**53, 2**53 - 1), max_size=4))
def test_any_names_and_indices_come_back(segments: list[str | int]) -> None:
    assert parse_path("$" + "".join(map(_written, segments))) == tuple(segments)


@settings(max_examples=500, deadline=None)
@given(st.text("$.[]'\"\\u0123456789aDd-*?: \n", max_size=14))
def test_any_text_is_read_or_refused_at_a_place(text: str) -> None:
    found = parse_path(text)
    if isinstance(found, PathError):
        assert 0 <= found.offset <= len(text)
        assert found.message
    else:
        assert parse_path("$" + "".join(map(_written, found))) == found
