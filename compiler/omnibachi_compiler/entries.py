"""Entries: what is remembered of a file that was compiled, as JSON, so that it need not be read while nothing that it
rests on changes.

Only files of workflows, contracts, intents, events and scenarios have entries: whatever else is declared is read at
every compile. An entry holds no sealed bytes, only their digests; the bytes are those of the snapshot that stands.

    content    digest of the file: its path, its domain, its bytes
    env        digest of all that its bodies rest on (see `incremental`)
    named      the addresses that its text names
    declares   {ADDRESS: {kind, summary, span, asks}}, of a body also exits; asks are the addresses looked for
    shapes     {ADDRESS: {schema, payload, members}} of its intents and events
    workflows  {ADDRESS: {workflow, origins, laws, inlined}}: digests of both files, the laws that bind it, its uses
    contracts  {ADDRESS: signature}
    alone      whether it holds scenarios and nothing else
    warnings, places
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from omnibachi_model.addresses import candidates, split
from omnibachi_model.diagnostics import Diagnostic, Fix, Span
from omnibachi_model.digests import digest, digest_of

from .binding import Place
from .declarations import Contract, Declaration, EventShape, Exit, Intent, Name, Scenario, Store, Workflow
from .library import Library, Shape, address_of
from .phase import Source
from .uses import calls_of

Json = dict[str, Any]
KEPT = (Workflow, Contract, Intent, EventShape, Scenario)
_KINDS = {Workflow: "workflow", Contract: "contract", Intent: "intent", EventShape: "event", Scenario: "test"}


def content_of(source: Source) -> str:
    """Return the digest of a file: its path, its domain and its bytes."""
    return digest_of([source.path, source.domain, digest(source.data)])


def asked(item: Declaration) -> list[str]:
    """Return the addresses that a declaration looks for, whether something is found there or not; of a body also its
    domain, whose hosts hold its calls."""
    names: list[Name | None] = []
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


def declared(items: Iterable[Declaration], library: Library) -> Json:
    """Return what an entry says of the declarations of its file and of the shapes among them."""
    shapes = {**library.intents, **library.events}
    declares: Json = {}
    found: Json = {}
    for item in items:
        address = address_of(item)
        kind = _KINDS[type(item)]
        span = item.name.span
        declares[f"{kind} {address}" if kind == "test" else address] = {
            "kind": kind,
            "summary": getattr(item, "summary", ""),
            "span": written_span(span),
            "asks": asked(item),
        }
        if isinstance(item, Workflow | Contract):
            declares[address]["exits"] = [leaving.name.text for leaving in item.exits]
        elif isinstance(item, Intent | EventShape):
            shape = shapes[address]
            found[address] = {
                "schema": shape.schema,
                "payload": written_span(shape.payload) if shape.payload else None,
                "members": {pointer: written_span(place) for pointer, place in shape.members.items()},
            }
    return {"declares": declares, "shapes": found}


def restored(entries: Mapping[str, Json], library: Library) -> None:
    """File what entries declare: shapes as they were, of bodies what names and laws ask for."""
    for entry in entries.values():
        for key, told in entry["declares"].items():
            span, kind = read_span(told["span"]), told["kind"]
            if kind in ("intent", "event"):
                shape = entry["shapes"][key]
                payload = read_span(shape["payload"]) if shape["payload"] else None
                members = {pointer: read_span(place) for pointer, place in shape["members"].items()}
                filed = Shape(key, shape["schema"], told["summary"], span, payload, members)
                (library.intents if kind == "intent" else library.events)[key] = filed
            elif kind in ("workflow", "contract"):
                _stub(key, told, span, library)


def _stub(address: str, told: Json, span: Span, library: Library) -> None:
    """File a body that is not read: its name, its summary, its ends."""
    domain, code = split(address)
    name, none = Name(code, span), Name("", span)
    exits = tuple(Exit(Name(text, span), none, None) for text in told["exits"])
    if told["kind"] == "workflow":
        library.workflows[address] = Workflow(name, domain, told["summary"], none, none, None, (), (), exits, span)
    else:
        library.contracts[address] = Contract(name, domain, told["summary"], (), none, (), (), exits, span)


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
