"""A disk that is full in the middle of a run: what stands is not called refused, and what is refused does not stand."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

from governing import events, gateway, post, stories
from omnibachi_model.decisions import FINAL


def test_what_is_refused_leaves_no_event_and_what_stands_is_told(tmp_path: Path) -> None:
    """What was refused is unknown to the ledger; all else is there, and comes to its end when there is room again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    told: dict[str, str | None] = {}
    with gateway(tmp_path / "d") as door:
        post(door, "first")
        grown = max(file.stat().st_size for file in (tmp_path / "d").iterdir() if file.is_file())
        try:
            # The log grows story by story, so that the end of the room falls on every place of one sooner or later.
            for number in range(60):
                resource.setrlimit(resource.RLIMIT_FSIZE, (grown + 4096 * number, hard))
                found = post(door, f"c{number}", "x" * (number * 40))
                told[f"c{number}"] = None if found.refused else found.state
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
    there = stories(tmp_path / "d")
    refused = {name for name, state in told.items() if state is None}
    cut = {name for name, state in told.items() if state is not None and state not in FINAL}
    assert refused and cut, (len(refused), len(cut), os.listdir(tmp_path / "d"))
    assert refused.isdisjoint(there) and set(told) - refused <= set(there)
    with gateway(tmp_path / "d") as door:
        door.recover()
        again = {name: post(door, name, "x" * (int(name[1:]) * 40)) for name in told}
    assert all(found.state in FINAL for found in again.values())
    assert {name for name, found in again.items() if found.replayed} == set(told) - refused
    assert len(events(tmp_path / "d")) == 3 * (1 + len(told))
