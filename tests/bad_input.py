"""What is handed in may be anything: values that no field takes, texts that nobody means, spoilt payloads."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from omnibachi import Engine, RunResult

LONG = "x" * 100_000
TEXTS = ["", " ", LONG, "\u0000", "\u202e\U0001f600", "1", "' OR 1=1 --", "$.payload", "../..", "null", "e\u0301"]
WRONG_TEXTS: list[Any] = [None, True, 0, 1.5, [], {}, ["x"], {"x": 1}]
WRONG_NUMBERS: list[Any] = [None, True, "1", "", "0x1", 1.5, -1, [], {}, [1]]
WRONG_FLAGS: list[Any] = [None, 0, 1, "true", "", [], {}]
WRONG_OBJECTS: list[Any] = [None, True, 1, "", "{}", [], [{}]]
WRONG_LISTS: list[Any] = [None, True, 1, "", "[]", {}, [1], [[]], [None]]
# Amounts are JSON integers; amounts of wei are decimal texts without sign, point, space or leading zeros.
WRONG_AMOUNTS: list[Any] = [*WRONG_NUMBERS, 0]
WRONG_WEI: list[Any] = [
    *WRONG_TEXTS, "", "-1", "+1", "01", "00", "1.0", "1e3", "0x1", " 1", "1 ", "1\n", "\u0661", "1" * 81, LONG
]  # fmt: skip


def changed(payload: dict[str, Any], pointer: str, value: Any) -> dict[str, Any]:
    """Return a payload with another value at a pointer; Ellipsis: without it."""
    *way, last = pointer[1:].split("/")
    payload = copy.deepcopy(payload)
    at: Any = payload
    for key in way:
        at = at[int(key) if isinstance(at, list) else key]
    if value is ...:
        at.pop(last, None)
    else:
        at[int(last) if isinstance(at, list) else last] = value
    return payload


def rejected(result: RunResult, pointer: str) -> None:
    """Look that the gate rejected a payload, and for nothing but what stands at a pointer or below it."""
    assert (result.exit, result.status, result.path) == ("rejected", "REJECTED", ())
    told: Any = result.result
    found = told["violations"]
    assert found and all(str(item["pointer"]).startswith(pointer) for item in found), found


def spoilt(payload: dict[str, Any], wrong: dict[str, list[Any]], optional: set[str]) -> Iterator[tuple[str, Any]]:
    """Give pointer and payload of every way in which a payload can be spoilt.

    `wrong` has values that do not fit by pointer; what is not `optional` must be there; no object takes a member more.
    """
    for pointer, values in wrong.items():
        for value in values:
            yield pointer, changed(payload, pointer, value)
        if pointer not in optional:
            yield pointer, changed(payload, pointer, ...)
    for holder in _objects(payload, ""):
        yield f"{holder}/extra", changed(payload, f"{holder}/extra", 1)


def _objects(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield pointer
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _objects(inner, f"{pointer}/{key}")


def records(engine: Engine) -> dict[str, int]:
    """Return how many records each store has."""
    return dict(engine.ledger.stores())
