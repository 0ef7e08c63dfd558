"""Atoms: comparisons, tests and plain truths that are wanted true or false, and values that might make them so.

An atom suggests values for the variables behind it: the other side of a comparison and its neighbours first, then
specimens of the variable's type. Suggestions are guesses: whoever takes one asks the atom again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from omnibachi.wiring import ABSENT, ExpressionFault
from omnibachi_model.checks import filler
from omnibachi_model.expressions import parts

from .specimens import Schema, schema_at, specimens
from .variables import Nodes, Variable, of_expression, of_template
from .worlds import REMOVED, World

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "in", "startsWith", "endsWith", "contains")
TYPES = {"string": "a", "integer": 1, "number": 1.5, "boolean": True, "null": None, "list": [], "record": {}}

Names = Mapping[str, Any]


class Atom:
    """One comparison, test or truth over names, wanted true or false."""

    __slots__ = ("expression", "names", "wanted")

    def __init__(self, expression: Any, wanted: bool, names: Names) -> None:
        self.expression = expression
        self.names = names
        self.wanted = wanted

    def holds(self, world: World) -> bool:
        """Tell whether the atom is as wanted."""
        return evaluated(self.expression, self.names, world) is self.wanted

    def variables(self, world: World) -> list[Variable]:
        """Return the variables behind the atom."""
        return of_expression(self.expression, self.names, world.linked.nodes)

    def suggestions(self, world: World) -> Iterator[tuple[Variable, Any]]:
        """Yield values to try for the variables behind the atom, the likeliest first."""
        operation, *operands = self.expression
        variables = self.variables(world)
        if operation in COMPARISONS:
            for mine, other in (operands, operands[::-1]):
                yield from self._compared(operation, mine, other, world)
        elif operation == "has" and not self.wanted:
            yield from ((variable, REMOVED) for variable in variables)
        elif operation != "has":
            yield from ((variable, value) for variable in variables for value in (self.wanted, not self.wanted))
        for variable in variables:
            yield from ((variable, value) for value in specimens(world.type_of(variable)))

    def _compared(self, operation: str, mine: Any, other: Any, world: World) -> Iterator[tuple[Variable, Any]]:
        nodes = world.linked.nodes
        variables = of_expression(mine, self.names, nodes)
        against = evaluated(other, self.names, world)
        if not variables or against is NOTHING:
            return
        measured = mine[0] if mine[0] in ("size", "type") else operation
        for variable in variables:
            here = _at(world, variable)
            if measured == "size":
                yield from ((variable, value) for value in _sized(against, here, world, variable))
            elif measured == "type":
                first = [TYPES[against]] if isinstance(against, str) and against in TYPES else []
                yield from ((variable, value) for value in (*first, *TYPES.values()))
            elif operation == "in":
                found = [value for item in against for value in near(item)] if isinstance(against, list) else []
                yield from ((variable, value) for value in (*found, *_holding(against, here)))
            elif operation in ("startsWith", "endsWith", "contains") and isinstance(against, str):
                yield from ((variable, value) for value in (*_joined(against, here), *near(against)))
            else:
                solved = self._solved(mine, variable, against, world)
                yield from ((variable, value) for value in (*solved, *near(against), *_before(against, here)))

    def _solved(self, mine: Any, variable: Variable, against: Any, world: World) -> list[Any]:
        """Return what a variable would be if what is computed from it were a straight line, with its neighbours."""
        here, value = _at(world, variable), evaluated(mine, self.names, world)
        if not all(map(_is_number, (here, value, against))) or value == here:
            return []
        further = world.with_value(variable, here + 1)
        rise = evaluated(mine, self.names, further) if further is not None else NOTHING
        if not _is_number(rise) or rise == value:
            return []
        exact = here + (against - value) / (rise - value)
        return [*near(round(exact)), *near(exact)] if abs(exact) < 2**53 else []


class _Nothing:
    """Stands for no value at all."""


NOTHING = _Nothing()


def evaluated(expression: Any, names: Names, world: World) -> Any:
    """Return the value of an expression over names, or NOTHING where it has none."""
    values = world.names(names)
    if values is None:
        return NOTHING
    try:
        return world.linked.expression(expression)(values)
    except ExpressionFault:
        return NOTHING


def _at(world: World, variable: Variable) -> Any:
    try:
        return world.get(variable)
    except ABSENT:
        return NOTHING


def literals(expression: Any) -> Iterator[Any]:
    """Yield the literals of an expression."""
    if expression[0] == "lit":
        yield expression[1]
    for part in parts(expression):
        yield from literals(part)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def near(value: Any) -> list[Any]:
    """Return a value and its neighbours."""
    if isinstance(value, bool):
        return [value, not value]
    if isinstance(value, int | float):
        near = [value + step for step in (0, 1, -1, 0.5, -0.5, 0.01, -0.01, 0.0001, -0.0001)]
        return [*near, 2 * value, 10 * value, 1000 * value, 0, 1, -1]
    if isinstance(value, str):
        # The space is the least character that reads well, so little lies between a text and that with a space.
        below = [value[:-1] + chr(ord(value[-1]) - 1)] if value and value[-1] > " " else []
        return [value, value + "a", value[:-1], "a" + value, value + " ", *below]
    return [value]


def _before(against: Any, here: Any) -> list[str]:
    """Return texts that end as the one that is there, and come before or after another."""
    if not (isinstance(against, str) and isinstance(here, str)):
        return []
    return [start + here for start in (against, *(near(against)[-1:]), " ", "~")]


def _holding(item: Any, here: Any) -> list[Any]:
    """Return lists that hold an item, as long as the one that is there or longer, and lists without it."""
    if not isinstance(here, list):
        return [[item], []]
    return [[*here[:-1], item], [*here, item], [other for other in here if other != item], []]


def _joined(part: str, here: Any) -> Iterator[str]:
    """Yield texts that hold a part, at either end or inside, made of the one that is there."""
    if isinstance(here, str):
        yield from (part + here, here + part, part + here[len(part) :], here[: -len(part)] + part)
        for at in range(1, min(len(here), 100)):
            yield from (here[:at] + part + here[at:], here[:at] + part, part + here[at:])


def _sized(size: Any, here: Any, world: World, variable: Variable) -> Iterator[Any]:
    """Yield texts and lists as long as `size`, or one more or less, made of what is there."""
    if not isinstance(size, int) or isinstance(size, bool):
        return
    for length in (size, size + 1, size - 1):
        if not 0 <= length <= 10_000:
            continue
        if isinstance(here, str):
            yield here[:length].ljust(length, "a")
            # Both ends may be asked for: what is too much or too little goes or comes between them.
            for end in range(1, min(len(here), length, 30)):
                yield here[: length - end][: len(here) - end].ljust(length - end, "a") + here[-end:]
        elif isinstance(here, list):
            inner = world.type_of(variable).get("items", {})
            fresh = list(specimens(inner, 4))
            # The same items again, or others behind those that are there, where one of a kind is wanted.
            for items in ([here or fresh[:1]], [here, fresh, fresh[::-1]]):
                more = itertools.chain(*items[:-1], itertools.cycle(items[-1]))
                if items[-1] or not length:
                    yield list(itertools.islice(more, length))


class Bound:
    """All of some names are there to be read."""

    __slots__ = ("names",)

    def __init__(self, names: Names) -> None:
        self.names = names

    def holds(self, world: World) -> bool:
        """Tell whether no name is absent."""
        return world.names(self.names) is not None

    def variables(self, world: World) -> list[Variable]:
        """Return the variables behind the names."""
        return _variables(self.names, world.linked.nodes)

    def suggestions(self, world: World) -> Iterator[tuple[Variable, Any]]:
        """Yield values for what is absent."""
        for variable in self.variables(world):
            if _at(world, variable) is NOTHING:
                yield from ((variable, value) for value in specimens(world.type_of(variable)))


class Fits:
    """What a template builds, defaults filled in, fits a schema; or, if not `wanted`, breaks it."""

    __slots__ = ("fill", "schema", "template", "wanted")

    def __init__(self, template: Any, schema: Schema, wanted: bool = True) -> None:
        self.template = template
        self.schema = schema
        self.fill = filler(schema)
        self.wanted = wanted

    def _broken(self, world: World) -> list[tuple[Any, str]] | None:
        try:
            built = world.build(self.template)
        except ABSENT:
            return None
        return world.linked.schema(self.schema)(self.fill(built) if self.fill else built) or []

    def holds(self, world: World) -> bool:
        """Tell whether it is as wanted."""
        broken = self._broken(world)
        return broken is not None and (not broken) is self.wanted

    def variables(self, world: World) -> list[Variable]:
        """Return the variables behind the template."""
        return of_template(self.template, world.linked.nodes)

    def suggestions(self, world: World) -> Iterator[tuple[Variable, Any]]:
        """Yield values that would fit where something does not, or any others where it should not fit."""
        nodes = world.linked.nodes
        for at, _ in self._broken(world) or ():
            for variable in of_template(self.template, nodes, at):
                yield from ((variable, value) for value in specimens(schema_at(self.schema, at)))
        if not self.wanted:
            for variable in self.variables(world):
                yield from ((variable, value) for value in (*specimens(world.type_of(variable)), *TYPES.values()))


def _variables(names: Names, nodes: Nodes) -> list[Variable]:
    return list(dict.fromkeys(variable for template in names.values() for variable in of_template(template, nodes)))


AnyAtom = Atom | Bound | Fits
