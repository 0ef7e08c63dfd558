"""Steps that leave the house, by hand: what is committed when, what is asked again, and what nobody may claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handmade import TEXT, bodies, call, leave, linked, observed, record_of, workflow
from handmade import start as begun
from omnibachi_ledger import Ledger, open_root
from omnibachi_model.digests import digest_of
from omnibachi_model.record import export, read
from omnibachi_runtime.link import Malformed, Program
from omnibachi_runtime.recorded import Difference, retrace
from omnibachi_runtime.replay import replay
from omnibachi_runtime.resume import resume
from omnibachi_runtime.walk import STOP, Walk, walk

SEND = "shop::CS_POST_V0.SEND"
MS = 1_000_000
ANSWERS = ("SUCCESS", "BACKEND_ERROR", "OUTCOME_UNKNOWN", "TIMEOUT", "CRASH", "LATE")
DECLARED = ("SUCCESS", "BACKEND_ERROR", "OUTCOME_UNKNOWN", "TIMEOUT")
NUMBERS = count()


def sending(repeat: str = "key", on: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return a workflow of one call that leaves the house, and an exit for each outcome."""
    outcomes = {name: record_of({}, {"n": {"type": "integer"}}) for name in DECLARED}
    ends = {**{name: index for index, name in enumerate(DECLARED, 1)}, "FAULT": 5}
    retry = {"on": sorted(on), "max": 2, "backoff_ms": 0, "factor": 1} if on else None
    node = call("send", SEND, {"to": ["ref", "payload", ["to"]]}, outcomes, ends, "EXTERNAL", repeat=repeat,
                retry=retry, deadline_ms=20, **more)  # fmt: skip
    exits = [leave(name.lower(), "COMPLETED") for name in DECLARED]
    return workflow([node, *exits, leave("failed", "FAILED"), leave("rejected", "REJECTED")],
                    payload=record_of({}, {"to": TEXT}))  # fmt: skip


def program(answer: Callable[..., Any], repeat: str = "key", on: tuple[str, ...] = (), **more: Any) -> Program:
    return linked(sending(repeat, on, **more), {SEND: answer})


def journal(ledger: Ledger, made: Program, run_id: str, payload: Any) -> Any:
    return ledger.journal(
        run_id, workflow=made.address, workflow_digest=made.digest, sealed=made.sealed, seal=None,
        payload_digest=digest_of(payload), started_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


def sent(ledger: Ledger, made: Program, run_id: str = "T1", payload: Any = None) -> Walk:
    given = {"to": "you"} if payload is None else payload
    return walk(made, begun(journal(ledger, made, run_id, given), run_id), made.gate(given))


@pytest.fixture(name="ledger")
def a_ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_root(str(tmp_path / "data")) as opened:
        yield opened


def saying(answers: Any, asked: list[str] | None = None) -> Callable[..., Any]:
    """Return an operation that gives one answer after the other."""
    left = iter(answers)

    def send(inputs: Any, store: Any, call: Any) -> Any:
        if asked is not None:
            asked.append(call.key)
        inputs["to"] = "spoilt"
        answer = next(left)
        if answer == "CRASH":
            raise ValueError("no")
        if answer == "LATE":
            call.clock.now += 100 * MS
            return "SUCCESS", {}
        return answer, {}

    return send


def test_it_is_intended_before_it_leaves(tmp_path: Path, ledger: Ledger) -> None:
    """Committed for everybody to see, safe from a power failure, and nothing is locked meanwhile."""
    seen: list[Any] = []

    def send(inputs: Any, store: Any, call: Any) -> Any:
        with open_root(str(tmp_path / "data")) as other:
            seen.extend(orjson.loads(body) for _, body, _ in other.events("T1"))
            assert other.finished("T1").exit is None  # type: ignore[union-attr]
            sent(other, program(saying(["SUCCESS"])), "T2")  # another run commits at the same time
        seen.append((ledger._db.in_transaction, ledger._db.row("PRAGMA synchronous"), call.key))
        return "SUCCESS", {"n": 1}

    ended = sent(ledger, program(send))
    key = digest_of(["T1", "send"])
    intended = {"kind": "INTENDED", "path": "send", "capability": SEND, "effect": "EXTERNAL", "inputs": {"to": "you"}}
    assert seen[1:] == [intended, (False, (2,), key)]
    assert bodies(ended)[1] == intended and observed(ended)[1]["key"] == key
    assert ledger._db.row("PRAGMA synchronous") == (1,)
    assert (bodies(ended)[2]["outcome"], observed(ended)[2]["receipt"], ended.exit) == ("SUCCESS", 2, "success")
    row = ledger.finished("T1")
    assert row is not None and ledger.doubt(row) is None and row.digest == ended.digest
    assert [path for path, _, _ in ledger.events("T1")] == ["", "", "send", ""]


def test_what_never_leaves_is_not_intended(ledger: Ledger) -> None:
    """A value that is not there, or does not fit."""
    asked: list[str] = []
    absent = sent(ledger, program(saying([], asked)), payload={})
    misfit = sent(ledger, program(saying([], asked), check=record_of({"to": {"type": "integer"}})), "T2")
    for ended in (absent, misfit):
        assert [item["kind"] for item in bodies(ended)] == ["RUN_STARTED", "CALLED", "RUN_FINISHED"]
        assert ended.exit == "failed" and asked == []
        assert not replay(ended.program, list(read(export((b, o) for _, b, o in ended.events)))).difference


def expected(answers: list[str], repeat: str, on: frozenset[str], unsure: bool = False) -> tuple[str, int]:
    """Say, from what is promised, the outcome of a call whose attempts answer so, and how many it makes."""
    for number, answer in enumerate(answers, 1):
        outcome = {"CRASH": "FAULT", "LATE": "TIMEOUT"}.get(answer, answer)
        if outcome not in on or number > 2:
            break
        unsure = unsure or outcome in ("OUTCOME_UNKNOWN", "TIMEOUT")
    return ("OUTCOME_UNKNOWN" if outcome == "BACKEND_ERROR" and unsure else outcome), number


CASES = st.tuples(st.lists(st.sampled_from(ANSWERS), min_size=3, max_size=3), st.sampled_from(["key", "never"]))
ON = st.frozensets(st.sampled_from(["BACKEND_ERROR", "OUTCOME_UNKNOWN", "TIMEOUT"]))


@settings(max_examples=80, deadline=None)
@given(CASES, ON)
def test_attempts(drawn: tuple[list[str], str], on: frozenset[str]) -> None:
    """No certainty is claimed that an earlier attempt took away; one INTENDED, one key, and a record that holds."""
    answers, repeat = drawn
    on = on if repeat == "key" else on & {"BACKEND_ERROR"}
    asked: list[str] = []
    with open_root(None) as ledger:
        ended = sent(ledger, program(saying(answers, asked), repeat, tuple(on)))
    outcome, times = expected(answers, repeat, on)
    assert [item["kind"] for item in bodies(ended)] == ["RUN_STARTED", "INTENDED", "CALLED", "RUN_FINISHED"]
    assert (bodies(ended)[2]["outcome"], len(asked), len(set(asked))) == (outcome, times, 1)
    assert ("receipt" in observed(ended)[2]) is (outcome != "FAULT")
    assert not replay(ended.program, list(read(export((b, o) for _, b, o in ended.events)))).difference


class Died(BaseException):
    """Stands for the end of a process."""


def dying(asked: list[str]) -> Callable[..., Any]:
    def send(inputs: Any, store: Any, call: Any) -> Any:
        asked.append(call.key)
        raise Died

    return send


@settings(max_examples=60, deadline=None)
@given(CASES, ON)
def test_resumed_after_it_left(drawn: tuple[list[str], str], on: frozenset[str]) -> None:
    """With a key it is asked again under it; without one nothing is asked, and nobody knows."""
    answers, repeat = drawn
    on = on if repeat == "key" else on & {"BACKEND_ERROR"}
    asked: list[str] = []
    with open_root(None) as ledger:
        made = program(saying(answers, asked), repeat, tuple(on))
        with pytest.raises(Died):
            sent(ledger, program(dying(asked), repeat, tuple(on)))
        row = ledger.finished("T1")
        assert row is not None and row.exit is None and ledger.doubt(row) is None
        run, index = retrace(made, begun(None), ledger.events("T1"))
        assert (index, run.intended) == (0, "send")
        held = ledger.take_over(row, made.sealed)
        assert held is not None
        ended = resume(run, index, held, {})
        kinds = [item["kind"] for item in bodies(ended)]
        whole = retrace(made, begun(None), ledger.events("T1"))
    outcome, times = expected(answers, repeat, on, unsure=True) if repeat == "key" else ("OUTCOME_UNKNOWN", 0)
    assert kinds == ["RUN_STARTED", "INTENDED", "RESUMED", "CALLED", "RUN_FINISHED"]
    assert (bodies(ended)[3]["outcome"], len(asked), len(set(asked))) == (outcome, 1 + times, 1)
    assert whole[1] == STOP and whole[0].exit == ended.exit
    # What was answered alone says how it ends: a run that nobody disturbed and was answered so has this digest.
    if outcome != "FAULT":
        with open_root(None) as other:
            undisturbed = sent(other, program(saying([outcome] * 3), repeat, tuple(on)))
        assert undisturbed.digest == ended.digest


def test_equal_answers_have_equal_digests_whatever_the_key(ledger: Ledger) -> None:
    one, other = (sent(ledger, program(saying(["SUCCESS"])), name) for name in ("T1", "T2"))
    assert one.digest == other.digest and observed(one)[1]["key"] != observed(other)[1]["key"]


def test_an_intention_that_says_something_else_is_a_difference(ledger: Ledger) -> None:
    ended = sent(ledger, program(saying(["SUCCESS"])))
    for old, new, field in (
        (b'"you"', b'"her"', "inputs"),
        (b'"send"', b'"post"', "path"),
        (b"INTENDED", b"CALLED", "kind"),
    ):
        path, body, obs = ended.events[1]
        events = [ended.events[0], (path, body.replace(old, new), obs), *ended.events[2:]]
        with pytest.raises(Difference) as found:
            retrace(ended.program, begun(None), events)
        assert found.value.field == field
    with pytest.raises(Difference):
        retrace(ended.program, begun(None), [ended.events[0], *ended.events[2:]])


@pytest.mark.parametrize(
    "spoilt",
    [{"repeat": "often"}, {"repeat": None}, {"store": "shop::ST_X_V0"},
     {"outcomes": {name: record_of() for name in DECLARED if name != "OUTCOME_UNKNOWN"}},
     {"repeat": "never", "retry": {"on": ["OUTCOME_UNKNOWN"], "max": 1, "backoff_ms": 0, "factor": 1}},
     {"retry": {"on": ["SUCCESS"], "max": 1, "backoff_ms": 0, "factor": 1}}],
)  # fmt: skip
def test_a_call_that_is_not_sealed_as_one_that_leaves(spoilt: dict[str, Any]) -> None:
    sealed = sending()
    sealed["nodes"][0] |= spoilt
    sealed["stores"] = {"shop::ST_X_V0": {"keeps": "records"}}
    with pytest.raises(Malformed):
        linked(sealed, {SEND: saying([])})
    del sealed["nodes"][0]["repeat"]
    with pytest.raises(Malformed):
        linked({**sealed, "journal": False}, {SEND: saying([])})


def test_a_scenario_reaches_nothing_outside() -> None:
    from omnibachi_runtime.link import link

    sealed = sending()
    data = orjson.dumps(sealed, None, orjson.OPT_SORT_KEYS)
    asked: list[str] = []
    for forced, exit in (({}, "failed"), ({"send": ("TIMEOUT", {})}, "timeout")):
        with open_root(None) as ledger:
            ended = sent(ledger, link(orjson.loads(data), digest_of(sealed), data, {SEND: saying([], asked)}, forced))
        assert (ended.exit, asked) == (exit, [])
