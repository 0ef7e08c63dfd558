"""A serving gateway that is killed at every commit and in the middle of a call, and started again: each story is
complete, the past is a prefix, and no provider is asked twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from crash_cases import fresh_place
from felled import AFTER, BEFORE, KILLED, Felled, felled
from governing import events, stories
from knocking import final, intend, knock
from model_house import ModelHouse, a_quiet_house, the_open_house
from serving import until
from thoroughness import THOROUGH

place, open_house, house = fresh_place, the_open_house, a_quiet_house
WORKED, DENIED = ["INTENT", "DECISION ALLOW", "EXECUTION ok"], ["INTENT", "DECISION DENY"]
UNKNOWN = [*WORKED[:2], "EXECUTION outcome_unknown"]
SENT = {"a": "hello", "b": "x" * 400}


def options(house: ModelHouse, model: str = "m") -> tuple[str, ...]:
    return ("--policy", "demo", "--provider", "openai", "--provider-url", house.base, "--model", model)


def send(server: Felled) -> None:
    """Send both intents and wait for their ends, as long as somebody answers."""
    with contextlib.suppress(OSError, HTTPException):
        for correlation, message in SENT.items():
            intend(server.url, correlation, message)
            final(server.url, correlation)


def past(root: Path) -> list[dict[str, Any]]:
    return events(root) if (root / "store.db").exists() else []


def messages(house: ModelHouse) -> Counter[str]:
    return Counter(json.loads(item.body)["messages"][0]["content"] for item in house.asked)


def check(root: Path, house: ModelHouse, before: list[dict[str, Any]]) -> list[str]:
    """Start again, and assert what must be so as soon as the door is open; return what became of the first intent."""
    with felled(root, *options(house)) as server:
        page = knock(server.url, "/snapshot?limit=2000&offset=0").value["events"]
        assert page[: len(before)] == before
        told = stories(root)
        assert {tuple(story) for story in told.values()} <= {tuple(WORKED), tuple(UNKNOWN), tuple(DENIED)}
        known = dict(told)
        for correlation, message in SENT.items():
            answer = intend(server.url, correlation, message)
            assert (answer.status, answer.value["replayed"]) == (202, correlation in known)
            final(server.url, correlation)
        os.kill(server.pid, signal.SIGKILL)  # what was answered is durable
        assert server.wait() == KILLED
    assert past(root)[: len(page)] == page
    told = stories(root)
    assert {name: told[name] for name in known} == known and told.keys() == SENT.keys() and told["b"] == DENIED
    assert max(messages(house).values(), default=0) <= 1 and not messages(house)["x" * 400]
    assert told["a"] == UNKNOWN or messages(house)["hello"] == 1
    return told["a"]


def test_killed_at_its_commits(place: Path, house: ModelHouse) -> None:
    with felled(place / "whole", *options(house)) as server:
        send(server)
        assert server.stop() == 0
    assert stories(place / "whole") == {"a": WORKED, "b": DENIED}
    # INTENT; DECISION and departure; answer; EXECUTION. INTENT; DECISION.
    assert server.count == 6
    moments = [(1, AFTER), (3, BEFORE), (4, AFTER)]  # asked; called, and nobody knows; done
    if THOROUGH:
        moments = [(number, moment) for number in range(1, server.count + 1) for moment in (BEFORE, AFTER)]
    met, ends = Counter[tuple[str, ...]](), Counter[str]()
    for number, moment in moments:
        root = place / f"{moment}{number}"
        house.asked.clear()
        with felled(root, *options(house), fatal=number, moment=moment) as server:
            send(server)
            assert server.wait() == KILLED, (number, moment)
        before = past(root)
        met[tuple(stories(root).get("a", ()))] += 1
        ends[check(root, house, before)[-1]] += 1
        shutil.rmtree(root)
    assert {("INTENT",), tuple(WORKED[:2]), tuple(WORKED)} <= met.keys()
    assert 0 < ends["EXECUTION outcome_unknown"] < ends["EXECUTION ok"] and len(ends) == 2


def test_killed_while_the_provider_thinks(tmp_path: Path, house: ModelHouse) -> None:
    """The call has left and is never made again; the intents beside it, which had not, are."""
    with felled(tmp_path, *options(house, "late")) as server:
        assert intend(server.url, "a", "hello").value["queued"]
        until(lambda: house.asked)
        before = past(tmp_path)
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait() == KILLED
    house.release.set()
    assert stories(tmp_path) == {"a": WORKED[:2]} and messages(house) == {"hello": 1}
    assert check(tmp_path, house, before) == UNKNOWN and messages(house) == {"hello": 1}
    house.release.clear()


def test_killed_again_and_again_under_many_clients(tmp_path: Path, house: ModelHouse) -> None:
    """Eight clients post until they are answered, whoever is killed meanwhile; nobody asks a provider twice."""
    chance = random.Random(5)
    waiting = [f"c{number}" for number in range(4000 if THOROUGH else 400)]
    lock, gone, accepted = threading.Lock(), threading.Event(), set[str]()

    def client(url: str) -> None:
        while not gone.is_set():
            with lock:
                if not waiting:
                    return
                correlation = waiting.pop()
            try:
                answer = intend(url, correlation, correlation if int(correlation[1:]) % 5 else "x" * 400)
                assert answer.status in (202, 503), answer.value
                if answer.status == 202:
                    accepted.add(correlation)
                    continue
            except (OSError, HTTPException):
                pass
            with lock:
                waiting.append(correlation)

    before: list[dict[str, Any]] = []
    for _ in range(12 if THOROUGH else 2):
        with felled(tmp_path, *options(house)) as server, ThreadPoolExecutor(8) as threads:
            assert past(tmp_path)[: len(before)] == before
            gone.clear()
            clients = [threads.submit(client, server.url) for _ in range(8)]
            enough = len(accepted) + 6
            try:
                until(lambda enough=enough: len(accepted) >= enough)
                time.sleep(chance.uniform(0, 0.2))
                os.kill(server.pid, signal.SIGKILL)
                assert server.wait() == KILLED
            finally:
                gone.set()
            for ended in clients:
                ended.result()
        before = past(tmp_path)
        # What was accepted is there, durable, and everything that is there can be completed.
        assert accepted <= {event["correlation_id"] for event in before}
    with felled(tmp_path, *options(house)) as server:
        told = stories(tmp_path)
        assert past(tmp_path)[: len(before)] == before and accepted <= told.keys()
        assert server.stop() == 0
    assert {tuple(story) for story in told.values()} <= {tuple(WORKED), tuple(UNKNOWN), tuple(DENIED)}
    calls = messages(house)
    assert len(accepted) > 10 and set(calls.values()) == {1} and not calls["x" * 400]
    for correlation, story in told.items():
        assert (story == DENIED) == (int(correlation[1:]) % 5 == 0)
        assert story != WORKED or calls[correlation] == 1


@pytest.mark.skipif(not THOROUGH, reason="OMNIBACHI_THOROUGH is not set")
def test_killed_again_while_it_recovers(place: Path, house: ModelHouse) -> None:
    """Recovery itself runs before the door is open; whoever is killed in it leaves no more than was there."""
    for number in range(1, 7):
        for again in range(1, 9):
            root = place / f"left{number}-{again}"
            house.asked.clear()
            with felled(root, *options(house), fatal=number) as server:
                send(server)
                assert server.wait() == KILLED
            before = past(root)
            with felled(root, *options(house), fatal=again, moment=BEFORE, early=True) as server:
                died = not server.url
                assert server.wait() == KILLED if died else server.stop() == 0
            check(root, house, before)
            shutil.rmtree(root)
            if not died:
                break
