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
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import floors
import orjson
import shop
from cold import cold_starts
from measured import Measured, compared, table, timed

from omnibachi import Engine, Workspace, verify
from omnibachi.traces_folder import Traces
from omnibachi_ledger import open_root

NAMES = ("a", "b", "c", "cold")
NOTE = ", above bodies alone"


def loops(workspace: Workspace, folder: Path) -> Iterator[Measured]:
    """Measure gate (a), and the same runs above their bodies alone."""
    step, turn = (workspace.capabilities.function(f"bench_caps.steps:{name}") for name in ("step", "turn"))
    made: list[tuple[str, str, int, Callable[[dict[str, Any], floors.Writer], floors.Floor]]] = [
        ("10 in line", shop.TEN, 30, lambda first, writer: floors.chain(step, 10, first, writer)),
        ("100 in line", shop.HUNDRED, 4, lambda first, writer: floors.chain(step, 100, first, writer)),
        ("10 of three branches", shop.BRANCHES, 30, lambda first, writer: floors.branches(turn, first, writer)),
        ("10 decisions of three rows", shop.DECISIONS, 30, floors.decisions),
    ]
    writers: list[tuple[str, floors.Writer, float | None]] = [("", floors.Lines, 2.0), (NOTE, floors.Bodies, None)]
    with workspace.engine() as engine:
        for note, writer, allowed in writers:
            for case, address, times, make in made:
                sample = engine.run(address, shop.PAYLOAD).record
                floor = make(orjson.loads(sample.partition(b"\n")[0]), writer)
                if allowed is not None:
                    _is_record(floor, sample)
                with (folder / "floor").open("wb") as bare, (folder / "ours").open("wb") as mine:
                    yield compared(
                        f"(a) {case}{note}", allowed, timed(times, partial(floor, bare)),
                        timed(times, partial(_record, engine, address, mine)), 400,
                    )  # fmt: skip


def _is_record(floor: floors.Floor, sample: bytes) -> None:
    """Make sure that a floor writes what a run writes: the same bodies, in a record that holds."""
    written = BytesIO()
    floor(written)
    found = verify(written.getvalue())
    assert found.verdict == "INTACT", found
    bodies = [[orjson.loads(line)["body"] for line in data.splitlines()] for data in (written.getvalue(), sample)]
    assert bodies[0] == bodies[1]


def _record(engine: Engine, address: str, file: Any) -> None:
    result = engine.run(address, shop.PAYLOAD)
    assert result.digest and result.exit == "done"
    file.write(result.record)


def files(workspace: Workspace, folder: Path) -> Measured:
    """Measure gate (b): a folder and a file for each run."""
    traces, numbers = Traces(str(folder / "traces")), count()
    step = workspace.capabilities.function("bench_caps.steps:step")
    (folder / "bare").mkdir()
    with workspace.engine() as engine:
        floor = floors.chain(step, 10, orjson.loads(engine.run(shop.TEN, shop.PAYLOAD).record.partition(b"\n")[0]))

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

        # A round holds checkpoints of the log, one in about seventy transactions, on both sides.
        try:
            least = timed(150, lambda: bare.write(next(numbers)))
            return compared("(c) one effect, one transaction", 1.5, least, timed(150, ours), 120)
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
