"""A run may be killed anywhere: `resume --all` then leaves what an undisturbed run leaves, and nothing is done twice.

Each case is a run of one workflow in a folder of its own. It is done once undisturbed, which tells its edges (see
crashing.py); then once for each edge in a fresh folder, where the process kills itself there. After that another process
says `resume --all`, and where nothing had been committed the same command is given again. Time and chance stand still,
so state, digests, receipts, mirrors, trace and page must be those of the undisturbed run.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from children import HERE, SECONDS
from crashing import RESUMED, Ended, files, in_child, state
from errands import REGISTER_ACTOR, actor
from omnibachi import Workspace, verify
from omnibachi_model.record import read
from trial import EVERY_KIND, SAY, a_copy, lay_trial

VERIFY_ACTOR = "blockchain::WF_VERIFY_ACTOR_V0"
ID = "T1"
RESUME = ("resume", "--all", "--json")
KILLED = -signal.SIGKILL


class Case:
    """One run of one workflow, as a command in a folder that is laid anew for each time."""

    def __init__(self, place: Path, template: Path, workflow: str, payload: dict[str, Any], *more: str) -> None:
        self.place = place
        self.template = template
        self.workflow = workflow
        sets = [word for key, value in payload.items() for word in ("--set", f"{key}:={json.dumps(value)}")]
        self.command = ("run", "--wf", workflow, "--trace-id", ID, *sets, *more, "--json")
        self._numbers = count()
        self.folder = self.fresh()
        self.undisturbed = in_child(self.command, self.folder)
        assert self.undisturbed.unseen == []
        self.edges = self.undisturbed.edges
        self.state = state(self.folder / "data")
        self.files = files(self.folder)
        self.answer = json.loads(self.undisturbed.out)

    def fresh(self) -> Path:
        """Lay the folder anew."""
        folder = self.place / str(next(self._numbers))
        shutil.copytree(self.template, folder, symlinks=True)
        return folder

    def killed(self, edge: int) -> Path:
        """Give the command in a fresh folder, killed at an edge."""
        folder = self.fresh()
        assert in_child(self.command, folder, fatal=edge).status == KILLED
        return folder

    def resumed(self, folder: Path) -> Ended:
        """Resume what is there; where nothing had been committed, give the command again."""
        begun = any(row[0] == ID for row in state(folder / "data").get("runs", ()))
        ended = in_child(RESUME, folder)
        finished = [result["trace_id"] for result in json.loads(ended.out)["runs"]]
        assert ended.status == (self.answer["exit_code"] if finished else 0), ended.out
        assert finished in ([], [ID]) and (begun or not finished)
        if not begun:
            again = in_child(self.command, folder)
            assert (again.status, json.loads(again.out)["repeated"]) == (self.answer["exit_code"], False), again.out
        return ended

    def check(self, folder: Path) -> None:
        """Assert that a folder holds what the undisturbed run left."""
        assert state(folder / "data") == self.state
        left = files(folder)
        assert left.keys() == self.files.keys()
        trace = f"traces/{ID}/{ID}"
        data = left[f"{trace}.jsonl"]
        record = list(read(data))
        there, here = ([item.body_bytes for item in read(found)] for found in (self.files[f"{trace}.jsonl"], data))
        assert [body for body in here if body != RESUMED] == there
        told = {f"{trace}.{kind}" for kind in ("jsonl", "md", "png")} if RESUMED in here else set()
        changed = {name for name in left if left[name] != self.files[name]}
        assert changed <= told
        assert all(item.obs["took_us"] >= 0 for item in record[1:] if "took_us" in item.obs)
        verdict = "ANCHORED" if self.state else "INTACT"
        assert verify(data, data_root=folder / "data").verdict == verdict

    def again(self, folder: Path) -> None:
        """Assert that the same command now answers from the record and changes nothing."""
        before = (state(folder / "data"), files(folder))
        ended = in_child(self.command, folder)
        said = json.loads(ended.out)
        assert (ended.status, said["repeated"]) == (self.answer["exit_code"], True)
        assert [said[key] for key in ("exit", "status", "result", "digest")] == [
            self.answer[key] for key in ("exit", "status", "result", "digest")
        ]
        assert (state(folder / "data"), files(folder)) == before

    def survives(self, edge: int) -> None:
        """Go through the whole of it for one edge."""
        folder = self.killed(edge)
        self.resumed(folder)
        self.check(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Return a folder for many short-lived folders, in memory where there is such a place."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="crash-matrix-", dir=memory if memory.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def trial(place: Path) -> Path:
    """Return a workspace that was laid and used, so that children need not import what a run imports."""
    lay_trial(place / "trial")
    (place / "warm").mkdir()
    warm = Workspace(a_copy(place / "trial", place / "warm" / "w"))
    assert warm.run(EVERY_KIND, {"name": "warm"}).ok
    return place / "trial"


@pytest.fixture(scope="module")
def empty(place: Path) -> Path:
    folder = place / "empty"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def peopled(place: Path, trial: Path) -> Path:
    """Return a folder with an actor who is registered and not verified, and with another."""
    folder = place / "peopled"
    folder.mkdir()
    for number in (1, 2):
        sets = ("--set", f"actor_record:={json.dumps(actor(number, 'A')['actor_record'])}")
        ended = in_child(("run", "--wf", REGISTER_ACTOR, *sets, "--trace-id", f"P{number}", "--no-picture"), folder)
        assert ended.status == 0, ended.out
    return folder


def verification(folder: Path, **more: str) -> dict[str, Any]:
    """Return the payload that verifies the actor with number 1."""
    key = next(row[1] for row in state(folder / "data")["records"] if b"a1@" in row[2])
    return {**actor(1, "A"), "actor_id": key, "verifier_id": "V_1", "decision": "VERIFIED", **more}


def case(place: Path, name: str, template: Path, workflow: str, payload: dict[str, Any], *more: str) -> Case:
    folder = place / name
    folder.mkdir()
    return Case(folder, template, workflow, payload, *(more or ("--no-picture",)))


def started(place: Path, name: str, trial: Path) -> Path:
    """Return a workspace of the trial with a data root of its own, in which one run was done."""
    folder = a_copy(trial, place / name)
    assert in_child(("run", "--wf", EVERY_KIND, "--set", "name=before", "--trace-id", "T0"), folder).status == 0
    return folder


# Every edge


def test_every_kind_of_node_from_nothing(place: Path, trial: Path) -> None:
    found = case(place, "kinds", a_copy(trial, place / "nothing"), EVERY_KIND, {"name": "a"})
    assert found.answer["exit"] == "done" and found.edges.count("before COMMIT") == 8
    for edge in range(1, len(found.edges) + 1):
        found.survives(edge)


def test_a_denied_run_among_others(place: Path, trial: Path) -> None:
    found = case(place, "denied", started(place, "begun", trial), EVERY_KIND, {"name": "before", "n": 500, "by": "x"})
    assert (found.answer["exit"], found.answer["exit_code"]) == ("refused", 5)
    for edge in range(1, len(found.edges) + 1):
        found.survives(edge)


def test_every_shipped_workflow(place: Path, peopled: Path) -> None:
    payloads = {REGISTER_ACTOR: actor(3, "A"), VERIFY_ACTOR: verification(peopled)}
    assert set(Workspace(HERE.parent).load().workflows) == set(payloads), "a payload that writes for each"
    for workflow, payload in payloads.items():
        found = case(place, workflow.replace("::", "-"), peopled, workflow, payload)
        assert found.answer["ok"] and found.edges.count("before COMMIT") >= 2
        for edge in range(1, len(found.edges) + 1):
            found.survives(edge)


def test_a_workflow_without_side_effects_is_run_again(place: Path, trial: Path) -> None:
    found = case(place, "say", a_copy(trial, place / "speechless"), SAY, {"name": "a"})
    assert found.state == {}
    for edge in range(1, len(found.edges) + 1):
        found.survives(edge)


def test_publishing_with_a_picture(place: Path, peopled: Path) -> None:
    """Only what comes after the last commit: the rest is the same without a picture."""
    found = case(place, "picture", peopled, REGISTER_ACTOR, actor(3, "A"), "--data-root", "data")
    assert f"traces/{ID}/{ID}.png" in found.files
    last = len(found.edges) - found.edges[::-1].index("after COMMIT")
    for edge in range(last, len(found.edges) + 1):
        found.survives(edge)
