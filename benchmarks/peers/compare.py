"""OmniBachi beside its peers: the same work by each, in turns, as ratios to the floor and to OmniBachi.

Every peer has a process and an environment of its own, and does some runs when it is its turn; in each round all take a
turn, another one first. Of the time of a run the first decile counts. What each ends with and which nodes it passed is
compared with the work walked by hand. The README beside this says what is compared, and what cannot be.

Run it as `python benchmarks/peers/compare.py [--json] [--rounds N] [PEER ...]`; the status is 1 where a target is
missed, and where something comes out otherwise, it stops. `--check` measures nothing and tells who agrees.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))

import shop
from crew import Worker
from measured import machine
from work import WORKS, expected

FLOOR, OURS = "floor", "omnibachi"
PEERS = ("committed", "hamilton", "transitions", "burr", "spiffworkflow", "langgraph", "dbos", "namesake")
NAMES = {
    "floor": "floor", "omnibachi": "OmniBachi", "committed": "OmniBachi, every node committed", "hamilton": "Hamilton",
    "transitions": "transitions", "burr": "Burr", "spiffworkflow": "SpiffWorkflow", "langgraph": "LangGraph",
    "dbos": "DBOS", "namesake": "`omnibachi` 0.2.1",
}  # fmt: skip
AT_LEAST = {("hamilton", False): 1.0, ("transitions", False): 1.0, ("burr", True): 50.0, ("langgraph", True): 200.0}
"""How many times the time of a recorded run of ten nodes a peer must take."""
MOST_OF_THE_FLOOR = 2.0
A_TURN = 0.03  # seconds, about

Side = tuple[str, bool]  # a peer, and whether it records


class Differs(Exception):
    """Something came out otherwise than by hand."""


def agreed(workers: dict[str, Worker], work: str) -> list[Side]:
    """Let every worker make a work ready; return those that can do it; raises Differs."""
    wanted = expected(work)
    sides: list[Side] = []
    for peer, worker in workers.items():
        for recorded in (False, True):
            answer = worker.load(work, recorded)
            if "cannot" in answer:
                continue
            if (answer["n"], answer["path"]) != wanted:
                raise Differs(f"{peer}, {work}: {answer['n']} by way of {answer['path']}, not {wanted}")
            if recorded and not answer["kept"]:
                raise Differs(f"{peer}, {work}: nothing was recorded")
            sides.append((peer, recorded))
    return sides


def compared(workers: dict[str, Worker], work: str, rounds: int) -> list[dict[str, Any]]:
    """Let all that can do a work take turns at it; return a row for each."""
    sides = agreed(workers, work)
    times = {side: max(1, round(A_TURN / _once(workers, work, side))) for side in sides}
    taken: dict[Side, list[tuple[float, float]]] = {side: [] for side in sides}
    for number in range(rounds):
        turn = number % len(sides)
        for side in sides[turn:] + sides[:turn]:
            answer = workers[side[0]].run(work, side[1], times[side])
            if answer["n"] != expected(work)[0]:
                raise Differs(f"{side[0]}, {work}: {answer['n']}")
            taken[side].append((answer["wall"] / times[side], answer["cpu"] / times[side]))
    return [_row(work, side, taken) for side in sides]


def _once(workers: dict[str, Worker], work: str, side: Side) -> float:
    return min(float(workers[side[0]].run(work, side[1], 1)["wall"]) for _ in range(3))


def cold(workers: dict[str, Worker], rounds: int) -> list[dict[str, Any]]:
    """Measure whole processes that do ten nodes once, with a record where there is one."""
    sides = [(peer, peer not in ("hamilton", "transitions")) for peer in workers if peer != FLOOR]
    taken: dict[Side, list[tuple[float, float]]] = {side: [] for side in sides}
    for number in range(rounds + 1):
        for side in sides if number % 2 else reversed(sides):
            answer = workers[side[0]].once("ten", side[1])
            if answer["n"] != expected("ten")[0]:
                raise Differs(f"{side[0]}, started cold: {answer['n']}")
            if number:
                taken[side].append((answer["wall"], 0.0))
    return [_row("cold", side, taken) for side in sides]


def _row(work: str, side: Side, taken: dict[Side, list[tuple[float, float]]]) -> dict[str, Any]:
    peer, recorded = side
    ours, floor = taken[OURS, True], taken.get((FLOOR, True))
    ratios = [mine[0] / other[0] for mine, other in zip(taken[side], ours, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    row: dict[str, Any] = {
        "work": work, "peer": peer, "recorded": recorded, "seconds": _least(taken[side], 0),
        "cpu_seconds": _least(taken[side], 1), "to_floor": None, "to_omnibachi": None, "quartiles": [low, high],
        "asked": None, "holds": None,
    }  # fmt: skip
    row["to_omnibachi"] = row["seconds"] / _least(ours, 0)
    if floor is not None:
        row["to_floor"] = row["seconds"] / _least(floor, 0)
    if work == "ten" and side == (OURS, True):
        row["asked"] = f"at most {MOST_OF_THE_FLOOR:g}x the floor"
        row["holds"] = row["to_floor"] <= MOST_OF_THE_FLOOR
    elif work == "ten" and side in AT_LEAST:
        row["asked"] = f"at least {AT_LEAST[side]:g}x OmniBachi"
        row["holds"] = row["to_omnibachi"] >= AT_LEAST[side]
    return row


def _least(taken: list[tuple[float, float]], which: int) -> float:
    return statistics.quantiles((pair[which] for pair in taken), n=10)[0]


def table(rows: list[dict[str, Any]]) -> None:
    """Print what was measured."""
    print(f"\n{machine()}\n\n| work | who | record | a run | of the floor | of OmniBachi | quartiles | asked | holds |")
    print("|---|---|---|--:|--:|--:|--:|---|---|")
    for row in rows:
        low, high = row["quartiles"]
        cells = [
            row["work"], NAMES[row["peer"]], "yes" if row["recorded"] else "no", _time(row["seconds"]),
            "" if row["to_floor"] is None else f"{row['to_floor']:.2f}x", f"{row['to_omnibachi']:.2f}x",
            f"{low:.2f} to {high:.2f}", row["asked"] or "", {None: "", True: "yes", False: "NO"}[row["holds"]],
        ]  # fmt: skip
        print("| " + " | ".join(cells) + " |")


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


@contextmanager
def workers_of(peers: list[str]) -> Iterator[dict[str, Worker]]:
    """Start the workers of the floor, of OmniBachi and of these peers, over one sealed workspace."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "workspace").mkdir()
        shop.lay(folder / "workspace")
        workers = {peer: Worker(peer, folder, folder / "workspace") for peer in (FLOOR, OURS, *peers)}
        for worker in workers.values():
            stack.enter_context(worker)
        yield workers


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description="OmniBachi beside its peers.")
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(PEERS)}; without any, all")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--check", action="store_true", help="measure nothing, tell who agrees")
    parser.add_argument("--rounds", type=int, default=24)
    asked = parser.parse_args()
    if set(asked.peers) - set(PEERS):
        parser.error(f"a peer is one of {', '.join(PEERS)}")
    with workers_of(asked.peers or list(PEERS)) as workers:
        if asked.check:
            print(json.dumps({work: agreed(workers, work) for work in WORKS}))
            return 0
        few = max(3, asked.rounds // 3)
        rows = [row for work in WORKS for row in compared(workers, work, few if work == "hundred" else asked.rounds)]
        rows += cold(workers, few)
    if asked.json:
        print(json.dumps({"machine": machine(), "rows": rows}, indent=1))
    else:
        table(rows)
    return int(any(row["holds"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
