"""A run may be killed anywhere: `resume --all` then leaves what an undisturbed run leaves, and nothing is done twice.

Each case is a run of one workflow in a folder of its own. It is done once undisturbed, which tells its edges (see
crashing.py); then once for each edge in a fresh folder, where the process kills itself there. After that another
process says `resume --all`, and where nothing had been committed the same command is given again. Time and chance stand
still, so state, digests, receipts, mirrors, trace and page must be those of the undisturbed run.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
from pathlib import Path

import pytest

from children import HERE
from crash_cases import ID, KILLED, RESUME, Case, case, fresh_place, peopled_folder, started, verification, warmed_trial
from crashing import in_child
from errands import REGISTER_ACTOR, actor
from omnibachi import Workspace
from thoroughness import many, some
from trial import EVERY_KIND, SAY, a_copy
from trial_loops import LOOPS

VERIFY_ACTOR = "blockchain::WF_VERIFY_ACTOR_V0"

place = fresh_place
trial = warmed_trial
peopled = peopled_folder


def every_edge(found: Case) -> None:
    for edge in range(1, len(found.edges) + 1):
        found.survives(edge)


def test_every_kind_of_node_from_nothing(place: Path, trial: Path) -> None:
    found = case(place, "kinds", a_copy(trial, place / "nothing"), EVERY_KIND, {"name": "a"})
    assert found.answer["exit"] == "done" and found.edges.count("before COMMIT") == 8
    every_edge(found)


def test_every_kind_of_loop_from_nothing(place: Path, trial: Path) -> None:
    """From its first transaction to its last: what comes before and after is the same for every workflow."""
    found = case(place, "loops", a_copy(trial, place / "unlooped"), LOOPS, {"names": ["a", "a"]})
    assert found.answer["exit"] == "done"
    walked = [step["node"] for step in found.answer["path"]]
    assert {"keep_all[0]/seen[0]", "keep_all[1]/claim", "keep_all", "tell[1]", "look/things", "again"} <= set(walked)
    # The tables; three in the first loop, two in the second; the index that a count lays; the last attempt of three.
    commits = [edge for edge, name in enumerate(found.edges, 1) if name == "after COMMIT"]
    assert found.edges.count("before ROLLBACK") == 2 and len(commits) == 1 + 3 + 2 + 1 + 1
    for edge in range(commits[0] + 1, commits[-1] + 1):
        found.survives(edge)


def test_the_workflows_of_identity(place: Path, peopled: Path) -> None:
    """Those of `ai_governance` and the movements of value are killed in files of their own."""
    payloads = {REGISTER_ACTOR: actor(3, "A"), VERIFY_ACTOR: verification(peopled)}
    assert set(payloads) <= set(Workspace(HERE.parent).load().workflows)
    for workflow, payload in payloads.items():
        found = case(place, workflow.replace("::", "-"), peopled, workflow, payload)
        assert found.answer["ok"] and found.edges.count("before COMMIT") >= 2
        for edge in some(range(1, len(found.edges) + 1), 3):
            found.survives(edge)


def test_a_workflow_without_side_effects_is_run_again(place: Path, trial: Path) -> None:
    found = case(place, "say", a_copy(trial, place / "speechless"), SAY, {"name": "a"})
    assert found.state == {}
    every_edge(found)


def test_publishing_with_a_picture(place: Path, peopled: Path) -> None:
    """Only what comes after the page: the rest is the same without a picture."""
    found = case(place, "picture", peopled, REGISTER_ACTOR, actor(3, "A"), "--data-root", "data")
    assert f"traces/{ID}/{ID}.png" in found.files
    page, _ = [edge for edge, name in enumerate(found.edges, 1) if name == "after replace"][-2:]
    for edge in range(page, len(found.edges) + 1):
        found.survives(edge)


def test_an_interrupt_at_many_edges_of_a_denied_run(place: Path, trial: Path) -> None:
    """Ctrl-C is said as one diagnostic, and what was begun is finished as after a kill."""
    template = started(place, "begun", trial)
    found = case(place, "denied", template, EVERY_KIND, {"name": "before", "n": 500, "by": "x"})
    assert (found.answer["exit"], found.answer["exit_code"]) == ("refused", 5)
    for edge in some(range(1, len(found.edges) + 1), 5):
        folder = found.fresh()
        ended = in_child(found.command, folder, fatal=edge, with_signal=signal.SIGINT)
        said = json.loads(ended.out)
        assert (ended.status, [item["code"] for item in said["diagnostics"]]) == (130, ["OB745"])
        found.resumed(folder)
        found.check(folder)
        shutil.rmtree(folder)


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT])
def test_a_signal_at_any_moment(place: Path, trial: Path, with_signal: signal.Signals) -> None:
    """Also inside of what SQLite and the interpreter do, where no edge is."""
    found = case(place, f"any-{with_signal}", a_copy(trial, place / f"moment-{with_signal}"), EVERY_KIND, {"name": "a"})
    moments = random.Random(with_signal)
    before = 0
    for _ in range(many(12, 200)):
        folder = found.fresh()
        ended = in_child(found.command, folder, after=moments.uniform(0.002, 0.06), with_signal=with_signal)
        assert ended.status in (0, 130, -with_signal)
        if ended.status != 0:
            found.resumed(folder)
            before += 1
        found.check(folder)
        shutil.rmtree(folder)
    assert before


# Death while resuming


@pytest.mark.parametrize("nth", [1, 4, 8])
def test_whoever_resumes_may_die_as_well(place: Path, trial: Path, nth: int) -> None:
    """Killed after its n-th commit (the first lays the tables); then the resumption is killed, twice, at its edges."""
    found = case(place, f"twice-{nth}", a_copy(trial, place / f"again-{nth}"), EVERY_KIND, {"name": "a"})
    places = [edge for edge, name in enumerate(found.edges, 1) if name == "after COMMIT"]
    folder = found.killed(places[nth - 1])
    kept = found.place / "kept"
    shutil.copytree(folder, kept, symlinks=True)
    for edge in some(range(1, len(in_child(RESUME, folder).edges) + 1), 3):
        # The dead left word of where they would have published: it is always the same folder.
        shutil.rmtree(folder)
        shutil.copytree(kept, folder, symlinks=True)
        assert in_child(RESUME, folder, fatal=edge).status == KILLED
        assert in_child(RESUME, folder, fatal=edge).status in (KILLED, 0)
        found.resumed(folder)
        found.check(folder)


def test_a_finished_run_is_finished(place: Path, trial: Path) -> None:
    """After a death and a resumption the same command answers from the record, and resuming finds nothing to do."""
    found = case(place, "done", a_copy(trial, place / "finished"), EVERY_KIND, {"name": "a"})
    for edge in some(range(1, len(found.edges) + 1), 20):
        folder = found.killed(edge)
        found.resumed(folder)
        found.again(folder)
        assert json.loads(in_child(RESUME, folder).out)["runs"] == []
        found.check(folder)
