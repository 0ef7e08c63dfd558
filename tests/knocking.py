"""A client of the boundary that knows nothing of this project, urllib and JSON alone, and ledgers that have a past."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from deciding import LEDGER, SEALED, anchors, asked, decided, done, within
from omnibachi_ledger import open_root
from omnibachi_model.digests import digest
from serving import SECONDS, until

_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Heard(NamedTuple):
    """What a server answered: status, the JSON value, and the headers by their names in lower case."""

    status: int
    value: Any
    headers: dict[str, str]
    data: bytes


def knock(url: str, path: str, body: Any = None, **headers: str) -> Heard:
    """GET a path, or POST a body as JSON (bytes as they are); whatever the status is."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json", **given})
    try:
        with _NO_PROXY.open(request, timeout=SECONDS) as answer:
            return _heard(answer.status, answer)
    except urllib.error.HTTPError as error:
        with error:
            return _heard(error.code, error)


def _heard(status: int, answer: Any) -> Heard:
    data = answer.read()
    return Heard(status, json.loads(data), {name.lower(): value for name, value in answer.headers.items()}, data)


def flat(correlation: str, message: str = "hello", **more: Any) -> dict[str, Any]:
    """Return an intent in the flat form, in a thread and turn of its own."""
    return {
        "correlation_id": correlation, "thread_id": f"thread-{correlation}", "turn_id": f"turn-{correlation}",
        "stream_id": "default", "lane": "user_chat", "actor": "user", "intent_type": "chat.message",
        "payload": {"message": message}, **more,
    }  # fmt: skip


def enveloped(version: int, correlation: str, message: str = "hello", **more: Any) -> dict[str, Any]:
    """Return the same intent in the envelope v2 or v3."""
    inner = flat(correlation, message, **more)
    return {"interface_version": version, "correlation_id": inner.pop("correlation_id"), "payload": inner}


def intend(url: str, correlation: str, message: str = "hello", **more: Any) -> Heard:
    """Post an intent in the flat form."""
    return knock(url, "/ingress/intent", flat(correlation, message, **more))


def final(url: str, correlation: str) -> dict[str, Any]:
    """Wait until a correlation has come to its end, and return what the gateway says of it."""

    def ended() -> Any:
        heard = knock(url, f"/status?correlation_id={correlation}")
        return heard.value if heard.status == 200 and heard.value["state"] in ("DENIED", "EXECUTED") else None

    told: dict[str, Any] = until(ended)
    return told


def with_a_past(root: Path, count: int) -> Path:
    """Lay a data root whose ledger holds so many events of earlier stories, in one transaction."""
    denied = {0: 0, 1: 2, 2: 1}[count % 3]  # stories of two events, so that none is left open
    refused = (("INTENT", asked()), ("DECISION", decided("DENY")))
    worked = (("INTENT", asked()), ("DECISION", decided()), ("EXECUTION", done()))
    stories = [refused] * denied + [worked] * ((count - 2 * denied) // 3)
    with open_root(str(root)) as ledger:
        journal = ledger.journal(
            "past", workflow="dbl::WF_X_V0", workflow_digest=digest(SEALED), sealed=SEALED, seal=None,
            payload_digest=digest(b"{}"), started_at="2026-01-31T12:00:00.000Z",
        )  # fmt: skip
        journal.begin()
        store = journal.store(LEDGER)
        for number, steps in enumerate(stories):
            for kind, payload in steps:
                assert within(store, kind, anchors(f"past-{number}"), payload)[0] == "SUCCESS"
        journal.receipt("node", "dbl::CS_LEDGER_V0.APPEND_INTENT", "SUCCESS")
        journal.finish("done", "COMPLETED", digest(b""))
        journal.commit()
    return root
