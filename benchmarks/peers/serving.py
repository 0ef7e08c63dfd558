"""What every worker speaks: a line of JSON in, a line of JSON out, until its input ends.

`{"do": "load", "work", "recorded", "folder"}` makes everything ready and does one run that tells which nodes it passed;
`{"do": "run", "work", "recorded", "times"}` does so many runs and answers with the last result, and with the seconds of
wall and of CPU time that all together took. With `--once WORK RECORDED FOLDER` a worker does one run and ends, for the
cold start. Whatever else a worker prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Run = Callable[[], int]
Build = Callable[[str, bool, str, "list[str] | None"], Run]
"""Make ready (work, recorded, folder, seen): return what does one run and returns the number that it ends with."""


class CannotDo(Exception):
    """A peer has no such thing; the text says why."""


def serve(build: Build) -> None:
    """Do what is asked on standard input, or what the command line asks for once."""
    if sys.argv[1:2] == ["--once"]:
        work, recorded, folder = sys.argv[2:5]
        print(json.dumps({"n": build(work, recorded == "recorded", folder, None)()}), flush=True)
        return
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    ready: dict[tuple[str, bool], Run] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        key = asked["work"], asked["recorded"]
        if asked["do"] == "run":
            answer = _timed(ready[key], asked["times"])
        else:
            try:
                answer, ready[key] = _loaded(build, *key, asked["folder"])
            except CannotDo as why:
                answer = {"cannot": str(why)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _timed(run: Run, times: int) -> dict[str, Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        n = run()
    return {"n": n, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def _loaded(build: Build, work: str, recorded: bool, folder: str) -> tuple[dict[str, Any], Run]:
    seen: list[str] = []
    check, keep = os.path.join(folder, "check"), os.path.join(folder, "runs")
    os.makedirs(check)
    os.makedirs(keep)
    n = build(work, recorded, check, seen)()
    run = build(work, recorded, keep, None)
    run()
    return {"n": n, "path": seen}, run
