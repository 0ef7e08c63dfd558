"""Workflows, contracts and their nodes, read out of documents whose shape has been checked."""

from __future__ import annotations

from .declarations import (
    All,
    Broken,
    Compute,
    Contract,
    Decide,
    Each,
    Exit,
    Limits,
    Name,
    Node,
    Repeat,
    Retry,
    Route,
    Row,
    Use,
    Wait,
    Workflow,
)
from .reading import (
    body_of,
    entries_at,
    fields_at,
    items_at,
    key_of,
    mapping_at,
    name_at,
    named,
    names_at,
    optional,
    text_at,
    value_at,
)
from .tree import Entry, Mapping, Scalar, Tree

DEFAULT_ITEM = "item"


def workflow(tree: Mapping, domain: str, broken: frozenset[str]) -> Workflow:
    """Read a workflow; its nodes in `broken` are left without what they do."""
    limits = mapping_at(tree, "limits")
    return Workflow(
        name_at(tree, "workflow"),
        domain,
        text_at(tree, "summary"),
        name_at(tree, "intent"),
        name_at(tree, "start"),
        optional(tree, "fault"),
        _routes(tree),
        _nodes(tree, broken),
        tuple(_exit(entry) for entry in entries_at(tree, "exits")),
        tree.span,
        _limits(limits) if limits is not None else None,
    )


def contract(tree: Mapping, domain: str, broken: frozenset[str]) -> Contract:
    """Read a contract; its nodes in `broken` are left without what they do."""
    return Contract(
        name_at(tree, "contract"),
        domain,
        text_at(tree, "summary"),
        fields_at(tree, "inputs"),
        name_at(tree, "start"),
        _routes(tree),
        _nodes(tree, broken),
        tuple(Exit(key_of(entry), Name("", entry.key_span), body_of(entry)) for entry in entries_at(tree, "outcomes")),
        tree.span,
    )


def _limits(tree: Mapping) -> Limits:
    """Read limits; a number that is none is reported as a mistake of shape, and limits nothing."""
    visits = value_at(tree, "visits")
    effects = [(key_of(entry), _whole(entry.value)) for entry in entries_at(tree, "effects")]
    return Limits(
        visits if type(visits) is int else None,
        tuple((name, most) for name, most in effects if most is not None),
        tree.span,
    )


def _whole(tree: Tree | None) -> int | None:
    return tree.value if isinstance(tree, Scalar) and type(tree.value) is int else None


def _most(tree: Mapping) -> int:
    """Return `max`; a number such as `3.0` is whole too."""
    found = value_at(tree, "max")
    return int(found) if isinstance(found, int | float) else 1


def _nodes(tree: Mapping, broken: frozenset[str]) -> tuple[Node, ...]:
    return tuple(_node(entry, entry.key in broken) for entry in entries_at(tree, "nodes"))


def _node(entry: Entry, broken: bool) -> Node:
    name, body = key_of(entry), body_of(entry)
    routes = _routes(body)
    if broken:
        return Broken(name, routes)
    if body.entry("all"):
        calls = tuple(_call(key_of(member), body_of(member), ()) for member in entries_at(body, "all"))
        return All(name, calls, _good(body), routes)
    if body.entry("each"):
        items = body.get("each")
        assert items is not None
        item = optional(body, "as") or Name(DEFAULT_ITEM, name.span)
        return Each(name, items, item, _most(body), _good(body), _call(name, body, ()), routes)
    rounds = mapping_at(body, "repeat")
    if rounds is not None:
        every = optional(rounds, "every")
        return Repeat(name, _most(rounds), name_at(rounds, "until"), every, _call(name, body, ()), routes)
    if body.entry("use"):
        return _call(name, body, routes)
    bindings = mapping_at(body, "with")
    if body.entry("decide"):
        rows = tuple(_row(item) for item in items_at(body, "decide") if isinstance(item, Mapping))
        return Decide(name, rows, bindings, routes)
    waiting = mapping_at(body, "wait")
    if waiting is not None:
        quorum = value_at(waiting, "quorum")
        most = int(quorum) if isinstance(quorum, int | float) else 1
        within = optional(waiting, "within")
        return Wait(name, name_at(waiting, "for"), names_at(waiting, "roles"), most, within, bindings, routes)
    fields = tuple((key_of(field), named(field.value)) for field in entries_at(body, "compute"))
    return Compute(name, fields, bindings, routes)


def _call(name: Name, body: Mapping, routes: tuple[Route, ...]) -> Use:
    retry = mapping_at(body, "retry")
    return Use(
        name,
        name_at(body, "use"),
        optional(body, "store"),
        optional(body, "event"),
        mapping_at(body, "with"),
        routes,
        _retry(retry) if retry is not None else None,
        optional(body, "deadline"),
    )


def _retry(tree: Mapping) -> Retry:
    factor = value_at(tree, "factor")
    return Retry(
        names_at(tree, "on"),
        _most(tree),
        optional(tree, "backoff"),
        float(factor) if isinstance(factor, int | float) else 1.0,
        tree.span,
    )


def _good(body: Mapping) -> tuple[Name, ...] | None:
    return names_at(body, "good") if body.entry("good") else None


def _row(tree: Mapping) -> Row:
    return Row(optional(tree, "when"), name_at(tree, "outcome"), optional(tree, "because"), tree.span)


def _exit(entry: Entry) -> Exit:
    body = body_of(entry)
    return Exit(key_of(entry), name_at(body, "status"), mapping_at(body, "result"))


def _routes(tree: Mapping) -> tuple[Route, ...]:
    return tuple(Route(key_of(entry), named(entry.value)) for entry in entries_at(tree, "next"))
