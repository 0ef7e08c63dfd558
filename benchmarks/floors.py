"""The floors: the least that the same work could cost, written by hand for one workflow, without an engine.

Of a run in memory: its functions, one encoding of each event, a chain of SHA-256 over the lines, one write. What it
writes is a whole record, line for line of the form that a run has, and `omnibachi verify` takes it for one. But nothing
is checked, and one text stands for every run's identity and start.

`Lines` writes these records. `Bodies` writes less than a record, the bodies alone and a chain of bare digests: no time,
no place in the run. It is no gate's floor; it shows how much of the cost is the form of the record.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from shop import LEVELS, ORDERS, PAYLOAD, REGISTER, STEP, TURN, TURNS, node_of

Event = dict[str, Any]
Writer = Callable[[dict[str, Any]], "Lines | Bodies"]
Floor = Callable[[Any], None]

HOLDER = "12345-0123456789abcdef"
_SORTED = orjson.OPT_SORT_KEYS


class Lines:
    """A record in the making; `first` is the first event of a run of the same workflow, {body, obs}."""

    __slots__ = ("at", "lines", "prev")

    def __init__(self, first: dict[str, Any]) -> None:
        self.lines: list[bytes] = []
        self.at = time.time_ns()
        self.prev = "sha256:" + "0" * 64
        self._chain(first["body"], first["obs"])

    def add(self, body: Event) -> None:
        """Add an event that ended just now."""
        before, self.at = self.at, time.time_ns()
        took = (self.at - before) // 1000
        self._chain(body, {"at_us": self.at // 1000, "seq": len(self.lines) + 1, "took_us": took})

    def _chain(self, body: Event, obs: Event) -> None:
        head = orjson.dumps({"body": body, "obs": obs, "prev": self.prev}, None, _SORTED)[:-1]
        self.prev = "sha256:" + hashlib.sha256(head).hexdigest()
        self.lines.append(b'%b,"hash":"%b"}\n' % (head, self.prev.encode()))

    def whole(self) -> bytes:
        """Return what is written."""
        return b"".join(self.lines)


class Bodies:
    """The bodies alone, each followed by the digest of it and of the digest before."""

    __slots__ = ("lines", "prev")

    def __init__(self, first: dict[str, Any]) -> None:
        self.lines: list[bytes] = []
        self.prev = b"0" * 64
        self.add(first["body"])

    def add(self, body: Event) -> None:
        """Add an event."""
        data = orjson.dumps(body, None, _SORTED)
        self.prev = hashlib.sha256(self.prev + data).hexdigest().encode()
        self.lines += (data, self.prev)

    def whole(self) -> bytes:
        """Return what is written."""
        return b"\n".join(self.lines)


def chain(function: Callable[..., Any], size: int, first: dict[str, Any], writer: Writer = Lines) -> Floor:
    """Return the floor of `size` transforms in line."""
    names = [f"node_{index}" for index in range(size)]

    def run(file: Any) -> None:
        record, n, name = writer(first), PAYLOAD["n"], PAYLOAD["name"]
        for path in names:
            inputs = {"n": n, "name": name}
            outcome, output = function(inputs)
            n = output["n"]
            record.add({
                "capability": STEP, "effect": "PURE", "inputs": inputs, "kind": "CALLED", "outcome": outcome,
                "output": output, "path": path,
            })  # fmt: skip
        record.add({"exit": "done", "kind": "RUN_FINISHED", "result": {"n": n}, "status": "COMPLETED"})
        file.write(record.whole())

    return run


def branches(function: Callable[..., Any], first: dict[str, Any], writer: Writer = Lines) -> Floor:
    """Return the floor of ten levels of three transforms, each of which leads to any of the next level."""
    levels = _levels()

    def run(file: Any) -> None:
        record, n, name, outcome = writer(first), PAYLOAD["n"], PAYLOAD["name"], "LEFT"
        for names in levels:
            path = names[outcome]
            inputs = {"n": n, "name": name}
            outcome, output = function(inputs)
            n = output["n"]
            record.add({
                "capability": TURN, "effect": "PURE", "inputs": inputs, "kind": "CALLED", "outcome": outcome,
                "output": output, "path": path,
            })  # fmt: skip
        record.add({"exit": "done", "kind": "RUN_FINISHED", "result": {}, "status": "COMPLETED"})
        file.write(record.whole())

    return run


def decisions(first: dict[str, Any], writer: Writer = Lines) -> Floor:
    """Return the floor of ten levels of three decisions, each of which leads to any of the next level."""
    levels = [(names, index % 3, index % 3 + 1) for index, names in enumerate(_levels())]
    less, more = ([f"it is {word} than {number}" for number in range(4)] for word in ("less", "more"))

    def run(file: Any) -> None:
        record, n, outcome = writer(first), PAYLOAD["n"], "LEFT"
        for names, low, high in levels:
            path = names[outcome]
            if n < low:
                outcome, because, row = "LEFT", less[low], 0
            elif n > high:
                outcome, because, row = "MIDDLE", more[high], 1
            else:
                outcome, because, row = "RIGHT", "it lies between", 2
            record.add({
                "because": because, "capability": None, "effect": None, "inputs": {"n": n}, "kind": "DECIDED",
                "outcome": outcome, "output": {"because": because}, "path": path, "row": row,
            })  # fmt: skip
        record.add({"exit": "done", "kind": "RUN_FINISHED", "result": {}, "status": "COMPLETED"})
        file.write(record.whole())

    return run


def _levels() -> list[dict[str, str]]:
    """Return, for each level, the node that each outcome of the level before leads to."""
    return [{turn: node_of(level, side) for side, turn in enumerate(TURNS)} for level in range(LEVELS)]


def in_a_folder(floor: Floor, place: str) -> None:
    """Do a run and leave its record in a new folder: mkdir, open, write, close and rename beside the floor."""
    os.mkdir(place)
    with open(f"{place}/aside", "wb", buffering=0) as file:
        floor(file)
    os.rename(f"{place}/aside", f"{place}/trace.jsonl")


class Bare:
    """A database of the ledger's own schema, and a transaction that writes the rows of a run with one effect."""

    def __init__(self, file: Path, run: Sequence[Any], events: Sequence[tuple[str, bytes, bytes]]) -> None:
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.run = tuple(run)
        self.events = events
        self.value = orjson.dumps(PAYLOAD, None, _SORTED)

    def write(self, number: int) -> None:
        """Write the run, its record in the registry, its receipt and its events."""
        execute = self.db.execute
        run = f"{number:032}"
        execute("BEGIN IMMEDIATE")
        execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, 1, ?, 3, 'done', 'COMPLETED', ?)",
            (run, *self.run[:-1], HOLDER, self.run[-1]),
        )
        row = (ORDERS, f"order {number}", self.value, number, number)
        execute("INSERT INTO records VALUES (?, ?, ?, 1, ?, ?, 1)", row)
        execute("INSERT INTO receipts VALUES (?, ?, 'keep', ?, 'SUCCESS')", (number, run, REGISTER))
        rows = [(run, index, path, body, obs) for index, (path, body, obs) in enumerate(self.events, 1)]
        self.db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        execute("COMMIT")
