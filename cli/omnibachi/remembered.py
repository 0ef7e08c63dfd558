"""What is remembered between two compiles of a workspace: one file of its own, that may be removed at any time.

    <workspace>/.omnibachi/compiled.json    a line with the HMAC-SHA256 of the rest; {format, code, root, entries}

The entries are those of the compiler (see its module `entries`): JSON, and nothing that is executed. They are believed
only under a key that lies outside the workspace, in the user's own cache folder, and only for this very code of the
compiler and this very folder. So what came with a cloned or copied workspace, or was edited, or was made by another
version, is as if it were not there; and where no key can be kept, nothing is remembered.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from omnibachi_model.digests import decode, encode

from .wiring import code_folders

FOLDER = ".omnibachi"
FILE = "compiled.json"
FORMAT = "omnibachi.compiled/1"
KEY = "compile-key"
KEY_BYTES = 32
MOST_BYTES = 256 * 1024 * 1024
READERS = ("PyYAML", "jsonschema-rs", "networkx", "orjson")


def entries(root: str) -> Mapping[str, Any]:
    """Return what is remembered of a workspace; nothing where that cannot be believed."""
    key = _key(root)
    try:
        with open(os.path.join(root, FOLDER, FILE), "rb") as file:
            found = file.read(MOST_BYTES)
    except OSError:
        return {}
    told, _, rest = found.partition(b"\n")
    if key is None or not hmac.compare_digest(told, _mac(key, rest)):
        return {}
    value = decode(rest)
    if value["head"] != _head(root):
        return {}
    believed: dict[str, Any] = value["entries"]
    return believed


def keep(root: str, found: Mapping[str, Any]) -> None:
    """Remember these entries and no others; where that cannot be done, nothing is lost but time."""
    key = _key(root)
    if key is None:
        return
    rest = encode({"head": _head(root), "entries": dict(found)})
    data = _mac(key, rest) + b"\n" + rest
    if len(data) > MOST_BYTES:
        return
    folder = os.path.join(root, FOLDER)
    try:
        os.makedirs(folder, exist_ok=True)
        if not os.path.lexists(os.path.join(folder, ".gitignore")):  # Whoever made the folder may have died before.
            _write(folder, ".gitignore", b"*\n", os.replace)
        for left in os.listdir(folder):
            # Of one who died, or of one at work, who then remembers nothing.
            if left.startswith((f".{FILE}.", "..gitignore.")):
                os.unlink(os.path.join(folder, left))
        _write(folder, FILE, data, os.replace)
    except OSError:
        return


def _write(folder: str, name: str, data: bytes, place: Any) -> None:
    """Write a file aside and put it in its place, by `os.replace`, or `os.link` where none may be there."""
    number, aside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(number, "wb") as file:
            file.write(data)
        place(aside, os.path.join(folder, name))
    finally:
        if os.path.lexists(aside):
            os.unlink(aside)


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).hexdigest().encode()


def _head(root: str) -> dict[str, str]:
    """Return what entries hold for: this format, this code with what it reads by, this folder."""
    code = hashlib.sha256(sys.version.encode())
    for name in READERS:
        code.update(f"{name} {metadata.version(name)}\n".encode())
    for base in code_folders():
        for folder, folders, names in os.walk(base):
            folders.sort()
            for name in sorted(names):
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    with open(path, "rb") as file:
                        data = file.read()
                    code.update(f"{os.path.relpath(path, base)} {len(data)}\n".encode() + data)
    return {"format": FORMAT, "code": code.hexdigest(), "root": os.path.realpath(root)}


def _key(root: str) -> bytes | None:
    """Return the user's key, made where there is none; None where it cannot be kept safe from a workspace's maker."""
    above = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(above, "omnibachi")
    inside = os.path.realpath(root)
    if not os.path.isabs(folder) or os.path.commonpath([inside, os.path.realpath(folder)]) == inside:
        return None
    place = os.path.join(folder, KEY)
    try:
        if not os.path.lexists(place):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # another compile was faster
                _write(folder, KEY, secrets.token_bytes(KEY_BYTES), os.link)
        number = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(number, "rb") as file:
            about = os.fstat(file.fileno())
            own = stat.S_ISREG(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o077
            key = file.read(KEY_BYTES + 1) if own else b""
    except OSError:
        return None
    return key if len(key) == KEY_BYTES else None
