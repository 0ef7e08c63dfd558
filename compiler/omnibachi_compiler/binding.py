"""Bindings: the type of each template where it is read, and whether it may go where it is bound.

Reports references that lead nowhere, that are not given on every path, and values that can never fit; collects the
places that fit only when run.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, TypeAlias

from omnibachi_model.checks import filler
from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.digests import encode
from omnibachi_model.nearest import nearest

from .doubts import doubts
from .facts import MOST_EXPLAINED, Facts, first_wanted, path_without, producers, walk
from .fits import Fit, Presence, array_of, fits, join_all, literal, object_of
from .fixes import renamed, replaced
from .frozen import dataclass
from .kinds import inner_of
from .loader import is_hole, short
from .overlays import is_record, overlaid
from .templates import First, Items, Literal, Merge, Perhaps, Record, Reference, Secret, Template, Unread

Schema: TypeAlias = dict[str, Any]

OPEN: Schema = {}
RUN: dict[str, Schema] = {
    "id": {"type": "string", "minLength": 1, "maxLength": 64},
    "started_at": {"type": "string", "format": "date-time"},
    "actor": {"type": ["string", "null"]},
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place that is checked when run, and why."""

    node: str
    span: Span
    reason: str


@dataclass(slots=True)
class Reader:
    """One reader of templates (a node or an exit) with what was found while judging it.

    `item` is the name under `$.each` and the type of what a loop goes over, while its call is judged.
    """

    name: str
    facts: Facts
    found: list[Diagnostic] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    item: tuple[str, Schema] | None = None

    def report(self, code: str, message: str, span: Span, **more: Any) -> None:
        """Add a diagnostic."""
        self.found.append(Diagnostic(code, message, span, **more))

    def check(self, span: Span, reason: str) -> None:
        """Note a place that is checked when run."""
        self.places.append(Place(self.name, span, reason))


def type_of(template: Template, reader: Reader) -> Schema:
    """Return the type of a template at its reader; report what is not given."""
    if isinstance(template, Literal):
        return literal(template.value)
    if isinstance(template, Record):
        return _record(template, reader)
    if isinstance(template, Perhaps):
        return _perhaps(template, reader)[0]
    if isinstance(template, Items):
        return array_of([type_of(item, reader) for item in template.items])
    if isinstance(template, First):
        return _first(template, reader)
    if isinstance(template, Merge):
        return _merged(template, reader)
    if isinstance(template, Secret):
        return {"type": "string"}
    if isinstance(template, Unread):
        return OPEN
    schema, presence = _reference(template, reader)
    if presence is Presence.OPTIONAL:
        reader.check(template.span, f"`{template.text}` may be absent")
    return schema


def _reference(reference: Reference, reader: Reader, *, may_be_absent: bool = False) -> tuple[Schema, Presence]:
    """Return type and presence of a reference; report one that leads nowhere or that a path does not give."""
    if reference.scope == "run":
        return RUN[str(reference.segments[0])], Presence.ALWAYS
    if reference.scope != "nodes":
        return _given(reference, reader)
    assert reference.node is not None
    if reference.node not in reader.facts.graph.nodes:
        near = reader.facts.nearest_node(reference.node)
        known = ", ".join(f"`{name}`" for name in sorted(reader.facts.graph.nodes)[:8])
        reader.report(
            "OB310",
            f"`{reference.text}` names no node: there is no `{reference.node}`",
            reference.span,
            help=f"did you mean `$.nodes.{near}`?" if near else f"known: {known}",
            fix=replaced(reference.span, reference.node, reader.facts.meant_node(reference.node)),
        )
        return OPEN, Presence.ALWAYS
    outcomes = list(producers(reader.facts, reference.node).values())
    if outcomes and all(reader.facts.walk(schema, reference.segments)[1] is Presence.NEVER for schema in outcomes):
        _nowhere(reference, outcomes, reader)
        return OPEN, Presence.ALWAYS
    presence = reader.facts.present(reader.name, reference.fact)
    if presence is Presence.NEVER and not may_be_absent:
        _not_given(reference.text, reference.span, (reference.fact,), reader)
        return OPEN, Presence.ALWAYS
    given = reader.facts.type_of(reader.name, reference.fact)
    return (OPEN if given is None else given), presence


def _given(reference: Reference, reader: Reader) -> tuple[Schema, Presence]:
    """Judge a reading of what is given from outside: the inputs or the payload of the body, the item of a loop."""
    graph = reader.facts.graph
    given: Schema | None = graph.inputs if reference.scope == graph.scope else None
    if reference.scope == "each" and reader.item is not None:
        given = object_of({reader.item[0]: reader.item[1]})
    if given is None:
        advice = {
            "payload": "name what is needed among the contract's `inputs`, and read it as `$.inputs.<name>`",
            "inputs": "a workflow is given its payload: read it as `$.payload.<name>`",
            "each": "only the `with` of a node that has `each` reads its item",
        }[reference.scope]
        reader.report("OB217", f"`{reference.text}` is not given here", reference.span, help=advice)
        return OPEN, Presence.ALWAYS
    schema, presence = reader.facts.walk(given, reference.segments)
    if presence is Presence.NEVER:
        _nowhere(reference, [given], reader)
        return OPEN, Presence.ALWAYS
    return schema, presence


def _nowhere(reference: Reference, schemas: list[Schema], reader: Reader) -> None:
    """Report the first segment of a path that names nothing."""
    for length in range(1, len(reference.segments) + 1):
        if any(walk(schema, reference.segments[:length])[1] is not Presence.NEVER for schema in schemas):
            continue
        segment = reference.segments[length - 1]
        owners = [walk(schema, reference.segments[: length - 1])[0] for schema in schemas]
        known = sorted({str(key) for owner in owners for key in owner.get("properties", {})})
        near = nearest(str(segment), known)
        listed = ", ".join(f"`{name}`" for name in known[:8])
        none = "a list counts from 0" if isinstance(segment, int) else "it has no members"
        advice = f"did you mean `{near}`?" if near else f"it has {listed}" if known else none
        root = f"$.{reference.scope}" if reference.node is None else f"$.nodes.{reference.node}"
        steps = [f".{step}" if isinstance(step, str) else f"[{step}]" for step in reference.segments[: length - 1]]
        where = "the payload" if root == "$.payload" else f"`{reference.node or root}`"
        if steps:
            where = f"`{root}{''.join(steps)}`"
        reader.report(
            "OB310",
            f"`{reference.text}` leads nowhere: {where} gives no `{segment}`",
            reference.span,
            help=advice,
            fix=renamed(reference.span, str(segment), known),
        )
        return


def _not_given(text: str, span: Span, wanted: tuple[Any, ...], reader: Reader) -> None:
    path = path_without(reader.facts, reader.name, wanted)
    reader.report(
        "OB506",
        f"{text if text.startswith('`') else f'`{text}`'} is not given on every path to `{reader.name}`",
        span,
        help=_remedy(path, reader),
        path=path,
    )


def _remedy(path: tuple[str, ...], reader: Reader) -> str:
    if path[1:]:
        return "give it on this path too, or read it with `$first`"
    told = reader.facts.explained <= MOST_EXPLAINED
    return "nothing before this node gives it" if told else "give it on every path, or read it with `$first`"


def _record(record: Record, reader: Reader) -> Schema:
    """Judge a mapping: what is optional in it may be left out."""
    made = object_of({key: type_of(value, reader) for key, value in record.entries if not isinstance(value, Perhaps)})
    for key, value in record.entries:
        if isinstance(value, Perhaps):
            made["properties"][key], presence = _perhaps(value, reader)
            if presence is Presence.ALWAYS:
                made["required"] = sorted({*made.get("required", ()), key})
    return made


def _perhaps(perhaps: Perhaps, reader: Reader) -> tuple[Schema, Presence]:
    """Judge a `$optional`: at least one path must give it."""
    item = perhaps.value
    if not isinstance(item, Reference):
        return _compound(item, reader)
    schema, presence = _reference(item, reader, may_be_absent=True)
    if presence is Presence.NEVER and reader.facts.type_of(reader.name, item.fact) is None:
        _not_given(item.text, item.span, (item.fact,), reader)
    return schema, presence


def _merged(merge: Merge, reader: Reader) -> Schema:
    """Judge a `$merge`: each part must be known to be a record, so that it can always be built."""
    made: Schema = object_of({})
    for item in merge.records:
        part = type_of(item, reader)
        if isinstance(item, Unread) or is_hole(item.span):
            return OPEN
        if not is_record(part):
            message = f"`$merge` takes records, and this is {describe(part)}"
            reader.report("OB507", message, item.span, help="give it a type, or bind its members one by one")
            return OPEN
        made = overlaid(made, part)
    return made


def _first(first: First, reader: Reader) -> Schema:
    """Judge a `$first`: given where every path gives at least one of its alternatives."""
    types: list[Schema] = []
    best = Presence.NEVER
    for item in first.alternatives:
        if isinstance(item, Reference):
            schema, presence = _reference(item, reader, may_be_absent=True)
        else:
            schema, presence = _compound(item, reader)
        types.append(schema)
        if presence is Presence.ALWAYS:
            best = presence
            break  # what stands after it is never taken
        best = presence if best is Presence.NEVER else best
    wanted = first_wanted(first)
    if best is not Presence.ALWAYS and wanted:
        together = reader.facts.first_present(reader.name, wanted)
        best = together if best is Presence.NEVER or together is Presence.ALWAYS else best
    if best is Presence.NEVER:
        _not_given("`$first` of these alternatives", first.span, wanted, reader)
    elif best is Presence.OPTIONAL:
        reader.check(first.span, "all alternatives of `$first` may be absent")
    return join_all(types)


def _compound(template: Template, reader: Reader) -> tuple[Schema, Presence]:
    """Judge an alternative that is no plain reference: it is there when all that it reads is there."""
    inner = Reader(reader.name, reader.facts, item=reader.item)
    schema = type_of(template, inner)
    if any(item.code == "OB506" for item in inner.found):
        reader.found.extend(item for item in inner.found if item.code != "OB506")
        return schema, Presence.NEVER
    reader.found.extend(inner.found)
    return schema, Presence.OPTIONAL if inner.places else Presence.ALWAYS


@dataclass(frozen=True, slots=True)
class Bound:
    """A node's inputs: the templates with defaults filled in, and the schema to check them with when run (or None)."""

    template: Record
    check: Schema | None


def bind(
    record: Record, inputs: Schema, reader: Reader, span: Span, what: str, *, judged: set[str], part: str = "input"
) -> Bound:
    """Judge a `with` against an object schema of inputs.

    `judged` names the inputs that the operation judges itself: a value that can never fit is an error all the same,
    but one that may fit is not checked before the call.
    """
    properties: dict[str, Schema] = inputs.get("properties", {})
    required = set(inputs.get("required", ()))
    entries: list[tuple[str, Template]] = []
    check = False
    for name, template in record.entries:
        schema = inner_of(inputs, name)
        actual = type_of(template, reader)
        entries.append((name, template))
        if schema is None:
            near = nearest(name, properties)
            known = ", ".join(f"`{item}`" for item in properties) or "none"
            reader.report(
                "OB312",
                f"{what} has no {part} `{name}`",
                record.keys.get(name, template.span),
                help=f"did you mean `{near}`?" if near else f"it has {known}",
                fix=renamed(
                    record.keys.get(name, template.span), name, properties.keys() - dict(record.entries).keys()
                ),
            )
            continue
        verdict = reader.facts.fits(actual, schema)
        if is_hole(template.span):
            continue
        if verdict is Fit.DISJOINT:
            place, message, advice = _misfit(name, template, actual, schema)
            reader.report("OB507", message, place, help=advice)
        elif name in judged:
            continue
        elif verdict is Fit.CHECK:
            check = True
            reader.check(template.span, f"`{name}` may not fit{doubts(actual, schema)}")
        elif filler(schema) is not None:
            check = True
        if isinstance(template, Perhaps):
            # A default is filled in when it is known that nothing was given.
            check = check or "default" in properties.get(name, {})
            if name in required and "default" not in properties.get(name, {}):
                message = f"{what} needs the input `{name}`, and `$optional` may leave it out"
                reader.report("OB313", message, template.span, help="bind what is always there, or a `$first`")
    defaulted = {name for name, schema in properties.items() if "default" in schema}
    for name in sorted(required - defaulted - {name for name, _ in record.entries}):
        reader.report("OB313", f"{what} needs the input `{name}`", span, help=f"bind `{name}` in `with`")
    given = {name for name, _ in entries}
    for name in sorted(defaulted - given):
        entries.append((name, Literal(properties[name]["default"], record.span)))
    bound = Record(tuple(entries), record.span)
    return Bound(bound, _relaxed(inputs, judged) if check else None)


def _relaxed(inputs: Schema, judged: set[str]) -> Schema:
    """Return the inputs' schema without what the operation judges itself."""
    properties = {name: ({} if name in judged else schema) for name, schema in inputs.get("properties", {}).items()}
    return {**inputs, "properties": properties}


def _misfit(name: str, template: Template, actual: Schema, wanted: Schema) -> tuple[Span, str, str | None]:
    """Say where and why a value can never fit; inside a mapping, at the member that is to blame."""
    if isinstance(template, Record) and wanted.get("type") == "object" and "properties" in wanted:
        written = dict(template.entries)
        for key, value in template.entries:
            asked, given = inner_of(wanted, key), inner_of(actual, key)
            if asked is None:
                near = nearest(key, wanted["properties"].keys() - written.keys())
                known = ", ".join(f"`{item}`" for item in sorted(wanted["properties"])) or "no members"
                advice = f"did you mean `{near}`?" if near else f"there is {known}"
                return template.keys.get(key, value.span), f"`{name}` has no member `{key}`", advice
            if given is not None and fits(given, asked) is Fit.DISJOINT:
                return _misfit(key, value, given, asked)
        lacking = [key for key in wanted.get("required", ()) if key not in written]
        if lacking:
            listed = ", ".join(f"`{key}`" for key in lacking)
            return template.span, f"`{name}` lacks {listed}", "add what is missing"
    shown = f"`{template.text}`" if isinstance(template, Reference) else "the value"
    message = f"{shown} can never fit `{name}`: {describe(actual)} where {describe(wanted)} is asked for"
    return template.span, message, None


LIMITS = (
    "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems",
    "pattern", "format",
)  # fmt: skip


def describe(schema: Schema) -> str:
    """Say a type in a few words."""
    if "const" in schema:
        return f"the value `{_written(schema['const'])}`"
    named = schema.get("type")
    if named is None:
        return "any value"
    words = [named] if isinstance(named, str) else list(named)
    text = " or ".join(words)
    if "enum" in schema:
        shown = [f"`{_written(item)}`" for item in schema["enum"][:5]]
        text += f" among {', '.join(shown)}{', …' if len(schema['enum']) > len(shown) else ''}"
    if len(words) == 1 and words[0] == "object" and "properties" in schema:
        text += f" with {', '.join(f'`{key}`' for key in sorted(schema['properties'])[:6])}"
    inside = schema.get("items", {}).get("type") if words == ["array"] else None
    if inside is not None:
        text += f" of {inside if isinstance(inside, str) else ' or '.join(inside)}"
    limits = [f"{key} {schema[key]}" for key in LIMITS if key in schema]
    return text + (f" ({', '.join(limits)})" if limits else "")


def _written(value: Any) -> str:
    """Write a value for a message: text as it is, anything else as JSON."""
    return short(value if isinstance(value, str) else encode(value).decode(), 40)
