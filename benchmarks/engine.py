"""What a run costs above its floor: the three gates of the engine, and the cold start of the command.

(a) an engine in a loop, records into one open file: at most 2.0 times the functions themselves, one encoding a node, a
    SHA-256 chain and one write; for 10 nodes in line, 100 nodes in line, and 10 nodes of three outcomes each.
(b) one trace file per run: at most 1.3 times the floor of (a) with mkdir, open, write, close and rename.
(c) one local effect per run: at most 1.5 times a bare transaction that writes the same rows.
(cold) `omnibachi run --no-picture`: at most 1.6 times `python -c "import orjson, hashlib, sqlite3"`.

Each gate and its floor take turns in one process (the cold start: in pairs of processes), and the median of the ratios
of neighbours is printed, so that a machine that is slow for a while is slow for both. Run it as
`python benchmarks/engine.py [a] [b] [c] [cold]`; without names, all.
"""

from __future__ import annotations

import gc
import hashlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from handmade import TEXT, call, lay, leave, record_of, workflow
from omnibachi import Engine, Workspace
from omnibachi.traces_folder import Traces
from omnibachi_ledger import open_root

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 41
BOUNDS = {"a": 2.0, "b": 1.3, "c": 1.5, "cold": 1.6}
CAPS = """
def step(inputs):
    n = inputs["n"] + 1
    if n % 1000 == 1:
        return "SOME", {"n": n}
    return "SUCCESS", {"n": n}
"""
COUNT = {"type": "integer", "minimum": 0}
USE, REGISTER, STORE = "shop::CT_STEP_V0", "shop::CS_REGISTRY_V0.REGISTER", "shop::ST_ORDERS_V0"
PAYLOAD = {"name": "an order of something", "n": 1}
ADMITTED = record_of({"name": {"type": "string", "minLength": 1, "maxLength": 100}, "n": COUNT})


def line(size: int, outcomes: int, address: str) -> dict[str, Any]:
    """Return a workflow of `size` transforms in line; each has so many outcomes, all of which lead on."""
    names = ("SUCCESS", "SOME", "OTHER")[:outcomes]
    nodes = []
    for index in range(size):
        n = ["ref", index - 1 if index else "payload", ["n"]]
        inputs = {"n": n, "name": ["ref", "payload", ["name"]]}
        following = {**dict.fromkeys(names, index + 1), "FAULT": size + 1}
        declared = {name: record_of({"n": COUNT}) for name in (*names, "SOME")}
        following.setdefault("SOME", index + 1)
        nodes.append(call(f"node_{index}", USE, inputs, declared, following))
    nodes.append(leave("done", "COMPLETED", ["map", {"n": ["ref", size - 1, ["n"]]}]))
    nodes += [leave("failed", "FAILED"), leave("rejected", "REJECTED")]
    return workflow(nodes, ADMITTED, address=address)


def effect() -> dict[str, Any]:
    """Return a workflow of one effect: register an order under its name."""
    kept = {"SUCCESS": record_of({"address": TEXT}), "ALREADY_EXISTS": record_of({"value": {"type": "object"}})}
    inputs = {"key": ["ref", "payload", ["name"]], "value": ["ref", "payload", []]}
    nodes = [
        call("keep", REGISTER, inputs, kept, {"SUCCESS": 1, "ALREADY_EXISTS": 1, "FAULT": 2}, "IDEMPOTENT",
             store=STORE),
        leave("done", "COMPLETED"), leave("failed", "FAILED"), leave("rejected", "REJECTED"),
    ]  # fmt: skip
    return workflow(nodes, ADMITTED, address="shop::WF_KEEP_V0")


def floor_of_loop(size: int, function: Callable[..., Any], file: Any) -> Callable[[int], None]:
    """Return the floor of gate (a): the functions, one encoding a node, a chain of hashes, one write a run."""

    def run(times: int) -> None:
        for _ in range(times):
            events: list[Any] = [{"kind": "RUN_STARTED", "payload": PAYLOAD}]
            n = 1
            for index in range(size):
                inputs = {"n": n, "name": PAYLOAD["name"]}
                outcome, output = function(inputs)
                n = output["n"]
                events.append({
                    "kind": "CALLED", "path": f"node_{index}", "capability": USE, "effect": "PURE", "inputs": inputs,
                    "outcome": outcome, "output": output,
                })  # fmt: skip
            events.append({"kind": "RUN_FINISHED", "exit": "done", "status": "COMPLETED", "result": {"n": n}})
            previous, lines = b"", []
            for event in events:
                body = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
                previous = hashlib.sha256(previous + body).hexdigest().encode()
                lines += (body, previous)
            file.write(b"\n".join(lines))

    return run


def compare(name: str, gate: str, ours: Callable[[int], None], floor: Callable[[int], None], times: int) -> None:
    """Let both take turns and print the median of the ratios."""
    ours(times)
    floor(times)
    ratios, costs = [], []
    gc.collect()
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        floor(times)
        between = time.perf_counter()
        ours(times)
        ended = time.perf_counter()
        ratios.append((ended - between) / (between - begun))
        costs.append((ended - between) / times)
    show(name, gate, statistics.median(ratios), statistics.median(costs))


def show(name: str, gate: str, ratio: float, cost: float) -> None:
    """Print one measurement."""
    bound = BOUNDS[gate]
    verdict = "within" if ratio <= bound else "OVER"
    print(
        f"({gate}) {name:<34} {ratio:5.2f}x of the floor, {verdict} {bound}x   {cost * 1e6:9.1f} us a run", flush=True
    )


def gate_a(engine: Engine, function: Callable[..., Any], folder: Path) -> None:
    """Measure the engine in a loop."""
    for name, address, size in (
        ("10 nodes in line", "shop::WF_TEN_V0", 10),
        ("100 nodes in line", "shop::WF_HUNDRED_V0", 100),
        ("10 nodes of three outcomes", "shop::WF_BRANCHES_V0", 10),
    ):
        with (folder / "ours").open("wb") as mine, (folder / "floor").open("wb") as bare:

            def ours(times: int, address: str = address, mine: Any = mine) -> None:
                for _ in range(times):
                    mine.write(engine.run(address, PAYLOAD).record)

            compare(name, "a", ours, floor_of_loop(size, function, bare), 2000 // size)


def gate_b(engine: Engine, function: Callable[..., Any], folder: Path) -> None:
    """Measure one trace file per run against the floor of (a) with mkdir, open, write, close and rename."""
    traces = Traces(str(folder / "traces"))
    numbers = iter(range(10**9))

    def ours(times: int) -> None:
        for _ in range(times):
            result = engine.run("shop::WF_TEN_V0", PAYLOAD)
            traces.write(str(result.trace_id), "jsonl", result.record)

    def floor(times: int) -> None:
        for _ in range(times):
            place = f"{folder}/bare/{next(numbers)}"
            os.makedirs(place)
            with open(f"{place}/aside", "wb", buffering=0) as file:
                floor_of_loop(10, function, file)(1)
            os.rename(f"{place}/aside", f"{place}/trace.jsonl")

    compare("10 nodes, a trace file each", "b", ours, floor, 50)


def gate_c(workspace: Workspace, folder: Path) -> None:
    """Measure one local effect per run against a bare transaction that writes the same rows."""
    numbers = iter(range(10**9))
    with workspace.engine(folder / "state") as engine:
        sample = engine.run("shop::WF_KEEP_V0", {"name": "sample", "n": 1})
        started = orjson.loads(sample.events[0][2])["started_at"]

        def ours(times: int) -> None:
            for _ in range(times):
                engine.run("shop::WF_KEEP_V0", {"name": f"order {next(numbers)}", "n": 1})

        open_root(str(folder / "bare")).close()
        bare = sqlite3.connect(folder / "bare" / "store.db", isolation_level=None)
        bare.execute("PRAGMA synchronous=NORMAL")
        rows = [(index, path, body, obs) for index, (path, body, obs) in enumerate(sample.events, 1)]
        digests = (sample.workflow_digest, sample.seal, sample.digest)

        def floor(times: int) -> None:
            for _ in range(times):
                number = next(numbers)
                run = f"{sample.trace_id}{number}"
                bare.execute("BEGIN IMMEDIATE")
                bare.execute(
                    "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, 1, NULL, 3, ?, ?, ?)",
                    (
                        run,
                        sample.workflow,
                        digests[0],
                        digests[1],
                        digests[2],
                        started,
                        "done",
                        "COMPLETED",
                        digests[2],
                    ),
                )
                bare.execute(
                    "INSERT INTO records VALUES (?, ?, ?, 1, ?, ?, 1)",
                    (STORE, f"order {number}", b'{"n":1,"name":"order 1000"}', number + 1, number + 1),
                )
                bare.execute("INSERT INTO receipts VALUES (?, ?, 'keep', ?, 'SUCCESS')", (number + 1, run, REGISTER))
                bare.executemany(
                    "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                    [(run, index, path, body, obs) for index, path, body, obs in rows],
                )
                bare.execute("COMMIT")

        compare("one effect, one transaction", "c", ours, floor, 100)
        bare.close()


def cold(folder: Path) -> None:
    """Measure the cold start as pairs of processes, compiled modules at hand."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "cache")
    place = folder / "elsewhere"
    place.mkdir()
    bare = [sys.executable, "-c", "import orjson, hashlib, sqlite3"]
    door = "import sys; from omnibachi.__main__ import main; sys.exit(main())"
    run = [sys.executable, "-c", door, "run", "--no-picture", "--wf", "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0",
           "--payload", str(ROOT / "examples/register_actor.json")]  # fmt: skip

    def cost(command: list[str]) -> float:
        begun = time.perf_counter()
        subprocess.run(command, cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begun

    cost(bare), cost(run)  # the first of each writes the compiled modules
    pairs = [(cost(bare), cost(run)) for _ in range(ROUNDS)]
    show("omnibachi run --no-picture", "cold", statistics.median(b / a for a, b in pairs),
         statistics.median(b for _, b in pairs))  # fmt: skip


def main(wanted: list[str]) -> None:
    """Measure the gates that are named."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workflows = [
            line(10, 1, "shop::WF_TEN_V0"), line(100, 1, "shop::WF_HUNDRED_V0"),
            line(10, 3, "shop::WF_BRANCHES_V0"), effect(),
        ]  # fmt: skip
        lay(folder, workflows, {USE: "bench_caps.steps:step", REGISTER: "omnibachi_capabilities.registry:register"},
            {"bench_caps.steps": CAPS})  # fmt: skip
        workspace = Workspace(folder)
        with workspace.engine() as engine:
            function = workspace.capabilities.function("bench_caps.steps:step")
            if "a" in wanted:
                gate_a(engine, function, folder)
            if "b" in wanted:
                gate_b(engine, function, folder)
        if "c" in wanted:
            gate_c(workspace, folder)
        if "cold" in wanted:
            with tempfile.TemporaryDirectory() as outside:
                cold(Path(outside))


if __name__ == "__main__":
    main(sys.argv[1:] or list(BOUNDS))
