"""DOT text to an image by an outside program: the `graphviz-pure` wheel's own, or else a `dot` on the search path.

The wheel's program is found through its distribution's file list, since an environment need not be activated for
OmniBachi to be run from it. It carries its own fonts (Latin, Greek and Cyrillic) and writes the same bytes everywhere.
What goes wrong is PictureFailed with a reason; the caller turns it into the warning OB730 and goes on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import metadata

TIMEOUT = 30.0
FORMS = ("png", "svg")
_MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<"}


class PictureFailed(Exception):
    """A picture that could not be drawn; `reason` is one clause without a final stop."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def program() -> str | None:
    """Return the program that draws, or None where there is none."""
    try:
        files = metadata.distribution("graphviz-pure").files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if os.path.basename(str(file)) in ("graphviz-pure", "graphviz-pure.exe"):
            found = str(file.locate())
            if os.access(found, os.X_OK):
                return os.path.realpath(found)
    return shutil.which("graphviz-pure") or shutil.which("dot")


def render(dot: str, form: str, *, timeout: float = TIMEOUT) -> bytes:
    """Draw DOT text as `png` or `svg`.

    Raises PictureFailed where no program is there, it fails, gives no image, or takes longer than `timeout` seconds.
    """
    if form not in FORMS:
        raise PictureFailed(f"`{form}` is no form of picture")
    command = program()
    if command is None:
        raise PictureFailed("neither `graphviz-pure` nor `dot` is installed")
    try:
        done = subprocess.run(
            [command, f"-T{form}"], input=dot.encode(), capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise PictureFailed(f"drawing took longer than {timeout:g} seconds") from None
    except OSError as error:
        raise PictureFailed(f"`{os.path.basename(command)}` cannot be started ({error.strerror})") from None
    if done.returncode != 0 or not done.stdout.startswith(_MAGIC[form]):
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        said = f": {lines[-1][:200]}" if lines else ""
        raise PictureFailed(f"`{os.path.basename(command)}` gave no {form} (status {done.returncode}){said}")
    return done.stdout
