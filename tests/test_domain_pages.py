"""The pages of the shipped domains: what is written is what is made from the snapshot, and every picture is there."""

from __future__ import annotations

import re
from pathlib import Path

from omnibachi import Workspace
from omnibachi.domain_pages import pages

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "domains"
MADE = "python -m omnibachi.domain_pages docs/domains"


def test_the_pages_are_those_of_the_snapshot() -> None:
    made = pages(Workspace(ROOT))
    assert {path.name for path in FOLDER.glob("*.md")} == set(made), MADE
    for name, text in made.items():
        assert (FOLDER / name).read_text("utf-8") == text, MADE


def test_every_picture_is_there_and_none_is_left_over() -> None:
    shown = {
        match
        for path in FOLDER.glob("*.md")
        for match in re.findall(r"!\[[^]]*\]\(([^)]+\.svg)\)", path.read_text("utf-8"))
    }
    drawn = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.svg")}
    assert shown == drawn
    assert len(shown) == len(Workspace(ROOT).load().workflows)
    for name in shown:
        assert b"<svg" in (FOLDER / name).read_bytes()[:1000]
