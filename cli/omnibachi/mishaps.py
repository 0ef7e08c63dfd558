"""Diagnostics of runs that ended badly: what a FAULT or a rejection was, where it was declared, and what to do."""

from __future__ import annotations

from omnibachi_model.diagnostics import Diagnostic, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .wiring import Mishap

    Origins = dict[str, Any]

MOST_POINTERS = 12
CODES = {
    "raised": "OB702",
    "missing-input": "OB703",
    "input-misfit": "OB704",
    "output-misfit": "OB705",
    "undeclared-outcome": "OB706",
    "expression": "OB707",
    "input-changed": "OB708",
}
HELP = {
    "raised": "mend the capability at the frame shown",
    "missing-input": "send the field, or read it with `$first`",
    "input-misfit": "send a value that fits, or check it with a decision first",
    "output-misfit": "mend the capability or its declaration",
    "undeclared-outcome": "mend the capability or its declaration",
    "expression": "test for presence, type and range before computing",
    "input-changed": "inputs are read-only: copy what is changed",
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
    if reason == "raised":
        text = f": {mishap.text}" if mishap.text else ""
        frame = f", at `{fault['frame']}`" if "frame" in fault else ""
        return f"{node}: `{mishap.capability}` raised `{fault['exception']}`{text}{frame}"
    if reason == "missing-input":
        return f"{node} read `{fault.get('reference')}`, which is not there"
    if reason == "input-misfit":
        return f"{node}: the inputs of `{mishap.capability}` do not fit: {pointers(fault['violations'])}"
    if reason == "output-misfit":
        return f"{node}: the output of `{mishap.capability}` breaks its schema: {pointers(fault['violations'])}"
    if reason == "expression":
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
    reads = mishap.fault["reason"] in ("missing-input", "input-misfit")
    span = (entry.get("with") if reads else None) or entry["span"]
    return Span(origins["file"], *span)
