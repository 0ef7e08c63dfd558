"""Checkpoints: what a ledger of decisions was at some length, kept where whoever changes the ledger cannot reach.

A ledger that was cut, or written anew as a whole, is consistent in itself; only against a checkpoint is it found out.
Whoever vouches for one puts a signed envelope into it, as its member `signed`; what that is worth is not said here.
"""

from __future__ import annotations

import os
import re

from omnibachi_ledger.connect import FILE
from omnibachi_ledger.reading import LOG
from omnibachi_model.digests import pretty
from omnibachi_model.values import Outside, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .verifying import Verdict

FORMAT = "omnibachi.decisions-checkpoint/1"
SIGNED = "signed"
_MEMBERS = {"schema", "store", "length", "v_digest", "normative_head", "at"}
_LARGEST = 1 << 16
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_BINARY = getattr(os, "O_BINARY", 0)


def checkpoint_of(store: str, head: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return the checkpoint of a ledger whose head, {length, v_digest, normative_head}, was this at an instant."""
    return {"schema": FORMAT, "store": store, **head, "at": at}


def settle(root: str) -> None:
    """Return once all that was committed to the database in a folder outlives a power failure; raises OSError.

    Else a checkpoint could outlive the events that it tells of, and would show a cut that nobody made. Where there is
    no log, SQLite has taken it into the database, and waited for that.
    """
    try:
        descriptor = os.open(os.path.join(root, FILE + LOG), os.O_RDWR | _BINARY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep(path: str, checkpoint: Mapping[str, Any]) -> None:
    """Write a checkpoint aside and put it in place; raises OSError."""
    aside = f"{path}.{os.getpid()}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
    try:
        os.write(descriptor, pretty(dict(checkpoint)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(aside, path)


def read_checkpoint(data: bytes) -> dict[str, Any] | None:
    """Return the checkpoint that some bytes are, or None where they are none."""
    try:
        found = parse(data, limit=_LARGEST)
    except Outside:
        return None
    if type(found) is not dict or found.keys() - {SIGNED} != _MEMBERS or found["schema"] != FORMAT:
        return None
    if type(found.get(SIGNED, {})) is not dict:
        return None
    length, digests = found["length"], (found["v_digest"], found["normative_head"])
    if type(length) is not int or length < 0 or type(found["store"]) is not str or type(found["at"]) is not str:
        return None
    return found if all(type(text) is str and _DIGEST.match(text) for text in digests) else None


def departs(verdict: Verdict, checkpoint: Mapping[str, Any]) -> str | None:
    """Say how a ledger that was verified up to a checkpoint's length departs from it; None where it does not."""
    length = checkpoint["length"]
    if verdict.then is None:
        return f"it had {length} events, and {verdict.fold.length} of them are there"
    if verdict.then != (checkpoint["v_digest"], checkpoint["normative_head"]):
        return f"its first {length} events were others"
    return None
