"""Uses: what the `use` of a node names, and in which order bodies must be proven so that those used come first.

A capability, or the signature of a contract or a workflow that has been proven. A use of what could not be proven, or
of what reaches the body itself, gives nothing, and is silent where the mistake is reported elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx

from omnibachi_model.addresses import candidates, split
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.nearest import nearest

from .declarations import All, Body, Contract, Each, Name, Node, Repeat, Use
from .fixes import removed, renamed
from .leaving import check_urls, hosts_of
from .library import Capability, Library, SealedStore, Shape, address_of, lookup
from .links import Linked, Signature
from .named_secrets import check_secrets
from .narrowing import narrow_outcomes
from .programs import programs_of
from .retries import timed
from .templates import parse_bindings

Schema = dict[str, Any]
BODIES = ("CC_", "WF_")


@dataclass(frozen=True, slots=True)
class Known:
    """What a body's names may mean: its domain, everything declared, what was proven before it, by address, and its own
    nodes."""

    domain: str
    library: Library
    signatures: Mapping[str, Signature]
    nodes: Mapping[str, Node]

    def inputs(self, body: Body) -> Schema:
        """Return the schema of what a body is given; any record where its intent is not known."""
        if isinstance(body, Contract):
            return self.library.contract_inputs[address_of(body)]
        named = candidates(body.intent.text, body.domain)
        return next((self.library.intents[name].schema for name in named if name in self.library.intents), {})


def link_use(node: Use, known: Known, found: list[Diagnostic]) -> Linked | None:
    """Resolve what a call uses, without its routes; None where that is not understood, which is reported."""
    bindings = parse_bindings(node.bindings, node.name.span, secrets=True)
    found.extend(bindings.diagnostics)
    if split(node.use.text)[1].startswith(BODIES):
        body = _body(node, known, found)
        if body is None:
            return None
        found.extend(check_secrets(bindings.value, None, node.use.text))
        outcomes = timed(node, None, body.outcomes, found)
        return Linked(node, None, None, None, outcomes, {}, {}, bindings.value, body)
    capability = _capability(node.use, known.domain, known.library, found)
    store, event = _places(node, capability, known.domain, known.library, found)
    if capability is None:
        return None
    outcomes = timed(node, capability, narrow_outcomes(capability, store, event), found)
    hosts = hosts_of(capability, known.library.domains.get(known.domain))
    found.extend(check_urls(bindings.value, hosts, known.domain))
    found.extend(check_secrets(bindings.value, capability, node.use.text))
    programs = programs_of(capability, known.domain, known.library, bindings.value, found)
    return Linked(
        node, capability, store, event, outcomes, {}, {}, bindings.value, hosts=hosts, programs=programs
    )  # fmt: skip


def _body(node: Use, known: Known, found: list[Diagnostic]) -> Signature | None:
    """Return what a contract or a workflow promises; None where it does not stand or could not be proven."""
    for key, place in (("store", node.store), ("event", node.event)):
        if place is not None:
            message = f"`{node.use.text}` takes no {key}: its own nodes name theirs"
            fix = removed(place.span, key)
            found.append(Diagnostic("OB404", message, place.span, help=f"remove `{key}`", fix=fix))
    library = known.library
    contract = split(node.use.text)[1].startswith("CC_")
    what, all_known = ("contract", library.contracts) if contract else ("workflow", library.workflows)
    address = lookup(node.use, known.domain, all_known, "OB317", what, found, library.broken)
    return known.signatures.get(address) if address else None


def _capability(use: Name, domain: str, library: Library, found: list[Diagnostic]) -> Capability | None:
    code, _, operation = use.text.partition(".")
    bare = split(code)[1]
    if not operation and bare.startswith("CS_"):
        address = lookup(use, domain, library.side_effects, "OB301", "capability", found, library.broken)
        if address is not None:
            known = [item.name.text for item in library.side_effects[address].operations]
            listed = ", ".join(f"`{code}.{name}`" for name in known)
            found.append(
                Diagnostic("OB309", f"`{use.text}` names no operation", use.span, help=f"write one of {listed}")
            )
        return None
    if not operation:
        address = lookup(use, domain, library.transforms, "OB301", "capability", found, library.broken)
        return library.capabilities[address] if address else None
    address = lookup(Name(code, use.span), domain, library.side_effects, "OB301", "capability", found, library.broken)
    if address is None:
        return None
    capability = library.capabilities.get(f"{address}.{operation}")
    if capability is None:
        known = [item.name.text for item in library.side_effects[address].operations]
        near = nearest(operation, known)
        advice = f"did you mean `{code}.{near}`?" if near else f"it has {', '.join(f'`{name}`' for name in known)}"
        fix = renamed(use.span, operation, known)
        found.append(Diagnostic("OB309", f"`{address}` has no operation `{operation}`", use.span, help=advice, fix=fix))
    return capability


def _places(
    node: Use, capability: Capability | None, domain: str, library: Library, found: list[Diagnostic]
) -> tuple[SealedStore | None, Shape | None]:
    store = event = None
    if node.store is not None:
        address = lookup(node.store, domain, library.stores, "OB303", "store", found, library.broken)
        store = library.stores[address] if address else None
    if node.event is not None:
        address = lookup(node.event, domain, library.events, "OB304", "event", found, library.broken)
        event = library.events[address] if address else None
    if capability is None:
        return store, event
    for a, key, given, code in (("a", "store", node.store, "OB402"), ("an", "event", node.event, "OB403")):
        if key in capability.needs and given is None:
            found.append(
                Diagnostic(
                    code, f"`{capability.address}` needs {a} {key}", node.use.span, help=f"add `{key}:` to the node"
                )
            )
        if key not in capability.needs and given is not None:
            message, fix = f"`{capability.address}` takes no {key}", removed(given.span, key)
            found.append(Diagnostic("OB404", message, given.span, help=f"remove `{key}`", fix=fix))
    if node.store and store and "store" in capability.needs and store.governed_by not in ("", capability.governor):
        found.append(
            Diagnostic(
                "OB401",
                f"`{store.address}` is governed by `{store.governed_by}`, not by `{capability.governor}`",
                node.store.span,
                help=f"use an operation of `{store.governed_by}`, or another store",
                related=[(store.span, "declared here")],
            )
        )
        store = None
    return store, event


def calls_of(body: Body) -> Iterator[Use]:
    """Yield every call of a body, those inside its loops too, in the order of the text."""
    for node in body.nodes:
        if isinstance(node, Use):
            yield node
        elif isinstance(node, Each | Repeat):
            yield node.call
        elif isinstance(node, All):
            yield from node.calls


def order_of(library: Library, found: list[Diagnostic]) -> list[str]:
    """Return the addresses of all bodies, those used before those that use them; report circles of uses (OB318).

    A body on a circle comes with the rest: those that use it do not find its signature.
    """
    bodies = library.bodies
    uses: dict[str, dict[str, Use]] = {}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(sorted(bodies))
    for address, body in bodies.items():
        uses[address] = {}
        for call in calls_of(body):
            meant = next((item for item in candidates(call.use.text, body.domain) if item in bodies), None)
            if meant is not None:
                uses[address].setdefault(meant, call)
                graph.add_edge(meant, address)
    order: list[str] = []
    parts = nx.condensation(graph)
    for number in nx.lexicographical_topological_sort(parts, key=lambda part: min(parts.nodes[part]["members"])):
        members = sorted(parts.nodes[number]["members"])
        order += members
        if len(members) > 1 or members[0] in uses[members[0]]:
            found.append(_circle(members, uses))
    return order


def _circle(members: list[str], uses: Mapping[str, Mapping[str, Use]]) -> Diagnostic:
    """Tell a shortest circle of uses through the first of these bodies."""
    inner: nx.DiGraph[str] = nx.DiGraph()
    inner.add_edges_from((one, other) for one in members for other in sorted(uses[one]) if other in members)
    first = members[0]
    back = min((nx.shortest_path(inner, other, first) for other in inner[first]), key=lambda way: (len(way), way))
    steps = [f"{one} ({uses[one][other].name.text})" for one, other in zip([first, *back], back, strict=False)]
    shown = " -> ".join(f"`{address}`" for address in (first, *back))
    return Diagnostic(
        "OB318",
        f"`{first}` uses itself: {shown}",
        uses[first][back[0]].use.span,
        help="break the circle: what is used is laid into what uses it",
        path=(*steps, first),
    )
