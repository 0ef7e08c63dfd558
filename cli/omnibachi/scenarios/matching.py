"""Does a value look as expected: equality, with a few words for what cannot be known beforehand.

`{$any: true}` is any value, `{$matches: PATTERN}` a text in which the pattern is found (anchor it with ^ and $),
`{$type: NAME}` a value of that JSON type (string, integer, number, boolean, null, array, object). Everything else must
be equal, key by key and item by item. Other keys that begin with `$` are refused, so that a misspelt word cannot pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from omnibachi.mishaps import shown
from omnibachi_model.checks import TYPES
from omnibachi_model.digests import encode
from omnibachi_model.nearest import nearest
from omnibachi_model.values import pointer

WORDS = ("$any", "$matches", "$type")
At = tuple[str | int, ...]


def differences(expected: Any, actual: Any, at: At = ()) -> Iterator[str]:
    """Yield a sentence for each place where `actual` is not as expected, with its JSON Pointer."""
    word = _word(expected)
    if word is not None:
        yield from _by_word(word, expected[word], actual, at)
    elif isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(set(expected) | set(actual)):
            if key not in actual:
                yield f"{_place((*at, key))} is missing; expected {shown(expected[key])}"
            elif key not in expected:
                yield f"{_place((*at, key))} is {shown(actual[key])}, which is not expected"
            else:
                yield from differences(expected[key], actual[key], (*at, key))
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{_place(at)} has {len(actual)} items, expected {len(expected)}"
        for index, (wanted, got) in enumerate(zip(expected, actual, strict=False)):
            yield from differences(wanted, got, (*at, index))
    elif encode(expected) != encode(actual):
        yield f"{_place(at)} is {shown(actual)}, expected {shown(expected)}"


def mistakes(expected: Any, at: At = ()) -> Iterator[str]:
    """Yield a sentence for each word in an expectation that is no word of this language, or is used wrongly."""
    if isinstance(expected, list):
        for index, item in enumerate(expected):
            yield from mistakes(item, (*at, index))
    if not isinstance(expected, dict):
        return
    for key, value in expected.items():
        if not key.startswith("$"):
            yield from mistakes(value, (*at, key))
        elif key not in WORDS:
            near = nearest(key, WORDS)
            yield f"`{key}` at {_place(at)} is no matcher" + (f"; did you mean `{near}`?" if near else "")
        elif len(expected) > 1:
            yield f"`{key}` at {_place(at)} must stand alone"
        else:
            yield from _misused(key, value, at)


def _word(expected: Any) -> str | None:
    if isinstance(expected, dict) and len(expected) == 1:
        (key,) = expected
        return key if key in WORDS else None
    return None


def _by_word(word: str, wanted: Any, actual: Any, at: At) -> Iterator[str]:
    if word == "$matches" and not (isinstance(actual, str) and re.search(wanted, actual)):
        yield f"{_place(at)} is {shown(actual)}, expected a text that matches `{wanted}`"
    if word == "$type" and not _is_type(actual, wanted):
        yield f"{_place(at)} is {shown(actual)}, expected a value of type {wanted}"


def _is_type(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _misused(word: str, value: Any, at: At) -> Iterator[str]:
    if word == "$any" and value is not True:
        yield f"write `$any: true` at {_place(at)}"
    if word == "$type" and value not in TYPES:
        yield f"`$type` at {_place(at)} is one of {', '.join(TYPES)}"
    if word == "$matches":
        try:
            re.compile(value)
        except (re.error, TypeError) as error:
            yield f"`$matches` at {_place(at)} is no pattern: {error}"


def _place(at: At) -> str:
    return f"`{pointer(at)}`" if at else "the value"
