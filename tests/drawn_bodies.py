"""Random contracts and workflows that use one another, drawn as plain data and written as the text of a workspace.

A value is `["lit", x]`, `["ref", segment, …]` or `["first", [value, …]]`; `meant` says what a drawn body means. One
transform is at the bottom of all: `probe`, whose outcomes give fields of different types, or an optional one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

INTEGER = {"type": "integer"}
TEXT = {"type": "string"}
PROBE = "CT_P_V0"
OUTCOMES: dict[str, dict[str, Any]] = {"SUCCESS": {"n": INTEGER, "o": {**INTEGER, "optional": True}},
                                       "OTHER": {"n": TEXT, "s": TEXT}, "NONE": {}}  # fmt: skip
ROWS = (["x % 3 == 0", "y > 5"], ["x > 3"], ["type(x) == 'integer' && x % 2 == 0"])
Value = list[Any]


def probe(x: int) -> tuple[str, dict[str, Any]]:
    """Answer as the transform does; raises ValueError for some numbers."""
    if x % 17 == 16:
        raise ValueError("no answer")
    kind = (x * 7 + 3) % 6
    if kind in (0, 5):
        return "SUCCESS", {"n": x + 1, "o": x // 2}
    if kind in (1, 2):
        return "SUCCESS", {"n": x + 1}
    return ("OTHER", {"n": str(x), "s": "s"}) if kind == 3 else ("NONE", {})


@dataclass
class Node:
    """A node: its kind (call, decide, compute, each, repeat), what it uses, and where its outcomes lead."""

    kind: str
    gives: set[str]
    inputs: dict[str, Value]
    use: str = ""
    body: Body | None = None
    rows: list[str] = field(default_factory=list)
    items: Value = field(default_factory=list)
    good: list[str] = field(default_factory=list)
    most: int = 1
    until: str = ""
    asked: str = ""
    next: dict[str, str] = field(default_factory=dict)


@dataclass
class Body:
    """A contract, or a workflow: what it admits, its nodes in order, and what its outcomes or exits give."""

    code: str
    scope: str
    most: int
    longest: int
    nodes: dict[str, Node]
    outs: dict[str, dict[str, Value]]

    @property
    def workflow(self) -> bool:
        """Whether it is a workflow."""
        return self.scope == "payload"

    @property
    def outcomes(self) -> dict[str, Any]:
        """What who uses it must route, with the fields that are given."""
        return {**self.outs, **({"rejected": {}} if self.workflow else {})}


def bodies(rng: Random) -> list[Body]:
    """Draw some bodies, each of which may use those before it; the last is a workflow."""
    found: list[Body] = []
    count = rng.randint(1, 5)
    for number in range(count):
        workflow = number == count - 1 or rng.random() < 0.35
        code = f"{'WF' if workflow else 'CC'}_B{number}_V0"
        body = Body(code, "payload" if workflow else "inputs", rng.choice([6, 20, 1000]), rng.choice([0, 2, 3]), {}, {})
        names = rng.sample(["alpha", "beta", "gamma"] if workflow else ["SUCCESS", "LOW", "HIGH"], rng.randint(1, 3))
        ids = list(dict.fromkeys(rng.choice(["success", "n", f"n{at}"]) for at in range(rng.randint(1, 5))))
        for at, name in enumerate(ids):
            body.nodes[name] = _node(rng, body, ids[:at], [*ids[at + 1 : at + 3], rng.choice(names)], found)
        for name in names:
            fields = rng.sample(["n", "o", "s", "items"], rng.randint(0, 3))
            body.outs[name] = {key: _value(rng, body, ids) for key in fields}
        _prune(body, ids[0])
        if workflow:
            body.outs["failed"] = {}
        found.append(body)
    return found


def _ref(rng: Random, body: Body, earlier: list[str]) -> Value:
    if earlier and rng.random() < 0.75:
        name = rng.choice(earlier)
        fields = sorted(body.nodes[name].gives & ({"n", "o"} if rng.random() < 0.9 else {"items", "s", "because"}))
        if fields:
            return ["ref", "nodes", name, rng.choice(fields)]
    return ["ref", body.scope, rng.choice(["x", "x", "y", "z"])]


def _value(rng: Random, body: Body, earlier: list[str], default: Any = None) -> Value:
    if rng.random() < 0.1:
        return _ref(rng, body, earlier)
    return ["first", [*(_ref(rng, body, earlier) for _ in range(rng.randint(1, 3))), ["lit", default]]]


def _number(rng: Random, body: Body, earlier: list[str], each: Value | None = None) -> Value:
    if each is not None and rng.random() < 0.8:
        return each
    if rng.random() < 0.25:
        return rng.choice([["lit", rng.randint(0, 6)], ["ref", body.scope, "x"], ["ref", body.scope, "y"]])
    return _value(rng, body, earlier, rng.randint(0, 6))


def _call(rng: Random, node: Node, body: Body, earlier: list[str], known: list[Body], each: Value | None = None) -> Any:
    """Let a node call something; return the outcomes of that."""
    node.body = rng.choice(known) if known and rng.random() < 0.7 else None
    node.use = node.body.code if node.body else PROBE
    node.inputs = {"x": _number(rng, body, earlier, each)}
    if node.body is None:
        return OUTCOMES
    node.inputs |= {key: _number(rng, body, earlier, each) for key in "yz" if rng.random() < 0.5}
    short = ["lit", [rng.randint(0, 9) for _ in range(rng.randint(0, node.body.longest))]]
    node.inputs["l"] = ["ref", body.scope, "l"] if rng.random() < 0.5 else short
    return node.body.outcomes


def _node(rng: Random, body: Body, earlier: list[str], onward: list[str], known: list[Body]) -> Node:
    kind = rng.choice(["call", "call", "call", "decide", "compute", "each", "each", "repeat"])
    node = Node(kind, set(), {"x": _number(rng, body, earlier)})
    if kind == "decide":
        node.inputs["y"] = ["ref", body.scope, "y"]
        node.rows, node.gives = rng.choice(ROWS), {"because"}
        possible = list("ABC"[: len(node.rows) + 1])
    elif kind == "compute":
        node.gives, possible = {"n", "s"}, ["SUCCESS"]
    elif kind == "each":
        lists = [["ref", "nodes", name, "items"] for name in earlier if body.nodes[name].kind == "each"]
        node.items = rng.choice([["ref", body.scope, "l"], ["ref", body.scope, "l"], ["lit", [1, 2, 5]], *lists])
        item: Value = ["ref", "each", "item"]
        outcomes = _call(rng, node, body, earlier, known,
                         item if node.items not in lists else ["first", [[*item, "n"], ["lit", 2]]])  # fmt: skip
        node.good = rng.sample(sorted(outcomes), rng.randint(1, len(outcomes)))
        node.most, node.gives = rng.choice([1, 2, 3, 50]), {"items"}
        possible = ["SUCCESS", "OVERFLOW", *(["PARTIAL", "FAILED"] if len(node.good) < len(outcomes) else [])]
    else:
        outcomes = _call(rng, node, body, earlier, known)
        if kind == "repeat" and not outcomes.get("SUCCESS"):
            outcomes = _call(rng, node, body, earlier, [])
        node.gives, possible = {name for fields in outcomes.values() for name in fields}, list(outcomes)
        if kind == "repeat":
            node.asked, node.most = rng.choice(sorted(outcomes["SUCCESS"])), rng.choice([1, 2, 3])
            node.until = f"type({node.asked}) == 'integer'" + rng.choice(["", f" && {node.asked} > 5"])
            possible.append("EXHAUSTED")
    possible += ["FAULT"] if rng.random() < 0.25 else []
    node.next = {outcome: rng.choice(onward) for outcome in possible}
    return node


def _prune(body: Body, start: str) -> None:
    """Leave out what is not reached, and put literals where it was read."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += body.nodes[name].next.values() if name in body.nodes else ()
    gone = body.nodes.keys() - reached
    body.nodes = {name: node for name, node in body.nodes.items() if name in reached}
    body.outs = {name: fields for name, fields in body.outs.items() if name in reached}

    def mended(value: Value) -> Value:
        if value[:2] == ["ref", "nodes"] and value[2] in gone:
            return ["lit", 1]
        return ["first", [mended(part) for part in value[1]]] if value[0] == "first" else value

    for node in body.nodes.values():
        node.inputs = {key: mended(value) for key, value in node.inputs.items()}
    body.outs = {name: {key: mended(value) for key, value in fields.items()} for name, fields in body.outs.items()}


def _written(value: Value) -> Any:
    if value[0] != "first":
        return value[1] if value[0] == "lit" else "$." + ".".join(value[1:])
    parts = []
    for part in value[1]:
        parts.append(_written(part))
        if part[0] == "lit":
            break
    return {"$first": parts} if len(parts) > 1 else parts[0]


def _document(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"with": {key: _written(value) for key, value in node.inputs.items()}, "next": node.next}
    if node.kind == "decide":
        rows = [{"when": row, "outcome": outcome} for row, outcome in zip(node.rows, "ABC", strict=False)]
        return {**found, "decide": [*rows, {"outcome": "ABC"[len(rows)], "because": "else"}]}
    if node.kind == "compute":
        return {**found, "compute": {"n": "x + 1", "s": "'t'"}}
    found["use"] = node.use
    if node.kind == "each":
        found |= {"each": _written(node.items), "max": node.most, "good": node.good}
    if node.kind == "repeat":
        found["repeat"] = {"max": node.most, "until": node.until}
    return found


def text_of(drawn: list[Body], *more: dict[str, Any]) -> str:
    """Write all bodies as a workspace's text; JSON is YAML."""
    documents: list[dict[str, Any]] = [
        {"transform": PROBE, "summary": "x", "inputs": {"x": INTEGER}, "outcomes": OUTCOMES}
    ]
    for body in drawn:
        inputs: dict[str, Any] = {
            "x": {**INTEGER, "maximum": body.most}, "y": {**INTEGER, "default": 4}, "z": INTEGER,
            "l": {"type": "array", "maxItems": body.longest, "items": INTEGER},
        }  # fmt: skip
        nodes = {name: _document(node) for name, node in body.nodes.items()}
        common = {"summary": "x", "start": next(iter(nodes)), "nodes": nodes}
        given = {name: {key: _written(value) for key, value in fields.items()} for name, fields in body.outs.items()}
        if not body.workflow:
            inputs["z"] = {**INTEGER, "optional": True}
            documents.append({"contract": body.code, **common, "inputs": inputs, "outcomes": given})
            continue
        intent = body.code.replace("WF", "IN")
        payload = {"type": "object", "properties": inputs, "required": ["x", "l"], "additionalProperties": False}
        exits = {
            name: {"status": "FAILED" if name == "failed" else "COMPLETED", "result": result}
            for name, result in given.items()
        }
        documents.append({"intent": intent, "payload": payload})
        documents.append({"workflow": body.code, "intent": intent, "fault": "failed", **common, "exits": exits})
    return "\n---\n".join(json.dumps(item) for item in [*documents, *more]) + "\n"
