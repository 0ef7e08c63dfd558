"""How the time of a picture grows with the graph: 10, 100 and 1,000 nodes, drawn as a run and as a graph alone.

Four shapes: a chain whose nodes share one failing exit; the same drawn without a run; a run that fails early in it; and
layers of three that branch into one another and into that exit. The bound is 10 times the 10-node picture for 100 nodes
and 60 times for 1,000. Run it as `python benchmarks/pictures.py [FOLDER]`; with a folder the pictures are left there to
be looked at.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from omnibachi_observer.picture import dot
from omnibachi_observer.renderer import render

SIZES = (10, 100, 1000)
BOUNDS = {10: 1, 100: 10, 1000: 60}
ROUNDS = 5
Drawn = tuple[dict[str, Any], list[tuple[str, str]] | None, str | None]


def workflow(size: int, branches: int) -> dict[str, Any]:
    """Return a sealed workflow of `size` nodes; each leads to the next, and by `branches` more outcomes ahead."""
    nodes: list[dict[str, Any]] = []
    for index in range(size):
        routes = {"SUCCESS": index + 1, "VIOLATION": size + 1, "NOT_FOUND": size + 1, "FAULT": size + 1}
        for branch in range(branches):
            ahead = index + 2 + branch
            routes[f"CASE_{branch}"] = ahead if ahead < size else size
        store = "shop::ST_THINGS_V0" if index % 3 == 2 else None
        use = ("std::CT_DIGEST_V0", "std::CT_GENERATE_ID_V0", "std::CS_RECORDS_V0.GET")[index % 3]
        effect = "READ" if store else "PURE"
        nodes.append(
            {"kind": "CALL", "name": f"node_{index}", "use": use, "effect": effect, "store": store, "next": routes}
        )
    nodes.append({"kind": "EXIT", "name": "done", "status": "COMPLETED", "next": {}})
    nodes.append({"kind": "EXIT", "name": "failed", "status": "FAILED", "next": {}})
    return {"address": "shop::WF_MEASURED_V0", "intent": "shop::IN_MEASURED_V0", "start": 0, "nodes": nodes}


def shapes(size: int) -> dict[str, Drawn]:
    """Return what is drawn at one size, by name."""
    chain = workflow(size, 0)
    whole = [(f"node_{index}", "SUCCESS") for index in range(size)]
    early = [*whole[: min(size, 8) - 1], (whole[min(size, 8) - 1][0], "VIOLATION")]
    layered = workflow(size, 2)
    hops = [(f"node_{index}", "CASE_0") for index in range(0, size, 2)]
    return {
        "run": (chain, whole, "done"),
        "graph": (chain, None, None),
        "early": (chain, early, "failed"),
        "branching": (layered, hops, "done"),
    }


def main(folder: str | None) -> int:
    """Print the best of several rounds for each picture and its ratio to the 10-node one; 1 where a bound is broken."""
    best: dict[tuple[str, int], float] = {}
    for _ in range(ROUNDS):
        for size in SIZES:
            for name, (sealed, path, ending) in shapes(size).items():
                before = time.perf_counter()
                image = render(dot(sealed, path, ending=ending), "png")
                took = time.perf_counter() - before
                best[name, size] = min(took, best.get((name, size), took))
                if folder:
                    with open(os.path.join(folder, f"{name}-{size}.png"), "wb") as file:
                        file.write(image)
    broken = 0
    for (name, size), took in best.items():
        ratio = took / best[name, SIZES[0]]
        broken += ratio > BOUNDS[size]
        print(f"{name:10} {size:5} nodes {took * 1000:9.1f} ms {ratio:6.1f}x (at most {BOUNDS[size]}x)")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
