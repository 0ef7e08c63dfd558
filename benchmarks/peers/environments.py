"""An environment for each peer, made once from its pins: wheels alone, each with its hash."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
MADE = HERE / ".envs"


def python_of(peer: str) -> str:
    """Return the interpreter of a peer; what has no pins of its own runs with this one."""
    pins = HERE / f"{peer}.txt"
    if not pins.exists():
        return sys.executable
    folder = MADE / peer
    python, stamp = folder / "bin" / "python", folder / "made-from"
    wanted = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return str(python)
    print(f"making the environment of {peer}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*install, "--only-binary", ":all:", "-r", str(pins)], check=True)
    stamp.write_text(wanted, "utf-8")
    return str(python)
