"""Waits for people: what their outcomes give, and what an approval says. Shared by those who promise, do and check.

A statement is an envelope (`audit.proofs.approvals`); here it is only read, after it was judged.
"""

from __future__ import annotations

from .digests import decode
from .sealed import APPROVED, EXPIRED, REJECTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

APPROVE, REJECT = "APPROVE", "REJECT"
DECISIONS = (APPROVE, REJECT)
ACCEPTED = "ACCEPTED"  # the verdict on a statement that counts; any other is the code of what is wrong with it


def outputs(quorum: int, expires: bool) -> dict[str, dict[str, Any]]:
    """Return the schema of what each outcome of a wait gives, by outcome; EXPIRED is there where it has an end."""
    voice = _record({"key": {"type": "string"}, "name": {"type": "string"}, "because": {"type": ["string", "null"]}})
    listed = {"type": "array", "items": voice, "minItems": quorum, "maxItems": quorum}
    found = {APPROVED: _record({"approvals": listed}), REJECTED: voice}
    return {**found, EXPIRED: _record({})} if expires else found


def decided(
    voices: Sequence[tuple[str, bytes, int]], quorum: int, until_us: int | None, now_us: int
) -> tuple[str, dict[str, Any]] | None:
    """Return outcome and output of a wait by the statements that count, in the order of arrival; None: it goes on.

    The first rejection rejects; `quorum` approvals approve; after `until_us` it has expired.
    """
    approved: list[dict[str, Any]] = []
    for key, statement, _ in voices:
        predicate = said(statement)
        voice = {"key": key, "name": name_of(key), "because": predicate["because"]}
        if predicate["decision"] == REJECT:
            return REJECTED, voice
        approved.append(voice)
        if len(approved) == quorum:
            return APPROVED, {"approvals": approved}
    return (EXPIRED, {}) if until_us is not None and now_us >= until_us else None


def said(statement: bytes) -> dict[str, Any]:
    """Return the predicate of a statement that was judged."""
    from base64 import b64decode  # every run imports this module, few read a statement

    found: dict[str, Any] = decode(b64decode(decode(statement)["payload"]))["predicate"]
    return found


def name_of(key: str) -> str:
    """Return the name in a key's id, `NAME+HASH`."""
    return key.partition("+")[0]


def written_duration(ms: int) -> str:
    """Write a duration in the largest unit in which it is whole, as declarations do: `24h`, `3d`."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms % size == 0 and (unit != "d" or ms > size):
            return f"{ms // size}{unit}"
    return f"{ms}ms"


def _record(members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": sorted(members), "additionalProperties": False}
