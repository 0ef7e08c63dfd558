"""OmniBachi itself: an engine that is open all the time, the record of every run into one open file.

There are no runs without a record.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import shop
from work import PAYLOAD

from omnibachi import Workspace
from serving import CannotDo, Run, serve

ADDRESSES = {"ten": shop.TEN, "hundred": shop.HUNDRED, "branches": shop.BRANCHES}


def workspace() -> Workspace:
    """Return the sealed workspace that who started this process has laid."""
    return Workspace(os.environ["PEERS_WORKSPACE"])


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Open an engine and the file of the records."""
    if not recorded:
        raise CannotDo("has no runs without a record")
    engine = workspace().engine()
    file = open(os.path.join(folder, f"{work}.jsonl"), "wb")  # noqa: SIM115  # as long as this process
    address = ADDRESSES[work]
    sample = engine.run(address, PAYLOAD)
    last = [step.node for step in sample.path][-1]
    n = next(json.loads(body)["output"]["n"] for path, body, _ in sample.events if path == last)
    if seen is not None:
        seen += [step.node for step in sample.path]

    def run() -> int:
        result = engine.run(address, PAYLOAD)
        assert result.digest == sample.digest
        file.write(result.record)
        return n

    return run


if __name__ == "__main__":
    serve(build)
