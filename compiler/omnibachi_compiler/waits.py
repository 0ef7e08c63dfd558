"""Waits as nodes: which outcomes they have, what these give, and their sealed form.

What is approved is what the node binds, so a wait binds something; who may approve is said by roles of the trust file.
Those that the trust file keeps for what machines sign are none that people have.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.sealed import WAIT
from omnibachi_model.waits import outputs

from .declarations import Wait
from .language.durations import milliseconds

Schema = dict[str, Any]
MACHINES = ("checkpoint", "run", "snapshot")  # roles of keys that sign what was made, not what shall happen


def waited_outcomes(node: Wait, found: list[Diagnostic]) -> dict[str, Schema]:
    """Return the outcomes of a wait, EXPIRED only where it has an end; report roles that no person has (OB526)."""
    for role in node.roles:
        if role.text in MACHINES:
            message = f"`{role.text}` is the role of keys that sign what was made, and nobody approves with it"
            advice = "name a role of people, such as `compliance`, and give it to their keys in the trust file"
            found.append(Diagnostic("OB526", message, role.span, help=advice))
    return outputs(node.quorum, node.within is not None)


def sealed_wait(node: Wait) -> dict[str, Any]:
    """Return the members of a sealed wait that need neither names nor templates."""
    return {
        "kind": WAIT,
        "for": node.kind.text,
        "roles": sorted(role.text for role in node.roles),
        "quorum": node.quorum,
        "within_ms": milliseconds(node.within.text) if node.within else None,
    }
