"""The front door as tests call it: in an empty folder, in a workspace that `init` made, and what it said."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from omnibachi.__main__ import main

GREET = "greeting::WF_GREET_V0"
STORE = "greeting::ST_GREETINGS_V0"


class Said(NamedTuple):
    """What a command left: exit status, stdout, stderr."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the one JSON object that stdout holds."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


Call = Callable[..., Said]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call the front door in an empty folder and return what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        capfd.readouterr()
        status = main(list(arguments))
        sys.stdout.flush()
        return Said(status, *capfd.readouterr())

    return run


@pytest.fixture
def workspace(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace made by `init`, which is the present folder."""
    made = call("init", "mine")
    assert made.status == 0, made.err
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def greet(call: Call, trace_id: str, *more: str) -> Said:
    said = call("run", "--wf", GREET, "--payload", "examples/greet.json", "--trace-id", trace_id, "--no-picture", *more)
    assert said.status == 0, said.err
    return said
