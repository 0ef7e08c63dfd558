"""A record as CloudEvents 1.0: one event a line of the record, in the JSON batch format."""

from __future__ import annotations

from omnibachi_model.digests import encode
from omnibachi_model.record import read

from .told import instant, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.record import Event


def cloudevents(record: bytes) -> bytes:
    """Write a record that holds as a JSON array of CloudEvents; raises Broken."""
    events = list(read(record))
    run = str(events[0].obs.get("trace_id"))
    return encode([_event(event, run) for event in events]) + b"\n"


def _event(event: Event, run: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event.line),
        "source": f"urn:omnibachi:run:{run}",
        "type": "omnibachi." + str(event.body["kind"]).lower(),
        "time": instant(number(event.obs, "at_us")),
        "datacontenttype": "application/json",
        "sequence": f"{event.line:016d}",
        "linehash": event.hash,
        "data": {"body": event.body, "obs": event.obs},
    }
    path = event.body.get("path")
    if isinstance(path, str) and path:
        told["subject"] = path
    return told
