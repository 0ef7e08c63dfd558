"""The benchmark beside peers: the work is the same, its workers agree, and its pins are whole. Nothing is timed."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "benchmarks" / "peers"
PINS = sorted(PEERS.glob("*.txt"))
OF_THIS_PROJECT = {"floor", "omnibachi", "committed"}
WORK: dict[str, Any] = runpy.run_path(str(PEERS / "work.py"))


def check(peers: Path) -> subprocess.CompletedProcess[str]:
    """Let the workers that need no peer do every work once."""
    command = [sys.executable, str(peers / "compare.py"), "--check", "committed"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_workers_that_need_no_peer_agree() -> None:
    done = check(PEERS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "ten": [["floor", True], ["omnibachi", True], ["committed", True]],
        "hundred": [["floor", True], ["omnibachi", True]],
        "branches": [["floor", True], ["omnibachi", True]],
    }


def test_who_comes_out_otherwise_is_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns(".envs"))
    shop = tmp_path / "benchmarks" / "shop.py"
    shop.write_text(shop.read_text("utf-8").replace('"LEFT", {"n": n}', '"RIGHT", {"n": n}'), "utf-8")
    done = check(tmp_path / "benchmarks" / "peers")
    assert done.returncode == 1 and "Differs: omnibachi, branches" in done.stderr, done.stderr


def test_the_functions_are_those_of_the_workspace() -> None:
    place: dict[str, Any] = {}
    exec(runpy.run_path(str(ROOT / "benchmarks" / "shop.py"))["FUNCTIONS"], place)
    for name in ("step", "turn"):
        for n in range(7):
            inputs = {"n": n, "name": "a"}
            assert place[name](inputs) == WORK[name](inputs)


@pytest.mark.parametrize("work", sorted(WORK["WORKS"]))
def test_a_run_passes_as_many_nodes_as_are_said(work: str) -> None:
    n, path = WORK["expected"](work)
    assert len(path) == WORK["WORKS"][work] == n - WORK["PAYLOAD"]["n"]
    assert set(path) <= set(WORK["graph"](work))


def test_every_peer_has_pins_and_every_pin_a_peer() -> None:
    workers = {path.stem.removeprefix("on_") for path in PEERS.glob("on_*.py")}
    assert {path.stem for path in PINS} == workers - OF_THIS_PROJECT
    readme = (PEERS / "README.md").read_text("utf-8").lower()
    assert [name for name in workers - {"committed", "namesake"} if name not in readme] == []


@pytest.mark.parametrize("pins", PINS, ids=lambda path: path.stem)
def test_pins_are_whole_and_name_no_index(pins: Path) -> None:
    text = pins.read_text("utf-8")
    assert "://" not in text and "index" not in text and "@" not in text
    for line in text.replace("\\\n", "").splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [^\\]*?)?( +--hash=sha256:[0-9a-f]{64})+", line), line
