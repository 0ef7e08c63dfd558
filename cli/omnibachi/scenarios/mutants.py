"""Mutants: sealed workflows with one thing changed that a good scenario should notice.

Changed is the sealed form in memory, one place at a time:

- `route`: an outcome leads elsewhere, to where crashes go and to another exit or node of the same declaration;
- `row`: a row of a decision is gone; `comparison`: one sign in its `when`, or in a field that is computed, is another
  (`<` and `<=`, `==` and `!=`, `&&` and `||`, `all` and `exists`, a test and its negation), also inside macros;
- `check`: one bound of the payload, or of inputs that are checked when called, is gone;
- `binding`: an input or a field of a result is another value of the same type that is there as well;
- `skipped`: a node that a law names is passed over.

What cannot make a difference is left out where that shows in the form itself: a route to the same target, a row behind
which all rows say the same. Each mutant says by what a run feels it (`felt`); one that does not is the same on both.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from omnibachi.wiring import PATTERN_LENGTH, Bound, among, bounded_by, bounds_of, courses_of
from omnibachi_model.checks import types_of
from omnibachi_model.expressions import MACROS
from omnibachi_model.sealed import (
    CALL,
    COMPUTE,
    DECIDE,
    END,
    EXIT,
    FAULT,
    PASS,
    REJECTED_EXIT,
    RESERVED_EXITS,
    SUCCESS,
    WAIT,
)
from omnibachi_model.values import LIMIT

from .specimens import Schema, schema_at
from .visits import GATE, PASSED, left_by, won

Sealed = dict[str, Any]

Path = tuple[str | int, ...]

NOTHING = ["map", {}]  # what a node hands on that hands on nothing

_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&&", "or": "||"}
_SWAPS = {"eq": "ne", "ne": "eq", "lt": "le", "le": "lt", "gt": "ge", "ge": "gt", "and": "or", "or": "and"}
_SIGNS |= {name: name for name in MACROS}
_SWAPS |= {"all": "exists", "exists": "all", "exists_one": "exists"}
_ORDERS = ("lt", "le", "gt", "ge")
_NEGATED = ("in", "has", "startsWith", "endsWith", "contains")


class Mutant(NamedTuple):
    """One change: the node (or GATE), its kind, what was changed in words, where that stands, and the change itself.

    `node` is the node that says it: of a route out of a contract, the one that uses the contract. `felt` are the marks
    (`visits`) of which a run that may notice leaves one at the place `at`.
    """

    at: int
    node: str
    kind: str
    change: str
    place: tuple[str, Any]  # which span of the origins tells the line: "next", an outcome; "rows", a number; …
    apply: Callable[[Sealed], None]
    felt: frozenset[str]
    word: str = ""  # what tells it from others of its place wherever its declaration is used; else `change`


def mutants(workflow: Mapping[str, Any], laws: Collection[Mapping[str, Any]] = ()) -> Iterator[Mutant]:
    """Yield the mutants of a sealed workflow, in the order of its nodes."""
    yield from _of_schema(GATE, "payload", workflow["payload"], lambda sealed: sealed["payload"])
    points = [point for law in laws for course in courses_of(law) for point in course.values()]
    named = {name for point in points if isinstance(point, dict) for name in among(point, "node")}
    for index, node in enumerate(workflow["nodes"]):
        if node["kind"] != END:
            yield from _routes(workflow, index)
        if node["kind"] == DECIDE:
            yield from _rows(workflow, index)
        if node["kind"] == COMPUTE:
            yield from _fields(workflow, index)
        if node["kind"] in (CALL, PASS) and node["check"]:
            yield from _of_schema(index, node["name"], node["check"], _check_of(index))
        yield from _bindings(workflow, index)
        if node["name"] in named and node["kind"] == CALL:
            yield from _skipped(workflow, index)


def _routes(workflow: Mapping[str, Any], index: int) -> Iterator[Mutant]:
    """Lead each outcome to where crashes go, and to another exit or node of the declaration that says the route."""
    nodes = workflow["nodes"]
    node = nodes[index]
    for outcome, target in node["next"].items():
        # What leads into a contract, and what ends an iteration, nobody wrote.
        inside = node["kind"] == PASS and nodes[target]["name"].startswith(f"{node['name']}/")
        if outcome == FAULT or inside or nodes[target]["kind"] == END:
            continue
        name, said = node["name"], outcome
        if node["kind"] == PASS:  # a way out of a contract: the node that uses it says where that leads
            name, _, said = name.rpartition("/")
        for other, word in _elsewhere(nodes, index, target, name):
            change = f"`{said}` leads to `{nodes[other]['name']}` instead of `{nodes[target]['name']}`"
            felt = frozenset([left_by(outcome)])
            yield Mutant(index, name, "route", change, ("next", said), _rerouted(index, outcome, other), felt, word)


def _elsewhere(nodes: Sequence[Mapping[str, Any]], index: int, target: int, name: str) -> Iterator[tuple[int, str]]:
    """Yield other targets: where crashes go, and the next exit or, where a node is led to, node of the declaration.

    With each the word for it that is the same wherever the declaration is used. The next is that by name: the order of
    nodes is another where a contract or workflow is used.
    """
    taken = [target, _behind(nodes, target)]
    crashed = nodes[index]["next"].get(FAULT, target)
    if crashed not in taken:
        yield crashed, "crash"
        taken.append(crashed)
    home = name.rpartition("/")[0]
    leaving = _is_exit(nodes, target)
    found = {}
    for other, node in enumerate(nodes):
        parent, _, own = node["name"].rpartition("/")
        written = node["kind"] != END and not own.endswith("[]") and own not in RESERVED_EXITS
        if parent != home or not written or _is_exit(nodes, other) is not leaving:
            continue
        if (leaving or other > index) and _behind(nodes, other) not in taken and other not in taken:
            found[own] = other
    if found:
        at = nodes[target]["name"].rpartition("/")[2]
        own = min(found, key=lambda other: (other <= at, other))
        yield found[own], own


def _behind(nodes: Sequence[Mapping[str, Any]], target: int) -> int:
    """Return what a target leads to silently, not past what gives something: itself, or what is behind a contract's
    exit."""
    while nodes[target]["kind"] == PASS and SUCCESS in nodes[target]["next"] and nodes[target]["with"] == NOTHING:
        target = nodes[target]["next"][SUCCESS]
    return target


def _is_exit(nodes: Sequence[Mapping[str, Any]], index: int) -> bool:
    """Tell whether a node is an exit, of the workflow or of a contract or workflow that is used."""
    node = nodes[index]
    if node["kind"] != PASS:
        return bool(node["kind"] == EXIT)
    return not any(nodes[target]["name"].startswith(f"{node['name']}/") for target in node["next"].values())


def _rerouted(index: int, outcome: str, other: int) -> Callable[[Sealed], None]:
    def apply(sealed: Sealed) -> None:
        sealed["nodes"][index]["next"][outcome] = other

    return apply


def _skipped(workflow: Mapping[str, Any], index: int) -> Iterator[Mutant]:
    """Lead whatever leads to a node to where its success leads."""
    nodes = workflow["nodes"]
    node = nodes[index]
    after = node["next"].get(SUCCESS, next(iter(node["next"].values())))

    def apply(sealed: Sealed) -> None:
        for other in sealed["nodes"]:
            other["next"] = {by: after if target == index else target for by, target in other["next"].items()}
        if sealed["start"] == index:
            sealed["start"] = after

    change = f"`{node['name']}` is passed over"
    yield Mutant(index, node["name"], "skipped", change, ("span", None), apply, frozenset([PASSED]))


def _rows(workflow: Mapping[str, Any], index: int) -> Iterator[Mutant]:
    node = workflow["nodes"][index]
    rows = node["rows"]
    for number, row in enumerate(rows[:-1]):
        if all(_says(other) == _says(row) for other in rows[number + 1 :]):
            continue

        def gone(sealed: Sealed, number: int = number) -> None:
            del sealed["nodes"][index]["rows"][number]

        place = ("rows", number)
        felt = frozenset([won(number), left_by(FAULT)])
        yield Mutant(index, node["name"], "row", f"row {number + 1} is gone", place, gone, felt)
        felt |= {won(later) for later in range(number, len(rows))}
        for change, path, put in _comparisons(row["when"], ()):

            def other(sealed: Sealed, number: int = number, path: Path = path, put: Any = put) -> None:
                row = sealed["nodes"][index]["rows"][number]
                row["when"] = _replaced(row["when"], path, put)

            yield Mutant(index, node["name"], "comparison", f"in row {number + 1}, {change}", place, other, felt)


def _fields(workflow: Mapping[str, Any], index: int) -> Iterator[Mutant]:
    node = workflow["nodes"][index]
    for name, expression in node["fields"].items():
        for change, path, put in _comparisons(expression, ()):

            def other(sealed: Sealed, name: str = name, path: Path = path, put: Any = put) -> None:
                fields = sealed["nodes"][index]["fields"]
                fields[name] = _replaced(fields[name], path, put)

            change = f"in `{name}`, {change}"
            yield Mutant(index, node["name"], "comparison", change, ("fields", name), other, frozenset([PASSED]))


def _says(row: Mapping[str, Any]) -> tuple[str, str | None]:
    return row["outcome"], row["because"]


def _comparisons(expression: Any, path: Path, of_two: bool = False) -> Iterator[tuple[str, Path, Any]]:
    """Yield what may be changed in an expression: in words, where, and what comes there.

    With `of_two` it asks which of two numbers is the lesser, to take one of them; of two that are equal it is all one.
    """
    operation = expression[0]
    if operation == "lit":
        return
    if operation in _SWAPS and not of_two:
        swapped = _SWAPS[operation]
        yield f"`{_SIGNS[operation]}` is `{_SIGNS[swapped]}`", path, [swapped, *expression[1:]]
    if operation in (*_ORDERS, *_NEGATED):
        yield f"`{_SIGNS.get(operation, operation)}` is negated", path, ["not", expression]
    if operation == "not":
        yield "`!` is gone", path, expression[1]
    if operation in ("list", "record"):
        items = expression[1].items() if operation == "record" else enumerate(expression[1])
        inside: list[tuple[Path, Any]] = [((1, key), part) for key, part in items]
    else:
        inside = [((at,), part) for at, part in enumerate(expression) if isinstance(part, list)]
    for way, part in inside:
        choice = operation == "if" and way == (1,) and part[0] in _ORDERS
        yield from _comparisons(part, (*path, *way), choice and expression[2:] in (part[1:], part[:0:-1]))


def _replaced(expression: Any, path: Path, put: Any) -> Any:
    if not path:
        return copy.deepcopy(put)
    changed: Any = dict(expression) if isinstance(expression, dict) else list(expression)
    changed[path[0]] = _replaced(expression[path[0]], path[1:], put)
    return changed


def _check_of(index: int) -> Callable[[Sealed], Schema]:
    return lambda sealed: sealed["nodes"][index]["check"]


def _of_schema(index: int, name: str, schema: Schema, find: Callable[[Sealed], Schema]) -> Iterator[Mutant]:
    """Take one bound of a schema away at a time, which is felt by what broke it."""
    felt = frozenset([left_by(REJECTED_EXIT), left_by(FAULT)])
    for bound in bounds_of(schema):
        if bound.member is None and not _bounds_anything(bounded_by(schema, bound), bound.keyword):
            continue
        word = f"`{bound.keyword}` at `{bound.place or '/'}` is gone"
        change = f"the payload's {word}" if index == GATE else word

        def apply(sealed: Sealed, bound: Bound = bound) -> None:
            at = bounded_by(find(sealed), bound)
            if bound.member is not None:
                at["required"] = [member for member in at["required"] if member != bound.member]
            else:
                del at[bound.keyword]

        yield Mutant(index, name, "check", change, ("gate", bound.place), apply, felt, word)


def _bounds_anything(schema: Schema, key: str) -> bool:
    """Tell whether a keyword bounds what nothing else does, and was written by somebody."""
    if key not in ("const", "enum") and schema.keys() & {"const", "enum"}:
        return False
    if key in ("minLength", "minItems"):
        return bool(schema[key] > 0)
    if key == "maxLength" and "pattern" in schema:  # sealed beside each pattern where nobody says a length
        return bool(schema[key] != max(PATTERN_LENGTH, schema.get("minLength", 0)))
    # No value goes beyond this, whatever asks for it.
    whole = types_of(schema) == ("integer",)
    return not (whole and key in ("minimum", "maximum") and abs(schema[key]) >= LIMIT - 1)


def _bindings(workflow: Mapping[str, Any], index: int) -> Iterator[Mutant]:
    """Let each reference read another value of its type: one that is read beside it, or one of the payload."""
    node = workflow["nodes"][index]
    key = "result" if node["kind"] == EXIT else "with" if node["kind"] in (CALL, DECIDE, COMPUTE, WAIT) else None
    if key is None:
        return
    whole = ["map", node[key]] if node["kind"] in (DECIDE, COMPUTE) else node[key]
    references = list(_references(whole, ()))
    for path, reference in references:
        other = _another(workflow, reference, [item for _, item in references])
        if other is None:
            continue

        def apply(sealed: Sealed, path: Path = path, other: Any = other) -> None:
            at = sealed["nodes"][index]
            place: Any = ["map", at[key]] if at["kind"] in (DECIDE, COMPUTE) else at[key]
            for part in path[:-1]:
                place = place[part]
            place[path[-1]] = copy.deepcopy(other)

        change = f"`{_written(workflow, other)}` is read instead of `{_written(workflow, reference)}`"
        yield Mutant(index, node["name"], "binding", change, ("span", None), apply, frozenset([PASSED]))


def _references(template: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the references of a template that stand in a map or list, with their paths; a `$first` stays as it is."""
    kind = template[0]
    if kind == "ref" and path:
        yield path, template
    elif kind == "map":
        for key, part in template[1].items():
            yield from _references(part, (*path, 1, key))
    elif kind == "list":
        for at, part in enumerate(template[1]):
            yield from _references(part, (*path, 1, at))


def _another(workflow: Mapping[str, Any], reference: Any, beside: Sequence[Any]) -> Any:
    """Return another reference of the same type, or None."""
    kinds = _type(workflow, reference)
    if kinds is None:
        return None
    payload = workflow["payload"]
    properties = payload.get("properties", {})
    required = [["ref", "payload", [name]] for name in payload.get("required", ()) if name in properties]
    for other in (*beside, *required):
        if other[1:] != reference[1:] and _type(workflow, other) == kinds:
            return other
    return None


def _type(workflow: Mapping[str, Any], reference: Any) -> tuple[str, ...] | None:
    scope, path = reference[1:]
    if scope == "payload":
        schema = schema_at(workflow["payload"], path)
    elif isinstance(scope, int) and workflow["nodes"][scope]["kind"] == CALL:
        giving = [schema_at(outcome, path) for outcome in workflow["nodes"][scope]["outcomes"].values()]
        schema = next((found for found in giving if found), {})
    else:
        return None
    return tuple(types_of(schema)) if "type" in schema else None


def _written(workflow: Mapping[str, Any], reference: Any) -> str:
    scope, path = reference[1:]
    start = f"$.{scope}" if isinstance(scope, str) else f"$.nodes.{workflow['nodes'][scope]['name']}"
    return start + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
