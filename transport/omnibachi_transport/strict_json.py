"""From the bytes of a body to a JSON object that can be written back: what is not one is told by reason and place.

The text is read by the model's strict reader, which stops at the first thing that is no JSON. What is JSON and still no
value of the record (numbers, depth, text) is then told all at once. Numbers stay as they were written, so that who
judges later still sees whether `2` or `2.0` was said; `values.admit` makes them canonical.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omnibachi_model.values import LEAST, LIMIT, MOST, Outside, read

from .reasons import Finding
from .secret_texts import place

MALFORMED, TEXT = "admission.malformed_json", "admission.invalid_text"
DEEPEST = 32  # objects and lists inside one another

_Path = tuple[str | int, ...]


def read_object(data: bytes) -> dict[str, Any] | list[Finding]:
    """Read a body; return the object that it holds, or what is wrong with it."""
    try:
        value = read(data)
    except Outside as outside:
        return [Finding(MALFORMED, f"the body is no strict JSON: {reason_of(outside)}")]
    if type(value) is not dict:
        return [Finding(MALFORMED, "the body is JSON, but no object")]
    return list(_outside(value, ())) or value


def reason_of(outside: Outside) -> str:
    """Return why a text is no strict JSON, without what stands in it."""
    return "a key stands twice in one object" if outside.reason.startswith("the key ") else outside.reason


def _outside(value: Any, at: _Path) -> Iterator[Finding]:
    """Yield what keeps a value that was read out of the record, in document order."""
    kind = type(value)
    if kind is str:
        if _is_odd(value):
            yield Finding(TEXT, "a text holds a lone surrogate or U+0000", place(at))
    elif kind is int:
        if not -LIMIT < value < LIMIT:
            yield Finding(MALFORMED, "an integer lies outside of ±(2^53-1); it can be written as a text", place(at))
    elif kind is float:
        size = abs(value)
        if not (size < LIMIT if value.is_integer() else LEAST <= size < MOST):
            yield Finding(MALFORMED, "a number is none with 1e-5 <= |x| < 1e15", place(at))
    elif kind in (dict, list):
        if len(at) >= DEEPEST:
            yield Finding(MALFORMED, f"nesting is deeper than {DEEPEST} levels", place(at))
            return
        if kind is dict and any(_is_odd(key) or max(key, default="") > "\uffff" for key in value):
            yield Finding(TEXT, "a key holds a lone surrogate, U+0000 or a character above U+FFFF", place(at))
            return
        for key, item in value.items() if kind is dict else enumerate(value):
            yield from _outside(item, (*at, key))


def _is_odd(text: str) -> bool:
    """Tell whether a text holds a lone surrogate or U+0000."""
    if "\0" in text:
        return True
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
