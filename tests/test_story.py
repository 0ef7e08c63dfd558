"""The story of the shipped domains, played as a stranger would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from omnibachi import Workspace

ROOT = Path(__file__).resolve().parent.parent


def test_the_story_ends_as_it_says(tmp_path: Path) -> None:
    """Every step ends at its exit, balances sum to zero, and what it left can be looked at."""
    played = subprocess.run(
        [sys.executable, ROOT / "examples" / "story.py", "--data-root", tmp_path / "data"],
        capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path,
    )  # fmt: skip
    assert played.returncode == 0, played.stdout + played.stderr
    assert "simulated" in played.stdout
    assert "all together" in played.stdout
    workspace = Workspace(ROOT)
    actors = workspace.records("blockchain::ST_ACTORS_V0", data_root=tmp_path / "data")
    assert len(actors) == 3
    assert len(workspace.records("blockchain::ST_BLOCKS_V0", data_root=tmp_path / "data")) > 0
