"""Which scenario reaches what, for the site: every scenario played once in memory, its places noted one by one.

The site tells of a snapshot, so scenarios count only where the declarations beside it compile to that very seal.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import decode
from omnibachi_model.record import DECIDED, STEPS
from omnibachi_model.ways import named

from .compiling import compile_workspace
from .results import RunResult
from .scenarios.playing import play
from .scenarios.stage import Stage
from .wiring import Snapshot
from .workspace import PROTOCOLS, Workspace, shipped_root

Played = dict[str, Any]


def scenarios_of(
    workspace: Workspace, snapshot: Snapshot, progress: Callable[[str], None]
) -> tuple[list[Played] | None, list[Diagnostic]]:
    """Play all scenarios: [{name, file, line, ok, places: [[workflow, node, what], ...]}, ...] in order of place.

    None, with a warning (OB782) unless there are no declarations, where they cannot be told of this snapshot.
    """
    if not os.path.isdir(os.path.join(workspace.root, PROTOCOLS)):
        return None, []
    compilation = compile_workspace(workspace.root, shipped=shipped_root())
    if compilation.sealed is None or compilation.sealed.seal != snapshot.seal:
        does = "do not compile" if compilation.sealed is None else "compile to another snapshot"
        message = f"the declarations beside the snapshot {does}: no page says what scenarios reach"
        help = "run `omnibachi compile`, then make the site again"
        return None, [Diagnostic("OB782", message, help=help, severity="warning")]
    stage = Stage(compilation, workspace.capabilities)
    found = []
    for scenario in compilation.scenarios:
        progress(scenario.name.text)
        places: set[tuple[str, str, str]] = set()
        failures = list(play(stage, scenario, functools.partial(_note, places)))
        found.append({
            "name": scenario.name.text, "file": scenario.span.file, "line": scenario.name.span.line,
            "ok": not failures, "places": sorted(list(place) for place in places),
        })  # fmt: skip
    return sorted(found, key=lambda one: (one["file"], one["line"], one["name"])), []


def _note(places: set[tuple[str, str, str]], result: RunResult, _: object) -> None:
    """Add what one run reached; the rounds of a loop are one place."""
    for _, data, _ in result.events:
        body = decode(data)
        if body["kind"] not in STEPS:
            continue
        name = named(body["path"])
        places |= {(result.workflow, name, ""), (result.workflow, name, body["outcome"])}
        if body["kind"] == DECIDED and body["row"] is not None:
            places.add((result.workflow, name, f"row {body['row'] + 1}"))
