"""Make `.venv` beside the launcher from pinned, hashed wheels: whole or not at all.

Run as a script by `omnibachi` and `check`, by whatever Python 3.11 or newer is there, so it imports the standard
library only. The rules:

- `.complete` (and `.complete-dev`) hold the pins that were installed. They are written last and taken away first, so an
  environment without them is unfinished, whatever happened to the one who made it, and is made anew.
- One process makes it; a lock that dies with its holder makes the others wait, look again and go on.
- Only an environment that carries our mark is ever removed.
- The checkout is put on the import path by a `.pth` file of relative paths; nothing is built, so nothing unpinned is
  fetched to build it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PINS = {"runtime": "constraints.txt", "dev": "constraints-dev.txt"}
DONE = {"runtime": ".complete", "dev": ".complete-dev"}
MARK = ".made-by-omnibachi"
TROUBLE = 6
INTERRUPTED = 130
UNREACHABLE = (
    "Max retries exceeded",
    "Failed to establish",
    "Name or service not known",
    "Temporary failure",
    "Connection broken",
    "Could not find a version",
    "No matching distribution",
)


class Stopped(Exception):
    """The environment cannot be made; the text says why and what to do."""


def main(arguments: list[str]) -> int:
    """Bring the environment up to `runtime` or `dev`; return an exit status (0, 6 or 130)."""
    kind = arguments[0]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _locked(root):
            if not _current(root, kind):
                _make(root, kind)
    except KeyboardInterrupt:
        _say("interrupted; nothing half-made is left")
        return INTERRUPTED
    except Stopped as stopped:
        _say(str(stopped))
        return TROUBLE
    except OSError as error:
        _say(f"cannot make {root}/.venv: {error.strerror or error}; check the folder's permissions and free space")
        return TROUBLE
    return 0


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"omnibachi: {text}", file=sys.stderr, flush=True)


@contextmanager
def _locked(root: str) -> Iterator[None]:
    """Hold the one lock on making the environment; the system lets go of it when its holder dies."""
    with open(os.path.join(root, ".venv.lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process is making .venv; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _current(root: str, kind: str) -> bool:
    """Tell whether the environment holds the present pins; refresh the marker's time if it does, so that the
    launcher's comparison of times is content with it."""
    place = os.path.join(root, ".venv")
    if not os.access(os.path.join(place, "bin", "python"), os.X_OK):
        return False
    for name in {"runtime", kind}:
        with open(os.path.join(root, PINS[name]), "rb") as pins:
            wanted = pins.read()
        try:
            with open(os.path.join(place, DONE[name]), "rb") as done:
                if done.read() != wanted:
                    return False
        except FileNotFoundError:
            return False
        os.utime(os.path.join(place, DONE[name]))
    return True


def _make(root: str, kind: str) -> None:
    place = os.path.join(root, ".venv")
    began = time.monotonic()
    fresh = not _current(root, "runtime")
    if fresh and os.path.isdir(place) and os.listdir(place) and not os.path.exists(os.path.join(place, MARK)):
        raise Stopped(f"{place} is there, and was not made by this launcher: move it away, then start again")
    what = "what OmniBachi needs" if kind == "runtime" else "what ./check needs"
    _say(f"{'making .venv with' if fresh else 'adding to .venv'} {what}: pinned wheels from the package index, once")
    try:
        if fresh:
            _create(root, place)
        # Taken away first: whoever is killed while pip works leaves an environment that counts as unfinished.
        for name in DONE.values():
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(place, name))
        _install(root, place, kind)
    except Stopped:
        if fresh:
            _remove(place)
        else:  # pip failed before it changed anything, or took its changes back: what was there still holds
            _finish(root, place, "runtime")
        raise
    except BaseException:
        _remove(place)
        raise
    for name in sorted({"runtime", kind}):
        _finish(root, place, name)
    _say(f"done in {time.monotonic() - began:.0f} s")


def _create(root: str, place: str) -> None:
    """Lay an empty environment at its final place, since an environment cannot be moved."""
    _remove(place)
    os.mkdir(place)
    with open(os.path.join(place, MARK), "w") as mark:
        mark.write("Made by ./omnibachi, which may remove this folder and make it anew.\n")
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError as error:
        advice = "install it (on Debian and Ubuntu: apt install python3-venv), then start again"
        raise Stopped(f"{sys.executable} lacks the module `{error.name}`: {advice}") from None
    try:
        venv.create(place, symlinks=True, with_pip=True)
    except subprocess.CalledProcessError as error:
        raise Stopped(f"cannot make {place}: {_last_lines(error.output)}") from None
    site = sysconfig.get_path("purelib", "venv", vars={"base": place, "platbase": place})
    with open(os.path.join(root, "pyproject.toml"), "rb") as file:
        folders = tomllib.load(file)["tool"]["hatch"]["build"]["dev-mode-dirs"]
    with open(os.path.join(site, "omnibachi.pth"), "w") as paths:
        paths.writelines(os.path.relpath(os.path.join(root, folder), site) + "\n" for folder in folders)


def _remove(place: str) -> None:
    """Take the environment away in one step, so that nothing is ever left that lacks our mark; then delete it."""
    gone = place + ".gone"
    shutil.rmtree(gone, ignore_errors=True)
    if os.path.isdir(place):
        os.rename(place, gone)
        shutil.rmtree(gone, ignore_errors=True)


def _install(root: str, place: str, kind: str) -> None:
    """Install the pins: every wheel is checked against its hash, nothing is built, the index is whatever pip is
    configured to use."""
    command = [os.path.join(place, "bin", "python"), "-I", "-m", "pip", "install", "--quiet", "--no-input", "--no-user",
               "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:",
               "--requirement", os.path.join(root, PINS[kind])]  # fmt: skip
    # A session of its own: Ctrl-C reaches us alone, and we end pip and tidy up.
    pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           start_new_session=True)  # fmt: skip
    try:
        output, _ = pip.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(pip.pid, signal.SIGKILL)
        pip.wait()
        raise
    if pip.returncode == 0:
        return
    text = output.decode("utf-8", "replace")
    if "HASHES" in text and "do not match" in text.lower().replace("\n", " "):
        raise Stopped(f"a wheel is not what {PINS[kind]} pins, so nothing was installed\n{_last_lines(output, 12)}")
    if any(sign in text for sign in UNREACHABLE):
        raise Stopped(
            "the package index cannot be reached, or does not hold a wheel that is needed here; check the network and "
            f"pip's settings (`pip config list`), then start again\n{_last_lines(output)}"
        )
    raise Stopped(f"pip could not install {PINS[kind]}\n{_last_lines(output, 12)}")


def _last_lines(output: bytes | None, count: int = 4) -> str:
    lines = [line for line in (output or b"").decode("utf-8", "replace").splitlines() if line.strip()]
    return "\n".join(f"  pip: {line}" for line in lines[-count:])


def _finish(root: str, place: str, kind: str) -> None:
    """Write the marker aside and rename it, so that it is never there in part."""
    aside = os.path.join(place, DONE[kind] + ".new")
    shutil.copyfile(os.path.join(root, PINS[kind]), aside)
    os.replace(aside, os.path.join(place, DONE[kind]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
