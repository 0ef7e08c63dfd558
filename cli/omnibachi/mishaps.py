"""Diagnostics of runs that ended badly: what a FAULT or a rejection was, where it was declared, and what to do."""

from __future__ import annotations

from omnibachi_model import faults
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.digests import decode, encode
from omnibachi_model.sealed import at_gate, sealed_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .wiring import Mishap

    Origins = dict[str, Any]

MOST_POINTERS = 12
LONGEST = 160
HELP = {
    faults.RAISED: "mend the capability at the frame shown",
    faults.MISSING_INPUT: "send the field, or read it with `$first`",
    faults.INPUT_MISFIT: "send a value that fits, or check it with a decision first",
    faults.OUTPUT_MISFIT: "mend the capability or its declaration",
    faults.UNDECLARED_OUTCOME: "mend the capability or its declaration",
    faults.EXPRESSION: "test for presence, type and range before computing",
    faults.INPUT_CHANGED: "inputs are read-only: copy what is changed",
    faults.OUTPUT_TOO_LARGE: "let the body give less, or go through fewer items at a time",
    faults.SECRET_MISSING: "set the variable in the environment of the command, and run it again: nothing has left",
    faults.SECRET_SHOWN: "ask the other side not to answer with what it is given; take the secret for known to it",
}
# What breaks before the call is found where the node's inputs are declared.
READING = (faults.MISSING_INPUT, faults.INPUT_MISFIT)


def rejection(violations: Sequence[dict[str, Any]], origins: Origins | None) -> Diagnostic:
    """Say that the payload was not admitted, where, and which place of the intent it breaks first."""
    place = at_gate(origins or {}, violations[0]["pointer"])
    return Diagnostic(
        "OB701",
        f"the payload does not fit the workflow's intent: {pointers(violations)}",
        Span(place[0], *place[1]) if place is not None else None,
        help="mend the fields that are listed",
    )


def crashes(mishaps: Sequence[Mishap], status: str, origins: Callable[[], Origins | None]) -> tuple[Diagnostic, ...]:
    """Say what crashed; `origins` is read only when there is something to say.

    A FAULT on the way to an exit that is not FAILED was provided for, so it is a warning.
    """
    if not mishaps:
        return ()
    found = origins() or {}
    severity = "error" if status == "FAILED" else "warning"
    return tuple(
        Diagnostic(
            faults.CODES[mishap.fault["reason"]],
            _message(mishap),
            place_of(found, mishap.node, "with" if mishap.fault["reason"] in READING else None),
            help=HELP[mishap.fault["reason"]],
            related=_uses(found, mishap.node),
            severity=severity,
        )
        for mishap in mishaps
    )


def cancelled(obs: bytes) -> Diagnostic:
    """Say that a run was cancelled, by whom, when and why; `obs` is that of its end."""
    found = decode(obs).get("cancelled") or {}
    why = f": {found['because']}" if found.get("because") else ""
    message = f"the run was cancelled by `{found.get('by')}`{why}"
    return Diagnostic("OB732", message, help="what it had done until then stands: `omnibachi examine` tells what")


def _message(mishap: Mishap) -> str:
    node, fault = f"node `{mishap.node}`", mishap.fault
    reason = fault["reason"]
    if reason == faults.RAISED:
        text = f": {mishap.text}" if mishap.text else ""
        frame = f", at `{fault['frame']}`" if "frame" in fault else ""
        return f"{node}: `{mishap.capability}` raised `{fault['exception']}`{text}{frame}"
    if reason == faults.MISSING_INPUT:
        return f"{node} read `{fault.get('reference')}`, which is not there"
    if reason == faults.INPUT_MISFIT:
        given = "what it was given does" if mishap.capability is None else f"the inputs of `{mishap.capability}` do"
        return f"{node}: {given} not fit: {pointers(fault['violations'])}"
    if reason == faults.OUTPUT_MISFIT:
        return f"{node}: the output of `{mishap.capability}` breaks its schema: {pointers(fault['violations'])}"
    if reason == faults.SECRET_MISSING:
        return f"{node} needs the secret `{fault.get('secret')}`, and no variable of that name holds a text"
    if reason == faults.SECRET_SHOWN:
        return f"{node}: what `{mishap.capability}` answered shows a secret that it was given, so it is not kept"
    if reason in (faults.EXPRESSION, faults.OUTPUT_TOO_LARGE):
        return f"{node}: {fault.get('detail')}"
    return f"{node}: `{mishap.capability}`: {fault.get('detail')}"


def pointers(violations: Sequence[dict[str, Any]]) -> str:
    """Name the places and keywords of violations, the first dozen of them."""
    shown = [f"`{item['pointer'] or '/'}` ({item['keyword']})" for item in violations[:MOST_POINTERS]]
    if len(violations) > MOST_POINTERS:
        shown.append(f"and {len(violations) - MOST_POINTERS} more")
    return ", ".join(shown)


def shown(value: Any) -> str:
    """Write a value between backticks, cut where it is long."""
    text = encode(value).decode("utf-8", "replace")
    return f"`{text}`" if len(text) <= LONGEST else f"`{text[:LONGEST]}…`"


def place_of(origins: Origins | None, node: str, part: str | None = None) -> Span | None:
    """Return where a node or exit was declared, or a part of it (`with`) if that is told; None where nothing is.

    `node` is a path of the record. What nobody wrote, such as the doors of a contract, stands where it is used.
    """
    entry = _entry(origins or {}, node)
    if not entry or origins is None:
        return None
    return Span(entry.get("file", origins["file"]), *((part and entry.get(part)) or entry["span"]))


def _entry(origins: Origins, node: str) -> Any:
    name = sealed_name(node)
    while name:
        entry = origins.get("nodes", {}).get(name) or origins.get("exits", {}).get(name)
        if entry:
            return entry
        name = name.removesuffix("[]") if name.endswith("[]") else name.rpartition("/")[0]
    return None


def _uses(origins: Origins, node: str) -> tuple[tuple[Span, str], ...]:
    """Return the nodes that use the file in which a node was declared, innermost first."""
    via = (_entry(origins, node) or {}).get("via", ())
    return tuple((Span(item["file"], *item["span"]), f"used by `{item['node'].removesuffix('[]')}`") for item in via)
