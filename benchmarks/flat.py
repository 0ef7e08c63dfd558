"""The cost of a run does not grow with what is there: 0, 1,000 and 100,000 past runs, each of which left its records.

Every past run is a real one: it registered an order and appended an event, so a data root of 100,000 runs has as many
orders and events, in fifty kinds whose key sets are kept. As many prices are loaded as facts. Then the three data roots
take turns. What is allowed from 0 to 100,000 is a quarter more, because a B-tree of three levels is one deeper than one
of two, and its pages are no longer all in SQLite's own cache.

Run it as `python benchmarks/flat.py [MOST]`; the status is 1 where something grows by more.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any

import shop
from measured import machine

from omnibachi import Engine, Workspace
from omnibachi.clocks import new_trace_id

ALLOWED = 1.25
ROUNDS = 300
STORES = {shop.ORDERS: "registry", shop.LOG: "events"}
_numbers = count(1)


def sale(number: int) -> dict[str, Any]:
    """Return the payload of a sale."""
    return {"name": f"order {number:09}", "kind": f"kind {number % shop.KINDS}", "cents": 100 + number % 900}


def fill(engine: Engine, size: int) -> None:
    """Leave `size` past runs, orders, events and prices."""
    _done(engine, shop.LOOK)  # the key sets are kept from the start
    for _ in range(size):
        _done(engine, shop.SELL)
    prices: dict[str, Any] = {
        f"price {number}": {"kind": f"kind {number % shop.KINDS}", "cents": 1} for number in range(size)
    }
    if prices:
        engine.ledger.load({shop.PRICES: prices}, file_digest="sha256:0", seal="sha256:0", at="2026-01-01T00:00:00Z")
    engine.ledger.mirror(STORES)


def _done(engine: Engine, workflow: str) -> None:
    result = engine.run(workflow, sale(next(_numbers)))
    assert result.exit == "done", result.diagnostics


def cases(engine: Engine, workspace: Workspace) -> dict[str, tuple[Callable[[], object], ...]]:
    """Return what is measured on one data root; of two steps, the first makes ready and is not measured."""

    def sell() -> None:
        _done(engine, shop.SELL)

    def command() -> None:
        with workspace.engine(engine.data_root) as other:
            _done(other, shop.SELL)
            other.ledger.mirror(STORES)

    return {
        "register and append": (sell,),
        "write a price and tell of it": (lambda: _done(engine, shop.RAISE),),
        "resolve, find, count, list, count": (lambda: _done(engine, shop.LOOK),),
        "the mirrors after a run": (sell, lambda: engine.ledger.mirror(STORES)),
        "open a data root, run, mirror, close": (command,),
        "draw an id": (new_trace_id,),
        "the latest 50 runs (`traces ls`)": (lambda: engine.ledger.runs(50),),
    }


def main(most: int) -> int:
    """Fill the data roots, measure in turns, print the table."""
    sizes = (0, 1000, most)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        workspace = shop.lay(folder)
        engines = {size: stack.enter_context(workspace.engine(folder / f"state-{size}")) for size in sizes}
        for size, engine in engines.items():
            begun = time.perf_counter()
            fill(engine, size)
            bytes_ = os.path.getsize(folder / f"state-{size}" / "store.db")
            print(f"{size} runs: {time.perf_counter() - begun:.1f} s, {bytes_ / 1e6:.1f} MB", flush=True)
        measures = {size: cases(engine, workspace) for size, engine in engines.items()}
        rows = [_row(case, [measures[size][case] for size in sizes]) for case in measures[0]]
    print(f"\n{machine()}\n")
    print("| case | " + " | ".join(f"{size:,}" for size in sizes) + " | growth | allowed | holds |")
    print("|---|" + "--:|" * (len(sizes) + 2) + "---|")
    for case, costs in rows:
        shown = " | ".join(f"{cost * 1e6:.1f} us" for cost in costs)
        growth = costs[-1] / costs[0]
        print(f"| {case} | {shown} | {growth:.2f}x | {ALLOWED}x | {'yes' if growth <= ALLOWED else 'NO'} |")
    return int(any(costs[-1] / costs[0] > ALLOWED for _, costs in rows))


def _row(case: str, measures: list[tuple[Callable[[], object], ...]]) -> tuple[str, list[float]]:
    """Let the sizes take turns; of each the first decile counts."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(ROUNDS):
        for steps, times in zip(measures, found, strict=True):
            for step in steps:
                begun = time.perf_counter()
                step()
                took = time.perf_counter() - begun
            times.append(took)
    return case, [quantiles(times, n=10)[0] for times in found]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
