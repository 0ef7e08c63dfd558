"""Sealed expressions linked to closures: a function from the names in `with` to a value, or ExpressionFault.

Total and strict: whatever has no value (an absent field, a zero divisor, a result outside the canonical range, values
of kinds that do not go together) is a fault, never true or false. The rules:

- Kinds are boolean, number (integers and numbers together), string, null, list and record; true is no number.
- `eq ne` take two values of one kind, or null and anything: null equals null only. Lists and records are compared
  item by item, where different kinds just differ. `lt le gt ge` take two numbers or two texts (by code points).
- `and or if` go from left to right and stop early; their conditions are true or false.
- `add` takes numbers, texts or lists; `sub mul` numbers; `div mod` integers, truncating toward zero; `quo` divides
  numbers as binary64. Every result is canonical: a whole number is an integer.
- `in` a list is true where an item is equal, else false if every item could be compared; `in` a record asks for a key.
- Records, `string(x)` and what goes over the items of a list: `linked_building`.
- `at` counts from 0; `size` counts code points, items or members. Texts grow to 16 Mi characters, lists to 1 Mi items.
- What a computation gives in all has at most these many characters and items, each field 64 levels (`bounded`).
"""

from __future__ import annotations

from .checks import same
from .values import LIMIT, MAX_DEPTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    Names: TypeAlias = "Mapping[str, Any]"
    Value: TypeAlias = "Callable[[Names], Any]"
    Pairs: TypeAlias = "Mapping[str, Callable[[Value, Value], Value]]"

MOST_CHARACTERS = 16 * 1024 * 1024
MOST_ITEMS = 1024 * 1024
_LEAVES_OF_JSON = frozenset((bool, int, float, type(None)))

KINDS = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    type(None): "null",
    list: "list",
    dict: "record",
}


class ExpressionFault(Exception):
    """An expression has no value for the values it met; the text says why, without showing them."""


def link(expression: list[Any], pairs: Pairs | None = None) -> Value:
    """Turn a sealed expression (docs/formats.md) into its function. Raises KeyError for an unknown operation.

    `pairs` are the operations of two operands, where they are others than those below.
    """
    operation, pairs = expression[0], pairs or BINARY
    if operation in _LEAVES:
        return _LEAVES[operation](pairs, *expression[1:])
    if operation in _UNARY:
        return apply(_UNARY[operation], link(expression[1], pairs))
    if operation in pairs:
        return pairs[operation](link(expression[1], pairs), link(expression[2], pairs))
    from .linked_building import link_built  # here: few expressions build anything

    return link_built(expression, pairs)


def apply(function: Callable[[Any], Any], operand: Value) -> Value:
    """Link an operation of one operand."""
    return lambda names: function(operand(names))


def bounded(output: dict[str, Any]) -> dict[str, Any]:
    """Return a computation's output, which no record could hold if it were nested deeper or much larger.

    A value that stands in it several times counts as often: `[x, x]`, a few times over, would fill every disk.
    """
    items, characters = MOST_ITEMS, MOST_CHARACTERS
    waiting: list[tuple[Any, int]] = [(output, MAX_DEPTH + 1)]
    while waiting:
        value, levels = waiting.pop()
        if levels == 0:
            raise ExpressionFault(f"a value is nested deeper than {MAX_DEPTH} levels")
        if type(value) is dict:
            characters -= sum(map(len, value))
            value = value.values()
        items -= len(value)
        for item in value:
            if type(item) is str:
                characters -= len(item)
            elif type(item) not in _LEAVES_OF_JSON:
                waiting.append((item, levels - 1))
        if items < 0 or characters < 0:
            raise ExpressionFault("a value grows too large")
    return output


def type_name(value: Any) -> str:
    """Return what `type(x)` answers for a value."""
    return "integer" if type(value) is int else KINDS[type(value)]


def shown(value: Any) -> str:
    """Return a value's type with its article, for reasons."""
    name = type_name(value)
    return f"an {name}" if name == "integer" else name if name == "null" else f"a {name}"


def _literal(pairs: Pairs, value: Any) -> Value:
    return lambda names: value


def _absent(name: str) -> ExpressionFault:
    return ExpressionFault(f"`{name}` is absent")


def _name(pairs: Pairs, name: str) -> Value:
    def value(names: Names) -> Any:
        try:
            return names[name]
        except KeyError:
            raise _absent(name) from None

    return value


def _list(pairs: Pairs, items: list[Any]) -> Value:
    linked = tuple(link(item, pairs) for item in items)
    return lambda names: [item(names) for item in linked]


def _get(pairs: Pairs, owner: list[Any], field: str) -> Value:
    if owner[0] == "name":
        name = owner[1]

        def get(names: Names) -> Any:
            try:
                record = names[name]
            except KeyError:
                raise _absent(name) from None
            return _field(record, field)

        return get
    record = link(owner, pairs)
    return lambda names: _field(record(names), field)


def _field(record: Any, field: str) -> Any:
    if type(record) is not dict:
        raise ExpressionFault(f"`.{field}` is read from {shown(record)}")
    try:
        return record[field]
    except KeyError:
        raise ExpressionFault(f"the field `{field}` is absent") from None


def _has(pairs: Pairs, owner: list[Any], field: str) -> Value:
    record = link(owner, pairs)

    def has(names: Names) -> bool:
        value = record(names)
        if type(value) is not dict:
            raise ExpressionFault(f"`has` asks {shown(value)} for the field `{field}`")
        return field in value

    return has


def _if(pairs: Pairs, condition: list[Any], yes: list[Any], no: list[Any]) -> Value:
    test, then, other = link(condition, pairs), link(yes, pairs), link(no, pairs)

    def choose(names: Names) -> Any:
        verdict = test(names)
        if verdict is True:
            return then(names)
        if verdict is False:
            return other(names)
        raise no_boolean("?", verdict)

    return choose


def no_boolean(sign: str, value: Any) -> ExpressionFault:
    """Return the fault of a condition that is neither true nor false."""
    return ExpressionFault(f"`{sign}` needs true or false, not {shown(value)}")


def _not(value: Any) -> bool:
    if type(value) is not bool:
        raise no_boolean("!", value)
    return not value


def _logical(sign: str, stop: bool) -> Callable[[Value, Value], Value]:
    """Return `&&` (it stops at false) or `||` (it stops at true)."""
    onward = not stop

    def join(left: Value, right: Value) -> Value:
        def decide(names: Names) -> bool:
            verdict = left(names)
            if verdict is onward:
                verdict = right(names)
            if verdict is True or verdict is False:
                return verdict
            raise no_boolean(sign, verdict)

        return decide

    return join


def _mixed(sign: str, a: Any, b: Any) -> ExpressionFault:
    return ExpressionFault(f"`{sign}` cannot take {shown(a)} and {shown(b)}")


def equal(a: Any, b: Any) -> bool:
    """Compare two values of one kind, or anything with null; raises ExpressionFault for other mixtures."""
    if type(a) is str and type(b) is str:
        return a == b
    if a is None or b is None:
        return a is b
    if KINDS[type(a)] != KINDS[type(b)]:
        raise _mixed("==", a, b)
    return same(a, b)


def _equal(left: Value, right: Value) -> Value:
    return lambda names: equal(left(names), right(names))


def _unequal(left: Value, right: Value) -> Value:
    return lambda names: not equal(left(names), right(names))


def _ordered(sign: str, holds: Callable[[Any, Any], bool]) -> Callable[[Value, Value], Value]:
    def join(left: Value, right: Value) -> Value:
        def compare(names: Names) -> bool:
            a, b = left(names), right(names)
            kind = KINDS[type(a)]
            if kind != KINDS[type(b)] or (kind != "number" and kind != "string"):
                raise _mixed(sign, a, b)
            return holds(a, b)

        return compare

    return join


def canonical(value: float) -> float:
    """Return a number inside the canonical profile, a whole one as an integer; raises ExpressionFault outside it."""
    if type(value) is float:
        if not value.is_integer():
            if 1e-5 <= abs(value) < 1e15:
                return value
            raise ExpressionFault("a number leaves the range 1e-5 <= |x| < 1e15")
        value = int(value)
    if -LIMIT < value < LIMIT:
        return value
    raise ExpressionFault("an integer leaves the range |x| < 2^53")


def _are_numbers(a: Any, b: Any) -> bool:
    return KINDS[type(a)] == "number" == KINDS[type(b)]


def add(a: Any, b: Any) -> Any:
    """Add two numbers, or join two texts or lists; raises ExpressionFault."""
    if _are_numbers(a, b):
        return canonical(a + b)
    if type(a) is str and type(b) is str:
        if len(a) + len(b) > MOST_CHARACTERS:
            raise ExpressionFault("a text grows too long")
        return a + b
    if type(a) is list and type(b) is list:
        if len(a) + len(b) > MOST_ITEMS:
            raise ExpressionFault("a list grows too long")
        return a + b
    raise _mixed("+", a, b)


def _sub(a: Any, b: Any) -> Any:
    if not _are_numbers(a, b):
        raise _mixed("-", a, b)
    return canonical(a - b)


def _mul(a: Any, b: Any) -> Any:
    if not _are_numbers(a, b):
        raise _mixed("*", a, b)
    return canonical(a * b)


def _quo(a: Any, b: Any) -> Any:
    if not _are_numbers(a, b):
        raise _mixed("/", a, b)
    if b == 0:
        raise ExpressionFault("a division by zero")
    try:
        return canonical(a / b)
    except OverflowError:
        raise ExpressionFault("a number leaves the range 1e-5 <= |x| < 1e15") from None


def _div(a: Any, b: Any) -> int:
    if type(a) is not int or type(b) is not int:
        raise _mixed("/", a, b)
    if b == 0:
        raise ExpressionFault("a division by zero")
    return abs(a) // abs(b) if (a < 0) == (b < 0) else -(abs(a) // abs(b))


def _mod(a: Any, b: Any) -> int:
    if type(a) is not int or type(b) is not int:
        raise _mixed("%", a, b)
    if b == 0:
        raise ExpressionFault("a division by zero")
    return abs(a) % abs(b) if a >= 0 else -(abs(a) % abs(b))


def _neg(value: Any) -> Any:
    if KINDS[type(value)] != "number":
        raise ExpressionFault(f"`-` cannot take {shown(value)}")
    return -value


def within(item: Any, owner: Any) -> bool:
    """Tell whether a list has an item or a record a field; raises ExpressionFault."""
    if type(owner) is dict:
        if type(item) is not str:
            raise _mixed("in", item, owner)
        return item in owner
    if type(owner) is not list:
        raise _mixed("in", item, owner)
    if any(same(item, other) for other in owner):
        return True
    for other in owner:
        equal(item, other)  # what cannot be compared is a fault, not a difference
    return False


def _at(owner: Any, index: Any) -> Any:
    if type(owner) is list and type(index) is int:
        if 0 <= index < len(owner):
            return owner[index]
        raise ExpressionFault("an index lies outside the list")
    if type(owner) is dict and type(index) is str:
        return _field(owner, index)
    raise ExpressionFault(f"{shown(index)} is no index into {shown(owner)}")


def _size(value: Any) -> int:
    if type(value) in (str, list, dict):
        return len(value)
    raise ExpressionFault(f"`size` cannot take {shown(value)}")


def _textual(name: str, holds: Callable[[str, str], bool]) -> Callable[[Value, Value], Value]:
    def apply(a: Any, b: Any) -> bool:
        if type(a) is not str or type(b) is not str:
            raise _mixed(name, a, b)
        return holds(a, b)

    return _both(apply)


def _both(function: Callable[[Any, Any], Any]) -> Callable[[Value, Value], Value]:
    return lambda left, right: lambda names: function(left(names), right(names))


_LEAVES: dict[str, Callable[..., Value]] = {
    "lit": _literal,
    "name": _name,
    "list": _list,
    "get": _get,
    "has": _has,
    "if": _if,
}
_UNARY: dict[str, Callable[[Any], Any]] = {"not": _not, "neg": _neg, "size": _size, "type": type_name}
BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "and": _logical("&&", False),
    "or": _logical("||", True),
    "eq": _equal,
    "ne": _unequal,
    "lt": _ordered("<", lambda a, b: bool(a < b)),
    "le": _ordered("<=", lambda a, b: bool(a <= b)),
    "gt": _ordered(">", lambda a, b: bool(a > b)),
    "ge": _ordered(">=", lambda a, b: bool(a >= b)),
    "add": _both(add),
    "sub": _both(_sub),
    "mul": _both(_mul),
    "div": _both(_div),
    "mod": _both(_mod),
    "quo": _both(_quo),
    "in": _both(within),
    "at": _both(_at),
    "startsWith": _textual("startsWith", str.startswith),
    "endsWith": _textual("endsWith", str.endswith),
    "contains": _textual("contains", str.__contains__),
}
