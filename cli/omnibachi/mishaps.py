"""Diagnostics of runs that ended badly: what a FAULT or a rejection was, where it was declared, and what to do."""

from __future__ import annotations

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.faults import (
    CODES,
    EXPRESSION,
    INPUT_CHANGED,
    INPUT_MISFIT,
    MISSING_INPUT,
    OUTPUT_MISFIT,
    RAISED,
    UNDECLARED_OUTCOME,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .wiring import Mishap

    Origins = dict[str, Any]

MOST_POINTERS = 12
HELP = {
    RAISED: "mend the capability at the frame shown",
    MISSING_INPUT: "send the field, or read it with `$first`",
    INPUT_MISFIT: "send a value that fits, or check it with a decision first",
    OUTPUT_MISFIT: "mend the capability or its declaration",
    UNDECLARED_OUTCOME: "mend the capability or its declaration",
    EXPRESSION: "test for presence, type and range before computing",
    INPUT_CHANGED: "inputs are read-only: copy what is changed",
}


def rejection(violations: Sequence[dict[str, Any]]) -> Diagnostic:
    """Say that the payload was not admitted, and where."""
    return Diagnostic(
        "OB701",
        f"the payload does not fit the workflow's intent: {pointers(violations)}",
        help="mend the fields that are listed",
    )


def faults(mishaps: Sequence[Mishap], status: str, origins: Callable[[], Origins | None]) -> tuple[Diagnostic, ...]:
    """Say what crashed; `origins` is read only when there is something to say.

    A FAULT on the way to an exit that is not FAILED was provided for, so it is a warning.
    """
    if not mishaps:
        return ()
    found = origins() or {}
    severity = "error" if status == "FAILED" else "warning"
    return tuple(
        Diagnostic(
            CODES[mishap.fault["reason"]],
            _message(mishap),
            _place(mishap, found),
            help=HELP[mishap.fault["reason"]],
            severity=severity,
        )
        for mishap in mishaps
    )


def _message(mishap: Mishap) -> str:
    node, fault = f"node `{mishap.node}`", mishap.fault
    reason = fault["reason"]
    if reason == RAISED:
        text = f": {mishap.text}" if mishap.text else ""
        frame = f", at `{fault['frame']}`" if "frame" in fault else ""
        return f"{node}: `{mishap.capability}` raised `{fault['exception']}`{text}{frame}"
    if reason == MISSING_INPUT:
        return f"{node} read `{fault.get('reference')}`, which is not there"
    if reason == INPUT_MISFIT:
        return f"{node}: the inputs of `{mishap.capability}` do not fit: {pointers(fault['violations'])}"
    if reason == OUTPUT_MISFIT:
        return f"{node}: the output of `{mishap.capability}` breaks its schema: {pointers(fault['violations'])}"
    if reason == EXPRESSION:
        return f"{node}: {fault.get('detail')}"
    return f"{node}: `{mishap.capability}`: {fault.get('detail')}"


def pointers(violations: Sequence[dict[str, Any]]) -> str:
    """Name the places and keywords of violations, the first dozen of them."""
    shown = [f"`{item['pointer'] or '/'}` ({item['keyword']})" for item in violations[:MOST_POINTERS]]
    if len(violations) > MOST_POINTERS:
        shown.append(f"and {len(violations) - MOST_POINTERS} more")
    return ", ".join(shown)


def _place(mishap: Mishap, origins: Origins) -> Span | None:
    entry = origins.get("nodes", {}).get(mishap.node) or origins.get("exits", {}).get(mishap.node)
    if not entry:
        return None
    reads = mishap.fault["reason"] in (MISSING_INPUT, INPUT_MISFIT)
    span = (entry.get("with") if reads else None) or entry["span"]
    return Span(origins["file"], *span)
