"""The cold start: the time of a whole process that runs one shipped workflow, against a bare interpreter.

Both interpreters are the same, and their compiled modules are at hand. The processes take turns in pairs. The first run
in a folder also makes the database there, and waits for the disk several times; it is measured for comparison.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from measured import Measured, compared

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = 1.6
BARE = "import orjson, hashlib, sqlite3"
RUN = ["run", "--no-picture", "--wf", "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0", "--payload",
       str(ROOT / "examples/register_actor.json")]  # fmt: skip


def cold_starts(rounds: int = 60) -> Iterator[Measured]:
    """Measure the installed command and the launcher, in a data root that is there and in one that is not."""
    installed = shutil.which("omnibachi", path=os.path.dirname(sys.executable))
    with tempfile.TemporaryDirectory() as name:
        numbers = count()
        there = Path(name) / "there"
        there.mkdir()

        def anew() -> Path:
            place = Path(name) / str(next(numbers))
            place.mkdir()
            return place

        bare = [sys.executable, "-c", BARE]
        for door, command in (("omnibachi", [installed]), ("./omnibachi", [str(ROOT / "omnibachi")])):
            if command[0] is None:
                continue
            for state, folder, allowed in (("", lambda: there, ALLOWED), (", first in its folder", anew, None)):
                run = [str(command[0]), *RUN]
                yield compared(
                    f"(cold) `{door} run --no-picture`{state}", allowed, lambda: _took(bare, there),
                    lambda run=run, folder=folder: _took(run, folder()), rounds,  # type: ignore[misc]
                )  # fmt: skip


def _took(command: list[str], folder: Path) -> float:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun
