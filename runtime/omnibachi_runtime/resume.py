"""Resuming: along what is recorded, and from the first node without a row onward as any run walks.

What was committed is not done again, and what was not committed never happened: a read whose event was lost with its
process is asked again, a decision is taken again. One RESUMED event marks the place.
"""

from __future__ import annotations

from omnibachi_model.digests import encode
from omnibachi_model.record import RESUMED_BODY

from .walk import go_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from omnibachi_model.ports import Journal

    from .walk import Walk


def resume(run: Walk, index: int, journal: Journal, known: Mapping[str, Any]) -> Walk:
    """Take a retraced walk (see `recorded.retrace`) from a node to an exit and return it, ended.

    `journal` holds the run now and knows its recorded events; `known` is what the RESUMED event's `obs` says besides
    `seq` and `at_us`. Raises Trouble as `walk` does.
    """
    run.journal = journal
    run.committed = len(run.events)
    run.now_ns = run.clock.now_ns
    run.last_ns = run.now_ns()
    obs = {**known, "at_us": run.last_ns // 1000, "seq": len(run.events) + 1}
    run.events.append(("", RESUMED_BODY, encode(obs)))
    return go_on(run, index)
