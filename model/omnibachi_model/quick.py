"""Quick answers for values that fit: predicates beside the checks of `checks`, which list what does not.

Every output of every capability is checked, so the common case, a value that fits a common schema, must cost next to
nothing. A predicate that says True is right; False only means that the full check must look.
"""

from __future__ import annotations

from .formats import FORMATS
from .values import LIMIT, canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Fits: TypeAlias = "Callable[[Any], bool]"
    Schema: TypeAlias = "dict[str, Any]"
    Search: TypeAlias = "Callable[[str], Any]"

MARKS = {"default", "secret", "public"}  # what says nothing of which values fit
TEXT_KEYS = MARKS | {"type", "minLength", "maxLength", "pattern", "format"}
NUMBER_KEYS = MARKS | {"type", "minimum", "maximum"}
LIST_KEYS = MARKS | {"type", "items", "minItems", "maxItems"}
RECORD_KEYS = MARKS | {"type", "properties", "required", "additionalProperties"}


def quick(schema: Schema, compile_pattern: Callable[[str], Any]) -> Fits | None:
    """Return the predicate of a sealed schema, or None where there is none."""
    kind = schema.get("type")
    keys = schema.keys()
    if kind is None:
        return canonical if keys <= MARKS else _fixed(schema)
    if isinstance(kind, list):
        if len(kind) != 2 or kind[1] != "null" or "enum" in schema or "const" in schema:
            return None
        inner = quick({**schema, "type": kind[0]}, compile_pattern)
        return None if inner is None else lambda value: value is None or inner(value)
    if kind == "string":
        return _text(schema, compile_pattern)
    if kind in ("integer", "number") and keys <= NUMBER_KEYS:
        return _integer(schema)
    if kind == "boolean" and keys <= MARKS | {"type"}:
        return lambda value: type(value) is bool
    if kind == "array" and keys <= LIST_KEYS:
        return _list(schema, compile_pattern)
    if kind == "object" and keys <= RECORD_KEYS:
        return _record(schema, compile_pattern)
    return None


def _fixed(schema: Schema) -> Fits | None:
    """Return the predicate of an enumeration, or of a constant; what is no text goes to the full check."""
    if schema.keys() <= MARKS | {"type", "enum"} and "enum" in schema:
        words = frozenset(item for item in schema["enum"] if type(item) is str and item.isascii())
        return lambda value: type(value) is str and value in words
    if schema.keys() <= MARKS | {"type", "const"} and type(schema.get("const")) is str:
        only = schema["const"]
        return lambda value: type(value) is str and value == only and value.isascii()
    return None


def _text(schema: Schema, compile_pattern: Callable[[str], Any]) -> Fits | None:
    if "enum" in schema or "const" in schema:
        return _fixed(schema)
    if not schema.keys() <= TEXT_KEYS:
        return None
    low, high = schema.get("minLength", 0), schema.get("maxLength", LIMIT)
    tests: list[Search] = []
    if "pattern" in schema:
        tests.append(compile_pattern(schema["pattern"]).search)
    if "format" in schema:
        tests.append(FORMATS[schema["format"]])
    if not tests:
        if low == 0 and high == LIMIT:
            return lambda value: type(value) is str and value.isascii()
        return lambda value: type(value) is str and low <= len(value) <= high and value.isascii()
    if len(tests) == 1:
        test = tests[0]
        return lambda value: type(value) is str and low <= len(value) <= high and value.isascii() and bool(test(value))
    return None


def _integer(schema: Schema) -> Fits:
    # A number that is no integer goes to the full check, which knows the canonical range of floats.
    low, high = max(schema.get("minimum", -LIMIT), 1 - LIMIT), min(schema.get("maximum", LIMIT), LIMIT - 1)
    return lambda value: type(value) is int and low <= value <= high


def _list(schema: Schema, compile_pattern: Callable[[str], Any]) -> Fits | None:
    item = quick(schema.get("items", {}), compile_pattern)
    if item is None:
        return None
    low, high = schema.get("minItems", 0), schema.get("maxItems", LIMIT)
    return lambda value: type(value) is list and low <= len(value) <= high and all(map(item, value))


def _record(schema: Schema, compile_pattern: Callable[[str], Any]) -> Fits | None:
    members: dict[str, Fits] = {}
    for key, below in schema.get("properties", {}).items():
        fits = quick(below, compile_pattern)
        if fits is None:
            return None
        members[key] = fits
    required = frozenset(schema.get("required", ()))
    extra = schema.get("additionalProperties", True)
    if extra is True and not members and not required:
        return lambda value: type(value) is dict and canonical(value)
    if extra is not False:
        other = canonical if extra is True else quick(extra, compile_pattern)
        return None if other is None else _with_others(members, required, other)
    if not required <= members.keys():
        return None
    if len(required) < len(members):
        return _with_optional(members, required)
    if len(members) == 1:
        ((only, test),) = members.items()
        return lambda value: type(value) is dict and len(value) == 1 and only in value and test(value[only])
    count = len(members)
    pairs = tuple(members.items())

    def closed(value: Any) -> bool:
        if type(value) is not dict or len(value) != count:
            return False
        for key, fits in pairs:  # noqa: SIM110 - a generator costs twice as much
            if key not in value or not fits(value[key]):
                return False
        return True

    return closed


def _with_optional(members: dict[str, Fits], required: frozenset[str]) -> Fits:
    def fits(value: Any) -> bool:
        if type(value) is not dict or not required <= value.keys():
            return False
        for key, item in value.items():
            test = members.get(key)
            if test is None or not test(item):
                return False
        return True

    return fits


def _with_others(members: dict[str, Fits], required: frozenset[str], other: Fits) -> Fits:
    def fits(value: Any) -> bool:
        if type(value) is not dict or not required <= value.keys():
            return False
        for key, item in value.items():
            test = members.get(key)
            if test is None:
                if type(key) is not str or not key.isascii():
                    return False
                test = other
            if not test(item):
                return False
        return True

    return fits
