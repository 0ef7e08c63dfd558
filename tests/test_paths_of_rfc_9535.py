"""The singular cases of RFC 9535's compliance suite, as facts: what a query reads from a document, or that it is none.

Source: github.com/jsonpath-standard/jsonpath-compliance-test-suite, groups `basic`, `name_selector`, `index_selector`
and `whitespace/selectors`; where an old version of the suite knew no blanks between segments, the RFC's grammar counts
(`segments = *(S segment)`). Queries for many values are valid there and refused here: a binding reads one.
"""

from __future__ import annotations

from typing import Any

import pytest

from omnibachi_compiler.paths import PathError, parse_path
from omnibachi_runtime.templates import ABSENT, follow

AB = {"a": "A", "b": "B"}
TWO = ["first", "second"]
NOTHING = object()
BLANKS = (" ", "\n", "\t", "\r")

READ: list[tuple[str, Any, Any]] = [
    ("$", TWO, TWO),
    ("$.a", AB, "A"),
    ("$.☺", {"☺": "A", "b": "B"}, "A"),
    ("$._", {"_": "A", "_foo": "B"}, "A"),
    ("$.c", AB, NOTHING),
    ("$.a", TWO, NOTHING),
    ("$[0]", TWO, "first"),
    ("$[1]", TWO, "second"),
    ("$[2]", TWO, NOTHING),
    ("$[-9007199254740991]", TWO, NOTHING),
    ("$[9007199254740991]", TWO, NOTHING),
    ("$[-1]", TWO, "second"),
    ("$[-2]", TWO, "first"),
    ("$[-3]", TWO, NOTHING),
    ("$[0]", {"foo": 1}, NOTHING),
    *((f"$[{quote}a{quote}]", AB, "A") for quote in "'\""),
    *((f"$[{quote}c{quote}]", AB, NOTHING) for quote in "'\""),
    *((f"$[{quote}a{quote}]", TWO, NOTHING) for quote in "'\""),
    *((f"$[{quote}{char}{quote}]", {char: "A"}, "A") for quote in "'\"" for char in (" ", "\x7f", "𝄞")),
    *(
        (f"$[{quote}\\{escape}{quote}]", {char: "A"}, "A")
        for quote in "'\""
        for escape, char in (
            (quote, quote), ("\\", "\\"), ("/", "/"), ("b", "\b"), ("f", "\f"), ("n", "\n"), ("r", "\r"), ("t", "\t"),
            ("u263A", "☺"), ("u263a", "☺"), ("uD834\\uDD1E", "𝄞"), ("uD83D\\uDE00", "😀"),
        )
    ),
    *((f"${blank}['a']", AB, "A") for blank in BLANKS),
    *((f"${blank}.a", AB, "A") for blank in BLANKS),
    *((f"$['a'] {blank}['b']", {"a": {"b": "ab"}}, "ab") for blank in BLANKS),
    *((f"$[{blank}'a']", AB, "A") for blank in BLANKS),
    *((f"$['a'{blank}]", AB, "A") for blank in BLANKS),
]  # fmt: skip
NONE: list[str] = [
    " $", "$ ", "$.&", "$.1", "$[0 2]", "$[]", "$..", "$[-9007199254740992]", "$[9007199254740992]",
    f"$[{'231584178474632390847141970017375815706539969331281128078915168015826259279872'}]",
    "$[231584178474632390847141970017375815706539969331281128078915168SomeRandomText]",
    "$[01]", "$[1.0]", "$[+1]", "$[- 1]", "$[-0]", "$[-01]",
    *(f"$[{quote}{chr(code)}{quote}]" for quote in "'\"" for code in range(0x20)),
    *(
        f"$[{quote}\\{escape}{quote}]"
        for quote in "'\""
        for escape in (
            "'\""[quote == "'"], "\n", "?", "a", "v", "0", "x12", "N{LATIN CAPITAL LETTER A}", "u", "u123", "U1234",
            "U0010FFFF", "u+1234", "u{1234}", "u{10ffff}", "uD800", "uDC00", "uD800\\uD800", "uDC00\\uDC00",
            "uD800\\u1234",
        )
    ),
    *(f"$[{quote * 3}]" for quote in "'\""),
    *(f"$[{quote}\\{quote}]" for quote in "'\""),
    *(f"$.{blank}a" for blank in BLANKS),
    *(f"$..{blank}a" for blank in BLANKS),
]  # fmt: skip
MANY = [
    "$.*", "$[*]", "$.*.a", "$[0,2]", "$['a',1]", "$[1,5:7]", "$[1,0:3]", "$[1,1]", "$[*,1]", "$[*,'a']", "$[*,0:2]",
    "$[*,*]", "$..[1]", "$..a", "$..*", "$..[*]", "$..['a','d']",
    *(f"$['a'{blank},'b']" for blank in BLANKS), *(f"$['a',{blank}'b']" for blank in BLANKS),
]  # fmt: skip


@pytest.mark.parametrize(("query", "document", "found"), READ)
def test_what_a_query_reads(query: str, document: Any, found: Any) -> None:
    segments = parse_path(query)
    assert not isinstance(segments, PathError), segments
    try:
        value = follow(document, segments)
    except ABSENT:
        value = NOTHING
    assert value == found if found is not NOTHING else value is NOTHING


@pytest.mark.parametrize("query", [*NONE, *MANY])
def test_what_is_no_query_for_one_value(query: str) -> None:
    assert isinstance(parse_path(query), PathError)
