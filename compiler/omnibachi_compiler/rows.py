"""Rows: which rows of a decision table can never win.

Trying one value of every cell (`questions.py`), for all subjects together, decides what each row answers. All these
cases are tried at once: what a row answers in each is a bit of a whole number, so that a row costs little more than
reading it.

Subjects are taken to be independent of one another, and one whose type is not known may have any value or none
(FAULT). Both only add cases that cannot happen, so a row is reported only when it is truly dead; where there are too
many cases, nothing is said.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .kinds import Schema
from .questions import FAULT, ORDERS, Condition, Subject, cells, gather, key, kind, question, subjects

MOST_CASES = 4096
MOST_ANSWERS = 1_000_000  # rows times cases times rows, where each row is judged by itself
MOST_ROWS = 1000  # each may be compared with all before it


def dead_rows(rows: Sequence[Condition], types: Mapping[str, Schema]) -> list[tuple[int, int | None]]:
    """Return each row that can never win, with the earlier row that covers it.

    Where several earlier rows cover it together, the last of them is named; None where the row's own condition is
    never true. `rows` are sealed conditions, None where a row has no `when`; `types` those of the names in `with`.
    """
    end = next((at for at, row in enumerate(rows) if row is None), len(rows))
    reached = list(rows[: end + 1])
    if len(reached) > MOST_ROWS:
        return [(at, end) for at in range(end + 1, len(rows))]
    asked = [subjects(row) for row in reached]
    everything: dict[str, Subject] = {}
    for found in asked:
        gather(everything, found)
    dead: list[tuple[int, int | None]] = []
    cases = _cases(everything, types, MOST_CASES)
    if cases is not None:
        dead = _judge(list(enumerate(reached)), cases)
    else:
        for at in range(len(reached)):
            dead.extend(_alone(at, reached, asked, types))
    return [*dead, *((at, end) for at in range(end + 1, len(rows)))]


def _alone(
    at: int, rows: list[Condition], asked: list[dict[str, Subject]], types: Mapping[str, Schema]
) -> Iterator[tuple[int, int | None]]:
    """Judge one row by those earlier rows that ask about nothing else than it does."""
    most = MOST_ANSWERS // len(rows)
    fitting = (other for other in range(at) if asked[other].keys() <= asked[at].keys())
    chosen = list(itertools.islice(fitting, most + 1))
    if len(chosen) > most:
        return  # more rows than can be tried
    mine: dict[str, Subject] = {}
    for other in (*chosen, at):
        gather(mine, asked[other])
    cases = _cases(mine, types, most // (len(chosen) + 1))
    if cases is not None:
        yield from (found for found in _judge([(row, rows[row]) for row in (*chosen, at)], cases) if found[0] == at)


def _judge(rows: list[tuple[int, Condition]], cases: _Cases) -> list[tuple[int, int | None]]:
    """Return the rows that win in no case, each with a row that covers it."""
    left, stopped = cases.all, 0  # cases that no row has won or stopped, and those that a row stopped by FAULT
    true: list[tuple[int, int]] = []  # each row before, and where it is true
    ended: list[tuple[int, int]] = []  # each row that won or stopped cases, and these
    dead: list[tuple[int, int | None]] = []
    for at, row in rows:
        holds, fault = (cases.all, 0) if row is None else cases.answers(row)
        if not holds & left:
            seen = holds & ~stopped
            by = next((other for other, mask in true if seen and not seen & ~mask), None)
            if by is None:
                by = next((other for other, mask in reversed(ended) if mask & holds), None)
            if by is not None or (not holds and cases.all & ~fault):
                dead.append((at, by))
        true.append((at, holds))
        ends = (holds | fault) & left
        if ends:
            ended.append((at, ends))
        stopped |= fault & left
        left &= ~ends
    return dead


class _Cells:
    """The cells of one subject, each with the cases in which the subject has its value."""

    def __init__(self, found: list[Any], masks: list[int]) -> None:
        self.of_kind: dict[Any, int] = {}
        self.equal: dict[Any, int] = {}
        self.values = list(zip(found, masks, strict=True))
        for value, mask in self.values:
            which = kind(value)
            self.of_kind[which] = self.of_kind.get(which, 0) | mask
            self.equal[which, value] = self.equal.get((which, value), 0) | mask
        self.sorted: dict[Any, list[Any]] = {}
        self.below: dict[Any, list[int]] = {}  # the cases of so many of the least values
        for ordered in (int, str):
            least = sorted(((value, mask) for value, mask in self.values if kind(value) is ordered), key=_first)
            self.sorted[ordered] = [value for value, _ in least]
            self.below[ordered] = list(itertools.accumulate((mask for _, mask in least), int.__or__, initial=0))

    def ordered(self, operation: str, literal: Any) -> tuple[int, int]:
        """Return where a value stands so to a literal, and where the two cannot be compared."""
        which = kind(literal)
        comparable = self.of_kind.get(which, 0) if which in (int, str) else 0
        if not comparable:
            return 0, -1
        find = bisect_left if operation in ("lt", "ge") else bisect_right
        below = self.below[which][find(self.sorted[which], literal)]
        return below if operation in ("lt", "le") else comparable & ~below, ~comparable

    def among(self, literals: list[Any]) -> tuple[int, int]:
        """Return where a value is one of some literals, and where it cannot be compared with all of them."""
        equal = 0
        for literal in literals:
            equal |= self.equal.get((kind(literal), literal), 0)
        kinds = {kind(literal) for literal in literals if literal is not None}
        alike = self.of_kind.get(type(None), 0)
        if len(kinds) == 1:
            alike |= self.of_kind.get(kinds.pop(), 0)
            return equal, ~alike & ~equal
        return equal, self.of_kind.get(FAULT, 0) if not kinds else ~alike & ~equal


class _Cases:
    """All combinations of the cells of some subjects, each a bit: what a condition answers in all of them at once."""

    def __init__(self, found: dict[str, list[Any]]) -> None:
        count = math.prod(map(len, found.values()))
        self.all = (1 << count) - 1
        self._cells: dict[str, _Cells] = {}
        period = count
        for name, members in found.items():
            # The cells of a subject take turns of `width` cases each, and begin again after each `period`.
            width = period // len(members) if count else 0
            turns = self.all // ((1 << period) - 1) * ((1 << width) - 1) if count else 0
            self._cells[name] = _Cells(members, [turns << (at * width) for at in range(len(members))])
            period = width

    def answers(self, condition: list[Any]) -> tuple[int, int]:
        """Return where a condition is true, and where it ends in FAULT."""
        operation = condition[0]
        if operation == "lit":
            return (self.all if condition[1] is True else 0), (0 if isinstance(condition[1], bool) else self.all)
        if operation == "not":
            true, fault = self.answers(condition[1])
            return self.all & ~true & ~fault, fault
        if operation in ("and", "or", "if"):
            true, fault = self.answers(condition[1])
            false = self.all & ~true & ~fault
            if operation == "if":
                (then, broken), (other, bad) = self.answers(condition[2]), self.answers(condition[3])
                return true & then | false & other, fault | true & broken | false & bad
            then, broken = self.answers(condition[2])
            asked = true if operation == "and" else false
            return (0 if operation == "and" else true) | asked & then, fault | asked & broken
        return self._asked(condition)

    def _asked(self, condition: list[Any]) -> tuple[int, int]:
        found = question(condition)
        if found is None:
            of = self._cells[key(condition)]
            return of.equal.get((bool, True), 0), self.all & ~of.of_kind.get(bool, 0)
        operation, subject, literals = found
        of = self._cells[key(subject)]
        if operation in ORDERS:
            true, fault = of.ordered(operation, literals[0])
            return true, self.all & fault
        true, fault = of.among(literals)
        fault = self.all & (fault | of.of_kind.get(FAULT, 0))
        return (self.all & ~true & ~fault if operation == "ne" else true), fault


def _first(pair: tuple[Any, int]) -> Any:
    return pair[0]


def _cases(asked: Mapping[str, Subject], types: Mapping[str, Schema], most: int) -> _Cases | None:
    """Return one case for every combination of cells, or None if there are more than `most` (or MOST_CASES)."""
    found = {name: cells(subject, types) for name, subject in asked.items()}
    return None if math.prod(map(len, found.values())) > min(most, MOST_CASES) else _Cases(found)
