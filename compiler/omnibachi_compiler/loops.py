"""Loops as nodes: what `each`, `repeat` and `all` call, which outcomes they may have, and what these give.

To the graph and its data flow a loop is one node. Its outcomes follow from those of its body; one that cannot be need
not be routed, and where it is routed all the same, that makes no edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.nearest import nearest
from omnibachi_model.sealed import SUCCESS

from .declarations import All, Body, Each, Name, Node, Repeat, Use
from .facts import walk
from .fits import Presence, join_all, literal, object_of
from .fixes import renamed
from .links import Linked
from .templates import First, Items, Literal, Record, Reference, Template, parse_template
from .uses import Known, link_use

PARTIAL = "PARTIAL"
FAILED = "FAILED"
OVERFLOW = "OVERFLOW"
EXHAUSTED = "EXHAUSTED"
OUTCOME_FIELD = "outcome"

Loop = Each | Repeat | All
Schema = dict[str, Any]


def imaginable(node: Node) -> tuple[str, ...]:
    """Return the outcomes that a node of this kind may name in `next` although it cannot have them."""
    if isinstance(node, Each):
        return (SUCCESS, PARTIAL, FAILED, OVERFLOW)
    return (SUCCESS, FAILED) if isinstance(node, All) else ()


def link_loop(node: Loop, body: Body, known: Known, found: list[Diagnostic]) -> Linked | None:
    """Resolve what a loop calls and find its outcomes, without its routes; None where that is not understood."""
    items: Template | None = None
    if isinstance(node, Each):
        phase = parse_template(node.items)
        found.extend(phase.diagnostics)
        items = phase.value
    linked = [link_use(call, known, found) for call in (node.calls if isinstance(node, All) else (node.call,))]
    calls = tuple(call for call in linked if call is not None)
    if len(calls) < len(linked):
        return None
    before = len(found)
    outcomes: dict[str, Schema] = {}
    if isinstance(node, All):
        _readers(calls, found)
        outcomes = _of_all(node, calls, found)
    elif isinstance(node, Each):
        assert items is not None
        outcomes = _of_each(node, calls[0], longest(items, body, known), found)
    else:
        outcomes = _of_repeat(node, calls[0], found)
    if len(found) > before:
        return None
    return Linked(node, None, None, None, outcomes, {}, {}, Record((), node.name.span), None, calls, items)


def _of_each(node: Each, call: Linked, most: float, found: list[Diagnostic]) -> dict[str, Schema]:
    """Return the outcomes of an `each` over a list of at most `most` items."""
    good = _good(node.good, call.outcomes, node, found)
    items = {outcome: _with_outcome(outcome, schema, call, found) for outcome, schema in call.outcomes.items()}
    well = [schema for outcome, schema in items.items() if outcome in good]
    ill = [schema for outcome, schema in items.items() if outcome not in good]
    top = int(min(node.most, most))
    outcomes = {SUCCESS: _listed(well, 0, top)}
    if ill and well:
        outcomes[PARTIAL] = _listed([*well, *ill], min(2, top), top)
    if ill:
        outcomes[FAILED] = _listed(ill, min(1, top), top)
    if most > node.most:
        outcomes[OVERFLOW] = object_of({})
    return outcomes


def _listed(items: list[Schema], least: int, most: int) -> Schema:
    listed: Schema = {"type": "array", "maxItems": most}
    if least:
        listed["minItems"] = least
    if items:
        listed["items"] = join_all(items)
    return object_of({"items": listed})


def _with_outcome(outcome: str, schema: Schema, call: Linked, found: list[Diagnostic]) -> Schema:
    """Return the type of one result: the fields that an outcome gives, and the outcome itself."""
    properties = schema.get("properties", {})
    if OUTCOME_FIELD in properties:
        assert isinstance(call.declaration, Use)
        use = call.declaration.use
        message = f"`{outcome}` of `{use.text}` gives a field `{OUTCOME_FIELD}`, which is what a result is told by"
        advice = "let a contract around it give that field another name"
        found.append(Diagnostic("OB417", message, use.span, help=advice))
    required = sorted({*schema.get("required", ()), OUTCOME_FIELD})
    named = {"type": "string", "enum": [outcome]}
    return {**schema, "type": "object", "properties": {**properties, OUTCOME_FIELD: named}, "required": required}


def _good(
    names: Iterable[Name] | None, outcomes: Mapping[str, Schema], node: Each | All, found: list[Diagnostic]
) -> frozenset[str]:
    """Return the outcomes that count as good: those named, else SUCCESS; each must be declared (OB321)."""
    wanted = names if names is not None else [Name(SUCCESS, node.name.span)]
    for name in wanted:
        if name.text in outcomes:
            continue
        if names is None:
            message = f"what `{node.name.text}` calls declares no `{SUCCESS}`, and nothing says what is good"
            declared = ", ".join(sorted(outcomes))
            found.append(Diagnostic("OB321", message, name.span, help=f"add `good:`, a list of some of {declared}"))
            continue
        near = nearest(name.text, outcomes)
        declared = ", ".join(f"`{outcome}`" for outcome in sorted(outcomes))
        message = f"nothing that `{node.name.text}` calls declares the outcome `{name.text}`"
        advice = f"did you mean `{near}`?" if near else f"declared: {declared}"
        found.append(Diagnostic("OB321", message, name.span, help=advice, fix=renamed(name.span, name.text, outcomes)))
    return frozenset(name.text for name in wanted)


def _of_repeat(node: Repeat, call: Linked, found: list[Diagnostic]) -> dict[str, Schema]:
    """Return the outcomes of a `repeat`: SUCCESS and EXHAUSTED give the same, others end it as they are."""
    use = node.call.use
    if SUCCESS not in call.outcomes:
        message = f"`{use.text}` declares no `{SUCCESS}`, after which it would be called again"
        found.append(Diagnostic("OB416", message, use.span, help="call it without `repeat`, or inside a contract"))
    elif EXHAUSTED in call.outcomes:
        message = f"`{use.text}` declares `{EXHAUSTED}`, which is what `repeat` ends in after its last round"
        found.append(Diagnostic("OB416", message, use.span, help="let a contract around it give another outcome"))
    return {**call.outcomes, EXHAUSTED: call.outcomes.get(SUCCESS, {})}


def _readers(calls: Iterable[Linked], found: list[Diagnostic]) -> None:
    """Hold the members of an `all` to operations that only read."""
    for call in calls:
        if call.capability is not None and call.capability.effect == "READ":
            continue
        assert isinstance(call.declaration, Use)
        use = call.declaration.use
        what = f"its effect is {call.capability.effect}" if call.capability else "it is no operation of a side effect"
        message = f"`{use.text}` cannot stand in `all`: {what}"
        advice = "`all` asks operations whose effect is READ; let other nodes follow one another"
        found.append(Diagnostic("OB418", message, use.span, help=advice))


def _of_all(node: All, calls: tuple[Linked, ...], found: list[Diagnostic]) -> dict[str, Schema]:
    """Return the outcomes of an `all`: its members' results by their names."""
    declared: dict[str, Schema] = {}
    for call in calls:
        declared.update(call.outcomes)
    good = _good(node.good, declared, node, found)
    well: dict[str, Schema] = {}
    whole: dict[str, Schema] = {}
    ill = False
    for call in calls:
        results = {outcome: _with_outcome(outcome, schema, call, found) for outcome, schema in call.outcomes.items()}
        fine = [schema for outcome, schema in results.items() if outcome in good]
        ill = ill or len(fine) < len(results)
        if not fine and good <= declared.keys():
            message = f"no outcome of `{call.name}` is good, so `{node.name.text}` would always be `{FAILED}`"
            listed = ", ".join(f"`{outcome}`" for outcome in call.outcomes)
            help = f"name {'one of ' if len(call.outcomes) > 1 else ''}{listed} in `good`"
            found.append(Diagnostic("OB519", message, call.declaration.name.span, help=help))
        well[call.name] = join_all(fine or list(results.values()))
        whole[call.name] = join_all(list(results.values()))
    return {SUCCESS: object_of(well), **({FAILED: object_of(whole)} if ill else {})}


def longest(items: Template, body: Body, known: Known) -> float:
    """Return the largest number of items that a template may come to, as its declared type says; else infinity."""
    if isinstance(items, Items):
        return len(items.items)
    if isinstance(items, First):
        return max(longest(item, body, known) for item in items.alternatives)
    found: list[Schema] = [{}]
    if isinstance(items, Literal):
        found = [literal(items.value)]
    elif isinstance(items, Reference):
        loop = known.nodes.get(items.node or "")
        if isinstance(loop, Each) and items.segments == ("items",):
            return loop.most  # without looking at what it calls
        found = [
            inner
            for schema in _givers(items, body, known)
            for inner, presence in [walk(schema, items.segments)]
            if presence is not Presence.NEVER
        ]
    return max((_length(schema) for schema in found), default=math.inf)


def _length(schema: Schema) -> float:
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    if listed is not None:
        return max((len(value) for value in listed if isinstance(value, list)), default=0)
    most: float = schema.get("maxItems", math.inf)
    return most


def _givers(reference: Reference, body: Body, known: Known) -> Iterable[Schema]:
    """Return the types of what a reference reads from, without what the flow of data would tell."""
    if reference.scope != "nodes":
        return [known.inputs(body)] if reference.scope in ("payload", "inputs") else [{}]
    node = known.nodes.get(reference.node or "")
    linked: Linked | None = None
    if isinstance(node, Use):
        linked = link_use(node, known, [])
    elif isinstance(node, Each | Repeat | All) and reference.segments != ():
        linked = _shallow(node, known)
    return list(linked.outcomes.values()) if linked is not None else [{}]


def _shallow(node: Loop, known: Known) -> Linked | None:
    """Link another loop as if its list could have any length; its `items` are bounded by its `max` all the same."""
    calls = tuple(
        call
        for use in (node.calls if isinstance(node, All) else (node.call,))
        for call in [link_use(use, known, [])]
        if call is not None
    )
    if not calls:
        return None
    quiet: list[Diagnostic] = []
    if isinstance(node, All):
        outcomes = _of_all(node, calls, quiet)
    else:
        outcomes = (
            _of_each(node, calls[0], math.inf, quiet) if isinstance(node, Each) else _of_repeat(node, calls[0], quiet)
        )
    return Linked(node, None, None, None, outcomes, {}, {}, Record((), node.name.span), None, calls)
