"""`dbl::CS_PROVIDER_V0.CALL`: one allowed message, one provider, one answer; whatever comes of it is an execution.

A provider is asked once and never again by itself. What it is asked, and where, is bound by the access that the
operator opened (`omnibachi_model.providers`). An answer is told as it is; an error by its code in the closed list of
`omnibachi_model.decisions`, with the provider's own words cut and cleaned of keys.
"""

from __future__ import annotations

import re

from omnibachi_model.decisions import ERROR, OK, PROVIDER_ERRORS
from omnibachi_model.digests import digest, encode
from omnibachi_model.hosts import PORTS, read_url
from omnibachi_model.named_secrets import SHORTEST, shown
from omnibachi_model.providers import DURATION_MS, PROVIDERS, STUB, opened, read_access
from omnibachi_model.sealed import OUTCOME_UNKNOWN, SUCCESS
from omnibachi_model.values import Outside, parse

from .exchange import MOST_BODY, Closed, Unsent, Unsure, exchange, until
from .provider_forms import FORMS, answered, asked, complained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.hosts import Place
    from omnibachi_model.ports import Call
    from omnibachi_model.providers import Access
    from omnibachi_model.values import Answer, Inputs

PROVIDER_ERROR = "PROVIDER_ERROR"
MOST_SAID = 500  # characters of an error's message
MOST_DEPTH = 48  # of an answer
HIDDEN = "[key]"
_CODES = {status: code for code, (statuses, _, _) in PROVIDER_ERRORS.items() for status in statuses if status != 500}
_KEYS = re.compile(r"\b(?:sk|pk|rk|xai|gsk)[-_][A-Za-z0-9*_.-]{6,}|(?i:\bbearer\s+)\S+")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class _Failed(Exception):
    """What came instead of an answer: its code, and perhaps a status that was received."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = PROVIDER_ERRORS[code][0][0] if status is None else status


class _Sent:
    """What is known of one call: who was asked, for which model, and the digest of what left, None before it did."""

    __slots__ = ("model", "provider", "released")

    def __init__(self, provider: str, model: str) -> None:
        self.provider = provider
        self.model = model
        self.released: str | None = None


def call_provider(inputs: Inputs, store: None, call: Call) -> Answer:
    """Send one message to the provider that the decision names, within its budget."""
    decision = inputs["decision"]
    sent = _Sent(inputs["provider"], decision["model_id"])
    key = None
    began = call.clock.now_ns()
    try:
        try:
            access = read_access(inputs["access"])
        except ValueError as error:
            raise _Failed("internal_error", f"the access that was opened is none: {error}") from None
        key = access.key if access is not None else None
        text, usage = _answer(sent, inputs["message"].get("message"), decision.get("budget", {}), access, call)
        text = _without(text, key)
        if shown(text, [key or ""]):
            raise _Failed("provider_error", "the answer shows the key that it was asked with")
    except _Failed as failed:
        return PROVIDER_ERROR, {
            "execution": {**_head(sent, ERROR), "error": _error(failed, key)}, **_took(began, call),
        }  # fmt: skip
    except Unsure:
        return OUTCOME_UNKNOWN, {}  # cut because the run is cancelled
    return SUCCESS, {"execution": {**_head(sent, OK), "output_text": text, "usage": usage}, **_took(began, call)}


def _answer(
    sent: _Sent, message: Any, budget: dict[str, int], access: Access | None, call: Call
) -> tuple[str, dict[str, int]]:
    """Return the text of an answer and what was used; raises _Failed, and Unsure for a call that was cut."""
    if type(message) is not str or not message.strip():
        raise _Failed("invalid_request_error", "message must not be empty")
    if sent.provider == STUB:
        if sent.model != PROVIDERS[STUB][0]:
            raise _Failed("not_found_error", f"the stub has the model {PROVIDERS[STUB][0]} alone")
        sent.released = digest(encode(asked(None, sent.model, message, None)))
        return f"echo: {message}", {}
    if access is None or access.provider != sent.provider:
        raise _Failed("permission_error", "the gateway has not opened this provider")
    form = FORMS[sent.provider]
    place = read_url(access.url.rstrip("/") + form.path)
    assert place is not None
    body = encode(asked(form, sent.model, message, budget.get("max_tokens")))
    if len(body) > MOST_BODY:
        raise _Failed("invalid_request_error", "the message is too large", 413)
    status, found = _exchanged(sent, place, access, body, budget.get("max_duration_ms", DURATION_MS) / 1000, call)
    if status >= 300:
        said = complained(found) or f"the provider answered with status {status}"
        raise _Failed(_CODES.get(status, "provider_error"), said, status)
    answer = answered(form, found)
    if answer is None:
        raise _Failed("provider_error", "the answer holds no text")
    return answer


def _exchanged(sent: _Sent, place: Place, access: Access, body: bytes, seconds: float, call: Call) -> tuple[int, Any]:
    """Return status and value of one whole answer, whose value is None where it is no JSON and no success.

    Raises _Failed, and Unsure for a call that was cut.
    """
    end = until(seconds)
    try:
        reply = exchange(place, opened(place), "POST", _written(place, access.key, body), seconds, call.cancelled)
    except Closed:
        raise _Failed("provider_error", "the provider has no address that may be reached") from None
    except Unsent as unsent:
        if until(0) >= end:
            raise _Failed("timeout", "no connection came about within the budget") from None
        raise _Failed("provider_error", f"no connection: {unsent}") from None
    except Unsure:
        sent.released = digest(body)
        if until(0) >= end:
            raise _Failed("timeout", "no whole answer came within the budget") from None
        if call.cancelled():
            raise
        raise _Failed("provider_error", "the answer broke off, is none, or is larger than 1 MiB") from None
    sent.released = digest(body)
    try:
        return reply.status, parse(reply.body, limit=MOST_BODY, depth=MOST_DEPTH)
    except Outside:
        if reply.status < 300:
            raise _Failed("provider_error", "the answer cannot be read") from None
        return reply.status, None


def _written(place: Place, key: str | None, body: bytes) -> bytes:
    """Write a request out; nothing of it is kept open or redirected."""
    host = f"[{place.host}]" if ":" in place.host else place.host
    port = "" if place.port == PORTS[str(place.scheme)] else f":{place.port}"
    lines = [
        f"POST {place.target} HTTP/1.1", f"Host: {host}{port}", "Connection: close", "Accept-Encoding: identity",
        "User-Agent: omnibachi", *([f"Authorization: Bearer {key}"] if key else ()), "Accept: application/json",
        "Content-Type: application/json", f"Content-Length: {len(body)}", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode("latin-1") + body


def _head(sent: _Sent, status: str) -> dict[str, Any]:
    return {"status": status, "provider": sent.provider, "model_id": sent.model, "release_digest": sent.released}


def _took(began: int, call: Call) -> dict[str, int]:
    # A clock may be set back meanwhile.
    return {"latency_ms": max(0, (call.clock.now_ns() - began) // 1_000_000)}


def _error(failed: _Failed, key: str | None) -> dict[str, Any]:
    _, whose, again = PROVIDER_ERRORS[failed.code]
    said = _without(_BLANKS.sub(" ", failed.message).strip(), key)
    if shown(said, [key or ""]):
        said = HIDDEN  # in another form than its own
    return {
        "code": failed.code, "type": failed.code, "status_code": failed.status,
        "message": _KEYS.sub(HIDDEN, said)[:MOST_SAID], "responsibility": whose, "retryable": again,
    }  # fmt: skip


def _without(text: str, key: str | None) -> str:
    """Return a text without the key; one that is so short that it stands anywhere by chance is left."""
    return text.replace(key, HIDDEN) if key and len(key) >= SHORTEST else text
