"""Loops from the front door: compiled, run, told, forced in scenarios, resumed with their recorded chance, replayed."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import omnibachi
from crashing import in_child, state
from handmade import Ticking
from omnibachi import RunResult, Workspace
from omnibachi.compiling import compile_workspace
from omnibachi.results import Step
from omnibachi.scenarios.runner import Report, run_scenarios
from omnibachi.scenarios.stage import SeededEntropy, StandingClock
from omnibachi.workspace import shipped_root
from omnibachi_model.digests import decode
from omnibachi_model.record import read
from trial import lay_trial
from trial_loops import LOOPS

NAMES = {"names": ["a", "b", "a"]}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loops")
    lay_trial(folder)
    return folder


@pytest.fixture
def here(sealed: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "w"
    shutil.copytree(sealed, folder)
    return folder


def forced(here: Path, answers: Any, payload: Any = None) -> RunResult:
    engine = Workspace(here).engine(
        clock=StandingClock("2026-01-01T00:00:00Z"), entropy=SeededEntropy(1), forced=answers
    )
    with engine:
        return engine.run(LOOPS, payload or NAMES)


def steps(result: RunResult) -> list[str]:
    return [f"{step.node} {step.outcome}" for step in result.path]


def test_the_path_names_each_iteration_and_the_loops_themselves(here: Path) -> None:
    result = Workspace(here).run(LOOPS, NAMES, picture=False)
    assert result.ok and result.diagnostics == ()
    assert steps(result) == [
        "keep_all[0]/claim SUCCESS", "keep_all[0]/put SUCCESS", "keep_all[0]/seen[0] SUCCESS",
        "keep_all[0]/seen SUCCESS", "keep_all[1]/claim SUCCESS", "keep_all[1]/put SUCCESS",
        "keep_all[1]/seen[0] SUCCESS", "keep_all[1]/seen SUCCESS", "keep_all[2]/claim ALREADY_EXISTS",
        "keep_all PARTIAL", "tell[0] SUCCESS", "tell[1] SUCCESS", "tell SUCCESS", "look/things SUCCESS",
        "look/nothing NOT_FOUND", "look SUCCESS", "again ALREADY_EXISTS",
    ]  # fmt: skip
    assert result.path[9] == Step("keep_all", None, "PARTIAL")
    assert result.result is not None and [item["outcome"] for item in result.result["kept"]] == [  # type: ignore[index,union-attr,call-overload]
        "SUCCESS", "SUCCESS", "TAKEN",
    ]  # fmt: skip
    events = list(read(result.record))
    chance = events[0].obs["chance"]
    assert len(bytes.fromhex(chance)) == 16 and "chance" not in events[0].body
    told = {event.body.get("path"): event.obs for event in events}
    assert told["again"]["attempts"] == 3 and told["again"]["waited_us"] >= 3000
    assert told["tell"]["waited_us"] == 2000
    assert omnibachi.verify(result.record, data_root=here / "data").verdict == "ANCHORED"
    found = omnibachi.replay(result.record, Workspace(here).load())
    assert found.same and found.finished


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("keep_all[]/claim", ["TAKEN", "TAKEN", "TAKEN"]),
        ("keep_all[1]/claim", ["SUCCESS", "TAKEN", "TAKEN"]),
        ("keep_all[2]/claim", ["SUCCESS", "SUCCESS", "TAKEN"]),
        ("keep_all[9]/claim", ["SUCCESS", "SUCCESS", "TAKEN"]),
    ],
)
def test_answers_are_forced_in_every_iteration_or_in_one(here: Path, name: str, outcomes: list[str]) -> None:
    answer = ("ALREADY_EXISTS", {"value": {"owner": "x"}})
    result = forced(here, {name: answer})
    loop = next(decode(body) for path, body, _ in result.events if path == "keep_all")
    assert [item["outcome"] for item in loop["output"]["items"]] == outcomes


def test_one_iteration_may_crash_or_come_too_late(here: Path) -> None:
    crashed = forced(here, {"keep_all[1]/seen[0]": ("FAULT", {})})
    assert (crashed.exit, steps(crashed)[-1]) == ("failed", "keep_all[1]/seen[0] FAULT")
    (found,) = crashed.diagnostics
    assert (found.code, found.span and found.span.file) == ("OB702", "protocols/trial/loops.yaml")
    assert [label for _, label in found.related] == ["used by `keep_all`"]
    late = forced(here, {"again": ("TIMEOUT", {})})
    assert (late.exit, steps(late)[-1]) == ("failed", "again TIMEOUT")
    looked = forced(here, {"look/things": ("TIMEOUT", {}), "look/nothing": ("FAULT", {})})
    assert steps(looked)[-2:] == ["look/things TIMEOUT", "look/nothing FAULT"]


SCENARIO = """
test: a single iteration is forced
workflow: WF_LOOPS_V0
given:
  answers: {%s: {outcome: ALREADY_EXISTS, output: {value: {owner: x}}}}
steps:
  - payload: {names: [a, b]}
    expect: {exit: done, path: %s}
"""


def played(here: Path, answered: str, path: str) -> Report:
    file = here / "protocols/trial/tests/loops.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(SCENARIO % (json.dumps(answered), path))
    workspace = Workspace(here)
    compiled = compile_workspace(str(here), shipped=shipped_root())
    assert not [item for item in compiled.diagnostics if item.severity == "error"], compiled.diagnostics
    return run_scenarios(compiled, workspace.capabilities)


def test_a_scenario_forces_and_expects_iterations(here: Path) -> None:
    whole = (
        '["keep_all[0]/claim SUCCESS", "keep_all[0]/put SUCCESS", "keep_all[0]/seen[0] SUCCESS", '
        '"keep_all[0]/seen SUCCESS", "keep_all[1]/claim ALREADY_EXISTS", keep_all PARTIAL, "tell[0] SUCCESS", '
        '"tell[1] SUCCESS", tell SUCCESS, look/things SUCCESS, look/nothing NOT_FOUND, look SUCCESS, '
        "again ALREADY_EXISTS]"
    )
    report = played(here, "keep_all[1]/claim", whole)
    assert report.ok, [item.message for one in report.scenarios for item in one.failures]
    assert played(here, "keep_all[]/put", whole).scenarios[0].failures[0].code == "OB743", "no answer of `put`"
    report = played(here, "keep_all[1]/clam", whole)
    assert [item.code for one in report.scenarios for item in one.failures] == ["OB743"]


def test_a_run_that_died_while_it_was_tried_again_uses_its_recorded_chance(here: Path, tmp_path: Path) -> None:
    command = ("run", "--wf", LOOPS, "--trace-id", "T1", "--set", 'names:=["a"]', "--no-picture", "--json")
    whole = in_child(command, here)
    assert json.loads(whole.out)["exit"] == "done"
    expected = state(here / "data")
    shutil.rmtree(here / "data")
    shutil.rmtree(here / "traces")
    fatal = len(whole.edges) - whole.edges[::-1].index("after ROLLBACK")
    assert in_child(command, here, fatal=fatal).status == -9
    # Another process draws other chance; the waits are still those of the run.
    found = Workspace(here).resume("T1", picture=False)
    assert found.exit == "done"
    first, *_, last, _ = list(read(found.record))
    assert first.obs["chance"] == bytes(range(16)).hex()
    there = next(json.loads(body) | obs for run, path, body, obs in expected["events"] if path == "again")
    assert (last.obs["attempts"], last.obs["waited_us"]) == (there["attempts"], there["waited_us"])
    assert found.digest == json.loads(whole.out)["digest"]


def test_a_journal_that_lost_its_chance_resumes_nothing(here: Path) -> None:
    command = ("run", "--wf", LOOPS, "--trace-id", "T1", "--set", 'names:=["a"]', "--no-picture", "--json")
    edges = in_child(command, here).edges
    shutil.rmtree(here / "data")
    shutil.rmtree(here / "traces")
    assert in_child(command, here, fatal=len(edges) - edges[::-1].index("after ROLLBACK")).status == -9
    db = sqlite3.connect(here / "data/store.db")
    db.execute("DROP TRIGGER events_update")
    db.execute("UPDATE events SET obs=CAST(json_remove(CAST(obs AS TEXT), '$.chance') AS BLOB) WHERE seq=1")
    db.commit()
    db.close()
    found = Workspace(here).resume("T1", picture=False)
    assert [item.code for item in found.diagnostics] == ["OB723"] and "chance" in found.diagnostics[0].message


class Waiting(Ticking):
    """A clock on which somebody presses Ctrl-C during the first pause."""

    def pause(self, ns: int) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_while_a_loop_pauses_leaves_a_run_that_is_resumed(here: Path) -> None:
    data = here / "data"
    with pytest.raises(KeyboardInterrupt), Workspace(here).engine(data, clock=Waiting()) as engine:
        engine.run(LOOPS, NAMES, trace_id="T1")
    found = Workspace(here).resume("T1", data_root=data, picture=False)
    assert found.exit == "done" and steps(found).count("tell[0] SUCCESS") == 1


def test_ctrl_c_ends_a_long_pause_at_once(sealed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "patient"
    shutil.copytree(sealed, folder)
    declared = folder / "protocols/trial/loops.yaml"
    declared.write_text(declared.read_text().replace("every: 2ms", "every: 10m"))
    assert Workspace(folder).compile().ok
    command = ("run", "--wf", LOOPS, "--trace-id", "T1", "--set", 'names:=["a"]', "--no-picture", "--json")
    ended = in_child(command, folder, after=1.5, with_signal=signal.SIGINT)
    assert ended.status == 130, ended.out
    paths = [path for _, path, _, _ in state(folder / "data").get("events", ())]
    assert "tell[1]" not in paths
