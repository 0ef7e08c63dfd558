"""`std::CT_ELAPSED_V0`: how much time lies between two instants."""

from __future__ import annotations

from .instants import DAY, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs


def elapsed(inputs: Inputs) -> Answer:
    """Give the whole seconds and whole days from `from` to `to`, both rounded down (towards the past)."""
    begin, end = read(inputs["from"]), read(inputs["to"])
    if begin is None or end is None:
        return "VIOLATION", {}
    # Digits of one length compare as the numbers that they stand for.
    borrow = end[1].ljust(9, "0") < begin[1].ljust(9, "0")
    seconds = end[0] - begin[0] - borrow
    return "SUCCESS", {"seconds": seconds, "days": seconds // DAY}
