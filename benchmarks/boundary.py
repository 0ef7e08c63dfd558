"""The speed of the decision boundary, in ratios: what is governed beside what a ledger merely appends.

`raw` is how many events a second the ledger's port appends that are ready, one a transaction, as safe as in a gateway:
of the three of a story one waits for the disk. All providers are the stub. What is compared takes turns in one process
tree; of each side the first decile counts, and the quartiles of the ratios of neighbours tell how calm the machine was.

Run it as `python benchmarks/boundary.py [--json] [govern] [http] [hot] [large] [projection] [catchup]`; without names,
all, which takes some minutes. The status is 1 where a target is missed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from measured import compared, machine
from ready import Appending, anchors, blocks, post
from served import Client, caught_up, serving

from omnibachi import Workspace
from omnibachi.governing import LEDGER, Govern, open_gateway

ROOT = Path(__file__).resolve().parent.parent
MOST = 300_000  # events of the large ledger
PAGE = 500
CONNECTIONS, RATE, PACED = 8, 50, 500  # intents a second, and how many of them
PROJECTED_MS = 300.0  # p99
CATCH_UP = 30_000  # events

Both: TypeAlias = (
    "tuple[Callable[[], float], Callable[[], float]]"  # what is compared with, and ours: seconds that one took
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one case gave: both sides in words, their ratio, and the bound that it is held to, from below or above."""

    case: str
    against: str
    ours: str
    ratio: float
    low: float
    high: float
    least: float | None = None
    most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the ratio keeps its bound."""
        return (self.least is None or self.ratio >= self.least) and (self.most is None or self.ratio <= self.most)

    @property
    def target(self) -> str:
        """The bound in words."""
        return f"≥ {self.least:.2f}" if self.least is not None else f"≤ {self.most:.2f}" if self.most else ""


def rates(case: str, least: float, both: Both, rounds: int, units: tuple[str, str]) -> Row:
    """Compare how many a second two things do, each giving the seconds that one took."""
    found = compared(case, None, both[0], both[1], rounds)
    return Row(
        case, f"{1 / found.floor:,.0f} {units[0]}/s", f"{1 / found.ours:,.0f} {units[1]}/s", found.floor / found.ours,
        1 / found.high, 1 / found.low, least=least,
    )  # fmt: skip


def times(case: str, most: float, both: Both, rounds: int) -> Row:
    """Compare how long two things take."""
    found = compared(case, None, both[0], both[1], rounds)
    return Row(
        case, f"{found.floor * 1e3:.2f} ms", f"{found.ours * 1e3:.2f} ms", found.ours / found.floor, found.low,
        found.high, most=most,
    )  # fmt: skip


class Bench:
    """A folder with data roots, and gateways that stay open until the end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.workspace = Workspace(ROOT)
        self.numbers = count(1)
        door = self.gateway("sample")
        post(door, 0)
        self.sample = door._engine.ledger.decisions(LEDGER).story(anchors(0)["correlation_id"])

    def gateway(self, name: str) -> Govern:
        """Open a gateway with the stub on a data root of that name."""
        return self.stack.enter_context(open_gateway(self.workspace, self.folder / name))

    def appending(self, name: str) -> Appending:
        """Return what appends ready events to the ledger of such a data root."""
        return Appending(self.gateway(name)._engine.ledger, self.sample)

    def raw(self, stories: int) -> Callable[[], float]:
        """Return what appends ready events, one a transaction, and gives the seconds that one event took."""
        told = blocks(stories, self.appending("raw").each_alone, self.numbers)
        return lambda: told() / len(self.sample)


def govern(bench: Bench) -> Iterator[Row]:
    """Measure intents a second in process."""
    # A round is long enough to hold checkpoints of the log on both sides.
    both = bench.raw(150), blocks(130, partial(post, bench.gateway("governed")), bench.numbers)
    yield rates("intents governed in process", 0.20, both, 60, ("events", "intents"))


def http(bench: Bench) -> Iterator[Row]:
    """Measure intents a second over HTTP, on connections that are kept."""
    with (
        serving("gateway", "--data-root", str(bench.folder / "http")) as port,
        Client(port, 0, CONNECTIONS, "http") as client,
    ):
        client.ask("burst 200")
        both = bench.raw(150), lambda: float(client.ask("burst 200") / 200)
        yield rates(f"intents over HTTP, {CONNECTIONS} kept connections", 0.10, both, 25, ("events", "intents"))


def projection(bench: Bench) -> Iterator[Row]:
    """Measure how long after its 202 a story is in the observer's projection."""
    with (
        serving("gateway", "--data-root", str(bench.folder / "projected")) as gateway,
        serving("observer", "--gateway", f"http://127.0.0.1:{gateway}") as observer,
        Client(gateway, observer, 1, "paced") as client,
    ):
        client.ask(f"paced {RATE} {RATE}")
        delays = sorted(client.ask(f"paced {PACED} {RATE}"))
    p50, p95, p99 = (delays[int(len(delays) * part)] * 1e3 for part in (0.5, 0.95, 0.99))
    yield Row(
        f"202 to projection at {RATE} intents/s: p99 (as quartiles: p50 and p95)", f"{PROJECTED_MS:.0f} ms",
        f"{p99:.1f} ms", p99 / PROJECTED_MS, p50 / PROJECTED_MS, p95 / PROJECTED_MS, most=1.0,
    )  # fmt: skip


def catchup(bench: Bench) -> Iterator[Row]:
    """Measure how fast an observer reads a ledger from its beginning."""
    filled = bench.appending("caught").fill(anchors(n, f"thread-{n % 100}") for n in range(CATCH_UP // 3))
    with serving("gateway", "--data-root", str(bench.folder / "caught")) as port:
        both = bench.raw(300), lambda: caught_up(port, filled) / filled
        yield rates(f"an observer reads {filled:,} events from nothing", 0.5, both, 3, ("events", "events"))


def hot(bench: Bench) -> Iterator[Row]:
    """Measure late turns of one thread against early ones."""

    def turns(name: str, before: int) -> Callable[[], float]:
        stories = (anchors(number, "hot", number - 1 if number else None) for number in range(before))
        bench.appending(name).fill(stories)
        door = bench.gateway(name)
        return blocks(1, lambda number: post(door, number, thread="hot", parent=number - 1), count(before))

    both = turns("early", 400), turns("late", 4900)
    yield rates("turns 4,900 to 5,000 of a thread against 400 to 500", 0.9, both, 99, ("turns", "turns"))


def large(bench: Bench) -> Iterator[Row]:
    """Measure a ledger of 300,000 events against one that is new."""
    begun = time.perf_counter()
    filled = bench.appending("large").fill(anchors(10**8 + n, f"thread-{n % 1000}") for n in range(MOST // 3))
    bytes_ = (bench.folder / "large" / "store.db").stat().st_size
    print(f"{filled:,} events: {time.perf_counter() - begun:.1f} s, {bytes_ / 1e6:.0f} MB", file=sys.stderr, flush=True)
    empty, full = (bench.gateway(name) for name in ("empty", "large"))
    both = blocks(30, partial(post, empty), bench.numbers), blocks(30, partial(post, full), bench.numbers)
    yield rates(f"intents, a ledger of {MOST:,} events against an empty one", 0.8, both, 40, ("intents", "intents"))

    def taking(ask: Callable[[Any], object]) -> Both:
        small, big = (door._engine.ledger.decisions(LEDGER) for door in (empty, full))
        return blocks(3, lambda _: ask(small), count()), blocks(3, lambda _: ask(big), count())

    # The empty one has by now the few thousand events of the intents above.
    yield times(f"the newest page of {PAGE}", 1.5, taking(lambda ledger: ledger.page(limit=PAGE)), 60)
    yield times("the status", 1.5, taking(lambda ledger: ledger.status()), 300)


MEASURES = {"govern": govern, "http": http, "hot": hot, "projection": projection, "catchup": catchup, "large": large}


def main(arguments: list[str]) -> int:
    """Measure what is named, print the table or one JSON object."""
    wanted = [name for name in arguments if name in MEASURES] or list(MEASURES)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        bench = Bench(Path(name), stack)
        for measure in wanted:
            rows += MEASURES[measure](bench)
    if "--json" in arguments:
        print(json.dumps({"machine": machine(), "rows": [{**asdict(row), "holds": row.holds} for row in rows]}))
    else:
        _table(rows)
    return int(not all(row.holds for row in rows))


def _table(rows: list[Row]) -> None:
    print(f"\n{machine()}\n\n| case | against | ours | ratio | quartiles | target | holds |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for row in rows:
        holds = "yes" if row.holds else "NO"
        quartiles = f"{row.low:.2f} to {row.high:.2f}"
        print(f"| {row.case} | {row.against} | {row.ours} | {row.ratio:.2f} | {quartiles} | {row.target} | {holds} |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
