"""OmniBachi schemas as checks: closures that list every violation, and closures that fill in defaults.

A sealed schema is a closed subset of JSON Schema 2020-12 with `$ref`s expanded and annotations dropped: `type`,
`properties`, `required`, `additionalProperties`, `items`, `enum`, `const`, `minimum`, `maximum`, `exclusiveMinimum`,
`exclusiveMaximum`, `minLength`, `maxLength`, `minItems`, `maxItems`, `pattern`, `format`, `default`.

A check returns None for a value that fits, else a list of (path segments, keyword): the place of the violation and
the keyword that it breaks. A missing member is named by its own path (`required`), as is an unknown one
(`additionalProperties`). Besides JSON Schema's keywords there is `canonical`: the value is outside the profile of
`values`. Lengths count code points. `integer` accepts what the door has made an integer.
"""

from __future__ import annotations

import re

from .formats import FORMATS
from .quick import quick
from .values import LIMIT, Outside, admit, pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Violation: TypeAlias = "tuple[tuple[str | int, ...], str]"
    Check: TypeAlias = "Callable[[Any], list[Violation] | None]"
    Fill: TypeAlias = "Callable[[Any], Any]"
    Schema: TypeAlias = "dict[str, Any]"

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def types_of(schema: Schema) -> tuple[str, ...]:
    """Return the JSON types that the schema names, all of them when it names none."""
    named = schema.get("type")
    if named is None:
        return tuple(TYPES)
    return (named,) if isinstance(named, str) else tuple(named)


def same(a: Any, b: Any) -> bool:
    """Compare two JSON values as JSON Schema does: 1 equals 1.0, true equals no number."""
    if type(a) is bool or type(b) is bool:
        return a is b
    if type(a) is list and type(b) is list:
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is dict and type(b) is dict:
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


def link(schema: Schema) -> Check:
    """Turn a sealed schema into its check."""
    steps: list[Check] = []
    names = types_of(schema)
    if "type" in schema:
        steps.append(_typed(names))
    else:
        steps.append(_open)
    if "number" in names and "type" in schema:
        steps.append(_canonical_number)
    if "const" in schema:
        steps.append(_const(schema["const"]))
    if "enum" in schema:
        steps.append(_enum(schema["enum"]))
    if "string" in names:
        steps.extend(_string_steps(schema))
    if "number" in names or "integer" in names:
        steps.extend(_number_steps(schema))
    if "array" in names:
        steps.extend(_array_steps(schema))
    if "object" in names:
        steps.extend(_object_steps(schema))
    whole = _chain(steps)
    fits = quick(schema, compile_pattern)
    return whole if fits is None else lambda value: None if fits(value) else whole(value)


def bounded(schema: Schema) -> bool:
    """Tell whether nothing that fits the schema is nested deeper than the schema is."""
    if "type" not in schema:
        return False
    extra = schema.get("additionalProperties", True)
    inner = [] if extra is False else [{} if extra is True else extra]
    within = {"array": [schema.get("items", {})], "object": [*schema.get("properties", {}).values(), *inner]}
    return all(bounded(part) for name in types_of(schema) for part in within.get(name, ()))


def _chain(steps: list[Check]) -> Check:
    """Join checks: the first asks the type, so the others speak only when it is satisfied."""
    first, rest = steps[0], tuple(steps[1:])
    if not rest:
        return first
    if len(rest) == 1:
        second = rest[0]
        return lambda value: first(value) or second(value)

    def check(value: Any) -> list[Violation] | None:
        found = first(value)
        if found:
            return found
        for step in rest:
            more = step(value)
            if more:
                found = [*found, *more] if found else more
        return found

    return check


def _typed(names: tuple[str, ...]) -> Check:
    allowed = tuple(kind for name in names for kind in TYPES[name])
    if len(allowed) == 1:
        only = allowed[0]
        if only is int:

            def integer(value: Any) -> list[Violation] | None:
                if type(value) is int:
                    return None if -LIMIT < value < LIMIT else [((), "canonical")]
                return [((), "type")]

            return integer
        if only is str:
            return _text
        return lambda value: None if type(value) is only else [((), "type")]

    def check(value: Any) -> list[Violation] | None:
        if type(value) not in allowed:
            return [((), "type")]
        if type(value) is int and not -LIMIT < value < LIMIT:
            return [((), "canonical")]
        return _text(value) if type(value) is str else None

    return check


def _text(value: Any) -> list[Violation] | None:
    if type(value) is not str:
        return [((), "type")]
    return None if value.isascii() else _open(value)


def _open(value: Any) -> list[Violation] | None:
    try:
        return None if admit(value) is value else [((), "canonical")]
    except Outside:
        return [((), "canonical")]


def _canonical_number(value: Any) -> list[Violation] | None:
    return _open(value) if type(value) is float else None


def _const(wanted: Any) -> Check:
    return lambda value: None if same(value, wanted) else [((), "const")]


def _enum(wanted: list[Any]) -> Check:
    if all(type(item) is str for item in wanted):
        words = frozenset(wanted)
        return lambda value: None if type(value) is str and value in words else [((), "enum")]
    return lambda value: None if any(same(value, item) for item in wanted) else [((), "enum")]


def _string_steps(schema: Schema) -> list[Check]:
    steps: list[Check] = []
    if "minLength" in schema:
        low: int = schema["minLength"]
        steps.append(lambda value: [((), "minLength")] if type(value) is str and len(value) < low else None)
    if "maxLength" in schema:
        high: int = schema["maxLength"]
        steps.append(lambda value: [((), "maxLength")] if type(value) is str and len(value) > high else None)
    if "pattern" in schema:
        search = compile_pattern(schema["pattern"]).search
        # A text that is too long is not searched: the pattern's cost is bounded by maxLength.
        cap: int = schema.get("maxLength", LIMIT)
        steps.append(
            lambda value: (
                [((), "pattern")] if type(value) is str and len(value) <= cap and search(value) is None else None
            )
        )
    if "format" in schema:
        good = FORMATS[schema["format"]]
        steps.append(lambda value: [((), "format")] if type(value) is str and not good(value) else None)
    return steps


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a sealed pattern: unanchored, ASCII classes, `$` is the very end, `.` no line terminator (ECMA-262)."""
    out: list[str] = []
    inside = False
    index = 0
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            out.append(pattern[index : index + 2])
            index += 2
            continue
        if char == "[" and not inside:
            inside = True
        elif char == "]" and inside:
            inside = False
        out.append(char if inside else {"$": r"\Z", ".": r"[^\n\r\u2028\u2029]"}.get(char, char))
        index += 1
    return re.compile("".join(out), re.ASCII)


def _number_steps(schema: Schema) -> list[Check]:
    steps: list[Check] = []
    for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        if keyword in schema:
            steps.append(_bound(keyword, schema[keyword]))
    return steps


def _bound(keyword: str, bound: float) -> Check:
    breaks: Callable[[Any], bool] = {
        "minimum": lambda value: value < bound,
        "maximum": lambda value: value > bound,
        "exclusiveMinimum": lambda value: value <= bound,
        "exclusiveMaximum": lambda value: value >= bound,
    }[keyword]
    return lambda value: [((), keyword)] if type(value) in (int, float) and breaks(value) else None


def _array_steps(schema: Schema) -> list[Check]:
    steps: list[Check] = []
    if "minItems" in schema:
        low: int = schema["minItems"]
        steps.append(lambda value: [((), "minItems")] if type(value) is list and len(value) < low else None)
    if "maxItems" in schema:
        high: int = schema["maxItems"]
        steps.append(lambda value: [((), "maxItems")] if type(value) is list and len(value) > high else None)
    items = schema.get("items", {})
    if items or "type" in schema:
        inner = link(items)

        def each(value: Any) -> list[Violation] | None:
            if type(value) is not list:
                return None
            found: list[Violation] | None = None
            for index, item in enumerate(value):
                more = inner(item)
                if more:
                    found = (found or []) + [((index, *at), keyword) for at, keyword in more]
            return found

        steps.append(each)
    return steps


def _object_steps(schema: Schema) -> list[Check]:
    steps: list[Check] = []
    properties: Schema = schema.get("properties", {})
    inner = {key: link(value) for key, value in properties.items()}
    required = tuple(schema.get("required", ()))
    extra = schema.get("additionalProperties", True)
    if required:

        def present(value: Any) -> list[Violation] | None:
            if type(value) is not dict:
                return None
            found: list[Violation] = [((key,), "required") for key in required if key not in value]
            return found or None

        steps.append(present)
    if not inner and extra is True and "type" not in schema:
        return steps
    other = link({} if extra is True else extra) if extra is not False else None

    def members(value: Any) -> list[Violation] | None:
        if type(value) is not dict:
            return None
        found: list[Violation] | None = None
        for key, item in value.items():
            check = inner.get(key)
            if check is not None:
                more = check(item)
            elif other is None:
                found = [*(found or []), ((key,), "additionalProperties")]
                continue
            else:
                more = other(item)
                if type(key) is not str or (not key.isascii() and max(key) > "\uffff"):
                    more = [*(more or []), ((), "canonical")]
            if more:
                found = (found or []) + [((key, *at), keyword) for at, keyword in more]
        return found

    steps.append(members)
    return steps


def conform(check: Check, value: Any) -> tuple[Any, list[Violation]]:
    """Check a value that has not passed the door yet: (canonical value, violations).

    A float that is a whole number becomes an integer, as at the door; nothing else is changed.
    """
    found = check(value)
    if not found:
        return value, []
    try:
        admitted = admit(value)
    except Outside as error:
        at = tuple(part.replace("~1", "/").replace("~0", "~") for part in error.pointer.split("/")[1:])
        return value, [(at, "canonical")]
    if admitted is value:
        return value, found
    return admitted, check(admitted) or []


def listed(violations: list[Violation]) -> list[dict[str, str]]:
    """Write violations as the record does: `{pointer, keyword}`, sorted, each once."""
    pairs = sorted({(pointer(at), keyword) for at, keyword in violations})
    return [{"pointer": at, "keyword": keyword} for at, keyword in pairs]


def filler(schema: Schema) -> Fill | None:
    """Return a function that fills in the schema's defaults (copying what it changes), or None if there are none."""
    properties: Schema = schema.get("properties", {})
    defaults = {key: value["default"] for key, value in properties.items() if "default" in value}
    inner = {key: deeper for key, value in properties.items() if (deeper := filler(value)) is not None}
    items = filler(schema["items"]) if "items" in schema else None
    extra = schema.get("additionalProperties", True)
    other = filler(extra) if type(extra) is dict else None
    if not defaults and not inner and items is None and other is None:
        return None

    def fill(value: Any) -> Any:
        if type(value) is list and items is not None:
            return [items(item) for item in value]
        if type(value) is not dict:
            return value
        filled = {**defaults, **value}
        for key, deeper in inner.items():
            if key in filled:
                filled[key] = deeper(filled[key])
        if other is not None:
            for key in filled.keys() - properties.keys():
                filled[key] = other(filled[key])
        return filled

    return fill
