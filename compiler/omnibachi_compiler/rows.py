"""Rows: which rows of a decision table can never win.

A condition is a combination (`&&`, `||`, `!`, `?:`) of questions. A question asks a *subject* for its value: it
compares it with literals, looks for it in a list of literals, or takes it for true or false. The subject may be a name,
a field, or any other expression. The literals that a table compares a subject with cut its values into finitely many
cells on which all rows answer alike: each literal, and each gap between neighbours that holds a value of its type. So
trying one value of every cell, for all subjects together, decides what each row answers.

Subjects are taken to be independent of one another, and one whose type is not known may have any value or none
(FAULT). Both only add cases that cannot happen, so a row is reported only when it is truly dead; where there are too
many cases, nothing is said.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

from omnibachi_model.checks import same

from .expressions import MIRROR
from .fits import member
from .kinds import Schema, integral, kinds, values

Condition: TypeAlias = list[Any] | None
Case: TypeAlias = dict[str, Any]  # a value of each subject, by the subject's key

MOST_CASES = 4096
MOST_ANSWERS = 1_000_000  # rows times cases, for one table
MOST_ROWS = 1000  # each is compared with all before it


class _Without:
    """What is no scalar: a list, a record, or (FAULT) no value at all."""


FAULT, LIST, RECORD = _Without(), _Without(), _Without()
BOOLEANS = frozenset(("eq", "ne", "lt", "le", "gt", "ge", "in", "has", "startsWith", "endsWith", "contains"))
BOOLEANS |= {"all", "exists", "exists_one"}
ORDERS = frozenset(("lt", "le", "gt", "ge"))


@dataclass(slots=True)
class _Subject:
    """An expression that is asked for its value, and the scalars that it is compared with."""

    expression: list[Any]
    literals: list[Any] = field(default_factory=list)


def dead_rows(rows: Sequence[Condition], types: Mapping[str, Schema]) -> list[tuple[int, int | None]]:
    """Return each row that can never win, with the earlier row that covers it.

    Where several earlier rows cover it together, the last of them is named; None where the row's own condition is
    never true. `rows` are sealed conditions, None where a row has no `when`; `types` those of the names in `with`.
    """
    end = next((at for at, row in enumerate(rows) if row is None), len(rows))
    reached = list(rows[: end + 1])
    if len(reached) > MOST_ROWS:
        return [(at, end) for at in range(end + 1, len(rows))]
    subjects = [_subjects(row) for row in reached]
    everything: dict[str, _Subject] = {}
    for found in subjects:
        _gather(everything, found)
    dead: list[tuple[int, int | None]] = []
    cases = _cases(everything, types, MOST_ANSWERS // len(reached))
    if cases is not None:
        dead = _judge(list(enumerate(reached)), cases)
    else:
        for at in range(len(reached)):
            dead.extend(_alone(at, reached, subjects, types))
    return [*dead, *((at, end) for at in range(end + 1, len(rows)))]


def _alone(
    at: int, rows: list[Condition], subjects: list[dict[str, _Subject]], types: Mapping[str, Schema]
) -> Iterator[tuple[int, int | None]]:
    """Judge one row by those earlier rows that ask about nothing else than it does."""
    most = MOST_ANSWERS // len(rows)
    fitting = (other for other in range(at) if subjects[other].keys() <= subjects[at].keys())
    chosen = list(itertools.islice(fitting, most + 1))
    if len(chosen) > most:
        return  # more rows than can be tried
    mine: dict[str, _Subject] = {}
    for other in (*chosen, at):
        _gather(mine, subjects[other])
    cases = _cases(mine, types, most // (len(chosen) + 1))
    if cases is not None:
        yield from (found for found in _judge([(row, rows[row]) for row in (*chosen, at)], cases) if found[0] == at)


def _judge(rows: list[tuple[int, Condition]], cases: list[Case]) -> list[tuple[int, int | None]]:
    """Return the rows that win in no case, each with a row that covers it."""
    alive: set[int] = set()
    refused: set[int] = set()  # false in some case
    winners: dict[int, set[int]] = {}  # rows that end the table where this one would win
    covers: dict[int, set[int]] = {}  # rows that are true wherever this one is
    for case in cases:
        true: list[int] = []
        stop: int | None = None  # the row at which this case ends in FAULT
        for at, row in rows:
            answer = True if row is None else _answer(row, case)
            if answer is False:
                refused.add(at)
            if answer is True:
                if stop is not None:
                    winners.setdefault(at, set()).add(stop)
                    continue
                if true:
                    winners.setdefault(at, set()).add(true[0])
                else:
                    alive.add(at)
                covers[at] = covers.get(at, set(true)) & set(true)
                true.append(at)
            elif answer is FAULT and not true and stop is None:
                stop = at
    dead: list[tuple[int, int | None]] = []
    for at, _ in rows:
        if at in alive:
            continue
        if covers.get(at):
            dead.append((at, min(covers[at])))
        elif at in winners:
            dead.append((at, max(winners[at])))
        elif at in refused:
            dead.append((at, None))
    return dead


def _key(expression: list[Any]) -> str:
    return json.dumps(expression, sort_keys=True)


def _gather(into: dict[str, _Subject], found: Mapping[str, _Subject]) -> None:
    for key, subject in found.items():
        into.setdefault(key, _Subject(subject.expression)).literals.extend(subject.literals)


def _subjects(condition: Condition) -> dict[str, _Subject]:
    """Return the subjects of a condition by key."""
    found: dict[str, _Subject] = {}
    pending = [] if condition is None else [condition]
    while pending:
        expression = pending.pop()
        operation = expression[0]
        if operation in ("and", "or", "not", "if"):
            pending.extend(expression[1:])
            continue
        if operation == "lit":
            continue
        question = _question(expression)
        subject, literals = (expression, []) if question is None else (question[1], question[2])
        found.setdefault(_key(subject), _Subject(subject)).literals.extend(literals)
    return found


def _question(expression: list[Any]) -> tuple[str, list[Any], list[Any]] | None:
    """Take a comparison with literals apart: (operation, subject, literals); None for anything else."""
    operation = expression[0]
    if operation == "in":
        items = _literals(expression[2])
        return None if items is None or expression[1][0] == "lit" else (operation, expression[1], items)
    if operation not in MIRROR:
        return None
    left, right = expression[1], expression[2]
    if left[0] == "lit":
        left, right, operation = right, left, MIRROR[operation]
    if left[0] == "lit" or right[0] != "lit" or isinstance(right[1], (list, dict)):
        return None
    return operation, left, [right[1]]


def _literals(expression: list[Any]) -> list[Any] | None:
    """Return the scalars of a list that holds nothing else, or None."""
    if expression[0] != "list" or any(item[0] != "lit" for item in expression[1]):
        return None
    found = [item[1] for item in expression[1]]
    return None if any(isinstance(item, (list, dict)) for item in found) else found


def _answer(condition: list[Any], case: Case) -> Any:
    """Return what a condition answers in a case: True, False or FAULT."""
    operation = condition[0]
    if operation == "lit":
        return condition[1] if isinstance(condition[1], bool) else FAULT
    if operation == "not":
        inner = _answer(condition[1], case)
        return FAULT if inner is FAULT else not inner
    if operation in ("and", "or"):
        left = _answer(condition[1], case)
        return left if left is FAULT or left is (operation == "or") else _answer(condition[2], case)
    if operation == "if":
        test = _answer(condition[1], case)
        return FAULT if test is FAULT else _answer(condition[2 if test else 3], case)
    question = _question(condition)
    if question is None:
        value = case[_key(condition)]
        return value if isinstance(value, bool) else FAULT
    return _asked(question[0], case[_key(question[1])], question[2])


def _kind(value: Any) -> Any:
    """Return what values must share to be compared: numbers are of one kind."""
    if isinstance(value, (bool, str)) or value is None:
        return type(value)
    return value if isinstance(value, _Without) else int


def _asked(operation: str, value: Any, literals: list[Any]) -> Any:
    if value is FAULT:
        return FAULT
    if operation in ORDERS:
        other = literals[0]
        if _kind(value) is not _kind(other) or _kind(value) not in (int, str):
            return FAULT
        return {"lt": value < other, "le": value <= other, "gt": value > other, "ge": value >= other}[operation]
    if any(_kind(value) is _kind(other) and same(value, other) for other in literals):
        return operation != "ne"
    if any(_kind(value) is not _kind(other) and value is not None and other is not None for other in literals):
        return FAULT
    return operation == "ne"


def _cases(subjects: Mapping[str, _Subject], types: Mapping[str, Schema], most: int) -> list[Case] | None:
    """Return one case for every combination of cells, or None if there are more than `most` (or MOST_CASES)."""
    cells = [_cells(subject, types) for subject in subjects.values()]
    if math.prod(map(len, cells)) > min(most, MOST_CASES):
        return None
    return [dict(zip(subjects, case, strict=True)) for case in itertools.product(*cells)]


def _type(expression: list[Any], types: Mapping[str, Schema]) -> tuple[Schema, bool]:
    """Return the type of a subject and whether it always has a value."""
    operation = expression[0]
    if operation == "name":
        return types.get(expression[1], {}), True
    if operation == "get":
        return member(_type(expression[1], types)[0], expression[2])[0], False
    return ({"type": "boolean"} if operation in BOOLEANS else {}), False


def _cells(subject: _Subject, types: Mapping[str, Schema]) -> list[Any]:
    """Return one value of each cell of a subject."""
    schema, sure = _type(subject.expression, types)
    found: list[Any] = [] if sure else [FAULT]
    listed = values(schema)
    if listed is not None:
        # A list or a record cannot be compared with the scalars of a question, so one stands for all.
        scalars = [value for value in listed if not isinstance(value, (list, dict))]
        return [*found, *scalars, *([LIST] if len(scalars) < len(listed) else [])]
    allowed = kinds(schema)
    if "number" in allowed:
        found.extend(_numbers(subject.literals, schema))
    if "string" in allowed:
        found.extend(_texts(subject.literals))
    if "boolean" in allowed:
        found.extend((True, False))
    if "null" in allowed:
        found.append(None)
    found.extend(stand for kind, stand in (("array", LIST), ("object", RECORD)) if kind in allowed)
    return found


def _numbers(literals: list[Any], schema: Schema) -> list[Any]:
    """Return one number of each cell that the schema allows: the points, and the gaps before, between and after."""
    bounds = [schema[key] for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if key in schema]
    points = sorted(
        {item for item in (*literals, *bounds) if isinstance(item, (int, float)) and type(item) is not bool}
    )
    if not points:
        return [0]
    found: list[Any] = [points[0] - 1, points[-1] + 1]
    found.extend(Fraction(low) + (Fraction(high) - Fraction(low)) / 2 for low, high in itertools.pairwise(points))
    if integral(schema):
        found = [points[0] - 1 if isinstance(points[0], int) else math.ceil(points[0]) - 1]
        found.append(points[-1] + 1 if isinstance(points[-1], int) else math.floor(points[-1]) + 1)
        found.extend(math.floor(low) + 1 for low, high in itertools.pairwise(points) if math.floor(low) + 1 < high)
        points = [point for point in points if float(point).is_integer()]
    return [number for number in (*points, *found) if _inside(number, schema)]


def _inside(number: Any, schema: Schema) -> bool:
    return not (
        ("minimum" in schema and number < schema["minimum"])
        or ("maximum" in schema and number > schema["maximum"])
        or ("exclusiveMinimum" in schema and number <= schema["exclusiveMinimum"])
        or ("exclusiveMaximum" in schema and number >= schema["exclusiveMaximum"])
    )


def _texts(literals: list[Any]) -> list[str]:
    """Return one text of each cell: the points and the gaps, by code points; the next text after `s` is `s` and NUL."""
    points = sorted({item for item in literals if isinstance(item, str)})
    if not points:
        return ["a"]
    found = [] if points[0] == "" else [""]
    for low, high in itertools.pairwise(points):
        if low + "\0" < high:
            found.append(low + "\0")
    return [*points, *found, points[-1] + "\0"]
