"""Keys and tokens are nowhere but on their way: every byte that two servers keep, log and answer is looked through."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from front_door import Call, call
from knocking import Heard, flat, knock
from model_house import ModelHouse
from omnibachi_model.digests import digest
from serving import serving, until

__all__ = ["call"]

KEY = "sk-Key7-of-the-provider-93c1"
MODELS = ("small", "status-401", "status-500", "echo", "spell", "cut", "garbage")


def forms(secret: str) -> list[bytes]:
    """Return how a secret could be written: plain, as hex and as base64, whatever stands around it."""
    data = secret.encode()
    inner = [base64.b64encode(b" " * pad + data)[4 if pad else 0 : -4] for pad in range(3)]
    return [data, data.hex().encode(), data.hex().upper().encode(), data[::-1], *inner]


def token(call: Call, file: Path, principal: str, *roles: str) -> str:
    given = [word for role in roles for word in ("--role", role)]
    said = call("token", "--principal", principal, *given, "--into", str(file), "--json").json()
    assert said["ok"]
    return str(said["token"])


def test_no_key_and_no_token_is_kept_told_or_logged(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, root, remembered = tmp_path / "tokens.json", tmp_path / "data", tmp_path / "remembered"
    both, reader = token(call, file, "alice", "intent", "read"), token(call, file, "bob", "read")
    secrets = [KEY, both, reader]
    heard: list[Heard] = []

    def ask(url: str, path: str, body: Any = None, bearer: str = both) -> Heard:
        heard.append(knock(url, path, body, Authorization=f"Bearer {bearer}"))
        return heard[-1]

    with ModelHouse() as house:
        provider = ("--provider", "openai", "--provider-url", house.base, "--model", "small", "--api-key-env", "HOUSE")
        more = ("--data-root", str(root), "--token-file", str(file), *provider)
        with serving("gateway", *more, env={"HOUSE": KEY}) as gateway, serving(
            "observer", "--gateway", gateway.url, "--data-root", str(remembered), "--token-file", str(file),
            env={"DBL_TOKEN": reader},
        ) as observer:  # fmt: skip
            for model in MODELS:
                assert ask(gateway.url, "/ingress/intent", flat(model, requested_model_id=model)).status == 202
            refused = [
                ask(gateway.url, "/ingress/intent", flat("x"), reader),
                ask(gateway.url, "/ingress/intent", flat("x"), both[:-1]),
                ask(gateway.url, f"/status?token={both}"),
                ask(gateway.url, f"/{both}"),
                ask(gateway.url, "/ingress/intent", flat("x", payload={"message": "m", "token": both})),
                ask(gateway.url, "/ingress/intent", json.dumps(flat("x", actor={"it": both})).encode()),
                ask(gateway.url, "/ingress/intent", f'{{"a": {both}'.encode()),
            ]
            assert [item.status for item in refused[:3]] == [403, 401, 422]
            assert all(400 <= item.status < 500 for item in refused)
            until(lambda: gateway.get("/status", {"Authorization": f"Bearer {both}"}).json()["queue"]["depth"] == 0)
            for path in ("/status", "/snapshot?limit=2000", "/capabilities", "/openapi.json", "/tail?follow=0"):
                if "tail" not in path:
                    assert ask(gateway.url, path).status == 200
            until(lambda: len(ask(observer.url, "/threads").value["threads"]) == len(MODELS))
            for path in ("/status", "/signals", "/openapi.json", f"/threads/{both}", f"/threads/thread-{MODELS[3]}"):
                ask(observer.url, path)
            said = call("witness", "happy_path", "--gateway", gateway.url, "--observer", observer.url)
            assert said.status == 1 and "auth.missing_token" in said.err
            monkeypatch.setenv("DBL_TOKEN", both)
            told = call("witness", "happy_path", "--gateway", gateway.url, "--observer", observer.url)
            assert told.status == 0, told.err
            assert observer.stop() == 0
            gateway.process.kill()  # so that what lies open in its database stays as it is
            gateway.process.wait()
            logged = gateway.said() + observer.said() + said.out + said.err + told.out + told.err
        assert {asked.headers["authorization"] for asked in house.asked} == {f"Bearer {KEY}"}
    kept = [path for folder in (root, remembered) for path in sorted(folder.rglob("*")) if path.is_file()]
    assert kept and any(path.name == "store.db" for path in kept)
    everything = b"".join(path.read_bytes() for path in kept) + logged.encode() + b"".join(item.data for item in heard)
    for secret in secrets:
        assert [form for form in forms(secret) if form in everything] == []
    assert b"small heard hello" in everything  # so that what is looked for could be found
    # Not even what the file holds of tokens goes anywhere, and the record knows who it was by name.
    assert digest(both.encode()).encode() not in everything and b'"alice"' in everything


def test_who_was_let_in_is_in_the_record_and_nobody_else_is(call: Call, tmp_path: Path) -> None:
    """No header and no field of a body makes another out of whoever holds a token."""
    file = tmp_path / "tokens.json"
    bearer = token(call, file, "alice", "intent", "read")
    with serving("gateway", "--data-root", str(tmp_path / "data"), "--token-file", str(file)) as gateway:
        body = flat("c", actor="admin", payload={"message": "m", "principal": "admin", "identity": {"roles": ["read"]}})
        names = {"X-Principal": "admin", "X-Forwarded-User": "admin", "X-Roles": "ingest"}
        assert knock(gateway.url, "/ingress/intent", body, Authorization=f"Bearer {bearer}", **names).status == 202

        def told() -> Any:
            found = knock(gateway.url, "/snapshot", None, Authorization=f"Bearer {bearer}").value["events"]
            return found if len(found) == 3 else None

        page = until(told)
        identity = page[0]["payload"]["_envelope"]["identity"]
        assert identity == {"principal": "alice", "tenant": None, "verified": True, "roles": ["intent", "read"]}
        assert page[1]["payload"]["facts"]["principal"] == "alice" and page[1]["payload"]["facts"]["verified"] is True
        assert knock(gateway.url, "/healthz").status == 200
        for path in ("/status", "/snapshot", "/threads/thread-c/timeline"):
            assert knock(gateway.url, path).status == 401
