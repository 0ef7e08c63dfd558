"""Each reason for which a gateway refuses is provoked here over a real socket, and there is no other: status, code and
shape are as declared, the log names it, and nothing was appended."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from admitting import ANCHORED, MESSAGE, in_form
from as_declared import as_declared
from omnibachi_model.codes import table
from omnibachi_transport.guards import Guards
from omnibachi_transport.log_lines import Lines
from omnibachi_transport.reasons import REASONS
from omnibachi_transport.tokens import new_token, token_entry, token_file
from serving import Server, serving, until

ASKER, READER = new_token(), new_token()
INGEST = {"ingest.unverifiable", "ingest.conflict", "ingest.gap"}  # of an observer


def posted(body: Any, *before: Any, **headers: str) -> Callable[[Server], httpx2.Response]:
    """Post a body, after others that are accepted."""

    def ask(server: Server) -> httpx2.Response:
        for first in before:
            server.settled(server.post(first).json())
        return server.post(body, headers)

    return ask


def got(path: str, method: str = "GET", **headers: str) -> Callable[[Server], httpx2.Response]:
    return lambda server: server.client.request(method, server.url + path, headers=headers)


FIRST = {**MESSAGE, "correlation_id": "first", "thread_id": "thread", "turn_id": "turn"}
# reason -> (its code, what provokes it)
PROVOKED: dict[str, tuple[str, Callable[[Server], httpx2.Response]]] = {
    "admission.malformed_json": ("OB900", posted(b'{"a":1,"a":2}')),
    "admission.invalid_text": ("OB901", posted(rb'{"intent_type":"\ud800"}')),
    "admission.unsupported_version": ("OB902", posted({**in_form("v3", MESSAGE), "interface_version": True})),
    "admission.missing_field": ("OB903", posted(in_form("v2", MESSAGE))),
    "admission.invalid_field": ("OB904", posted({**MESSAGE, "lane": 1})),
    "admission.unknown_field": ("OB905", posted({**MESSAGE, "threadid": "t"})),
    "admission.intent_type_unknown": ("OB906", posted({**MESSAGE, "intent_type": "chat"})),
    "admission.invalid_parent": ("OB907", posted({**ANCHORED, "parent_turn_id": "nobody"})),
    "admission.invalid_input": ("OB908", posted({**MESSAGE, "inputs": {"x": 1}})),
    "admission.refs_unsupported": ("OB909", posted({**MESSAGE, "declared_refs": ["r"]})),
    "admission.secrets_present": ("OB910", posted({**MESSAGE, "payload": {"message": "", "token": "x"}})),
    "transport.not_found": ("OB913", got("/nothing")),
    "transport.method_not_allowed": ("OB914", got("/ingress/intent", "PUT")),
    "transport.too_large": ("OB915", posted(b" " * 262_145)),
    "transport.media_type": ("OB916", posted(MESSAGE, **{"content-type": "text/plain"})),
    "admission.correlation_conflict": ("OB917", posted({**FIRST, "lane": "other"}, FIRST)),
    "admission.turn_conflict": ("OB918", posted({**FIRST, "correlation_id": "second"}, FIRST)),
    "transport.invalid_query": ("OB919", got("/snapshot?limit=2001")),
    "auth.forbidden": ("OB912", got("/status", host="gateway.example.org")),
}
ELSEWHERE = {
    "auth.missing_token": "OB911", "queue.full": "OB920", "store.unavailable": "OB921",
    "transport.internal_error": "OB922",
}  # fmt: skip


@pytest.fixture(name="server", scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("gateway", "--data-root", str(tmp_path_factory.mktemp("reasons"))) as server:
        yield server


@pytest.fixture(name="guarded", scope="module")
def open_guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway that asks for tokens."""
    root = tmp_path_factory.mktemp("guarded")
    file = root / "tokens.json"
    entries = [token_entry(ASKER, "anna", "north", ["intent"]), token_entry(READER, "bert", None, ["read"])]
    file.write_bytes(token_file(entries))
    file.chmod(0o600)
    with serving("gateway", "--data-root", str(root / "data"), "--token-file", str(file)) as server:
        yield server


def told(found: httpx2.Response, reason: str, code: str) -> None:
    """Fail unless an answer is this refusal."""
    body = found.json()
    assert (body["reason_code"], body["code"], body["errors"][0]["reason_code"]) == (reason, code, reason)
    assert (found.status_code, code) == REASONS[reason] and table()[code].summary
    assert body["ok"] is False and body["accepted"] is False and body["detail"]
    assert found.headers["content-type"] == "application/json" and found.headers["x-request-id"]
    assert ("retry-after" in found.headers) == (found.status_code == 503)


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_there_is_no_other_reason(server: Server) -> None:
    listed = server.read("/capabilities")["reason_codes"]
    assert set(listed) - INGEST == set(PROVOKED) | set(ELSEWHERE)
    codes = {reason: code for reason, (code, _) in PROVOKED.items()} | ELSEWHERE
    assert {reason: listed[reason]["code"] for reason in codes} == codes


@pytest.mark.parametrize("reason", PROVOKED)
def test_each_reason(server: Server, reason: str) -> None:
    code, ask = PROVOKED[reason]
    if reason.endswith("_conflict"):
        server.settled(server.post(FIRST).json())
    before = server.read("/status")["ledger"]
    found = ask(server)
    told(found, reason, code)
    as_declared(server.read("/openapi.json"), found)
    assert server.read("/status")["ledger"] == before
    request = found.headers["x-request-id"]
    line = until(lambda: [item for item in server.log() if item.get("request_id") == request])[0]
    assert (line["reason_code"], line["code"], line["status"]) == (reason, code, found.status_code)


def test_tokens_say_who_may_do_what(guarded: Server) -> None:
    nobody = [{}, bearing("x"), {"authorization": f"Basic {ASKER}"}, {"authorization": ASKER},
              {"x-api-key": ASKER}, {"cookie": f"token={ASKER}"}]  # fmt: skip
    for headers in nobody:
        for found in (guarded.post(MESSAGE, headers), guarded.get("/status", headers), guarded.get("/tail", headers)):
            told(found, "auth.missing_token", "OB911")
            assert found.headers["www-authenticate"].startswith("Bearer")
    told(guarded.post(MESSAGE, bearing(READER)), "auth.forbidden", "OB912")
    told(guarded.get("/snapshot", bearing(ASKER)), "auth.forbidden", "OB912")
    told(guarded.get("/snapshot", None, token=READER, authorization=f"Bearer {READER}"), "auth.missing_token", "OB911")
    assert guarded.get("/status", bearing(READER)).json()["ledger"]["length"] == 0
    claims = {"principal": "root", "roles": ["ingest"], "identity": {"principal": "root"}}
    found = guarded.post(
        {**MESSAGE, "actor": "root", "payload": {"message": "m", **claims}},
        {**bearing(ASKER), "x-principal": "root", "x-forwarded-user": "root"},
    )
    assert found.status_code == 202
    (intent, *_) = guarded.get("/snapshot", bearing(READER)).json()["events"]
    assert intent["payload"]["_envelope"]["identity"] == {
        "principal": "anna", "tenant": "north", "verified": True, "roles": ["intent"],
    }  # fmt: skip
    until(lambda: len(guarded.log()) > 20)
    assert ASKER not in guarded.said() and READER not in guarded.said()


def test_no_slot_is_free(server: Server) -> None:
    """Sixty-four may follow; who comes later is told to come again, and does when one has gone."""
    with contextlib.ExitStack() as stack:
        tails = [stack.enter_context(server.tail()) for _ in range(64)]
        found = server.get("/tail")
        told(found, "queue.full", "OB920")
        assert len(tails) == 64
    until(lambda: server.get("/tail", follow=0).status_code == 200)


def test_the_ledger_takes_nothing(tmp_path: Path) -> None:
    root = ("gateway", "--data-root", str(tmp_path))
    with serving(*root) as server:
        server.settled(server.post(MESSAGE).json())
        server.stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as database, database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE decisions SET actor='nobody' WHERE position=1")
    with serving(*root) as server:
        before = server.read("/status")["ledger"]
        told(server.post(MESSAGE), "store.unavailable", "OB921")
        told(server.get("/healthz"), "store.unavailable", "OB921")
        assert server.read("/status")["ledger"] == before and before["health"] == "suspect"
        assert len(server.events()) == 3


def test_a_mistake_of_the_server_itself() -> None:
    """Behind the guards of any server: one answer, which tells nothing of what lies inside."""
    log = io.BytesIO()

    async def broken(*_: Any) -> None:
        raise RuntimeError("what lies inside")

    async def ask() -> httpx2.Response:
        app = Guards(broken, role_of=lambda *_: None, tokens=None, local={}, lines=Lines(log))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
            return await client.get("http://127.0.0.1/status")

    found = asyncio.run(ask())
    told(found, "transport.internal_error", "OB922")
    assert b"inside" not in found.content
    said = until(lambda: [json.loads(line) for line in log.getvalue().splitlines()])
    assert all("inside" not in json.dumps(line) for line in said)
