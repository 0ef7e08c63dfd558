"""The floor: the functions called by hand, each event encoded once, a chain of SHA-256, one write into one open file.

It is the floor of the gates (`../floors.py`). Without a record nothing is left but the calls.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import floors
import orjson
from on_omnibachi import ADDRESSES, workspace
from work import PAYLOAD, WORKS, expected, step, turn

from serving import CannotDo, Run, serve


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Write the floor's first line from that of a run, and open its file."""
    if not recorded:
        raise CannotDo("is the least that a record costs")
    with workspace().engine() as engine:
        first = orjson.loads(engine.run(ADDRESSES[work], PAYLOAD).record.partition(b"\n")[0])
    floor = floors.branches(turn, first) if work == "branches" else floors.chain(step, WORKS[work], first)
    n, path = expected(work)
    file = open(os.path.join(folder, f"{work}.jsonl"), "wb")  # noqa: SIM115  # as long as this process
    if seen is not None:
        with open(file.name, "rb") as written:
            floor(file)
            file.flush()
            bodies = [orjson.loads(line)["body"] for line in written]
        seen += [body["path"] for body in bodies if "path" in body]
        assert bodies[-2]["output"]["n"] == n and seen == path

    def run() -> int:
        floor(file)
        return n

    return run


if __name__ == "__main__":
    serve(build)
