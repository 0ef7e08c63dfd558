"""Packs: what a policy may see and say, told once for the compiler that seals them and the room that evaluates them.

The whitelist of facts is the whole world of a pack: their names, their types and what is not among them are here and
nowhere else. docs/language.md ("Policies") says it for people, docs/formats.md holds the sealed form.
"""

from __future__ import annotations

from .decisions import DENY
from .digests import digest_of
from .values import LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

TEXT, WHOLE, SWITCH, TEXTS = "text", "whole number", "switch", "list of texts"
# What is longer is of no type: asking a pack costs little, whatever a caller claims.
MOST_CHARACTERS = 1_000
MOST_TEXTS = 100

# Fact -> type. Those whose names begin with `claimed.` are what a caller says of himself.
FACTS = {
    "intent_type": TEXT,
    "stream_id": TEXT,
    "lane": TEXT,
    "provider": TEXT,
    "model_id": TEXT,
    "max_tokens": WHOLE,
    "max_duration_ms": WHOLE,
    "declared_tools": TEXTS,
    "tool_scope": TEXT,
    "input_chars": WHOLE,
    "input_bytes": WHOLE,
    "principal": TEXT,
    "tenant": TEXT,
    "verified": SWITCH,
    "roles": TEXTS,
    "claimed.capability": TEXT,
    "claimed.risk_tier": TEXT,
    "claimed.request_tags": TEXTS,
}
CLAIMED = "claimed"
CLAIMS = ("capability", "risk_tier", "request_tags")

GATES = ("require", "absent", "match", "one_of", "bound", "when", "any_of", "not", "deny")

EVALUATION_ERROR = "policy.evaluation_error"
UNAVAILABLE = "policy.unavailable"
# What a pack may not give as its reason: the record could not tell who said it.
RESERVED_REASONS = (EVALUATION_ERROR, UNAVAILABLE)
RESERVED_PREFIX = "gateway."


def is_reserved(reason: str) -> bool:
    """Tell whether a reason code is said by the boundary itself."""
    return reason in RESERVED_REASONS or reason.startswith(RESERVED_PREFIX)


def version_of(address: Any) -> int | None:
    """Return the number in a policy's address, as in `dbl::PL_DEMO_V0`; None where it is no address."""
    number = address.rpartition("_V")[2] if isinstance(address, str) else ""
    return int(number) if number.isdecimal() and number.isascii() else None


def undecided(code: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a DECISION says that the boundary made itself, because no verdict was reached: a denial.

    `policy` is what was in force, `{address, digest, snapshot}`, as far as that is known.
    """
    facts: dict[str, Any] = {}
    return {
        "decision": DENY,
        "result": DENY,
        "reason_codes": [code],
        "reasons": [{"code": code, "gate": None, "because": "no verdict was reached"}],
        "policy_id": policy.get("address"),
        "policy_version": version_of(policy.get("address")),
        "policy_digest": policy.get("digest"),
        "snapshot": policy.get("snapshot"),
        "facts": facts,
        "facts_digest": digest_of(facts),
    }


def is_of_type(fact: str, value: Any) -> bool:
    """Tell whether a value is of its fact's type; raises KeyError for what is no fact."""
    kind = FACTS[fact]
    if kind == TEXT:
        return _is_text(value)
    if kind == WHOLE:
        return type(value) is int and -LIMIT < value < LIMIT
    if kind == SWITCH:
        return type(value) is bool
    return type(value) is list and len(value) <= MOST_TEXTS and all(map(_is_text, value))


def _is_text(value: Any) -> bool:
    return type(value) is str and len(value) <= MOST_CHARACTERS
