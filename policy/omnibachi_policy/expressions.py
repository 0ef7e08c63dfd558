"""The value of a sealed expression (docs/formats.md) over facts, or Untold where it has none.

The same small language as in decisions and computations, and the same answers; a test holds the two together. It is
read here once for each verdict, so there is nothing to link: conditions of packs are short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omnibachi_model.checks import same
from omnibachi_model.values import LIMIT

MOST_CHARACTERS = 16 * 1024 * 1024
MOST_ITEMS = 1024 * 1024

_KINDS = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null", list: "list",
          dict: "record"}  # fmt: skip

Names = Mapping[str, Any]


class Untold(Exception):
    """An expression has no value for the facts that it met."""


def value_of(expression: list[Any], names: Names) -> Any:
    """Return the value of a sealed expression; raises Untold where it has none."""
    operation = expression[0]
    if operation == "lit":
        return expression[1]
    if operation == "name":
        return _member(names, expression[1])
    if operation == "list":
        return [value_of(item, names) for item in expression[1]]
    if operation == "record":
        return {key: value_of(item, names) for key, item in expression[1].items()}
    if operation in ("get", "has"):
        owner = _of_kind("record", value_of(expression[1], names))
        return expression[2] in owner if operation == "has" else _member(owner, expression[2])
    if operation in ("and", "or"):
        return _joined(operation == "or", expression[1], expression[2], names)
    if operation == "if":
        return value_of(expression[2 if truth(value_of(expression[1], names)) else 3], names)
    if operation in ("all", "exists", "exists_one", "filter", "map"):
        return _over_items(expression, names)
    operands = [value_of(part, names) for part in expression[1:]]
    return _of_one(operation, operands[0]) if len(operands) == 1 else _OF_TWO[operation](*operands)


def truth(value: Any) -> bool:
    """Return true or false; raises Untold for anything else."""
    if type(value) is not bool:
        raise Untold
    return value


def _member(owner: Names, key: str) -> Any:
    if key not in owner:
        raise Untold
    return owner[key]


def _of_kind(kind: str, *values: Any) -> Any:
    """Return the first of some values that are all of a kind."""
    if any(_KINDS[type(value)] != kind for value in values):
        raise Untold
    return values[0]


def _joined(stop: bool, left: list[Any], right: list[Any], names: Names) -> bool:
    """Go from left to right, and no further where the left tells it."""
    return stop if truth(value_of(left, names)) is stop else truth(value_of(right, names))


def _over_items(expression: list[Any], names: Names) -> Any:
    operation, owner, variable, body = expression
    items = _of_kind("list", value_of(owner, names))
    made: list[Any] = []
    for item in items:
        value = value_of(body, {**names, variable: item})
        if operation == "map":
            made.append(value)
            continue
        holds = truth(value)
        if operation in ("all", "exists") and holds is (operation == "exists"):
            return holds
        if holds:
            made.append(item)
    if operation in ("all", "exists"):
        return operation == "all"
    return len(made) == 1 if operation == "exists_one" else made


def _of_one(operation: str, value: Any) -> Any:
    if operation == "not":
        return not truth(value)
    if operation == "neg":
        return -_of_kind("number", value)
    if operation == "type":
        return "integer" if type(value) is int else _KINDS[type(value)]
    if operation == "size":
        if type(value) in (str, list, dict):
            return len(value)
        raise Untold
    if operation == "string" and type(value) in (str, int, bool):
        return str(value).lower() if type(value) is bool else str(value)
    raise Untold


def _equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    _of_kind(_KINDS[type(a)], b)
    return same(a, b)


def _compared(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(a: Any, b: Any) -> bool:
        kind = _KINDS[type(a)]
        if kind not in ("number", "string"):
            raise Untold
        _of_kind(kind, b)
        return holds(a, b)

    return compare


def _textual(holds: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def ask(a: Any, b: Any) -> bool:
        _of_kind("string", a, b)
        return holds(a, b)

    return ask


def _canonical(value: Any) -> Any:
    if type(value) is float:
        if not value.is_integer():
            if 1e-5 <= abs(value) < 1e15:
                return value
            raise Untold
        value = int(value)
    if -LIMIT < value < LIMIT:
        return value
    raise Untold


def _reckoned(reckon: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def of_two(a: Any, b: Any) -> Any:
        _of_kind("number", a, b)
        try:
            return _canonical(reckon(a, b))
        except (ZeroDivisionError, OverflowError):
            raise Untold from None

    return of_two


def _whole(reckon: Callable[[int, int], int]) -> Callable[[Any, Any], int]:
    def of_two(a: Any, b: Any) -> int:
        if type(a) is not int or type(b) is not int or b == 0:
            raise Untold
        return reckon(a, b)

    return of_two


def _added(a: Any, b: Any) -> Any:
    for kind, most in ((str, MOST_CHARACTERS), (list, MOST_ITEMS)):
        if type(a) is kind and type(b) is kind:
            if len(a) + len(b) > most:
                raise Untold
            return a + b
    return _reckoned(lambda one, other: one + other)(a, b)


def _within(item: Any, owner: Any) -> bool:
    if type(owner) is dict:
        return _of_kind("string", item) in owner
    for other in _of_kind("list", owner):
        if same(item, other):
            return True
    for other in owner:
        _equal(item, other)  # what cannot be compared is no difference
    return False


def _at(owner: Any, index: Any) -> Any:
    if type(owner) is list and type(index) is int and 0 <= index < len(owner):
        return owner[index]
    if type(owner) is dict and type(index) is str:
        return _member(owner, index)
    raise Untold


_OF_TWO: dict[str, Callable[[Any, Any], Any]] = {
    "eq": _equal,
    "ne": lambda a, b: not _equal(a, b),
    "lt": _compared(lambda a, b: bool(a < b)),
    "le": _compared(lambda a, b: bool(a <= b)),
    "gt": _compared(lambda a, b: bool(a > b)),
    "ge": _compared(lambda a, b: bool(a >= b)),
    "add": _added,
    "sub": _reckoned(lambda a, b: a - b),
    "mul": _reckoned(lambda a, b: a * b),
    "quo": _reckoned(lambda a, b: a / b),
    "div": _whole(lambda a, b: abs(a) // abs(b) if (a < 0) == (b < 0) else -(abs(a) // abs(b))),
    "mod": _whole(lambda a, b: abs(a) % abs(b) if a >= 0 else -(abs(a) % abs(b))),
    "in": _within,
    "at": _at,
    "startsWith": _textual(str.startswith),
    "endsWith": _textual(str.endswith),
    "contains": _textual(str.__contains__),
}
