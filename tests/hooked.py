"""A small workspace whose calls leave the house, and there cancel their own run, or wait until somebody does."""

from __future__ import annotations

from pathlib import Path

from omnibachi import Workspace

DO, STRAIGHT, PURELY, EACH, WAIT, POLL, PEOPLE, KEYED, BUSY, POST = (
    f"hooked::WF_{name}_V0"
    for name in ("DO", "STRAIGHT", "PURELY", "EACH", "WAIT", "POLL", "PEOPLE", "KEYED", "BUSY", "POST")
)
_ENDS = "exits:\n  done: {status: COMPLETED}\n  unsure: {status: FAILED}\n  failed: {status: FAILED}\n"
_CALL = "{use: CS_HOOK_V0.%s, with: {root: $.payload.root, file: $.payload.file}"


def _workflow(code: str, start: str, nodes: str, *, unsure: bool = True) -> str:
    head = f"---\nworkflow: WF_{code}_V0\nsummary: Call out.\nintent: IN_CALL_V0\nstart: {start}\nfault: failed\n"
    ends = _ENDS if unsure else _ENDS.replace("  unsure: {status: FAILED}\n", "")
    return f"{head}{'next: {OUTCOME_UNKNOWN: unsure}' if unsure else ''}\nnodes:\n{nodes}{ends}"


_KEEP = (
    "  keep: {use: CS_REGISTRY_V0.REGISTER, store: ST_DONE_V0, with: {key: here, value: {a: 1}},"
    " next: {SUCCESS: done, ALREADY_EXISTS: done}}\n"
)
DECLARED = "".join((
    "intent: IN_CALL_V0\npayload: {type: object, properties: {root: {type: string}, file: {type: string},"
    " url: {type: string, default: none}},"
    " required: [root, file]}\n---\nstore: ST_DONE_V0\ngoverned_by: CS_REGISTRY_V0\nrecord: {type: object}\n---\n"
    "side_effect: CS_HOOK_V0\nsummary: Call out.\noperations:\n",
    "".join(
        f"  {name}:\n    effect: {effect}\n{repeat}    inputs: {{root: {{type: string}}, file: {{type: string}}}}\n"
        f"    outcomes: {{SUCCESS: {{n: {{type: integer}}}}{', BACKEND_ERROR: {}' if name == 'BUSY' else ''}}}\n"
        for name, effect, repeat in (
            ("DO", "EXTERNAL", "    repeat: never\n"), ("KEYED", "EXTERNAL", "    repeat: key\n"),
            ("WAIT", "EXTERNAL", "    repeat: never\n"), ("LOOK", "READ", ""),
            ("BUSY", "EXTERNAL", "    repeat: key\n"),
        )
    ),
    _workflow("DO", "call", f"  call: {_CALL % 'DO'}, next: {{SUCCESS: keep}}}}\n{_KEEP}"),
    _workflow("STRAIGHT", "call", f"  call: {_CALL % 'DO'}, next: {{SUCCESS: done}}}}\n"),
    _workflow("PURELY", "call", f"  call: {_CALL % 'DO'}, next: {{SUCCESS: sum}}}}\n"
              "  sum: {compute: {m: n + 1}, with: {n: $.nodes.call.n}, next: {SUCCESS: done}}\n"),
    _workflow("EACH", "call", "  call: {each: [a, b, c], as: one, max: 3, use: CS_HOOK_V0.DO,"
              " with: {root: $.payload.root, file: $.payload.file},"
              " next: {SUCCESS: done, PARTIAL: done, FAILED: done}}\n", unsure=False),
    _workflow("WAIT", "keep", f"{_KEEP.replace(': done', ': call')}"
              f"  call: {_CALL % 'WAIT'}, next: {{SUCCESS: done}}}}\n"),
    _workflow("POLL", "keep", f"{_KEEP.replace(': done', ': call')}"
              "  call: {repeat: {max: 100, until: n > 1000, every: 10s},"
              " use: CS_HOOK_V0.LOOK, with: {root: $.payload.root, file: $.payload.file},"
              " next: {SUCCESS: done, EXHAUSTED: done}}\n", unsure=False),
    _workflow("BUSY", "call", f"  call: {_CALL % 'BUSY'}, retry: {{on: [BACKEND_ERROR], max: 3, backoff: 30s}},"
              " next: {SUCCESS: done, BACKEND_ERROR: failed}}\n"),
    _workflow("POST", "keep", f"{_KEEP.replace(': done', ': call')}  "
              "call: {use: CS_HTTP_V0.POST, with: {url: $.payload.url},"
              " next: {SUCCESS: done, VIOLATION: failed, BACKEND_ERROR: failed}}\n"),
    _workflow("KEYED", "call", f"  call: {_CALL % 'KEYED'}, next: {{SUCCESS: keep}}}}\n{_KEEP}"),
    _workflow("PEOPLE", "ask", "  ask: {wait: {for: approval, roles: [boss]}, with: {what: $.payload.file},"
              " next: {APPROVED: keep, REJECTED: failed}}\n" + _KEEP, unsure=False),
))  # fmt: skip

CODE = '''"""What is called: it notes that it was, and cancels its own run or waits until somebody does."""

import os
import signal
import time

from omnibachi_ledger import open_root
from omnibachi_ledger.cancellations import Cancellation


def _note(inputs):
    with open(inputs["file"], "a") as file:
        file.write("called\\n")
    with open(inputs["file"]) as file:
        return len(file.readlines())


def do(inputs, store, call):
    """Cancel the run that calls."""
    number = _note(inputs)
    with open_root(inputs["root"]) as ledger:
        ledger.cancellations.keep(call.run, Cancellation("2026-01-01T00:00:00.000Z", "the hook", "enough"))
    return "SUCCESS", {"n": number}


def keyed(inputs, store, call):
    """Die the first time."""
    if _note(inputs) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "SUCCESS", {"n": 2}


def busy(inputs, store, call):
    """Have no time."""
    _note(inputs)
    return "BACKEND_ERROR", {}


def wait(inputs, store, call):
    """Wait until somebody cancels the run."""
    number, until = _note(inputs), time.monotonic() + 20
    while time.monotonic() < until:
        if call.cancelled():
            return "OUTCOME_UNKNOWN", {}
        time.sleep(0.05)
    return "SUCCESS", {"n": number}


def look(inputs, store, call):
    """Count."""
    return "SUCCESS", {"n": _note(inputs)}
'''


def lay_hooked(folder: Path, host: str) -> Workspace:
    """Write the workspace into a folder, compile it and return it; a host of the world outside is declared."""
    files = {
        "protocols/hooked/domain.yaml": f"domain: hooked\nhosts: ['{host}']\n",
        "protocols/hooked/hooked.yaml": DECLARED,
        "capabilities/hooked_engine/__init__.py": '"""What is called."""\n',
        "capabilities/hooked_engine/hooks.py": CODE,
        "capabilities/hooked_engine/catalogue.py": (
            '"""What is called."""\n\nfrom .hooks import busy, do, keyed, look, wait\n\nCATALOGUE = {\n'
            '    "hooked::CS_HOOK_V0.DO": do, "hooked::CS_HOOK_V0.KEYED": keyed,\n'
            '    "hooked::CS_HOOK_V0.WAIT": wait, "hooked::CS_HOOK_V0.LOOK": look,\n'
            '    "hooked::CS_HOOK_V0.BUSY": busy,\n}\n'
        ),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    made = Workspace(folder)
    compiled = made.compile()
    assert compiled.ok, [f"{item.span}: {item.code} {item.message}" for item in compiled.diagnostics]
    return made
