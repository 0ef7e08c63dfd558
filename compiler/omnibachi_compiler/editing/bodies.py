"""The graph behind a text: a workflow or a contract read from its tree, however unfinished, and what is given where.

What is missing is mended for the survey's sake: a graph that names no start starts at its first node, one whose intent
is not known takes any payload. A node that is not understood may give anything on the ways that it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from omnibachi_compiler.bodies import signature_of
from omnibachi_compiler.check import check_graph, survey
from omnibachi_compiler.declarations import Body, Name, Workflow
from omnibachi_compiler.declare_graphs import contract, workflow
from omnibachi_compiler.facts import Fact, Facts, advance, prepare
from omnibachi_compiler.fits import Presence
from omnibachi_compiler.graph import build_graph
from omnibachi_compiler.library import Library, Shape
from omnibachi_compiler.links import Graph, Linked, Signature
from omnibachi_compiler.schemas import seal_fields
from omnibachi_compiler.shape import check_shape
from omnibachi_compiler.tree import Mapping as TreeMapping
from omnibachi_compiler.tree import Tree
from omnibachi_compiler.uses import calls_of
from omnibachi_model.addresses import candidates
from omnibachi_model.diagnostics import has_errors

from .roles import GRAPHS
from .spots import Open, Project, tree_at

Schema = dict[str, Any]
SURVEYS = 2  # that are remembered of a text


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A graph with the analysis of its data flow."""

    graph: Graph
    facts: Facts

    def outcomes(self, node: str) -> dict[str, Schema]:
        """Return what each outcome of a node gives."""
        linked = self.graph.nodes.get(node)
        return {} if linked is None else {**linked.outcomes, **self.facts.outputs.get(node, {})}

    def presences(self, reader: str, wanted: Sequence[Fact]) -> dict[Fact, Presence]:
        """Tell of facts whether they are given where a node or an exit reads; nothing where no path leads to it."""
        facts = prepare(self.graph, frozenset())
        facts.outputs = self.facts.outputs
        for fact in wanted:
            if fact not in facts.index:
                facts.index[fact] = len(facts.index)
                facts.by_node[str(fact[1])].append(fact)
        for name in facts.order:
            if name == reader:
                break
            advance(facts, name)
        if reader not in facts.given:
            return {}
        return {fact: facts.present(reader, fact) for fact in wanted}

    def before(self, reader: str) -> list[str]:
        """Return the nodes from which a path leads to a reader, in the order of the graph."""
        bit = 1 << self.facts.position[reader] if reader in self.facts.position else 0
        found = [name for name in self.facts.order if name != reader and self.facts.reach[name] & bit]
        return [name for name in found if name in self.graph.nodes]


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found of a document: of which text (without the word that was written), library and tree."""

    where: tuple[int, str, str]
    library: Library
    tree: Tree
    found: Surveyed


def surveyed_at(project: Project, opened: Open, document: int, word: tuple[int, int] | None = None) -> Surveyed | None:
    """Survey the body that a document declares, as far as its text, or else what it was last, can be understood.

    `word` is where in a binding is being written: what its node is given does not hang on it, so what was found with
    another word there is found again.
    """
    start, end = word or (0, 0)
    where = document, opened.text[:start], opened.text[end:]
    known = next((one for one in opened.surveys if one.where == where), None)
    if known is not None and known.library is project.library:
        return known.found
    kind = opened.kind(document)
    for tree in _trees(opened, document, known):
        body = read_body(tree, kind, opened.domain) if kind and isinstance(tree, TreeMapping) else None
        found = survey_body(f"{opened.domain}::{body.name.text}", body, project.library) if body else None
        if found is not None and tree is not None:
            opened.surveys[:] = [Survey(where, project.library, tree, found), *opened.surveys[: SURVEYS - 1]]
            return found
    return None


def _trees(opened: Open, document: int, known: Survey | None) -> Iterator[Tree | None]:
    if known is not None:
        yield known.tree
    yield tree_at(opened, document)
    yield opened.last.get(document)


def read_body(tree: TreeMapping, kind: str, domain: str) -> Body | None:
    """Read a workflow or a contract from its tree, whatever is wrong with it; None for any other kind."""
    if kind not in GRAPHS:
        return None
    broken = check_shape(tree).broken
    body: Body = workflow(tree, domain, broken) if kind == "workflow" else contract(tree, domain, broken)
    names = [node.name.text for node in body.nodes]
    if not names:
        return None
    if body.start.text not in names:
        body = replace(body, start=Name(names[0], body.start.span))
    if isinstance(body, Workflow) and body.fault and body.fault.text not in {*names, *_exits(body)}:
        body = replace(body, fault=None)
    return body


def _exits(body: Body) -> list[str]:
    return [leaving.name.text for leaving in body.exits]


def survey_body(address: str, body: Body, library: Library) -> Surveyed | None:
    """Survey a body that may have mistakes; None where its graph is no graph, such as one with a circle."""
    domain = body.domain
    if isinstance(body, Workflow):
        if not any(item in library.intents for item in candidates(body.intent.text, domain)):
            stand_in = Shape(f"{domain}::{body.intent.text}", {"type": "object"}, "", body.intent.span)
            library = replace(library, intents={**library.intents, stand_in.address: stand_in})
    else:
        inputs = seal_fields(body.inputs, named=library.named.of(domain)).value
        library = replace(library, contract_inputs={**library.contract_inputs, address: inputs})
    graph = build_graph(address, body, library, _sign(body, library, {address: None})).value
    return None if graph is None else Surveyed(graph, survey(graph))


def _sign(body: Body, library: Library, found: dict[str, Signature | None]) -> dict[str, Signature]:
    """Return the signatures of what a body uses, proven for that; of what cannot be proven, or uses itself, none.

    `found` holds those that were looked for before, and None for those that are being proven.
    """
    bodies = library.bodies
    for call in calls_of(body):
        address = next((item for item in candidates(call.use.text, body.domain) if item in bodies), None)
        if address is None or address in found:
            continue
        found[address] = None
        graph = build_graph(address, bodies[address], library, _sign(bodies[address], library, found))
        checked = check_graph(graph.value).value if graph.value and not has_errors(graph.diagnostics) else None
        found[address] = signature_of(checked) if checked else None
    return {address: signature for address, signature in found.items() if signature is not None}


def linked_call(node: Linked, member: str | None) -> Linked:
    """Return what a call inside a loop is linked to; of a node that is no loop, the node."""
    if not node.calls:
        return node
    return next((call for call in node.calls if member is None or call.name == member), node.calls[0])
