"""The head of a finished run: the few values that say what its record is, to the last byte.

It is what a signature over a run speaks of, and, as canonical bytes, the leaf of the tree over all runs. `last` is the
hash of the record's last line, which hangs on every byte before it.
"""

from __future__ import annotations

from typing import Any

from omnibachi_audit.verify import verify
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.record import read

HEAD_FORMAT = "omnibachi.head/1"
MEMBERS = {"format", "run", "workflow", "workflow_digest", "digest", "last", "events"}


def head_of(record: bytes) -> dict[str, Any] | Diagnostic:
    """Return the head of the run that a record is of; OB622 where the record is broken or the run has no end."""
    found = verify(record)
    if not found.holds:
        message = f"the record is broken at line {found.line}: {found.reason}"
        return Diagnostic("OB622", message, help="only what holds can be proven; `omnibachi examine` tells more")
    if not found.finished:
        message = f"the run `{found.trace_id}` has not ended"
        return Diagnostic("OB622", message, help=f"finish it with `omnibachi resume {found.trace_id}`")
    return {
        "format": HEAD_FORMAT,
        "run": found.trace_id,
        "workflow": found.workflow,
        "workflow_digest": found.workflow_digest,
        "digest": found.digest,
        "last": list(read(record))[-1].hash,
        "events": found.events,
    }


def is_head(value: Any) -> bool:
    """Tell whether a value has the shape of a head."""
    return (
        isinstance(value, dict)
        and set(value) == MEMBERS
        and value["format"] == HEAD_FORMAT
        and type(value["events"]) is int
        and all(isinstance(value[name], str) for name in MEMBERS - {"events"})
    )
