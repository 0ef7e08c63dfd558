"""Bodies: every contract and workflow of a library is proven once, those used before those that use them.

What comes out of one is its checked graph, its flat form with everything that it uses laid in, and its signature for
those that use it. A body in which anything is wrong has no signature, so that only its own file speaks of its mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibachi_model.diagnostics import Diagnostic, has_errors
from omnibachi_model.sealed import FAULT

from .check import Checked, check_graph
from .flat import Flat
from .flows import lost_across
from .graph import build_graph
from .inline import flatten
from .kinds import settled
from .library import Library
from .links import Signature
from .phase import Phase
from .sizes import bounded
from .taint import prove_secrets
from .uses import order_of

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is proven; `found` are the warnings about it, `secret` what is sealed of secrets, by step."""

    checked: Checked
    flat: Flat
    signature: Signature
    found: tuple[Diagnostic, ...] = ()
    secret: Mapping[str, Json] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Its address."""
        return self.flat.address


def prove(library: Library) -> Phase[dict[str, Body]]:
    """Prove all bodies of a library; those that could not be proven are missing, and what was found says why."""
    found: list[Diagnostic] = []
    proven: dict[str, Body] = {}
    signatures: dict[str, Signature] = {}
    flats: dict[str, Flat] = {}
    for address in order_of(library, found):
        graph = build_graph(address, library.bodies[address], library, signatures)
        found.extend(graph.diagnostics)
        if graph.value is None:
            continue
        checked = check_graph(graph.value)
        found.extend(checked.diagnostics)
        if checked.value is None or has_errors(graph.diagnostics):
            continue
        flat = flatten(checked.value, flats, library)
        found.extend(flat.diagnostics)
        if flat.value is None:
            continue
        lost = tuple(lost_across(flat.value.steps)) if graph.value.composed else ()
        found.extend(lost)
        secret, leaks = prove_secrets(graph.value, flat.value)
        found.extend(leaks)
        if leaks:
            continue
        flats[address] = flat.value
        signatures[address] = signature_of(checked.value)
        told = (*graph.diagnostics, *checked.diagnostics, *flat.diagnostics, *lost)
        proven[address] = Body(checked.value, flat.value, signatures[address], told, secret)
    return Phase(proven, tuple(found))


def signature_of(checked: Checked) -> Signature:
    """Return what a proven body promises: its inputs, and the types that were inferred of what its ends give."""
    graph = checked.graph
    outcomes = {name: bounded(settled(schema)) for name, schema in checked.results.items() if name != FAULT}
    return Signature(graph.address, graph.inputs, dict(sorted(outcomes.items())), graph.intent is not None)
