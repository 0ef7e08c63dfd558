"""OmniBachi: workflows that are declared, sealed, walked deterministically and recorded for strangers to check.

    from omnibachi import Workspace
    result = Workspace(".").run("blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0", payload)

Names are loaded when they are first used, so that `omnibachi run` starts at once.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.diagnostics import Defect as Defect
    from omnibachi_model.diagnostics import Diagnostic as Diagnostic
    from omnibachi_model.diagnostics import Refused as Refused
    from omnibachi_model.diagnostics import Span as Span
    from omnibachi_model.diagnostics import Trouble as Trouble
    from omnibachi_model.ports import Clock as Clock
    from omnibachi_model.ports import Entropy as Entropy
    from omnibachi_model.values import JSON as JSON

    from .engine import Engine as Engine
    from .exporting import export as export
    from .records import diff as diff
    from .records import examine as examine
    from .records import render as render
    from .records import verify as verify
    from .replaying import Divergence as Divergence
    from .replaying import Replay as Replay
    from .replaying import replay as replay
    from .results import CallResult as CallResult
    from .results import Compiled as Compiled
    from .results import LoadResult as LoadResult
    from .results import RunResult as RunResult
    from .results import Step as Step
    from .wiring import Parting as Parting
    from .wiring import Report as Report
    from .wiring import Snapshot as Snapshot
    from .wiring import Verification as Verification
    from .workspace import Workspace as Workspace

    __version__: str

_PLACES = {
    "Divergence": "omnibachi.replaying",
    "Replay": "omnibachi.replaying",
    "replay": "omnibachi.replaying",
    "Verification": "omnibachi.wiring",
    "Parting": "omnibachi.wiring",
    "Report": "omnibachi.wiring",
    "verify": "omnibachi.records",
    "render": "omnibachi.records",
    "diff": "omnibachi.records",
    "examine": "omnibachi.records",
    "export": "omnibachi.exporting",
    "CallResult": "omnibachi.results",
    "Clock": "omnibachi_model.ports",
    "Compiled": "omnibachi.results",
    "Defect": "omnibachi_model.diagnostics",
    "Diagnostic": "omnibachi_model.diagnostics",
    "Engine": "omnibachi.engine",
    "Entropy": "omnibachi_model.ports",
    "JSON": "omnibachi_model.ports",
    "LoadResult": "omnibachi.results",
    "Refused": "omnibachi_model.diagnostics",
    "RunResult": "omnibachi.results",
    "Snapshot": "omnibachi.wiring",
    "Span": "omnibachi_model.diagnostics",
    "Step": "omnibachi.results",
    "Trouble": "omnibachi_model.diagnostics",
    "Workspace": "omnibachi.workspace",
}

__all__ = [
    "Divergence",
    "Replay",
    "replay",
    "Verification",
    "Report",
    "Parting",
    "diff",
    "export",
    "verify",
    "render",
    "examine",
    "CallResult",
    "Clock",
    "Compiled",
    "Defect",
    "Diagnostic",
    "Engine",
    "Entropy",
    "JSON",
    "LoadResult",
    "Refused",
    "RunResult",
    "Snapshot",
    "Span",
    "Step",
    "Trouble",
    "Workspace",
    "__version__",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        return import_module("omnibachi.wiring").VERSION
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
