"""Two real processes at once on one data root: nothing is lost, nobody hears of the other, and every law holds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from children import HERE, SECONDS, children, together
from errands import REGISTER_ACTOR, actor
from omnibachi import Workspace, verify
from omnibachi_ledger import open_root
from omnibachi_ledger.addresses import is_address
from omnibachi_model.digests import encode
from performing import RECORDS, REGISTRY, STREAM, everywhere, root
from trial import CLAIM, COUNT_UP, NAMES, SAY, THINGS, a_copy, lay_trial

__all__ = ["root"]

SHIPPED = str(HERE.parent)
ACTORS, IDENTITY = "blockchain::ST_ACTORS_V0", "blockchain::ST_IDENTITY_EVENTS_V0"
RUNS = 1000
CLAIMS = 200


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    lay_trial(folder)
    return folder


def rows(root: str, sql: str) -> list[Any]:
    with open_root(root) as ledger:
        return ledger._db.rows(sql)


@everywhere
def test_a_thousand_runs_each_and_nothing_is_lost(root: str) -> None:
    count = 100 if is_address(root) else RUNS
    said = together(*(("errands:register_actors", SHIPPED, root, side, count) for side in "AB"))
    assert [side["diagnostics"] for side in said] == [[], []]
    assert [side["ends"] for side in said] == [{"registered": count}] * 2
    ids = [trace_id for side in said for trace_id in side["ids"]]
    assert len(set(ids)) == 2 * count

    ended = dict(rows(root, "SELECT run, digest FROM runs WHERE exit='registered'"))
    with open_root(root) as ledger:
        assert (ledger.left(), ledger.living()) == ({}, set())
    assert ended == dict(zip(ids, (digest for side in said for digest in side["digests"]), strict=True))
    assert rows(root, "SELECT count(*) FROM events") == [(2 * count * 5,)]
    numbers = [number for (number,) in rows(root, "SELECT number FROM receipts ORDER BY number")]
    assert numbers == list(range(1, 4 * count + 1))
    assert rows(root, "SELECT outcome, count(*) FROM receipts GROUP BY outcome") == [("SUCCESS", 4 * count)]

    with open_root(root) as ledger:
        kept = [item["value"] for item in ledger.records(ACTORS)]
        told = ledger.records(IDENTITY)
        sample = {trace_id: ledger.record(trace_id) for trace_id in ids[:: count // 10]}
    wanted = [actor(number, side)["actor_record"] for side in "AB" for number in range(count)]
    assert sorted(map(encode, kept)) == sorted(map(encode, wanted))
    assert [item["sequence"] for item in told] == list(range(1, 2 * count + 1))
    assert len({item["record"]["actor_id"] for item in told}) == 2 * count  # type: ignore[call-overload, index]
    for record in sample.values():
        assert record is not None
        assert verify(record, data_root=root).verdict == "ANCHORED"


@everywhere
def test_two_hundred_claims_of_one_name_from_each_side(trial: Path, root: str) -> None:
    said = together(*(("errands:claim", str(trial), root, CLAIM, side, ["name"] * CLAIMS) for side in "AB"))
    assert Counter(end for side in said for end in side) == {"claimed": 1, "taken": 2 * CLAIMS - 1}
    with open_root(root) as ledger:
        ((_, value),) = (tuple(item.values()) for item in ledger.records(NAMES))
        winner = value["owner"]
    side = "AB".index(winner[0])
    assert said[side][int(winner[1:])] == "claimed"
    heard = rows(root, "SELECT outcome, count(*) FROM receipts GROUP BY outcome ORDER BY outcome")
    assert heard == [("ALREADY_EXISTS", 2 * CLAIMS - 1), ("SUCCESS", 1)]
    told = {row[0] for row in rows(root, "SELECT body FROM events WHERE path='claim'") if b"ALREADY_EXISTS" in row[0]}
    assert {json.loads(body)["output"]["value"]["owner"] for body in told} == {winner}


@everywhere
def test_the_same_two_hundred_names_from_both_sides(trial: Path, root: str) -> None:
    names = [f"name-{n}" for n in range(CLAIMS)]
    said = together(*(("errands:claim", str(trial), root, CLAIM, side, names) for side in "AB"))
    pairs = list(zip(*said, strict=True))
    assert {tuple(sorted(pair)) for pair in pairs} == {("claimed", "taken")}
    with open_root(root) as ledger:
        owners = {item["key"]: item["value"]["owner"] for item in ledger.records(NAMES)}  # type: ignore[call-overload, index]
    for n, (name, pair) in enumerate(zip(names, pairs, strict=True)):
        assert owners[name] == f"{'AB'[pair.index('claimed')]}{n}"


@everywhere
def test_a_second_look_in_one_process_gives_up_no_lock_of_the_first(trial: Path, root: str) -> None:
    """Whoever opens and closes a database file on the side gives up the process's own locks on it (fcntl(2)): the next
    process to leave would then take itself for the last one, and the log away from under the others."""
    workspace = Workspace(trial)
    with workspace.engine(root) as engine:
        assert engine.run(CLAIM, {"name": "first", "by": "A"}).exit == "claimed"
        assert len(workspace.records(NAMES, data_root=root)) == 1
        with workspace.engine(root) as another:
            assert another.ledger.stores() == {NAMES: 1}
        assert together(("errands:claim", str(trial), root, CLAIM, "B", ["second"])) == [["claimed"]]
        assert engine.run(CLAIM, {"name": "third", "by": "A"}).exit == "claimed"
        assert len(workspace.records(NAMES, data_root=root)) == 3
    assert [item["key"] for item in workspace.records(NAMES, data_root=root)] == ["first", "second", "third"]


# The laws of test_laws.py, with two processes at once.


@everywhere
def test_mutable_no_count_is_lost_where_a_write_carries_its_revision(trial: Path, root: str) -> None:
    said = together(*(("errands:count_up", str(trial), root, COUNT_UP, "n", 100) for _ in "AB"))
    assert [side["counted"] for side in said] == [100, 100]
    assert {end for side in said for end in side} <= {"counted", "conflict"}
    with open_root(root) as ledger:
        assert ledger.records(THINGS) == [{"key": "n", "value": {"n": 200}}]


@everywhere
def test_mutable_the_last_write_wins_and_revisions_never_go_back(root: str) -> None:
    calls = [[{"key": "k", "value": {"by": side, "n": n}} for n in range(100)] for side in "AB"]
    said = together(
        *(("errands:operate", root, side, "std::CS_RECORDS_V0.PUT", "MUTABLE", RECORDS, inputs)
          for side, inputs in zip("AB", calls, strict=True))
    )  # fmt: skip
    revisions = [[output["revision"] for _, output in side] for side in said]
    assert sorted(revisions[0] + revisions[1]) == list(range(1, 201))
    assert [side == sorted(side) for side in revisions] == [True, True]
    last = 0 if revisions[0][-1] == 200 else 1
    with open_root(root) as ledger:
        assert ledger.records(RECORDS) == [{"key": "k", "value": calls[last][-1]["value"]}]


@everywhere
@pytest.mark.parametrize(
    ("operation", "store"), [("CS_REGISTRY_V0.REGISTER", REGISTRY), ("CS_RECORDS_V0.CREATE", RECORDS)]
)
def test_idempotent_once_each_however_often_it_is_asked(root: str, operation: str, store: str) -> None:
    calls = [[{"key": str(n // 2), "value": {"by": side}} for n in range(100)] for side in "AB"]
    said = together(
        *(("errands:operate", root, side, f"std::{operation}", "IDEMPOTENT", store, inputs)
          for side, inputs in zip("AB", calls, strict=True))
    )  # fmt: skip
    with open_root(root) as ledger:
        kept = {item["key"]: item["value"] for item in ledger.records(store)}
    assert len(kept) == 50
    answers: dict[str, list[tuple[str, str]]] = {}
    for side, name in zip(said, "AB", strict=True):
        for inputs, (outcome, output) in zip(calls["AB".index(name)], side, strict=True):
            answers.setdefault(inputs["key"], []).append((name, outcome))
            if outcome == "ALREADY_EXISTS":
                assert output["value"] == kept[inputs["key"]]
    for key, found in answers.items():
        assert [name for name, outcome in found if outcome == "SUCCESS"] == [kept[key]["by"]]  # type: ignore[call-overload, index]


@everywhere
def test_append_only_and_read_the_past_is_a_prefix_for_whoever_watches(root: str) -> None:
    calls = [[{"record": {"a": f"{side}{n}"}} for n in range(100)] for side in "AB"]
    puts = [{"key": "k", "value": {"n": n}} for n in range(60)]
    appended: list[Any]
    *appended, put, seen = together(
        *(("errands:operate", root, side, "std::CS_EVENTS_V0.APPEND", "APPEND_ONLY", STREAM, inputs)
          for side, inputs in zip("AB", calls, strict=True)),
        ("errands:operate", root, "C", "std::CS_RECORDS_V0.PUT", "MUTABLE", RECORDS, puts),
        ("errands:watch", root, "k", 200),
    )  # fmt: skip
    assert [output["revision"] for _, output in put] == list(range(1, 61))
    assert seen == sorted(seen) and seen[-1][1] == 200
    with open_root(root) as ledger:
        told = ledger.records(STREAM)
        assert len(ledger.runs(1000)) == 260  # watching left nothing
    sequences = [[output["sequence"] for _, output in side] for side in appended]
    assert sorted(sequences[0] + sequences[1]) == list(range(1, 201))
    for side, inputs in zip(sequences, calls, strict=True):
        assert side == sorted(side)
        assert [told[sequence - 1]["record"] for sequence in side] == [given["record"] for given in inputs]


# The command itself, twice at once.


def run_command(folder: Path, workflow: str, trace_id: str, *sets: str) -> subprocess.Popen[str]:
    options = [word for item in sets for word in ("--set", item)]
    return subprocess.Popen(
        [sys.executable, "-m", "omnibachi", "run", "--wf", workflow, "--trace-id", trace_id, *options, "--no-picture",
         "--json"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def answers(started: list[subprocess.Popen[str]]) -> list[Any]:
    said = []
    for process in started:
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
        assert err == ""
        said.append(json.loads(out))
        assert said[-1]["exit_code"] == process.returncode
    return said


@pytest.mark.parametrize("workflow", [CLAIM, SAY])
def test_one_id_given_to_two_commands_at_once_is_one_run(trial: Path, tmp_path: Path, workflow: str) -> None:
    folder = a_copy(trial, tmp_path / "w")
    for turn in range(3):
        said = answers([run_command(folder, workflow, f"T{turn}", f"name=n{turn}") for _ in "AB"])
        assert any(item["ok"] for item in said)
        for item in said:
            if not item["ok"]:  # The other had begun and not ended: it is named, and nothing was done.
                assert (item["exit_code"], item["diagnostics"][0]["code"]) == (6, "OB713")
        assert len({item["digest"] for item in said if item["ok"]}) == 1
        trace = folder / "traces" / f"T{turn}"
        assert sorted(path.name for path in trace.iterdir()) == [f"T{turn}.jsonl", f"T{turn}.md"]
    if workflow == CLAIM:
        found = rows(str(folder / "data"), "SELECT run, path FROM receipts ORDER BY number")
        assert found == [(f"T{turn}", "claim") for turn in range(3)]


def test_mirrors_are_complete_and_in_order_after_two_processes(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    with children(*(("test_two_processes:run_and_publish", side, 40) for side in "AB"), folder=folder) as started:
        assert [child.said() for child in started] == [[0] * 40] * 2
    data = folder / "data"
    actors = [json.loads(line) for line in (data / "registry/blockchain/ST_ACTORS_V0.jsonl").read_text().splitlines()]
    told = [
        json.loads(line) for line in (data / "events/blockchain/ST_IDENTITY_EVENTS_V0.jsonl").read_text().splitlines()
    ]
    assert [line["sequence"] for line in told] == list(range(1, 81))
    for lines in (actors, told):
        numbers = [line["number"] for line in lines]
        assert len(numbers) == 80 and numbers == sorted(numbers)
    with open_root(str(data)) as ledger:
        assert [{"key": line["key"], "value": line["value"]} for line in actors] == ledger.records(ACTORS)
        before = {path: path.read_bytes() for path in data.rglob("*.jsonl")}
        ledger.export({ACTORS: "registry", IDENTITY: "events"})
    assert {path: path.read_bytes() for path in data.rglob("*.jsonl")} == before


def run_and_publish(barrier: Any, side: str, count: int) -> list[int]:
    """Do what `omnibachi run` does, many times, in the present folder; return the exit statuses."""
    workspace = Workspace.find()
    barrier()
    return [workspace.run(REGISTER_ACTOR, actor(n, side), picture=False).exit_code for n in range(count)]
