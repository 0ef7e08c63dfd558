"""Wishes: what must hold so that a run takes a certain road, and how another world is found in which it holds.

A wish is a condition on a world. Its ways are the different ways to fulfil it, each a list of atoms in the order they
are asked. `fulfilled` takes what the atoms suggest, one after another; a suggestion counts only if everything
that was wished before still holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .atoms import AnyAtom, Atom, Bound, Fits, Names, evaluated, literals, near
from .specimens import Schema
from .variables import Variable
from .worlds import World

MOST_WAYS = 24
MOST_SUGGESTIONS = 400


@dataclass(frozen=True, slots=True)
class Wish:
    """A condition on a world, for the node at `index`, and the ways in which it may be fulfilled."""

    index: int
    holds: Callable[[World], bool]
    ways: tuple[tuple[AnyAtom, ...], ...]

    def variables(self, world: World) -> list[Variable]:
        """Return all variables behind the wish."""
        return list(dict.fromkeys(variable for way in self.ways for atom in way for variable in atom.variables(world)))


def truth(index: int, expression: Any, names: Names, wanted: bool = True) -> Wish:
    """Wish that an expression over names is true, or, if not `wanted`, false."""
    ways: list[tuple[AnyAtom, ...]] = [
        (Bound(names), *(Atom(*atom, names) for atom in way)) for way in _ways(expression, wanted)
    ]
    whole = Atom(expression, wanted, names)
    return Wish(index, whole.holds, tuple(ways))


def row_wins(index: int, node: Mapping[str, Any], rows: Sequence[int]) -> Wish:
    """Wish that one of these rows (from 0) of a decision wins."""
    names = node["with"]
    every = node["rows"]
    ways: list[tuple[AnyAtom, ...]] = []
    for row in rows:
        asked = [(before["when"], False) for before in every[:row]]
        asked += [(every[row]["when"], True)] if every[row]["when"] is not None else []
        ways += [(Bound(names), *(Atom(*atom, names) for atom in way)) for way in _all_of(asked)]

    def holds(world: World) -> bool:
        for number, row in enumerate(every):
            verdict = True if row["when"] is None else evaluated(row["when"], names, world)
            if verdict is True:
                return number in rows and world.names(names) is not None
            if verdict is not False:
                return False
        return False

    return Wish(index, holds, tuple(ways[:MOST_WAYS]))


def fits(index: int, template: Any, schema: Schema, wanted: bool = True) -> Wish:
    """Wish that what a template builds fits a schema, or breaks it."""
    atom = Fits(template, schema, wanted)
    return Wish(index, atom.holds, ((Bound({"": template}), atom),))


Way = tuple[tuple[Any, bool], ...]


def _ways(expression: Any, wanted: bool) -> list[Way]:
    """Return ways to make an expression true or false, each with what is asked from left to right."""
    operation = expression[0]
    if operation == "lit":
        return [()] if expression[1] is wanted else []
    if operation == "not":
        return _ways(expression[1], not wanted)
    if operation in ("and", "or"):
        left, right = expression[1:]
        if wanted is (operation == "and"):
            return _all_of([(left, wanted), (right, wanted)])
        return (_ways(left, wanted) + _all_of([(left, not wanted), (right, wanted)]))[:MOST_WAYS]
    if operation == "if":
        test, first, second = expression[1:]
        return (_all_of([(test, True), (first, wanted)]) + _all_of([(test, False), (second, wanted)]))[:MOST_WAYS]
    return [((expression, wanted),)]


def _all_of(asked: Sequence[tuple[Any, bool]]) -> list[Way]:
    found: list[Way] = [()]
    for expression, wanted in asked:
        more = _ways(expression, wanted)
        found = [(*way, *another) for way, another in itertools.islice(itertools.product(found, more), MOST_WAYS)]
    return found


# Wishes that are kept, each with the roots of its variables: scope and first segment.
Depending = Sequence[tuple["Wish", frozenset[tuple[Any, ...]]]]


class Effort:
    """How much may still be tried; whoever tries spends, and nothing is tried when all is spent."""

    def __init__(self, most: int) -> None:
        self.left = most

    def spend(self, count: int) -> bool:
        """Take some of what is left; False when nothing was."""
        there = self.left > 0
        self.left -= count
        return there


def roots_of(variables: Iterable[Variable]) -> frozenset[tuple[Any, ...]]:
    """Return where variables begin: scope and first segment. What has no root in common does not meddle."""
    return frozenset(variable[0:1] + variable[1][:1] for variable in variables)


def fulfilled(world: World, wish: Wish, depending: Depending, effort: Effort) -> World | None:
    """Return a world that fulfils a wish and still all that are kept, or None where none was found."""
    if wish.holds(world):
        return world
    for way in wish.ways:
        found = _along(world, way, depending, effort)
        if found is not None and wish.holds(found):
            return found
    return None


def _along(world: World, way: Sequence[AnyAtom], depending: Depending, effort: Effort) -> World | None:
    for position, atom in enumerate(way):
        if not atom.holds(world):
            other = _other(world, atom, way, position, depending, effort)
            if other is None:
                return None
            world = other
    return world


def _other(
    world: World,
    atom: AnyAtom,
    way: Sequence[AnyAtom],
    position: int,
    depending: Depending,
    effort: Effort,
) -> World | None:
    """Return a world near this one in which an atom holds, and still all before it and all kept wishes."""
    before = way[:position]
    # Where its own neighbours are shut out by other atoms, those of what these compare with are the next.
    pool = [
        value for one in way if isinstance(one, Atom) for known in literals(one.expression) for value in near(known)
    ]
    further = ((variable, value) for variable in atom.variables(world) for value in pool)
    suggested = list(itertools.islice(itertools.chain(atom.suggestions(world), further), MOST_SUGGESTIONS))
    for changes in itertools.chain(([one] for one in suggested), _together(suggested)):
        other: World | None = world
        for variable, value in changes:
            other = other.with_value(variable, value) if other is not None else None
        if other is None:
            continue
        touched = roots_of(variable for variable, _ in changes)
        concerned = [wish for wish, roots in depending if roots & touched]
        if not effort.spend(1 + len(concerned)):
            return None
        if (
            other.fits()
            and atom.holds(other)
            and all(earlier.holds(other) for earlier in before)
            and all(wish.holds(other) for wish in concerned)
        ):
            return other
    return None


def _together(suggested: Sequence[tuple[Variable, Any]]) -> Iterator[list[tuple[Variable, Any]]]:
    """Yield changes of two or three variables at once, where one alone did not do."""
    choices: dict[Variable, list[Any]] = {}
    for variable, value in suggested:
        choices.setdefault(variable, []).append(value)
    if 2 <= len(choices) <= 3:
        for values in itertools.product(*(found[:10] for found in choices.values())):
            yield list(zip(choices, values, strict=True))
