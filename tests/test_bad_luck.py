"""The world at its worst: locked, foreign and spoilt databases, unwritable places, clocks and chance gone wrong."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from children import Child, children, mounted, together
from crashing import NOW_NS, files, in_child, state
from front_door import Call, call
from omnibachi import Workspace, verify
from omnibachi_ledger import connect as connecting
from omnibachi_ledger import open_root
from omnibachi_ledger.schema import VERSION
from omnibachi_model.record import read
from trial import CLAIM, EVERY_KIND, NAMES, SAY, a_copy, lay_trial

__all__ = ["call"]

RUN = ("run", "--wf", EVERY_KIND, "--set", "name=a", "--no-picture", "--json", "--trace-id")


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    lay_trial(folder)
    return folder


@pytest.fixture
def home(trial: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace of its own, which is the present folder."""
    folder = a_copy(trial, tmp_path / "home")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "BUSY_SECONDS", 0.1)


def refusal(call: Call, trace_id: str = "T1") -> tuple[int, str]:
    """Run and return exit status and code of what must be one clear message."""
    said = call(*RUN, trace_id)
    assert said.err == ""
    (found,) = said.json()["diagnostics"]
    assert found["message"] and found["help"]
    return said.status, found["code"]


class Ready:
    """A clock that stands still and does something when it is read for the n-th time."""

    def __init__(self, nth: int, action: Any) -> None:
        self._left = nth
        self._action = action

    def now_ns(self) -> int:
        """Return the one instant."""
        self._left -= 1
        if self._left == 0:
            self._action()
        return NOW_NS


# Locked by another process


def test_a_locked_database_stops_a_run_before_it_begins(call: Call, home: Path, impatient: None) -> None:
    assert call(*RUN, "T0").status == 0
    before = state("data")
    with children(("errands:hold", "data", 60)):
        assert refusal(call) == (6, "OB721")
    assert state("data") == before
    assert not (home / "traces/T1").exists()
    assert call(*RUN, "T1").status == 0


@pytest.mark.parametrize("reading", [2, 5, 9, 13])
def test_a_locked_database_stops_a_run_between_two_effects(
    trial: Path, tmp_path: Path, impatient: None, reading: int
) -> None:
    root = str(tmp_path / "data")
    holder: list[Child] = []

    def lock() -> None:
        holder.append(Child("errands:hold", root, 60))
        holder[0].ready()

    workspace = Workspace(trial)
    with workspace.engine(root, clock=Ready(10_000, None)) as engine:
        engine.run(EVERY_KIND, {"name": "z"}, trace_id="T0")
    try:
        with workspace.engine(root, clock=Ready(reading, lock)) as engine:
            result = engine.run(EVERY_KIND, {"name": "a"}, trace_id="T1")
    finally:
        holder[0].end()
    assert (result.exit, result.exit_code, [item.code for item in result.diagnostics]) == (None, 6, ["OB721"])
    with open_root(root) as ledger:
        record = ledger.record("T1")
        if reading == 2:
            assert record is None
            return
        assert record is not None
        events = [item.body for item in read(record)]
        receipts = ledger._db.rows("SELECT path FROM receipts WHERE run='T1' ORDER BY number")
    # What was committed is whole: each effect with its receipt, and no event after the last effect.
    effects = [body["path"] for body in events if body.get("effect") not in (None, "PURE", "READ")]
    assert [path for (path,) in receipts] == effects and events[-1]["path"] == effects[-1]
    # Once the lock is gone, the run is finished.
    with workspace.engine(root) as engine:
        resumed = engine.resume("T1")
    assert (resumed.exit, len(effects)) == ("done", {5: 2, 9: 2, 13: 3}[reading])
    assert [row[2] for row in state(root)["receipts"] if row[1] == "T1"] == [
        "claim", "create", "tell", "swap", "put", "again",
    ]  # fmt: skip
    assert verify(resumed.record, data_root=root).verdict == "ANCHORED"


def test_who_waits_for_a_lock_is_served(call: Call, home: Path) -> None:
    assert call(*RUN, "T0").status == 0
    with children(("errands:hold", "data", 0.4)) as (holder,):
        said = call(*RUN, "T1")
        assert holder.said() is True
    assert (said.status, said.json()["exit"]) == (0, "done")


# Data roots that cannot be used


def test_a_newer_schema_is_left_as_it_is(call: Call, home: Path) -> None:
    assert call(*RUN, "T0").status == 0
    db = sqlite3.connect("data/store.db")
    db.execute(f"PRAGMA user_version={VERSION + 1}")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    before = Path("data/store.db").read_bytes(), files(home)
    assert refusal(call) == (6, "OB722")
    for command in (("data", "ls"), ("traces", "ls"), ("data", "export")):
        said = call(*command, "--json")
        assert said.status == 6 and [item["code"] for item in said.json()["diagnostics"]] == ["OB722"], command
    assert (Path("data/store.db").read_bytes(), files(home)) == before


@pytest.mark.parametrize("spoilt", ["text", "noise", "head", "half", "middle", "folder"])
def test_a_spoilt_database_is_named_and_left_as_it_is(call: Call, home: Path, spoilt: str) -> None:
    assert call(*RUN, "T0").status == 0
    path = Path("data/store.db")
    whole = path.read_bytes()
    data = {
        "text": b"no database, only text\n" * 500,
        "noise": bytes((n * 37 + n // 256) % 256 for n in range(20_000)),
        "head": whole[:16] + bytes(84) + whole[100:],
        "half": whole[: len(whole) // 2],
        "middle": whole[:4096] + b"\xff" * (len(whole) - 4096),
    }.get(spoilt)
    path.unlink()
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)
    status, code = refusal(call)
    assert (status, code) == (6, "OB720" if spoilt == "folder" else "OB723")
    assert path.is_dir() if data is None else path.read_bytes() == data
    assert not (home / "traces/T1").exists()
    said = call("data", "show", NAMES, "--json")
    assert said.status == 6 and len(said.json()["diagnostics"]) == 1


def test_a_data_root_that_is_read_only(trial: Path, tmp_path: Path) -> None:
    folder = a_copy(trial, tmp_path / "home")
    assert in_child((*RUN, "T0"), folder).status == 0
    data = folder / "data"
    within = mounted(f'mount --bind "{data}" "{data}" && mount -o remount,ro,bind "{data}"')
    if within is None:
        pytest.skip("nobody may mount here")
    before = state(data), files(folder)
    ((status, out),) = together(("test_bad_luck:run_in", str(folder), "T1"), within=within)
    assert (status, [item["code"] for item in json.loads(out)["diagnostics"]]) == (6, ["OB720"])
    assert (state(data), files(folder)) == before
    assert in_child((*RUN, "T1"), folder).status == 0


def run_in(barrier: Any, folder: str, trace_id: str) -> tuple[int, str]:
    """Run in a folder as this process finds it."""
    barrier()
    ended = in_child((*RUN, trace_id), folder)
    return ended.status, ended.out


# Clocks and chance


class Falling:
    """A clock that goes back by a second each time that it is read."""

    def __init__(self, now_ns: int = NOW_NS) -> None:
        self._now = now_ns

    def now_ns(self) -> int:
        """Return a time before the last one."""
        self._now -= 1_000_000_000
        return self._now


def test_a_clock_that_goes_backwards(trial: Path, tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    with Workspace(trial).engine(root, clock=Falling()) as engine:
        results = [engine.run(EVERY_KIND, {"name": str(n)}) for n in range(3)]
    assert [result.exit for result in results] == ["done"] * 3
    ids = [str(result.trace_id) for result in results]
    assert len(set(ids)) == 3 and ids == sorted(ids, reverse=True)
    for result in results:
        events = list(read(result.record))
        assert all(item.obs["took_us"] == 0 for item in events[1:])
        assert verify(result.record, data_root=root).verdict == "ANCHORED"
        at = [item.obs["at_us"] for item in events]
        assert at == sorted(at, reverse=True)  # the record says what the clock said
    with open_root(root) as ledger:
        assert [row.run for row in ledger.runs()] == ids


def test_a_run_that_seems_older_than_the_last_one(call: Call, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(*RUN, "T1").status == 0
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    said = call(*RUN, "T2")
    assert said.status == 0
    record = Path("traces/T2/T2.jsonl").read_bytes()
    assert next(read(record)).obs["started_at"] == "1970-01-01T00:00:01.000Z"
    assert call("verify", "T2", "--require", "anchored").status == 0
    again = call(*RUN, "T1").json()
    assert again["repeated"] is True


def test_a_run_that_is_gone_on_with_before_it_began(trial: Path, tmp_path: Path) -> None:
    """A machine whose clock is an hour behind finishes what another one left."""
    root, workspace = str(tmp_path / "data"), Workspace(trial)

    def dies() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), workspace.engine(root, clock=Ready(9, dies)) as engine:
        engine.run(EVERY_KIND, {"name": "a"}, trace_id="T1")
    with workspace.engine(root, clock=Falling(NOW_NS - 3_600_000_000_000)) as engine:
        result = engine.resume("T1")
    events = list(read(result.record))
    resumed = next(index for index, item in enumerate(events) if item.body["kind"] == "RESUMED")
    assert result.exit == "done" and events[resumed].obs["at_us"] < events[resumed - 1].obs["at_us"]
    assert all(item.obs.get("took_us", 0) >= 0 for item in events)
    assert verify(result.record, data_root=root).verdict == "ANCHORED"
    assert [row[2] for row in state(root)["receipts"]] == ["claim", "create", "tell", "swap", "put", "again"]


@pytest.fixture
def stuck() -> Iterator[Any]:
    class Stuck:
        """Chance that always falls the same way, and a clock that stands still."""

        def now_ns(self) -> int:
            return NOW_NS

        def draw(self, count: int) -> bytes:
            return bytes(count)

    yield Stuck()


def test_chance_that_repeats_never_mixes_two_runs(trial: Path, tmp_path: Path, stuck: Any) -> None:
    root = str(tmp_path / "data")
    workspace = Workspace(trial)
    with workspace.engine(root, clock=stuck, entropy=stuck) as engine:
        first, second = (engine.run(CLAIM, {"name": name}) for name in "ab")
        assert first.ok and second.ok and first.trace_id != second.trace_id
    ids = {first.trace_id, second.trace_id}
    for name in repeat("a", 2):
        before = state(root)["events"]
        with workspace.engine(root, clock=stuck, entropy=stuck) as engine:
            other = engine.run(CLAIM, {"name": name})
        assert other.ok and other.trace_id not in ids  # drawn again until it is free
        ids.add(other.trace_id)
        assert len(before) < len(now := state(root)["events"]) and all(row in now for row in before)


def test_a_payload_of_nothing_but_bad_luck_leaves_no_trace(call: Call, home: Path) -> None:
    """A run that could not even open its data root leaves nothing at all."""
    os.symlink("/dev/null", "data")
    said = call("run", "--wf", CLAIM, "--set", "name=a", "--trace-id", "T1", "--json")
    assert said.status == 6 and [item["code"] for item in said.json()["diagnostics"]] == ["OB720"]
    assert not (home / "traces").exists()
    assert call("run", "--wf", SAY, "--set", "name=a", "--trace-id", "T1", "--no-picture").status == 0
