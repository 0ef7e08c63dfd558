"""Pages and tails of a gateway: whatever is asked for, their union is the ledger, and nothing is lost or told twice."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governing import gateway, post
from serving import SECONDS, Server, serving, until

STREAMS, LANES, THREADS = ("default", "other"), ("user_chat", "night"), ("a", "b", "c")
FILTERS: list[dict[str, str]] = [
    dict(pairs)
    for count in range(4)
    for names in itertools.combinations((("stream_id", "other"), ("lane", "night"), ("thread_id", "b")), count)
    for pairs in [names]
]


def place(number: int) -> dict[str, str]:
    """Return where an intent stands: every mixture comes, and no regular one."""
    return {
        "stream_id": STREAMS[number % 2], "lane": LANES[number // 2 % 2], "thread_id": THREADS[number // 3 % 3],
    }  # fmt: skip


@pytest.fixture(name="server", scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("pages") / "data"
    with gateway(root, policy="demo") as door:
        for number in range(90):
            post(door, f"c{number}", "x" * (400 if number % 7 == 0 else 5), **place(number))
    with serving("gateway", "--data-root", str(root), "--policy", "demo") as server:
        yield server


@pytest.fixture(name="ledger", scope="module")
def read_ledger(server: Server) -> list[dict[str, Any]]:
    return server.events()


def matching(ledger: list[dict[str, Any]], filters: dict[str, str]) -> list[dict[str, Any]]:
    return [event for event in ledger if all(event[name] == value for name, value in filters.items())]


@given(st.integers(1, 300), st.sampled_from(FILTERS), st.sampled_from([None, "INTENT", "DECISION", "EXECUTION"]))
@settings(max_examples=25, deadline=None)
def test_the_union_of_pages_is_the_ledger(
    server: Server, ledger: list[dict[str, Any]], limit: int, filters: dict[str, str], kind: str | None
) -> None:
    asked = {**filters, **({"kind": kind} if kind else {})}
    wanted = matching(ledger, asked)
    by_offset: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        page = server.read("/snapshot", limit=limit, offset=offset, **asked)
        assert (page["matched"], page["length"], page["offset"]) == (len(wanted), len(ledger), offset)
        by_offset += page["events"]
        offset = page["next_offset"]
    by_key: list[dict[str, Any]] = []
    after = -1
    while page := server.read("/snapshot", limit=limit, after=after, **asked)["events"]:
        by_key += page
        after = page[-1]["index"]
    assert by_offset == by_key == wanted
    newest = server.read("/snapshot", limit=limit, **asked)
    assert newest["events"] == wanted[-limit:] and newest["offset"] == max(0, len(wanted) - limit)


def test_without_an_offset_the_newest_window(server: Server, ledger: list[dict[str, Any]]) -> None:
    assert len(ledger) > 200
    page = server.read("/snapshot")
    assert page["events"] == ledger[-200:] and page["limit"] == 200
    assert (page["v_digest"], page["offset"]) == (ledger[-1]["digest"], len(ledger) - 200)
    assert server.read("/snapshot", correlation_id="c7")["events"] == matching(ledger, {"correlation_id": "c7"})


@pytest.mark.parametrize("filters", FILTERS)
def test_a_tail_to_the_head(server: Server, ledger: list[dict[str, Any]], filters: dict[str, str]) -> None:
    with server.tail(follow=0, **filters) as events:
        assert list(events) == matching(ledger, filters)
    with server.tail(follow=0, since=100, **filters) as events:
        assert list(events) == matching(ledger[101:], filters)
    with server.tail({"last-event-id": "200"}, follow=0, since=3, **filters) as events:
        assert list(events) == matching(ledger[201:], filters)
    with server.tail(follow=0, since=10**6, **filters) as events:
        assert list(events) == []


@pytest.mark.parametrize("given", ["x", "-2", "1.0", "1 2", "99999999999999999999"])
def test_a_last_id_that_is_none(server: Server, given: str) -> None:
    found = server.get("/tail", {"last-event-id": given})
    assert (found.status_code, found.json()["pointer"]) == (422, "/Last-Event-ID")


def test_tails_that_are_cut_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """One reader for each filter, each cut again and again at random, while three writers go on."""
    with serving("gateway", "--data-root", str(tmp_path / "data"), "--policy", "demo") as server:
        done = threading.Event()
        got: list[list[dict[str, Any]]] = [[] for _ in FILTERS]

        def write(first: int) -> None:
            for number in range(first, 60, 3):
                server.say("x" * (400 if number % 7 == 0 else 5), **place(number), turn_id=f"t{number}")

        def read(mine: list[dict[str, Any]], filters: dict[str, str], chance: random.Random) -> None:
            while not done.is_set():
                last = mine[-1]["index"] if mine else -1
                # Some come back as browsers do, some ask for what they lack.
                asked = (
                    {"headers": {"last-event-id": str(last)}, "since": 0} if chance.random() < 0.5 else {"since": last}
                )
                with server.tail(**filters, **asked) as events:  # type: ignore[arg-type]
                    mine += itertools.islice(events, chance.randint(1, 9))

        readers = [
            threading.Thread(target=read, args=(mine, filters, random.Random(number)), daemon=True)
            for number, (mine, filters) in enumerate(zip(got, FILTERS, strict=True))
        ]
        writers = [threading.Thread(target=write, args=(first,)) for first in range(3)]
        for thread in [*readers, *writers]:
            thread.start()
        for thread in writers:
            thread.join(SECONDS)
        until(lambda: server.read("/status")["correlations"]["intented"] == 0)
        ledger = server.events()
        wanted = [matching(ledger, filters) for filters in FILTERS]
        until(lambda: [len(mine) for mine in got] >= [len(all_) for all_ in wanted] and got == wanted)
        done.set()
        server.say()  # so that whoever waits for one more ends too
        for stream, lane, thread_id in itertools.product(STREAMS, LANES, THREADS):
            for turn in range(3):
                server.say(stream_id=stream, lane=lane, thread_id=thread_id, turn_id=f"last{lane}{turn}")
        for thread in readers:
            thread.join(SECONDS)
        assert not any(thread.is_alive() for thread in readers)


def test_an_event_is_told_when_it_is_committed(server: Server) -> None:
    """By another process too: tails follow the ledger, and not what this server does."""
    head = server.read("/status")["t_index"]
    with server.tail(since=head) as events:
        for number in range(3):
            server.say(thread_id="told", turn_id=f"t{number}")
            found = list(itertools.islice(events, 3))
            assert [event["kind"] for event in found] == ["INTENT", "DECISION", "EXECUTION"]
            assert {event["turn_id"] for event in found} == {f"t{number}"}
