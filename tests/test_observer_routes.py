"""The observer's routes: every answer as it is declared, what is handed in verified, and who may do what."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from observing import Event, chained, ledger, page, steps
from omnibachi_observer.folding import Folds
from omnibachi_observer.views import Projected
from omnibachi_transport import live, observer_schemas
from omnibachi_transport.clients import events_of
from omnibachi_transport.guards import MOST_BODY
from omnibachi_transport.live import Recent, Watchers
from omnibachi_transport.log_lines import Lines
from omnibachi_transport.observer import OPERATIONS, Observer, observer_app
from omnibachi_transport.reasons import REFUSAL
from omnibachi_transport.tokens import LOCAL, Tokens

NOWHERE = "http://127.0.0.1:1"
CARL = {"principal": "carl", "tenant": None, "verified": True, "roles": ["ingest", "read"]}


class Given:
    """Tokens that are their bearers' names."""

    def identify(self, authorization: str | None) -> Any:
        """Return who it is, as the real ones do."""
        return CARL if authorization == "Bearer carl" else Tokens(()).identify(authorization)


class Asking:
    """An observer that follows nobody, asked without a socket."""

    def __init__(self, *, tokens: bool = False) -> None:
        self.folds = Folds()
        self.observer = Observer(Projected(self.folds, None), NOWHERE, Lines(None))
        self._app = observer_app(self.observer, "0", tokens=Given() if tokens else None, lines=Lines(None))
        self.headers = {"authorization": "Bearer carl"} if tokens else {}

    def fold(self, events: list[Event]) -> None:
        """Fold events as a follower does."""
        self.observer.told(self.folds.fold(events))
        assert self.folds.stopped is None

    def __call__(self, method: str, path: str, **more: Any) -> httpx2.Response:
        async def ask() -> httpx2.Response:
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(self._app), base_url="http://localhost"
            ) as client:
                return await client.request(method, path, headers={**self.headers, **more.pop("headers", {})}, **more)

        return asyncio.run(ask())

    def ingest(self, value: Any, **more: Any) -> httpx2.Response:
        """Hand a page in."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        headers = {"content-type": "application/json", **more}
        return self("POST", "/ingest", content=data, headers=headers)


def refused(answer: httpx2.Response) -> tuple[int, str]:
    """Return the status and reason of a refusal, which has the one shape."""
    assert jsonschema_rs.Draft202012Validator(REFUSAL).is_valid(answer.json()), answer.text
    return answer.status_code, answer.json()["reason_code"]


def test_every_answer_is_as_declared() -> None:
    asking = Asking()
    asking.fold(
        chained(step for number, end in enumerate(("ok", "denied", "error", "asked")) for step in steps(number, end))
    )
    document = asking("GET", "/openapi.json").json()
    assert document["openapi"] == "3.1.0" and set(document["paths"]) == {
        item.path.replace(":path", "") for item in OPERATIONS
    }
    for item in OPERATIONS:
        if item.media_type != "application/json" or item.method != "GET":
            continue
        query = {"thread_id": "thread", "turn_id": "turn-1"} if item.name == "events" else {}
        answer = asking("GET", item.path.replace("{thread_id:path}", "thread"), params=query)
        if item.name == "health":
            assert refused(answer) == (503, "store.unavailable")  # It follows nobody.
            continue
        assert answer.status_code == 200, answer.text
        assert jsonschema_rs.Draft202012Validator(item.answers[200]).is_valid(answer.json()), (item.path, answer.text)
        if item.name != "openapi":
            assert (answer.json()["observer_version"], answer.json()["normative"]) == (1, False)
        assert asking("HEAD", item.path.replace("{thread_id:path}", "thread"), params=query).status_code == 200
    assert asking("HEAD", "/live").headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/threads/none", 404, "transport.not_found"),
        ("/nothing", 404, "transport.not_found"),
        ("/threads?limit=0", 422, "transport.invalid_query"),
        ("/threads?limit=501", 422, "transport.invalid_query"),
        ("/threads?offset=-1", 422, "transport.invalid_query"),
        ("/threads?sort=x", 422, "transport.invalid_query"),
        ("/threads/none?limit=x", 422, "transport.invalid_query"),
        ("/events?thread_id=thread", 422, "transport.invalid_query"),
        ("/events", 422, "transport.invalid_query"),
        ("/events?thread_id=thread&turn_id=none", 404, "transport.not_found"),
        ("/events?thread_id=none&turn_id=none", 404, "transport.not_found"),
        ("/picture?correlation=x", 422, "transport.invalid_query"),
        ("/status?x=1", 422, "transport.invalid_query"),
        ("/signals?severity=warn", 422, "transport.invalid_query"),
        ("/live?x=1", 422, "transport.invalid_query"),
        ("/picture", 503, "store.unavailable"),
        ("/ingest", 405, "transport.method_not_allowed"),
    ],
)
def test_what_is_asked_wrongly_is_told(path: str, status: int, reason: str) -> None:
    assert refused(Asking()("GET", path)) == (status, reason)


def test_threads_and_their_turns_come_in_pages() -> None:
    asking = Asking()
    asking.fold(chained(step for number in range(5) for step in steps(number, "ok", f"a/{number}")))
    first = asking("GET", "/threads?limit=2").json()
    assert ([item["thread_id"] for item in first["threads"]], first["next_offset"], first["total"]) == (
        ["a/4", "a/3"],
        2,
        5,
    )
    last = asking("GET", "/threads?limit=2&offset=4").json()
    assert ([item["thread_id"] for item in last["threads"]], last["next_offset"]) == (["a/0"], None)
    assert asking("GET", "/threads/a%2F4?limit=1").json()["turns"][0]["correlation_id"] == "c-4"


def test_events_come_from_memory_and_else_from_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an old turn the gateway is asked; where it is silent, that is said."""
    monkeypatch.setattr(live, "MOST_EVENTS", 5)
    asking = Asking()
    events = ledger("ok", "ok", "ok")
    asking.fold(events)
    found = asking("GET", "/events?thread_id=thread&turn_id=turn-2").json()
    assert (found["events"], found["source"]) == (events[6:], "memory")
    for turn in ("turn-0", "turn-1"):
        answer = asking("GET", f"/events?thread_id=thread&turn_id={turn}")
        assert refused(answer) == (503, "store.unavailable")

    async def page_of(limit: int, **_: Any) -> dict[str, Any]:
        forged = {**events[1], "payload": {**events[1]["payload"], "result": "DENY"}}
        return {"length": 9, "events": [events[0], forged, events[2], None, {"index": 99}, {**events[2], "index": "2"}]}

    monkeypatch.setattr(asking.observer.source, "page", page_of)
    found = asking("GET", "/events?thread_id=thread&turn_id=turn-0").json()
    assert (found["events"], found["source"]) == ([events[0], events[2]], "gateway")


def test_a_page_that_is_handed_in_is_verified_and_folded_once() -> None:
    """OB953, OB954 and OB955 beside what is well."""
    asking = Asking(tokens=True)
    events = ledger("ok", "denied", "ok")
    assert asking.ingest(page(events[:3])).json() == {
        "observer_version": 1, "normative": False, "ingested": 3, "total": 3,
    }  # fmt: skip
    assert asking.ingest(page(events[:5], 1)).json()["ingested"] == 2
    assert asking.ingest(page(events[:5])).json()["ingested"] == 0
    assert asking.ingest({"events": []}).json()["total"] == 5
    assert asking("GET", "/events?thread_id=thread&turn_id=turn-1").json()["events"] == events[3:5]
    spoilt = copy.deepcopy(events)
    spoilt[6]["actor"] = "another"
    assert refused(asking.ingest(page(spoilt))) == (400, "ingest.unverifiable")
    assert refused(asking.ingest(page(events, 5))) == (409, "ingest.gap")
    assert refused(asking.ingest({"events": [events[5], events[7]]})) == (409, "ingest.gap")
    assert refused(asking.ingest(page(ledger("ok", "ok")))) == (409, "ingest.conflict")
    # Whole in itself, and of another past.
    other = ledger("ok", "denied", "ok", pack="other")
    assert refused(asking.ingest({"events": other[5:]})) == (400, "ingest.unverifiable")
    assert asking("GET", "/status").json()["event_count"] == 5, "nothing of a page is folded where one does not hold"
    assert asking("GET", "/signals").json()["signals"] == []
    assert asking.ingest(page(events)).json() == {"observer_version": 1, "normative": False, "ingested": 3, "total": 8}


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "admission.malformed_json"),
        (b"[]", 400, "admission.malformed_json"),
        (b'{"events": [NaN]}', 400, "admission.malformed_json"),
        (b'{"events": [], "events": []}', 400, "admission.malformed_json"),
        (b'{"events": ["\\ud800"]}', 400, "admission.malformed_json"),
        (b'{"events":' + b"[" * 200 + b"]" * 200 + b"}", 400, "admission.malformed_json"),
        (b"{}", 400, "admission.missing_field"),
        (b'{"events": {}}', 400, "admission.invalid_field"),
        (b'{"events": [' + b"5," * 2000 + b"5]}", 400, "admission.invalid_field"),
        (b'{"events": [5]}', 400, "ingest.unverifiable"),
        (b'{"events": [null]}', 400, "ingest.unverifiable"),
        (b" " * (MOST_BODY + 1), 413, "transport.too_large"),
    ],
)
def test_a_body_that_is_no_page_is_refused(body: bytes, status: int, reason: str) -> None:
    asking = Asking(tokens=True)
    assert refused(asking.ingest(body)) == (status, reason)
    assert asking.folds.event_count == 0


def test_who_may_do_what() -> None:
    """Without tokens nobody may hand anything in; with them every answer but the page itself needs one."""
    local = Asking()
    assert "ingest" not in LOCAL["roles"] and refused(local.ingest(page([]))) == (403, "auth.forbidden")
    asking = Asking(tokens=True)
    assert refused(asking.ingest(page([]), **{"content-type": "text/plain"})) == (415, "transport.media_type")
    asking.headers = {}
    for item in OPERATIONS:
        path = item.path.replace("{thread_id:path}", "thread")
        if item.role is not None:
            assert refused(asking(item.method, path)) == (401, "auth.missing_token")
    for path in ("/", "/page.js", "/page.css", "/icon.svg"):
        answer = asking("GET", path)
        assert answer.status_code == 200 and "default-src 'none'" in answer.headers["content-security-policy"]
        assert asking("HEAD", path).status_code == 200
    assert refused(local("GET", "/status", headers={"host": "example.org"})) == (403, "auth.forbidden")
    assert refused(local("GET", "/status", headers={"origin": "http://example.org"})) == (403, "auth.forbidden")


def test_the_newest_events_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    recent = Recent()
    events = ledger(*["ok"] * 10)
    monkeypatch.setattr(live, "MOST_BYTES", 5 * max(len(json.dumps(event)) for event in events))
    for event in events:
        recent.add([event])
    assert recent.of("c-9") == events[27:] and recent.of("c-0") == []


def watching(do: Callable[[Watchers, Any], Awaitable[None]], counts: dict[str, int] | None = None) -> None:
    """Do something with watchers of a made-up observer, and the stream of one of them; `counts` are its signals."""

    async def run() -> None:
        watchers = Watchers(lambda: 7, lambda: dict(raised))
        await do(watchers, watchers.stream())

    raised = {"warn": 0} if counts is None else counts
    asyncio.run(asyncio.wait_for(run(), 20))


def test_whoever_watches_is_told_of_many_threads_at_once_and_let_go() -> None:
    async def do(watchers: Watchers, stream: Any) -> None:
        assert b'"thread_id":null' in await anext(stream)
        watchers.told([{"thread_id": "a"}])
        assert b'"thread_id":"a"' in await anext(stream)
        watchers.told([{"thread_id": "a"}])
        watchers.told([{"thread_id": "b"}])
        assert b'"thread_id":null' in await anext(stream)
        watchers.stop()
        assert [piece async for piece in stream] == [] and not watchers.free()

    watching(do)


def test_whoever_watches_is_told_of_signals_that_come_by_time_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)
    counts = {"warn": 0}

    async def do(_: Watchers, stream: Any) -> None:
        await anext(stream)
        counts["warn"] = 1
        assert b'"thread_id":null,"signals":{"warn":1}' in await anext(stream)

    watching(do, counts)


def test_whoever_watches_where_nothing_happens_hears_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.1)

    async def do(_: Watchers, stream: Any) -> None:
        await anext(stream)
        assert (await anext(stream)).startswith(b":")
        await stream.aclose()

    watching(do)


def test_frames_of_a_tail_are_read_whatever_else_stands_there() -> None:
    event = ledger("asked")[0]
    line = json.dumps(event).encode()
    assert events_of(b": still here\n\nid: 0\nevent: envelope\ndata: " + line) == [event]
    assert events_of(b"data:" + line + b"\r\n\r\ndata: " + line) == [event, event]
    assert events_of(b": nothing") == [] and observer_schemas.VERSION == 1
    with pytest.raises(ValueError):
        events_of(b"data: {")
