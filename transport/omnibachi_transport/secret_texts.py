"""What of a request is a secret by its looks, and how much of its names may be shown in an answer.

A ledger forgets nothing, so a key or a token that was sent by mistake is refused before it is kept. It is told by the
name of its field, or by its own form: private keys, and tokens that begin as those of well-known services do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from omnibachi_model.values import pointer

NAMES = frozenset({"api_key", "apikey", "authorization", "password", "secret", "token", "bearer"})
LONGEST = 100  # characters of a name that is shown

# What begins like this and goes on for a while is a token. A word such as `sk-learn` is none: where a prefix is also
# part of words, a digit must follow.
_ALONE = r"(?<![A-Za-z0-9_-])"
_DIGIT = r"(?=[A-Za-z_-]*[0-9])"
_SECRET = re.compile(
    rf"-----BEGIN [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----"
    rf"|{_ALONE}(?:"
    rf"(?:sk|rk|pk)-{_DIGIT}[A-Za-z0-9_-]{{8,}}"  # model providers
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{8,}"  # payments
    r"|gh[opsur]_[A-Za-z0-9]{8,}|github_pat_[A-Za-z0-9_]{8,}|glpat-[A-Za-z0-9_-]{8,}"  # forges
    r"|xox[abeoprs]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}"  # chat
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{8,}|dop_v1_[a-f0-9]{8,}"  # clouds
    rf"|(?:hf|npm|r8|gsk|lsv2|shpat)_{_DIGIT}[A-Za-z0-9_]{{8,}}|pypi-{_DIGIT}[A-Za-z0-9_-]{{8,}}"  # registries
    rf"|SG\.{_DIGIT}[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{8,}}"  # mail
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{8,}"  # signed JSON (RFC 7519)
    r"|omnibachi_[A-Za-z0-9_-]{20,}"  # our own
    r")"
)


def shows_secret(text: str) -> bool:
    """Tell whether a text holds a private key or a token of a well-known form."""
    return _SECRET.search(text) is not None


def secrets_in(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of texts that are secret: by their look, or under a key that says so, in document order."""
    kind = type(value)
    if kind is str:
        if shows_secret(value):
            yield at
    elif kind is dict:
        for key, item in value.items():
            if (is_secret_name(key) and _holds_text(item)) or shows_secret(key):
                yield (*at, key)
            else:
                yield from secrets_in(item, (*at, key))
    elif kind is list:
        for index, item in enumerate(value):
            yield from secrets_in(item, (*at, index))


def is_secret_name(name: str) -> bool:
    """Tell whether a key says of itself that it holds a secret, in any case, `-` for `_`."""
    return name.strip().casefold().replace("-", "_") in NAMES


def place(path: Sequence[str | int]) -> str:
    """Write a path as a JSON Pointer (RFC 6901), up to the first name that is too long to show, or secret."""
    found: list[str | int] = []
    for part in path:
        if type(part) is str and (len(part) > LONGEST or shows_secret(part)):
            break
        found.append(part)
    return pointer(found)


def named(name: str) -> str:
    """Write a name that came with a request, between backticks: without what no terminal should print, never long."""
    if shows_secret(name):
        return "`…`"
    shown = "".join(char if char.isprintable() and char != "`" else "�" for char in name[:LONGEST])
    return f"`{shown}{'…' if len(name) > LONGEST else ''}`"


def _holds_text(value: Any) -> bool:
    if type(value) is str:
        return True
    if type(value) is dict:
        return any(map(_holds_text, value.values()))
    return type(value) is list and any(map(_holds_text, value))
