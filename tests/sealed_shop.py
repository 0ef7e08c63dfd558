"""A workspace with one workflow of one transform of its own, sealed by hand, and how to change and seal it anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handmade import TEXT, call, lay, leave, record_of, workflow
from omnibachi import RunResult, Workspace
from omnibachi_model.digests import digest, pretty

WF = "shop::WF_TEST_V0"
SHOUT = """
from .words import loud

def shout(inputs):
    return "SUCCESS", {"text": loud(inputs["text"])}
"""
WORDS = """
def loud(text):
    return text.upper()
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a workspace with one workflow of one transform, sealed by hand."""
    nodes = [
        call("shout", "shop::CT_SHOUT_V0", {"text": ["ref", "payload", ["text"]]},
             {"SUCCESS": record_of({"text": TEXT})}, {"SUCCESS": 1, "FAULT": 2}),
        leave("done", "COMPLETED", ["map", {"said": ["ref", 0, ["text"]]}]),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]  # fmt: skip
    sealed = workflow(nodes, record_of({"text": TEXT}))
    lay(tmp_path, [sealed], {"shop::CT_SHOUT_V0": "shop_caps.shout:shout"},
        {"shop_caps.shout": SHOUT, "shop_caps.words": WORDS})  # fmt: skip
    manifest = json.loads((tmp_path / "protocol_snapshot/manifest.json").read_bytes())
    lock = manifest["capabilities"]["shop::CT_SHOUT_V0"]
    lock["modules"]["shop_caps.words"] = digest(WORDS.encode())
    reseal(tmp_path, manifest)
    return tmp_path


def reseal(root: Path, manifest: Any) -> None:
    data = pretty(manifest)
    (root / "protocol_snapshot/manifest.json").write_bytes(data)
    (root / "protocol_snapshot/manifest.sha256").write_text(digest(data) + "\n")


def edit_manifest(root: Path, change: Callable[[Any], None]) -> None:
    path = root / "protocol_snapshot/manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    reseal(root, manifest)


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def run(root: Path, **more: Any) -> RunResult:
    return Workspace(root).run(WF, {"text": "a"}, picture=False, **more)


def refusal(result: RunResult) -> tuple[str, int, str]:
    assert (result.exit, result.status, result.digest, result.record) == (None, None, None, b"")
    (found,) = result.diagnostics
    return found.code, result.exit_code, found.message
