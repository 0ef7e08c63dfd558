"""Scalars: what an unquoted piece of YAML text means.

YAML's own rules turn `NO`, `on`, `010`, `0x1F`, `~`, `1_000` and dates into something that their writer did not see.
Here only what JSON (RFC 8259) spells is typed: `null`, `true`, `false` and JSON's numbers, exponents included; every
other plain text is a string.
"""

from __future__ import annotations

import re

from omnibachi_model.values import LEAST, LIMIT, MOST

WORDS: dict[str, bool | None] = {"null": None, "true": True, "false": False}

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_LONGEST_INTEGER = 17  # a sign and the 16 digits of 2^53


class RangeError(Exception):
    """A number that canonical values do not hold; the text says which bound it breaks."""


def read_plain(text: str) -> bool | int | float | str | None:
    """Return the value of a plain scalar; a whole decimal number such as `2.0` becomes an integer.

    Raises RangeError for integers outside (-2^53, 2^53), and for other numbers outside 1e-5 <= |x| < 1e15.
    """
    if text in WORDS:
        return WORDS[text]
    if not _DECIMAL.match(text):
        return text
    if _INTEGER.match(text):
        # The length is asked first: turning a long text into an integer costs its square.
        if len(text) > _LONGEST_INTEGER:
            raise RangeError("does not lie strictly between -2^53 and 2^53")
        return _whole(int(text))
    return _decimal(text)


def is_typed(text: str) -> bool:
    """Tell whether a plain scalar is null, a boolean or a number, and no string."""
    return text in WORDS or _DECIMAL.match(text) is not None


def _whole(value: int) -> int:
    if -LIMIT < value < LIMIT:
        return value
    raise RangeError("does not lie strictly between -2^53 and 2^53")


def _decimal(text: str) -> int | float:
    value = float(text)
    if value == 0:
        if any(digit in "123456789" for digit in re.split("[eE]", text)[0]):
            raise RangeError("is nearer to zero than 1e-5")
        return 0
    if value.is_integer():
        return _whole(int(value))
    if abs(value) < LEAST:
        raise RangeError("is nearer to zero than 1e-5")
    if abs(value) >= MOST:
        raise RangeError("does not lie strictly between -1e15 and 1e15")
    return value
