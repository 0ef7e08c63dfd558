"""The README as a newcomer types it: its commands run, and what it shows is what they print and what `init` writes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import omnibachi
from front_door import Call, call
from omnibachi import Workspace, render, verify
from omnibachi_model.record import digest_of, read

__all__ = ["call"]

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
TEMPLATE = Path(omnibachi.__file__).parent / "templates" / "workspace"
SAMPLE = ROOT / "traces" / "sample" / "sample.jsonl"


def _blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


def _command(words: list[str], folder: Path) -> str:
    """Run one line with the installed command in place of the launcher, which has its own test."""
    words = [sys.executable, "-m", "omnibachi", *words[1:]]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def test_its_commands_run_in_a_fresh_checkout(copy_of_checkout: Callable[[Path], Path], tmp_path: Path) -> None:
    root = copy_of_checkout(tmp_path / "fresh")
    folder, said = root, {}
    for line in "".join(_blocks("sh")).splitlines():
        words = shlex.split(line)
        if words[0] == "cd":
            folder = folder / words[1]
        elif words[0].endswith("omnibachi"):
            assert os.path.samefile(folder / words[0], root / "omnibachi")
            said[line] = _command(words, folder)
    assert len(said) >= 6
    assert not [line for line, text in said.items() if "warning[" in text], (
        "traces/README.md says how to make the sample"
    )
    ran = next(iter(said.values()))
    shown = next(text for text in _blocks("") if "(COMPLETED)" in text)
    assert _unvarying(ran) == _unvarying(shown)
    mirror = re.search(r"`(data/registry/\S+\.jsonl)`", README)
    assert mirror and (root / mirror[1]).is_file()


def _unvarying(text: str) -> str:
    """Drop what differs between two runs: ids that hold the time (the README shows `sample`), and the digest."""
    return re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", re.sub(r"\d{8}T\d+-[0-9a-f]{8}|\bsample\b", "ID", text))


@pytest.mark.parametrize("language, suffix", [("yaml", ".yaml"), ("python", ".py")])
def test_what_it_shows_is_what_init_writes(language: str, suffix: str) -> None:
    written = [path.read_text("utf-8") for path in TEMPLATE.rglob(f"*{suffix}")]
    for text in _blocks(language):
        if "import Workspace" in text:
            continue
        for part in text.strip().split("\n\n\n"):
            assert any(part in file for file in written), part


def test_its_python_runs(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("init", "greetings").status == 0
    text = next(text for text in _blocks("python") if "import Workspace" in text)
    space: dict[str, object] = {}
    exec(compile(text, "README.md", "exec"), space)
    assert getattr(space["result"], "exit", None) == "greeted"


def test_the_mistake_that_it_shows_is_shown_so(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("init", "greetings").status == 0
    monkeypatch.chdir("greetings")
    shown = next(text for text in _blocks("") if text.startswith("error["))
    place = re.search(r"--> (\S+):(\d+):(\d+)", shown)
    assert place
    file = Path(place[1])
    wrong = re.search(r"^ *\d+ \| (.*)$", shown, re.MULTILINE)
    assert wrong
    lines = file.read_text("utf-8").splitlines()
    at = next(index for index, line in enumerate(lines) if line.strip().startswith("greeted:"))
    lines[at] = wrong[1]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    said = call("compile")
    assert said.status == 3
    assert at + 1 == int(place[2])
    assert shown.strip() in said.err


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_sample_is_a_run_of_the_shipped_workflow() -> None:
    record = SAMPLE.read_bytes()
    assert verify(record).verdict == "INTACT"
    lines = list(read(record))
    snapshot = Workspace(ROOT).load()
    started = lines[0].body
    shipped = snapshot.manifest["workflows"][started["workflow"]]["sha256"]
    assert started["workflow_digest"] == shipped, "make the sample again: traces/README.md says how"
    assert digest_of([line.body_bytes for line in lines]) in README
    page = SAMPLE.with_suffix(".md").read_bytes()
    assert render(record, snapshot, "md").replace(b"\n\n", b"\n") == _without_picture(page)
    assert SAMPLE.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def _without_picture(page: bytes) -> bytes:
    return re.sub(rb"^!\[.*\n\n?", b"", page, flags=re.MULTILINE).replace(b"\n\n", b"\n")


def test_the_sample_is_examined_like_any_trace(call: Call, tmp_path: Path) -> None:
    shutil.copy(SAMPLE, tmp_path / "sample.jsonl")
    said = call("examine", "sample.jsonl")
    assert said.status == 0
    assert "registered" in said.out
