"""Where do values come from: members of the payload, and outputs of capabilities, behind templates and expressions.

What a decision reads may have gone through computations, entries of contracts and items of loops. A variable is what is
left when all that is followed back: a place in the payload or in the output of a CALL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnibachi_model.expressions import MACROS
from omnibachi_model.expressions import parts as parts_of
from omnibachi_model.sealed import CALL, COMPUTE, EACH, PASS, WAIT

Segments = tuple[str | int, ...]
Variable = tuple[str | int, Segments]  # "payload" or the index of a CALL, and the path below it
Nodes = Sequence[Mapping[str, Any]]
Names = Mapping[str, Any]  # the templates behind the names of an expression

MOST = 64  # variables of one value; more are not told apart


def of_template(template: Any, nodes: Nodes, below: Segments = ()) -> list[Variable]:
    """Return the variables behind the place `below` in what a template builds, each once."""
    return _few(_template(template, nodes, below))


def of_expression(expression: Any, names: Names, nodes: Nodes) -> list[Variable]:
    """Return the variables behind an expression over names, each once."""
    return _few(_expression(expression, names, nodes))


def _few(found: Iterator[Variable]) -> list[Variable]:
    kept: dict[Variable, None] = {}
    # What is computed from computations may name a variable over and over.
    for number, variable in enumerate(found):
        kept.setdefault(variable)
        if len(kept) == MOST or number > MOST * MOST:
            break
    return list(kept)


def _template(template: Any, nodes: Nodes, below: Segments) -> Iterator[Variable]:
    kind = template[0]
    if kind == "ref":
        path = (*template[2], *below)
        if template[1] == "payload":
            yield "payload", path
        elif isinstance(template[1], int):
            yield from _node(template[1], nodes, path)
    elif kind == "map":
        if not below:
            for part in template[1].values():
                yield from _template(part, nodes, ())
        elif below[0] in template[1]:
            yield from _template(template[1][below[0]], nodes, below[1:])
    elif kind == "list":
        parts = template[1]
        if below and isinstance(below[0], int):
            if -len(parts) <= below[0] < len(parts):
                yield from _template(parts[below[0]], nodes, below[1:])
        elif not below:
            for part in parts:
                yield from _template(part, nodes, ())
    elif kind == "first":
        for part in template[1]:
            yield from _template(part, nodes, below)


def _node(index: int, nodes: Nodes, path: Segments) -> Iterator[Variable]:
    """Yield the variables behind a place in what a node's slot holds."""
    node = nodes[index]
    if node["kind"] in (CALL, WAIT):
        yield index, path
    elif node["kind"] == PASS:
        yield from _template(node["with"], nodes, path)
    elif node["kind"] == COMPUTE:
        for name, expression in node["fields"].items():
            if not path or path[0] == name:
                yield from _expression(expression, node["with"], nodes)
    elif node["kind"] == EACH and path and path[0] == node["as"]:
        yield from _template(node["items"], nodes, (0, *path[1:]))


def _expression(expression: Any, names: Names, nodes: Nodes) -> Iterator[Variable]:
    operation = expression[0]
    if operation == "lit":
        return
    access = _access(expression)
    if access is not None:
        name, path = access
        if name in names:
            yield from _template(names[name], nodes, path)
        return
    if operation in MACROS:
        over = _access(expression[1])
        if over is not None and over[0] in names:  # its variable stands for the first item
            names = {**names, expression[2]: _first(names[over[0]], over[1])}
    for part in parts_of(expression):
        yield from _expression(part, names, nodes)


def _first(template: Any, path: Segments) -> Any:
    """Return a template of the first item of the list that stands at a path in what a template builds."""
    if template[0] == "map" and path and path[0] in template[1]:
        return _first(template[1][path[0]], path[1:])
    return ["ref", template[1], [*template[2], *path, 0]] if template[0] == "ref" else ["lit", None]


def _access(expression: Any) -> tuple[str, Segments] | None:
    """Return name and path of `name.a[0].b` and of `has(name.a)`, or None for anything else."""
    operation = expression[0]
    if operation == "name":
        return expression[1], ()
    if operation not in ("get", "has", "at"):
        return None
    inner = _access(expression[1])
    if inner is None or operation != "at":
        return None if inner is None else (inner[0], (*inner[1], expression[2]))
    key = expression[2]
    return (inner[0], (*inner[1], key[1])) if key[0] == "lit" and isinstance(key[1], (int, str)) else None
