"""Hostile requests over a real socket: each gets a listed 4xx, the ledger is as long as before, and every page can be
read, also of what was odd and well formed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admitting import MESSAGE, Json, accepted, in_form, judged, said
from governing import LEDGER
from omnibachi_ledger import open_root
from omnibachi_model.values import parse
from omnibachi_transport.admission import Admitted
from omnibachi_transport.reasons import REASONS, REFUSAL
from serving import SECONDS, Server, serving
from spoilt_bodies import LARGE, TOKENS, spoilt
from thoroughness import many

MANY = many(30, 300)
_SHAPE = jsonschema_rs.Draft202012Validator(REFUSAL)
_settings = settings(
    max_examples=MANY, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(name="server", scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("hostile")
    with serving("gateway", "--data-root", str(root), "--policy", "deny_all") as server:
        yield server
        readable(server)
        assert server.stop() == 0
    with open_root(str(root), reading=True) as ledger:
        assert ledger.decisions(LEDGER).verify().first_bad_index is None


def readable(server: Server) -> list[Json]:
    """Return all events; every page, tail, thread and summary is strict JSON, whatever they hold."""
    kept = server.events()
    for limit in (1, 3, 2000):
        for offset in range(0, min(len(kept), 30), limit):
            page: Any = parse(server.get("/snapshot", limit=limit, offset=offset).content)
            assert page["events"] == kept[offset : offset + limit] and page["length"] == len(kept)
    with server.tail(follow=0) as events:
        assert [item["index"] for item in events] == [item["index"] for item in kept]
    assert server.read("/status")["ledger"] | {"length": len(kept)} == server.read("/status")["ledger"]
    return kept


def length(server: Server) -> int:
    found: int = server.read("/status")["ledger"]["length"]
    return found


def refused(found: httpx2.Response) -> str:
    """Return the reason of a refusal, which has the listed status and the one shape."""
    told: Any = parse(found.content)
    assert _SHAPE.is_valid(told) and 400 <= found.status_code < 500
    assert REASONS[told["reason_code"]] == (found.status_code, told["code"])
    return str(told["reason_code"])


def test_large_bodies(server: Server) -> None:
    before = length(server)
    for data in LARGE:
        if not isinstance(judged(data), Admitted):
            refused(server.post(data))
    assert length(server) == before
    for size in (262_145, 1_000_000, 5_000_000):
        assert refused(server.post(b" " * size)) == "transport.too_large"
    assert length(server) == before


@_settings
@given(spoilt())
def test_spoilt_bodies(server: Server, body: Any) -> None:
    """What admission says is what is answered; and what is refused leaves nothing."""
    data = json.dumps(body).encode()
    wanted = judged(data)
    if not isinstance(wanted, Admitted):
        before = length(server)
        found = server.post(data)
        assert (found.status_code, found.json()) == wanted and length(server) == before


@_settings
@given(st.binary(max_size=300), st.sampled_from([None, "text/plain", "application/json", "x" * 1000, "\xff/json"]))
def test_bytes_of_any_kind(server: Server, data: bytes, media: str | None) -> None:
    before = length(server)
    headers = {} if media is None else {"content-type": media.encode("latin-1")}
    found = server.client.post(f"{server.url}/ingress/intent", content=data, headers=headers)
    assert refused(found)
    assert length(server) == before


def test_ends_of_lines_in_texts_end_no_event(server: Server) -> None:
    """Readers that split a stream as texts are split see whole events."""
    text = "a\x85b\u2028c\u2029d\r\ne\x0b\x0cf\x1c"
    since = length(server) - 1
    server.settled(server.say(text))
    with server.client.stream("GET", f"{server.url}/tail", params={"follow": 0, "since": since}) as found:
        data = [line[6:] for line in found.read().decode().splitlines() if line.startswith("data: ")]
    assert json.loads(data[0])["payload"]["message"] == text and len(data) == 2


def test_secrets_are_neither_kept_nor_said_again(server: Server) -> None:
    before = length(server)
    for text in TOKENS:
        for fields in ({"payload": {"message": text}}, {"payload": {"message": "", text: 1}}, {text: 1}):
            found = server.post({**MESSAGE, **fields})
            assert refused(found).startswith("admission.") and text not in found.text
        found = server.get("/" + text.replace("\n", ""), x=text)
        assert refused(found) == "transport.not_found"
    assert length(server) == before
    log = server.said()
    assert not [text for text in TOKENS if text in log or text in json.dumps(readable(server))]


@_settings
@given(st.sampled_from(("flat", "v2", "v3")), said)
def test_what_is_odd_and_well_formed_is_kept_as_it_was_said(server: Server, form: str, fields: Json) -> None:
    count = length(server)
    fields = {**fields, "parent_turn_id": None, "turn_id": f"{fields['turn_id'][:100]}{count}"}
    body = in_form(form, fields, f"c{count}")
    found = server.post(body)
    assert found.status_code == 202, found.text
    server.settled(found.json())
    page: Any = parse(server.get("/snapshot", correlation_id=f"c{count}").content)
    meant = accepted(body)
    intent, decision = page["events"]
    assert decision["payload"]["result"] == "DENY" and length(server) == count + 2
    assert {name: intent[name] for name in meant.anchors} == meant.anchors
    assert {**intent["payload"], "_envelope": None} == {**meant.intent["payload"], "_envelope": None}
    by_thread = server.read("/snapshot", thread_id=intent["thread_id"], stream_id=intent["stream_id"])["events"]
    assert intent["index"] in [event["index"] for event in by_thread]


RAW = [
    b"\x00" * 100, b"GET\r\n\r\n", b"POST /ingress/intent HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" * 50,
    b"POST /ingress/intent HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n{}",
    b"POST /ingress/intent HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n{}   ",
    b"POST /ingress/intent HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"POST /ingress/intent HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: x\r\n\r\n{}",
    b"GET /snapshot?%ff=%zz&limit=%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    b"GET /threads/%ed%a0%80/timeline HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    b"GET /snapshot HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    b"GET /snapshot HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", b"GET " + b"/" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("data", RAW, ids=range(len(RAW)))
def test_what_is_no_request(server: Server, data: bytes) -> None:
    """The line is answered with 4xx or cut, and the server goes on."""
    before = length(server)
    with server.connect() as line:
        line.settimeout(SECONDS)
        found = b""
        try:
            line.sendall(data)
            line.shutdown(1)  # nothing more will come
            while piece := line.recv(65_536):
                found += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert found == b"" or found.split(b" ", 2)[1][:1] == b"4"
    assert length(server) == before and server.read("/healthz") == {"status": "ok"}


def test_what_breaks_off_leaves_nothing(server: Server, tmp_path: Path) -> None:
    before = length(server)
    body = json.dumps(MESSAGE).encode()
    head = b"POST /ingress/intent HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    for cut in (0, 1, len(body) - 1):
        with server.connect() as line:
            line.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:cut])
    assert length(server) == before
    assert server.say()["state"] in ("INTENTED", "DENIED")
