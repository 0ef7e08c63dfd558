"""Steps of PASS: the doors of what was inlined, where inputs become a value and outcomes give their fields.

A PASS is silent: what it builds goes into its own slot, and nothing is recorded. Only where the value cannot be built,
or does not fit, is there an event under its name: FAULT, or at a gate the outcome `rejected`.
"""

from __future__ import annotations

from omnibachi_model.checks import filler, listed
from omnibachi_model.checks import link as link_check
from omnibachi_model.diagnostics import Refused
from omnibachi_model.digests import encode
from omnibachi_model.faults import INPUT_MISFIT
from omnibachi_model.record import COMPUTED
from omnibachi_model.sealed import FAULT, REJECTED_EXIT, SUCCESS

from . import templates
from .decisions import unproven
from .faults import Frame, absent, misfit
from .templates import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .walk import Step, Walk


def link_pass(index: int, node: dict[str, Any], size: int) -> Step:
    """Turn a PASS into its step."""
    frame = Frame(COMPUTED, node["name"], None, None)
    template, checked, gate = node["with"], node["check"], node["gate"]
    bind = templates.link(template, size)
    check = link_check(checked) if checked is not None else None
    fill = filler(checked) if checked is not None else None
    targets: dict[str, int] = node["next"]
    target, fault_target = targets[SUCCESS], targets.get(FAULT)
    if type(gate) is not bool or (REJECTED_EXIT in targets) is not (gate and check is not None):
        raise ValueError(f"`{REJECTED_EXIT}` belongs to a gate that checks, and to no other")
    if check is not None and not gate and fault_target is None:
        raise ValueError("inputs that are checked, and no way for those that do not fit")

    def step(run: Walk) -> int:
        try:
            made = bind(run.values)
        except ABSENT:
            if fault_target is None:
                raise Refused([unproven(node["name"])]) from None
            absent(run, frame.here(run), template)
            return fault_target
        if fill is not None:
            made = fill(made)
        found = check(made) if check is not None else None
        if not found:
            run.values[index] = made
            return target
        here, given = frame.here(run), encode(made)
        if not gate:
            misfit(run, here, given, INPUT_MISFIT, found)
            assert fault_target is not None
            return fault_target
        told = encode({"violations": listed(found)})
        run.record(here.name, here.before + given + here.middle(REJECTED_EXIT) + told + here.after)
        return targets[REJECTED_EXIT]

    return step
