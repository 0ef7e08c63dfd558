"""The crash matrix on PostgreSQL: killed at each edge of a transaction, or with its line cut there, nothing is lost.

See test_crash_matrix.py: here are the edges that a server adds; those of files are the same as there.
"""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from crash_cases import Case, case, fresh_place, warmed_trial
from crashing import CUT
from postgres_server import Server
from trial import EVERY_KIND, a_copy
from trial_loops import LOOPS

place = fresh_place
trial = warmed_trial
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "kinds": (EVERY_KIND, {"name": "a"}), "loops": (LOOPS, {"names": ["a", "a"]})
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def found(request: pytest.FixtureRequest, place: Path, trial: Path, postgres: Server) -> Case:
    template = a_copy(trial, place / f"unserved-{request.param}")
    made = case(place, f"served-{request.param}", template, *CASES[request.param], server=postgres)
    assert made.answer["exit"] == "done" and "OB787" in json.dumps(made.answer)
    return made


def edges(names: list[str], *wanted: str) -> list[int]:
    """Return the edges of these names."""
    return [number for number, name in enumerate(names, 1) if name in wanted]


def test_killed_around_every_commit(found: Case) -> None:
    places = edges(found.edges, "before COMMIT", "after COMMIT")
    assert len(places) >= 16
    for edge in places if found.workflow == EVERY_KIND else places[2:-2:3]:
        found.survives(edge)


def test_cut_off_around_every_transaction(found: Case) -> None:
    """Where it can, the run goes on over a new line; else it says that it was lost, and is resumed."""
    places = edges(found.edges, "before BEGIN", "after BEGIN", "before COMMIT")
    ends = set()
    for edge in places if found.workflow == EVERY_KIND else places[1::4]:
        folder = found.fresh()
        ended = found.child(found.command, folder, fatal=edge, with_signal=CUT)
        said = json.loads(ended.out)
        ends.add(ended.status)
        if ended.status != 0:
            assert (ended.status, [item["code"] for item in said["diagnostics"]]) == (6, ["OB784"])
            found.resumed(folder)
        found.check(folder)
        shutil.rmtree(folder)
    assert ends == {0, 6}


@pytest.mark.parametrize("found", ["kinds"], indirect=True)
def test_whoever_resumes_may_be_cut_off_or_killed_as_well(found: Case) -> None:
    middle = edges(found.edges, "after COMMIT")[2]
    resuming = found.child(found.resume, found.killed(middle)).edges
    for number, edge in enumerate(edges(resuming, "before COMMIT", "after COMMIT")):
        folder = found.killed(middle)
        found.child(found.resume, folder, fatal=edge, with_signal=(CUT, signal.SIGKILL)[number % 2])
        found.resumed(folder)
        found.check(folder)
        shutil.rmtree(folder)
