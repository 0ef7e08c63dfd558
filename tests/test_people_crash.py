"""Approving may be killed anywhere, done by two at once, and kept by PostgreSQL: nothing is lost, nothing twice."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from children import together
from crashing import NOW_NS, Ended, in_child
from omnibachi import Workspace, verify, wiring
from omnibachi.__main__ import main
from peopled import PAY, Desk
from postgres_server import Server

KILLED = -signal.SIGKILL
RUN = ("run", "--wf", PAY, "--set", "to=x", "--set", "amount:=5", "--actor", "clerk", "--trace-id", "T1",
       "--no-picture", "--json")  # fmt: skip
RESUME = ("resume", "--all", "--no-picture", "--json")
Hand = Callable[[str], tuple[str, ...]]


def hand(name: str) -> tuple[str, ...]:
    return ("approve", "T1", "--statement", f"{name}.json", "--no-picture", "--json")


@pytest.fixture(scope="module", name="template")
def parked_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with a parked run that one of two has approved, and what the others signed."""
    desk = Desk(tmp_path_factory.mktemp("template") / "desk")
    assert in_child(RUN, desk.folder).status == 7
    for name in ("first", "second", "third"):
        (desk.folder / f"{name}.json").write_bytes(desk.sign(name))
    assert in_child(hand("first"), desk.folder).status == 7
    return desk.folder


def kept(root: str) -> list[tuple[str, str]]:
    with wiring.open_root(root, reading=True) as ledger:
        return [(item.verdict, item.key.partition("+")[0]) for item in ledger.people.kept("T1")]


def settled(folder: Path, root: str, again: str = "second") -> dict[str, Any]:
    """Finish what is there as somebody would who does not know how far it came; return what the run gave."""
    where = () if root.startswith("/") else ("--data-root", root)
    resumed = in_child((*RESUME, *where), folder)
    assert resumed.status == 0, resumed.out
    handed = in_child((*hand(again), *where), folder)
    said = json.loads(handed.out)
    assert (handed.status, said["exit"]) in ((0, "paid"), (4, "paid")), handed.out
    accepted = [name for verdict, name in kept(root) if verdict == "ACCEPTED"]
    assert accepted == ["first", again]
    workspace = Workspace(str(folder))
    assert len(workspace.records("desk::ST_PAID_V0", data_root=root)) == 1
    with wiring.open_root(root, reading=True) as ledger:
        row, record = ledger.finished("T1"), ledger.record("T1")
        assert row is not None and record is not None and ledger.doubt(row) is None
    assert verify(record, data_root=root).verdict == "ANCHORED"
    assert (folder / "traces" / "T1" / "T1.jsonl").read_bytes() == record
    return {"digest": row.digest, "exit": row.exit}


def test_killed_at_the_edges_of_an_approval(template: Path, tmp_path: Path) -> None:
    numbers = count()

    def fresh() -> Path:
        return Path(shutil.copytree(template, tmp_path / str(next(numbers))))

    folder = fresh()
    undisturbed = in_child(hand("second"), folder)
    assert (undisturbed.status, undisturbed.unseen) == (0, [])
    digest = json.loads(undisturbed.out)["digest"]
    # The approval, the run taken over, people's answer, the effect with the end.
    assert undisturbed.edges.count("after COMMIT") == 4
    halfway = set()
    # Files are written as after any run (test_crash_matrix.py), so of their edges some will do.
    for edge, name in enumerate(undisturbed.edges, 1):
        if not ("COMMIT" in name or "BEGIN" in name) and edge % 17:
            continue
        folder = fresh()
        assert in_child(hand("second"), folder, fatal=edge).status == KILLED
        root = str(folder / "data")
        halfway.add(len(kept(root)))
        assert settled(folder, root) == {"digest": digest, "exit": "paid"}
        shutil.rmtree(folder)
    assert halfway == {1, 2}


def test_killed_around_every_commit_of_a_run_that_parks(template: Path, tmp_path: Path) -> None:
    numbers = count()

    def fresh() -> Path:
        folder = Path(shutil.copytree(template, tmp_path / str(next(numbers))))
        shutil.rmtree(folder / "data")
        return folder

    edges = in_child(RUN, fresh()).edges
    states = set()
    for edge, name in enumerate(edges, 1):
        if "COMMIT" in name or "BEGIN" in name:
            folder = fresh()
            assert in_child(RUN, folder, fatal=edge).status == KILLED
            with wiring.open_root(str(folder / "data"), create=False) as ledger:
                row = ledger.finished("T1")
            states.add(row and row.status)
            assert in_child(RUN, folder).status == (7 if row is None else 3)
            assert in_child(hand("first"), folder).status == 7
            assert in_child(hand("second"), folder).status == 0
    assert states == {None, "WAITING"}


def _approving(barrier: Any, folder: str, name: str) -> list[Any]:
    os.chdir(folder)
    time.time_ns = lambda: NOW_NS
    barrier()
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with contextlib.redirect_stdout(out):
        status = main(list(hand(name)))
    out.seek(0)
    return [status, out.read()]


def test_two_who_approve_at_once(template: Path, tmp_path: Path) -> None:
    for turn in range(2):
        folder = Path(shutil.copytree(template, tmp_path / str(turn)))
        said = together(*(("test_people_crash:_approving", str(folder), name) for name in ("second", "third")))
        ends = [(status, json.loads(out)) for status, out in said]
        with wiring.open_root(str(folder / "data"), reading=True) as ledger:
            row = ledger.finished("T1")
        assert row is not None and row.exit == "paid", ends
        verdicts = [verdict for verdict, _ in kept(str(folder / "data"))]
        assert verdicts[0:2] == ["ACCEPTED", "ACCEPTED"] and verdicts[2:] in (["OB810"], ["OB809"], []), ends
        assert len(verdicts) == 3 and sorted(status for status, _ in ends) in ([0, 4], [4, 6], [0, 0]), ends
        assert len(Workspace(str(folder)).records("desk::ST_PAID_V0")) == 1


def test_on_postgresql(template: Path, tmp_path: Path, postgres: Server) -> None:
    numbers = count()

    def fresh() -> tuple[Path, str]:
        folder = Path(shutil.copytree(template, tmp_path / str(next(numbers))))
        shutil.rmtree(folder / "data")
        root = postgres.root()
        for command, status in ((RUN, 7), (hand("first"), 7)):
            assert in_child((*command, "--data-root", root), folder).status == status
        return folder, root

    def done(folder: Path, root: str, **more: Any) -> Ended:
        ended = in_child((*hand("second"), "--data-root", root), folder, **more)
        postgres.settled(root)
        return ended

    folder, root = fresh()
    undisturbed = done(folder, root)
    assert undisturbed.status == 0, undisturbed.out
    digest = json.loads(undisturbed.out)["digest"]
    for edge, name in enumerate(undisturbed.edges, 1):
        if name == "after COMMIT":
            folder, root = fresh()
            assert done(folder, root, fatal=edge).status == KILLED
            assert settled(folder, root) == {"digest": digest, "exit": "paid"}
    with postgres.connect(root) as connection, pytest.raises(Exception, match="written once"):
        connection.execute("UPDATE approvals SET verdict='ACCEPTED'")
