"""`blockchain::CT_SCHEDULE_V0`: what happens when in a simulation, whose time is only counted."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs


def schedule(inputs: Inputs) -> Answer:
    """Give the steps in order of time: transaction k (from 0) at k intervals, slot s (from 1) at s durations.

    At one instant transactions come first, in their order. `at` counts seconds from the start.
    """
    interval, duration = inputs["interval"], inputs["duration"]
    steps = [
        (number * interval, 0, {"kind": "TRANSACTION", "number": number, "transaction": transaction})
        for number, transaction in enumerate(inputs["transactions"])
    ]
    steps += [(number * duration, 1, {"kind": "SLOT", "number": number}) for number in range(1, inputs["slots"] + 1)]
    steps.sort(key=lambda step: step[:2])
    return "SUCCESS", {"steps": [{**step, "at": at} for at, _, step in steps]}
