"""What a second worker gives a batch of runs without effects: at least 1.7 times the throughput of one.

Both take turns over the same lines, each time as a batch that nobody has begun; starting the workers, reading the
lines and laying the record together are part of what is measured. The ratio is that of the times, so at most 1/1.7 is
allowed. Other work on a machine of two cores takes the second one away: see the quartiles.

Run it as `python benchmarks/batch.py [LINES]`; the status is 1 where it does not hold.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import shop
from measured import compared, table

from omnibachi import Workspace
from omnibachi.batches.batching import Asked, run_batch

ALLOWED = 1 / 1.7
LINES = 100_000
ROUNDS = 4
MEMORY = "/dev/shm"  # how fast a disk takes the record is not the question


def batches(workspace: Workspace, file: Path, lines: int, workers: int) -> Callable[[], float]:
    """Return what does one batch more by so many workers, and returns the seconds that it took."""
    numbers = count()

    def once() -> float:
        asked = Asked(shop.TEN, str(file), workers=workers, batch=f"w{workers}-{next(numbers)}")
        begun = time.perf_counter()
        done = run_batch(workspace, asked, lambda count, of: None)
        took = time.perf_counter() - begun
        assert done.summary["completed"] == lines and not done.repeated
        Path(done.record_file).unlink()
        return took

    return once


if __name__ == "__main__":
    size = int(sys.argv[1]) if sys.argv[1:] else LINES
    with tempfile.TemporaryDirectory(dir=MEMORY if Path(MEMORY).is_dir() else None) as name:
        made = shop.lay(Path(name))
        payloads = Path(name) / "payloads.jsonl"
        payloads.write_text(f"{json.dumps(shop.PAYLOAD)}\n" * size, "utf-8")
        one, two = (batches(made, payloads, size, workers) for workers in (1, 2))
        sys.exit(table([compared(f"{size} lines of 10 in line, two workers for one", ALLOWED, one, two, ROUNDS)]))
