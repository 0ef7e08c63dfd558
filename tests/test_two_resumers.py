"""Two processes that resume the same runs at once, and commands as a shell starts, kills and resumes them."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from children import SECONDS, Child, together
from crash_cases import ID
from crashing import files, in_child, state
from omnibachi import Workspace, verify
from thoroughness import THOROUGH
from trial import EVERY_KIND, a_copy, lay_trial

# At each of SQLite's own writes, which are some hundred and ninety; else at a few of them.
EFFECTS = ["again", "claim", "create", "put", "swap", "tell"]
IDS = [f"R{n:02}" for n in range(12)]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    lay_trial(folder)
    return folder


@pytest.fixture(scope="module")
def edges(trial: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the edges of a run, which begins with the tables."""
    folder = a_copy(trial, tmp_path_factory.mktemp("edges") / "w")
    return in_child(command(ID, "a"), folder).edges


def command(trace_id: str, name: str) -> list[str]:
    return ["run", "--wf", EVERY_KIND, "--set", f"name={name}", "--trace-id", trace_id, "--no-picture", "--json"]


@pytest.fixture
def left(trial: Path, tmp_path: Path) -> Path:
    """Return a workspace in which a dozen runs were killed, each somewhere between its first and its last commit."""
    folder = a_copy(trial, tmp_path / "left")
    assert in_child(command("R", "r"), folder).status == 0
    passed = in_child(command("S", "s"), folder).edges
    commits = [edge for edge, name in enumerate(passed, 1) if name == "after COMMIT"]
    for n, trace_id in enumerate(IDS):
        edge = commits[n % (len(commits) - 1)]
        assert in_child(command(trace_id, f"name-{n}"), folder, fatal=edge).status == -signal.SIGKILL
    return folder


def effects(folder: Path) -> dict[str, list[str]]:
    """Return the paths of the receipts of each run."""
    found: dict[str, list[str]] = {}
    for _, run, path, _, _ in state(folder / "data")["receipts"]:
        found.setdefault(run, []).append(path)
    return {run: sorted(paths) for run, paths in found.items()}


def all_done_once(folder: Path, trace_ids: list[str]) -> None:
    """Assert that these runs ended with each effect once, and that nothing else is left."""
    done = effects(folder)
    assert {trace_id: done[trace_id] for trace_id in trace_ids} == dict.fromkeys(trace_ids, EFFECTS)
    held = state(folder / "data")
    assert all(row[6] == "done" for row in held["runs"])
    assert [number for number, *_ in held["receipts"]] == list(range(1, len(held["receipts"]) + 1))
    told = [row for row in held["streams"] if json.loads(row[3])["what"] in trace_ids]
    assert len(told) == len(trace_ids)  # `again` names its run in the stream
    for trace_id in trace_ids:
        record = (folder / f"traces/{trace_id}/{trace_id}.jsonl").read_bytes()
        assert verify(record, data_root=folder / "data").verdict == "ANCHORED"
    assert Workspace(folder).recoverer().all().results == ()
    remains = [name for name in files(folder) if "/." in name or name.endswith((".new", ".lock"))]
    assert remains == ["data/locks/mirror.lock"]


def test_two_processes_resume_everything_and_each_run_is_done_once(left: Path) -> None:
    said = together(*(("errands:resume_all", str(left)) for _ in "AB"))
    ends = [ends for _, ends, _ in said]
    for trace_id in IDS:
        assert [side.get(trace_id) for side in ends].count("resumed") == 1
    assert {end for side in ends for end in side.values()} <= {"resumed", "recorded"}
    assert {run for _, _, held in said for run in held} <= set(IDS)
    all_done_once(left, IDS)


def test_two_processes_resume_the_same_runs_in_the_same_order(left: Path) -> None:
    said = together(*(("errands:resume_each", str(left), IDS) for _ in "AB"))
    for pair in zip(*said, strict=True):
        assert sorted(pair) in (["recorded", "resumed"], ["OB713", "resumed"]), pair
    all_done_once(left, IDS)


def test_a_run_that_is_at_work_is_left_alone(trial: Path, tmp_path: Path) -> None:
    """Its holder stands still, and is no less alive for it."""
    folder = a_copy(trial, tmp_path / "w")
    child = Child("test_two_resumers:stand_still", str(folder))
    try:
        child.ready()
        before = state(folder / "data")
        assert [(row[0], row[6]) for row in before["runs"]] == [(ID, None)]
        ended = in_child(("resume", "--all", "--json"), folder)
        (held,) = json.loads(ended.out)["left"]
        assert (ended.status, held["trace_id"], held["state"]) == (0, ID, "held")
        assert held["process"] == child.process.pid
        one = in_child(("resume", ID, "--json"), folder)
        assert (one.status, "OB713" in one.out, str(child.process.pid) in one.out) == (6, True, True)
        assert state(folder / "data") == before
        child.go()
        assert child.said() == 0
    finally:
        child.end()
    all_done_once(folder, [ID])


def stand_still(barrier: Any, folder: str) -> int:
    """Run, and stand at the barrier when time is asked for: two effects are committed then."""
    reads = iter(range(1, 10**9))
    real = time.time_ns

    def now() -> int:
        if next(reads) == 9:
            barrier()
        return real()

    time.time_ns = now
    result = Workspace(folder).run(EVERY_KIND, {"name": "a"}, trace_id=ID, picture=False)
    return result.exit_code


# As a shell does it


def shell(folder: Path, *words: str, within: Sequence[str] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*within, sys.executable, "-m", "omnibachi", *words],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, out, err


def finish(folder: Path) -> None:
    """Resume with the real command; run again where nothing had been committed."""
    begun = any(row[0] == ID for row in state(folder / "data").get("runs", ()))
    status, out, err = ended(shell(folder, "resume", "--all", "--json"))
    assert (status, "Traceback" in err) == (0, False), out + err
    if not begun:
        assert ended(shell(folder, *command(ID, "a")))[0] == 0
    all_done_once(folder, [ID])


@pytest.mark.parametrize("share", [0.05, 0.32, 0.5, 0.62, 0.8, 0.99])
def test_a_command_of_its_own_is_killed_and_resumed(
    trial: Path, edges: list[str], tmp_path: Path, share: float
) -> None:
    folder = a_copy(trial, tmp_path / "w")
    child = Child("errands:die", command(ID, "a"), int(share * len(edges)), folder=folder)
    try:
        child.ready()
        child.go()
        assert child.process.wait(SECONDS) == -signal.SIGKILL
    finally:
        child.end()
    finish(folder)


def test_what_was_moved_is_finished_where_it_is_now(trial: Path, edges: list[str], tmp_path: Path) -> None:
    for n, edge in enumerate((len(edges) // 2, len(edges) - 12)):
        folder = a_copy(trial, tmp_path / f"old-{n}")
        assert in_child(command(ID, "a"), folder, fatal=edge).status == -signal.SIGKILL
        moved = folder.rename(tmp_path / f"new-{n}")
        assert in_child(("resume", "--all", "--json"), moved).status == 0
        all_done_once(moved, [ID])
        assert not folder.exists()


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT])
def test_a_command_is_stopped_at_some_moment(trial: Path, tmp_path: Path, with_signal: signal.Signals) -> None:
    moments = random.Random(with_signal)
    for turn in range(5):
        folder = a_copy(trial, tmp_path / f"w{turn}")
        process = shell(folder, *command(ID, "a"))
        deadline = time.monotonic() + SECONDS
        # From the moment on at which the command, and no longer the interpreter alone, is at work.
        while not (folder / "data").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.04))
        process.send_signal(with_signal)
        status, out, err = ended(process)
        assert status in (0, 130, -with_signal) and "Traceback" not in err
        if status == 130:  # Silent where it was just about to say how it ended.
            assert err == "" and (not out or json.loads(out)["diagnostics"][0]["code"] == "OB745")
        finish(folder)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace kills at the n-th call of the system")
def test_a_command_is_killed_inside_of_sqlite(trial: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    trace = ("strace", "-f", "-qq", "-o", str(calls), "-e", "trace=pwrite64")
    whole = a_copy(trial, tmp_path / "whole")
    if ended(shell(whole, *command(ID, "a"), within=trace))[0] != 0:
        pytest.skip("nobody may trace here")
    number = calls.read_text().count("pwrite64(")
    assert number > 100
    for nth in range(1, number + 1, 1 if THOROUGH else number // 5):
        folder = a_copy(trial, tmp_path / str(nth))
        killing = ("-e", f"inject=pwrite64:signal=KILL:when={nth}")
        assert ended(shell(folder, *command(ID, "a"), within=(*trace, *killing)))[0] == -signal.SIGKILL
        finish(folder)
