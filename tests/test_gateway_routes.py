"""The gateway's routes over real sockets: what each answers, held to the OpenAPI document that it shows."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from as_declared import as_declared
from omnibachi_model.decisions import PROVIDER_ERRORS, ZERO
from omnibachi_transport.reasons import REASONS
from serving import Server, serving, until

CHAT = {"intent_type": "chat.message", "payload": {"message": "hello"}}


@pytest.fixture(name="server", scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("routes")
    with serving("gateway", "--data-root", str(root / "data"), "--policy", "demo") as server:
        yield server
        assert server.stop() == 0
        ready, *lines = server.said().splitlines()
        assert ready == f"omnibachi: gateway at {server.url}"
        assert {"at", "event"} <= set.intersection(*(set(json.loads(line)) for line in lines))


@pytest.fixture(name="document", scope="module")
def read_document(server: Server) -> dict[str, Any]:
    document: dict[str, Any] = server.read("/openapi.json")
    return document


def sent(server: Server, text: bytes) -> bytes:
    """Send bytes as they are and return all that comes back until the line is closed."""
    with server.connect() as line:
        line.sendall(text)
        found = b""
        while piece := line.recv(65536):
            found += piece
        return found


def test_the_document_is_one(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert sorted(document["paths"]) == [
        "/capabilities", "/healthz", "/ingress/intent", "/openapi.json", "/snapshot", "/status", "/tail",
        "/threads/{thread_id}/timeline",
    ]  # fmt: skip
    for path in document["paths"].values():
        for operation in path.values():
            for answer in operation["responses"].values():
                for content in answer["content"].values():
                    jsonschema_rs.meta.validate(
                        {"$schema": "https://json-schema.org/draft/2020-12/schema", **content["schema"]}
                    )


def test_an_empty_ledger(tmp_path: Path) -> None:
    with serving("gateway", "--data-root", str(tmp_path / "new" / "data")) as server:
        document = server.read("/openapi.json")
        page = as_declared(document, server.get("/snapshot"))
        assert (page["length"], page["events"], page["v_digest"], page["offset"]) == (0, [], ZERO, 0)
        status = as_declared(document, server.get("/status"))
        assert (status["phase"], status["t_index"], status["queue"]) == ("EMPTY", -1, {"depth": 0, "limit": 64})
        with server.tail(follow=0) as events:
            assert list(events) == []


def test_one_story_in_every_answer(server: Server, document: dict[str, Any]) -> None:
    found = server.post({**CHAT, "thread_id": "t/ä 1", "turn_id": "one"})
    answer = as_declared(document, found)
    assert found.status_code == 202 and answer["replayed"] is False
    server.settled(answer)
    again = server.post({**CHAT, "thread_id": "t/ä 1", "turn_id": "one", "correlation_id": answer["correlation_id"]})
    assert as_declared(document, again) == {**answer, "state": "EXECUTED", "queued": False, "replayed": True}
    page = as_declared(document, server.get("/snapshot", thread_id="t/ä 1"))
    assert [event["kind"] for event in page["events"]] == ["INTENT", "DECISION", "EXECUTION"] and page["matched"] == 3
    told = as_declared(document, server.get("/status", correlation_id=answer["correlation_id"]))
    indexes = dict(zip(("INTENT", "DECISION", "EXECUTION"), range(answer["index"], answer["index"] + 3), strict=True))
    assert (told["state"], told["indexes"], told["reason_codes"]) == ("EXECUTED", indexes, ["policy.within_limits"])
    status = as_declared(document, server.get("/status"))
    assert (status["policy"]["name"], status["policy"]["id"]) == ("demo", "dbl::PL_DEMO_V0")
    assert status["t_index"] == status["ledger"]["length"] - 1
    assert (status["provider"], status["model_id"]) == ("stub", "stub-echo")


def test_the_timeline(server: Server, document: dict[str, Any]) -> None:
    for thread in ("t/ä 2", "a/timeline"):
        first = server.say(thread_id=thread, turn_id="one")
        server.settled(server.say(thread_id=thread, turn_id="two", parent_turn_id="one"))
        found = as_declared(document, server.get(f"/threads/{thread}/timeline"))
        assert [(turn["turn_id"], turn["parent_turn_id"]) for turn in found["turns"]] == [("one", None), ("two", "one")]
        assert found["turns"][0]["events"][0]["index"] == first["index"] and found["thread_id"] == thread
        shown = as_declared(document, server.get(f"/threads/{thread}/timeline", include_payload=1))
        assert shown["turns"][1]["events"][2]["payload"]["output_text"] == "echo: hello"
    for nobody in ("nobody", "%00", "%ff", "x" * 500):
        assert as_declared(document, server.get(f"/threads/{nobody}/timeline"))["turns"] == []


def test_capabilities_are_the_tables_of_the_code(server: Server, document: dict[str, Any]) -> None:
    found = as_declared(document, server.get("/capabilities"))
    assert found["forms"] == ["flat", "v2", "v3"] and found["intent_types"] == ["chat.message"]
    assert found["providers"] == {"stub": ["stub-echo"], "openai": [], "ollama": []}
    assert found["policy"] == server.read("/status")["policy"]
    assert set(found["reason_codes"]) == set(REASONS) and set(found["error_codes"]) == set(PROVIDER_ERRORS)
    assert as_declared(document, server.get("/healthz")) == {"status": "ok"}


@pytest.mark.parametrize("given", ["a", "x-1 2.3~", "!" * 64])
def test_the_callers_request_id_comes_back(server: Server, given: str) -> None:
    for path in ("/status", "/nowhere"):
        assert server.get(path, {"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "\x7f", "café", "a\tb"])
def test_another_one_is_drawn(server: Server, given: str) -> None:
    headers: Any = {"x-request-id": given.encode()}
    found = {server.get("/healthz", headers).headers["x-request-id"] for _ in range(2)}
    assert len(found) == 2 and given not in found


def test_every_answer_forbids_storing_and_guessing(server: Server) -> None:
    for path in ("/status", "/nowhere", "/openapi.json"):
        headers = server.get(path).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
        assert not [name for name in headers if name in ("server", "access-control-allow-origin")]


@pytest.mark.parametrize("path", ["/", "/snapshot/", "/ingress", "/threads/x", "/..%2fstatus", "/Status"])
def test_there_is_no_such_route(server: Server, document: dict[str, Any], path: str) -> None:
    found = server.get(path)
    assert found.status_code == 404
    assert as_declared(document, found)["code"] == REASONS["transport.not_found"][1]


def test_no_correlation_has_this_id(server: Server, document: dict[str, Any]) -> None:
    found = server.get("/status", correlation_id="nobody")
    assert (found.status_code, as_declared(document, found)["reason_code"]) == (404, "transport.not_found")


@pytest.mark.parametrize(("method", "path"), [
    ("DELETE", "/snapshot"), ("GET", "/ingress/intent"), ("PUT", "/status"), ("OPTIONS", "/ingress/intent"),
    ("POST", "/tail"), ("BREW", "/healthz"),
])  # fmt: skip
def test_other_methods_are_refused(server: Server, method: str, path: str) -> None:
    found = server.client.request(method, server.url + path)
    assert (found.status_code, found.json()["reason_code"]) == (405, "transport.method_not_allowed")
    assert found.headers["allow"]


def test_head_is_get_without_a_body(server: Server) -> None:
    for path in ("/status", "/snapshot", "/tail"):
        found = server.client.head(server.url + path)
        assert (found.status_code, found.content) == (200, b"")


@pytest.mark.parametrize(("path", "pointers"), [
    ("/snapshot?limit=0", ["/limit"]), ("/snapshot?limit=2001&offset=-1", ["/limit", "/offset"]),
    ("/snapshot?limit=1e3", ["/limit"]), ("/snapshot?limit=%D9%A1", ["/limit"]), ("/snapshot?limit=", ["/limit"]),
    ("/snapshot?limit=1&limit=2", ["/limit"]), ("/snapshot?offset=0&after=0", ["/after"]),
    ("/snapshot?after=-2", ["/after"]), ("/snapshot?after=99999999999999999999", ["/after"]),
    ("/snapshot?kind=intent", ["/kind"]), ("/snapshot?thread_id=", ["/thread_id"]),
    ("/snapshot?thread_id=%00", ["/thread_id"]), ("/snapshot?thread_id=%ff", [""]), ("/snapshot?tread_id=a", [""]),
    ("/snapshot?lane=" + "x" * 129, ["/lane"]), ("/snapshot?limit", [""]), ("/snapshot?" + "a=1&" * 40, [""]),
    ("/tail?since=-2", ["/since"]), ("/tail?follow=yes", ["/follow"]), ("/tail?kind=INTENT", [""]),
    ("/status?correlation_id=%0a", ["/correlation_id"]),
    ("/threads/x/timeline?include_payload=2", ["/include_payload"]), ("/healthz?x=1", [""]),
    ("/capabilities?limit=1", [""]), ("/openapi.json?x=1", [""]),
])  # fmt: skip
def test_queries_are_judged_by_schema(server: Server, document: dict[str, Any], path: str, pointers: list[str]) -> None:
    found = server.get(path)
    body = as_declared(document, found)
    assert found.status_code == 422 and [item["pointer"] for item in body["errors"]] == pointers
    assert {item["reason_code"] for item in body["errors"]} == {"transport.invalid_query"}


def test_an_intent_brings_no_parameters(server: Server) -> None:
    before = server.read("/status")["ledger"]["length"]
    found = server.client.post(f"{server.url}/ingress/intent?dry_run=1", json=CHAT)
    assert (found.status_code, found.json()["reason_code"]) == (422, "transport.invalid_query")
    assert server.read("/status")["ledger"]["length"] == before


def test_a_misspelt_parameter_is_answered_with_the_nearest(server: Server) -> None:
    assert "did you mean `thread_id`?" in server.get("/snapshot?tread_id=a").json()["detail"]


def test_media_types(server: Server, document: dict[str, Any]) -> None:
    found = server.post(CHAT, {"content-type": "text/plain"})
    assert (found.status_code, as_declared(document, found)["reason_code"]) == (415, "transport.media_type")
    assert server.post(CHAT, {"content-type": "Application/JSON; charset=utf-8"}).status_code == 202


@pytest.mark.parametrize("size", [256 * 1024 + 1, 1 << 20, 8 << 20])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large(server: Server, document: dict[str, Any], size: int, chunked: bool) -> None:
    """A part of what is too much is read, so that the answer can be; whoever sends on is cut off."""

    def pieces() -> Iterator[bytes]:
        yield from (b"x" * 65536 for _ in range(size // 65536 + 1))

    before = server.read("/status")["ledger"]["length"]
    with socket.create_connection(server.place, 30) as line:
        length = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % size
        line.sendall(b"POST /ingress/intent HTTP/1.1\r\nhost: 127.0.0.1\r\n%b\r\n\r\n" % length)
        found = b""
        try:
            for piece in pieces():
                line.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            line.sendall(b"0\r\n\r\n" if chunked else b"")
            found = line.recv(65536)
        except OSError:
            assert size > 16 * 256 * 1024
    assert found.startswith(b"HTTP/1.1 413 ") or size > 16 * 256 * 1024
    assert server.read("/status")["ledger"]["length"] == before


def test_a_message_that_is_too_large(server: Server, document: dict[str, Any]) -> None:
    found = server.post({**CHAT, "payload": {"message": "ä" * 40_000}})
    assert (found.status_code, as_declared(document, found)["reason_code"]) == (413, "transport.too_large")


@pytest.mark.parametrize(("text", "status"), [
    (b"rubbish\r\n\r\n", 400), (b"GET /status HTTP/1.1\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET /status HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"y" * 17_000 + b"\r\nconnection: close\r\n\r\n", 413),
    (b"GET /status HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"y" * 70_000, 413),
    (b"GET /status HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n" + b"x:\r\n" * 4000 + b"\r\n", 413),
    (b"GET /status?" + b"z" * 17_000 + b" HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", 413),
    (b"GET /" + b"z" * 70_000, 413),
    (b"POST /ingress/intent HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: x\r\n\r\n", 400),
    (b"GET /status HTTP/1.0\r\n\r\n", 403), (b"GET http://127.0.0.1/status HTTP/1.1\r\nhost: example.org\r\n\r\n", 403),
])  # fmt: skip
def test_what_is_no_request_is_refused_in_the_same_shape(server: Server, text: bytes, status: int) -> None:
    if b"connection" not in text and status == 403:
        text = text.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    head, _, body = sent(server, text).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b'"accepted":false' in body and b'"code":"OB9' in body
    assert b"\r\nx-request-id: " in head and b"\r\ncache-control: no-store" in head


@pytest.mark.parametrize(("headers", "status"), [
    ({"host": "localhost:1"}, 200), ({"host": "LOCALHOST"}, 200), ({"host": "[::1]:8010"}, 200),
    ({"host": "127.9.9.9"}, 200), ({"host": "example.org"}, 403), ({"host": "127.0.0.1.example.org"}, 403),
    ({"host": "localhost.example.org:80"}, 403),
    ({"host": "127.0.0.1:80@example.org"}, 403), ({"host": ""}, 403),
    ({"host": "localhost:1", "origin": "http://localhost:1"}, 200), ({"origin": "http://example.org"}, 403),
    ({"origin": "null"}, 403), ({"host": "localhost:1", "origin": "http://localhost:2"}, 403),
    ({"host": "localhost:1", "origin": "https://localhost:1"}, 403),
])  # fmt: skip
def test_without_tokens_this_machine_alone_may_ask(server: Server, headers: dict[str, str], status: int) -> None:
    found = server.get("/status", headers)
    assert found.status_code == status, found.text
    if status == 403:
        assert found.json()["reason_code"] == "auth.forbidden"


def test_log_lines_hold_ids_and_codes_and_no_text(server: Server) -> None:
    said = "a secret wish 81c2"
    answer = server.say(said, thread_id="a private thread", turn_id="t")
    server.get(f"/{said}", {"x-request-id": "mine-1"}, secret=said)
    server.client.request("SECRETMETHOD", f"{server.url}/status", headers={"x-request-id": "mine-2"})
    # An answer does not wait for its line.
    until(lambda: {"mine-1", "mine-2"} <= {item.get("request_id") for item in server.log()})
    log = [item for item in server.log() if item.get("correlation_id") == answer["correlation_id"]]
    assert [(item["event"], item["status"], item["route"]) for item in log] == [
        ("request", 202, "POST /ingress/intent")
    ]
    lost = next(item for item in server.log() if item.get("request_id") == "mine-1")
    assert (lost["status"], lost["code"], "route" in lost) == (404, "OB913", False)
    assert "secret" not in server.said().lower() and "private" not in server.said()
