"""The second execution: what transforms answered is asked once more, in another process.

That process has another hash seed, another time zone, another locale and another folder, so an answer that hangs on
one of them differs. This catches mistakes; it is no sandbox against malice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from typing import NamedTuple

from omnibachi.catalogue import Capabilities
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import encode

TIMEOUT = 120
# Fourteen hours ahead of UTC, where it is nearly always another day.
OTHER = {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C"}
PROGRAM = "from omnibachi.scenarios.again import answer_all; answer_all()"


class Answered(NamedTuple):
    """One answer of a transform: its address, `module:function`, inputs and [outcome, output] as canonical bytes."""

    address: str
    implementation: str
    inputs: bytes
    answer: bytes


def differing(answered: Iterable[Answered], folder: str) -> list[Diagnostic]:
    """Ask again in another process; a finding for each transform that answers differently.

    `folder` is the workspace's `capabilities/`.
    """
    asked = sorted(set(answered))
    if not asked:
        return []
    request = json.dumps({"folder": folder, "calls": [[one.implementation, one.inputs.decode()] for one in asked]})
    with tempfile.TemporaryDirectory() as elsewhere:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", PROGRAM],
                input=request.encode(),
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
                cwd=elsewhere,
                env={**os.environ, **OTHER},
            )
        except subprocess.TimeoutExpired:
            return [Diagnostic("OB743", f"asking the transforms again took longer than {TIMEOUT} seconds")]
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return [Diagnostic("OB743", f"asking the transforms again failed: {' '.join(last)}")]
    answers = json.loads(done.stdout)
    found = {}
    for one, answer in zip(asked, answers, strict=True):
        if answer.encode() != one.answer:
            found[one.address] = Diagnostic(
                "OB408",
                f"`{one.address}` answers the inputs `{one.inputs.decode()[:80]}` differently in another process",
                help="something outside its inputs takes part: hash order, time zone, locale, folder, or kept state",
            )
    return list(found.values())


def answer_all() -> None:
    """Answer the calls that stand on stdin as JSON; the other process's whole program."""
    request = json.load(sys.stdin)
    # What a capability prints must not end up among the answers.
    out, sys.stdout = sys.stdout, sys.stderr
    capabilities = Capabilities(request["folder"])
    answers = []
    for implementation, inputs in request["calls"]:
        try:
            outcome, output = capabilities.function(implementation)(json.loads(inputs))
            answers.append(encode([outcome, output]).decode())
        except Exception as error:
            answers.append(type(error).__name__)
    json.dump(answers, out)
