"""Whatever is handed in, in whatever order, by whatever clock: what counts and what follows is what the rules say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibachi import verify, wiring
from omnibachi.approving import signed
from omnibachi_model.formats import write_time
from omnibachi_model.waits import outputs, written_duration
from peopled import HOUR_NS, PAY, PAYLOAD, Desk, Watch

MOVES = st.lists(
    st.tuples(
        st.sampled_from(["first", "second", "third", "clerk", "nobody"]),
        st.sampled_from(["APPROVE", "REJECT"]),
        st.integers(-30, 30),
    ),
    max_size=7,
)


@pytest.fixture(scope="module", name="desk")
def one_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk") / "desk")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES, after=st.integers(-30, 30))
def test_what_counts_is_what_the_rules_say(desk: Desk, moves: list[tuple[str, str, int]], after: int) -> None:
    watch = Watch()
    began = watch.now
    trust = wiring.trust_of(Path(desk.workspace.trust).read_bytes())
    with desk.workspace.engine(None, clock=watch) as engine:
        assert engine.run(PAY, PAYLOAD, trace_id="T1", actor="clerk").exit_code == 7
        record = engine.record("T1")
        latest, voices, over = began, list[tuple[str, str]](), None
        for name, decision, hours in moves:
            watch.now += hours * HOUR_NS
            key = desk.keys.get(name, wiring.PrivateKey(name, b"n" * 32))
            statement = signed(record, key, decision, None, write_time(watch.now))

            def judge(
                waits: Any, heard: Any, at_us: int, statement: bytes = statement, watch: Watch = watch
            ) -> tuple[str, str]:
                found, wrong = wiring.judge_approval(statement, "T1", waits, heard, at_us, "clerk", trust)
                return ("ACCEPTED" if wrong is None else wrong.code), found

            kept = engine.ledger.people.keep("T1", statement, watch.now // 1000, judge)
            latest = max(latest, watch.now)
            assert kept is not None and kept.at_us * 1000 == latest
            late = latest >= began + 24 * HOUR_NS
            expected = (
                "OB803" if name == "nobody"
                else "OB808" if name == "clerk"
                else "OB810" if over in ("APPROVED", "REJECTED")
                else "OB807" if late
                else "OB809" if name in [voice for voice, _ in voices]
                else "ACCEPTED"
            )  # fmt: skip
            assert kept.verdict == expected
            if expected == "ACCEPTED":
                voices.append((name, decision))
                over = "REJECTED" if decision == "REJECT" else "APPROVED" if len(voices) == 2 else over
        watch.now += after * HOUR_NS
        if over is None and max(latest, watch.now) >= began + 24 * HOUR_NS:
            over = "EXPIRED"
        ended = engine.resume("T1")
        ends = {None: None, "APPROVED": "paid", "REJECTED": "refused", "EXPIRED": "late"}
        assert (ended.exit, ended.exit_code == 7) == (ends[over], over is None)
        assert [step.outcome for step in ended.path][:1] == ([over] if over else [])
        assert verify(engine.record("T1")).holds


@given(st.integers(1, 366 * 24 * 3600 * 1000))
def test_durations_are_written_as_they_are_read(ms: int) -> None:
    from omnibachi_compiler.language.durations import milliseconds

    assert milliseconds(written_duration(ms)) == ms


def test_outputs_are_closed() -> None:
    assert all(schema["additionalProperties"] is False for schema in outputs(2, True).values())
    assert set(outputs(1, False)) == {"APPROVED", "REJECTED"}
