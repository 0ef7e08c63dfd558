"""Readable mirrors of the stores: one JSON line per commit, for people and their tools.

A mirror is a projection. What it lacks is judged by its own last complete line, so a run pays for what is new and not
for what is there; a mirror whose last line is not what the database says is written anew.
"""

from __future__ import annotations

import os
import time

import orjson

from omnibachi_model.addresses import split
from omnibachi_model.diagnostics import Diagnostic, Trouble
from omnibachi_model.digests import encode
from omnibachi_model.sealed import DECISIONS

from .locks import MIRROR, Locks, acquire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from .seam import Database

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write a carriage return before each line's end
_BLOCK = 4 * 1024  # more than most lines take; each further one is twice as large
_BATCH = 1 << 20
_WAIT_SECONDS = 5.0
# Longer than others take for their own few lines, so that the last of several runs leaves nothing out.
_PATIENCE_SECONDS = 1.0

_REGISTRY = (
    "SELECT key, number, CAST(value AS BLOB) FROM records"
    " WHERE store=? AND created>? AND value IS NOT NULL ORDER BY created"
)
_EVENTS = (
    "SELECT event, number, CAST(record AS BLOB), sequence FROM streams WHERE store=? AND sequence>? ORDER BY sequence"
)
_RECORDS = (
    "SELECT key, number, revision, CAST(value AS BLOB) FROM records"
    " WHERE store=? AND created>? AND value IS NOT NULL ORDER BY number, created"
)
_LAST_KEY = "SELECT created FROM records WHERE store=? AND key=? AND number=?"
_LAST_SEQUENCE = "SELECT sequence FROM streams WHERE store=? AND sequence=? AND number=?"


def refresh(db: Database, root: str, locks: Locks, keeps: Mapping[str, str]) -> None:
    """Append to each registry's and stream's mirror all commits that it lacks.

    Where the lock stays held, by an export of very much, nothing is done: the next run does it.
    """
    try:
        lock = _wait(locks.path(MIRROR), _PATIENCE_SECONDS)
        if lock is None:
            return
        try:
            for address, kind in sorted(keeps.items()):
                if kind in ("registry", "events"):
                    _catch_up(db, _path(root, address, kind), address, kind)
        finally:
            os.close(lock)
    except OSError as error:
        raise _failed(error) from error


def rebuild(db: Database, root: str, locks: Locks, keeps: Mapping[str, str]) -> list[str]:
    """Write the mirrors of all these stores anew, as of one state of the database; return their paths."""
    written = []
    try:
        lock = _wait(locks.path(MIRROR), _WAIT_SECONDS)
        if lock is None:
            raise Trouble(Diagnostic("OB721", "another process kept writing the mirrors"))
        try:
            db.look()
            try:
                for address, kind in sorted(keeps.items()):
                    path = _path(root, address, kind)
                    if kind in _LINES and _write_anew(db, path, address, kind):
                        written.append(path)
                        if kind == DECISIONS:
                            written.append(_checkpoint(db, path, address))
            finally:
                db.rollback()
        finally:
            os.close(lock)
    except OSError as error:
        raise _failed(error) from error
    return written


def _path(root: str, address: str, kind: str) -> str:
    domain, code = split(address)
    return os.path.join(root, kind, domain, f"{code}.jsonl")


def _wait(path: str, seconds: float) -> int | None:
    """Take the lock, or return None where it stays held for so long."""
    deadline = time.monotonic() + seconds
    while (lock := acquire(path)) is None:
        if time.monotonic() > deadline:
            return None
        time.sleep(0.002)
    return lock


def _failed(error: OSError) -> Trouble:
    reason = (error.strerror or str(error)).lower()
    place = f"`{error.filename}`: " if error.filename else ""
    return Trouble(Diagnostic("OB731", f"a readable mirror could not be written: {place}{reason}"))


def _catch_up(db: Database, path: str, address: str, kind: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | _BINARY)
    except FileNotFoundError:
        _write_anew(db, path, address, kind)
        return
    try:
        end, line = _last_line(descriptor)
        after = _position(db, address, kind, line) if end else 0
        if after is not None:
            os.ftruncate(descriptor, end)
            _pour(descriptor, _lines(db, address, kind, after))
            return
    finally:
        os.close(descriptor)
    _write_anew(db, path, address, kind)


def _last_line(descriptor: int) -> tuple[int, bytes]:
    """Return where the last complete line ends, and that line without its end (empty where there is none)."""
    start = os.lseek(descriptor, 0, os.SEEK_END)
    tail, block = b"", _BLOCK
    while start > 0 and tail.count(b"\n") < 2:
        step = min(block, start)
        start -= step
        block *= 2
        os.lseek(descriptor, start, os.SEEK_SET)
        tail = os.read(descriptor, step) + tail
    complete = tail.rfind(b"\n") + 1
    return start + complete, tail[:complete].rstrip(b"\n").rpartition(b"\n")[2]


def _position(db: Database, address: str, kind: str, line: bytes) -> int | None:
    """Return the place of a mirror's last line in its store, or None where the store does not have this line."""
    try:
        last: Any = orjson.loads(line)
        if kind == "registry":
            found = db.row(_LAST_KEY, (address, last["key"], last["number"]))
        else:
            found = db.row(_LAST_SEQUENCE, (address, last["sequence"], last["number"]))
    except (ValueError, KeyError, TypeError):
        return None
    return found[0] if found else None


def _write_anew(db: Database, path: str, address: str, kind: str) -> bool:
    """Write a mirror aside and put it in place; a store without records has none. Tell whether one was written."""
    lines = _lines(db, address, kind, 0)
    first = next(lines, None)
    if first is None:
        if os.path.exists(path):
            os.unlink(path)
        return False
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    aside = f"{path}.new"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
    try:
        _pour(descriptor, lines, first)
    finally:
        os.close(descriptor)
    os.replace(aside, path)
    return True


def _checkpoint(db: Database, path: str, address: str) -> str:
    """Write what a ledger of decisions is beside its export, as of its last event; return the path."""
    from .decisions.checkpoints import checkpoint_of, keep
    from .decisions.pages import Decisions
    from .decisions.verifying import Sound

    ledger = Decisions(db, address, Sound())
    beside = f"{path.removesuffix('.jsonl')}.checkpoint.json"
    at = ledger.page(limit=1)["events"][0]["obs"].get("at")
    keep(beside, checkpoint_of(address, ledger.head(), str(at)))
    return beside


def _pour(descriptor: int, lines: Iterator[bytes], first: bytes = b"") -> None:
    batch, size = [first], len(first)
    for line in lines:
        batch.append(line)
        size += len(line)
        if size >= _BATCH:
            _write(descriptor, b"".join(batch))
            batch, size = [], 0
    _write(descriptor, b"".join(batch))


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _lines(db: Database, address: str, kind: str, after: int) -> Iterator[bytes]:
    return _LINES[kind](db, address, after)


def _registry(db: Database, address: str, after: int) -> Iterator[bytes]:
    for key, number, value in db.each(_REGISTRY, (address, after)):
        yield b'{"key":%b,"number":%d,"value":%b}\n' % (encode(key), number, value)


def _events(db: Database, address: str, after: int) -> Iterator[bytes]:
    for event, number, record, sequence in db.each(_EVENTS, (address, after)):
        yield b'{"event":%b,"number":%d,"record":%b,"sequence":%d}\n' % (encode(event), number, record, sequence)


def _records(db: Database, address: str, after: int) -> Iterator[bytes]:
    for key, number, revision, value in db.each(_RECORDS, (address, after)):
        yield b'{"key":%b,"number":%d,"revision":%d,"value":%b}\n' % (encode(key), number, revision, value)


def _accounts(db: Database, address: str, after: int) -> Iterator[bytes]:
    for key, number, _, value in db.each(_RECORDS, (address, after)):
        yield b"%b\n" % encode({"account": key, "number": number, **orjson.loads(value)})


def _decisions(db: Database, address: str, after: int) -> Iterator[bytes]:
    # Only ever written anew: the events carry no commit number, and an export is for whoever wants to verify it.
    from .decisions.pages import lines

    return lines(db, address)


_LINES = {
    "registry": _registry, "events": _events, "records": _records, "accounts": _accounts, DECISIONS: _decisions,
}  # fmt: skip
