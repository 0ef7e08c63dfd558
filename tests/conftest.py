"""What all tests share: where the checkout is, and a copy of it to spoil."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the root of the checkout under test."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the key of compiles out of the home of whoever tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def recursion_limit() -> None:
    """Undo what a library does that a capability imports: it raises the limit for the whole process."""
    sys.setrecursionlimit(1000)


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """Return the PostgreSQL of this session (see postgres_server.py); without one, what asks for it fails."""
    from postgres_server import serving

    with serving() as server:
        yield server
