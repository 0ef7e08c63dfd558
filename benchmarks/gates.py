"""What a run costs above its floor: three gates of the engine and the cold start of the command, in one table.

(a) an engine in a loop, records into one open file: at most 2.0 times its floor, for 10 and 100 transforms in line, for
    10 transforms and for 10 decisions of three branches each.
(b) one trace file per run: at most 1.3 times the floor of (a) with mkdir, open, close and rename.
(c) one local effect per run: at most 1.5 times a bare transaction that writes the same rows.
(cold) `omnibachi run --no-picture`: at most 1.6 times `python -c "import orjson, hashlib, sqlite3"`.

Run it as `python benchmarks/gates.py [a] [b] [c] [cold]`; without names, all. The status is 1 where one does not hold.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import floors
import shop
from cold import cold_starts
from measured import Measured, compared, table, timed
from omnibachi import Engine, Workspace
from omnibachi.traces_folder import Traces
from omnibachi_ledger import open_root

NAMES = ("a", "b", "c", "cold")


def loops(workspace: Workspace, folder: Path) -> Iterator[Measured]:
    """Measure gate (a): the engine in a loop."""
    step, turn = (workspace.capabilities.function(f"bench_caps.steps:{name}") for name in ("step", "turn"))
    with workspace.engine() as engine:
        for case, address, floor, times in (
            ("(a) 10 in line", shop.TEN, floors.chain(step, 10), 30),
            ("(a) 100 in line", shop.HUNDRED, floors.chain(step, 100), 4),
            ("(a) 10 of three branches", shop.BRANCHES, floors.branches(turn), 30),
            ("(a) 10 decisions of three rows", shop.DECISIONS, floors.decisions(), 30),
        ):
            with (folder / "floor").open("wb") as bare, (folder / "ours").open("wb") as mine:
                yield compared(
                    case, 2.0, timed(times, lambda floor=floor, bare=bare: floor(bare)),  # type: ignore[misc]
                    timed(times, lambda address=address, mine=mine: _record(engine, address, mine)),  # type: ignore[misc]
                    400,
                )  # fmt: skip


def _record(engine: Engine, address: str, file: Any) -> None:
    result = engine.run(address, shop.PAYLOAD)
    assert result.digest and result.exit == "done"
    file.write(result.record)


def files(workspace: Workspace, folder: Path) -> Measured:
    """Measure gate (b): a folder and a file for each run."""
    traces, numbers = Traces(str(folder / "traces")), count()
    floor = floors.chain(workspace.capabilities.function("bench_caps.steps:step"), 10)
    (folder / "bare").mkdir()
    with workspace.engine() as engine:

        def ours() -> None:
            result = engine.run(shop.TEN, shop.PAYLOAD)
            assert result.digest and result.exit == "done"
            traces.write(str(result.trace_id), "jsonl", result.record)

        bare = timed(20, lambda: floors.in_a_folder(floor, f"{folder}/bare/{next(numbers)}"))
        return compared("(b) 10 in line, a file each", 1.3, bare, timed(20, ours), 200)


def effects(workspace: Workspace, folder: Path) -> Measured:
    """Measure gate (c): one effect, one transaction."""
    numbers = count(1)
    with workspace.engine(folder / "state") as engine:
        sample = engine.run(shop.KEEP, shop.PAYLOAD)
        open_root(str(folder / "state-of-the-floor")).close()
        digests = (sample.workflow_digest, sample.seal, sample.digest)
        known = (sample.workflow, *digests, "2026-01-01T00:00:00.000Z", sample.digest)
        bare = floors.Bare(folder / "state-of-the-floor" / "store.db", known, sample.events)

        def ours() -> None:
            result = engine.run(shop.KEEP, {"name": f"order {next(numbers)}", "n": 1})
            assert result.exit == "done"

        try:
            least = timed(20, lambda: bare.write(next(numbers)))
            return compared("(c) one effect, one transaction", 1.5, least, timed(20, ours), 200)
        finally:
            bare.db.close()


def measured(wanted: list[str]) -> Iterator[Measured]:
    """Measure the gates that are named."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = shop.lay(folder)
        if "a" in wanted:
            yield from loops(workspace, folder)
        if "b" in wanted:
            yield files(workspace, folder)
        if "c" in wanted:
            yield effects(workspace, folder)
    if "cold" in wanted:
        yield from cold_starts()


if __name__ == "__main__":
    sys.exit(table(measured([name for name in sys.argv[1:] if name in NAMES] or list(NAMES))))
