"""The gateway's guards: tokens and roles over real sockets, slow callers, slots, and its own mistakes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from as_declared import as_declared
from governing import IDENTITY, LEDGER, anchors, gateway
from model_house import ModelHouse
from omnibachi_transport import guards
from omnibachi_transport import serving as doors
from omnibachi_transport.guards import Guards
from omnibachi_transport.log_lines import Lines
from omnibachi_transport.tokens import LOCAL, new_token, token_entry, token_file
from omnibachi_transport.writing import Walkers
from serving import SECONDS, Server, serving, until

CHAT = {"intent_type": "chat.message", "payload": {"message": "hello"}}
WRITER, READER, BOTH = new_token(), new_token(), new_token()


@pytest.fixture(name="server", scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tokens")
    entries = [
        token_entry(WRITER, "writer", "house", ["intent"]), token_entry(READER, "reader", None, ["read"]),
        token_entry(BOTH, "both", None, ["intent", "read"]),
    ]  # fmt: skip
    file = folder / "tokens.json"
    file.write_bytes(token_file(entries))
    file.chmod(0o600)
    with serving("gateway", "--data-root", str(folder / "data"), "--token-file", str(file)) as server:
        yield server


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", **more}


def test_a_token_says_who_asks_and_nothing_else_does(server: Server) -> None:
    body = {**CHAT, "correlation_id": "a", "actor": "root"}
    headers = {"x-principal": "root", "x-forwarded-user": "root", "host": "example.org", "origin": "http://example.org"}
    assert server.post(body, bearer(WRITER, **headers)).status_code == 202
    found = server.get("/snapshot", bearer(READER), correlation_id="a").json()["events"][0]["payload"]["_envelope"]
    assert found["identity"] == {"principal": "writer", "tenant": "house", "verified": True, "roles": ["intent"]}


@pytest.mark.parametrize(("method", "path", "token", "status"), [
    ("GET", "/healthz", None, 200), ("GET", "/status", None, 401), ("GET", "/status", "omnibachi_x", 401),
    ("GET", "/status", WRITER, 403), ("GET", "/status", READER, 200), ("GET", "/tail?follow=0", WRITER, 403),
    ("GET", "/openapi.json", None, 401), ("GET", "/nowhere", None, 401), ("GET", "/nowhere", READER, 404),
    ("POST", "/ingress/intent", None, 401), ("POST", "/ingress/intent", READER, 403),
    ("POST", "/ingress/intent", BOTH, 202),
], ids={WRITER: "writer", READER: "reader", BOTH: "both"}.get)  # fmt: skip
def test_what_a_token_may(server: Server, method: str, path: str, token: str | None, status: int) -> None:
    document = server.get("/openapi.json", bearer(READER)).json()
    more: dict[str, Any] = {"json": CHAT} if method == "POST" else {}
    found = server.client.request(method, server.url + path, headers=bearer(token) if token else {}, **more)
    assert found.status_code == status
    if status >= 400:
        body = as_declared(document, found)
        assert body["reason_code"] == {
            401: "auth.missing_token", 403: "auth.forbidden", 404: "transport.not_found",
        }[status]  # fmt: skip
    assert ("www-authenticate" in found.headers) == (status == 401)


def test_two_tokens_are_none(server: Server) -> None:
    given: Any = [("authorization", f"Bearer {token}") for token in (WRITER, READER)]
    assert server.client.get(f"{server.url}/status", headers=given).status_code == 401


def test_no_token_is_in_the_log(server: Server) -> None:
    server.get("/status", bearer("omnibachi_unknown"))
    for token in (WRITER, READER, BOTH, "omnibachi_unknown"):
        assert token not in server.said()


def test_a_slot_is_taken_before_anything_is_appended(tmp_path: Path) -> None:
    with ModelHouse() as house, gateway(tmp_path, provider="openai", model="late", provider_url=house.base) as door:
        walkers = Walkers(door.beside, Lines(None), limit=2)
        walkers.start()

        runs = itertools.count()

        def asked(name: str) -> Any:
            intent = {"payload": {"message": "x"}, "form": "flat"}
            return walkers.govern((anchors(name), intent, IDENTITY, f"run-{next(runs)}"))

        first, second = asked("a"), asked("b")
        until(lambda: len(house.asked) == 2)
        assert (asked("c"), walkers.depth, walkers.takes()) == (None, 2, True)
        house.release.set()
        assert (first.result(SECONDS).state, second.result(SECONDS).state) == ("EXECUTED", "EXECUTED")
        until(lambda: walkers.depth == 0)
        assert asked("a").result(SECONDS).replayed
        assert walkers.close(SECONDS) == 0 and asked("d") is None and not walkers.takes()
        assert {event["correlation_id"] for event in events(door)} == {"a", "b"}


def events(door: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = door._engine.ledger.decisions(LEDGER).page(limit=100)["events"]
    return found


def test_a_walker_whose_ledger_is_gone_says_so_and_tries_again(tmp_path: Path) -> None:
    with gateway(tmp_path / "data") as door:
        doors_opened: list[int] = []

        def opened() -> Any:
            doors_opened.append(1)
            # The sweep opens the first, and the walker the others.
            return gateway(tmp_path / "file" / "x") if len(doors_opened) == 2 else door.beside()

        (tmp_path / "file").write_text("no folder", "utf-8")
        walkers = Walkers(opened, Lines(None), limit=1)
        walkers.start()
        asked = (anchors("a"), {"payload": {"message": "x"}, "form": "flat"}, IDENTITY, "run-a")
        until(lambda: len(doors_opened) >= 2)
        found = [future.result(SECONDS) for _ in range(2) if (future := walkers.govern(asked))]
        assert [(item.refused, item.state) for item in found] == [("store.unavailable", None), (None, "EXECUTED")]
        walkers.close(SECONDS)


def test_a_mistake_of_the_server_is_an_answer_too(tmp_path: Path) -> None:
    log = io.BytesIO()
    lines = Lines(log)
    sent: list[Any] = []

    async def crash(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("a secret")

    async def send(message: Any) -> None:
        sent.append(message)

    app = Guards(crash, role_of=lambda *_: "read", tokens=None, local=dict(LOCAL), lines=lines)
    scope = {
        "type": "http", "method": "GET", "path": "/x", "raw_path": b"/x", "headers": [(b"host", b"localhost")],
        "query_string": b"",
    }  # fmt: skip
    asyncio.run(app(scope, None, send))  # type: ignore[arg-type]
    lines.close()
    assert sent[0]["status"] == 500 and json.loads(sent[1]["body"])["reason_code"] == "transport.internal_error"
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(item["event"], item["code"]) for item in told] == [("defect", "OB799"), ("request", "OB922")]
    assert b"secret" not in log.getvalue() and len({item["request_id"] for item in told}) == 1


def test_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "BODY_SECONDS", 0.05)
    pieces = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        if not pieces:
            await asyncio.sleep(SECONDS)
        return pieces.pop()

    with pytest.raises(TimeoutError):
        asyncio.run(guards.body_of(Request({"type": "http"}, receive)))


def test_headers_that_do_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the first nor any later request of a connection may take for ever."""
    monkeypatch.setattr(doors, "IDLE_SECONDS", 1)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    listening = doors.bound("127.0.0.1", 0)
    place = listening.getsockname()
    ended: dict[int, bytes] = {}

    def ask(texts: list[bytes]) -> None:
        found = b""
        with socket.create_connection(place, SECONDS) as line, contextlib.suppress(ConnectionResetError):
            for text in texts:
                line.sendall(text)
                found += line.recv(1000) if text.endswith(b"\r\n\r\n") else b""
            found += line.recv(1000)
        ended[len(texts)] = found[:15]

    def ask_all() -> None:
        whole = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
        askers = [threading.Thread(target=ask, args=(texts,)) for texts in ([b"GET / HT"], [whole, b"GET / HTTP/1"])]
        try:
            for asker in askers:
                asker.start()
            for asker in askers:
                asker.join(SECONDS)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    left = doors.serve(app, listening, ready=lambda: threading.Thread(target=ask_all).start())
    assert ended == {1: b"", 2: b"HTTP/1.1 200 OK"} and left > 0


def test_a_log_that_nobody_reads_holds_nothing_up() -> None:
    reading, writing = os.pipe()
    with open(writing, "wb", buffering=0) as stream:
        lines = Lines(stream)
        for number in range(30_000):
            lines.say("request", request_id=f"r{number}")
        with open(reading, "rb") as pipe:
            found: list[dict[str, Any]] = []
            said = threading.Thread(target=lambda: found.extend(json.loads(line) for line in pipe))
            said.start()
            until(lambda: any(item["event"] == "missed" for item in found))
            lines.say("last")
            until(lambda: found[-1]["event"] == "last")
            lines.close()
            stream.close()
            said.join(SECONDS)
    missed = sum(item.get("count", 0) for item in found)
    assert missed > 0 and len([item for item in found if item["event"] == "request"]) + missed == 30_000
