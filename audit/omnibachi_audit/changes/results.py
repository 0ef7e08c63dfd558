"""What templates and expressions of a sealed workflow give: their types, as far as the sealed form tells them.

The snapshot holds the schemas of payload and outcomes; what an exit's result is made of follows from them. A type here
may be wider than what the compiler inferred, never narrower; what is not known is the empty schema.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.sealed import CALL, COMPUTE, DECIDE, WAIT
from omnibachi_model.waits import outputs

from .schemas import Schema, Types

TEXT: Schema = {"type": ["string", "null"]}
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
STRING: Schema = {"type": "string"}
TRUTHS = frozenset(("not", "and", "or", "eq", "ne", "lt", "le", "gt", "ge", "in", "has"))
TRUTHS |= {"startsWith", "endsWith", "contains", "all", "exists", "exists_one"}
MOST_PARTS = 2000  # of a type that is told in full
FIXED = {"size": INTEGER, "type": STRING, "string": STRING, "div": INTEGER, "mod": INTEGER, "quo": NUMBER}


class Outputs:
    """The types of what each node of one sealed workflow gives.

    They are found in the order of the nodes, in which each reads only of those before it.
    """

    __slots__ = ("_found", "_payload", "_types")

    def __init__(self, workflow: dict[str, Any], types: Types) -> None:
        self._payload = workflow["payload"]
        self._types = types
        self._found: list[list[Schema]] = []
        for node in workflow["nodes"]:
            self._found.append(self._given(node))

    def of(self, template: Any) -> Schema:
        """Return the type of what a template writes."""
        head, value = template[0], template[1]
        if head == "lit":
            return _literal(value)
        if head == "map":
            members = {key: self.of(item) for key, item in value.items()}
            sure = sorted(key for key, item in value.items() if item[0] != "optional")
            made = {"type": "object", "properties": members, "required": sure, "additionalProperties": False}
            return made if _small(made) else {"type": "object"}
        if head == "list":
            items = [self.of(item) for item in value]
            made = {"type": "array", "minItems": len(items), "maxItems": len(items)}
            return made | ({"items": self._types.join(items)} if items and all(map(_small, items)) else {})
        if head == "optional":
            return self.of(value)
        if head == "merge":
            return {"type": "object"}  # what its parts are alike in is not told
        if head == "first":
            return self._types.join([self.of(item) for item in value])
        return self._read(self._scope(value), template[2])

    def _read(self, schemas: list[Schema], segments: list[str | int]) -> Schema:
        for segment in segments:
            read = [self._types.member(schema, segment) for schema in schemas]
            schemas = [schema for schema in read if schema is not None]
        return self._types.join(schemas) if schemas else {}

    def _scope(self, scope: str | int) -> list[Schema]:
        if scope == "payload":
            return [self._payload]
        if not isinstance(scope, int):
            return [{"type": "object", "additionalProperties": TEXT}]
        return self._found[scope]

    def _given(self, node: dict[str, Any]) -> list[Schema]:
        kind = node["kind"]
        if kind == CALL:
            return list(node["outcomes"].values())
        if kind == WAIT:
            return list(outputs(node["quorum"], node["within_ms"] is not None).values())
        if kind == DECIDE:
            return [{"type": "object", "properties": {"because": TEXT}, "required": ["because"]}]
        if kind == COMPUTE:
            names = {name: self.of(template) for name, template in node["with"].items()}
            fields = {name: self._expression(tree, names) for name, tree in node["fields"].items()}
            return [{"type": "object", "properties": fields, "required": sorted(fields)}]
        if kind == "PASS":
            return [self.of(node["with"])]
        # A loop's output is made of its iterations' outputs, which are compared where they are written.
        return [{}]

    def _expression(self, tree: Any, names: dict[str, Schema]) -> Schema:
        head = tree[0]
        if head in TRUTHS:
            return BOOLEAN
        if head in FIXED:
            return FIXED[head]
        if head == "lit":
            return _literal(tree[1])
        if head == "name":
            return names.get(tree[1], {})
        if head == "get":
            return self._types.member(self._expression(tree[1], names), tree[2]) or {}
        if head == "if":
            return self._types.join([self._expression(part, names) for part in tree[2:]])
        if head in ("add", "sub", "mul", "neg"):
            kinds = {str(self._expression(part, names).get("type")) for part in tree[1:]}
            if len(kinds) == 1 and kinds <= {"integer", "number", "string"}:
                return {"type": kinds.pop()}
            return NUMBER if kinds <= {"integer", "number"} else {}
        if head == "record":
            members = {key: self._expression(part, names) for key, part in tree[1].items()}
            made = {"type": "object", "properties": members, "required": sorted(members), "additionalProperties": False}
            return made if _small(made) else {"type": "object"}
        if head == "map":
            items = _items(self._expression(tree[1], names))
            made = {"type": "array", "items": self._expression(tree[3], {**names, tree[2]: items})}
            return made if _small(made) else {"type": "array"}
        if head == "filter":
            return {"type": "array", "items": _items(self._expression(tree[1], names))}
        return {"type": "array"} if head == "list" else {}


def _items(schema: Schema) -> Schema:
    """Return the type of the items of a list, as far as `items` tells it."""
    found: Schema = {} if "const" in schema or "enum" in schema else schema.get("items", {})
    return found


def _small(schema: Schema) -> bool:
    """Tell whether a type can be looked at whole: what nodes make of each other's outputs may double with each."""
    waiting, left = [schema], MOST_PARTS
    while waiting and left:
        part = waiting.pop()
        left -= 1
        waiting += [inner for inner in part.get("properties", {}).values() if isinstance(inner, dict)]
        waiting += [part[key] for key in ("items", "additionalProperties") if isinstance(part.get(key), dict)]
    return not waiting


def _literal(value: Any) -> Schema:
    """Return the type of a value that an author wrote: which value it is, is no promise of the type."""
    if isinstance(value, dict):
        members = {key: _literal(item) for key, item in value.items()}
        return {"type": "object", "properties": members, "required": sorted(members), "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array"}
    if isinstance(value, bool) or value is None:
        return BOOLEAN if value is not None else {"type": "null"}
    return {"type": "string" if isinstance(value, str) else "integer" if isinstance(value, int) else "number"}
