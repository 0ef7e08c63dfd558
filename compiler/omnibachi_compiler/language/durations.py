"""Durations: how they are written (`200ms`, `5s`, `10m`, `2h`) and what they come to: at most a day, or, where people
are waited for, a year (`3d`)."""

from __future__ import annotations

from .words import Schema, named

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
DAY = 24 * UNITS["h"]
MOST_DAYS = 366


def at_most(limit: int) -> str:
    """Return the regular expression of the whole numbers from 1 to a limit, without leading zeros."""
    digits = str(limit)
    forms = [f"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    for place, digit in enumerate(digits):
        least = 0 if place else 1
        if int(digit) > least:
            rest = len(digits) - place - 1
            forms.append(f"{digits[:place]}[{least}-{int(digit) - 1}]" + (f"[0-9]{{{rest}}}" if rest else ""))
    return "|".join([*forms, digits])


DURATION: Schema = named(
    "a duration of at most 24 hours",
    "|".join(f"(?:{at_most(DAY // size)}){unit}" for unit, size in UNITS.items()),
    "200ms",
    "5s",
    "2h",
)


WITHIN: Schema = named(
    f"a duration of at most {MOST_DAYS} days",
    "|".join(f"(?:{at_most(MOST_DAYS * DAY // size)}){unit}" for unit, size in {**UNITS, "d": DAY}.items()),
    "24h",
    "3d",
)


def milliseconds(text: str) -> int:
    """Return the milliseconds of a duration as it is written."""
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * (DAY if unit == "d" else UNITS[unit])
