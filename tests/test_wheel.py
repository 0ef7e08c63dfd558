"""The wheel: what `pip install .` gives works alone, in an empty folder, with the shipped snapshot inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0"


def build(kind: str, checkout: Path, target: Path) -> Path:
    """Build a `wheel` or an `sdist` with the back end that pyproject.toml names."""
    target.mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(target)],
        cwd=checkout, check=True, capture_output=True,
    )  # fmt: skip
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, copy_of_checkout: Callable[[Path], Path]) -> Path:
    return copy_of_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def wheel(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", copy, tmp_path_factory.mktemp("wheels") / "wheel")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the pinned dependencies and the wheel; returns its folder of programs."""
    place = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(place, symlinks=True, with_pip=True)
    pip = [str(place / "bin/python"), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pins = str(ROOT / "constraints.txt")
    subprocess.run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", pins], check=True, capture_output=True)
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    return place / "bin"


def clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}


def call(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(installed / "omnibachi"), *arguments], cwd=folder, capture_output=True, text=True, check=False, env=clean()
    )


def test_the_wheel_holds_the_packages_and_what_is_shipped(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {path.parent.name for path in ROOT.glob("*/omnibachi*/__init__.py")}
    assert "omnibachi/shipped/protocol_snapshot/manifest.json" in names
    assert "omnibachi/shipped/protocols/std/domain.yaml" in names
    assert "omnibachi_model/codes.toml" in names
    page = ROOT / "transport/omnibachi_transport/page"
    assert {f"omnibachi_transport/page/{path.name}" for path in page.iterdir()} <= set(names)
    assert not [name for name in names if name.endswith((".keep", ".pyc")) or "/tests/" in name]
    shipped = {name.removeprefix("omnibachi/shipped/") for name in names if name.startswith("omnibachi/shipped/")}
    ours = {
        str(path.relative_to(ROOT))
        for folder in ("protocols", "protocol_snapshot")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    assert shipped == ours


def test_the_wheel_runs_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    payload = ROOT / "examples/register_actor.json"
    ran = call(installed, tmp_path, "run", "--wf", WORKFLOW, "--payload", str(payload), "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert (told["exit"], told["status"]) == ("registered", "COMPLETED")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "traces"]
    for form in ("jsonl", "md", "png"):
        assert (tmp_path / told["trace"][form]).stat().st_size > 0


def test_own_capabilities_work_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    made = call(installed, tmp_path, "init", "mine")
    assert made.returncode == 0, made.stderr
    tested = call(installed, tmp_path / "mine", "test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    payload = ("--payload", "examples/greet.json")
    ran = call(installed, tmp_path / "mine", "run", "--wf", "greeting::WF_GREET_V0", *payload, "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["result"] == {"text": "Bonjour, World!"}


def test_the_version_is_one(installed: Path, tmp_path: Path) -> None:
    version = next(line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version"))
    told = call(installed, tmp_path, "--version")
    assert told.returncode == 0
    assert version.split('"')[1] in told.stdout.split()


def test_the_source_archive_builds_the_same_wheel(copy: Path, wheel: Path, tmp_path: Path) -> None:
    archive = build("sdist", copy, tmp_path / "sdist")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "out", filter="data")
    (unpacked,) = (tmp_path / "out").iterdir()
    names = {str(path.relative_to(unpacked)).split("/")[0] for path in unpacked.rglob("*")}
    assert not names & {".venv", "data", ".ci"}
    again = build("wheel", unpacked, tmp_path / "again")
    first = {info.filename: info.CRC for info in zipfile.ZipFile(wheel).infolist()}
    second = {info.filename: info.CRC for info in zipfile.ZipFile(again).infolist()}
    assert first == second
