"""Calls: what the `use` of a node, as written in any text, would take and give; found by name alone.

A node that is being written is seldom one that the compiler understands, so nothing but its own words is asked: its
`use`, `store` and `event`, the rows of its decision, its loop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from omnibachi_compiler.declarations import All, Compute, Decide, Each, Node, Repeat, Use, Wait
from omnibachi_compiler.leaving import reserved_of
from omnibachi_compiler.library import Library
from omnibachi_compiler.narrowing import narrow, narrow_outcomes
from omnibachi_model.addresses import STD, candidates, split
from omnibachi_model.diagnostics import Span
from omnibachi_model.sealed import APPROVED, EXPIRED, FAULT, REJECTED, REJECTED_EXIT

from .scan import Path
from .spots import Open, Project

Schema = dict[str, Any]

EACH = ("SUCCESS", "PARTIAL", "FAILED", "OVERFLOW")
ALL = ("SUCCESS", "FAILED")
WAITED = (APPROVED, REJECTED, EXPIRED)


@dataclass(frozen=True, slots=True)
class Call:
    """Something that can be used: of a capability its effect, what it needs and its governor; of a contract or a
    workflow, outcomes without types, which only a survey tells."""

    address: str
    kind: str
    summary: str
    inputs: Schema
    outcomes: Mapping[str, Schema]
    span: Span
    effect: str = ""
    needs: frozenset[str] = frozenset()
    governor: str | None = None


def address_in(known: Mapping[str, object], text: str, domain: str) -> str | None:
    """Return which of some addresses a name means inside a domain."""
    return next((item for item in candidates(text, domain) if item in known), None)


def written(address: str, domain: str, known: Mapping[str, object]) -> str:
    """Return how an address is written inside a domain: without its own where that is enough."""
    named, code = split(address)
    bare = code.partition(".")[0]
    if named == domain:
        return code
    if named == STD and f"{domain}::{bare}" not in {item.partition(".")[0] for item in known}:
        return code
    return address


def usable(library: Library) -> dict[str, Call]:
    """Return everything that a node may use, by address."""
    found = {
        item.address: Call(
            item.address,
            "transform" if item.governor is None else "operation",
            item.summary,
            item.inputs,
            {**item.outcomes, **reserved_of(item)},
            item.span,
            item.effect,
            item.needs,
            item.governor,
        )
        for item in library.capabilities.values()
    }
    for address, contract in library.contracts.items():
        outcomes: dict[str, Schema] = {leaving.name.text: {} for leaving in contract.exits}
        inputs = library.contract_inputs.get(address, {})
        found[address] = Call(address, "contract", contract.summary, inputs, outcomes, contract.name.span)
    for address, workflow in library.workflows.items():
        outcomes = {leaving.name.text: {} for leaving in workflow.exits}
        outcomes[REJECTED_EXIT] = {}
        intent = address_in(library.intents, workflow.intent.text, workflow.domain)
        inputs = library.intents[intent].schema if intent else {}
        found[address] = Call(address, "workflow", workflow.summary, inputs, outcomes, workflow.name.span)
    return found


def call_at(project: Project, opened: Open, document: int, owner: Path) -> Call | None:
    """Return what the node (or the member of an `all`) at a path uses, with the records of its store and event."""
    text = opened.value(document, (*owner, "use"))
    known = usable(project.library)
    code, _, operation = (text or "").partition(".")
    wanted = [f"{item}.{operation}" if operation else item for item in candidates(code, opened.domain)]
    address = next((item for item in wanted if item in known), None)
    if address is None:
        return None
    call = known[address]
    capability = project.library.capabilities.get(address)
    if capability is None:
        return call
    library = project.library
    at = address_in(library.stores, opened.value(document, (*owner, "store")) or "", opened.domain)
    store = library.stores[at] if at else None
    at = address_in(library.events, opened.value(document, (*owner, "event")) or "", opened.domain)
    event = library.events[at] if at else None
    inputs, outcomes = narrow(call.inputs, store, event), narrow_outcomes(capability, store, event)
    return replace(call, inputs=inputs, outcomes={**outcomes, **reserved_of(capability)})


def outcomes_at(project: Project, opened: Open, document: int, node: Path) -> list[str]:
    """Return the outcomes that a node, as it is written, may route; FAULT comes last."""
    keys = {token.text for token in opened.keys(document, node)}
    found: list[str] = []
    if "decide" in keys:
        found = decided(opened, document, node)
    elif "compute" in keys:
        found = ["SUCCESS"]
    elif "each" in keys:
        found = list(EACH)
    elif "all" in keys:
        found = list(ALL)
    elif "wait" in keys:
        found = list(WAITED)
    else:
        call = call_at(project, opened, document, node)
        found = list(call.outcomes) if call else []
        found += ["EXHAUSTED"] if "repeat" in keys and "EXHAUSTED" not in found else []
        found += ["TIMEOUT"] if "deadline" in keys else []
    return [*dict.fromkeys(found), FAULT]


def node_of(library: Library, workflow: str, path: str) -> tuple[Node, str] | None:
    """Follow a node path (`license/read`, with or without indices) from a workflow through what its nodes use: the node
    that it names, and the domain of the body that holds it."""
    address: str | None = workflow
    found: tuple[Node, str] | None = None
    for name in re.sub(r"\[[^\]]*\]", "", path).split("/"):
        body = library.bodies.get(address or "")
        node = next((item for item in body.nodes if item.name.text == name), None) if body else None
        if body is None or node is None:
            return None
        found = node, body.domain
        call = node.call if isinstance(node, Each | Repeat) else node
        address = address_in(library.bodies, call.use.text, body.domain) if isinstance(call, Use) else None
    return found


def answering(library: Library, address: str, above: str = "", within: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the paths of a workflow's nodes that call a capability or wait, those of what it uses too: `read`,
    `look[]`, `licence/read`."""
    body = library.bodies.get(address)
    for node in body.nodes if body else ():
        name = above + node.name.text
        calls: list[tuple[str, Use]] = []
        if isinstance(node, All):
            calls = [(f"{name}/{call.name.text}", call) for call in node.calls]
        elif isinstance(node, Each | Repeat):
            calls = [(f"{name}[]", node.call)]
        elif isinstance(node, Use):
            calls = [(name, node)]
        elif isinstance(node, Wait):
            yield name
        for path, call in calls:
            inner = address_in(library.bodies, call.use.text, body.domain) if body else None
            if inner is None:
                yield path
            elif inner not in within:
                yield from answering(library, inner, f"{path}/", within | {address})


def outcomes_of(library: Library, node: Node, domain: str) -> list[str]:
    """Return the outcomes of a node that is declared, but FAULT."""
    if isinstance(node, Decide):
        return list(dict.fromkeys(row.outcome.text for row in node.rows))
    if isinstance(node, Wait):
        return list(WAITED if node.within is not None else WAITED[:2])
    if isinstance(node, Each | All | Compute):
        return list(EACH if isinstance(node, Each) else ALL if isinstance(node, All) else ("SUCCESS",))
    call = node.call if isinstance(node, Repeat) else node
    if not isinstance(call, Use):
        return []
    code, _, operation = call.use.text.partition(".")
    known = usable(library)
    wanted = (f"{item}.{operation}" if operation else item for item in candidates(code, domain))
    outcomes = next((list(known[item].outcomes) for item in wanted if item in known), [])
    return [*outcomes, *(["EXHAUSTED"] if isinstance(node, Repeat) else []), *(["TIMEOUT"] if call.deadline else [])]


def decided(opened: Open, document: int, node: Path) -> list[str]:
    """Return the outcomes that the rows of a decision name."""
    depth = len(node)
    return [
        token.text
        for token in opened.tokens
        if token.document == document
        and not token.key
        and token.path[: depth + 1] == (*node, "decide")
        and token.path[depth + 2 :] == ("outcome",)
    ]
