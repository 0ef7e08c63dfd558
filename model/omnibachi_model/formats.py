"""The documented checks behind `format`: five names, each a total function of text.

- `date`: `YYYY-MM-DD`, a real day of the proleptic Gregorian calendar (RFC 3339 full-date).
- `date-time`: RFC 3339 with `T`, optional fraction and an offset or `Z`; a leap second is not accepted.
- `email`: local part (1 to 64 characters of RFC 5322 dot-atom) `@` domain (labels of RFC 1123, at least two), at most
  254 characters; quoted local parts and address literals are not accepted.
- `uri`: RFC 3986 with a scheme, from its characters only, percent signs followed by two hex digits.
- `uuid`: RFC 9562, 8-4-4-4-12 hex digits in any case.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH = datetime(1970, 1, 1)
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z"
_DATE_TIME = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\Z"
)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+\Z"
_URI = r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*\Z"
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z"


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern when it is first asked for: most runs need none of them, and they take long to compile."""
    return re.compile(text)


def is_date(text: str) -> bool:
    """Tell whether the text is an RFC 3339 full-date."""
    if not _pattern(_DATE).match(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_date_time(text: str) -> bool:
    """Tell whether the text is an RFC 3339 date-time."""
    found = _pattern(_DATE_TIME).match(text)
    return found is not None and is_date(found.group(1))


def is_email(text: str) -> bool:
    """Tell whether the text is a plain email address."""
    return len(text) <= 254 and text.find("@") <= 64 and _pattern(_EMAIL).match(text) is not None


def is_uri(text: str) -> bool:
    """Tell whether the text is an RFC 3986 URI with a scheme."""
    return _pattern(_URI).match(text) is not None


def is_uuid(text: str) -> bool:
    """Tell whether the text is a UUID."""
    return _pattern(_UUID).match(text) is not None


FORMATS: dict[str, Callable[[str], bool]] = {
    "date": is_date,
    "date-time": is_date_time,
    "email": is_email,
    "uri": is_uri,
    "uuid": is_uuid,
}


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 date-time; raises ValueError for anything else."""
    if not is_date_time(text):
        raise ValueError(f"no RFC 3339 date-time: {text[:40]}")
    return datetime.fromisoformat(text.upper())


def write_time(unix_ns: int) -> str:
    """Write nanoseconds since 1970 as RFC 3339 in UTC with milliseconds (rounded down), for instance
    `2026-01-01T00:00:00.000Z`."""
    # Adding to the epoch, because `fromtimestamp` depends on the platform's range.
    at = _EPOCH + timedelta(0, 0, unix_ns // 1000)
    return at.isoformat(timespec="milliseconds") + "Z"
