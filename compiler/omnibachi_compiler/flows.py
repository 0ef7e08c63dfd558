"""Lost updates: a read whose value flows into a write of the same store that does not carry the revision seen."""

from __future__ import annotations

from collections.abc import Mapping

from omnibachi_model.diagnostics import Diagnostic

from .links import Graph, Linked
from .templates import Template, references


def lost_updates(graph: Graph) -> list[Diagnostic]:
    """Report every MUTABLE write that depends, through bindings, on a READ of its own store, unless its operation
    takes a `revision` and that comes from such a read."""
    found: list[Diagnostic] = []
    flows: dict[str, int] = {}  # node: the reads that flow into what it gives, one bit a read
    reads: list[Linked] = []
    of_store: dict[str, int] = {}  # store: the reads of it
    for name in graph.order:
        node = graph.nodes.get(name)
        if node is None:
            continue
        bound = _flowing(node.bindings, flows)
        if node.store is not None and _effect(node) == "MUTABLE":
            stale = bound & of_store.get(node.store.address, 0)
            if stale and not _carries_revision(node, stale, flows, graph):
                found.append(_report(min(_chosen(reads, stale), key=lambda read: read.name), node))
        if node.store is not None and _effect(node) == "READ":
            bit = 1 << len(reads)
            reads.append(node)
            of_store[node.store.address] = of_store.get(node.store.address, 0) | bit
            bound |= bit
        flows[name] = bound
    return found


def _effect(node: Linked) -> str:
    return node.capability.effect if node.capability else "PURE"


def _flowing(template: Template, flows: Mapping[str, int]) -> int:
    """Return the reads that flow into a template, as bits."""
    found = 0
    for reference in references(template):
        if reference.node is not None:
            found |= flows.get(reference.node, 0)
    return found


def _carries_revision(node: Linked, stale: int, flows: Mapping[str, int], graph: Graph) -> bool:
    """Tell whether the revision that a write expects comes from one of these reads, or from a node of its store."""
    revision = dict(node.bindings.entries).get("revision")
    if revision is None or node.store is None:
        return False
    sources = [graph.nodes.get(reference.node or "") for reference in references(revision)]
    stores = {source.store.address for source in sources if source and source.store}
    return bool(_flowing(revision, flows) & stale) or node.store.address in stores


def _chosen(reads: list[Linked], bits: int) -> list[Linked]:
    return [read for number, read in enumerate(reads) if bits >> number & 1]


def _report(read: Linked, write: Linked) -> Diagnostic:
    assert write.capability is not None and write.store is not None
    return Diagnostic(
        "OB512",
        f"`{read.name}` reads `{write.store.address}` and flows into `{write.name}`, which may undo a newer record",
        write.declaration.name.span,
        help="use the operation that carries the revision seen (`SWAP` with `revision`)",
        related=[(read.declaration.name.span, "read here")],
        path=(read.name, write.name),
    )
