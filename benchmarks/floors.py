"""The floors: the least that the same work could cost, written by hand without an engine.

Of a run in memory: its functions, one canonical encoding of each event, a chain of SHA-256 over them, one write. There is
no check, no time, no identity, no route that is looked up in data: whatever a general engine adds counts against it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from shop import LEVELS, ORDERS, PAYLOAD, REGISTER, STEP, TURN, TURNS, node_of

Floor = Callable[[Any], None]

_ZERO = b"0" * 64
_SORTED = orjson.OPT_SORT_KEYS


def chain(function: Callable[..., Any], size: int) -> Floor:
    """Return the floor of `size` transforms in line."""
    names = [f"node_{index}" for index in range(size)]

    def run(file: Any) -> None:
        events, n, name = [_started()], PAYLOAD["n"], PAYLOAD["name"]
        for path in names:
            inputs = {"n": n, "name": name}
            outcome, output = function(inputs)
            n = output["n"]
            events.append({
                "capability": STEP, "effect": "PURE", "inputs": inputs, "kind": "CALLED", "outcome": outcome,
                "output": output, "path": path,
            })  # fmt: skip
        events.append(_finished({"n": n}))
        file.write(_chained(events))

    return run


def branches(function: Callable[..., Any]) -> Floor:
    """Return the floor of ten levels of three transforms, each of which leads to any of the next level."""
    names = [{turn: node_of(level, side) for side, turn in enumerate(TURNS)} for level in range(LEVELS)]

    def run(file: Any) -> None:
        events, n, name, outcome = [_started()], PAYLOAD["n"], PAYLOAD["name"], "LEFT"
        for level in names:
            path = level[outcome]
            inputs = {"n": n, "name": name}
            outcome, output = function(inputs)
            n = output["n"]
            events.append({
                "capability": TURN, "effect": "PURE", "inputs": inputs, "kind": "CALLED", "outcome": outcome,
                "output": output, "path": path,
            })  # fmt: skip
        events.append(_finished({}))
        file.write(_chained(events))

    return run


def decisions() -> Floor:
    """Return the floor of ten levels of three decisions, each of which leads to any of the next level."""
    levels = [
        (
            {turn: node_of(level, side) for side, turn in enumerate(TURNS)},
            level % 3,
            level % 3 + 1,
            f"it is less than {level % 3}",
            f"it is more than {level % 3 + 1}",
        )
        for level in range(LEVELS)
    ]

    def run(file: Any) -> None:
        events, n, outcome = [_started()], PAYLOAD["n"], "LEFT"
        for names, low, high, less, more in levels:
            path = names[outcome]
            if n < low:
                outcome, because, row = "LEFT", less, 0
            elif n > high:
                outcome, because, row = "MIDDLE", more, 1
            else:
                outcome, because, row = "RIGHT", "it lies between", 2
            events.append({
                "because": because, "capability": None, "effect": None, "inputs": {"n": n}, "kind": "DECIDED",
                "outcome": outcome, "output": {"because": because}, "path": path, "row": row,
            })  # fmt: skip
        events.append(_finished({}))
        file.write(_chained(events))

    return run


def _started() -> dict[str, Any]:
    return {"kind": "RUN_STARTED", "payload": PAYLOAD}


def _finished(result: dict[str, Any]) -> dict[str, Any]:
    return {"exit": "done", "kind": "RUN_FINISHED", "result": result, "status": "COMPLETED"}


def _chained(events: list[dict[str, Any]]) -> bytes:
    """Encode each event once, canonically, and chain the lines."""
    dumps, sha256 = orjson.dumps, hashlib.sha256
    previous, lines = _ZERO, []
    for event in events:
        body = dumps(event, None, _SORTED)
        previous = sha256(previous + body).hexdigest().encode()
        lines += (body, previous)
    return b"\n".join(lines)


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
        execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, 1, NULL, 3, 'done', 'COMPLETED', ?)", (run, *self.run))
        row = (ORDERS, f"order {number}", self.value, number, number)
        execute("INSERT INTO records VALUES (?, ?, ?, 1, ?, ?, 1)", row)
        execute("INSERT INTO receipts VALUES (?, ?, 'keep', ?, 'SUCCESS')", (number, run, REGISTER))
        rows = [(run, index, path, body, obs) for index, (path, body, obs) in enumerate(self.events, 1)]
        self.db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        execute("COMMIT")
