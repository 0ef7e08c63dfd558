"""Addresses: `domain::CODE_Vn`, whose prefix says the kind.

Inside a domain a bare code is enough; what is not found there is looked for in `std`.
"""

from __future__ import annotations

import re

STD = "std"
PREFIXES = {
    "WF": "workflow",
    "CC": "contract",
    "CT": "transform",
    "CS": "side_effect",
    "IN": "intent",
    "EV": "event",
    "ST": "store",
    "IV": "invariant",
}
KINDS = {kind: prefix for prefix, kind in PREFIXES.items()}

DOMAIN = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
CODE = re.compile(r"(WF|CC|CT|CS|IN|EV|ST|IV)_[A-Z0-9]+(?:_[A-Z0-9]+)*_V(?:0|[1-9][0-9]{0,5})\Z")
OPERATION = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\Z")
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
OUTCOME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\Z")
TRACE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def kind_of(code: str) -> str | None:
    """Return the kind that a bare code's prefix names, or None when it is no well-formed code."""
    found = CODE.match(code)
    return PREFIXES[found.group(1)] if found else None


def split(address: str) -> tuple[str, str]:
    """Split `domain::CODE` into domain and code; the domain is empty for a bare code."""
    domain, separator, code = address.rpartition("::")
    return (domain, code) if separator else ("", address)


def candidates(address: str, domain: str) -> tuple[str, ...]:
    """Return the full addresses that `address` may mean inside `domain`, in the order in which they are tried."""
    named, code = split(address)
    if named:
        return (address,)
    return (f"{domain}::{code}",) if domain == STD else (f"{domain}::{code}", f"{STD}::{code}")
