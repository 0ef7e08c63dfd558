"""The data-flow proof: what is given at each node, over all paths.

Each distinct reference to a node's output is one fact, each `$first` is one more. An edge generates a fact when its
outcome gives the field; where paths meet, what they give is intersected (a forward must-analysis, one bit a fact, one
pass in topological order). FAULT edges give nothing, those of exits whose result may be absent neither. Twice over:
`given` counts optional fields, `sure` does not, so that a reading which is given but not sure is checked when run. A
reference that is not given on every path is proven by a path without it.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from omnibachi_model.nearest import nearest, only_nearest
from omnibachi_model.sealed import FAULT

from .fits import Fit, Presence, fits, join, member
from .links import Graph
from .sorting import sorted_topologically
from .templates import First, Reference, Template, parts, references

MOST_EXPLAINED = 100  # references of one graph whose path is looked for: each is a walk over the graph

Schema: TypeAlias = dict[str, Any]
Fact: TypeAlias = "tuple[str, str | None, tuple[str | int, ...]]"


@dataclass(slots=True)
class _Ways:
    """Shortest ways from the start on which none of some facts is given: for each name that has one its length, the
    name before and the step from there. `judged` names were gone through, in the order of the graph."""

    came: dict[str, tuple[int, str, str]]
    judged: int = 0


@dataclass(slots=True)
class Facts:
    """The analysis while it walks over a graph in topological order; `risky` are the exits that may end in FAULT."""

    graph: Graph
    risky: frozenset[str]
    order: tuple[str, ...]
    outputs: dict[str, dict[str, Schema]]  # node: outcome: schema, filled in as nodes are judged
    index: dict[Fact, int] = field(default_factory=dict)
    by_node: dict[str, list[Fact]] = field(default_factory=lambda: collections.defaultdict(list))
    firsts: dict[str, list[tuple[int, tuple[Fact, ...]]]] = field(default_factory=lambda: collections.defaultdict(list))
    given: dict[str, int] = field(default_factory=dict)
    sure: dict[str, int] = field(default_factory=dict)
    reach: dict[str, int] = field(default_factory=dict)
    position: dict[str, int] = field(default_factory=dict)
    explained: int = 0
    ways: dict[int, _Ways] = field(default_factory=dict)  # by the facts that they do without, as bits
    near: dict[str, str | None] = field(default_factory=dict)
    meant: dict[str, str | None] = field(default_factory=dict)
    walks: dict[tuple[int, tuple[str | int, ...]], tuple[Schema, Schema, Presence]] = field(default_factory=dict)
    verdicts: dict[tuple[int, int], tuple[Schema, Schema, Fit]] = field(default_factory=dict)

    def edges(self, name: str) -> list[tuple[str, str]]:
        """Return (outcome, target) of a node, and of an exit that may end in FAULT."""
        return self.graph.edges(name) if name in self.graph.nodes or name in self.risky else []

    def present(self, reader: str, fact: Fact) -> Presence:
        """Tell whether a fact about a node is there at the reader on every path."""
        at = self.index.get(fact)
        if at is None:  # an editor may ask for what the unfinished text that was proven does not
            return Presence.NEVER
        bit = 1 << at
        if self.sure.get(reader, 0) & bit:
            return Presence.ALWAYS
        return Presence.OPTIONAL if self.given.get(reader, 0) & bit else Presence.NEVER

    def first_present(self, reader: str, facts: tuple[Fact, ...]) -> Presence:
        """The same for a `$first`: at least one of its alternatives on every path."""
        return self.present(reader, _first_fact(facts))

    def nearest_node(self, name: str) -> str | None:
        """Return the node whose name is nearest to one that no node has; each is looked for once."""
        if name not in self.near:
            self.near[name] = nearest(name, self.graph.nodes)
        return self.near[name]

    def meant_node(self, name: str) -> str | None:
        """Return that node where no other name is as near."""
        if name not in self.meant:
            self.meant[name] = only_nearest(name, self.graph.nodes)
        return self.meant[name]

    def type_of(self, reader: str, fact: Fact) -> Schema | None:
        """Return the type of a node's field as the reader may find it, or None when no outcome gives it."""
        _, name, segments = fact
        assert name is not None
        bit = 1 << self.position[reader]
        found: Schema | None = None
        # In the order of their names: which of two equal types is taken must not depend on the text's order.
        targets = self.graph.nodes[name].targets
        for outcome, schema in sorted(self.outputs.get(name, {}).items()):
            target = targets.get(outcome)
            if target is None or not self.reach[target] & bit:
                continue
            schema, presence = self.walk(schema, segments)
            if presence is not Presence.NEVER:
                found = schema if found is None else join(found, schema)
        return found

    def walk(self, schema: Schema, segments: tuple[str | int, ...]) -> tuple[Schema, Presence]:
        """Do as the function of this name does; each way into a schema, which many nodes may share, is gone once."""
        known = self.walks.get((id(schema), segments))
        if known is None:  # the schema is kept, so that its number stays its own
            known = self.walks[id(schema), segments] = (schema, *walk(schema, segments))
        return known[1], known[2]

    def fits(self, given: Schema, asked: Schema) -> Fit:
        """Do as the function of this name does; what was said of two schemas is not found out again."""
        known = self.verdicts.get((id(given), id(asked)))
        if known is None:
            known = self.verdicts[id(given), id(asked)] = (given, asked, fits(given, asked))
        return known[2]


def walk(schema: Schema, segments: Iterable[str | int]) -> tuple[Schema, Presence]:
    """Follow path segments into a type: the type found there, and the least sure presence on the way."""
    presence = Presence.ALWAYS
    for segment in segments:
        schema, step = member(schema, segment)
        if step is Presence.NEVER:
            return schema, step
        if step is Presence.OPTIONAL:
            presence = step
    return schema, presence


def prepare(graph: Graph, risky: frozenset[str]) -> Facts:
    """Number the facts that the graph's readers ask for, and find what each node reaches.

    The edges of `risky` exits must not lead back to them.
    """
    facts = Facts(graph, risky, _order(graph, risky), {})
    facts.position = {name: number for number, name in enumerate(facts.order)}
    for name in reversed(facts.order):
        reach = 1 << facts.position[name]
        for _, target in facts.edges(name):
            reach |= facts.reach[target]
        facts.reach[name] = reach
    for node in graph.nodes.values():
        for template in node.templates:
            _number(template, facts)
    for ending in graph.exits.values():
        _number(ending.result, facts)
    start = graph.body.start.text
    facts.given[start] = facts.sure[start] = 0
    return facts


def _order(graph: Graph, risky: frozenset[str]) -> tuple[str, ...]:
    if not risky:
        return graph.order
    leading = {*graph.nodes, *risky}
    edges = {name: [target for _, target in graph.edges(name)] if name in leading else [] for name in graph.order}
    return tuple(sorted_topologically(edges))


def _number(template: Template, facts: Facts) -> None:
    for part in parts(template):
        if type(part) is Reference and part.scope == "nodes" and part.fact not in facts.index:
            facts.index[part.fact] = len(facts.index)
            assert part.node is not None
            facts.by_node[part.node].append(part.fact)
        if type(part) is not First:
            continue
        alternatives = first_wanted(part)
        if alternatives and _first_fact(alternatives) not in facts.index:
            number = facts.index[_first_fact(alternatives)] = len(facts.index)
            for node in {str(fact[1]): None for fact in alternatives}:
                facts.firsts[node].append((number, alternatives))


def first_wanted(first: First) -> tuple[Fact, ...]:
    """Return what each alternative of a `$first` takes from a node, of those that read one thing from one node."""
    wanted: list[Fact] = []
    for item in first.alternatives:
        facts = {part.fact: part.scope for part in references(item) if part.scope != "run"}
        nested = any(isinstance(part, First) for part in parts(item))
        if list(facts.values()) == ["nodes"] and not nested:
            wanted.extend(facts)
    return tuple(wanted)


def _first_fact(alternatives: tuple[Fact, ...]) -> Fact:
    return ("first", None, tuple(repr(fact) for fact in alternatives))


def advance(facts: Facts, name: str) -> None:
    """Carry what is given at a node over its edges, once its outcomes are known in `facts.outputs`."""
    if name not in facts.given:
        return
    for outcome, target in facts.edges(name):
        given, sure = generated(facts, name, outcome)
        given |= facts.given[name]
        sure |= facts.sure[name]
        facts.given[target] = facts.given.get(target, given) & given
        facts.sure[target] = facts.sure.get(target, sure) & sure


def generated(facts: Facts, name: str, outcome: str) -> tuple[int, int]:
    """Return the facts that an edge gives, as bits: (given, sure)."""
    if outcome == FAULT:
        return 0, 0
    schema = facts.outputs[name].get(outcome)
    if schema is None:
        return 0, 0
    given = sure = 0
    presences = {fact: facts.walk(schema, fact[2])[1] for fact in facts.by_node.get(name, ())}
    for fact, presence in presences.items():
        bit = 1 << facts.index[fact]
        given |= bit if presence is not Presence.NEVER else 0
        sure |= bit if presence is Presence.ALWAYS else 0
    for number, alternatives in facts.firsts.get(name, ()):
        found = [presences[fact] for fact in alternatives if fact in presences]
        given |= 1 << number if any(item is not Presence.NEVER for item in found) else 0
        sure |= 1 << number if Presence.ALWAYS in found else 0
    return given, sure


def path_without(facts: Facts, reader: str, wanted: tuple[Fact, ...]) -> tuple[str, ...]:
    """Return a shortest path from the start to the reader on which no edge gives any of the facts.

    Only the reader itself where that was asked for too often already.
    """
    facts.explained += 1
    if facts.explained > MOST_EXPLAINED:
        return (reader,)
    bits = 0
    for fact in wanted:
        bits |= 1 << facts.index[fact]
    ways = facts.ways.setdefault(bits, _Ways({facts.graph.body.start.text: (0, "", "")}))
    # What comes before the reader has been judged, and what was found for an earlier reader is not sought again.
    for name in facts.order[ways.judged : facts.position[reader]]:
        if name not in ways.came:
            continue
        length = ways.came[name][0] + 1
        for outcome, target in facts.edges(name):
            if target in ways.came and ways.came[target][0] <= length:
                continue
            if not generated(facts, name, outcome)[0] & bits:
                ways.came[target] = (length, name, f"{name} {outcome}")
    ways.judged = max(ways.judged, facts.position[reader])
    steps: list[str] = [reader]
    _, at, step = ways.came.get(reader, (0, "", ""))
    while at:
        steps.append(step)
        _, at, step = ways.came[at]
    return tuple(reversed(steps))


def producers(facts: Facts, name: str) -> Mapping[str, Schema]:
    """Return the outcome schemas of a node that has been judged."""
    return facts.outputs.get(name, {})
