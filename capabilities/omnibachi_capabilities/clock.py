"""`std::CS_CLOCK_V0`: the time, asked for and recorded."""

from __future__ import annotations

from omnibachi_model.formats import write_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.ports import Call
    from omnibachi_model.values import Answer, Inputs


def now(inputs: Inputs, store: None, call: Call) -> Answer:
    """Give the present instant as RFC 3339 text (UTC, milliseconds) and as milliseconds since 1970, rounded down."""
    unix_ns = call.clock.now_ns()
    return "SUCCESS", {"at": write_time(unix_ns), "unix_ms": unix_ns // 1_000_000}
