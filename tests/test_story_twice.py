"""The whole story of the shipped domains is the same story each time: where clock, chance and key are given, every run
has the same digest on every data root."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from crashing import state
from moving import ROOT
from omnibachi import Workspace
from performing import NOW_NS

SHIPPED = Workspace(ROOT)


class Given:
    """A clock that goes a second forward each time somebody looks, and chance that is counted."""

    def __init__(self, start: int) -> None:
        self._now, self._drawn = NOW_NS + start, 0

    def now_ns(self) -> int:
        """Return the next instant."""
        self._now += 1_000_000_000
        return self._now

    def draw(self, count: int) -> bytes:
        """Return the next bytes."""
        self._drawn += 1
        return hashlib.shake_128(str(self._drawn).encode()).digest(count)


def told(root: Path, start: int = 0, key: bytes = bytes(32)) -> list[tuple[str, str, str]]:
    """Play the story on a fresh data root; return of each run its workflow, its exit and its digest.

    Secrets are committed to under `key`; with none the data root makes its own, by the machine's chance alone.
    """
    root.mkdir()
    if key:
        (root / "commitments.key").write_bytes(key)
    spec = importlib.util.spec_from_file_location("story", ROOT / "examples" / "story.py")
    assert spec is not None and spec.loader is not None
    story: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(story)
    for seed in ("blockchain/operators", "ai_governance/license_facts"):
        assert SHIPPED.load_facts(seed, data_root=root).ok
    given = Given(start)
    found = []
    with SHIPPED.engine(root, clock=given, entropy=given) as engine:
        teller = story.Teller(SimpleNamespace(call=drawn))
        for step in teller.steps():
            ended = engine.run(step.workflow, step.payload)
            assert ended.exit == step.exit, (step.said, ended.exit)
            teller.result = ended.result or {}
            teller.head = teller.result.get("head", teller.head)
            found.append((step.workflow, str(ended.exit), str(ended.digest)))
    return found


def drawn(capability: str, inputs: dict[str, Any]) -> Any:
    """Answer as the workspace does, with chance that is none."""
    if capability == "std::CS_ENTROPY_V0.DRAW":
        return SimpleNamespace(output={"hex": f"0x{'5a' * inputs['bytes']}"})
    return SHIPPED.call(capability, inputs)


def test_the_same_story_has_the_same_digests(tmp_path: Path) -> None:
    first, second = told(tmp_path / "a"), told(tmp_path / "b")
    assert first == second and len(first) == 38
    assert len({workflow for workflow, _, _ in first}) > 12
    one, other = state(tmp_path / "a"), state(tmp_path / "b")
    for found in (one, other):
        # the loads of facts were made by the machine's clock; how long a step took is measured
        del found["loads"], found["events"]
    assert one == other


def test_only_what_may_hold_a_secret_depends_on_the_data_root(tmp_path: Path) -> None:
    first, other = told(tmp_path / "a", key=b""), told(tmp_path / "b", key=b"")
    assert [item[:2] for item in first] == [item[:2] for item in other]
    differing = {one[0] for one, two in zip(first, other, strict=True) if one != two}
    assert differing == {"blockchain::WF_CREATE_WALLET_V0", "blockchain::WF_SUBMIT_TRANSACTION_V0"}


def test_another_time_is_another_story(tmp_path: Path) -> None:
    """What says when it began has another digest, however it ends."""
    first, other = told(tmp_path / "a"), told(tmp_path / "b", 3_600_000_000_000)
    assert [item[:2] for item in first] == [item[:2] for item in other]
    assert all(one[2] != two[2] for one, two in zip(first, other, strict=True) if one[1] in ("registered", "minted"))
