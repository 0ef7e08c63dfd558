"""Loops that are walked again: replayed, cut at every row, interrupted at every commit and gone on with."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handmade import EPOCH_NS, OPENING, Counting, Ticking, bodies, run, start
from looped import ANSWERS, FUNCTIONS, STORE, TRANSFORM, doubling, journalled, program, ran, ref, step
from omnibachi import verify
from omnibachi_ledger import Ledger, open_root
from omnibachi_model.digests import decode, encode
from omnibachi_model.formats import write_time
from omnibachi_model.record import RESUMED_BODY, export, read
from omnibachi_runtime.link import Program
from omnibachi_runtime.recorded import Difference, retrace
from omnibachi_runtime.replay import replay
from omnibachi_runtime.resume import resume
from omnibachi_runtime.walk import STOP, Start, Walk, go_on, walk
from tangled import ACTS, Plan, items, plans, written
from thoroughness import many

EXAMPLES = many(30, 500)
thorough = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
STORES = {STORE: {"keeps": "records"}}


class Untouched:
    """A clock and chance that nobody may touch."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name} was asked for")

    def now_ns(self) -> NoReturn:
        raise AssertionError("the clock was read")


def begun(clock: Any = None) -> Start:
    """Return what the runs here began with, as their record has it."""
    first = EPOCH_NS + 1_000_000
    return Start("T1", first, write_time(first), None, b"", clock or Untouched(), Untouched(), None)  # type: ignore[arg-type]


def ran_with(ledger: Ledger, found: Program, journal: Any = None) -> Walk:
    first = start(journal or journalled(ledger, found, {}))
    first.opening = OPENING.replace(b'"none"', b"null")
    return walk(found, first, found.gate({}))


def tangle(plan: Plan) -> Program:
    return program(written(plan), ACTS, stores=STORES, journal=True)


def untouchable(*_: Any) -> NoReturn:
    raise AssertionError("a side effect was asked again")


@thorough
@given(items, st.sampled_from([["SUCCESS"], ["ODD", "SUCCESS"]]))
def test_a_loop_leaves_what_the_same_calls_leave_in_line(found: list[int], good: list[str]) -> None:
    looped = ran(doubling(good=good), FUNCTIONS, {"items": found})
    names = [f"c{number}" for number, _ in enumerate(found)]
    line = [
        step(name, {"n": ref("payload", "items", number)}, ANSWERS,
             dict.fromkeys(("SUCCESS", "ODD"), [*names, "done"][number + 1]) | {"FAULT": "failed"})
        for number, name in enumerate(names)
    ]  # fmt: skip
    flat = ran(line, FUNCTIONS, {"items": found})
    told = ("capability", "effect", "inputs", "outcome", "output")
    calls, others = (
        [[body[name] for name in told] for body in bodies(one) if body["kind"] == "CALLED"] for one in (looped, flat)
    )
    assert calls == others
    whole = [body for body in bodies(looped) if body["kind"] == "COMPUTED"]
    assert [body["inputs"]["count"] for body in whole] == ([] if looped.exit == "failed" else [len(found)])
    assert [item["outcome"] for body in whole for item in body["output"]["items"]] == [
        call[3] for call in calls if whole
    ]


@thorough
@given(plans())
def test_a_replay_equals_the_run_and_its_record_holds(plan: Plan) -> None:
    found = tangle(plan)
    with open_root(None) as ledger:
        ended = ran_with(ledger, found)
        assert ledger.events("T1") == ended.events
        assert ledger.doubt(ledger.finished("T1")) is None  # type: ignore[arg-type]
    record = export([event[1:] for event in ended.events])
    assert verify(record).verdict == "INTACT"
    pure = {name: item if name == TRANSFORM else untouchable for name, item in ACTS.items()}
    again = program(written(plan), pure, stores=STORES, journal=True)
    events = list(read(record))
    told = replay(again, events)
    assert (told.difference, told.stops_at) == (None, None)
    paths = [path for path, _, _ in ended.events if path]
    assert len(paths) == len(set(paths)) and not any("[]" in path for path in paths)


def storeless(plan: Plan) -> Program:
    nodes = [{**node, "store": None} if node["kind"] == "CALL" else node for node in written(plan)]
    return program(nodes, ACTS, journal=False)


@thorough
@given(plans(effects=False))
def test_from_every_prefix_the_walk_goes_on_to_the_same_end(plan: Plan) -> None:
    found = storeless(plan)
    ended = run(found, {})
    for kept in range(1, len(ended.events)):
        cut, index = retrace(found, begun(Ticking()), ended.events[:kept])
        assert index != STOP and cut.events == ended.events[:kept]
        cut.now_ns = lambda: EPOCH_NS
        assert go_on(cut, index).digest == ended.digest
        assert cut.loops == [] and cut.result == ended.result
    whole, index = retrace(found, begun(), ended.events)
    assert (index, whole.digest, whole.exit, whole.result) == (STOP, ended.digest, ended.exit, ended.result)


class Dying:
    """A journal whose process ends before or after its n-th `begin` or `commit`."""

    def __init__(self, journal: Any, fatal: int) -> None:
        self.journal = journal
        self.left = fatal

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.journal, name)
        return self._counted(real) if name in ("begin", "commit") else real

    def _counted(self, real: Any) -> Any:
        def call() -> None:
            self.edge()
            real()
            self.edge()

        return call

    def edge(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def state(ledger: Ledger) -> Any:
    events = [body for _, body, _ in ledger.events("T1") if body != RESUMED_BODY]
    rows = ledger._db.rows("SELECT number, path, capability, outcome FROM receipts ORDER BY number")
    return ledger.records(STORE), list(rows), events


@thorough
@given(plans(), st.data())
def test_interrupted_at_any_commit_and_resumed_nothing_is_done_twice(plan: Plan, data: st.DataObject) -> None:
    found = tangle(plan)
    with open_root(None) as ledger:
        whole = ran_with(ledger, found, journal := Dying(journalled(ledger, found, {}), 10**9))
        expected, edges = state(ledger), 10**9 - journal.left
    with open_root(None) as ledger:
        dying: Any = Dying(journalled(ledger, found, {}), data.draw(st.integers(1, edges)))
        while True:
            try:
                ended = ran_with(ledger, found, dying) if not ledger.events("T1") else resumed(ledger, found, dying)
            except KeyboardInterrupt:
                dying = Dying(None, data.draw(st.integers(1, edges)) if data.draw(st.booleans()) else 10**9)
                if not ledger.events("T1"):
                    dying.journal = journalled(ledger, found, {})
                elif ledger.finished("T1").exit is not None:  # type: ignore[union-attr]
                    break
            else:
                assert ended.digest == whole.digest and ended.result == whole.result
                break
        assert state(ledger) == expected


def resumed(ledger: Ledger, found: Program, dying: Dying) -> Walk:
    row = ledger.finished("T1")
    assert row is not None and row.exit is None and ledger.doubt(row) is None
    cut, index = retrace(found, begun(Ticking()), ledger.events("T1"))
    dying.journal = ledger.take_over(row, found.sealed)
    cut.entropy = Counting()
    return resume(cut, index, dying, {})  # type: ignore[arg-type]


def test_a_cut_record_stops_inside_the_loop_and_says_where() -> None:
    ended = ran(doubling(), FUNCTIONS, {"items": [2, 4, 6]})
    found = program(doubling(), FUNCTIONS, journal=False)
    for kept, place in ((1, "go"), (2, "go[0]"), (3, "go[1]"), (4, "go[2]"), (5, "done")):
        events = list(read(export([event[1:] for event in ended.events[:kept]])))
        assert replay(found, events).stops_at == place


@pytest.mark.parametrize(
    ("at", "field", "value", "path", "recomputed"),
    [
        (1, "path", "go[1]", "go[0]", "go[0]"),
        (1, "path", "go[]", "go[0]", "go[0]"),
        (2, "inputs", {"n": 5}, "go[1]", {"n": 4}),
        (2, "output", {"double": 9}, "go[1]", {"double": 8}),
        (3, "outcome", "PARTIAL", "go", "SUCCESS"),
        (3, "inputs", {"count": 3}, "go", {"count": 2}),
        (3, "path", "went", "go", "go"),
        (4, "result", {"items": []}, "done", None),
    ],
)
def test_the_first_difference_in_a_loop_is_named(at: int, field: str, value: Any, path: str, recomputed: Any) -> None:
    ended = ran(doubling(), FUNCTIONS, {"items": [2, 4]})
    found = program(doubling(), FUNCTIONS, journal=False)
    events = list(ended.events)
    name, body, obs = events[at]
    events[at] = (name, encode({**decode(body), field: value}), obs)
    with pytest.raises(Difference) as difference:
        retrace(found, begun(), events)
    told = difference.value
    assert (told.path, told.field, told.recorded) == (path, field, value)
    assert recomputed is None or told.recomputed == recomputed


def test_a_row_more_or_less_in_a_loop_is_a_difference() -> None:
    ended = ran(doubling(), FUNCTIONS, {"items": [2, 4]})
    found = program(doubling(), FUNCTIONS, journal=False)
    for events in (ended.events[:2] + ended.events[3:], ended.events[:3] + ended.events[2:]):
        with pytest.raises(Difference):
            retrace(found, begun(), events)
