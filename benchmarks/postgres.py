"""What an effect costs on PostgreSQL above a bare transaction that writes the same rows: at most 1.5 times.

The server is that of OMNIBACHI_TEST_POSTGRES, or one that is started as for tests, on disk and with every commit waited
for. Both sides have one connection and statements that the server has prepared. Run it as
`python benchmarks/postgres.py`; the status is 1 where it does not hold.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

import floors
import orjson
import psycopg
import shop
from measured import Measured, compared, table, timed

from omnibachi_ledger import open_root
from postgres_server import serving

ROUNDS, TIMES = 60, 40


class Bare:
    """A transaction that writes the rows of a run with one effect, one statement for each kind of row."""

    def __init__(self, root: str, run: tuple[Any, ...], events: list[tuple[str, bytes, bytes]]) -> None:
        self.db = psycopg.connect(root, autocommit=True)
        self.run = run
        self.events = events
        self.value = orjson.dumps(shop.PAYLOAD, None, orjson.OPT_SORT_KEYS)

    def write(self, number: int) -> None:
        """Write the run, its record in the registry, its receipt and its events."""
        execute = self.db.execute
        run = f"{number:032}"
        execute("BEGIN")
        execute(
            "INSERT INTO runs VALUES (%s, %s, %s, %s, %s, %s, 1, %s, 3, 'done', 'COMPLETED', %s)",
            (run, *self.run[:-1], floors.HOLDER, self.run[-1]),
        )
        row = (floors.ORDERS, f"order {number}", self.value, number, number)
        execute("INSERT INTO records VALUES (%s, %s, %s, 1, %s, %s, 1)", row)
        execute("INSERT INTO receipts VALUES (%s, %s, 'keep', %s, 'SUCCESS')", (number, run, floors.REGISTER))
        rows = [(run, index, path, body, obs) for index, (path, body, obs) in enumerate(self.events, 1)]
        with self.db.cursor() as cursor:
            cursor.executemany("INSERT INTO events VALUES (%s, %s, %s, %s, %s)", rows)
        execute("COMMIT")


def effects() -> Iterator[Measured]:
    """Measure one effect per run, one transaction each."""
    numbers = count(1)
    with tempfile.TemporaryDirectory() as name, serving(durable=True) as server:
        workspace = shop.lay(Path(name))
        floor = server.root()
        open_root(floor).close()
        with workspace.engine(server.root()) as engine:
            sample = engine.run(shop.KEEP, shop.PAYLOAD)
            digests = (sample.workflow_digest, sample.seal, sample.digest)
            known = (sample.workflow, *digests, "2026-01-01T00:00:00.000Z", sample.digest)
            bare = Bare(floor, known, list(sample.events))

            def ours() -> None:
                result = engine.run(shop.KEEP, {"name": f"order {next(numbers)}", "n": 1})
                assert result.exit == "done"

            try:
                least = timed(TIMES, lambda: bare.write(next(numbers)))
                yield compared("one effect, one transaction, PostgreSQL", 1.5, least, timed(TIMES, ours), ROUNDS)
            finally:
                bare.db.close()


if __name__ == "__main__":
    sys.exit(table(effects()))
