"""A disk that is really full: one clear message, nothing half-written, and all of it finished once there is room.

Small disks are file systems in memory, mounted in a namespace of their own; where nobody may mount, those tests are
skipped and the limit that the system sets on the size of a file remains: writing fails beyond it just as really.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from children import mounted, together
from crashing import files, in_child, state
from thoroughness import many
from trial import EVERY_KIND, a_copy, lay_trial

KILO = 1024
RUN = ("run", "--wf", EVERY_KIND, "--trace-id", "T1", "--set", "name=a", "--json")
# What the run says of itself, disk or no disk: a computation and a transform of it end in FAULT.
OWN = {"OB702", "OB707"}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    lay_trial(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(trial: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace in which the run was done with room enough."""
    folder = a_copy(trial, tmp_path_factory.mktemp("undisturbed") / "w")
    assert in_child(RUN, folder).status == 0
    return folder


def told(out: str) -> list[str]:
    """Return the codes of what went wrong because of the disk."""
    found = [item for item in json.loads(out)["diagnostics"] if item["code"] not in OWN]
    assert all(item["message"] and item["help"] for item in found)
    return [item["code"] for item in found]


def small_disk(trial: Path, tmp_path: Path, which: str, rooms: list[int]) -> list[dict[str, Any]]:
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "homes").mkdir()
    within = mounted(f'mount -t tmpfs -o size=4m tmpfs "{disk}"')
    if within is None:
        pytest.skip("nobody may mount here")
    errand = ("errands:under_a_full_disk", str(trial), str(tmp_path / "homes"), str(disk), which, rooms)
    found: list[dict[str, Any]]
    (found,) = together(errand, within=within)
    return found


def test_no_room_for_an_effect(trial: Path, undisturbed: Path, tmp_path: Path) -> None:
    rooms = [KILO * room for room in (0, 4, 16, 36, 120, 160, *range(168, 400, many(24, 12)), 1000)]
    seen = set()
    for found in small_disk(trial, tmp_path, "data", rooms):
        codes = told(found["said"])
        if found["status"] == 6:
            assert codes == ["OB724"]
            assert not [name for name in found["left"] if name.endswith(".jsonl")]
        else:  # The last bytes went to a mirror, or there was room.
            assert found["status"] == 0 and codes in ([], ["OB731"])
        assert found["resumed"][0] == 0, found["resumed"][1]
        assert found["again"] == 0
        assert found["state"] == repr(state(undisturbed / "data"))
        assert not [name for name in found["files"] if name.endswith(".new") or "/." in name]
        seen.add((found["status"], found["receipts"]))
    assert {(6, 0), (0, 6)} < seen and len({receipts for status, receipts in seen if status == 6}) >= 4


def test_no_room_for_trace_page_or_picture(trial: Path, undisturbed: Path, tmp_path: Path) -> None:
    wanted = files(undisturbed)
    sizes = [len(wanted[f"traces/T1/T1.{kind}"]) for kind in ("jsonl", "md", "png")]
    # Blocks of 4 KiB: nothing at all, the trace alone, trace and page, everything.
    blocks = [(size + 4095) // 4096 * 4096 for size in sizes]
    rooms = [0, 4096, blocks[0], blocks[0] + blocks[1], sum(blocks) - 4096, sum(blocks) + 65_536]
    ends = []
    for found in small_disk(trial, tmp_path, "traces", rooms):
        codes = told(found["said"])
        assert found["status"] == (6 if not found["left"] else 0)
        assert codes == (["OB726"] if len(found["left"]) < 3 else [])
        assert found["receipts"] == 6
        assert found["resumed"][0] == 0 and found["again"] == 0
        assert found["state"] == repr(state(undisturbed / "data"))
        assert [name for name in found["files"] if name.startswith("T1/")] == ["T1/T1.jsonl", "T1/T1.md", "T1/T1.png"]
        ends.append([name.rpartition(".")[2] for name in found["left"]])
    assert ends == [[], [], ["jsonl"], ["jsonl", "md"], ["jsonl", "md"], ["jsonl", "md", "png"]]


@pytest.mark.parametrize("largest", [2 * KILO, 6 * KILO, 20 * KILO, 100 * KILO, 170 * KILO, 200 * KILO, 260 * KILO])
def test_no_file_may_grow_beyond_a_size(trial: Path, undisturbed: Path, tmp_path: Path, largest: int) -> None:
    folder = a_copy(trial, tmp_path / "w")
    ended = in_child((*RUN, "--no-picture"), folder, largest=largest)
    if ended.status:
        assert ended.status == 6 and len(told(ended.out)) == 1
    left = [name for name in files(folder) if not name.startswith("data/locks/")]
    assert not [name for name in left if name.endswith(".new") or "/." in name]
    resumed = in_child(("resume", "--all", "--json"), folder)
    assert resumed.status == 0, resumed.out
    assert in_child((*RUN, "--no-picture"), folder).status == 0
    assert state(folder / "data") == state(undisturbed / "data")


@pytest.mark.parametrize("command", [(*RUN, "--no-picture"), ("show",), ("run", "--help")])
def test_an_output_that_takes_nothing_is_trouble_and_no_mistake_of_ours(
    trial: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    folder = a_copy(trial, tmp_path / "w")
    with open("/dev/full", "wb") as full:
        words = [sys.executable, "-m", "omnibachi", *command]
        done = subprocess.run(words, cwd=folder, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 6
    assert done.stderr.startswith(b"error[OB753] output-unwritable: standard output cannot be written: no space")
    assert done.stderr.count(b"\n") == 2
    if "T1" in command:
        assert in_child(RUN, folder).status == 0
