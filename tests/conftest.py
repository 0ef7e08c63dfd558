"""What all tests share: where the checkout is, and a copy of it to spoil."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the root of the checkout under test."""
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> tuple[str, ...]:
    """Return every file that is, or is about to be, under version control, as paths from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return tuple(sorted(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()))


@pytest.fixture(scope="session")
def copy_of_checkout(tracked: tuple[str, ...]) -> Callable[[Path], Path]:
    """Return a function that copies the tracked files into a new folder."""

    def copy(target: Path) -> Path:
        for name in tracked:
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((ROOT / name).read_bytes())
            place.chmod((ROOT / name).stat().st_mode)
        return target

    return copy
