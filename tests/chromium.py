"""A headless browser for tests: one page opened in a process of its own, with a time limit and a profile of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

REQUIRED = "OMNIBACHI_REQUIRE_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--enable-logging=stderr",
    "--hide-scrollbars",
)  # fmt: skip
LONGEST = 60
CONSOLE = re.compile(r"^.*CONSOLE.*$|^.*Refused to .*$|^.*ERR_FILE_NOT_FOUND.*$", re.MULTILINE)


class Seen(NamedTuple):
    """What the browser made of a page: its document once loaded, and what it said on its console."""

    dom: str
    console: list[str]


def browser() -> str:
    """Return the browser; skip the test where there is none, unless the environment says that there must be one."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"no browser is installed ({', '.join(NAMES)}), and {REQUIRED}=1 asks for one")
        pytest.skip(f"no browser is installed ({', '.join(NAMES)})")
    return found


def opened(page: Path, *flags: str) -> Seen:
    """Open a page and return its document; `flags` are further ones of the browser."""
    out, said = _run(page.as_uri(), "--dump-dom", *flags)
    return Seen(out, CONSOLE.findall(said))


def _run(address: str, *flags: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser(), *FLAGS, f"--user-data-dir={profile}", *flags, address]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            out, said = process.communicate(timeout=LONGEST)
        finally:
            # Its children are of its own session; none of them outlives the test.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return out.decode("utf-8", "replace"), said.decode("utf-8", "replace")
