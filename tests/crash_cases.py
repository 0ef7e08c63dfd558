"""A run of one workflow as a case of the crash matrix: given, killed, resumed, compared with the undisturbed one."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from crashing import RESUMED, Ended, files, in_child, state
from errands import REGISTER_ACTOR, actor
from omnibachi import verify
from omnibachi.__main__ import main
from omnibachi_model.record import read
from postgres_server import Server
from trial import EVERY_KIND, a_copy, lay_trial

ID = "T1"
RESUME = ("resume", "--all", "--json")
KILLED = -signal.SIGKILL


class Case:
    """One run of one workflow, as a command in a folder that is laid anew for each time.

    With a `server` its state lies there, each time in a new schema.
    """

    def __init__(
        self,
        place: Path,
        template: Path,
        workflow: str,
        payload: dict[str, Any],
        *more: str,
        server: Server | None = None,
    ) -> None:
        self.place = place
        self.template = template
        self.workflow = workflow
        sets = [word for key, value in payload.items() for word in ("--set", f"{key}:={json.dumps(value)}")]
        self.server = server
        # Whoever loses a server, and lives, leaves no note that it wanted no picture.
        self.resume = RESUME if server is None else (*RESUME, "--no-picture")
        self._roots: dict[Path, str] = {}
        self.command: tuple[str, ...] = ("run", "--wf", workflow, "--trace-id", ID, *sets, *more, "--json")
        self._numbers = count()
        self.folder = self.fresh()
        self.undisturbed = self.child(self.command, self.folder)
        assert self.undisturbed.unseen == []
        self.edges = self.undisturbed.edges
        self.state = state(self.root(self.folder))
        self.files = files(self.folder)
        self.answer = json.loads(self.undisturbed.out)

    def fresh(self) -> Path:
        """Lay the folder anew."""
        folder = self.place / str(next(self._numbers))
        shutil.copytree(self.template, folder, symlinks=True)
        if self.server is not None:
            self._roots[folder] = self.server.root()
        return folder

    def root(self, folder: Path) -> Path | str:
        """Return the data root that belongs to a folder."""
        return self._roots.get(folder, folder / "data")

    def child(self, command: tuple[str, ...], folder: Path, **more: Any) -> Ended:
        """Give a command in a folder, on its data root."""
        where = ("--data-root", self._roots[folder]) if folder in self._roots else ()
        ended = in_child((*command, *where), folder, **more)
        if self.server is not None:
            self.server.settled(self._roots[folder])
        return ended

    def killed(self, edge: int) -> Path:
        """Give the command in a fresh folder, killed at an edge."""
        folder = self.fresh()
        assert self.child(self.command, folder, fatal=edge).status == KILLED
        return folder

    def resumed(self, folder: Path) -> Ended:
        """Resume what is there; where nothing had been committed, give the command again."""
        begun = any(row[0] == ID for row in state(self.root(folder)).get("runs", ()))
        ended = self.child(self.resume, folder)
        finished = [result["trace_id"] for result in json.loads(ended.out)["runs"]]
        assert ended.status == (self.answer["exit_code"] if finished else 0), ended.out
        assert finished in ([], [ID]) and (begun or not finished)
        if not begun:
            kept = (folder / f"traces/{ID}/{ID}.jsonl").exists()  # all that a run without side effects has
            again = self.child(self.command, folder)
            assert (again.status, json.loads(again.out)["repeated"]) == (self.answer["exit_code"], kept), again.out
            assert not (kept and self.state)
        return ended

    def check(self, folder: Path) -> None:
        """Assert that a folder holds what the undisturbed run left."""
        assert state(self.root(folder)) == self.state
        left = files(folder)
        assert left.keys() == self.files.keys()
        trace = f"traces/{ID}/{ID}"
        data = left[f"{trace}.jsonl"]
        there, here = (list(read(found)) for found in (self.files[f"{trace}.jsonl"], data))
        bodies = [item.body_bytes for item in here]
        assert [body for body in bodies if body != RESUMED] == [item.body_bytes for item in there]
        # Only what tells of the resumption may tell it in other words.
        told = {f"{trace}.{kind}" for kind in ("jsonl", "md", "png")} if RESUMED in bodies else set()
        assert {name for name in left if left[name] != self.files[name]} <= told
        assert all(item.obs["took_us"] >= 0 for item in here if "took_us" in item.obs)
        verdict = "ANCHORED" if self.state else "INTACT"
        checked = verify(data, data_root=self.root(folder))
        assert checked.verdict == verdict, checked

    def again(self, folder: Path) -> None:
        """Assert that the same command now answers from the record and changes nothing."""
        before = (state(self.root(folder)), files(folder))
        ended = self.child(self.command, folder)
        said = json.loads(ended.out)
        assert (ended.status, said["repeated"]) == (self.answer["exit_code"], True)
        for key in ("exit", "status", "result", "digest"):
            assert said[key] == self.answer[key]
        assert (state(self.root(folder)), files(folder)) == before

    def survives(self, edge: int) -> None:
        """Go through the whole of it for one edge."""
        folder = self.killed(edge)
        self.resumed(folder)
        self.check(folder)
        shutil.rmtree(folder)


def case(
    place: Path,
    name: str,
    template: Path,
    workflow: str,
    payload: dict[str, Any],
    *more: str,
    server: Server | None = None,
) -> Case:
    """Return a case with a folder of its own; without further options it draws no picture."""
    folder = place / name
    folder.mkdir()
    return Case(folder, template, workflow, payload, *(more or ("--no-picture",)), server=server)


def started(place: Path, name: str, trial: Path) -> Path:
    """Return a workspace of the trial with a data root of its own, in which one run was done."""
    folder = a_copy(trial, place / name)
    assert in_child(("run", "--wf", EVERY_KIND, "--set", "name=before", "--trace-id", "T0"), folder).status == 0
    return folder


def verification(folder: Path, **more: str) -> dict[str, Any]:
    """Return the payload that verifies the actor with number 1."""
    key = next(row[1] for row in state(folder / "data")["records"] if b"a1@" in row[2])
    return {**actor(1, "A"), "actor_id": key, "verifier_id": "V_1", "decision": "VERIFIED", **more}


@pytest.fixture(scope="module", name="place")
def fresh_place() -> Iterator[Path]:
    """Return a folder for many short-lived folders, in memory where there is such a place."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="crash-matrix-", dir=memory if memory.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module", name="trial")
def warmed_trial(place: Path) -> Path:
    """Return a workspace that was laid and used, so that children need not import what they use."""
    lay_trial(place / "trial")
    (place / "warm").mkdir()
    warm = a_copy(place / "trial", place / "warm" / "w")
    assert in_child(("run", "--wf", EVERY_KIND, "--set", "name=a", "--trace-id", ID), warm, fatal=60).status == KILLED
    assert main([*RESUME, "--workspace", str(warm)]) == 0
    return place / "trial"


@pytest.fixture(scope="module", name="peopled")
def peopled_folder(place: Path, trial: Path) -> Path:
    """Return a folder with an actor who is registered and not verified, and with another."""
    folder = place / "peopled"
    folder.mkdir()
    for number in (1, 2):
        sets = ("--set", f"actor_record:={json.dumps(actor(number, 'A')['actor_record'])}")
        ended = in_child(("run", "--wf", REGISTER_ACTOR, *sets, "--trace-id", f"P{number}", "--no-picture"), folder)
        assert ended.status == 0, ended.out
    return folder
