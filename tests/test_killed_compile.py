"""Compiling, killed anywhere: the old snapshot or the new one, never a mixture, and nothing lies about afterwards."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

from crashing import files, in_child
from omnibachi import Refused, Workspace
from thoroughness import some
from trial import CLAIM, lay_trial

COMPILE = ("compile", "--json")


def test_a_compile_may_be_killed_anywhere(tmp_path: Path) -> None:
    root, kept = tmp_path / "w", tmp_path / "kept"
    seals = {lay_trial(root).load().seal: "old"}
    source = root / "protocols/trial/single.yaml"
    source.write_text(source.read_text().replace("taken: {status: COMPLETED", "taken: {status: REJECTED"))
    shutil.copytree(root, kept)
    shutil.copytree(root, tmp_path / "first")
    assert in_child(COMPILE, tmp_path / "first").status == 0  # the first compile of all makes the user's key
    whole = in_child(COMPILE, root)
    assert whole.status == 0 and whole.unseen == []
    seals[json.loads(whole.out)["seal"]] = "new"
    made = files(root)
    places = {edge + step for edge, name in enumerate(whole.edges, 1) if "rename" in name for step in (-1, 0, 1)}
    places |= {edge for edge, name in enumerate(whole.edges, 1) if name == "after mkdir"}
    found = []
    for edge in sorted(places | set(some(range(1, len(whole.edges) + 1), 24))):
        shutil.rmtree(root)
        shutil.copytree(kept, root)
        assert in_child(COMPILE, root, fatal=edge).status == -signal.SIGKILL
        try:
            found.append(seals[Workspace(root).load().seal])
        except Refused as refused:
            found.append(refused.diagnostics[0].code)
        else:
            assert in_child(("verify", "protocol_snapshot"), root).status == 0
            assert in_child(("run", "--wf", CLAIM, "--set", "name=a", "--no-picture"), root).status == 0
            shutil.rmtree(root / "traces")
            shutil.rmtree(root / "data")
        assert in_child(COMPILE, root).status == 0
        assert files(root) == made
    # The folder cannot be exchanged at one stroke: killed between its two places, it is there when compiled again.
    assert found == sorted(found, key=["old", "OB601", "new"].index)
    assert set(found) == {"old", "OB601", "new"} and found.count("OB601") <= 2
