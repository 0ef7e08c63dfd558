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
    "SC": "schema",
    "ST": "store",
    "IV": "invariant",
    "PL": "policy",
}

# The forms of names; the language's schemas are made of them too. A code names files of the snapshot, so it has an end.
MOST_IN_CODE = 100
NAME_FORM = "[a-z][a-z0-9_]{0,63}"
OUTCOME_FORM = "[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"


def code_form(prefix: str) -> str:
    """Return the regular expression of a bare code with this prefix."""
    end = f"(?![A-Z0-9_]{{{MOST_IN_CODE + 1}}})"
    return f"{end}{prefix}_[A-Z0-9]+(?:_[A-Z0-9]+)*_V(?:0|[1-9][0-9]{{0,5}})"


NAME = re.compile(rf"{NAME_FORM}\Z")
DOMAIN = NAME
OUTCOME = re.compile(rf"{OUTCOME_FORM}\Z")  # of operations too
CODE = re.compile(code_form(f"({'|'.join(PREFIXES)})") + r"\Z")
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
