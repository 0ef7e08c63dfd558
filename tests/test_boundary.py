"""The gateway as it is met from outside: no call without ALLOW, each correlation once, slow providers, budgets."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from governing import stories
from knocking import enveloped, final, flat, intend, knock
from model_house import ModelHouse
from serving import Server, serving, until

WORKED = ["INTENT", "DECISION ALLOW", "EXECUTION ok"]
MANY = 20


@pytest.fixture(name="house")
def open_house() -> Iterator[ModelHouse]:
    with ModelHouse() as house:
        yield house


@contextlib.contextmanager
def asking(root: Path, house: ModelHouse, *more: str, provider: str = "openai", model: str = "m") -> Iterator[Server]:
    """Serve a gateway whose provider is the house."""
    where = ("--provider", provider, "--provider-url", house.base, "--model", model)
    with serving("gateway", "--data-root", str(root), *where, *more) as server:
        yield server


def heard(house: ModelHouse) -> list[str]:
    """Return the messages that reached the house."""
    return [json.loads(asked.body)["messages"][0]["content"] for asked in house.asked]


@pytest.mark.parametrize(
    ("policy", "calls"),
    [("allow_all", ["hello", "x" * 400, "again"]), ("deny_all", []), ("demo", ["hello"])],
    ids=["allow_all", "deny_all", "demo"],
)
def test_no_call_without_allow(tmp_path: Path, house: ModelHouse, policy: str, calls: list[str]) -> None:
    with asking(tmp_path, house, "--policy", policy) as server:
        intend(server.url, "a", "hello")
        intend(server.url, "b", "x" * 400, inputs={"capability": "chat"})
        intend(server.url, "c", "again", inputs={"capability": "search"})
        intend(server.url, "d", "  ")
        intend(server.url, "a", "hello")
        for correlation in "abcd":
            final(server.url, correlation)
        found = server.events()
    allowed = {event["correlation_id"] for event in found if event["payload"].get("result") == "ALLOW"}
    released = [event["correlation_id"] for event in found if event["payload"].get("release_digest")]
    assert heard(house) == calls and len(released) == len(calls) and set(released) <= allowed


def test_posted_at_once_and_again_it_is_one_story(tmp_path: Path, house: ModelHouse) -> None:
    """Twenty clients post the same at the same moment, in every form; others post something else under its name."""
    with asking(tmp_path, house, model="late") as server:
        bodies = [flat("once"), enveloped(2, "once"), enveloped(3, "once")]
        start = threading.Barrier(MANY)

        def same(number: int) -> tuple[int, Any]:
            start.wait()
            found = knock(server.url, "/ingress/intent", bodies[number % 3])
            return found.status, found.value

        with ThreadPoolExecutor(MANY) as threads:
            answers = list(threads.map(same, range(MANY)))
        assert {status for status, _ in answers} == {202}
        assert Counter(value["replayed"] for _, value in answers) == {False: 1, True: MANY - 1}
        assert {(value["index"], value["state"]) for _, value in answers} <= {(0, "INTENTED"), (0, "ALLOWED")}
        other = intend(server.url, "once", "another message")
        assert (other.status, other.value["reason_code"]) == (409, "admission.correlation_conflict")
        assert "hello" not in other.data.decode() and "queued" not in other.value
        turn = intend(server.url, "other", thread_id="thread-once", turn_id="turn-once")
        assert (turn.status, turn.value["reason_code"]) == (409, "admission.turn_conflict")
        house.release.set()
        assert final(server.url, "once")["state"] == "EXECUTED"
        assert (heard(house), len(server.events())) == (["hello"], 3)
        assert server.stop() == 0
    with asking(tmp_path, house) as server:
        again = [knock(server.url, "/ingress/intent", body) for body in bodies]
        assert {(item.status, item.value["index"], item.value["state"], item.value["replayed"]) for item in again} == {
            (202, 0, "EXECUTED", True)
        }
        assert intend(server.url, "once", "another message").status == 409
    assert stories(tmp_path) == {"once": WORKED} and heard(house) == ["hello"]


def test_a_repeated_post_without_a_name_is_recognised(tmp_path: Path) -> None:
    with serving("gateway", "--data-root", str(tmp_path)) as server:
        body = {key: value for key, value in flat("x").items() if key != "correlation_id"}
        first, second = (knock(server.url, "/ingress/intent", body).value for _ in range(2))
        final(server.url, first["correlation_id"])
        assert first["correlation_id"] == second["correlation_id"] and first["correlation_id"].startswith("c-")
        assert (first["replayed"], second["replayed"], len(server.events())) == (False, True, 3)


def test_two_gateways_on_one_data_root(tmp_path: Path, house: ModelHouse) -> None:
    """What is posted to both is one story; what one leaves when it is killed the other completes, and asks nobody."""
    with asking(tmp_path, house, model="late") as one, asking(tmp_path, house, model="late") as two:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda number: intend((one, two)[number % 2].url, "both").value, range(8)))
        assert {item["index"] for item in answers} == {0} and sum(not item["replayed"] for item in answers) == 1
        assert intend(one.url, "left").value["queued"]
        until(lambda: len(house.asked) == 2)
        one.process.kill()
        assert final(two.url, "left")["state"] == "EXECUTED"
        (left,) = two.events(correlation_id="left", kind="EXECUTION")
        assert left["payload"]["error"]["code"] == "outcome_unknown"
        house.release.set()
        final(two.url, "both")
        assert two.stop() == 0
    assert stories(tmp_path).keys() == {"both", "left"} and len(house.asked) == 2


def test_a_repetition_that_has_to_wait_is_told_as_one(tmp_path: Path) -> None:
    """While somebody else writes, nothing is appended; a repetition needs nothing appended to be known as one."""
    with serving("gateway", "--data-root", str(tmp_path)) as server:
        intend(server.url, "a")
        final(server.url, "a")
        db = sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)
        with contextlib.closing(db), ThreadPoolExecutor(2) as threads:
            db.execute("BEGIN IMMEDIATE")
            again = intend(server.url, "a").value
            assert (again["queued"], again["replayed"], again["index"], again["state"]) == (False, True, 0, "EXECUTED")
            new = [threads.submit(intend, server.url, "b") for _ in range(2)]
            until(lambda: server.read("/status")["queue"]["depth"] >= 2)
            assert not [item for item in new if item.done()]  # nothing of it is durable
            db.execute("ROLLBACK")
            answers = [item.result().value for item in new]
        assert sorted((item["replayed"], item["index"]) for item in answers) == [(False, 3), (True, 3)]


def test_where_there_is_no_slot_nothing_is_kept(tmp_path: Path, house: ModelHouse) -> None:
    """As many intents as there are slots wait at the provider; the next leaves no event, and may come later."""
    with asking(tmp_path, house, model="late") as server:
        limit = server.read("/status")["queue"]["limit"]
        with ThreadPoolExecutor(limit) as threads:
            answers = list(threads.map(lambda number: intend(server.url, f"c{number}"), range(limit)))
        assert {(item.status, item.value["queued"]) for item in answers} == {(202, True)}
        until(lambda: len(house.asked) == limit)
        before = server.read("/status")["ledger"]
        assert server.read("/status")["queue"]["depth"] == limit
        full = intend(server.url, "late-comer")
        assert (full.status, full.value["reason_code"]) == (503, "queue.full")
        assert int(full.headers["retry-after"]) >= 1
        again = intend(server.url, "c0")
        assert (again.status, again.value["replayed"], again.value["queued"]) == (202, True, True)
        assert intend(server.url, "c0", "another").value["reason_code"] == "queue.full"
        assert server.read("/status")["ledger"] == before and before["length"] == 2 * limit
        assert server.get("/status", correlation_id="late-comer").status_code == 404
        house.release.set()
        taken = until(lambda: (found := intend(server.url, "late-comer")).status == 202 and found)
        assert taken.value["replayed"] is False and final(server.url, "late-comer")["state"] == "EXECUTED"
        for number in range(limit):
            final(server.url, f"c{number}")
    assert stories(tmp_path) == dict.fromkeys(["late-comer", *(f"c{number}" for number in range(limit))], WORKED)
    assert len(house.asked) == limit + 1


@pytest.mark.parametrize("provider", ["openai", "ollama"])
def test_a_slow_provider_and_its_budget(tmp_path: Path, house: ModelHouse, provider: str) -> None:
    with asking(tmp_path, house, provider=provider, model="late") as server:
        found = intend(server.url, "slow", budget={"max_tokens": 9})
        assert (found.status, found.value["queued"], found.value["index"]) == (202, True, 0)
        assert found.value["state"] in ("INTENTED", "ALLOWED")
        until(lambda: house.asked)
        assert server.read("/status", correlation_id="slow")["state"] == "ALLOWED"
        assert server.read("/healthz") == {"status": "ok"}
        assert intend(server.url, "quick", requested_model_id="small").status == 202
        assert final(server.url, "quick")["state"] == "EXECUTED"
        assert server.read("/status", correlation_id="slow")["state"] == "ALLOWED"
        house.release.set()
        final(server.url, "slow")
        events = {(item["correlation_id"], item["kind"]): item for item in server.events()}
    said = json.loads(next(item.body for item in house.asked if b'"late"' in item.body))
    assert (said["max_tokens"] if provider == "openai" else said["options"]["num_predict"]) == 9
    assert events["slow", "EXECUTION"]["payload"]["output_text"] == "late heard hello"
    assert events["slow", "DECISION"]["payload"]["budget"] == {"max_duration_ms": 60000, "max_tokens": 9}
    assert len(house.asked) == 2


def test_a_budget_that_runs_out(tmp_path: Path, house: ModelHouse) -> None:
    with asking(tmp_path, house, model="stall") as server:
        assert intend(server.url, "lost", budget={"max_duration_ms": 1000}).value["queued"]
        assert final(server.url, "lost")["state"] == "EXECUTED"
        execution = server.events()[2]
    error = execution["payload"]["error"]
    assert (error["code"], error["responsibility"], error["retryable"]) == ("timeout", "provider", True)
    assert execution["obs"]["latency_ms"] >= 1000 and len(house.asked) == 1


def test_what_is_in_hand_is_ended_before_it_stops(tmp_path: Path, house: ModelHouse) -> None:
    with asking(tmp_path, house, model="late") as server:
        assert intend(server.url, "a").value["queued"]
        until(lambda: house.asked)
        server.process.send_signal(signal.SIGTERM)
        house.release.set()
        assert server.process.wait(30) == 0
    assert stories(tmp_path) == {"a": WORKED} and len(house.asked) == 1
