"""Lost updates: a read whose value flows into a write of the same store that does not carry the revision seen."""

from __future__ import annotations

from omnibachi_model.diagnostics import Diagnostic

from .links import Graph, Linked
from .templates import references


def lost_updates(graph: Graph) -> list[Diagnostic]:
    """Report every MUTABLE write that depends, through bindings, on a READ of its own store, unless its operation
    takes a `revision` and that comes from such a read."""
    found: list[Diagnostic] = []
    flows: dict[str, frozenset[str]] = {}
    for name in graph.order:
        if name not in graph.nodes:
            continue
        node = graph.nodes[name]
        reads = _reads(node, flows)
        if _effect(node) == "MUTABLE" and node.store is not None:
            stale = [read for read in sorted(reads) if _same_store(graph.nodes[read], node)]
            if stale and not _carries_revision(node, graph, flows):
                found.append(_report(graph.nodes[stale[0]], node))
        flows[name] = reads | {name} if _effect(node) == "READ" else reads
    return found


def _effect(node: Linked) -> str:
    return node.capability.effect if node.capability else "PURE"


def _reads(node: Linked, flows: dict[str, frozenset[str]]) -> frozenset[str]:
    reads: frozenset[str] = frozenset()
    for reference in references(node.bindings):
        if reference.node is not None:
            reads |= flows.get(reference.node, frozenset())
    return reads


def _same_store(read: Linked, write: Linked) -> bool:
    return read.store is not None and write.store is not None and read.store.address == write.store.address


def _carries_revision(node: Linked, graph: Graph, flows: dict[str, frozenset[str]]) -> bool:
    bound = dict(node.bindings.entries).get("revision")
    if bound is None:
        return False
    sources = [reference.node for reference in references(bound) if reference.node is not None]
    return any(
        source in graph.nodes and any(_same_store(graph.nodes[read], node) for read in {source, *flows.get(source, ())})
        for source in sources
    )


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
