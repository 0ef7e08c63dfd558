"""Canonical bytes and the digests over them.

Canonical bytes are RFC 8785; inside the profile of `values` that is `orjson` with sorted keys. A digest is written
`sha256:` and 64 lower-case hex digits, everywhere.
"""

from __future__ import annotations

import hashlib

import orjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ZERO = "sha256:" + "0" * 64


def encode(value: Any) -> bytes:
    """Write a canonical value (see `values.admit`) as RFC 8785 bytes; raises TypeError for what is no JSON."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def decode(data: bytes) -> Any:
    """Read JSON that we wrote ourselves; raises ValueError. What comes from outside goes through `values.parse`."""
    return orjson.loads(data)


def digest(data: bytes) -> str:
    """Return `sha256:<hex>` of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """Return the digest of a canonical value's bytes."""
    return digest(encode(value))


def pretty(value: Any) -> bytes:
    """Write a canonical value with sorted keys, two-space indents and a final newline, for files that people read."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
