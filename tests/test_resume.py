"""Runs whose process was killed are finished: nothing twice, nothing lost, by one process alone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from children import together
from dying import (
    CAPS,
    JOURNAL,
    KEEP,
    ORDER,
    RUN,
    SHOUT,
    STORE,
    TRACES,
    WALKED,
    bodies,
    calls,
    child,
    code,
    dies,
    dies_at,
    ends_well,
    here,
    keep,
    nothing_left,
    shop,
)
from omnibachi import RunResult, Workspace
from omnibachi_model.record import RESUMED_BODY, read

__all__ = ["here"]


@pytest.fixture
def undisturbed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> RunResult:
    """What the run gives when nobody dies."""
    folder = tmp_path_factory.mktemp("undisturbed")
    monkeypatch.chdir(folder)
    return shop(folder).run(KEEP, ORDER, picture=False)


# Finishing


@pytest.mark.parametrize(
    ("node", "asked"),
    [
        ("look", ["first", "look", "look", "second"]),  # a read that was not committed is asked again
        ("second", ["first", "look", "second", "look", "second"]),  # an effect that was not committed never happened
    ],
)
def test_a_killed_run_is_finished_and_nothing_is_done_twice(
    undisturbed: RunResult, here: Path, node: str, asked: list[str]
) -> None:
    dies_at(here, node)
    found = Workspace(here).resume("T1", picture=False)
    ends_well(here, found)
    assert calls(here) == asked
    # The start is the recorded one, so only it differs from a run on another day.
    assert [body for body in bodies(found) if body != RESUMED_BODY][1:] == bodies(undisturbed)[1:]
    resumed = orjson.loads(found.events[bodies(found).index(RESUMED_BODY)][2])
    assert set(resumed) == {"at_us", "host", "program", "seal", "seq"}
    assert resumed["seq"] == 4
    nothing_left(here)


def test_a_run_that_was_killed_before_its_first_commit_left_nothing(here: Path) -> None:
    dies_at(here, "first")
    workspace = Workspace(here)
    assert code(workspace.resume("T1")) == "OB316"
    nothing_left(here)
    assert os.listdir(here / "data/locks") == []
    ends_well(here, workspace.run(KEEP, ORDER, trace_id="T1", picture=False), 0)


def test_a_run_may_die_again_and_again(here: Path) -> None:
    dies_at(here, "look")
    dies_at(here, "look", "dying", "os:getpid", 10**6, False, ["resume", "--no-picture", "T1"])
    dies_at(here, "second", "dying", "os:getpid", 10**6, False, ["resume", "--no-picture", "--all"])
    dies(here, "dying", f"{JOURNAL}.commit", 1, False, ["resume", "--no-picture", "--all"])
    found = Workspace(here).resume("T1", picture=False)
    ends_well(here, found)
    assert calls(here) == ["first", *["look"] * 3, "second", "look", "second", "look", "second"]


def test_each_resumption_that_committed_something_stands_in_the_record(here: Path) -> None:
    nodes = keep()
    nodes[5] = {**nodes[5], "next": {"FAULT": 6}}  # the end gets a transaction of its own
    shop(here, nodes=nodes)
    dies_at(here, "look")
    dies(here, "dying", f"{JOURNAL}.commit", 2, False, ["resume", "--no-picture", "T1"])
    found = Workspace(here).resume("T1", picture=False)
    ends_well(here, found, 2)
    assert [json["path"] for json in map(orjson.loads, bodies(found)) if "path" in json] == WALKED
    assert orjson.loads(bodies(found)[-1])["kind"] == "RUN_FINISHED"


def test_a_fault_that_is_recorded_answers_too(here: Path) -> None:
    caps = CAPS.replace("    _at(call.path)\n    found", "    _at(call.path)\n    found = 1 / 0\n    found")
    nodes = keep()
    nodes[2] = {**nodes[2], "next": {**nodes[2]["next"], "FAULT": 3}}
    nodes[5] = {**nodes[5], "result": ["map", {}], "next": {"FAULT": 6}}
    shop(here, caps=caps, nodes=nodes)
    dies(here, "dying", f"{JOURNAL}.commit", 3, False, RUN)
    found = Workspace(here).resume("T1", picture=False)
    assert (found.exit, calls(here)) == ("done", ["first", "look", "second"])
    assert [(item.code, item.severity) for item in found.diagnostics] == [("OB702", "warning")]
    assert [event.obs["fault"]["exception"] for event in read(found.record) if "fault" in event.obs] == [
        "ZeroDivisionError"
    ]


@pytest.mark.parametrize(
    ("place", "number", "after"),
    [
        (f"{JOURNAL}.commit", 2, True),
        (f"{TRACES}.write", 1, False),
        (f"{TRACES}.write", 1, True),
        ("os:replace", 1, False),
        ("omnibachi_ledger:Ledger.mirror", 1, True),
        (f"{TRACES}.write", 2, False),
        ("os:replace", 3, False),
        (f"{TRACES}.write", 2, True),
    ],
)
def test_what_an_ended_run_did_not_come_to_publish_is_published(
    here: Path, place: str, number: int, after: bool
) -> None:
    dies(here, "dying", place, number, after, RUN)
    workspace = Workspace(here)
    listed = workspace.recoverer(picture=False).all()
    assert listed.exit_code == 0
    found = workspace.run(KEEP, ORDER, trace_id="T1", picture=False)
    assert found.repeated
    ends_well(here, found, 0)
    assert calls(here) == ["first", "look", "second"]
    nothing_left(here)


def test_an_interrupted_process_leaves_its_publishing_to_the_next(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(here)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(workspace.traces), "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            workspace.run(KEEP, ORDER, trace_id="T1", picture=False)
    (result,) = workspace.recoverer(picture=False).all().results
    ends_well(here, result, 0)


def test_an_ended_run_is_given_as_recorded_and_what_is_missing_is_made(here: Path) -> None:
    workspace = Workspace(here)
    first = workspace.run(KEEP, ORDER, trace_id="T1", picture=False)
    nothing_left(here)
    (here / "traces/T1/T1.md").unlink()
    found = workspace.resume("T1")
    assert (found.repeated, found.record, found.diagnostics) == (True, first.record, ())
    assert sorted(found.trace) == ["jsonl", "md", "png"]
    assert all((here / path).is_file() for path in found.trace.values())
    assert code(workspace.resume("T1", accept=[SHOUT])) == "OB716"


def test_an_engine_publishes_nothing_and_what_it_left_is_finished(here: Path) -> None:
    dies_at(here, "look")
    with Workspace(here).engine(here / "data") as engine:
        found = engine.resume("T1")
        assert engine.resume("T1").repeated
        assert engine.record("T1") == found.record
    assert not (here / "traces").exists()
    assert Workspace(here).resume("T1", picture=False).repeated
    ends_well(here, Workspace(here).resume("T1", picture=False))


def test_an_engine_resumes_what_trouble_stopped_in_itself(here: Path) -> None:
    with Workspace(here).engine(here / "data") as engine:
        (here / "steal-look").touch()
        stopped = engine.run(KEEP, ORDER, trace_id="T1")
        assert (stopped.exit_code, code(stopped)) == (6, "OB713")
        (here / "steal-look").unlink()
        assert code(engine.run(KEEP, ORDER, trace_id="T1")) == "OB712"
        assert engine.resume("T1").exit == "done"


# Who may


def test_a_lease_that_is_lost_in_the_middle_stops_the_resumption(here: Path) -> None:
    dies_at(here, "look")
    (here / "steal-look").touch()
    found = Workspace(here).resume("T1")
    assert (found.exit, found.exit_code, code(found)) == (None, 6, "OB713")
    assert [item["key"] for item in Workspace(here).records(STORE)] == ["TEA"]
    (here / "steal-look").unlink()
    ends_well(here, Workspace(here).resume("T1", picture=False))


def test_a_run_whose_process_lives_is_named_and_left_alone(here: Path) -> None:
    (here / "hang-look").touch()
    started = child(here, "run", "T1")
    try:
        workspace = Workspace(here)
        while "look" not in (calls(here) if (here / "calls").exists() else []):
            assert started.process.poll() is None
            time.sleep(0.01)
        found = workspace.resume("T1")
        assert (found.exit, found.exit_code, code(found)) == (None, 6, "OB713")
        assert f"process {started.process.pid}" in found.diagnostics[0].message
        every = workspace.recoverer(picture=False).all()
        assert (every.results, every.exit_code) == ((), 0)
        assert [(item.row.run, item.process, item.state) for item in every.held] == [
            ("T1", started.process.pid, "held")
        ]
        assert code(workspace.run(KEEP, ORDER, trace_id="T1")) == "OB713"
    finally:
        started.end()
    (here / "hang-look").unlink()
    ends_well(here, workspace.resume("T1", picture=False))


def test_of_two_processes_that_resume_one_run_one_does_it(here: Path) -> None:
    dies_at(here, "look")
    (here / "slow-look").touch()
    said = together(("dying:resumed", "T1"), ("dying:resumed", "T1"))
    done = [item for item in said if item["exit"] == "done"]
    others = [item for item in said if item["exit"] is None]
    assert len([item for item in done if not item["repeated"]]) == 1
    assert all((item["exit_code"], item["codes"]) == (6, ["OB713"]) for item in others)
    assert calls(here) == ["first", "look", "look", "second"]
    ends_well(here, Workspace(here).resume("T1", picture=False))
