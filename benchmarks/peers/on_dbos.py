"""DBOS on SQLite: a workflow that calls one step for each node; every step is committed before the next begins.

Which node is next is decided by the workflow's own Python. There are no runs without a record.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from dbos import DBOS
from work import PAYLOAD, WORKS, graph

from serving import CannotDo, Run, serve

STARTED: list[str] = []
SEEN: list[str] = []


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Start DBOS on one database, once for this process, and return a run of one work."""
    if not recorded:
        raise CannotDo("has no runs without a record")
    if not STARTED:
        for name in WORKS:
            _declare(name)
        url = f"sqlite:///{os.path.join(folder, 'dbos.sqlite')}"
        DBOS(config={"name": "peers", "system_database_url": url, "log_level": "ERROR"})
        DBOS.launch()
        STARTED.append(folder)
    workflow = WORKFLOWS[work]

    def run() -> int:
        SEEN.clear()
        n = int(workflow(PAYLOAD["n"], PAYLOAD["name"]))
        if seen is not None:
            seen.extend(SEEN)
        return n

    return run


WORKFLOWS: dict[str, Any] = {}


def _declare(work: str) -> None:
    steps: dict[str, Any] = {}
    nodes = graph(work)

    def stepping(name: str, function: Any) -> Any:
        @DBOS.step(name=f"{work}-{name}")
        def step(n: int, text: str) -> Any:
            return function({"n": n, "name": text})

        return step

    for name, (function, _) in nodes.items():
        steps[name] = stepping(name, function)
    first = next(iter(nodes))

    @DBOS.workflow(name=work)
    def workflow(n: int, text: str) -> int:
        name: str | None = first
        while name is not None:
            SEEN.append(name)
            outcome, output = steps[name](n, text)
            n, name = output["n"], nodes[name][1][outcome]
        return n

    WORKFLOWS[work] = workflow


if __name__ == "__main__":
    serve(build)
    if STARTED:
        DBOS.destroy()
    sys.exit(0)
