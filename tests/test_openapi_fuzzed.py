"""Requests drawn from what `/openapi.json` declares, good ones and spoilt ones: every answer is as it declares, none is
5xx, and whatever was taken in can be read back and verified."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from governing import LEDGER
from omnibachi_ledger import open_root
from omnibachi_model.values import parse
from omnibachi_transport.tokens import new_token, token_entry, token_file
from serving import serving, until
from thoroughness import many

MANY = many(6, 100)
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip


def operations(url: str, headers: dict[str, str] | None) -> list[Any]:
    """Return all operations of the document, those that change something first."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=headers or {})
    found = [item.ok() for item in schema.get_all_operations()]
    return sorted(found, key=lambda item: item.method.upper() != "POST")


def fuzzed(operation: Any, mode: GenerationMode, headers: dict[str, str] | None = None) -> Counter[int]:
    """Ask for one operation many times; return how often each status was answered."""
    seen: Counter[int] = Counter()
    checks = CHECKS if operation.path != "/tail" else CHECKS[:-1]  # its events are no JSON text as a whole

    @settings(
        max_examples=MANY, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if operation.path == "/tail":
            query = case.query if isinstance(case.query, dict) else {}
            case.query = {**query, "follow": "0"}  # one that follows has no end
        answer = case.call(headers=headers or {})
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=checks)

    ask()
    return seen


def all_fuzzed(url: str, headers: dict[str, str] | None = None) -> dict[tuple[str, str], Counter[int]]:
    """Ask for all operations of a server, but for those that have no end; return the statuses by label and mode."""
    seen = {}
    for operation in operations(url, headers):
        if operation.path != "/live":
            seen[operation.label, "good"] = fuzzed(operation, GenerationMode.POSITIVE, headers)
            if operation.query or operation.path_parameters or operation.body:
                seen[operation.label, "spoilt"] = fuzzed(operation, GenerationMode.NEGATIVE, headers)
    return seen


def test_every_answer_is_as_it_is_declared_and_what_was_taken_can_be_read(tmp_path: Path) -> None:
    with serving("gateway", "--data-root", str(tmp_path), "--policy", "demo") as server:
        server.say("whatever else is taken, this is")
        seen = all_fuzzed(server.url)
        good, spoilt = (seen["POST /ingress/intent", mode] for mode in ("good", "spoilt"))
        assert set(good) | set(spoilt) <= {202, 400, 409, 413}
        assert {label for label, mode in seen if mode == "spoilt"} == {
            "POST /ingress/intent", "GET /snapshot", "GET /tail", "GET /status", "GET /threads/{thread_id}/timeline",
        }  # fmt: skip
        assert all(status < 500 for counted in seen.values() for status in counted)

        kept = server.events()
        taken = good[202] + spoilt[202] + 1
        assert len([event for event in kept if event["kind"] == "INTENT"]) <= taken
        assert server.read("/status")["ledger"]["length"] == len(kept) > 0
        for limit in (1, 7, 2000):
            found: list[Any] = []
            for offset in range(0, len(kept), limit):
                page: Any = parse(server.get("/snapshot", limit=limit, offset=offset).content)
                found += page["events"]
            assert json.dumps(found) == json.dumps(kept)
        named = [event for event in kept if event["thread_id"] not in (".", "..")]  # no path can name these
        for event in named[:20]:
            turns = server.read(f"/threads/{quote(event['thread_id'], safe='')}/timeline", include_payload=1)["turns"]
            assert event["index"] in [item["index"] for turn in turns for item in turn["events"]]
        assert server.stop() == 0
    with open_root(str(tmp_path), reading=True) as ledger:
        assert ledger.decisions(LEDGER).verify().first_bad_index is None


def test_an_observer_answers_as_it_declares(tmp_path: Path) -> None:
    """With a token for everything, so that its pages are fed as well; what is fed is refused or known."""
    token, file = new_token(), tmp_path / "tokens.json"
    file.write_bytes(token_file([token_entry(token, "anna", None, ["read", "ingest"])]))
    file.chmod(0o600)
    bearing = {"authorization": f"Bearer {token}"}
    with serving("gateway", "--data-root", str(tmp_path / "data")) as gateway:
        gateway.settled(gateway.say())
        with serving("observer", "--gateway", gateway.url, "--token-file", str(file)) as observer:
            until(lambda: observer.get("/status", bearing).json()["event_count"] == 3)
            seen = all_fuzzed(observer.url, bearing)
            assert observer.get("/status", bearing).json()["event_count"] == 3
    assert set(seen["POST /ingest", "good"]) <= {200, 400, 409, 413}
    assert len(seen) > 12 and all(status < 500 for counted in seen.values() for status in counted)
