"""What a record may say of loops, doors and attempts, and what no run leaves; and that a replay finds every change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import omnibachi
from forging import observed, planted
from omnibachi import RunResult, Workspace
from omnibachi_model.record import read
from trial import lay_trial
from trial_loops import LOOPS


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rounds")
    lay_trial(folder)
    return folder


@pytest.fixture(scope="module")
def result(here: Path) -> RunResult:
    return Workspace(here).run(LOOPS, {"names": ["a", "a"]}, picture=False)


def line_of(result: RunResult, path: str) -> int:
    return next(event.line for event in read(result.record) if event.body.get("path") == path)


VIOLATIONS = {"violations": [{"pointer": "/n", "keyword": "type"}]}


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "FAILED"},
        {"outcome": "OVERFLOW", "output": {}},
        {"outcome": "VIOLATION", "inputs": {"count": 0}},
        {"outcome": "rejected", "inputs": {"any": "thing"}, "output": VIOLATIONS},
    ],
)
def test_what_a_loop_or_a_gate_may_leave_holds(result: RunResult, changes: dict[str, Any]) -> None:
    changed = planted(result.record, line_of(result, "keep_all"), **changes)
    assert omnibachi.verify(changed).verdict == "INTACT"


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": {"count": -1}},
        {"inputs": {"count": 2.5}},
        {"inputs": {"count": True}},
        {"inputs": {"count": 2, "more": 1}},
        {"inputs": {}},
        {"outcome": "rejected"},
        {"outcome": "rejected", "output": {"violations": []}},
        {"outcome": "rejected", "output": {"violations": [{"pointer": "/n"}]}},
        {"outcome": "rejected", "output": {"violations": [{"pointer": "/n", "keyword": 1}]}},
        {"outcome": "rejected", "output": {**VIOLATIONS, "more": 1}},
        {"outcome": "approved"},
        {"path": ""},
        {"path": "tell[0]"},
        {"capability": "std::CT_DIGEST_V0"},
    ],
)
def test_what_no_loop_and_no_gate_leaves_is_broken(result: RunResult, changes: dict[str, Any]) -> None:
    line = line_of(result, "keep_all")
    found = omnibachi.verify(planted(result.record, line, **changes))
    # A path that comes again is found where it comes again.
    assert found.verdict == "BROKEN" and found.line is not None and found.line >= line


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (None, {"chance": "0"}),
        (None, {"chance": None}),
        (None, {"chance": "F" * 32}),
        ("again", {"attempts": 1}),
        ("again", {"attempts": True}),
        ("again", {"attempts": "3"}),
        ("tell", {"waited_us": 0}),
        ("tell", {"waited_us": -1}),
    ],
)
def test_chance_attempts_and_waits_have_their_form(result: RunResult, path: str | None, changes: Any) -> None:
    line = line_of(result, path) if path else 1
    assert omnibachi.verify(observed(result.record, line, **changes)).line == line


def test_a_replay_finds_every_change(here: Path, result: RunResult) -> None:
    snapshot = Workspace(here).load()
    assert omnibachi.replay(result.record, snapshot).same
    for event in read(result.record):
        for member, value in (("outcome", "OTHER"), ("exit", "other"), ("path", "other"), ("inputs", {"count": 9})):
            if member in event.body:
                found = omnibachi.replay(planted(result.record, event.line, **{member: value}), snapshot)
                assert (found.same, found.line) == (False, event.line), (event.body, member)
