"""Pages and tails of a ledger of decisions: under every filter their union is the ledger, each event once, in order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from deciding import LEDGER, anchors, append, asked, everything, tell
from omnibachi_ledger import Ledger, open_root
from omnibachi_ledger.decisions.pages import FILTERS, Decisions
from omnibachi_model.decisions import INTENT
from performing import everywhere, root

__all__ = ["root"]

VALUES = {
    "stream_id": ("default", "other", "none"), "lane": ("user_chat", "night"), "thread_id": ("thread", "t-2"),
    "correlation_id": ("c-3", "c-none"), "kind": ("INTENT", "DECISION", "EXECUTION"),
}  # fmt: skip


@pytest.fixture
def ledger(root: str) -> Iterator[Ledger]:
    """Thirty stories in two streams, two lanes and two threads."""
    chance = random.Random(3)
    with open_root(root) as opened:
        for number in range(30):
            tell(
                opened, number, chance.choice(("ok", "denied", "error", "asked")),
                stream_id=chance.choice(("default", "default", "other")), lane=chance.choice(VALUES["lane"]),
                thread_id=chance.choice(VALUES["thread_id"]),
            )  # fmt: skip
        yield opened


def filters() -> Iterator[dict[str, str]]:
    """Give every combination of filters with one value each, and each value alone."""
    yield {}
    for name in FILTERS:
        yield from ({name: value} for value in VALUES[name])
    for count in (2, 3, 4):
        for names in itertools.combinations(FILTERS, count):
            yield {name: VALUES[name][0] for name in names}


def matching(events: list[dict[str, Any]], wanted: dict[str, str]) -> list[dict[str, Any]]:
    return [event for event in events if all(event[name] == value for name, value in wanted.items())]


def by_offset(decisions: Decisions, wanted: dict[str, str], limit: int) -> list[dict[str, Any]]:
    found, offset = [], 0
    while offset is not None:
        page = decisions.page(wanted, limit=limit, offset=offset)
        assert (page["offset"], page["limit"]) == (offset, limit) and len(page["events"]) <= limit
        found += page["events"]
        offset = page["next_offset"]
    return found


@everywhere
def test_the_union_of_pages_is_the_ledger(ledger: Ledger) -> None:
    """For every limit and filter; the newest window is the last of them, with its offset."""
    decisions, all_of_it = ledger.decisions(LEDGER), everything(ledger)
    assert [event["index"] for event in all_of_it] == list(range(len(all_of_it)))
    for number, wanted in enumerate(filters()):
        expected, limit = matching(all_of_it, wanted), (1, 7, 50, 2000)[number % 4]
        assert by_offset(decisions, wanted, limit) == expected
        newest = decisions.page(wanted, limit=limit)
        assert newest["events"] == expected[-limit:] and newest["next_offset"] is None
        assert (newest["offset"], newest["matched"]) == (max(len(expected) - limit, 0), len(expected))
        assert (newest["length"], newest["v_digest"]) == (len(all_of_it), all_of_it[-1]["digest"])
        for after in (-1, 0, 17, len(all_of_it)):
            page = decisions.page(wanted, limit=limit, after=after)
            later = [event for event in expected if event["index"] > after]
            assert page["events"] == later[:limit] and page["offset"] is page["next_offset"] is None
            assert page["matched"] == len(expected)


@everywhere
def test_a_tail_that_is_cut_anywhere_loses_and_repeats_nothing(ledger: Ledger) -> None:
    decisions, all_of_it, chance = ledger.decisions(LEDGER), everything(ledger), random.Random(5)
    for wanted in filters():
        found: list[dict[str, Any]] = []
        while more := decisions.tail(found[-1]["index"] if found else -1, wanted, limit=chance.randint(1, 9)):
            found += more[: chance.randint(1, len(more))]  # the rest was on its way when the line was cut
        assert found == matching(all_of_it, wanted)


@everywhere
def test_a_page_is_of_one_state_while_others_append(ledger: Ledger, root: str) -> None:
    with open_root(root, reading=True) as reader:
        for number in range(100, 110):
            before = reader.decisions(LEDGER).page(limit=2000)
            assert len(before["events"]) == before["length"] == before["matched"]
            assert before["events"][-1]["digest"] == before["v_digest"]
            tell(ledger, number, "asked")
            assert reader.decisions(LEDGER).head()["length"] == before["length"] + 1


@everywhere
def test_a_thread_is_told_by_its_turns(ledger: Ledger) -> None:
    append(ledger, INTENT, anchors("x", thread_id="fresh"), asked("first"))
    append(ledger, INTENT, anchors("y", thread_id="fresh", parent_turn_id="turn-x"), asked("second"))
    told = ledger.decisions(LEDGER).timeline("fresh", payloads=True)
    assert [(turn["turn_id"], turn["parent_turn_id"]) for turn in told["turns"]] == [
        ("turn-x", None), ("turn-y", "turn-x"),
    ]  # fmt: skip
    assert [event["payload"]["message"] for turn in told["turns"] for event in turn["events"]] == ["first", "second"]
    assert "payload" not in ledger.decisions(LEDGER).timeline("fresh")["turns"][0]["events"][0]
    whole = ledger.decisions(LEDGER).timeline("thread")
    told_of = sorted(event["index"] for turn in whole["turns"] for event in turn["events"])
    assert told_of == [event["index"] for event in matching(everything(ledger), {"thread_id": "thread"})]


@pytest.mark.parametrize(
    "asking",
    [
        {"limit": 0},
        {"limit": 2001},
        {"limit": True},
        {"offset": -1},
        {"offset": 0, "after": 0},
        {"filters": {"x": "y"}},
    ],
)
def test_what_is_no_page_is_refused(ledger: Ledger, asking: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ledger.decisions(LEDGER).page(**asking)


@everywhere
def test_what_is_unfinished_is_found_in_order(ledger: Ledger) -> None:
    decisions = ledger.decisions(LEDGER)
    asked_for = [event["correlation_id"] for event in everything(ledger) if event["kind"] == INTENT]
    open_ones = [name for name in asked_for if (decisions.correlation(name) or {})["state"] in ("INTENTED", "ALLOWED")]
    assert decisions.unfinished() == open_ones and len(open_ones) > 3


# What is asked, and by which index it is found.
QUERIES: dict[str, tuple[dict[str, str], dict[str, int], str]] = {
    "newest": ({}, {}, "PRIMARY KEY (ledger=?)"), "after": ({}, {"after": 3}, "PRIMARY KEY (ledger=? AND position>?)"),
    "stream": ({"stream_id": "default"}, {}, "decisions_stream"), "lane": ({"lane": "rare"}, {}, "decisions_lane"),
    "kind": ({"kind": "EXECUTION"}, {}, "decisions_kind"), "thread": ({"thread_id": "rare"}, {}, "decisions_thread"),
    "correlation": ({"correlation_id": "c-5"}, {}, "decisions_correlation"),
    "rare among many": ({"stream_id": "default", "lane": "rare", "kind": "INTENT"}, {}, "decisions_lane"),
    "a thread of a stream": ({"stream_id": "default", "thread_id": "x"}, {"offset": 2}, "decisions_thread"),
    "late in a stream": ({"stream_id": "default"}, {"after": 3}, "decisions_stream"),
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_a_page_never_goes_through_the_whole_ledger(tmp_path: Any, name: str) -> None:
    """What is asked is found by an index: no plan of these queries scans or sorts a table."""
    from omnibachi_ledger.connect import connect

    root = str(tmp_path / "data")
    with open_root(root) as opened:
        tell(opened, 5)
    db, said = connect(root, create=False), list[str]()

    class Explained:
        """A database that notes how each query is answered."""

        version, path = db.version, db.path

        def __getattr__(self, wanted: str) -> Any:
            return getattr(db, wanted)

        def row(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
            said.extend(item[3] for item in db.rows(f"EXPLAIN QUERY PLAN {sql}", values))
            return db.row(sql, values)

        def rows(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
            said.extend(item[3] for item in db.rows(f"EXPLAIN QUERY PLAN {sql}", values))
            return db.rows(sql, values)

    from omnibachi_ledger.decisions.verifying import Sound

    wanted, others, index = QUERIES[name]
    reader = Decisions(Explained(), LEDGER, Sound())  # type: ignore[arg-type]
    reader.page(wanted, **others)
    assert any(index in plan and plan.startswith("SEARCH decisions ") for plan in said), said
    said.clear()
    for ask in (reader.status, reader.head, lambda: reader.correlation("c-5"), lambda: reader.timeline("thread")):
        ask()
    whole = ("SCAN", "PRIMARY KEY (ledger=?)", "TEMP B-TREE")
    # The three events of a correlation are sorted; a ledger of up to a thousand events is verified when it is opened.
    found = [plan for plan in said if any(word in plan for word in whole) and "tallies" not in plan]
    assert set(found) <= {"USE TEMP B-TREE FOR ORDER BY"} and "SEARCH decisions USING INDEX decisions_thread" in str(
        said
    )
    db.close()
