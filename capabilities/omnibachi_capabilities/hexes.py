"""Bytes as text, the way all of `std` writes and reads them: hex digits, in lower case and with `0x` when written."""

from __future__ import annotations

import re

READ = re.compile(r"(?:0[xX])?((?:[0-9a-fA-F]{2})*)\Z")


def read(text: str) -> bytes | None:
    """Return the bytes that hex digits stand for, in either case, with or without `0x`; None for anything else."""
    found = READ.match(text)
    return bytes.fromhex(found[1]) if found else None


def write(data: bytes) -> str:
    """Return bytes as `0x` and lower-case hex digits."""
    return "0x" + data.hex()
