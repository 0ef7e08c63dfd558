"""A workspace whose effects can be counted, and that kills its process for some payloads; and batches in it.

`put` notes the key of each call in the file `calls` of the present folder. `KILL` takes the process with it, `ONCE`
does so the first time, `WAIT` takes long while the file `wait` is there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dying
from children import SECONDS
from handmade import TEXT, call, lay, leave, record_of, workflow
from omnibachi import Workspace, verify
from omnibachi_ledger import open_root
from omnibachi_model.record import read

CAPS = """
import os, signal, time

def shout(inputs):
    if inputs["text"] == "crash":
        raise ValueError("no crashing")
    return "SUCCESS", {"text": inputs["text"].upper()}

def put(inputs, store, call):
    key = inputs["key"]
    with open("calls", "a") as file:
        file.write(key + "\\n")
    seen = store.get(key)
    revision = seen[1] if seen else store.put(key, {"key": key})
    while key.startswith("WAIT") and os.path.exists("wait"):
        time.sleep(0.01)
    if key == "KILL" or key == "ONCE" and not os.path.exists("once"):
        open("once", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return "SUCCESS", {"revision": revision}
"""
SHOUT = "shop::WF_SHOUT_V0"
KEEP, STORE = dying.KEEP, dying.STORE


def shop(folder: Path) -> Workspace:
    """Seal two workflows: one shouts and puts what it shouted, one only shouts."""
    words, counted = record_of({"text": TEXT}), {"SUCCESS": record_of({"revision": {"type": "integer"}})}
    shouted = call("shout", dying.SHOUT, {"text": ["ref", "payload", ["text"]]}, {"SUCCESS": words},
                   {"SUCCESS": 1, "FAULT": 2})  # fmt: skip
    put = call("put", dying.PUT, {"key": ["ref", 0, ["text"]]}, counted, {"SUCCESS": 2, "FAULT": 3}, "IDEMPOTENT",
               store=STORE)  # fmt: skip
    ends = [leave("done", "COMPLETED", ["map", {"said": ["ref", 0, ["text"]]}]), leave("failed", "FAILED"),
            leave("rejected", "REJECTED")]  # fmt: skip
    keeping = [{**shouted, "next": {"SUCCESS": 1, "FAULT": 3}}, put, *ends]
    sealed = [
        workflow(keeping, record_of({"text": TEXT}), address=KEEP, stores={STORE: {"keeps": "registry"}}),
        workflow([shouted, *ends], record_of({"text": TEXT}), address=SHOUT, journal=False),
    ]
    domain = {"stores": {STORE: {"governed_by": "shop::CS_X_V0", "keeps": "registry", "record": {"type": "object"},
                                 "seed": False, "evidence": False}}}  # fmt: skip
    implementations = {dying.SHOUT: "shop_posting.caps:shout", dying.PUT: "shop_posting.caps:put"}
    lay(folder, sealed, implementations, {"shop_posting.caps": CAPS}, domain)
    return Workspace(folder)


def lines(file: Path, texts: Iterable[str]) -> None:
    """Write a payload a line."""
    file.write_text("".join(f"{json.dumps({'text': text})}\n" for text in texts), "utf-8")


def started(folder: Path, *more: str, wf: str = KEEP) -> subprocess.Popen[bytes]:
    """Start a batch of `lines.jsonl` in a process of its own, which leads a group of processes."""
    command = [sys.executable, "-m", "omnibachi", "batch", "--wf", wf, "lines.jsonl", "--json", *more]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, start_new_session=True)


def ended(process: subprocess.Popen[bytes]) -> Any:
    """Wait for a batch and return what it said."""
    out, err = process.communicate(timeout=SECONDS)
    assert out, err
    return json.loads(out)


def until(folder: Path, count: int) -> None:
    """Wait until so many effects were tried."""
    begun = time.monotonic()
    while len(calls(folder)) < count:
        assert time.monotonic() - begun < SECONDS
        time.sleep(0.005)


def calls(folder: Path) -> list[str]:
    """Return the keys of all calls so far."""
    path = folder / "calls"
    return path.read_text("utf-8").split() if os.path.exists(path) else []


def runs(file: Path) -> Iterator[bytes]:
    """Give the records of a file that holds many."""
    found: list[bytes] = []
    for line in file.read_bytes().splitlines(keepends=True):
        if line.startswith(b'{"body":{"kind":"RUN_STARTED"') and found:
            yield b"".join(found)
            found = []
        found.append(line)
    if found:
        yield b"".join(found)


def said(file: Path) -> list[Any]:
    """Return what each run of a file gave, each verified."""
    assert all(verify(run).verdict == "INTACT" and verify(run).finished for run in runs(file))
    return [list(read(run))[-1].body["result"].get("said") for run in runs(file)]


def once_each(folder: Path, texts: Iterable[str]) -> None:
    """Make sure that every text was put exactly once, by one run, which the journal holds whole."""
    with open_root(str(folder / "data"), reading=True) as ledger:
        rows = ledger.runs(10_000)
        assert all(row.exit == "done" and ledger.doubt(row) is None for row in rows)
        keys = [record["key"] for record in ledger.records(STORE)]
        assert sorted(keys) == sorted({text.upper() for text in texts}) and len(rows) == len(list(texts))
