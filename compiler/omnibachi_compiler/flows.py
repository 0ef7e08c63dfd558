"""Lost updates: a read whose value flows into a write of the same store that does not carry the revision seen.

Asked of a graph, or, where a body uses others or has loops, of its flat form: then also what stands in one body and
flows through others is seen. What flows inside one use alone was reported in the used body's own file.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.sealed import END

from .flat import Parts, Step
from .links import Graph
from .templates import Record, Template, references

EXPECTATIONS = ("below", "revision")  # inputs that say what the store must still be like when it is written
WRITE = "MUTABLE"  # the effect class that may undo what another run wrote meanwhile


@dataclass(frozen=True, slots=True)
class _Touch:
    """A step as far as it matters here: what it reads, what it works with, where it stands and, where it came through
    a use, where that stands; `part` is the node of the body that it belongs to, `into` the loop that it gives to."""

    name: str
    templates: tuple[Template, ...]
    parts: Parts | None
    span: Span
    use: Span | None
    part: str
    into: str | None = None

    @property
    def effect(self) -> str:
        """The effect class of its call."""
        return self.parts.capability.effect if self.parts else "PURE"

    @property
    def store(self) -> str | None:
        """The store that it works on."""
        return self.parts.store.address if self.parts and self.parts.store else None


def lost_updates(graph: Graph) -> list[Diagnostic]:
    """Report every MUTABLE write that depends, through bindings, on a READ of its own store, unless what its
    operation expects of the store (a `revision`, or `below` how many it counted) comes from such a read."""
    if not any(node.capability is not None and node.capability.effect == WRITE for node in graph.nodes.values()):
        return []
    touches = []
    for name in graph.order:
        node = graph.nodes.get(name)
        if node is not None:
            parts = Parts(node.capability, node.store, node.event) if node.capability else None
            touches.append(_Touch(name, node.templates, parts, node.declaration.name.span, None, name))
    return _lost(touches)


def lost_across(steps: Sequence[Step]) -> list[Diagnostic]:
    """The same for the flat form of a body, whose steps come in the order of their numbers."""
    if not any(step.parts is not None and step.parts.capability.effect == WRITE for step in steps):
        return []
    touches = []
    for step in steps:
        use = step.origin.via[-1].span if step.origin.via else None
        part = step.name.partition("/")[0].removesuffix("[]")
        templates = tuple(step.templates.values())
        into = step.of if step.sealed["kind"] == END else None
        touches.append(_Touch(step.name, templates, step.parts, step.origin.span, use, part, into))
    return _lost(touches)


def _lost(touches: Iterable[_Touch]) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    flows: dict[str, int] = {}  # step: the calls with a store that flow into what it gives, one bit a call
    seen: list[_Touch] = []
    of_store: dict[str, int] = collections.defaultdict(int)  # store: the calls on it
    reads = 0
    for touch in touches:
        bound = 0
        for template in touch.templates:
            bound |= _flowing(template, flows)
        if touch.store is not None:
            same = of_store[touch.store]
            stale = _elsewhere(seen, bound & same & reads, touch)
            if stale and touch.effect == WRITE and not _flowing(_expected(touch), flows) & same:
                found.append(_report(min(stale, key=lambda read: read.name), touch))
            bit = 1 << len(seen)
            seen.append(touch)
            of_store[touch.store] |= bit
            reads |= bit if touch.effect == "READ" else 0
            bound |= bit
        flows[touch.name] = bound
        if touch.into is not None:
            flows[touch.into] |= bound
    return found


def _flowing(template: Template, flows: Mapping[str, int]) -> int:
    """Return the calls that flow into a template, as bits."""
    found = 0
    for reference in references(template):
        if reference.node is not None:
            found |= flows.get(reference.node, 0)
    return found


def _expected(write: _Touch) -> Template:
    """Return what a write expects the store to be like; nothing flows into what it does not say."""
    entries = [entry for template in write.templates if isinstance(template, Record) for entry in template.entries]
    return Record(tuple((key, value) for key, value in entries if key in EXPECTATIONS), write.span)


def _elsewhere(seen: list[_Touch], bits: int, write: _Touch) -> list[_Touch]:
    """Return these calls, without those that came through the same use as the write."""
    found = [touch for number, touch in enumerate(seen) if bits >> number & 1] if bits else []
    return [touch for touch in found if touch.use is None or touch.part != write.part]


def _report(read: _Touch, write: _Touch) -> Diagnostic:
    related = [(read.use or read.span, "read here")]
    if write.use is not None:
        related.append((write.span, "written here"))
    return Diagnostic(
        "OB512",
        f"`{read.name}` reads `{write.store}` and flows into `{write.name}`, which may undo a newer record",
        write.use or write.span,
        help="use the operation that carries the revision seen (`SWAP` with `revision`)",
        related=related,
        path=(read.name, write.name),
    )
