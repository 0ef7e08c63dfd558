"""The record's lines: one event each, chained by SHA-256; and the run's digest over the bodies.

A line is `{"body":B,"obs":O,"prev":"P","hash":"H"}` and a newline, where B and O are canonical bytes, P is the hash of
the line before (64 zeros at first) and H the SHA-256 of the line's bytes before `,"hash"`. The digest is the SHA-256
of all bodies in order, RESUMED left out. What a body and an obs hold is specified in docs/formats.md.
"""

from __future__ import annotations

import hashlib

from .digests import ZERO, encode
from .values import Outside, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

RUN_STARTED = "RUN_STARTED"
INTENDED = "INTENDED"
WAITING = "WAITING"
WAITED = "WAITED"
CALLED = "CALLED"
DECIDED = "DECIDED"
COMPUTED = "COMPUTED"
RESUMED = "RESUMED"
RUN_FINISHED = "RUN_FINISHED"
KINDS = (RUN_STARTED, INTENDED, WAITING, WAITED, CALLED, DECIDED, COMPUTED, RESUMED, RUN_FINISHED)
STEPS = (CALLED, DECIDED, COMPUTED, WAITED)  # a node was left by an outcome
UNPLACED = (INTENDED, WAITING)  # they say a path and belong to none: that of their answer does

# A line holds payloads, inputs and outputs of full depth and size, each some levels down.
MOST_DEPTH = 200

RESUMED_BODY = b'{"kind":"RESUMED"}'
CANCELLED_BODY = b'{"exit":"cancelled","kind":"RUN_FINISHED","result":{},"status":"FAILED"}'


class Event:
    """One line taken apart: its number from 1, parsed body and obs, their bytes, and the two hashes."""

    __slots__ = ("body", "body_bytes", "hash", "line", "obs", "obs_bytes", "prev")

    def __init__(self, line: int, body: dict[str, Any], obs: dict[str, Any], prev: str, hash: str) -> None:
        self.line = line
        self.body = body
        self.obs = obs
        self.body_bytes = encode(body)
        self.obs_bytes = encode(obs)
        self.prev = prev
        self.hash = hash


class Broken(Exception):
    """A record that does not hold: the line from 1, and why in one sentence."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def link(body: bytes, obs: bytes, prev: str) -> tuple[bytes, str]:
    """Make one line of canonical `body` and `obs` after the line whose hash is `prev`: (line with newline, hash)."""
    head = b'{"body":%b,"obs":%b,"prev":"%b"' % (body, obs, prev.encode())
    found = "sha256:" + hashlib.sha256(head).hexdigest()
    return b'%b,"hash":"%b"}\n' % (head, found.encode()), found


def export(events: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write (body, obs) pairs as the lines of one record."""
    parts: list[bytes] = []
    prev = ZERO.encode()
    sha256, join = hashlib.sha256, b"".join
    # What `link` does, without its calls: hashing is a third of what a walk costs.
    for body, obs in events:
        head = join((b'{"body":', body, b',"obs":', obs, b',"prev":"', prev, b'"'))
        prev = b"sha256:" + sha256(head).hexdigest().encode()
        parts += (head, b',"hash":"', prev, b'"}\n')
    return join(parts)


def digest_of(bodies: Iterable[bytes]) -> str:
    """Return the run's digest: SHA-256 of all bodies in order, RESUMED left out."""
    counted = list(bodies)
    if RESUMED_BODY in counted:
        counted = [body for body in counted if body != RESUMED_BODY]
    return "sha256:" + hashlib.sha256(b"".join(counted)).hexdigest()


def read(record: bytes) -> Iterator[Event]:
    """Take a record apart, line by line, checking form and chain.

    Raises Broken at the first line that is not exactly what its parts give, or whose links do not hold. What the
    events mean together (first, last, known kinds) is for the verifier.
    """
    prev = ZERO
    lines = record.split(b"\n")
    if lines[-1]:
        complete = len(lines) - 1
        yield from _read(lines[:complete], prev)
        raise Broken(complete + 1, "the line has no end: the record was cut")
    yield from _read(lines[:-1], prev)


def _read(lines: list[bytes], prev: str) -> Iterator[Event]:
    for number, line in enumerate(lines, 1):
        event = _event(number, line)
        if event.prev != prev:
            raise Broken(number, "`prev` is not the hash of the line before: lines were removed, added or swapped")
        rebuilt, found = link(event.body_bytes, event.obs_bytes, event.prev)
        if found != event.hash:
            raise Broken(number, "`hash` is not the digest of the line: the line was edited")
        if rebuilt != line + b"\n":
            raise Broken(number, "the line is not in canonical form")
        prev = found
        yield event


def _event(number: int, line: bytes) -> Event:
    try:
        value = parse(line, limit=len(line), depth=MOST_DEPTH)
    except Outside as error:
        raise Broken(number, f"the line is no canonical JSON ({error.reason})") from None
    if not isinstance(value, dict) or set(value) != {"body", "obs", "prev", "hash"}:
        raise Broken(number, "a line holds exactly `body`, `obs`, `prev` and `hash`")
    body, obs, prev, found = value["body"], value["obs"], value["prev"], value["hash"]
    if not isinstance(body, dict) or not isinstance(obs, dict):
        raise Broken(number, "`body` and `obs` are objects")
    if not isinstance(prev, str) or not isinstance(found, str):
        raise Broken(number, "`prev` and `hash` are digests")
    if body.get("kind") not in KINDS:
        raise Broken(number, "`body.kind` is no known kind of event")
    return Event(number, body, obs, prev, found)
