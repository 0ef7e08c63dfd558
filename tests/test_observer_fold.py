"""Folding: the same projection however events come, and nothing of an event that does not hold."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observing import ENDINGS, Event, chained, heads, ledger, page, steps
from omnibachi_model.decisions import COVERED, DECISION, DENY, DERIVED, INTENT, ZERO, event_of
from omnibachi_model.digests import decode, encode
from omnibachi_observer.folding import Folds, folds_of
from omnibachi_observer.signals import percentile
from omnibachi_observer.views import Projected, status, thread, threads
from thoroughness import many

THREADS = ("a", "b/c", "ü")
MANY = many(80, 3_000)


@st.composite
def ledgers(draw: st.DrawFn) -> list[Event]:
    """Draw a ledger: stories with every ending in some threads, their events between one another."""
    count = draw(st.integers(1, 12))
    stories = [
        steps(number, draw(st.sampled_from(list(ENDINGS))), draw(st.sampled_from(THREADS)), ms=draw(st.integers(0, 9)))
        for number in range(count)
    ]
    order = draw(st.permutations([number for number, story in enumerate(stories) for _ in story]))
    return chained(stories[number].pop(0) for number in order)


def shown(folds: Folds) -> list[Any]:
    """Return everything that a fold shows, and all that it remembers, but for time."""
    views = [thread(folds, name, None, None) for name in THREADS]
    told = {**status(folds, 0), "lag": None}
    return [decode(encode(folds.to_json())), threads(folds, 99, 0), views, told]


def plain(events: list[Event]) -> Folds:
    folds = Folds()
    folds.fold(events)
    assert folds.stopped is None
    return folds


MOVES = st.tuples(st.sampled_from(("page", "tail", "ingest", "restart")), st.integers(0, 40), st.integers(0, 9))


@settings(max_examples=MANY, deadline=None)
@given(events=ledgers(), moves=st.lists(MOVES, max_size=12))
def test_any_batches_repetitions_and_restarts_give_the_same_projection(
    events: list[Event], moves: list[tuple[str, int, int]]
) -> None:
    """14.8: equal to a plain fold of everything."""
    folds = Folds()
    for how, again, count in [*moves, ("page", 0, len(events))]:
        held = folds.event_count
        back = max(held - again, 0)
        batch = events[back : held + count]
        if how == "tail":
            folds.fold(batch)
        elif how == "page":
            folds.page(page(events, back - 1, len(batch)), back - 1, len(batch), held)
        elif how == "ingest":
            fresh, wrong = Projected(folds, None).ingest(batch)
            assert wrong is None and fresh == events[held : held + count]
        else:
            folds = folds_of(decode(encode(folds.to_json())))
        assert folds.stopped is None
    assert shown(folds) == shown(plain(events)) == shown(folds_of(decode(encode(folds.to_json()))))
    assert folds.normative_head == heads(events)["normative_head"]


@settings(max_examples=MANY // 2, deadline=None)
@given(events=ledgers())
def test_numbers_are_those_of_a_simple_count(events: list[Event]) -> None:
    """An independent recount of every thread and turn, straight from the events."""
    folds = plain(events)
    for view in threads(folds, 99, 0):
        own = [event for event in events if event["thread_id"] == view["thread_id"]]
        said = [event["payload"] for event in own]
        assert view == {
            "thread_id": view["thread_id"],
            "turns_total": len({(event["stream_id"], event["turn_id"]) for event in own}),
            "allow_total": sum(item.get("result") == "ALLOW" for item in said),
            "deny_total": sum(item.get("result") == DENY for item in said),
            "execution_ok_total": sum(item.get("status") == "ok" for item in said),
            "execution_error_total": sum(item.get("status") == "error" for item in said),
            "pending_total": len({event["turn_id"] for event in own})
            - sum(item.get("result") == DENY or "status" in item for item in said),
            "first_index": own[0]["index"],
            "last_index": own[-1]["index"],
        }
        assert all(type(value) is int for name, value in view.items() if name != "thread_id")
        found = thread(folds, view["thread_id"], None, None)
        assert found is not None and found["thread"] == view
        for turn in found["turns"]:
            mine = {event["kind"]: event for event in own if event["turn_id"] == turn["turn_id"]}
            decision = mine.get(DECISION, {"payload": {}})["payload"]
            execution = mine.get("EXECUTION")
            assert turn["decision_result"] == decision.get("result")
            assert turn["reason_codes"] == decision.get("reason_codes", [])
            assert turn["has_execution"] is (execution is not None)
            assert turn["has_errors"] is bool(execution and execution["payload"]["status"] == "error")
            assert turn["error_code"] == ("timeout" if turn["has_errors"] else None)
            assert turn["latency_ms"] == (execution["obs"]["latency_ms"] if execution else None)
            indexes = [event["index"] for event in mine.values()]
            assert (turn["first_index"], turn["last_index"]) == (min(indexes), max(indexes))
    assert [view["last_index"] for view in threads(folds, 99, 0)] == sorted(
        (view["last_index"] for view in threads(folds, 99, 0)), reverse=True
    )


def changed(value: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, dict):
        return {**value, "more": 1}
    return "x" if value is None else value + "x"


@pytest.mark.parametrize("name", [*COVERED, *DERIVED])
@pytest.mark.parametrize("index", [0, 1, 4, 7])
def test_a_changed_member_is_told_and_not_folded(name: str, index: int) -> None:
    """Whichever it is: in a page, along the tail, and when it is handed in."""
    events = ledger("ok", "denied", "error")
    spoilt = copy.deepcopy(events)
    spoilt[index][name] = changed(spoilt[index][name])
    for fold in ("page", "tail"):
        folds = Folds()
        if fold == "page":
            folds.page({**page(events), "events": spoilt}, -1, 2000, 0)
        else:
            folds.fold(spoilt)
        assert folds.stopped is not None and folds.event_count == index, name
        assert folds.stopped.at_index == index and folds.stopped.what == "mismatch"
        assert shown(folds)[1:3] == shown(plain(events[:index]))[1:3]
    folds = plain(events[:index])
    fresh, wrong = Projected(folds, None).ingest(spoilt)
    assert fresh == [] and wrong is not None and wrong.what == "mismatch" and folds.stopped is None


def test_an_event_with_members_of_its_own_or_of_another_type_is_none() -> None:
    event = ledger("ok")[0]
    odd: list[Any] = [
        {**event, "more": 1}, {name: event[name] for name in event if name != "obs"}, None, [], 5, {},
        {**event, "index": -1}, {**event, "index": 0.0}, {**event, "index": True}, {**event, "kind": "NOTE"},
        {**event, "payload": []}, {**event, "obs": None}, {**event, "thread_id": 5}, {**event, "digest": None},
        {**event, "parent_turn_id": 5}, {**event, "payload": {"a": 1 << 70}}, {**event, "kind": []},
    ]  # fmt: skip
    for item in odd:
        folds = Folds()
        assert folds.fold([item]) == [] and folds.stopped is not None and folds.stopped.what == "mismatch", item
        assert folds.event_count == 0


def test_what_is_missing_swapped_or_another_stops_the_fold_there() -> None:
    events = ledger("ok", "ok", "denied")
    other = ledger("ok", "error", "denied")
    cases: list[tuple[list[Event], str, int, int]] = [
        (events[:3] + events[4:], "gap", 3, 3),
        (events[1:], "gap", 0, 0),
        ([*events[:3], events[4], events[3], *events[5:]], "gap", 3, 3),
        (events[:3] + events[2:], "gap", 3, 3),
        (other[:6] + events[6:], "mismatch", 6, 6),
    ]
    for spoilt, what, at, held in cases:
        folds = Folds()
        folds.page({**page(events), "events": spoilt}, -1, 2000, 0)
        assert folds.stopped is not None
        assert (folds.stopped.what, folds.stopped.at_index, folds.event_count) == (what, at, held)


def test_the_past_is_compared_with_every_page() -> None:
    events, other = ledger("ok", "ok"), ledger("ok", "error")
    assert events[4] == other[4] and events[5] != other[5]
    for spoilt, what, at in (
        (page(other, 4), "rewritten", 5),
        (page(events[:4], 4), "rewritten", 4),
        (page([], -1), "rewritten", 0),
        ({**page(events, 4), "v_digest": events[4]["digest"]}, "mismatch", 5),
        ({**page(events, 4), "normative_head": ZERO}, "mismatch", 5),
        ({**page(events, 2), "events": []}, "gap", 3),
        ({**page(events, 4), "length": 9}, "gap", 6),
    ):
        folds = plain(events)
        after = {5: 4, 4: 4, 0: -1, 3: 2, 6: 4}[at]
        folds.page(spoilt, after, 2000, len(events))
        assert folds.stopped is not None and (folds.stopped.what, folds.stopped.at_index) == (what, at)
        assert folds.event_count == 6
        # What holds from there on ends it.
        folds.page(page(events, at - 1), at - 1, 2000, 6)
        assert folds.stopped is None
    folds = plain(events)
    # A page that was asked for earlier may come later.
    folds.page(page(events[:4], -1), -1, 2000, 4)
    assert folds.stopped is None


def test_how_far_behind_a_fold_is_is_told() -> None:
    events, folds = ledger("ok", "ok"), Folds()
    assert status(folds, 0)["lag"] is None
    for after, lag in ((-1, 4), (1, 2), (3, 0)):
        folds.page(page(events, after, 2), after, 2, folds.event_count)
        assert status(folds, 0)["lag"] == lag
    folds.page(page(events[:4], 1, 2), 1, 2, 4)  # one that was asked for earlier
    assert status(folds, 0)["lag"] == 0


def test_a_page_of_later_events_does_not_end_a_stop() -> None:
    events = ledger(*["ok"] * 4)
    folds = plain(events[:6])
    folds.page(page(ledger("ok", "error", "ok"), 4), 4, 2000, 6)
    assert folds.stopped is not None and folds.stopped.at_index == 5
    folds.page(page(events, 5), 5, 2000, 6)
    assert folds.stopped is not None
    folds.page(page(events, 4), 4, 2000, 6)
    assert folds.stopped is None and folds.event_count == 12


@pytest.mark.parametrize("answer", [{}, {"events": 5, "length": 1}, {"events": [], "length": "1"}])
def test_what_is_no_page_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no page"):
        Folds().page(answer, -1, 5, 0)


def test_a_story_that_no_gateway_tells_is_folded_as_it_is_told() -> None:
    """Digests hold, the grammar does not: nothing is guessed, and nothing breaks."""
    first, decision, execution = (parts for _, parts in steps(1, "ok"))
    odd = {**decision, "payload": {"result": ["ALLOW"], "reason_codes": [5, "x"], "policy_digest": 7}}
    worse = {**execution, "payload": {"status": 5, "error": []}, "obs": {"latency_ms": "long"}}
    made = [("EXECUTION", worse), (DECISION, odd), (DECISION, decision), (INTENT, first), (DECISION, decision)]
    for order in itertools.permutations(made, 3):
        events = chained(order)
        folds = plain(events)
        found = thread(folds, "thread", None, None)
        assert found is not None and found["thread"]["turns_total"] == 1 and json.dumps(shown(folds))
        total = found["thread"]
        assert total["allow_total"] <= 1 and 0 <= total["pending_total"] <= 1
        assert shown(folds_of(decode(encode(folds.to_json())))) == shown(folds)


def test_the_first_decision_and_the_first_execution_stand() -> None:
    """No ledger takes a second one; where one is told all the same, it changes no verdict."""
    denied, failed = steps(1, "denied")[1], steps(1, "error")[2]
    folds = plain(chained([denied, failed], ledger("asked", "ok")))
    found = thread(folds, "thread", None, None)
    assert found is not None and found["turns"][1]["decision_result"] == "ALLOW"
    assert found["turns"][1]["has_errors"] is False and found["thread"]["deny_total"] == 0


def test_threads_and_turns_come_in_pages() -> None:
    events = chained(step for number in range(7) for step in steps(number, "ok", f"t{number}"))
    folds = plain(chained((step for number in range(7, 10) for step in steps(number, "ok", "t0")), events))
    assert [view["thread_id"] for view in threads(folds, 3, 0)] == ["t0", "t6", "t5"]
    assert [view["thread_id"] for view in threads(folds, 9, 5)] == ["t2", "t1"]

    def turns(limit: int | None, offset: int | None) -> tuple[int, list[str]]:
        found = thread(folds, "t0", limit, offset)
        assert found is not None
        return found["turns_offset"], [turn["correlation_id"] for turn in found["turns"]]

    assert turns(None, None) == (0, ["c-0", "c-7", "c-8", "c-9"])
    assert turns(2, None) == (2, ["c-8", "c-9"])
    assert turns(2, 1) == (1, ["c-7", "c-8"])
    assert turns(None, 3) == (3, ["c-9"])
    assert turns(9, 9) == (9, [])
    assert thread(folds, "none", None, None) is None


def test_turns_of_one_name_in_two_streams_are_two() -> None:
    made = [*steps(1, "ok", turn="u"), *steps(2, "denied", turn="u", stream="other")]
    folds = plain(chained(made))
    found = thread(folds, "thread", None, None)
    assert found is not None and found["thread"]["turns_total"] == 2
    assert Projected(folds, None).correlations("thread", "u") == ["c-1", "c-2"]


@pytest.mark.parametrize(
    "spoil",
    [
        {"schema": "omnibachi.observer/2"}, {"head": ZERO}, {"digests": "AAAA"}, {"digests": 5},
        {"turns": {"turn_id": ["x"]}}, {"turns": None}, {"asked": [[1]]}, {"packs": 5},
    ],
)  # fmt: skip
def test_a_memory_of_another_form_is_none(spoil: dict[str, Any]) -> None:
    said = {**decode(encode(plain(ledger("ok", "asked")).to_json())), **spoil}
    with pytest.raises(ValueError):
        folds_of(said)
    for value in (None, [], {}, 5, "x"):
        with pytest.raises(ValueError):
            folds_of(value)


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    assert [percentile(range(1, 101), share) for share in (50, 95, 99)] == [50, 95, 99]
    assert [percentile([7], share) for share in (50, 95, 99)] == [7, 7, 7]
    assert percentile([1, 2], 50) == 1 and percentile([1, 2], 95) == 2 and percentile([], 95) is None


def test_the_first_event_stands_on_nothing() -> None:
    made = steps(0, "ok")[0][1]
    event = event_of(0, INTENT, made["anchors"], "user", made["payload"], {}, "sha256:" + "1" * 64)
    folds = Folds()
    assert folds.fold([event]) == [] and folds.stopped is not None
