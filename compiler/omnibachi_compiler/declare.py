"""Declarations out of trees: every document is checked for its shape and read into the type of its kind.

A document whose shape is wrong gives its diagnostics and no declaration, unless what is wrong leaves the rest meaning
what it says (an unknown key, a missing summary, a single node): then the other phases can go on speaking about it.
"""

from __future__ import annotations

from collections.abc import Iterable

from omnibachi_model.diagnostics import Diagnostic, in_order

from .declarations import (
    Declaration,
    Domain,
    EventShape,
    Intent,
    Name,
    NamedSchema,
    Operation,
    Outcome,
    Policy,
    Scenario,
    SideEffect,
    Store,
    Transform,
)
from .declare_graphs import contract, workflow
from .declare_laws import invariant
from .fixes import replaced
from .phase import Phase, Source
from .reading import (
    body_of,
    entries_at,
    fields_at,
    fields_of,
    items_at,
    key_of,
    mapping_at,
    name_at,
    names_at,
    optional,
    required_at,
    text_at,
    value_at,
)
from .shape import check_shape
from .tree import Entry, Mapping, Tree

DEFAULT_KEEPS = "records"
OF_ACCOUNTS = ("overdraft", "opened", "open_on_receipt")


def declare(source: Source, trees: Iterable[Tree]) -> Phase[tuple[Declaration, ...]]:
    """Check and read the documents of one source.

    Diagnostics: OB201 to OB206, OB211, OB212, OB220, OB221, OB308, OB314.
    """
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
    fix = replaced(domain.name.span, domain.name.text, source.domain)
    return Diagnostic("OB308", message, domain.name.span, help=f"write `domain: {source.domain}`", fix=fix)


def _renamed(domain: Domain, name: str) -> Domain:
    """Return the domain under its folder's name, so that the folder is not reported again as one without a domain."""
    return Domain(Name(name, domain.name.span), domain.summary, domain.hosts, domain.span, domain.programs)


def _read(kind: str, tree: Mapping, source: Source, broken: frozenset[str]) -> Declaration:
    """Read a document of sound shape; the nodes that are `broken` have none."""
    name, domain = name_at(tree, kind), source.domain
    summary, span = text_at(tree, "summary"), tree.span
    if kind == "workflow":
        return workflow(tree, domain, broken)
    if kind == "contract":
        return contract(tree, domain, broken)
    if kind == "invariant":
        return invariant(tree, domain)
    if kind == "policy":
        return Policy(name, domain, summary, tree, span)
    if kind == "transform":
        examples = tuple(item for item in items_at(tree, "examples") if isinstance(item, Mapping))
        return Transform(name, domain, summary, fields_at(tree, "inputs"), _outcomes(tree), examples, span)
    if kind == "side_effect":
        operations = tuple(_operation(entry) for entry in entries_at(tree, "operations"))
        return SideEffect(name, domain, summary, text_at(tree, "keeps") or DEFAULT_KEEPS, operations, span)
    if kind == "store":
        seed, evidence = (value_at(tree, key) is True for key in ("seed", "evidence"))
        governor = name_at(tree, "governed_by")
        accounts = tuple(entry for entry in tree if entry.key in OF_ACCOUNTS)
        return Store(name, domain, summary, governor, mapping_at(tree, "record"), seed, evidence, span, accounts)
    if kind == "intent":
        return Intent(name, domain, summary, required_at(tree, "payload"), span)
    if kind == "schema":
        return NamedSchema(name, domain, summary, required_at(tree, "is"), span)
    if kind == "event":
        return EventShape(name, domain, summary, required_at(tree, "record"), span)
    if kind == "domain":
        return Domain(name, summary, names_at(tree, "hosts"), span, mapping_at(tree, "programs"))
    steps = tuple(item for item in items_at(tree, "steps") if isinstance(item, Mapping))
    return Scenario(name, domain, optional(tree, "workflow"), mapping_at(tree, "given"), steps, span)


def _operation(entry: Entry) -> Operation:
    body = body_of(entry)
    inputs, outcomes = fields_at(body, "inputs"), _outcomes(body)
    effect, repeat = name_at(body, "effect"), optional(body, "repeat")
    return Operation(key_of(entry), effect, names_at(body, "needs"), inputs, outcomes, repeat)


def _outcomes(tree: Mapping) -> tuple[Outcome, ...]:
    return tuple(Outcome(key_of(entry), fields_of(body_of(entry))) for entry in entries_at(tree, "outcomes"))
