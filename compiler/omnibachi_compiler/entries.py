"""Entries: what is remembered of a file that was compiled, as JSON, so that it need not be read while nothing that it
rests on changes.

Files that declare a domain or a law have none: those are read at every compile. An entry holds no sealed bytes, only
their digests; the bytes are those of the snapshot that stands.

    content    digest of the file: its path, its domain, its bytes
    env        digest of all that its declarations rest on (see `incremental`)
    named      the addresses that its text names
    declares   {ADDRESS: {kind, summary, span, asks, …}}; asks are the addresses looked for, the rest is what others
               may know of it: a sealed schema, capabilities, the names of a body's ends
    workflows  {ADDRESS: {workflow, origins, laws, inlined}}: digests of both files, the laws that bind it, its uses
    contracts  {ADDRESS: signature}
    alone      whether it holds scenarios and nothing else
    warnings, places
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from omnibachi_model.addresses import candidates, split
from omnibachi_model.diagnostics import Diagnostic, Fix, Span
from omnibachi_model.digests import digest, digest_of

from .binding import Place
from .declarations import (
    Contract,
    Declaration,
    EventShape,
    Exit,
    Intent,
    Name,
    NamedSchema,
    Operation,
    Scenario,
    SideEffect,
    Store,
    Transform,
    Workflow,
)
from .library import Capability, Library, SealedStore, Shape, address_of
from .phase import Source
from .schemas import references
from .tree import Mapping
from .uses import calls_of

Json = dict[str, Any]
_KINDS: dict[type, str] = {
    Workflow: "workflow",
    Contract: "contract",
    Intent: "intent",
    EventShape: "event",
    NamedSchema: "schema",
    Store: "store",
    Transform: "transform",
    SideEffect: "side_effect",
    Scenario: "test",
}
KEPT = tuple(_KINDS)
AS_WRITTEN = ("workflow", "contract", "schema")  # kinds of which those who use them need all that is written


def content_of(source: Source) -> str:
    """Return the digest of a file: its path, its domain and its bytes."""
    return digest_of([source.path, source.domain, digest(source.data)])


def asked(item: Declaration) -> list[str]:
    """Return the addresses that a declaration looks for, whether something is found there or not; of a body also its
    domain, whose hosts hold its calls."""
    names: list[Name | None] = [
        Name(str(found.value), found.span) for tree in _schemas(item) for found in references(tree)
    ]
    own: set[str] = set()
    if isinstance(item, Store):
        names.append(item.governed_by)
    elif isinstance(item, Workflow | Contract):
        names.append(item.intent if isinstance(item, Workflow) else None)
        own.add(item.domain)
        for call in calls_of(item):
            names += [Name(call.use.text.partition(".")[0], call.use.span), call.store, call.event]
    if not names:
        return []
    domain = getattr(item, "domain", "")
    return sorted(own | {address for name in names if name for address in candidates(name.text, domain)})


def _schemas(item: Declaration) -> list[Mapping]:
    """Return the schemas that a declaration holds, as trees."""
    if isinstance(item, Intent | EventShape | NamedSchema | Store):
        tree = {Intent: "payload", EventShape: "record", NamedSchema: "tree", Store: "record"}[type(item)]
        return [found] if (found := getattr(item, tree)) is not None else []
    if isinstance(item, Contract):
        return [field.schema for field in item.inputs]
    calls = item.operations if isinstance(item, SideEffect) else (item,) if isinstance(item, Transform) else ()
    fields = [
        field for call in calls for field in (*call.inputs, *(one for each in call.outcomes for one in each.fields))
    ]
    return [field.schema for field in fields]


def declared(items: Iterable[Declaration], library: Library) -> Json:
    """Return what an entry says of the declarations of its file."""
    found: Json = {}
    for item in items:
        address, kind = address_of(item), _KINDS[type(item)]
        found[f"{kind} {address}" if kind == "test" else address] = {
            "kind": kind,
            "summary": getattr(item, "summary", ""),
            "span": written_span(item.name.span),
            "asks": asked(item),
            **_known(item, address, library),
        }
    return found


def _known(item: Declaration, address: str, library: Library) -> Json:
    """Return what others may know of a declaration."""
    if isinstance(item, Workflow | Contract):
        return {"exits": [leaving.name.text for leaving in item.exits]}
    if isinstance(item, Intent | EventShape):
        shape = (library.intents if isinstance(item, Intent) else library.events)[address]
        payload = written_span(shape.payload) if shape.payload else None
        members = {pointer: written_span(place) for pointer, place in shape.members.items()}
        return {"schema": shape.schema, "payload": payload, "members": members}
    if isinstance(item, Store):
        return {"store": {**_fields(library.stores[address]), "span": written_span(item.name.span)}}
    if isinstance(item, Transform):
        return {"capabilities": [_capability(library.capabilities[address])]}
    if isinstance(item, SideEffect):
        operations = [library.capabilities[f"{address}.{operation.name.text}"] for operation in item.operations]
        return {"keeps": item.keeps, "capabilities": [_capability(operation) for operation in operations]}
    return {}


def _fields(item: Any) -> Json:
    return {each.name: getattr(item, each.name) for each in dataclasses.fields(item)}


def _capability(item: Capability) -> Json:
    written = {"needs": sorted(item.needs), "outcomes": dict(item.outcomes), "span": written_span(item.span)}
    return {**_fields(item), **written}


def definitions(entries: Iterable[Json]) -> Library:
    """Return a library of what entries declare, bodies left out."""
    library = Library()
    for entry in entries:
        for address, told in entry["declares"].items():
            _define(address, told, library)
    return library


def _define(address: str, told: Json, library: Library) -> None:
    kind, summary, span = told["kind"], told["summary"], read_span(told["span"])
    domain, code = split(address)
    if kind in ("intent", "event"):
        payload = read_span(told["payload"]) if told["payload"] else None
        members = {pointer: read_span(place) for pointer, place in told["members"].items()}
        shapes = library.intents if kind == "intent" else library.events
        shapes[address] = Shape(address, told["schema"], summary, span, payload, members)
    elif kind == "store":
        library.stores[address] = SealedStore(**{**told["store"], "span": span})
    elif kind in ("transform", "side_effect"):
        read = [
            {**item, "needs": frozenset(item["needs"]), "span": read_span(item["span"])}
            for item in told["capabilities"]
        ]
        capabilities = [Capability(**item) for item in read]
        library.capabilities.update({item.address: item for item in capabilities})
        if kind == "transform":
            library.transforms[address] = Transform(Name(code, span), domain, summary, (), (), (), span)
        else:
            operations = tuple(_operation(item) for item in capabilities)
            library.side_effects[address] = SideEffect(
                Name(code, span), domain, summary, told["keeps"], operations, span
            )


def _operation(item: Capability) -> Operation:
    """Return an operation as far as those who use it look at its declaration."""
    name = Name(item.address.rpartition(".")[2], item.span)
    needs = tuple(Name(need, item.span) for need in sorted(item.needs))
    return Operation(name, Name(item.effect, item.span), needs, (), ())


def bodies(entries: Iterable[Json], library: Library) -> None:
    """File the bodies that entries declare as far as names and laws ask for them: name, summary, ends."""
    for entry in entries:
        for address, told in entry["declares"].items():
            if told["kind"] not in ("workflow", "contract"):
                continue
            (domain, code), span = split(address), read_span(told["span"])
            name, none, summary = Name(code, span), Name("", span), told["summary"]
            exits = tuple(Exit(Name(text, span), none, None) for text in told["exits"])
            if told["kind"] == "workflow":
                library.workflows[address] = Workflow(name, domain, summary, none, none, None, (), (), exits, span)
            else:
                library.contracts[address] = Contract(name, domain, summary, (), none, (), (), exits, span)


def written_span(span: Span) -> list[Any]:
    """Write a span as entries do."""
    return list(span.key())


def read_span(told: list[Any]) -> Span:
    """Read a span of an entry."""
    return Span(*told)


def written_finding(item: Diagnostic) -> Json:
    """Write a finding whose fix is located."""
    return {
        "code": item.code,
        "message": item.message,
        "span": written_span(item.span) if item.span else None,
        "help": item.help,
        "related": [[written_span(span), label] for span, label in item.related],
        "path": list(item.path),
        "severity": item.severity,
        "fix": [item.fix.says, [[written_span(span), text] for span, text in item.fix.edits]] if item.fix else None,
    }


def read_finding(told: Json) -> Diagnostic:
    """Read a finding of an entry."""
    fix = told["fix"]
    return Diagnostic(
        told["code"],
        told["message"],
        read_span(told["span"]) if told["span"] else None,
        help=told["help"],
        related=[(read_span(span), label) for span, label in told["related"]],
        path=told["path"],
        severity=told["severity"],
        fix=Fix(fix[0], [(read_span(span), text) for span, text in fix[1]]) if fix else None,
    )


def written_place(place: Place) -> list[Any]:
    """Write a place that is checked when run."""
    return [place.node, written_span(place.span), place.reason]


def read_place(told: list[Any]) -> Place:
    """Read a place of an entry."""
    return Place(told[0], read_span(told[1]), told[2])
