"""Specimens: values that fit a sealed schema, simplest first, to try a workflow with.

Each is made from what the schema says and then checked against it, so a specimen fits whatever was overlooked here; a
schema of which nothing comes has none. The same schema always gives the same specimens.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from omnibachi_model.checks import link, types_of

from .patterns import text_for

Schema = dict[str, Any]

MOST_DEEP = 12
MOST_LONG = 10_000
_WELL_FORMED = {
    "date": ("2026-01-01", "2026-06-30"),
    "date-time": ("2026-01-01T00:00:00Z", "2026-06-30T12:00:00Z"),
    "email": ("someone@example.org", "another@example.org"),
    "uri": ("https://example.org/", "https://example.org/more"),
    "uuid": ("00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001"),
}
_TEXTS = ("a", "b", "text", "")


def specimen(schema: Schema) -> Any:
    """Return the simplest value that fits; raises LookupError where none was found."""
    for value in specimens(schema, 1):
        return value
    raise LookupError


def specimens(schema: Schema, most: int = 8, depth: int = MOST_DEEP) -> Iterator[Any]:
    """Yield at most `most` different values that fit."""
    check = link(schema)
    seen: list[Any] = []
    for value in itertools.islice(_made(schema, depth), 64):
        if not any(type(value) is type(other) and value == other for other in seen) and not check(value):
            seen.append(value)
            yield value
            if len(seen) == most:
                return


def _made(schema: Schema, depth: int) -> Iterator[Any]:
    if "const" in schema:
        yield schema["const"]
        return
    if "enum" in schema:
        yield from schema["enum"]
        return
    if "default" in schema:
        yield schema["default"]
    if "type" not in schema:
        # Anything goes; what a reader expects is not known.
        yield from ("a", 1, {}, [], True, None)
        return
    makers = [_MAKERS[name](schema, depth) for name in types_of(schema)]
    # In turns, so that null and other types come early too.
    for values in itertools.zip_longest(*(([value] for value in maker) for maker in makers), fillvalue=[]):
        yield from itertools.chain.from_iterable(values)


def _texts(schema: Schema, depth: int) -> Iterator[Any]:
    low, high = schema.get("minLength", 0), min(schema.get("maxLength", MOST_LONG), MOST_LONG)
    if "format" in schema:
        yield from _WELL_FORMED[schema["format"]]
    if "pattern" in schema:
        for more in (0, 1, 2, 3, 7, 15, low):
            made = text_for(schema["pattern"], more, high)
            if made is not None:
                yield made
                yield made.ljust(low, "a")
    if low <= high:
        yield from (text.ljust(low, "a")[:high] for text in _TEXTS)


def _numbers(schema: Schema, depth: int, whole: bool = True) -> Iterator[Any]:
    lows = [schema["minimum"]] if "minimum" in schema else []
    highs = [schema["maximum"]] if "maximum" in schema else []
    step = 1 if whole else 0.5
    lows += [math.floor(schema["exclusiveMinimum"]) + 1] if "exclusiveMinimum" in schema else []
    highs += [math.ceil(schema["exclusiveMaximum"]) - 1] if "exclusiveMaximum" in schema else []
    bounds = [*lows, *highs]
    if whole:
        bounds = [*map(math.ceil, lows), *map(math.floor, highs)]
    yield from (1, 0, 2, -1, 10, 100)
    for bound in bounds:
        yield from (bound, bound + step, bound - step)
    if not whole:
        edges = [value for key in ("exclusiveMinimum", "exclusiveMaximum") if (value := schema.get(key)) is not None]
        yield from (value for value in (sum(edges) / 2, 0.5, 1.5) if edges or value)


def _reals(schema: Schema, depth: int) -> Iterator[Any]:
    return _numbers(schema, depth, whole=False)


def _lists(schema: Schema, depth: int) -> Iterator[Any]:
    low, high = schema.get("minItems", 0), schema.get("maxItems", MOST_LONG)
    items = list(specimens(schema.get("items", {}), 3, depth - 1)) if depth > 0 and high > 0 else []
    if items and low * _size(items[0]) <= MOST_LONG:
        yield from ([items[0]] * length for length in (max(low, 1), low) if length <= high)
        yield list(itertools.islice(itertools.cycle(items), min(max(low, 2), high)))
    if low == 0:
        yield []


def _size(value: Any) -> int:
    """Count a value with all that it holds."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, parts))


def _records(schema: Schema, depth: int) -> Iterator[Any]:
    """Make records: with what is required alone, with everything, and with each member's second choice."""
    if depth == 0:
        yield {}
        return
    properties: dict[str, Schema] = schema.get("properties", {})
    required = schema.get("required", ())
    choices = {key: list(specimens(inner, 2, depth - 1)) for key, inner in properties.items()}
    missing = [key for key in required if key not in properties]
    least = {key: values[0] for key, values in choices.items() if values and key in required}
    least |= dict.fromkeys(missing, "a")
    yield least
    whole = {**least, **{key: values[0] for key, values in choices.items() if values}}
    yield whole
    for key, values in choices.items():
        if len(values) > 1:
            yield {**whole, key: values[1]}


def _booleans(schema: Schema, depth: int) -> Iterator[Any]:
    yield from (True, False)


def _nulls(schema: Schema, depth: int) -> Iterator[Any]:
    yield None


_MAKERS = {
    "string": _texts,
    "integer": _numbers,
    "number": _reals,
    "array": _lists,
    "object": _records,
    "boolean": _booleans,
    "null": _nulls,
}


def schema_at(schema: Schema, segments: Sequence[str | int]) -> Schema:
    """Return what a schema says of the place at a path below it; `{}` where it says nothing."""
    for part in segments:
        if isinstance(part, int):
            below = schema.get("items", {})
        else:
            below = schema.get("properties", {}).get(part)
            if below is None:
                extra = schema.get("additionalProperties", {})
                below = extra if isinstance(extra, dict) else {}
        schema = below
    return schema
