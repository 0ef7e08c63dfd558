"""What an expression builds, and what it does with each item of a list: records, `string(x)` and macros.

- `record` has the fields that are written. `string` is the decimal text of an integer, `true` or `false`, or a text.
- `all` and `exists` go from left to right and stop early. `exists_one`, `filter` and `map` ask every item. What they
  ask is true or false.
- The variable of a macro is one more name; nothing else has that name where it is one.

A macro, with all that stands inside it, takes at most MOST_STEPS steps: one for each item that a macro goes over, for
each value that `map` makes and each value inside that, for each value that is compared inside lists and records or
looked through by `in`; texts count for a 16th of their characters. So its cost never grows with the square of what it
meets.
"""

from __future__ import annotations

from .linked_expressions import BINARY, ExpressionFault, add, apply, equal, link, no_boolean, shown, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from .linked_expressions import Names, Pairs, Value

    Each: TypeAlias = "Callable[[list[Any], str, dict[str, Any], Value], Any]"

MOST_STEPS = 4 * 1024 * 1024
STEPS = ""  # under which a macro's names hold the steps that are left; no name is empty


def link_built(expression: list[Any], pairs: Pairs) -> Value:
    """Turn a sealed expression of these kinds into its function.

    Raises KeyError for an unknown operation, ValueError for a variable that is no name.
    """
    operation = expression[0]
    if operation == "record":
        fields = tuple((key, link(item, pairs)) for key, item in expression[1].items())
        return lambda names: {key: value(names) for key, value in fields}
    if operation == "string":
        return apply(_text, link(expression[1], pairs))
    return _macro(pairs, _MACROS[operation], *expression)


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    if type(value) is bool:
        return "true" if value else "false"
    raise ExpressionFault(f"`string` cannot take {shown(value)}")


def _macro(pairs: Pairs, each: Each, sign: str, owner: list[Any], variable: str, body: list[Any]) -> Value:
    if type(variable) is not str or not variable:
        raise ValueError(f"no variable {variable!r}")
    items, asked = link(owner, pairs), link(body, _WEIGHED)
    outermost = pairs is not _WEIGHED

    def value(names: Names) -> Any:
        found = items(names)
        if type(found) is not list:
            raise ExpressionFault(f"`{sign}` goes over {shown(found)}, not a list")
        inner = dict(names)
        if outermost:
            inner[STEPS] = [MOST_STEPS]
        _take(inner, len(found))
        return each(found, variable, inner, asked)

    return value


def _take(names: Names, steps: int) -> None:
    left = names[STEPS]
    left[0] -= steps
    if left[0] < 0:
        raise ExpressionFault(f"a macro takes more than {MOST_STEPS} steps")


def _weight(value: Any) -> int:
    """Return how many steps it takes to go through a value; where they are more than there may be, no more of them."""
    steps, waiting = 0, [value]
    while waiting and steps <= MOST_STEPS:
        value = waiting.pop()
        steps += 1
        if type(value) is str:
            steps += len(value) >> 4
        elif type(value) is list:
            waiting.extend(value)
        elif type(value) is dict:
            waiting.extend(value.values())
    return steps


def _weighed(operate: Callable[[Any, Any], Any]) -> Callable[[Value, Value], Value]:
    """Return an operation of two values that takes steps by their size."""

    def weigh(left: Value, right: Value) -> Value:
        def value(names: Names) -> Any:
            a, b = left(names), right(names)
            if type(b) is str:
                if type(a) is str and (steps := (len(a) + len(b)) >> 4):
                    _take(names, steps)
            elif type(b) is list or type(b) is dict:
                if type(a) is list or type(a) is dict:
                    _take(names, _weight(a) + _weight(b))
                elif type(b) is list:
                    _take(names, len(b))
            return operate(a, b)

        return value

    return weigh


def _unequal(a: Any, b: Any) -> bool:
    return not equal(a, b)


def _of_two(join: Callable[[Value, Value], Value]) -> Callable[[Any, Any], Any]:
    """Return the function of two values that an operation of two operands stands for."""
    operate = join(lambda names: names["a"], lambda names: names["b"])
    return lambda a, b: operate({"a": a, "b": b})


# Those whose work grows with what they meet.
_GROWING = {"eq": equal, "ne": _unequal, "in": within, "add": add}
_GROWING |= {name: _of_two(BINARY[name]) for name in ("lt", "le", "gt", "ge", "startsWith", "endsWith", "contains")}
_WEIGHED: Pairs = {**BINARY, **{name: _weighed(operate) for name, operate in _GROWING.items()}}


def _stopping(sign: str, stop: bool) -> Each:
    """Return `all` (it stops at false) or `exists` (it stops at true)."""
    onward = not stop

    def ask(items: list[Any], variable: str, names: dict[str, Any], asked: Value) -> Any:
        for item in items:
            names[variable] = item
            verdict = asked(names)
            if verdict is stop:
                return stop
            if verdict is not onward:
                raise no_boolean(sign, verdict)
        return onward

    return ask


def _filter(items: list[Any], variable: str, names: dict[str, Any], asked: Value) -> list[Any]:
    return _kept("filter", items, variable, names, asked)


def _exists_one(items: list[Any], variable: str, names: dict[str, Any], asked: Value) -> bool:
    return len(_kept("exists_one", items, variable, names, asked)) == 1


def _kept(sign: str, items: list[Any], variable: str, names: dict[str, Any], asked: Value) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        names[variable] = item
        verdict = asked(names)
        if verdict is True:
            kept.append(item)
        elif verdict is not False:
            raise no_boolean(sign, verdict)
    return kept


def _map(items: list[Any], variable: str, names: dict[str, Any], made: Value) -> list[Any]:
    found: list[Any] = []
    for item in items:
        names[variable] = item
        value = made(names)
        if type(value) in (str, list, dict):
            _take(names, _weight(value))
        found.append(value)
    return found


_MACROS: dict[str, Each] = {
    "all": _stopping("all", False),
    "exists": _stopping("exists", True),
    "exists_one": _exists_one,
    "filter": _filter,
    "map": _map,
}
