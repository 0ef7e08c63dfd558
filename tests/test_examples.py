"""The shipped examples run as the README says, and each has a trace, a page and a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnibachi import Workspace

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = {
    "register_actor.json": ("blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0", "registered"),
    "verify_actor.json": ("blockchain::WF_VERIFY_ACTOR_V0", "verified"),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The shipped snapshot, with state and traces elsewhere."""
    folder = tmp_path_factory.mktemp("examples")
    found = Workspace(ROOT)
    found.data_root = str(folder / "data")
    found.traces.folder = str(folder / "traces")
    return found


def test_every_example_is_listed_here() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.json")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_has_its_picture(name: str, workspace: Workspace) -> None:
    """In the order of the table: who is verified must be registered first."""
    address, ending = EXAMPLES[name]
    result = workspace.run(address, json.loads((ROOT / "examples" / name).read_text("utf-8")))
    assert (result.exit, result.status, result.diagnostics) == (ending, "COMPLETED", ())
    assert set(result.trace) == {"jsonl", "md", "png"}
    assert Path(workspace.traces.path(str(result.trace_id), "png")).read_bytes().startswith(b"\x89PNG")
