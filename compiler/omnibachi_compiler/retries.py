"""Retries and deadlines: where they may stand, which outcomes a call is asked again after, and the outcome TIMEOUT.

A local operation of a side effect answers inside a transaction that can be rolled back, so asking again leaves no
trace; what leaves the house is asked again only where that does nothing twice (`leaving`). Nothing else can be asked
again, or be late.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.nearest import nearest
from omnibachi_model.sealed import TIMEOUT

from .declarations import Name, Use
from .fits import object_of
from .fixes import renamed
from .language.durations import milliseconds
from .leaving import check_retry, reserved_of
from .library import Capability

Schema = dict[str, Any]


def timed(
    node: Use, capability: Capability | None, outcomes: Mapping[str, Schema], found: list[Diagnostic]
) -> dict[str, Schema]:
    """Return the outcomes of a call, TIMEOUT among them where it has a deadline; `capability` is None of a contract
    and a workflow. Diagnostics: OB321, OB419."""
    if capability is None or capability.governor is None:
        _refuse(node, found)
        return dict(outcomes)
    known = dict(outcomes)
    if node.deadline is not None:
        known[TIMEOUT] = object_of({})
    known.update(reserved_of(capability))
    found.extend(check_retry(node, capability, known))
    for name in node.retry.on if node.retry is not None else ():
        if name.text not in known:
            found.append(_unknown(name, node, known))
    return known


def _refuse(node: Use, found: list[Diagnostic]) -> None:
    """Report a retry and a deadline of what is no operation of a side effect."""
    for key, part in (("retry", node.retry), ("deadline", node.deadline)):
        if part is not None:
            message = f"`{node.use.text}` takes no `{key}`: it is no operation of a side effect"
            advice = f"leave `{key}` out; inside a contract or a workflow its own nodes may have one"
            found.append(Diagnostic("OB419", message, part.span, help=advice))


def _unknown(name: Name, node: Use, known: Mapping[str, Schema]) -> Diagnostic:
    if name.text == TIMEOUT:
        message = f"`{node.name.text}` has no deadline, so it never ends in `{TIMEOUT}`"
        return Diagnostic("OB321", message, name.span, help="add `deadline:`, as in `deadline: 5s`")
    near = nearest(name.text, known)
    listed = ", ".join(f"`{outcome}`" for outcome in known)
    message = f"`{node.use.text}` does not declare the outcome `{name.text}`"
    advice = f"did you mean `{near}`?" if near else f"declared: {listed}"
    return Diagnostic("OB321", message, name.span, help=advice, fix=renamed(name.span, name.text, known))


def sealed(node: Use) -> dict[str, Any]:
    """Return `retry` and `deadline_ms` of a call as they are sealed."""
    retry = None
    if node.retry is not None:
        factor = node.retry.factor
        retry = {
            "on": sorted(name.text for name in node.retry.on),
            "max": node.retry.most,
            "backoff_ms": milliseconds(node.retry.backoff.text) if node.retry.backoff else 0,
            "factor": int(factor) if factor == int(factor) else factor,
        }
    return {"retry": retry, "deadline_ms": milliseconds(node.deadline.text) if node.deadline else None}
