"""Paths that can be read at a place: scopes, members of the payload or the inputs, and fields of nodes that the data
flow proves to be given there. What is not given on some path is left out, unless a `$first` stands around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from omnibachi_compiler.binding import RUN, Reader, describe, type_of
from omnibachi_compiler.declarations import Each
from omnibachi_compiler.facts import Fact, walk
from omnibachi_compiler.fits import Presence, member
from omnibachi_compiler.templates import parse_template
from omnibachi_model.addresses import NAME

from .bodies import Surveyed

Schema = dict[str, Any]
Segments = tuple[str | int, ...]

ALWAYS = "given on every path"
OPTIONAL = "may be absent"
SOMETIMES = "given on some paths only"
NOWHERE = "no path leads here yet"


@dataclass(frozen=True, slots=True)
class Readable:
    """A path that can be read: its last name, its type in words, how sure it is to be there, and its rank by that."""

    path: str
    type: str
    presence: str
    rank: int


def readable(surveyed: Surveyed, reader: str, base: Segments, *, each: bool, first: bool) -> list[Readable]:
    """Return what may follow `base` in a path that `reader` (a node or an end) reads.

    `each`: the item of its loop can be read there; `first`: what only some paths give will do.
    """
    graph = surveyed.graph
    if not base:
        scopes = [graph.scope, "nodes", "run", *(["each"] if each and item_of(surveyed, reader) else [])]
        return [Readable(f"$.{scope}", "", "", 0) for scope in scopes]
    scope = base[0]
    if scope == "nodes":
        if len(base) == 1:
            return _nodes(surveyed, reader, first=first)
        return _fields(surveyed, reader, str(base[1]), base[2:], first=first)
    schema: Schema | None = None
    if scope == graph.scope:
        schema = graph.inputs
    elif scope == "run":
        schema = {"type": "object", "properties": RUN, "required": list(RUN)}
    elif scope == "each" and each and (item := item_of(surveyed, reader)):
        schema = {"type": "object", "properties": {item[0]: item[1]}, "required": [item[0]]}
    if schema is None:
        return []
    inner, presence = walk(schema, base[1:])
    if presence is Presence.NEVER:
        return []
    return [_member(inner, name, base, presence) for name in _names([inner])]


def item_of(surveyed: Surveyed, node: str) -> tuple[str, Schema] | None:
    """Return the name and the type of what a node's `each` goes over."""
    linked = surveyed.graph.nodes.get(node)
    if linked is None or not isinstance(linked.declaration, Each):
        return None
    # What it calls may not be understood yet; what it goes over may be all the same.
    template = linked.items or parse_template(linked.declaration.items).value
    items: Schema = type_of(template, Reader(node, surveyed.facts)).get("items", {}) if template is not None else {}
    return linked.declaration.item.text, items


def _member(owner: Schema, name: str, base: Segments, before: Presence) -> Readable:
    schema, presence = member(owner, name)
    sure = presence is Presence.ALWAYS and before is Presence.ALWAYS
    return Readable(written((*base, name)), describe(schema), ALWAYS if sure else OPTIONAL, 0 if sure else 1)


def _names(schemas: Iterable[Schema]) -> list[str]:
    """Return the names that can be written after a dot, of all members of these types."""
    found: dict[str, None] = {}
    for schema in schemas:
        listed = schema.get("const")
        found.update(dict.fromkeys([*schema.get("properties", {}), *(listed if isinstance(listed, dict) else ())]))
    return [name for name in found if NAME.match(name) or name.isidentifier()]


def _nodes(surveyed: Surveyed, reader: str, *, first: bool) -> list[Readable]:
    before = surveyed.before(reader)
    wanted: dict[Fact, str] = {}
    for name in before:
        wanted[("nodes", name, ())] = name
        for field in _names(surveyed.outcomes(name).values()):
            wanted[("nodes", name, (field,))] = name
    presences = surveyed.presences(reader, list(wanted))
    if not presences:
        names = [name for name in surveyed.graph.nodes if name != reader]
        return [Readable(f"$.nodes.{name}", _what(surveyed, name), NOWHERE, 2) for name in names]
    there = {wanted[fact] for fact, presence in presences.items() if presence is not Presence.NEVER}
    found: list[Readable] = []
    for name in before:
        if name in there:
            found.append(Readable(f"$.nodes.{name}", _what(surveyed, name), "", 0))
        elif first:
            found.append(Readable(f"$.nodes.{name}", _what(surveyed, name), SOMETIMES, 2))
    return found


def _what(surveyed: Surveyed, name: str) -> str:
    linked = surveyed.graph.nodes[name]
    if linked.capability is not None:
        return linked.capability.address
    return linked.body.address if linked.body is not None else type(linked.declaration).__name__.lower()


def _fields(surveyed: Surveyed, reader: str, node: str, base: Segments, *, first: bool) -> list[Readable]:
    if node not in surveyed.graph.nodes:
        return []
    owners = [walk(schema, base) for schema in surveyed.outcomes(node).values()]
    inner = [schema for schema, presence in owners if presence is not Presence.NEVER]
    facts: list[Fact] = [("nodes", node, (*base, name)) for name in _names(inner)]
    presences = surveyed.presences(reader, facts)
    found: list[Readable] = []
    for fact in facts:
        presence = presences.get(fact, Presence.NEVER)
        path = written(("nodes", node, *fact[2]))
        kind = _type(surveyed, reader, fact)
        if presence is not Presence.NEVER:
            sure = presence is Presence.ALWAYS
            found.append(Readable(path, kind, ALWAYS if sure else OPTIONAL, 0 if sure else 1))
        elif not presences and node != reader:
            found.append(Readable(path, kind, NOWHERE, 2))
        elif first and node in surveyed.before(reader):
            found.append(Readable(path, kind, SOMETIMES, 2))
    return found


def _type(surveyed: Surveyed, reader: str, fact: Fact) -> str:
    schema = surveyed.facts.type_of(reader, fact) if reader in surveyed.facts.position else None
    return describe(schema) if schema is not None else ""


def written(segments: Segments) -> str:
    """Return a path as it is written."""
    steps = (f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]" for step in segments)
    return "$" + "".join(steps)
