"""Attempts of side effects: what is tried again, what is undone between, deadlines, waits that follow from chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handmade import OPENING, TEXT, Ticking, bodies, call, leave, observed, record_of
from looped import NUMBER, PUT, READ, STORE, called, each, journalled, program, ref, walked
from omnibachi_ledger import Ledger, connect, open_root
from omnibachi_model.diagnostics import Trouble
from omnibachi_model.formats import write_time
from omnibachi_runtime.attempts import LONGEST_MS, MS, Patience
from omnibachi_runtime.link import Malformed, Program
from omnibachi_runtime.walk import Start, Walk, walk

CHANCE = "0123456789abcdef" * 2
GIVEN = {"SUCCESS": record_of({}, {"n": NUMBER}), "BUSY": record_of(), "TIMEOUT": record_of()}
ROUTES = {"SUCCESS": "done", "BUSY": "busy", "TIMEOUT": "late", "FAULT": "failed"}
PAYLOAD = record_of({"key": TEXT})
RETRY = {"on": ["BUSY"], "max": 3, "backoff_ms": 0, "factor": 1}


class Pausing(Ticking):
    """A clock that moves on by what is waited, too."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[int] = []

    def pause(self, ns: int) -> None:
        self.pauses.append(ns)
        self.now += ns


def asking(retry: Any = RETRY, deadline: int | None = None, effect: str = "MUTABLE", **more: Any) -> list[Any]:
    """Return one call that may be tried again, and an exit for each outcome."""
    use = PUT if effect == "MUTABLE" else READ
    given = GIVEN if deadline is not None else {name: GIVEN[name] for name in ("SUCCESS", "BUSY")}
    node = call("ask", use, {"key": ref("payload", "key")}, given,
                {name: ROUTES[name] for name in (*given, "FAULT")}, effect, store=STORE, retry=retry,
                deadline_ms=deadline, **more)  # fmt: skip
    return [node, leave("done", "COMPLETED"), leave("busy", "REJECTED"), leave("late", "REJECTED")]


def answering(answers: list[Any], seen: list[Any] | None = None) -> Callable[..., Any]:
    """Return an operation that writes at each attempt and gives one answer after the other.

    An answer that is a number takes so many milliseconds and is SUCCESS; an exception is raised.
    """
    left = iter(answers)

    def ask(inputs: Any, store: Any, call: Any) -> Any:
        if seen is not None:
            seen.append((call.path, call.key, call.deadline, dict(inputs)))
        answer = next(left)
        if call.path == "ask":
            store.put(f"{inputs['key']} {answer}", {"key": "k"})
            inputs["key"] = "spoilt"
        if isinstance(answer, int):
            call.clock.now += answer * MS
            answer = "SUCCESS"
        if isinstance(answer, Exception):
            raise answer
        return answer, {}

    return ask


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_root(str(tmp_path / "data")) as opened:
        yield opened


def run(ledger: Ledger, found: Program, clock: Any = None, payload: Any = None) -> Walk:
    payload, clock = payload or {"key": "k"}, clock or Pausing()
    now = clock.now_ns()
    begun = Start("T1", now, write_time(now), None, OPENING, clock, clock, journalled(ledger, found, payload), CHANCE)
    return walk(found, begun, found.gate(payload))


def tried(ledger: Ledger, nodes: list[Any], answers: list[Any], clock: Any = None, seen: Any = None) -> Walk:
    ask = answering(answers, seen)
    return run(ledger, program(nodes, {PUT: ask, READ: ask}, payload=PAYLOAD), clock)


def keys(ledger: Ledger) -> list[str]:
    return [item["key"] for item in ledger.records(STORE)]


def test_what_is_tried_again_is_undone_and_counted(ledger: Ledger) -> None:
    seen: list[Any] = []
    ended = tried(ledger, asking(), ["BUSY", "BUSY", "SUCCESS"], seen=seen)
    assert (walked(ended), len(ended.events)) == (["ask", "done"], 3)
    assert (observed(ended)[1]["attempts"], observed(ended)[1]["receipt"]) == (3, 1)
    assert "waited_us" not in observed(ended)[1]
    assert keys(ledger) == ["k SUCCESS"], "nothing of the earlier attempts, and each got its own inputs"
    assert len({key for _, key, _, _ in seen}) == 1 and [item[3] for item in seen] == [{"key": "k"}] * 3
    assert bodies(ended)[1]["inputs"] == {"key": "k"}


def test_the_first_attempt_leaves_no_count(ledger: Ledger) -> None:
    assert "attempts" not in observed(tried(ledger, asking(), ["SUCCESS"]))[1]


def test_the_last_attempt_stands_whatever_it_gives(ledger: Ledger) -> None:
    ended = tried(ledger, asking(), ["BUSY"] * 4)
    assert (ended.exit, observed(ended)[1]["attempts"], observed(ended)[1]["receipt"]) == ("busy", 4, 1)
    assert keys(ledger) == ["k BUSY"]


def test_a_fault_is_never_tried_again(ledger: Ledger) -> None:
    ended = tried(ledger, asking(), ["BUSY", ValueError("no")])
    assert (ended.exit, observed(ended)[1]["attempts"]) == ("failed", 2)
    assert observed(ended)[1]["fault"]["reason"] == "raised" and keys(ledger) == []
    undeclared = tried(open_root(None), asking(), ["BUSY", "NEVER"])
    assert observed(undeclared)[1]["fault"]["reason"] == "undeclared-outcome"


def test_waits_grow_follow_from_chance_and_no_transaction_is_open(ledger: Ledger) -> None:
    clock = Pausing()
    pause = clock.pause

    def watched(ns: int) -> None:
        assert not ledger._db.in_transaction
        pause(ns)

    clock.pause = watched  # type: ignore[method-assign]
    retry = {**RETRY, "backoff_ms": 50, "factor": 2}
    ended = tried(ledger, asking(retry), ["BUSY", "BUSY", "BUSY", "SUCCESS"], clock)
    assert len(clock.pauses) == 3
    for number, waited in enumerate(clock.pauses):
        assert 25 * MS * 2**number <= waited < 50 * MS * 2**number
    assert observed(ended)[1]["waited_us"] == sum(clock.pauses) // 1000
    assert observed(ended)[0]["chance"] == CHANCE
    patience = Patience.of({"retry": retry, "outcomes": GIVEN})
    assert clock.pauses == [patience.wait(CHANCE, "ask", number) for number in (1, 2, 3)]
    assert patience.wait(CHANCE, "ask[1]", 1) != clock.pauses[0] != patience.wait("f" * 32, "ask", 1)


def test_on_a_clock_that_cannot_pause_waits_take_no_time(ledger: Ledger) -> None:
    ended = tried(ledger, asking({**RETRY, "backoff_ms": LONGEST_MS}), ["BUSY", "SUCCESS"], Ticking())
    assert "waited_us" not in observed(ended)[1] and observed(ended)[1]["took_us"] < 1_000_000


@given(
    chance=st.text("0123456789abcdef", min_size=32, max_size=32), number=st.integers(1, 100),
    backoff=st.integers(1, LONGEST_MS), factor=st.sampled_from([1, 1.5, 2, 10]),
)  # fmt: skip
def test_every_wait_lies_in_its_half_and_never_beyond_a_day(
    chance: str, number: int, backoff: int, factor: float
) -> None:
    patience = Patience.of({"retry": {**RETRY, "backoff_ms": backoff, "factor": factor}, "outcomes": GIVEN})
    whole = backoff * MS * factor ** (number - 1)
    waited = patience.wait(chance, "x", number)
    assert min(whole / 2, LONGEST_MS * MS) - 1 <= waited <= min(whole, LONGEST_MS * MS)


ANSWERS = st.lists(st.sampled_from(["SUCCESS", "BUSY", 10, 70, "CRASH"]), min_size=6, max_size=6)


@settings(max_examples=60, deadline=None)
@given(ANSWERS, st.sampled_from([["BUSY"], ["TIMEOUT"], ["BUSY", "TIMEOUT"], ["SUCCESS"]]), st.integers(1, 4))
def test_the_first_answer_that_is_not_tried_again_stands(answers: list[Any], on: list[str], most: int) -> None:
    told = {"SUCCESS": "SUCCESS", "BUSY": "BUSY", 10: "SUCCESS", 70: "TIMEOUT", "CRASH": "FAULT"}
    outcomes = [told[answer] for answer in answers]
    standing = next((n for n, outcome in enumerate(outcomes[:most]) if outcome not in on), most)
    raised = [ValueError() if answer == "CRASH" else answer for answer in answers]
    with open_root(None) as memory:
        ended = tried(memory, asking({**RETRY, "on": on, "max": most}, 50), raised)
        kept = [f"k {answers[standing]}"] if outcomes[standing] in ("SUCCESS", "BUSY") else []
        assert keys(memory) == kept
    assert bodies(ended)[1]["outcome"] == outcomes[standing]
    assert observed(ended)[1].get("attempts", 1) == standing + 1
    assert ("receipt" in observed(ended)[1]) == bool(kept)


# Deadlines


@pytest.mark.parametrize("effect", ["MUTABLE", "READ"])
def test_an_answer_that_comes_too_late_is_undone(ledger: Ledger, effect: str) -> None:
    seen: list[Any] = []
    nodes = asking(None, 50, effect)
    ask = answering([70], seen)
    if effect == "READ":
        ask = lambda inputs, store, call: (setattr(call.clock, "now", call.clock.now + 70 * MS), ("SUCCESS", {}))[1]  # noqa: E731
    ended = run(ledger, program(nodes, {PUT: ask, READ: ask}, payload=PAYLOAD))
    assert (ended.exit, bodies(ended)[1]["outcome"], bodies(ended)[1]["output"]) == ("late", "TIMEOUT", {})
    assert "receipt" not in observed(ended)[1] and keys(ledger) == []
    assert ledger.doubt(ledger.finished("T1")) is None  # type: ignore[arg-type]


def test_an_answer_in_time_stands_and_its_deadline_was_known(ledger: Ledger) -> None:
    seen: list[Any] = []
    ended = tried(ledger, asking(None, 50), [40], seen=seen)
    assert ended.exit == "done" and keys(ledger) == ["k 40"]
    started = observed(ended)[0]["at_us"] * 1000
    assert started < seen[0][2] - 50 * MS < started + 10 * MS


def test_a_timeout_can_be_tried_again_and_each_attempt_has_its_own_deadline(ledger: Ledger) -> None:
    seen: list[Any] = []
    retry = {**RETRY, "on": ["BUSY", "TIMEOUT"], "backoff_ms": 1000}
    ended = tried(ledger, asking(retry, 50), [70, "BUSY", 60, 10], seen=seen)
    assert (ended.exit, observed(ended)[1]["attempts"]) == ("done", 4)
    deadlines = [item[2] for item in seen]
    assert deadlines == sorted(deadlines) and keys(ledger) == ["k 10"]
    late = tried(open_root(None), asking({**retry, "max": 1}, 50), [70, 70])
    assert (late.exit, observed(late)[1]["attempts"], "receipt" in observed(late)[1]) == ("late", 2, False)


def test_a_capability_may_say_itself_that_it_was_too_late(ledger: Ledger) -> None:
    ended = tried(ledger, asking(None, 50), ["TIMEOUT"])
    assert ended.exit == "late" and "receipt" not in observed(ended)[1] and keys(ledger) == []


def test_a_crash_is_a_fault_also_after_the_deadline(ledger: Ledger) -> None:
    def ask(inputs: Any, store: Any, call: Any) -> Any:
        call.clock.now += 70 * MS
        raise TimeoutError

    ended = run(ledger, program(asking(None, 50), {PUT: ask}))
    assert (ended.exit, observed(ended)[1]["fault"]["exception"]) == ("failed", "TimeoutError")


def test_a_clock_that_goes_backwards_makes_nothing_late(ledger: Ledger) -> None:
    ended = tried(ledger, asking({**RETRY, "backoff_ms": 10}, 50), ["BUSY", -10_000])
    assert ended.exit == "done" and observed(ended)[1]["took_us"] == 0
    assert all(obs.get("waited_us", 1) > 0 for obs in observed(ended))


# In loops, with others at the database, and in files that were edited


def test_in_a_loop_each_iteration_has_its_own_attempts(ledger: Ledger) -> None:
    seen: list[Any] = []
    retry = {**RETRY, "backoff_ms": 10}
    node = call("go[]", PUT, {"key": ref("go", "one")}, {name: GIVEN[name] for name in ("SUCCESS", "BUSY")}, {},
                "MUTABLE", store=STORE, retry=retry)  # fmt: skip
    routes = {"SUCCESS": "done", "FAILED": "done", "PARTIAL": "done", "FAULT": "failed"}
    nodes = [each("go", ref("payload", "items"), "go[]", routes), *called("go", node, ("SUCCESS", "BUSY"))]
    clock = Pausing()
    ask = answering(["BUSY", "SUCCESS", "BUSY", "BUSY", "SUCCESS", "SUCCESS"], seen)
    ended = run(ledger, program(nodes, {PUT: ask}), clock, {"items": ["a", "b", "c"]})
    assert [obs.get("attempts") for obs in observed(ended)[1:4]] == [2, 3, None]
    assert [item[0] for item in seen] == ["go[0]"] * 2 + ["go[1]"] * 3 + ["go[2]"]
    assert len({item[1] for item in seen}) == 3 and len(set(clock.pauses)) == 3
    assert [receipt for obs in observed(ended)[1:4] if (receipt := obs.get("receipt"))] == [1, 2, 3]


def test_a_database_that_is_locked_during_a_retry_stops_the_run(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.05)
    with open_root(str(tmp_path / "data")) as patient, open_root(str(tmp_path / "data")) as other:
        held = journalled(other, program(asking(), {PUT: answering([])}), {"key": "k"}, "T2")
        clock = Pausing()
        clock.pause = lambda ns: held.begin()  # type: ignore[method-assign]
        found = program(asking({**RETRY, "backoff_ms": 10}), {PUT: answering(["BUSY", "SUCCESS"])}, payload=PAYLOAD)
        with pytest.raises(Trouble) as trouble:
            run(patient, found, clock)
        assert trouble.value.diagnostic.code == "OB721"
        held.rollback()
        # Nothing had been committed, so nothing is left and the run can be started again.
        assert patient.finished("T1") is None and keys(patient) == []
        again = run(patient, program(asking(), {PUT: answering(["SUCCESS"])}, payload=PAYLOAD))
        assert again.exit == "done" and "attempts" not in observed(again)[1]


def test_an_interrupt_while_waiting_leaves_what_was_committed(ledger: Ledger) -> None:
    def interrupted(ns: int) -> None:
        raise KeyboardInterrupt

    clock = Pausing()
    clock.pause = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        tried(ledger, asking({**RETRY, "backoff_ms": 10}), ["BUSY", "SUCCESS"], clock)
    assert keys(ledger) == [] and not ledger._db.in_transaction


@pytest.mark.parametrize(
    "change",
    [
        {"retry": {**RETRY, "on": []}},
        {"retry": {**RETRY, "on": ["NEVER"]}},
        {"retry": {**RETRY, "on": ["FAULT"]}},
        {"retry": {**RETRY, "on": ["TIMEOUT"]}},
        {"retry": {**RETRY, "max": 0}},
        {"retry": {**RETRY, "max": 101}},
        {"retry": {**RETRY, "max": True}},
        {"retry": {**RETRY, "backoff_ms": -1}},
        {"retry": {**RETRY, "backoff_ms": LONGEST_MS + 1}},
        {"retry": {**RETRY, "factor": 0.5}},
        {"retry": {**RETRY, "factor": 11}},
        {"retry": {**RETRY, "factor": "2"}},
        {"retry": {"on": ["BUSY"]}},
        {"deadline_ms": 10},  # and no outcome TIMEOUT
        {"deadline_ms": 0},
        {"deadline_ms": 1.5},
        {"effect": "PURE"},
    ],
)
def test_edited_attempts_are_refused_when_they_are_linked(change: Any) -> None:
    nodes = asking()
    functions = {PUT: answering([])}
    program(nodes, functions)
    with pytest.raises(Malformed):
        program([{**nodes[0], **change}, *nodes[1:]], functions)


def test_a_workflow_without_backoff_draws_nothing() -> None:
    assert not program(asking(), {PUT: answering([])}).draws
    assert program(asking({**RETRY, "backoff_ms": 1}), {PUT: answering([])}).draws
