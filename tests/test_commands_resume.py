"""`omnibachi resume` as the front door calls it, and what other commands say of a run that was left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from children import SECONDS, Child
from dying import CAPS, JOURNAL, KEEP, KILLED, LOOK, PUT, RUN, SHOUT, SWAP, calls, dies, dies_at, shop
from front_door import Call, call
from omnibachi.__main__ import main
from omnibachi.recovery import SEVERITY, Recovery
from omnibachi.results import RunResult

__all__ = ["call"]

ALL = ("resume", "--all", "--no-picture")


@pytest.fixture
def here(call: Call, tmp_path: Path) -> Path:
    """The present folder, a workspace."""
    shop(tmp_path)
    return tmp_path


def left(here: Path, *trace_ids: str) -> None:
    """Leave unfinished runs."""
    for trace_id in trace_ids:
        dies_at(here, "look", "run", trace_id)


def test_without_an_id_what_can_be_resumed_is_listed(call: Call, here: Path) -> None:
    said = call("resume")
    assert (said.status, said.out, said.err) == (0, "nothing to resume\n", "")
    assert not (here / "data").exists()
    left(here, "T1")
    dies(here, "dying", f"{JOURNAL}.commit", 2, True, [word if word != "T1" else "T2" for word in RUN])
    said = call("resume")
    assert said.status == 0
    first, second = said.out.splitlines()[1:3]
    assert first.startswith("T1 ") and first.endswith("unfinished")
    assert second.startswith("T2 ") and second.endswith("ended done COMPLETED, not published: jsonl, md")
    assert "`omnibachi resume --all`" in said.out
    value = call("resume", "--json").json()
    assert (value["schema"], value["ok"], value["runs"]) == ("omnibachi.resume/1", True, [])
    assert [(item["trace_id"], item["state"], item["missing"]) for item in value["left"]] == [
        ("T1", "unfinished", []), ("T2", "unpublished", ["jsonl", "md"]),
    ]  # fmt: skip
    assert calls(here) == ["first", "look", "first", "look", "second"], "listing does nothing"


def test_one_run_is_finished_and_its_files_named(call: Call, here: Path) -> None:
    left(here, "T1", "T2")
    said = call("resume", "T1", "--no-picture")
    assert said.status == 0, said.err
    assert said.out.startswith(f"T1: {KEEP}: done (COMPLETED), resumed\n  digest  sha256:")
    assert str(Path("traces/T1/T1.jsonl")) in said.out
    value = call("resume", "T1", "--json", "--no-picture").json()
    (run,) = value["runs"]
    assert {**value, **run} == value, "what `run --json` has stands at the top for one run"
    assert (run["state"], run["exit"], run["repeated"]) == ("recorded", "done", True)
    assert sorted(run["trace"]) == ["jsonl", "md"]
    assert [item["trace_id"] for item in call("resume", "--json").json()["left"]] == ["T2"]


def test_all_runs_are_finished_and_each_is_told(call: Call, here: Path) -> None:
    left(here, "T1", "T2")
    value = call(*ALL, "--json").json()
    assert (value["ok"], value["exit_code"], value["left"]) == (True, 0, [])
    assert [(run["trace_id"], run["state"], run["exit"]) for run in value["runs"]] == [
        ("T1", "resumed", "done"), ("T2", "resumed", "done"),
    ]  # fmt: skip
    assert call("verify", "T1", "--require", "anchored").status == 0
    said = call(*ALL)
    assert (said.status, said.out) == (0, "nothing to resume\n")


def test_what_is_refused_does_not_stop_the_others(call: Call, here: Path) -> None:
    left(here, "T1")
    shop(here, caps=CAPS + "\n# other bytes\n")
    left(here, "T2")
    said = call(*ALL)
    assert said.status == 4
    assert "1 run of 2 done" in said.out
    assert said.err.count("OB714") == 4
    accept = [word for address in (PUT, LOOK, SWAP, SHOUT) for word in ("--accept", address)]
    said = call(*ALL, *accept, "--accept", "shop::CT_OTHER_V0")
    assert said.status == 0, said.err
    assert "no unfinished run calls `shop::CT_OTHER_V0`" in said.err
    assert "T1" in said.out


def test_a_run_that_another_process_works_on_is_named(call: Call, here: Path) -> None:
    (here / "hang-look").touch()
    started = Child("dying:run", "T1", folder=here)
    try:
        while not (here / "calls").exists() or calls(here) != ["first", "look"]:
            assert started.process.poll() is None
            time.sleep(0.01)
        said = call(*ALL)
        assert (said.status, said.out) == (0, f"T1: process {started.process.pid} works on it; left alone\n")
        said = call("resume")
        assert f"process {started.process.pid} works on it" in said.out
        assert "finish one" not in said.out
        said = call("resume", "T1", "--json")
        assert said.status == 6
        assert said.json()["runs"][0]["state"] == "refused"
        assert [item["code"] for item in said.json()["diagnostics"]] == ["OB713"]
    finally:
        started.end()


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("T1", "--all"), 2, "OB752"),
        (("--accept", SHOUT), 2, "OB752"),
        (("--acept", SHOUT), 2, "OB752"),
        (("T1",), 3, "OB316"),
        (("a b",), 3, "OB710"),
    ],
)
def test_a_command_line_that_makes_no_sense(
    call: Call, here: Path, arguments: tuple[str, ...], status: int, code: str
) -> None:
    said = call("resume", *arguments, "--json")
    assert said.status == status
    assert [item["code"] for item in said.json()["diagnostics"]] == [code]
    assert not (here / "data").exists()


def test_other_commands_name_resume(call: Call, here: Path) -> None:
    left(here, "T1")
    said = call(*RUN)
    assert (said.status, "OB712" in said.err, "`omnibachi resume T1`" in said.err) == (3, True, True)
    said = call("examine", "T1")
    assert (said.status, "`omnibachi resume T1`" in said.out) == (0, True)
    assert "unfinished" in call("traces", "ls").out


def test_a_damaged_store_is_one_message(call: Call, here: Path) -> None:
    (here / "data").mkdir()
    (here / "data/store.db").write_bytes(b"no database" * 100)
    for arguments in (("resume",), ("resume", "T1"), ALL):
        said = call(*arguments)
        assert (said.status, said.out.startswith("nothing"), said.err.count("OB723")) == (6, False, 1), arguments


def test_the_worst_run_gives_the_exit_status() -> None:
    def of(*codes: int) -> int:
        return Recovery(tuple(RunResult("T1", KEEP, code) for code in codes), ()).exit_code

    assert of() == 0
    assert [of(*SEVERITY[: count + 1]) for count in range(len(SEVERITY))] == [0, 7, 5, 1, 3, 4, 6]


def test_resuming_may_be_interrupted_by_a_kill_and_is_resumed(here: Path) -> None:
    left(here, "T1", "T2")
    started = Child("dying:dying", f"{JOURNAL}.commit", 1, True, [*ALL], folder=here)
    assert started.process.wait(SECONDS) == KILLED
    started.end()
    assert main([*ALL]) == 0
    assert calls(here) == ["first", "look"] * 2 + ["look", "second"] * 2
    assert [path.name for path in (here / "data/locks").iterdir()] == ["mirror.lock"]
