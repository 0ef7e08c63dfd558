"""The launcher: it makes the environment whole or not at all, and afterwards stays out of the way.

Each test works on a small checkout of its own: the real launcher, the real code that makes the environment, one real
pin, and a front door that only reports how it was called.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PINNED = "mdurl"
FRONT_DOOR = """
import json, os, sys

def main():
    import mdurl
    json.dump({"arguments": sys.argv[1:], "folder": os.getcwd(), "input": sys.stdin.read()}, sys.stdout)
    return 5
"""


def lay(place: Path) -> Path:
    """Lay a small checkout: the launcher and what it needs, with one pin."""
    for name in ("omnibachi", "pyproject.toml", "cli/find-python.sh", "cli/omnibachi/environment.py"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    (place / "cli/omnibachi/__init__.py").write_text("")
    (place / "cli/omnibachi/__main__.py").write_text(FRONT_DOOR)
    (place / "constraints.txt").write_text(pin(PINNED))
    return place


def pin(name: str) -> str:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    found = re.search(rf"^{name}==(?:.*\\\n)+.*\n", text, re.MULTILINE)
    assert found
    return found.group(0)


def start(launcher: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(launcher), *arguments], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def begin(launcher: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([str(launcher)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, start_new_session=True)  # fmt: skip


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A small checkout in a folder with a space in its name, and its first start from elsewhere."""
    checkout = lay(tmp_path_factory.mktemp("a checkout") / "here it is")
    folder = tmp_path_factory.mktemp("elsewhere")
    return checkout, start(checkout / "omnibachi", "one", "two words", "", input="payload", cwd=folder)


def test_the_first_start_makes_the_environment_and_goes_on(
    made: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    checkout, first = made
    assert first.returncode == 5, first.stderr
    seen = json.loads(first.stdout)
    assert seen["arguments"] == ["one", "two words", ""]
    assert seen["input"] == "payload"
    assert "elsewhere" in seen["folder"]
    assert len(first.stderr.splitlines()) == 2
    assert (checkout / ".venv/.complete").read_bytes() == (checkout / "constraints.txt").read_bytes()


def test_later_starts_say_nothing(made: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    checkout, _ = made
    link = tmp_path / "a link"
    link.symlink_to(checkout / "omnibachi")
    second = tmp_path / "relative"
    second.symlink_to("a link")
    (tmp_path / "json.py").write_text("raise SystemExit('the caller\\'s folder was imported')")
    for launcher in (checkout / "omnibachi", link, second):
        later = start(launcher, "x", cwd=tmp_path, stdin=subprocess.DEVNULL)
        assert (later.returncode, later.stderr) == (5, "")
        assert json.loads(later.stdout)["folder"] == str(tmp_path)
    named = start(Path("sh"), "omnibachi", "x", cwd=checkout, stdin=subprocess.DEVNULL)
    assert (named.returncode, named.stderr) == (5, "")


def test_a_moved_checkout_still_starts(made: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    checkout, _ = made
    shutil.copytree(checkout, tmp_path / "moved", symlinks=True)
    moved = start(tmp_path / "moved" / "omnibachi", cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert (moved.returncode, moved.stderr) == (5, "")


def test_touched_pins_are_no_change_and_changed_pins_are(
    made: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    checkout = tmp_path / "copy"
    shutil.copytree(made[0], checkout, symlinks=True)
    old = checkout / ".venv/.made-by-omnibachi"
    later = time.time() + 5
    os.utime(checkout / "constraints.txt", (later, later))
    before = old.stat().st_mtime_ns
    touched = start(checkout / "omnibachi", cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert (touched.returncode, touched.stderr) == (5, "")
    assert old.stat().st_mtime_ns == before
    with (checkout / "constraints.txt").open("a") as pins:
        pins.write(pin("click"))
    os.utime(checkout / "constraints.txt", (later + 5, later + 5))
    changed = start(checkout / "omnibachi", cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert changed.returncode == 5
    assert "making .venv with" in changed.stderr
    assert list((checkout / ".venv").glob("lib/*/site-packages/click"))


def test_two_first_starts_at_once_make_one_environment(tmp_path: Path) -> None:
    checkout = lay(tmp_path)
    both = [begin(checkout / "omnibachi") for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [5, 5], said
    assert sorted("making .venv with" in text for text in said) == [False, True]


def test_an_interrupt_leaves_nothing_and_a_kill_is_mended(tmp_path: Path) -> None:
    checkout = lay(tmp_path)
    stopped = begin(checkout / "omnibachi")
    wait_for(checkout / ".venv/pyvenv.cfg")
    os.killpg(stopped.pid, signal.SIGINT)
    _, said = stopped.communicate(timeout=60)
    assert stopped.returncode in (130, -signal.SIGINT), said
    assert "Traceback" not in said
    assert not (checkout / ".venv").exists()

    killed = begin(checkout / "omnibachi")
    wait_for(checkout / ".venv/pyvenv.cfg")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=60)
    assert not (checkout / ".venv/.complete").exists()
    mended = start(checkout / "omnibachi", stdin=subprocess.DEVNULL)
    assert mended.returncode == 5, mended.stderr


def test_an_environment_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    checkout = lay(tmp_path)
    (checkout / ".venv").mkdir()
    (checkout / ".venv/theirs").write_text("precious")
    refused = start(checkout / "omnibachi")
    assert refused.returncode == 6
    assert "was not made by this launcher" in refused.stderr
    assert (checkout / ".venv/theirs").read_text() == "precious"


def test_an_index_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    checkout = lay(tmp_path)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    closed = "http://127.0.0.1:9/"
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": closed, "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    failed = start(checkout / "omnibachi", env=environment)
    assert failed.returncode == 6
    assert "the package index cannot be reached" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (checkout / ".venv").exists()


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path) -> None:
    checkout = lay(tmp_path)
    wrong = re.sub(r"sha256:\w{64}", "sha256:" + "0" * 64, pin(PINNED))
    (checkout / "constraints.txt").write_text(wrong)
    failed = start(checkout / "omnibachi")
    assert failed.returncode == 6
    assert "is not what constraints.txt pins" in failed.stderr
    assert not (checkout / ".venv").exists()


def fake_python(folder: Path, script: str) -> dict[str, str]:
    """Return an environment whose PATH holds the usual tools and this `python3` alone."""
    folder.mkdir()
    for tool in ("sh", "readlink", "rm"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    if script:
        (folder / "python3").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "python3").chmod(0o755)
    return {**os.environ, "PATH": str(folder)}


def test_a_missing_or_old_python_is_named(tmp_path: Path) -> None:
    checkout = lay(tmp_path / "checkout")
    none = start(checkout / "omnibachi", env=fake_python(tmp_path / "none", ""))
    assert (none.returncode, none.stdout) == (6, "")
    assert none.stderr.strip() == "omnibachi: Python 3.11 or newer is needed, and there is no python3 on the PATH"
    script = "case $1 in --version) echo Python 3.8.10 ;; *) exit 1 ;; esac"
    old = start(checkout / "omnibachi", env=fake_python(tmp_path / "old", script))
    assert old.returncode == 6
    assert old.stderr.strip() == "omnibachi: Python 3.11 or newer is needed, and python3 here is 3.8.10"


def test_a_python_without_ensurepip_is_named(tmp_path: Path) -> None:
    checkout = lay(tmp_path / "checkout")
    without = (
        f"case $2 in -c) exit 0 ;; esac; shift; exec '{sys.executable}' -I -c "
        '\'import sys, runpy; sys.modules["ensurepip"] = None; sys.argv = sys.argv[1:]; '
        'runpy.run_path(sys.argv[0], run_name="__main__")\' "$@"'
    )
    failed = start(checkout / "omnibachi", env=fake_python(tmp_path / "bin", without))
    assert failed.returncode == 6
    assert "lacks the module `ensurepip`" in failed.stderr
    assert "python3-venv" in failed.stderr
    assert not (checkout / ".venv").exists()
