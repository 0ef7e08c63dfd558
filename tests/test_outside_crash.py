"""A run that leaves the house may be killed anywhere: with a key exactly one action, without one at most one.

Each case is a run in a folder of its own against a server that counts. It is killed at every edge (see crashing.py) of
its way, resumed, and compared with the undisturbed run: the server honours keys, so a resumed run that asked again was
answered the same, and has the same digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from abroad import EACH, PLAIN, SEND, lay_abroad
from crash_cases import ID, KILLED, Case, fresh_place
from crashing import CUT, in_child, state
from neighbours import House
from omnibachi import verify
from postgres_server import Server
from trial import a_copy

place = fresh_place


@pytest.fixture(scope="module", name="house")
def open_house() -> Iterator[House]:
    with House() as house:
        yield house


@pytest.fixture(scope="module", name="abroad")
def laid(place: Path, house: House) -> Path:
    """Return the workspace, once used, so that children need not import what they use."""
    lay_abroad(place / "abroad", house).run(SEND, {"url": f"{house.base}/x"}, data_root=place / "warm")
    return place / "abroad"


def a_case(place: Path, abroad: Path, house: House, name: str, workflow: str, server: Server | None = None) -> Case:
    (place / name).mkdir()
    template = a_copy(abroad, place / f"{name}-template")
    house.forget()
    url = "/x" if workflow == PLAIN else f"{house.base}/x"
    return Case(place / name, template, workflow, {"url": url, "port": house.port}, "--no-picture", server=server)


def of_the_run(found: Case) -> range:
    """Return the edges from the making of the tables to the last commit: all others are the same for every workflow."""
    commits = [edge for edge, name in enumerate(found.edges, 1) if name == "after COMMIT"]
    return range(commits[0], commits[-1] + 1)


def test_with_keys_exactly_one_action(place: Path, abroad: Path, house: House) -> None:
    found = a_case(place, abroad, house, "key", SEND)
    assert (found.answer["exit"], house.done) == ("sent", ["POST /x"])
    # The tables, the intention, its answer, the local effect with the end.
    assert found.edges.count("before COMMIT") == 4 and found.edges.count("before PRAGMA") >= 2
    asked = set()
    for edge in of_the_run(found):
        house.forget()
        found.survives(edge)
        assert house.done == ["POST /x"]
        assert len({item.headers["idempotency-key"] for item in house.asked}) == 1
        asked.add(len(house.asked))
    assert asked == {1, 2}


def test_with_keys_exactly_one_action_on_postgresql(place: Path, abroad: Path, house: House, postgres: Server) -> None:
    """Killed, or with its line cut, around every transaction."""
    found = a_case(place, abroad, house, "served", SEND, postgres)
    assert (found.answer["exit"], house.done) == ("sent", ["POST /x"])
    edges = [edge for edge in of_the_run(found) if found.edges[edge - 1] in ("before COMMIT", "after COMMIT")]
    for edge in edges[-6:]:
        house.forget()
        found.survives(edge)
        assert house.done == ["POST /x"]
        house.forget()
        folder = found.fresh()
        if found.child(found.command, folder, fatal=edge, with_signal=CUT).status != 0:
            found.resumed(folder)
        found.check(folder)
        assert house.done == ["POST /x"]


def test_with_keys_exactly_one_action_of_each_round(place: Path, abroad: Path, house: House) -> None:
    found = a_case(place, abroad, house, "each", EACH)
    assert (found.answer["exit"], house.done) == ("sent", ["POST /x"] * 2)
    edges = of_the_run(found)
    for edge in edges[:: max(1, len(edges) // 12)]:
        house.forget()
        found.survives(edge)
        assert house.done == ["POST /x"] * 2


def test_without_keys_at_most_one_action(place: Path, abroad: Path, house: House) -> None:
    """What was not answered is not asked again: it ends where nobody knows, or as if nobody had disturbed it."""
    found = a_case(place, abroad, house, "plain", PLAIN)
    assert (found.answer["exit"], house.done) == ("sent", ["POST /x"])
    ends: set[tuple[str, int]] = set()
    for edge in of_the_run(found):
        house.forget()
        folder = found.folder = found.killed(edge)
        begun = any(row[0] == ID for row in state(folder / "data").get("runs", ()))
        asked = len(house.asked)
        ended = in_child(("resume", "--all", "--json") if begun else found.command, folder)
        said = json.loads(ended.out)
        exits = [result["exit"] for result in said["runs"]] if begun else [said["exit"]]
        assert len(house.asked) <= 1 and ended.status != KILLED
        if exits == ["unsure"]:
            assert asked == len(house.asked)  # nobody was asked again
        ends |= {(exit, len(house.asked)) for exit in exits}
        record = (folder / f"traces/{ID}/{ID}.jsonl").read_bytes()
        assert verify(record, data_root=folder / "data").verdict == "ANCHORED"
    # Killed just before it left, nobody was asked at all, and nobody can tell.
    assert ends == {("sent", 1), ("unsure", 0), ("unsure", 1)}
