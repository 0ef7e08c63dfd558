"""Instants as whole numbers: RFC 3339 texts, read and written without rounding.

An instant is (seconds, fraction): whole seconds since 0001-01-01T00:00:00Z, rounded down, and the digits after the
point as they were written. Whole numbers of any size hold whatever an offset makes of the first and the last year.
"""

from __future__ import annotations

from datetime import date

from omnibachi_model.formats import is_date_time

DAY = 86400
_LAST = date.max.toordinal() * DAY  # the first second of the year 10000


def read(text: str) -> tuple[int, str] | None:
    """Return the instant that a text names, or None for what is no RFC 3339 date-time."""
    if not is_date_time(text):
        return None
    clock, rest = text[11:19], text[19:]
    seconds = (date.fromisoformat(text[:10]).toordinal() - 1) * DAY
    seconds += int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:])
    fraction = ""
    if rest[0] == ".":
        length = len(rest) - (1 if rest[-1] in "Zz" else 6)
        fraction, rest = rest[1:length], rest[length:]
    if rest not in ("Z", "z"):
        offset = int(rest[1:3]) * 3600 + int(rest[4:]) * 60
        seconds += offset if rest[0] == "-" else -offset
    return seconds, fraction


def write(seconds: int, fraction: str) -> str | None:
    """Write an instant in UTC with `Z`, or return None where it lies outside the years 1 to 9999."""
    if not 0 <= seconds < _LAST:
        return None
    days, of_day = divmod(seconds, DAY)
    clock = f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}"
    return f"{date.fromordinal(days + 1).isoformat()}T{clock}{'.' if fraction else ''}{fraction}Z"
