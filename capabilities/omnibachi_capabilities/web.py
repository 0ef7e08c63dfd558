"""`std::CS_HTTP_V0`: GET, which reads, and POST, PUT and DELETE, which leave the house under the key of their call.

Whatever whole answer comes is SUCCESS, a status of 500 too: what it means is for the workflow to decide.
"""

from __future__ import annotations

import base64
import re

from omnibachi_model.digests import encode
from omnibachi_model.hosts import PORTS, listed, read_url
from omnibachi_model.sealed import BACKEND_ERROR, OUTCOME_UNKNOWN, SUCCESS
from omnibachi_model.values import Outside, parse

from .exchange import MOST_BODY, Closed, Unsent, Unsure, exchange, seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.hosts import Place
    from omnibachi_model.ports import Call
    from omnibachi_model.values import Answer, Inputs

MOST_DEPTH = 48  # of a JSON body, so that what holds it can be kept and passed on
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z")
VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]{0,8192}\Z")
# What the exchange itself says.
OURS = frozenset((
    "accept-encoding", "connection", "content-length", "expect", "host", "idempotency-key", "keep-alive",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
))  # fmt: skip


class _Refused(Exception):
    """What cannot be asked; the reason in a few words."""


def get(inputs: Inputs, store: None, call: Call) -> Answer:
    """Ask for what stands under a URL."""
    try:
        return _asked("GET", inputs, call, None)
    except Unsure:
        return BACKEND_ERROR, {"reason": "no-answer"}


def post(inputs: Inputs, store: None, call: Call) -> Answer:
    """Send what is asked, once for each key."""
    return _leaving("POST", inputs, call)


def put(inputs: Inputs, store: None, call: Call) -> Answer:
    """Put something under a URL, once for each key."""
    return _leaving("PUT", inputs, call)


def delete(inputs: Inputs, store: None, call: Call) -> Answer:
    """Take away what stands under a URL, once for each key."""
    return _leaving("DELETE", inputs, call)


def _leaving(method: str, inputs: Inputs, call: Call) -> Answer:
    try:
        return _asked(method, inputs, call, call.key)
    except Unsure:
        return OUTCOME_UNKNOWN, {}


def _asked(method: str, inputs: Inputs, call: Call, key: str | None) -> Answer:
    """Ask, and give what came of it; raises Unsure."""
    try:
        place = read_url(inputs["url"])
        if place is None:
            raise _Refused("the url is none that can be asked")
        if not listed(place, call.hosts):
            raise _Refused("the domain does not declare this host")
        request = _written(method, place, inputs, key)
        reply = exchange(place, call.hosts, method, request, seconds_of(call), call.cancelled)
    except _Refused as refused:
        return "VIOLATION", {"reason": str(refused)}
    except Closed:
        return "VIOLATION", {"reason": "the host has no address that may be reached"}
    except Unsent as unsent:
        return BACKEND_ERROR, {"reason": str(unsent)}
    kind = reply.headers.get("content-type", "")
    return SUCCESS, {"status": reply.status, "headers": reply.headers, "body": _read(kind, reply.body)}


def _written(method: str, place: Place, inputs: Inputs, key: str | None) -> bytes:
    """Write a request out; raises _Refused for headers and bodies that cannot be sent."""
    host = f"[{place.host}]" if ":" in place.host else place.host
    port = "" if place.port == PORTS[str(place.scheme)] else f":{place.port}"
    lines = [
        f"{method} {place.target} HTTP/1.1", f"Host: {host}{port}", "Connection: close", "Accept-Encoding: identity",
    ]  # fmt: skip
    given: dict[str, Any] = inputs.get("headers", {})
    names = {name.lower() for name in given}
    if len(names) < len(given) or names & OURS:
        raise _Refused("a header is given twice, or is one that the call itself sends")
    for name, value in given.items():
        if not NAME.match(name) or not VALUE.match(value):
            raise _Refused("a header is none that can be sent")
        lines.append(f"{name}: {value}")
    if key is not None:
        lines.append(f"Idempotency-Key: {key}")
    if "user-agent" not in names:
        lines.append("User-Agent: omnibachi")
    body = b""
    if "body" in inputs:
        body, kind = _encoded(inputs["body"])
        if len(body) > MOST_BODY:
            raise _Refused("the body is too large")
        lines += [f"Content-Type: {kind}"] if "content-type" not in names else []
    if method in ("POST", "PUT") or body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _encoded(body: Any) -> tuple[bytes, str]:
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    return encode(body), "application/json"


def _read(kind: str, body: bytes) -> Any:
    """Return a body as a value: JSON where it says that it is, and the profile holds it, else text, else bytes."""
    media = kind.partition(";")[0].strip().lower()
    if media == "application/json" or media.endswith("+json"):
        try:
            return parse(body, limit=MOST_BODY, depth=MOST_DEPTH)
        except Outside:
            pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
