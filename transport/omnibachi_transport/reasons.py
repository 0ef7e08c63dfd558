"""Why a request is refused: the closed list of reason codes, and the one shape in which every refusal is told.

Each reason has one HTTP status and one diagnostic code, whose page (`omnibachi explain OB9xx`) says what to do. Both
servers answer in this shape whatever went wrong, unknown routes and their own mistakes included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# reason code -> (HTTP status, diagnostic code), in the order in which a request is judged.
REASONS: dict[str, tuple[int, str]] = {
    "admission.malformed_json": (400, "OB900"),
    "admission.invalid_text": (400, "OB901"),
    "admission.unsupported_version": (400, "OB902"),
    "admission.missing_field": (400, "OB903"),
    "admission.invalid_field": (400, "OB904"),
    "admission.unknown_field": (400, "OB905"),
    "admission.intent_type_unknown": (400, "OB906"),
    "admission.invalid_parent": (400, "OB907"),
    "admission.invalid_input": (400, "OB908"),
    "admission.refs_unsupported": (400, "OB909"),
    "admission.secrets_present": (400, "OB910"),
    "auth.missing_token": (401, "OB911"),
    "auth.forbidden": (403, "OB912"),
    "transport.not_found": (404, "OB913"),
    "transport.method_not_allowed": (405, "OB914"),
    "transport.too_large": (413, "OB915"),
    "transport.media_type": (415, "OB916"),
    "admission.correlation_conflict": (409, "OB917"),
    "admission.turn_conflict": (409, "OB918"),
    "ingest.unverifiable": (400, "OB953"),
    "ingest.conflict": (409, "OB954"),
    "ingest.gap": (409, "OB955"),
    "transport.invalid_query": (422, "OB919"),
    "queue.full": (503, "OB920"),
    "store.unavailable": (503, "OB921"),
    "transport.internal_error": (500, "OB922"),
}
MOST = 100  # findings in one answer, however many there are

_FINDING = {
    "type": "object",
    "properties": {
        "reason_code": {"type": "string", "enum": list(REASONS)},
        "detail": {"type": "string"},
        "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901) into the body; empty for all of it"},
    },
    "required": ["reason_code", "detail", "pointer"],
    "additionalProperties": False,
}
# What every refusal looks like, as JSON Schema (2020-12).
REFUSAL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ok": {"const": False},
        "accepted": {"const": False},
        **_FINDING["properties"],  # type: ignore[dict-item]
        "code": {"type": "string", "pattern": "^OB9[0-9]{2}$"},
        "errors": {"type": "array", "items": _FINDING, "minItems": 1, "maxItems": MOST},
    },
    "required": ["ok", "accepted", "reason_code", "code", "detail", "pointer", "errors"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a request: why, in one sentence, and where in its body (RFC 6901)."""

    reason_code: str
    detail: str
    pointer: str = ""


def refusal(findings: Sequence[Finding]) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and the body of a refusal: the first finding, and at most MOST in all.

    Raises KeyError for a reason that is none of the list, and IndexError without findings; both are defects.
    """
    first = findings[0]
    status, code = REASONS[first.reason_code]
    errors = [
        {"reason_code": item.reason_code, "detail": item.detail, "pointer": item.pointer} for item in findings[:MOST]
    ]
    return status, {"ok": False, "accepted": False, "code": code, **errors[0], "errors": errors}
