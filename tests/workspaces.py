"""Generated workspaces: random capabilities, stores and graphs, written as the YAML that an author would write.

The generator knows roughly what is given where, so that a good share of its workflows compile; it leaves the proof to
the compiler. Node `n0` is the start, every edge leads to a later node or an exit, and the first outcome of a node leads
to the next one, so that all nodes are reached.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from generated import Schema, anything, changed, schemas, values_near
from omnibachi_compiler.fits import Presence, array_of, join, literal, member, object_of
from omnibachi_compiler.kinds import kinds
from omnibachi_compiler.loader import load
from omnibachi_compiler.phase import Source
from omnibachi_compiler.schemas import seal_schema
from omnibachi_compiler.tree import Mapping
from omnibachi_model.checks import link
from written import expression_forms, texts

EXITS = ("good", "other", "failed")
STORES = {"ST_FIRST_V0": "CS_REGISTRY_V0", "ST_KEPT_V0": "CS_RECORDS_V0", "ST_TOLD_V0": "CS_EVENTS_V0"}
REVISION: Schema = {"type": "integer"}
Facts = dict[str, frozenset[str]]  # of a node that every path has passed: the outcomes that it may have had there


@dataclass(frozen=True)
class Place:
    """Something that can be read: its path, its type as far as is known, and whether it is there in any case."""

    path: str
    schema: Schema
    sure: bool


@dataclass
class Workspace:
    """A workspace under construction: its documents, and for each transform the answers that it gives in turn."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    payload: Schema = field(default_factory=dict)
    records: dict[str, Schema] = field(default_factory=dict)
    outputs: dict[str, dict[str, Schema]] = field(default_factory=dict)  # node: outcome: schema
    given: dict[str, Facts] = field(default_factory=dict)

    @property
    def source(self) -> bytes:
        """The text of all documents; JSON is YAML."""
        return b"\n---\n".join(json.dumps(item, ensure_ascii=False).encode() for item in self.documents) + b"\n"


@st.composite
def workspaces(draw: st.DrawFn) -> Workspace:
    """Draw a workspace of one domain with one workflow."""
    made = Workspace()
    made.documents.append({"domain": "shop"})
    made.payload = draw(_objects(4, extra=True))
    made.documents.append({"intent": "IN_TEST_V0", "payload": made.payload})
    for name in ("ST_FIRST_V0", "ST_KEPT_V0", "EV_TOLD_V0"):
        made.records[name] = draw(_objects(2))
    count = draw(st.integers(2, 7))
    nodes: dict[str, Any] = {}
    made.given["n0"] = {}
    for index in range(count):
        name = f"n{index}"
        node, outcomes = draw(_node(made, name))
        later = [*(f"n{number}" for number in range(index + 1, count)), *EXITS]
        ahead = later[1:4]
        routes = {outcome: draw(st.sampled_from(ahead)) for outcome in outcomes}
        routes[next(iter(outcomes))] = later[0]
        if index and draw(st.integers(0, 5)) == 0:
            routes["FAULT"] = draw(st.sampled_from(later))
        nodes[name] = {**node, "next": routes}
        made.outputs[name] = outcomes
        for outcome, target in {"FAULT": "failed", **routes}.items():
            _arrive(made, name, None if outcome == "FAULT" else outcome, target)
    reached = [name for name in EXITS[:2] if name in made.given]
    exits = {name: {"status": "COMPLETED", "result": draw(_result(made, name))} for name in reached}
    exits["failed"] = {"status": "FAILED"}
    _declare_stores(made, nodes.values())
    made.documents.append(
        {"workflow": "WF_TEST_V0", "summary": "A test.", "intent": "IN_TEST_V0", "start": "n0", "fault": "failed",
         "nodes": nodes, "exits": exits}
    )  # fmt: skip
    return made


def _declare_stores(made: Workspace, nodes: Iterable[dict[str, Any]]) -> None:
    """Declare the stores and the event that nodes name."""
    named = {node.get("store") for node in nodes}
    for store, governor in STORES.items():
        if store in named:
            more = {"record": made.records[store]} if store in made.records else {}
            made.documents.append({"store": store, "governed_by": governor, **more})
    if "ST_TOLD_V0" in named:
        made.documents.append({"event": "EV_TOLD_V0", "record": made.records["EV_TOLD_V0"]})


def _arrive(made: Workspace, name: str, outcome: str | None, target: str) -> None:
    """Note over which edges a node is reached, and so which outcomes lie on every path to it."""
    facts = dict(made.given[name])
    if outcome is not None:
        facts[name] = frozenset((outcome,))
    before = made.given.get(target)
    if before is not None:
        facts = {node: facts[node] | before[node] for node in facts.keys() & before.keys()}
    made.given[target] = facts


def accepted(schema: Schema) -> bool:
    """Tell whether the language takes a schema as it is written."""
    trees = load(Source("protocols/x/x.yaml", "x", json.dumps(schema, ensure_ascii=False).encode())).value
    if not trees:
        return False  # JSON leaves characters as they are that YAML refuses
    assert isinstance(trees[0], Mapping)
    return not seal_schema(trees[0]).diagnostics


@st.composite
def _schema(draw: st.DrawFn, depth: int = 1, defaults: bool = False) -> Schema:
    plain: Schema = {"type": draw(st.sampled_from(("integer", "integer", "string", "number", "boolean")))}
    found: Schema = draw(st.just(plain) | schemas(depth, defaults))
    return found if accepted(found) else plain


@st.composite
def _objects(draw: st.DrawFn, most: int, extra: bool = False) -> Schema:
    """Draw the schema of a payload or a record, mostly closed."""
    defaults = extra
    properties = draw(st.dictionaries(st.sampled_from("abcdef"), _schema(1 + extra, defaults), max_size=most))
    required = sorted(name for name in properties if draw(st.integers(0, 3)))
    out: Schema = {"type": "object", "properties": properties, "required": required}
    if not extra or draw(st.integers(0, 3)):
        out["additionalProperties"] = False
    return out


def places(made: Workspace, name: str) -> list[Place]:
    """Return what a node may read, as the generator sees it."""
    found = list(_inside("$.payload", made.payload, True, 3))
    found.append(Place("$.run.started_at", {"type": "string", "format": "date-time"}, True))
    for node, outcomes in made.outputs.items():
        passed = made.given.get(name, {}).get(node)
        for outcome in sorted(passed if passed is not None else outcomes):
            sure = passed is not None and len(passed) == 1
            found.extend(_inside(f"$.nodes.{node}", outcomes[outcome], sure, 3))
    return found


def _inside(path: str, schema: Schema, sure: bool, depth: int) -> list[Place]:
    found = [Place(path, schema, sure)]
    if depth:
        segments: list[tuple[str | int, str]] = [(key, f".{key}") for key in schema.get("properties", {})]
        segments += [(0, "[0]"), (-1, "[-1]")] if "array" in kinds(schema) else []
        for segment, text in segments:
            inner, presence = member(schema, segment)
            if presence is not Presence.NEVER:
                found.extend(_inside(path + text, inner, sure and presence is Presence.ALWAYS, depth - 1))
    return found


@st.composite
def _template(draw: st.DrawFn, known: list[Place], depth: int = 1) -> tuple[Any, Schema]:
    """Draw a template and its type."""
    sure = [place for place in known if place.sure]
    choice = draw(st.integers(0, 12))
    if choice <= 6:
        place = draw(st.sampled_from(sure))
        return place.path, place.schema
    if choice in (7, 12):
        place = draw(st.sampled_from([place for place in known if not place.sure] or sure))
        return place.path, place.schema
    if choice == 8 or depth == 0:
        value = draw(anything)
        return ({"$literal": value}, literal(value)) if isinstance(value, dict) else (value, literal(value))
    parts = [draw(_template(known, depth - 1)) for _ in range(draw(st.integers(1, 2)))]
    if choice == 9:
        return dict(zip("ab", (part for part, _ in parts), strict=False)), object_of(
            dict(zip("ab", (kind for _, kind in parts), strict=False))
        )
    if choice == 10:
        return [part for part, _ in parts], array_of([kind for _, kind in parts])
    doubtful = [place for place in known if not place.sure] or sure
    asked = [draw(st.sampled_from(doubtful)) for _ in range(draw(st.integers(1, 2)))]
    kind = parts[0][1]
    for place in asked:
        kind = join(kind, place.schema)
    return {"$first": [*(place.path for place in asked), parts[0][0]]}, kind


@st.composite
def _result(draw: st.DrawFn, made: Workspace, name: str) -> dict[str, Any]:
    return {key: draw(_template(places(made, name)))[0] for key in "ab"[: draw(st.integers(0, 2))]}


@st.composite
def _node(draw: st.DrawFn, made: Workspace, name: str) -> tuple[dict[str, Any], dict[str, Schema]]:
    """Draw a node without its routes, and the type of its output for each outcome."""
    known = places(made, name)
    kind = draw(st.sampled_from(("transform", "transform", "decide", "compute", "compute", "compute", "effect")))
    if kind == "transform":
        return draw(_transform(made, name, known))
    if kind == "effect":
        return draw(_effect(made, known))
    bound = {key: draw(_template(known)) for key in "xyz"[: draw(st.integers(1, 3))]}
    types = {key: schema for key, (_, schema) in bound.items()}
    given = {key: template for key, (template, _) in bound.items()}
    forms, leaves = expression_forms(types)
    if kind == "decide":
        rows: list[dict[str, Any]] = [
            {"when": draw(texts(forms, "boolean", 2, leaves)), "outcome": draw(st.sampled_from("AB"))}
            for _ in range(draw(st.integers(1, 3)))
        ]
        rows.append({"outcome": draw(st.sampled_from("ABC")), "because": "nothing else"})
        null = {"type": ["string", "null"]}
        return {"decide": rows, "with": given}, {row["outcome"]: object_of({"because": null}) for row in rows}
    fields: dict[str, str] = {}
    members: dict[str, Schema] = {}
    for key in "ab"[: draw(st.integers(1, 2))]:
        what = draw(st.sampled_from(("boolean", "integer", "integer", "number", "string", "list")))
        fields[key] = draw(texts(forms, what, 2, leaves))
        members[key] = {"type": "array"} if what == "list" else {"type": what}
    return {"compute": fields, "with": given}, {"SUCCESS": object_of(members)}


@st.composite
def _transform(
    draw: st.DrawFn, made: Workspace, name: str, known: list[Place]
) -> tuple[dict[str, Any], dict[str, Schema]]:
    """Draw a transform made for what is there to be read, mostly, and the node that uses it."""
    bound: dict[str, Any] = {}
    inputs: dict[str, Schema] = {}
    for key in "pqr"[: draw(st.integers(0, 3))]:
        bound[key], schema = draw(_template(known))
        wanted = draw(st.sampled_from((schema, schema, {})) | changed(schema) | _schema(1, True))
        inputs[key] = wanted if accepted({"type": "object", "properties": {key: wanted}}) else {}
        if draw(st.integers(0, 7)) == 0:
            inputs[key] = {**inputs[key], "optional": True}
            if draw(st.booleans()):
                del bound[key]
    if draw(st.integers(0, 3)) == 0:
        inputs["z"] = _with_default(draw, draw(_schema(2, True)))
    outcomes: dict[str, Schema] = {}
    declared: dict[str, Any] = {}
    for outcome in ("SUCCESS", "NOT_FOUND", "OTHER")[: draw(st.sampled_from((1, 2, 2, 3)))]:
        fields = draw(st.dictionaries(st.sampled_from("abc"), _schema(), max_size=3))
        optional = {key for key in fields if draw(st.integers(0, 3)) == 0}
        declared[outcome] = {
            key: {**kind, "optional": True} if key in optional else kind for key, kind in fields.items()
        }
        outcomes[outcome] = object_of(fields) | {"required": sorted(fields.keys() - optional)}
    code = f"CT_{name.upper()}_V0"
    made.documents.append({"transform": code, "summary": "Answer.", "inputs": inputs, "outcomes": declared})
    chosen = [draw(st.sampled_from(list(outcomes))) for _ in range(3)]
    answers = [(outcome, draw(fitting(outcomes[outcome]))) for outcome in chosen]
    made.answers[f"shop::{code}"] = [answer for answer in answers if not link(outcomes[answer[0]])(answer[1])]
    return {"use": code, "with": bound}, outcomes


@st.composite
def fitting(draw: st.DrawFn, schema: Schema) -> Any:
    """Draw a value that satisfies a schema, unless that is hard."""
    if schema.get("type") == "object" and not schema.keys() & {"const", "enum"}:
        required = schema.get("required", ())
        members = schema.get("properties", {}).items()
        return {key: draw(fitting(inner)) for key, inner in members if key in required or draw(st.booleans())}
    check = link(schema)
    value = draw(values_near(schema))
    for _ in range(5):
        if not check(value):
            break
        value = draw(values_near(schema))
    return value


def _with_default(draw: st.DrawFn, schema: Schema) -> Schema:
    default = draw(values_near(schema))
    whole = {**schema, "default": default}
    good = not link(schema)(default) and accepted({"type": "object", "properties": {"z": whole}})
    return whole if good else {"type": "integer", "default": 7}


@st.composite
def _effect(draw: st.DrawFn, made: Workspace, known: list[Place]) -> tuple[dict[str, Any], dict[str, Schema]]:
    """Draw a node that uses one of the shipped side effects."""
    first, kept, told = ({"type": "object", **made.records[key]} for key in ("ST_FIRST_V0", "ST_KEPT_V0", "EV_TOLD_V0"))
    key = draw(st.sampled_from(["k", "k", "l", *(place.path for place in known if "string" in kinds(place.schema))]))
    use = draw(
        st.sampled_from(("REGISTER", "RESOLVE", "CREATE", "GET", "PUT", "LIST", "APPEND", "FIND", "NOW", "DRAW"))
    )
    value = draw(_record(known, {"REGISTER": first, "APPEND": told}.get(use, kept)))
    registry, records = {"store": "ST_FIRST_V0"}, {"store": "ST_KEPT_V0"}
    events = {"store": "ST_TOLD_V0", "event": "EV_TOLD_V0"}
    text: Schema = {"type": "string"}
    revision = object_of({"revision": REVISION})
    seen = object_of({"value": kept, "revision": REVISION})
    item = object_of({"key": text, "value": kept, "revision": REVISION})
    listed: Schema = {"type": "array", "items": item}
    forms: dict[str, tuple[dict[str, Any], dict[str, Schema]]] = {
        "REGISTER": ({"use": "CS_REGISTRY_V0.REGISTER", **registry, "with": {"key": key, "value": value}},
                     {"SUCCESS": object_of({"address": text}), "ALREADY_EXISTS": object_of({"value": first})}),
        "RESOLVE": ({"use": "CS_REGISTRY_V0.RESOLVE", **registry, "with": {"key": key}},
                    {"SUCCESS": object_of({"value": first}), "NOT_FOUND": object_of({})}),
        "CREATE": ({"use": "CS_RECORDS_V0.CREATE", **records, "with": {"key": key, "value": value}},
                   {"SUCCESS": revision, "ALREADY_EXISTS": seen}),
        "GET": ({"use": "CS_RECORDS_V0.GET", **records, "with": {"key": key}},
                {"SUCCESS": seen, "NOT_FOUND": object_of({})}),
        "PUT": ({"use": "CS_RECORDS_V0.PUT", **records, "with": {"key": key, "value": value}}, {"SUCCESS": revision}),
        "LIST": ({"use": "CS_RECORDS_V0.LIST", **records, "with": {"where": {}, "limit": 5}},
                 {"SUCCESS": object_of({"items": listed, "total": {"type": "integer"}})}),
        "APPEND": ({"use": "CS_EVENTS_V0.APPEND", **events, "with": {"record": value}},
                   {"SUCCESS": object_of({"sequence": {"type": "integer"}}),
                    "VIOLATION": object_of({"violations": {"type": "array"}})}),
        "FIND": ({"use": "CS_EVENTS_V0.FIND", **events, "with": {"match": {}}},
                 {"SUCCESS": object_of({"record": told, "sequence": {"type": "integer"}}), "NOT_FOUND": object_of({})}),
        "NOW": ({"use": "CS_CLOCK_V0.NOW"},
                {"SUCCESS": object_of({"at": {**text, "format": "date-time"}, "unix_ms": {"type": "integer"}})}),
        "DRAW": ({"use": "CS_ENTROPY_V0.DRAW", "with": {"bytes": 4}}, {"SUCCESS": object_of({"hex": text})}),
    }  # fmt: skip
    return forms[use]


@st.composite
def _record(draw: st.DrawFn, known: list[Place], schema: Schema) -> Any:
    """Draw a template for a record: a mapping of what may fit each member, or anything that is there."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from([place.path for place in known]))
    found: dict[str, Any] = {}
    for name, kind in schema.get("properties", {}).items():
        alike = [place.path for place in known if place.sure and kinds(place.schema) == kinds(kind)]
        value = draw(values_near(kind))
        written = {"$literal": value} if isinstance(value, dict) else value
        copied = bool(alike) and draw(st.booleans())
        if name in schema.get("required", ()) or draw(st.booleans()):
            found[name] = draw(st.sampled_from(alike)) if copied else written
    return found
