"""The checks of a graph: data flow, types, decisions, computations and lost updates.

Phase between the graph and lowering. Only `check_graph` makes a `Checked` graph, so an unchecked one cannot be sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibachi_model.diagnostics import Diagnostic, has_errors
from omnibachi_model.sealed import FAULT

from .binding import Place, Reader, bind, type_of
from .check_loops import judge_loop
from .declarations import Compute, Decide, Use
from .facts import Facts, advance, prepare
from .fits import object_of
from .flows import lost_updates
from .frozen import dataclass
from .links import Ending, Graph, Linked
from .narrowing import narrow
from .phase import Phase
from .programs import narrowed
from .tables import SealedRow, judge_fields, judge_rows
from .templates import Literal, Perhaps, Record, Reference, Template, Unread

Schema = dict[str, Any]
LITERAL_INPUTS = ("match", "where")  # the store keeps an index for each set of their keys


@dataclass(frozen=True, slots=True)
class CheckedNode:
    """A node that is proven: its bindings with defaults, the schema that its inputs are checked with when run (or
    None), the rows of a decision, the fields of a computation as sealed expressions; of a loop its calls, and of a
    `repeat` when it has done enough."""

    linked: Linked
    bindings: Record
    check: Schema | None
    rows: tuple[SealedRow, ...]
    fields: Mapping[str, list[Any]]
    calls: tuple[CheckedNode, ...] = ()
    until: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A proven graph. `risky_exits` have results that may be missing when run; `results` are the types of all."""

    graph: Graph
    nodes: Mapping[str, CheckedNode]
    places: tuple[Place, ...]
    risky_exits: frozenset[str]
    results: Mapping[str, Schema]


def check_graph(graph: Graph) -> Phase[Checked | None]:
    """Prove a graph's data flow and types; nothing comes out where anything is wrong.

    An exit whose result may be absent leads on, to readers of which it gives nothing; whether that makes results of
    other exits uncertain is seen by judging again.
    """
    risky: frozenset[str] = frozenset()
    crashed = _after_a_crash(graph)
    while True:
        phase = _check(graph, risky, crashed)
        checked = phase.value
        if checked is None or checked.risky_exits <= risky:
            return phase
        risky |= checked.risky_exits


def _check(graph: Graph, known: frozenset[str], crashed: frozenset[str]) -> Phase[Checked | None]:
    """Judge a graph once, knowing of these exits that their results may be absent."""
    found: list[Diagnostic] = []
    places: list[Place] = []
    facts = prepare(graph, known)
    nodes: dict[str, CheckedNode] = {}
    results: dict[str, Schema] = {}
    risky: set[str] = set()
    for name in facts.order:
        if name not in facts.given:
            if name in graph.nodes:
                facts.outputs[name] = {}
            else:  # what no path reaches may be said to give anything
                results[name] = object_of({key: {} for key, _ in graph.exits[name].result.entries})
            continue
        reader = Reader(name, facts)
        if name in graph.nodes:
            nodes[name] = _node(graph.nodes[name], reader)
        else:
            results[name] = type_of(graph.exits[name].result, reader)
            if reader.places:
                risky.add(name)
                _risky(graph.exits[name], crashed, reader)
        advance(facts, name)
        found.extend(reader.found)
        places.extend(reader.places)
    if not graph.composed:
        found.extend(lost_updates(graph))
    understood = all(node.understood for node in graph.nodes.values())
    if has_errors(found) or len(nodes) < len(graph.nodes) or not understood:
        return Phase(None, tuple(found))
    return Phase(Checked(graph, nodes, tuple(places), frozenset(risky), results), tuple(found))


def survey(graph: Graph) -> Facts:
    """Return what is given where in a graph, and what its nodes give, whatever is wrong with it (for editors)."""
    facts = prepare(graph, frozenset())
    for name in facts.order:
        if name in graph.nodes:
            _node(graph.nodes[name], Reader(name, facts))
        advance(facts, name)
    return facts


def _node(node: Linked, reader: Reader) -> CheckedNode:
    declaration = node.declaration
    if isinstance(declaration, Use) and (node.capability is not None or node.body is not None):
        reader.facts.outputs[node.name] = dict(node.outcomes)
        return judge_call(node, declaration, reader)
    if node.calls:
        calls, until = judge_loop(node, reader, judge_call)
        return CheckedNode(node, node.bindings, None, (), {}, calls, until)
    if not isinstance(declaration, Decide | Compute):  # a wait, or not understood, which is reported already
        type_of(node.bindings, reader)
        reader.facts.outputs[node.name] = dict(node.outcomes)
        return CheckedNode(node, node.bindings, None, (), {})
    for value in (value for _, value in node.bindings.entries if isinstance(value, Perhaps)):
        message = "`$optional` cannot stand here: an expression needs each of its names"
        reader.report("OB214", message, value.span, help="give what stands there else: `$first: [a, null]`")
    names = {key: type_of(value, reader) for key, value in node.bindings.entries}
    if isinstance(declaration, Decide):
        rows, texts = judge_rows(declaration, names, reader)
        reader.facts.outputs[node.name] = {outcome: _fields({"because": because}) for outcome, because in texts.items()}
        return CheckedNode(node, node.bindings, None, rows, {})
    fields, types = judge_fields(declaration, names, reader)
    reader.facts.outputs[node.name] = {"SUCCESS": _fields(types)}
    return CheckedNode(node, node.bindings, None, (), fields)


def _fields(types: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(types), "required": sorted(types), "additionalProperties": False}


def judge_call(node: Linked, declaration: Use, reader: Reader) -> CheckedNode:
    """Judge what a call binds against what its capability or its body takes."""
    capability = node.capability
    if capability is None:
        assert node.body is not None
        what = f"`{node.body.address}`"
        inputs, place = node.body.inputs, declaration.name.span
        bound = bind(node.bindings, inputs, reader, place, what, judged=set())
        check = bound.check
        if check is None and ("const" in inputs or "enum" in inputs):
            check = inputs
            reader.check(place, "the payload may not be one of those that are listed")
        return CheckedNode(node, bound.template, check, (), {})
    inputs = narrowed(narrow(capability.inputs, node.store, node.event), node.programs)
    judged = {"record"} if "event" in capability.needs else {"arguments"} if node.programs is not None else set()
    bound = bind(node.bindings, inputs, reader, declaration.name.span, f"`{capability.address}`", judged=judged)
    for key, value in node.bindings.entries:
        if key in LITERAL_INPUTS and "store" in capability.needs:
            _literal_keys(key, value, node, reader)
    return CheckedNode(node, bound.template, bound.check, (), {})


def _literal_keys(key: str, value: Template, node: Linked, reader: Reader) -> None:
    """Hold `match` and `where` to a mapping whose keys stand in the text and name fields of the record."""
    if isinstance(value, Literal) and isinstance(value.value, dict):
        value = Record(tuple((name, Literal(item, value.span)) for name, item in value.value.items()), value.span)
    if isinstance(value, Unread):
        return
    if not isinstance(value, Record):
        shown = f"`{value.text}`" if isinstance(value, Reference) else "this"
        reader.report("OB410", f"`{key}` must be a mapping whose keys stand in the text; {shown} is not", value.span)
        return
    for name, part in value.entries:
        if isinstance(part, Perhaps):
            message = f"`{key}` always compares the same members, and `{name}` may be left out"
            reader.report("OB410", message, part.span, help="ask in another node where it is absent")
    shape = node.event.schema if node.event else node.store.record if node.store else {}
    narrowed = {
        "type": "object",
        "properties": shape.get("properties", {}),
        "additionalProperties": shape.get("additionalProperties", True),
    }
    quiet = Reader(reader.name, reader.facts)
    bind(value, narrowed, quiet, value.span, "the record", judged=set(shape.get("properties", {})), part="field")
    reader.found.extend(item for item in quiet.found if item.code in ("OB312", "OB507"))


def _after_a_crash(graph: Graph) -> frozenset[str]:
    """Return the nodes and exits that may come after the workflow's `fault`, its target included."""
    fault = graph.body.fault
    found: set[str] = set()
    waiting = [fault.text] if fault else []
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph.nodes[name].targets.values() if name in graph.nodes else ())
    return frozenset(found)


def _risky(ending: Ending, crashed: frozenset[str], reader: Reader) -> None:
    """Hold an exit whose result may be absent to a place to go that does not lead back to it."""
    assert ending.declaration is not None
    span = ending.result.span
    if ending.fault is None:
        reader.report("OB513", f"the result of `{ending.name}` may be absent, and nothing says where that goes", span)
        return
    if ending.name in crashed:
        reader.report(
            "OB506",
            f"the result of `{ending.name}` may be absent, and that leads back to `{ending.name}`",
            span,
            help="read it with `$first` and a last literal",
            path=(f"{ending.name} {FAULT}", ending.fault),
        )
