"""A workspace whose runs die where they are told to, and children that run in it.

A capability looks for a file in the present folder: `die-<node>` kills the process there (SIGKILL), `hang-<node>` makes
it wait for ever, `slow-<node>` for a while. Every call of a side effect is noted in the file `calls`. `dying` does what
the command line does and dies at a place of OmniBachi's own.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from children import SECONDS, Child
from handmade import TEXT, call, lay, leave, record_of, workflow
from omnibachi import RunResult, Workspace, verify
from omnibachi.__main__ import main
from omnibachi_model.record import RESUMED_BODY

KEEP = "shop::WF_KEEP_V0"
STORE = "shop::ST_ORDERS_V0"
WALKED = ["shout", "first", "look", "again", "second"]
RUN = ["run", "--wf", KEEP, "--set", "text=tea", "--trace-id", "T1", "--no-picture"]
JOURNAL, TRACES = "omnibachi_ledger.journal:Journal", "omnibachi.traces_folder:Traces"
SHOUT, PUT, LOOK, SWAP = "shop::CT_SHOUT_V0", "shop::CS_X_V0.PUT", "shop::CS_X_V0.GET", "shop::CS_X_V0.SWAP"
ORDER = {"text": "tea"}
KILLED = -signal.SIGKILL
CAPS = """
import os, signal, sqlite3, time

def shout(inputs):
    _at("shout")
    if inputs["text"] == "crash":
        raise ValueError("no crashing")
    return "SUCCESS", {"text": inputs["text"].upper()}

def put(inputs, store, call):
    _note(call)
    seen = store.get(inputs["key"])
    revision = seen[1] if seen else store.put(inputs["key"], {"key": inputs["key"]})
    _at(call.path)
    return "SUCCESS", {"revision": revision}

def look(inputs, store, call):
    _note(call)
    _at(call.path)
    found = store.get(inputs["key"])
    return "SUCCESS", {"revision": found[1] if found else 0}

def _note(call):
    with open("calls", "a") as file:
        file.write(call.path + "\\n")

def _at(name):
    if os.path.exists("die-" + name):
        os.kill(os.getpid(), signal.SIGKILL)
    while os.path.exists("hang-" + name):
        time.sleep(0.01)
    if os.path.exists("slow-" + name):
        time.sleep(0.5)
    if os.path.exists("steal-" + name):
        with sqlite3.connect("data/store.db") as db:
            db.execute("UPDATE runs SET fence=fence+1")
        db.close()
"""


def shop(folder: Path, *, caps: str = CAPS, nodes: Any = None, without: str | None = None) -> Workspace:
    """Seal the workspace by hand: a transform, an effect, a read, a second transform, an effect, an exit.

    `nodes` are another workflow's; a capability may be left out.
    """
    implementations = {SHOUT: "shout", PUT: "put", LOOK: "look", SWAP: "put"}
    implementations = {name: f"shop_dying.caps:{it}" for name, it in implementations.items() if name != without}
    domain = {"stores": {STORE: {"governed_by": "shop::CS_X_V0", "keeps": "registry", "record": {"type": "object"},
                                 "seed": False, "evidence": False}}}  # fmt: skip
    sealed = workflow(
        nodes or keep(), record_of({"text": TEXT}), address=KEEP, stores={STORE: {"keeps": "registry"}},
        run=["started_at"],
    )  # fmt: skip
    lay(folder, [sealed], implementations, {"shop_dying.caps": caps}, domain)
    return Workspace(folder)


def keep(said: str = "text") -> list[dict[str, Any]]:
    """Return the nodes of the workflow; `said` is the member of the result that tells what was shouted."""
    words = record_of({"text": TEXT})
    counted = {"SUCCESS": record_of({"revision": {"type": "integer"}})}

    def touch(name: str, use: str, effect: str, key: Any, to: int) -> dict[str, Any]:
        return call(name, use, {"key": key}, counted, {"SUCCESS": to, "FAULT": 6}, effect, store=STORE)

    def shout(name: str, text: Any, to: int) -> dict[str, Any]:
        return call(name, SHOUT, {"text": text}, {"SUCCESS": words}, {"SUCCESS": to, "FAULT": 6})

    return [
        shout("shout", ["ref", "payload", ["text"]], 1),
        touch("first", PUT, "IDEMPOTENT", ["ref", 0, ["text"]], 2),
        touch("look", LOOK, "READ", ["ref", 0, ["text"]], 3),
        shout("again", ["ref", 0, ["text"]], 4),
        touch("second", SWAP, "MUTABLE", ["lit", "second"], 5),
        leave("done", "COMPLETED", ["map", {said: ["ref", 3, ["text"]], "seen": ["ref", 2, ["revision"]]}]),
        leave("failed", "FAILED"),
        leave("rejected", "REJECTED"),
    ]


def run(_: Any, trace_id: str) -> int:
    """Do `omnibachi run` in the present folder, without a picture."""
    return main(["run", "--wf", KEEP, "--set", "text=tea", "--trace-id", trace_id, "--no-picture"])


def resumed(barrier: Any, trace_id: str) -> dict[str, Any]:
    """Resume a run in the present folder when the barrier opens; say how it ended."""
    workspace = Workspace()
    barrier()
    found = workspace.resume(trace_id, picture=False)
    return {"exit": found.exit, "exit_code": found.exit_code, "repeated": found.repeated, "digest": found.digest,
            "codes": [item.code for item in found.diagnostics]}  # fmt: skip


def dying(_: Any, place: str, number: int, after: bool, arguments: list[str]) -> int:
    """Do what the command line does and die at (or after) the n-th call of `module:Class.method`."""
    from importlib import import_module

    module, _, path = place.partition(":")
    owner, _, name = path.rpartition(".")
    holder = getattr(import_module(module), owner) if owner else import_module(module)
    real, count = getattr(holder, name), [0]

    def counted(*given: Any, **named: Any) -> Any:
        count[0] += 1
        if count[0] == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(*given, **named)
        if count[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(holder, name, counted)
    return main(arguments)


# What a test does and sees


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder is the workspace."""
    shop(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def child(here: Path, function: str, *arguments: Any) -> Child:
    return Child(f"dying:{function}", *arguments, folder=here)


def dies(here: Path, function: str = "run", *arguments: Any) -> None:
    """Let a child begin, and die where it is told to."""
    started = child(here, function, *(arguments or ["T1"]))
    try:
        assert started.process.wait(SECONDS) == KILLED
    finally:
        started.end()


def dies_at(here: Path, node: str, function: str = "run", *arguments: Any) -> None:
    flag = here / f"die-{node}"
    flag.touch()
    dies(here, function, *arguments)
    flag.unlink()


def calls(here: Path) -> list[str]:
    return (here / "calls").read_text().split()


def code(result: RunResult) -> str:
    (found,) = result.diagnostics
    return found.code


def bodies(result: RunResult) -> list[bytes]:
    return [body for _, body, _ in result.events]


def ends_well(here: Path, found: RunResult, resumptions: int = 1) -> None:
    """Check that a resumed run is whole: path, state, receipts, trace, and that it is anchored."""
    assert (found.exit, found.exit_code, found.diagnostics) == ("done", 0, ())
    assert [step.node for step in found.path] == WALKED
    assert bodies(found).count(RESUMED_BODY) == resumptions
    workspace = Workspace(here)
    assert [item["key"] for item in workspace.records(STORE)] == ["TEA", "second"]
    with sqlite3.connect(here / "data/store.db") as db:
        assert db.execute("SELECT number, path FROM receipts ORDER BY number").fetchall() == [
            (1, "first"),
            (2, "second"),
        ]
        assert db.execute("SELECT seq, digest FROM runs").fetchall() == [(len(found.events), found.digest)]
    db.close()
    record = (here / "traces/T1/T1.jsonl").read_bytes()
    assert record == found.record
    assert verify(record, data_root=here / "data", trace_id="T1").verdict == "ANCHORED"
    assert {path.name for path in (here / "traces/T1").iterdir()} == {"T1.jsonl", "T1.md"}
    mirror = here / "data/registry" / f"{STORE.replace('::', '/')}.jsonl"
    assert [orjson.loads(line)["key"] for line in mirror.read_bytes().splitlines()] == ["TEA", "second"]
    assert os.listdir(here / "data/locks") == ["mirror.lock"]


def nothing_left(here: Path) -> None:
    found = Workspace(here).recoverer(picture=False).all()
    assert (found.results, found.held, found.exit_code) == ((), (), 0)
