"""What child processes do on a data root that they share with others: runs, single operations, watching, holding."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crashing import Edges, files, in_child, state
from omnibachi import RunResult, Workspace
from omnibachi.__main__ import main
from omnibachi_ledger import open_root
from performing import RECORDS, STREAM, perform
from trial import EVERY_KIND, a_copy

Barrier = Callable[[], None]
REGISTER_ACTOR = "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0"


def actor(number: int, side: str) -> dict[str, Any]:
    """Return the payload that registers an actor of its own."""
    record = {"first_name": "Given", "last_name": side, "email_registration": f"a{number}@example.org"}
    return {"actor_record": record}


def register_actors(barrier: Barrier, workspace: str, root: str, side: str, count: int) -> dict[str, Any]:
    """Run the shipped registration for many actors; return how the runs ended and every diagnostic."""
    with Workspace(workspace).engine(root) as engine:
        engine.linked(REGISTER_ACTOR)
        barrier()
        results = [engine.run(REGISTER_ACTOR, actor(number, side)) for number in range(count)]
    return {
        "ends": Counter(str(result.exit) for result in results),
        "ids": [result.trace_id for result in results],
        "digests": [result.digest for result in results],
        "diagnostics": [item.as_json() for result in results for item in result.diagnostics],
    }


def claim(barrier: Barrier, workspace: str, root: str, workflow: str, by: str, names: list[str]) -> list[str]:
    """Claim names one after the other in the name of `by`; return the exit of each run, or its first diagnostic."""
    with Workspace(workspace).engine(root) as engine:
        engine.linked(workflow)
        barrier()
        results = [engine.run(workflow, {"name": name, "by": f"{by}{n}"}) for n, name in enumerate(names)]
    return [result.exit or result.diagnostics[0].message for result in results]


def count_up(barrier: Barrier, workspace: str, root: str, workflow: str, name: str, times: int) -> dict[str, int]:
    """Count a record up, again after each conflict; return how often each exit was reached."""
    ends: Counter[str] = Counter()
    with Workspace(workspace).engine(root) as engine:
        engine.linked(workflow)
        barrier()
        while ends["counted"] < times:
            result = engine.run(workflow, {"name": name})
            ends[result.exit or result.diagnostics[0].message] += 1
    return ends


def operate(
    barrier: Barrier, root: str, side: str, address: str, effect: str, store: str, inputs: list[dict[str, Any]]
) -> list[tuple[str, dict[str, Any]]]:
    """Do one operation for each of the inputs, each as a run of its own; return the answers."""
    with open_root(root) as ledger:
        barrier()
        return [perform(ledger, f"{side}-{n}", address, effect, given, store) for n, given in enumerate(inputs)]


def watch(barrier: Barrier, root: str, key: str, least: int) -> list[tuple[int, int]]:
    """Read a record's revision and a stream's length over and over until the stream has `least` records.

    Asserts at each turn that the stream that was seen before is a prefix of what is seen now.
    """
    seen: list[tuple[int, int]] = []
    past: list[Any] = []
    with open_root(root) as ledger:
        barrier()
        deadline = time.monotonic() + 30
        while len(past) < least and time.monotonic() < deadline:
            now = ledger.records(STREAM)
            assert now[: len(past)] == past, "the past changed"
            past = now
            found = perform(ledger, "unused", "std::CS_RECORDS_V0.GET", "READ", {"key": key}, RECORDS)[1]
            seen.append((found.get("revision", 0), len(now)))
    return seen


def hold(barrier: Barrier, root: str, seconds: float) -> bool:
    """Hold the database's write lock for some time from the barrier on."""
    db = sqlite3.connect(os.path.join(root, "store.db"), isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    barrier()
    time.sleep(seconds)
    db.execute("ROLLBACK")
    db.close()
    return True


def under_a_full_disk(barrier: Barrier, workspace: str, folder: str, disk: str, which: str, rooms: list[int]) -> Any:
    """Run a workflow whose data root or traces (`which`) lie on a small disk, with so much room left, in bytes.

    Then make room and finish. Returns for each size: exit status, diagnostics, what was left on the disk, and how it
    was finished: exit statuses of `resume --all` and of the same command again, the state, and the files.
    """
    barrier()
    told = []
    for room in rooms:
        place = a_copy(Path(workspace), Path(folder, str(room)))
        home = Path(disk, str(room))
        home.mkdir()
        (place / which).symlink_to(home)
        command = ("run", "--wf", EVERY_KIND, "--trace-id", "T1", "--set", "name=a", "--json")
        picture = () if which == "traces" else ("--no-picture",)
        _fill(Path(disk), room)
        failed = in_child((*command, *picture), place)
        os.unlink(os.path.join(disk, "filler"))
        left = sorted(files(home))
        begun = len(state(place / "data").get("receipts", ()))
        resumed = in_child(("resume", "--all", "--json"), place)
        again = in_child((*command, *picture), place)
        told.append({
            "room": room, "status": failed.status, "said": failed.out, "left": left, "receipts": begun,
            "resumed": [resumed.status, resumed.out], "again": again.status, "digest": json.loads(again.out)["digest"],
            "state": repr(state(place / "data")), "files": sorted([*files(place), *files(home)]),
        })  # fmt: skip
        shutil.rmtree(home)
    return told


def _fill(disk: Path, room: int) -> None:
    free = os.statvfs(disk)
    with open(disk / "filler", "wb") as file:
        file.write(bytes(free.f_bavail * free.f_frsize - room))


def resume_all(barrier: Barrier, workspace: str) -> Any:
    """Resume everything that was left; return the exit code, each run's end by id, and the runs that others hold."""
    recoverer = Workspace(workspace).recoverer(picture=False)
    barrier()
    found = recoverer.all()
    ends = {result.trace_id: _how(result) for result in found.results}
    return found.exit_code, ends, [item.row.run for item in found.held]


def resume_each(barrier: Barrier, workspace: str, trace_ids: list[str]) -> list[str]:
    """Resume runs one after the other; return how each call ended."""
    here = Workspace(workspace)
    barrier()
    return [_how(here.resume(trace_id, picture=False)) for trace_id in trace_ids]


def _how(result: RunResult) -> str:
    if result.exit is None:
        return str(result.diagnostics[0].code)
    return "recorded" if result.repeated else "resumed"


def die(barrier: Barrier, command: list[str], fatal: int) -> None:
    """Call the front door in this very process, and be killed at an edge."""
    barrier()
    Edges(fatal, signal.SIGKILL).install()
    sys.exit(main(command))
