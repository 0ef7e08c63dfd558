"""Requests drawn from what `/openapi.json` declares, good ones and spoilt ones: every answer is as it declares, none is
5xx, and whatever was taken in can be read back and verified."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
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
from serving import Server, serving

MANY = 100 if os.environ.get("OMNIBACHI_THOROUGH") else 10
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip


@pytest.fixture(name="root", scope="module")
def a_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


@pytest.fixture(name="server", scope="module")
def a_server(root: Path) -> Iterator[Server]:
    with serving("gateway", "--data-root", str(root), "--policy", "demo") as server:
        yield server


def operations(url: str) -> list[Any]:
    """Return all operations of the document, those that change something first."""
    found = [item.ok() for item in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations()]
    return sorted(found, key=lambda item: item.method.upper() != "POST")


def fuzzed(operation: Any, mode: GenerationMode) -> Counter[int]:
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
        answer = case.call()
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=checks)

    ask()
    return seen


def test_every_answer_is_as_it_is_declared_and_what_was_taken_can_be_read(server: Server, root: Path) -> None:
    seen = {}
    server.say("whatever else is taken, this is")
    for operation in operations(server.url):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and operation.path in ("/healthz", "/capabilities", "/openapi.json"):
                continue  # there is nothing that could be spoilt
            seen[operation.label, mode.value] = fuzzed(operation, mode)
    posted = seen["POST /ingress/intent", "positive"]
    assert set(posted) <= {202, 400, 409, 413}
    assert all(status < 500 for counted in seen.values() for status in counted)

    kept = server.events()
    taken = posted[202] + seen["POST /ingress/intent", "negative"][202] + 1
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
    with open_root(str(root), reading=True) as ledger:
        assert ledger.decisions(LEDGER).verify().first_bad_index is None
