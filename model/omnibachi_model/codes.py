"""The one table of diagnostic codes, read from `codes.toml` when a code must be explained.

Each entry: slug, summary, help (what to do), why (it matters), example (what provokes it) and mended (the same without
the mistake), both as `omnibachi.error_pages` takes them apart; staged names the test that provokes it instead, where no
command of a user surely can. Codes are for ever: OB1xx text,
OB2xx shape, OB3xx names, OB4xx weaving, OB5xx graph and data flow, OB6xx seal and load, OB7xx run, OB8xx governance,
OB9xx transport. There is no generic code.
"""

from __future__ import annotations

import functools
import os
import tomllib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One diagnostic code with what its page says."""

    code: str
    slug: str
    summary: str
    help: str
    example: str
    why: str = ""
    mended: str = ""
    staged: str = ""


@functools.cache
def table() -> dict[str, Code]:
    """Return all codes by code, in order."""
    path = os.path.join(os.path.dirname(__file__), "codes.toml")
    with open(path, "rb") as file:
        entries = tomllib.load(file)
    return {code: Code(code, **fields) for code, fields in sorted(entries.items())}


def help_of(code: str) -> str:
    """Return what to do about a code in general, for a diagnostic that says nothing of its own."""
    return table()[code].help


def slug_of(code: str) -> str:
    """Return the slug of a code; raises KeyError for an unknown one, which is a defect."""
    return table()[code].slug
