"""Answers: JSON of whatever is known, and the one shape in which anything is refused.

What a refusal is called is put beside the request too, where the log line takes it from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from .reasons import Finding, refusal

JSON_TYPE = "application/json"
RETRY_SECONDS = 1
_REASONS = {404: "transport.not_found", 405: "transport.method_not_allowed"}


def encoded(data: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON that is written already."""
    return Response(data, status, headers, JSON_TYPE)


def told(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a value as JSON."""
    return encoded(orjson.dumps(value), status, headers)


def refused(scope: Scope, findings: Sequence[Finding], headers: Mapping[str, str] | None = None) -> Response:
    """Answer with all that was found wrong, in the error shape."""
    status, body = refusal(findings)
    scope["state"]["reason_code"], scope["state"]["code"] = body["reason_code"], body["code"]
    more = {"retry-after": str(RETRY_SECONDS)} if status == 503 else {}
    if status == 401:
        more["www-authenticate"] = "Bearer"
    return told(body, status, {**more, **(headers or {})})


def refused_for(
    scope: Scope, reason_code: str, detail: str, pointer: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with the one thing that was found wrong."""
    return refused(scope, [Finding(reason_code, detail, pointer)], headers)


async def http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: no such route, or another method."""
    assert isinstance(error, HTTPException)
    reason = _REASONS.get(error.status_code, "transport.not_found")
    detail = "there is no such route" if error.status_code != 405 else "this route has other methods"
    return refused_for(request.scope, reason, detail, headers=error.headers)
