"""An evaluator of expressions that shares nothing with the language but its parser: the meaning of each operation said
once more, as plainly as Python can, over the tree of the text instead of its sealed form."""

from __future__ import annotations

from typing import Any

from omnibachi_compiler.expressions import Expression

LARGEST = 2**53 - 1


class Nothing(Exception):
    """The expression has no value."""


def reckoned(expression: Expression, names: dict[str, Any]) -> Any:
    """Return the value of an expression over names, or raise Nothing."""
    operation, operands = expression.operation, expression.operands
    if operation == "lit":
        return operands[0]
    if operation == "name":
        return names[operands[0]]
    if operation in ("and", "or", "if"):
        first = _truth(reckoned(operands[0], names))
        if operation == "if":
            return reckoned(operands[1 if first else 2], names)
        return first if first is (operation == "or") else _truth(reckoned(operands[1], names))
    if operation in ("all", "exists", "exists_one", "filter", "map"):
        return _macro(operation, operands, names)
    values = [reckoned(operand, names) for operand in operands if isinstance(operand, Expression)]
    if operation == "list":
        return values
    if operation == "record":
        return dict(zip(operands[0], values, strict=True))
    if operation in ("get", "has"):
        owner = _of(dict, values[0])
        if operation == "has":
            return operands[1] in owner
        if operands[1] not in owner:
            raise Nothing
        return owner[operands[1]]
    return _reckon(operation, *values)


def _macro(operation: str, operands: tuple[Any, ...], names: dict[str, Any]) -> Any:
    owner, variable, body = operands
    found = [(item, names | {variable: item}) for item in _of(list, reckoned(owner, names))]
    if operation == "map":
        return [reckoned(body, inner) for _, inner in found]
    if operation in ("all", "exists"):
        for _, inner in found:
            if _truth(reckoned(body, inner)) is (operation == "exists"):
                return operation == "exists"
        return operation == "all"
    kept = [item for item, inner in found if _truth(reckoned(body, inner))]
    return kept if operation == "filter" else len(kept) == 1


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise Nothing
    return value


def _truth(value: Any) -> bool:
    return bool(_of(bool, value))


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    return type(a) is type(b) and bool(a == b)


def _reckon(operation: str, *values: Any) -> Any:
    if operation == "not":
        return not _truth(values[0])
    if operation == "size":
        if not isinstance(values[0], (str, list, dict)):
            raise Nothing
        return len(values[0])
    if operation == "string":
        if isinstance(values[0], bool):
            return str(values[0]).lower()
        return values[0] if isinstance(values[0], str) else str(_of(int, values[0]))
    a, b = values
    if operation in ("eq", "ne"):
        if a is not None and b is not None and type(a) is not type(b):
            raise Nothing
        return _alike(a, b) is (operation == "eq")
    if operation == "in" and isinstance(b, dict):
        return _of(str, a) in b
    if operation == "in":
        for item in _of(list, b):
            if _alike(a, item):
                return True
        if any(None not in (a, item) and type(a) is not type(item) for item in b):
            raise Nothing
        return False
    if operation in ("lt", "gt"):
        if type(a) is not type(b) or not isinstance(a, (int, str)) or isinstance(a, bool):
            raise Nothing
        return bool(a < b) if operation == "lt" else bool(a > b)
    if operation == "add" and type(a) is type(b) and isinstance(a, (str, list)):
        return a + b
    result = {"add": int.__add__, "sub": int.__sub__, "mul": int.__mul__}[operation](_of(int, a), _of(int, b))
    if abs(result) > LARGEST:
        raise Nothing
    return result
