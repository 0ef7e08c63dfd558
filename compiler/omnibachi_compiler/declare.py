"""Declarations out of trees: every document is checked for its shape and read into the type of its kind.

A document whose shape is wrong gives its diagnostics and no declaration, unless what is wrong leaves the rest meaning
what it says (an unknown key, a missing summary, a single node): then the other phases can go on speaking about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from omnibachi_model.diagnostics import Diagnostic, in_order

from .declarations import (
    Broken,
    Compute,
    Decide,
    Declaration,
    Domain,
    EventShape,
    Exit,
    Field,
    Intent,
    Name,
    Node,
    Operation,
    Outcome,
    Route,
    Row,
    Scenario,
    SideEffect,
    Store,
    Transform,
    Use,
    Workflow,
)
from .phase import Phase, Source
from .shape import check_shape
from .tree import Entry, Mapping, Scalar, Sequence, Tree

DEFAULT_KEEPS = "records"


def declare(source: Source, trees: Iterable[Tree]) -> Phase[tuple[Declaration, ...]]:
    """Check and read the documents of one source. Diagnostics: OB201 to OB206, OB211, OB212, OB308, OB314."""
    declared: list[Declaration] = []
    found: list[Diagnostic] = []
    for tree in trees:
        shape = check_shape(tree)
        found.extend(shape.diagnostics)
        if not shape.sound or not isinstance(tree, Mapping):
            continue
        declaration = _read(shape.kind or "", tree, source, shape.broken)
        if isinstance(declaration, Domain) and declaration.name.text != source.domain:
            found.append(_misplaced(declaration, source))
            declaration = _renamed(declaration, source.domain)
        declared.append(declaration)
    return Phase(tuple(declared), in_order(found))


def _misplaced(domain: Domain, source: Source) -> Diagnostic:
    message = f"`domain: {domain.name.text}` stands in the folder of `{source.domain}`"
    return Diagnostic("OB308", message, domain.name.span, help=f"write `domain: {source.domain}`")


def _renamed(domain: Domain, name: str) -> Domain:
    """Return the domain under its folder's name, so that the folder is not reported again as one without a domain."""
    return Domain(Name(name, domain.name.span), domain.summary, domain.hosts, domain.span)


def _read(kind: str, tree: Mapping, source: Source, broken: frozenset[str]) -> Declaration:
    """Read a document of sound shape; the nodes that are `broken` have none."""
    name, domain = _name(tree, kind), source.domain
    summary, span = _text(tree, "summary"), tree.span
    if kind == "workflow":
        return _workflow(tree, domain, broken)
    if kind == "transform":
        examples = tuple(item for item in _items(tree, "examples") if isinstance(item, Mapping))
        return Transform(name, domain, summary, _fields(tree, "inputs"), _outcomes(tree), examples, span)
    if kind == "side_effect":
        operations = tuple(_operation(entry) for entry in _entries(tree, "operations"))
        return SideEffect(name, domain, summary, _text(tree, "keeps") or DEFAULT_KEEPS, operations, span)
    if kind == "store":
        seed, evidence = (_value(tree, key) is True for key in ("seed", "evidence"))
        governor = _name(tree, "governed_by")
        return Store(name, domain, summary, governor, _mapping(tree, "record"), seed, evidence, span)
    if kind == "intent":
        return Intent(name, domain, summary, _required(tree, "payload"), span)
    if kind == "event":
        return EventShape(name, domain, summary, _required(tree, "record"), span)
    if kind == "domain":
        return Domain(name, summary, _names(tree, "hosts"), span)
    steps = tuple(item for item in _items(tree, "steps") if isinstance(item, Mapping))
    return Scenario(name, domain, _optional(tree, "workflow"), _mapping(tree, "given"), steps, span)


def _workflow(tree: Mapping, domain: str, broken: frozenset[str]) -> Workflow:
    return Workflow(
        _name(tree, "workflow"),
        domain,
        _text(tree, "summary"),
        _name(tree, "intent"),
        _name(tree, "start"),
        _optional(tree, "fault"),
        _routes(tree),
        tuple(_node(entry, entry.key in broken) for entry in _entries(tree, "nodes")),
        tuple(_exit(entry) for entry in _entries(tree, "exits")),
        tree.span,
    )


def _node(entry: Entry, broken: bool) -> Node:
    name, body = _key(entry), _body(entry)
    if broken:
        return Broken(name, _routes(body))
    bindings, routes = _mapping(body, "with"), _routes(body)
    use = _optional(body, "use")
    if use is not None:
        return Use(name, use, _optional(body, "store"), _optional(body, "event"), bindings, routes)
    if body.entry("decide"):
        rows = tuple(_row(item) for item in _items(body, "decide") if isinstance(item, Mapping))
        return Decide(name, rows, bindings, routes)
    fields = tuple((_key(field), _named(field.value)) for field in _entries(body, "compute"))
    return Compute(name, fields, bindings, routes)


def _row(tree: Mapping) -> Row:
    return Row(_optional(tree, "when"), _name(tree, "outcome"), _optional(tree, "because"), tree.span)


def _exit(entry: Entry) -> Exit:
    body = _body(entry)
    return Exit(_key(entry), _name(body, "status"), _mapping(body, "result"))


def _operation(entry: Entry) -> Operation:
    body = _body(entry)
    return Operation(
        _key(entry), _name(body, "effect"), _names(body, "needs"), _fields(body, "inputs"), _outcomes(body)
    )


def _outcomes(tree: Mapping) -> tuple[Outcome, ...]:
    return tuple(Outcome(_key(entry), _fields_of(_body(entry))) for entry in _entries(tree, "outcomes"))


def _fields(tree: Mapping, key: str) -> tuple[Field, ...]:
    fields = _mapping(tree, key)
    return _fields_of(fields) if fields is not None else ()


def _fields_of(tree: Mapping) -> tuple[Field, ...]:
    return tuple(Field(_key(entry), _body(entry)) for entry in tree)


def _routes(tree: Mapping) -> tuple[Route, ...]:
    return tuple(Route(_key(entry), _named(entry.value)) for entry in _entries(tree, "next"))


# Below: parts of documents whose shape has been checked. What the schema allows to be absent gives None or nothing.


def _key(entry: Entry) -> Name:
    return Name(entry.key, entry.key_span)


def _named(tree: Tree) -> Name:
    return Name(str(tree.value) if isinstance(tree, Scalar) else "", tree.span)


def _name(tree: Mapping, key: str) -> Name:
    return _optional(tree, key) or Name("", tree.span)


def _optional(tree: Mapping, key: str) -> Name | None:
    found = tree.get(key)
    return None if found is None else _named(found)


def _names(tree: Mapping, key: str) -> tuple[Name, ...]:
    return tuple(_named(item) for item in _items(tree, key))


def _value(tree: Mapping, key: str) -> object:
    found = tree.get(key)
    return found.value if isinstance(found, Scalar) else None


def _text(tree: Mapping, key: str) -> str:
    found = _value(tree, key)
    return found if isinstance(found, str) else ""


def _mapping(tree: Mapping, key: str) -> Mapping | None:
    found = tree.get(key)
    return found if isinstance(found, Mapping) else None


def _required(tree: Mapping, key: str) -> Mapping:
    return _mapping(tree, key) or Mapping((), tree.span)


def _body(entry: Entry) -> Mapping:
    return entry.value if isinstance(entry.value, Mapping) else Mapping((), entry.value.span)


def _entries(tree: Mapping, key: str) -> Iterator[Entry]:
    return iter(_mapping(tree, key) or ())


def _items(tree: Mapping, key: str) -> tuple[Tree, ...]:
    found = tree.get(key)
    return found.items if isinstance(found, Sequence) else ()
