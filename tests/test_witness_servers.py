"""The witness before real servers and before some that lie, stall or talk nonsense: what it shows and ends with."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from front_door import Call, call
from knocking import knock
from model_house import ModelHouse
from omnibachi import witness_rounds
from serving import Server, serving

__all__ = ["call"]

Answer = Callable[[str, str], tuple[int, bytes] | None]


@contextlib.contextmanager
def pretending(answer: Answer, behind: str = "") -> Iterator[tuple[str, list[str]]]:
    """Serve what a function answers for (method, path), and what the server behind says where it answers None."""
    asked: list[str] = []

    class Visit(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["content-length"])))

        def _answer(self, body: bytes | None) -> None:
            asked.append(f"{self.command} {self.path}")
            said = answer(self.command, self.path)
            if said is None:
                heard = knock(behind, self.path, body)
                said = heard.status, heard.data
            with contextlib.suppress(OSError):
                self.send_response(said[0])
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(said[1])

        def log_message(self, *said: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Visit) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module", name="gateway")
def a_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("data")
    with serving("gateway", "--data-root", str(root), "--policy", "demo") as server:
        yield server


@pytest.fixture(scope="module", name="observer")
def an_observer(gateway: Server) -> Iterator[Server]:
    with serving("observer", "--gateway", gateway.url) as server:
        yield server


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DBL_GATEWAY_URL", "DBL_OBSERVER_URL", "DBL_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(name="hasty")
def not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness_rounds, "PATIENCE", 0.3)


def test_all_three_stories(call: Call, gateway: Server, observer: Server, tmp_path: Path) -> None:
    before = gateway.read("/status")["ledger"]["length"]
    said = call("witness", "--gateway", gateway.url, "--observer", observer.url)
    assert (said.status, said.err) == (0, "")
    heads = [line for line in said.out.splitlines() if line.endswith("as announced")]
    assert heads == [
        "happy_path: worked, as announced",
        "invalid_request: failed (invalid_request_error), as announced",
        "policy_deny: refused (policy.message_too_long), as announced",
    ]
    assert [said.out.count(f"─ {name} ─") for name in ("ledger", "projection", "signals")] == [3, 3, 3]
    assert said.out.count("no observer") == 0 and "execution_error_total=1" in said.out
    assert gateway.read("/status")["ledger"]["length"] == before + 8
    assert list(tmp_path.iterdir()) == []


def test_as_json_and_from_the_environment(
    call: Call, gateway: Server, observer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBL_GATEWAY_URL", gateway.url + "/")
    monkeypatch.setenv("DBL_OBSERVER_URL", observer.url)
    said = call("witness", "policy_deny", "happy_path", "--json")
    found = said.json()
    assert (said.status, found["ok"], found["exit_code"], found["schema"]) == (0, True, 0, "omnibachi.witness/1")
    assert found["gateway"]["policy"]["id"] == "dbl::PL_DEMO_V0" and found["observer"]["answers"]
    assert [(item["scenario"], item["told"], item["as_announced"], item["differs"]) for item in found["stories"]] == [
        ("policy_deny", "refused", True, []), ("happy_path", "worked", True, []),
    ]  # fmt: skip
    assert [len(item["events"]) for item in found["stories"]] == [2, 3]
    assert found["stories"][0]["projection"]["thread"]["deny_total"] == 1 and found["diagnostics"] == []


def test_an_observer_that_is_missing(call: Call, gateway: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of which nobody spoke may be missing; one that was named may not."""
    nobody = "http://127.0.0.1:1"
    named = call("witness", "happy_path", "--gateway", gateway.url, "--observer", nobody)
    assert named.status == 6 and "OB960" in named.err and "no observer: nobody answers there" in named.out
    assert "happy_path: worked, as announced" in named.out
    monkeypatch.setattr("omnibachi.commands.witness_command.DEFAULTS", {"DBL_OBSERVER_URL": nobody})
    silent = call("witness", "happy_path", "--gateway", gateway.url)
    assert (silent.status, silent.err) == (0, "") and "no observer: nobody answers there" in silent.out


def test_a_gateway_that_does_not_answer(call: Call) -> None:
    said = call("witness", "--gateway", "http://127.0.0.1:1")
    assert (
        said.status == 6 and "OB960" in said.err and "the gateway at `http://127.0.0.1:1`: nobody answers" in said.err
    )
    found = call("witness", "--gateway", "http://127.0.0.1:1", "--json").json()
    assert (found["exit_code"], found["diagnostics"][0]["code"]) == (6, "OB960")


@pytest.mark.parametrize(
    ("status", "body", "code", "ends"),
    [
        (200, b"\xff{", "OB960", 6), (200, b"[]", "OB960", 6), (200, b"<html>", "OB960", 6), (302, b"{}", "OB960", 6),
        (500, b"{}", "OB960", 6), (200, b'{"a": NaN}', "OB960", 6), (200, b" " * (17 << 20), "OB960", 6),
        (401, b'{"reason_code": "auth.missing_token", "detail": "[red]\\u001b[31m"}', "OB961", 1),
    ],
    ids=["bytes", "list", "html", "elsewhere", "broken", "nan", "huge", "refused"],
)  # fmt: skip
def test_a_gateway_that_says_nothing_that_can_be_used(
    call: Call, status: int, body: bytes, code: str, ends: int
) -> None:
    with pretending(lambda *_: (status, body)) as (url, asked):
        said = call("witness", "--gateway", url)
    assert said.status == ends and code in said.err and "\x1b" not in said.err and asked == ["GET /status"]
    assert "``" not in said.err


def test_a_gateway_of_another_pack(call: Call, tmp_path: Path) -> None:
    with serving("gateway", "--data-root", str(tmp_path), "--policy", "deny_all") as server:
        alone = call("witness", "policy_deny", "--gateway", server.url)
        assert alone.status == 3 and "OB963" in alone.err and server.read("/status")["ledger"]["length"] == 0
        said = call("witness", "--gateway", server.url, "--json").json()
    assert said["exit_code"] == 1 and said["left_out"] == ["policy_deny"]
    assert [item["told"] for item in said["stories"]] == ["refused", "refused"]
    assert [item["code"] for item in said["diagnostics"]] == ["OB962", "OB962"]
    assert "announced was `failed` (invalid_request_error)" in said["diagnostics"][1]["message"]


def test_a_story_without_an_end(call: Call, tmp_path: Path, hasty: None) -> None:
    with ModelHouse() as house:
        where = ("--provider", "ollama", "--provider-url", house.base, "--model", "late")
        with serving("gateway", "--data-root", str(tmp_path), *where) as server:
            said = call("witness", "happy_path", "--gateway", server.url)
            assert said.status == 6 and "has no end after 0.3 s" in said.err and said.out == ""
            house.release.set()


def test_an_observer_that_lies_or_lags(call: Call, gateway: Server, observer: Server, hasty: None) -> None:
    def lies(method: str, path: str) -> tuple[int, bytes] | None:
        if not path.startswith("/threads/"):
            return None
        heard = knock(observer.url, path)
        if heard.status == 200:
            heard.value["turns"][0]["decision_result"] = "DENY"
        return heard.status, json.dumps(heard.value).encode()

    with pretending(lies, observer.url) as (url, asked):
        said = call("witness", "happy_path", "--gateway", gateway.url, "--observer", url)
    assert said.status == 1 and "OB962" in said.err and "`decision_result` is `DENY` where the ledger says" in said.err
    assert {line.split()[0] for line in asked} == {"GET"}
    with pretending(lambda *_: (404, b"{}")) as (url, _):
        late = call("witness", "happy_path", "--gateway", gateway.url, "--observer", url)
    assert late.status == 6 and "does not show `witness-happy_path-" in late.err


def test_a_gateway_that_changes_what_was_said(call: Call, gateway: Server) -> None:
    """One byte of an event that is not as it was recorded, and the story is broken."""

    def changes(method: str, path: str) -> tuple[int, bytes] | None:
        if not path.startswith("/snapshot"):
            return None
        heard = knock(gateway.url, path)
        heard.value["events"][2]["payload"]["output_text"] += "!"
        return heard.status, json.dumps(heard.value).encode()

    with pretending(changes, gateway.url) as (url, _):
        said = call("witness", "happy_path", "--gateway", url, "--observer", "http://127.0.0.1:1", "--json").json()
    assert said["stories"][0]["told"] == "broken" and "its digest is another's" in said["stories"][0]["because"]
    assert [item["code"] for item in said["diagnostics"]] == ["OB962", "OB960"] and said["exit_code"] == 6


@pytest.mark.parametrize(
    "arguments",
    [("--gateway", "localhost:8010"), ("--gateway", "http://a b"), ("--observer", "ftp://x"), ("happypath",)],
)
def test_a_command_line_that_cannot_be_understood(call: Call, arguments: tuple[str, ...]) -> None:
    said = call("witness", *arguments)
    assert said.status == 2 and "OB752" in said.err and said.out == ""


def alone(*arguments: str, before: str = "", **env: str) -> subprocess.CompletedProcess[bytes]:
    """Witness in a process of its own."""
    code = f"import sys; {before or 0}; from omnibachi.__main__ import main; sys.exit(main(['witness', *sys.argv[1:]]))"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, timeout=60, check=False)


def test_without_what_http_needs(gateway: Server) -> None:
    said = alone("--gateway", gateway.url, before="sys.modules['httpx2'] = None")
    assert said.returncode == 3 and b"OB933" in said.stderr and said.stdout == b""


def test_where_only_ascii_can_be_written(gateway: Server, observer: Server) -> None:
    said = alone("policy_deny", "--gateway", gateway.url, "--observer", observer.url, PYTHONIOENCODING="ascii")
    assert (said.returncode, said.stderr) == (0, b"")
    assert said.stdout.isascii() and b"+- ledger -" in said.stdout and b"\\u2026" in said.stdout
