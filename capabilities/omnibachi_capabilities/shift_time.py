"""`std::CT_SHIFT_TIME_V0`: the instant that lies some seconds after or before another."""

from __future__ import annotations

from .instants import read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs


def shift_time(inputs: Inputs) -> Answer:
    """Give `at` moved by whole `seconds`, in UTC; a fraction of a second stays as it is written."""
    at = read(inputs["at"])
    if at is None:
        return "VIOLATION", {}
    moved = write(at[0] + inputs["seconds"], at[1])
    return ("VIOLATION", {}) if moved is None else ("SUCCESS", {"at": moved})
