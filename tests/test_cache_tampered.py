"""What is remembered of a workspace is believed only as this user's compiles of this very folder and code left it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from omnibachi import Workspace, remembered
from omnibachi.compiling import recompile_workspace, write_snapshot
from omnibachi.wiring import Compilation, Recompiled
from omnibachi.workspace import shipped_root

WORKFLOW = "protocols/greeting/greet.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new workspace that was compiled once, and what is remembered of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    place = tmp_path / "mine"
    called("init", str(place))
    assert isinstance(compiled(place), Recompiled)
    assert read(place) == 0
    return place


def called(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "omnibachi", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)


def compiled(folder: Path) -> Recompiled | Compilation:
    """Compile as the command does, and hold what comes out to what a compile from nothing gives."""
    found = recompile_workspace(str(folder), shipped=shipped_root())
    assert found.sealed is not None
    write_snapshot(str(folder), dict(found.sealed.files))
    whole = Workspace(folder).compile(write=False)
    assert (found.sealed.seal, list(found.diagnostics)) == (whole.seal, list(whole.diagnostics))
    return found


def read(folder: Path) -> int:
    """Compile, and count the files of workflows that were read."""
    found = compiled(folder)
    assert isinstance(found, Recompiled)
    return sum(path.startswith("protocols/greeting/") and "greet" in Path(path).name for path in found.read)


def memory(folder: Path) -> Path:
    return folder / ".omnibachi" / "compiled.json"


def test_what_is_remembered_may_be_removed_and_is_made_again(folder: Path) -> None:
    before = memory(folder).read_bytes()
    shutil.rmtree(folder / ".omnibachi")
    assert read(folder) > 0
    assert memory(folder).read_bytes() == before
    assert read(folder) == 0
    assert "/.omnibachi/" in (folder / ".gitignore").read_text()
    assert (folder / ".omnibachi" / ".gitignore").read_text() == "*\n"


def test_no_flipped_byte_is_believed(folder: Path) -> None:
    whole = memory(folder).read_bytes()
    for at in range(0, len(whole), len(whole) // 12):
        memory(folder).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert remembered.entries(str(folder)) == {}
    for spoilt in (b"", whole[:-1], whole + b" ", whole[65:], b"{}", b"\n"):
        memory(folder).write_bytes(spoilt)
        assert remembered.entries(str(folder)) == {}
    assert read(folder) > 0
    assert read(folder) == 0


def test_what_came_with_a_copied_or_cloned_folder_is_not_believed(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert remembered.entries(str(tmp_path / "copy")) == {}
    assert remembered.entries(str(folder)) != {}
    (tmp_path / "home" / "omnibachi" / "compile-key").unlink()
    assert remembered.entries(str(folder)) == {}
    assert read(folder) > 0


def test_another_version_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "new.py").write_text("NEW = True\n")
    monkeypatch.setattr(remembered, "code_folders", lambda: (str(tmp_path / "code"),))
    assert remembered.entries(str(folder)) == {}
    assert read(folder) > 0
    assert read(folder) == 0


def test_a_key_that_others_may_read_or_that_lies_inside_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = Path(os.environ["XDG_CACHE_HOME"]) / "omnibachi" / "compile-key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32
    for spoilt in (b"", key.read_bytes()[:31], key.read_bytes() + b"0"):
        whole = key.read_bytes()
        key.write_bytes(spoilt)
        assert remembered.entries(str(folder)) == {}
        key.write_bytes(whole)
    key.chmod(0o640)
    assert remembered.entries(str(folder)) == {}
    key.chmod(0o600)
    kept = key.rename(key.with_name("elsewhere"))
    key.symlink_to(kept)
    assert remembered.entries(str(folder)) == {}
    for home in (str(folder / "cache"), "relative", str(folder)):
        monkeypatch.setenv("XDG_CACHE_HOME", home)
        assert remembered.entries(str(folder)) == {}
        assert read(folder) > 0
    assert not (folder / "cache").exists()
    assert not (folder / "omnibachi").exists()


def test_an_edited_or_missing_file_of_the_snapshot_is_healed(folder: Path) -> None:
    snapshot = folder / "protocol_snapshot"
    whole = {path: path.read_bytes() for path in snapshot.rglob("*.json")}
    for path, data in whole.items():
        for spoil in (lambda path=path, data=data: path.write_bytes(data + b" "), path.unlink):
            spoil()
            compiled(folder)
            assert {path: path.read_bytes() for path in snapshot.rglob("*.json")} == whole
    assert called("compile", "--check", folder=folder).returncode == 0


def test_files_that_are_shared_with_another_place_are_written_anew(folder: Path, tmp_path: Path) -> None:
    (place,) = (folder / "protocol_snapshot" / "greeting").glob("WF_GREET_V0.json")
    other = tmp_path / "other.json"
    other.write_bytes(place.read_bytes())
    place.unlink()
    os.link(other, place)
    compiled(folder)
    other.write_bytes(b"edited")
    assert place.read_bytes() != b"edited"
    place.unlink()
    place.symlink_to(other)
    compiled(folder)
    assert not place.is_symlink()
    assert other.read_bytes() == b"edited"


def test_only_what_the_workspace_has_is_remembered(folder: Path) -> None:
    extra = folder / "protocols" / "greeting" / "more.yaml"
    extra.write_text("intent: IN_MORE_V0\npayload: {type: object}\n")
    compiled(folder)
    assert "protocols/greeting/more.yaml" in remembered.entries(str(folder))
    extra.unlink()
    compiled(folder)
    assert "protocols/greeting/more.yaml" not in remembered.entries(str(folder))


def test_two_compiles_at_once_are_both_right(folder: Path) -> None:
    command = [sys.executable, "-m", "omnibachi", "compile", "--json"]
    for number in range(3):
        extra = folder / "protocols" / "greeting" / "more.yaml"
        extra.write_text(f"intent: IN_MORE_V{number}\npayload: {{type: object}}\n")
        both = [subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) for _ in range(2)]
        for process in both:
            process.communicate()
        assert 0 in [process.returncode for process in both]
        compiled(folder)
    assert called("compile", "--check", folder=folder).returncode == 0
