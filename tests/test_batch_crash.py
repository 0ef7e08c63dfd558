"""Batches whose processes are killed, in whatever order: the same command goes on, and nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from children import SECONDS
from omnibachi import Workspace
from omnibachi.batches import plan
from omnibachi.batches.batching import Asked, Batch, run_batch
from omnibachi_ledger import open_root
from omnibachi_model.diagnostics import Trouble
from postgres_server import Server
from posting import KEEP, SHOUT, calls, ended, lines, once_each, said, shop, started, until

TEXTS = [f"t{number}" for number in range(240)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace, which is the present folder, and its lines."""
    monkeypatch.chdir(tmp_path)
    shop(tmp_path)
    lines(tmp_path / "lines.jsonl", TEXTS)
    return tmp_path


def gone_on(folder: Path, workers: int = 2) -> Batch:
    """Ask for the same batch, once nobody works on it."""
    return run_batch(Workspace(folder), Asked(KEEP, "lines.jsonl", workers, batch="may"), lambda done, of: None)


def killed(process: subprocess.Popen[bytes]) -> None:
    """Kill a leader; its workers, which hold its outputs too, are not waited for."""
    process.kill()
    process.wait(SECONDS)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def kill_workers(folder: Path) -> None:
    for path in (folder / "batches/may.parts").glob("*.worker"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(path.stem), signal.SIGKILL)


def is_whole(folder: Path) -> None:
    """Make sure that every line was run to its end, once, and that nothing is left."""
    assert said(folder / "batches/may.jsonl") == [text.upper() for text in TEXTS]
    once_each(folder, TEXTS)
    assert not (folder / "batches/may.parts").exists()


@pytest.mark.parametrize("count", [1, 60, 200])
def test_a_leader_that_is_killed_is_followed_by_another(here: Path, count: int) -> None:
    process = started(here, "--workers", "2", "--batch-id", "may")
    until(here, count)
    killed(process)
    done = gone_on(here)
    assert done.exit_code == 0 and not done.repeated
    is_whole(here)
    # A call that was cut off before its commit is made again, one for each worker at most; none is after it.
    assert len(calls(here)) <= len(TEXTS) + 2


def test_all_processes_are_killed_again_and_again(here: Path) -> None:
    count = 0
    for _ in range(4):
        process = started(here, "--workers", "2", "--batch-id", "may")
        count = min(len(calls(here)) + 40, 235)
        until(here, count)
        kill_workers(here)
        killed(process)
    gone_on(here)
    is_whole(here)
    assert len(calls(here)) <= len(TEXTS) + 8


def test_workers_that_are_killed_are_replaced(here: Path) -> None:
    process = started(here, "--workers", "2", "--batch-id", "may")
    for count in (20, 100):
        until(here, count)
        kill_workers(here)
    told = ended(process)
    assert (told["completed"], told["failed"], process.returncode) == (len(TEXTS), [], 0)
    is_whole(here)


def test_an_interrupted_batch_says_how_to_go_on(here: Path) -> None:
    process = started(here, "--batch-id", "may")
    until(here, 30)
    process.send_signal(signal.SIGINT)
    told = ended(process)
    assert process.returncode == 130 and told["diagnostics"][0]["code"] == "OB745"
    done = gone_on(here)
    assert 0 < done.found_done < len(TEXTS)
    is_whole(here)


@pytest.mark.parametrize("after", [0.0, 0.1, 0.2, 0.4])
def test_ctrl_c_reaches_all_and_is_told_once(here: Path, after: float) -> None:
    """A terminal sends it to every process, wherever these are just then."""
    process = started(here, "--batch-id", "may", "--workers", "2")
    begun = time.monotonic()
    while not (here / "batches/may.parts/plan.json").exists():  # Before, Python itself may still be on its way.
        assert time.monotonic() - begun < SECONDS
        time.sleep(0.005)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) in ((130, b""), (0, b"")) and out.count(b"\n") == 1
    gone_on(here)
    is_whole(here)


def test_on_a_server_it_goes_on_too(here: Path, postgres: Server) -> None:
    root = postgres.root()
    lines(here / "lines.jsonl", TEXTS[:100])
    process = started(here, "--batch-id", "may", "--workers", "2", "--data-root", root)
    until(here, 30)
    kill_workers(here)
    killed(process)
    told = ended(started(here, "--batch-id", "may", "--workers", "2", "--data-root", root))
    assert told["completed"] == 100
    assert said(here / "batches/may.jsonl") == [text.upper() for text in TEXTS[:100]]
    with open_root(root, reading=True) as ledger:
        assert len(ledger.runs(1000)) == 100 and all(row.exit == "done" for row in ledger.runs(1000))
    assert len((here / "data/postgresql/registry/shop/ST_ORDERS_V0.jsonl").read_bytes().splitlines()) == 100


def test_two_batches_at_once_share_a_data_root(here: Path) -> None:
    lines(here / "lines.jsonl", TEXTS[:120])
    found = [started(here, "--batch-id", name, "--workers", "2") for name in ("may", "june")]
    told = [ended(process) for process in found]
    assert [item["completed"] for item in told] == [120, 120]
    for name in ("may", "june"):
        assert said(here / f"batches/{name}.jsonl") == [text.upper() for text in TEXTS[:120]]
    with open_root(str(here / "data"), reading=True) as ledger:
        assert len(ledger.runs(1000)) == 240


def test_one_batch_has_one_leader(here: Path) -> None:
    lines(here / "lines.jsonl", ["wait", *TEXTS[:5]])
    (here / "wait").touch()
    first = started(here, "--batch-id", "may")
    until(here, 1)
    second = started(here, "--batch-id", "may")
    told = ended(second)
    assert second.returncode == 6 and told["diagnostics"][0]["code"] == "OB757"
    (here / "wait").unlink()
    assert ended(first)["completed"] == 6


def test_a_worker_that_outlives_its_leader_is_waited_for(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines(here / "lines.jsonl", ["wait", *TEXTS[:5]])
    (here / "wait").touch()
    first = started(here, "--batch-id", "may")
    until(here, 1)
    killed(first)
    with monkeypatch.context() as patch:
        patch.setattr(plan, "PATIENCE", 0.2)
        with pytest.raises(Trouble) as trouble:
            gone_on(here)
    assert trouble.value.diagnostic.code == "OB757" and "still runs" in trouble.value.diagnostic.message
    (here / "wait").unlink()
    assert gone_on(here).summary["completed"] == 6
    once_each(here, ["wait", *TEXTS[:5]])
    assert calls(here).count("WAIT") == 1


def test_what_has_no_effect_is_computed_again_where_it_was_cut_off(here: Path) -> None:
    """No journal holds it: chunks that are there are kept as they are, with their instants."""
    command = ["--batch-id", "may", "--workers", "2"]
    process: subprocess.Popen[bytes] = started(here, *command, wf=SHOUT)
    begun = time.monotonic()
    parts = here / "batches/may.parts"
    while len(list(parts.glob("*.json"))) < 10:
        assert time.monotonic() - begun < SECONDS
    killed(process)
    kept = {path.name: path.read_bytes() for path in parts.glob("*.jsonl") if path.with_suffix(".json").exists()}
    done = run_batch(Workspace(here), Asked(SHOUT, "lines.jsonl", 2, batch="may"), lambda done, of: None)
    whole = (here / "batches/may.jsonl").read_bytes()
    assert done.found_done and kept and all(data in whole for data in kept.values())
    assert said(here / "batches/may.jsonl") == [text.upper() for text in TEXTS]


EDGES = ("replace", "unlink", "rmdir")


def led(folder: Path, fatal: int) -> int:
    """Lead the batch in a child that kills itself before the file operation `fatal`, from 0; return how many it did."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        for name in EDGES:
            setattr(os, name, _edge(getattr(os, name), writing, fatal))
        gone_on(folder, 1)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as done:
        count = len(done.read())
    assert os.waitpid(child, 0)[1] in (0, signal.SIGKILL)
    return count


def _edge(real: Any, writing: int, fatal: int, passed: list[int] = []) -> Any:  # noqa: B006 - one list for all edges
    def operate(*given: Any) -> Any:
        if len(passed) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        passed.append(1)
        os.write(writing, b".")
        return real(*given)

    return operate


def test_a_leader_may_die_before_anything_that_it_does_to_files(here: Path) -> None:
    """What it lays down, renames and takes away: wherever it stops, the next one makes the batch whole."""
    lines(here / "lines.jsonl", TEXTS[:3])
    whole = led(here, -1)
    assert whole >= 10
    for fatal in range(whole):
        for path in (here / "batches").glob("may.*json*"):
            path.unlink()
        led(here, fatal)
        assert gone_on(here, 1).summary["completed"] == 3
        assert said(here / "batches/may.jsonl") == [text.upper() for text in TEXTS[:3]]
        assert not (here / "batches/may.parts").exists()
    assert len(calls(here)) == 3
