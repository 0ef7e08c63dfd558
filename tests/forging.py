"""Records that were changed by somebody who knows the format: every hash is made anew, so form and chain hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omnibachi_model.digests import encode
from omnibachi_model.record import export, read


def forged(trace: bytes, change: Callable[[list[Any], list[Any]], Any]) -> bytes:
    """Change bodies and obs and make every hash anew, as somebody can who knows the format."""
    events = list(read(trace))
    bodies, obs = [event.body for event in events], [event.obs for event in events]
    change(bodies, obs)
    return export((encode(body), encode(item)) for body, item in zip(bodies, obs, strict=True))


def planted(record: bytes, line: int, **members: Any) -> bytes:
    """Change members of one body and make every hash anew."""
    return forged(record, lambda bodies, obs: bodies[line - 1].update(members))


def observed(record: bytes, line: int, **members: Any) -> bytes:
    """Change members of one obs and make every hash anew."""
    return forged(record, lambda bodies, obs: obs[line - 1].update(members))
