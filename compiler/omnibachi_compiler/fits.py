"""Fits: may every value of one schema go where another is asked for, and what do values look like from inside?

`fits` is structural and sound, not complete: FITS and DISJOINT are proofs, everything else is CHECK, to be looked at
when run. A schema on the giving side is that of a value after defaults were filled in, so a member with a default is
always there; on the asking side the value comes before they are filled in.

The other functions make schemas out of schemas: `join` holds the values of both, `member` is what a path segment
reads, and `literal`, `object_of`, `array_of` are the types of what a template writes.
"""

from __future__ import annotations

import enum
import math
from typing import Any

from omnibachi_model.checks import link, same
from omnibachi_model.quick import MARKS
from omnibachi_model.values import LIMIT

from .kinds import Schema, always, inner_of, integral, kinds, number_range, settled, values

MOST_VALUES = 64  # beyond so many values a joined type is described by bounds, not listed


class Fit(enum.Enum):
    """Whether values of one schema satisfy another: all do, it must be checked when run, none does."""

    FITS = "fits"
    CHECK = "check"
    DISJOINT = "disjoint"


class Presence(enum.Enum):
    """Whether a value has a member or an item: always, perhaps, never."""

    ALWAYS = "always"
    OPTIONAL = "optional"
    NEVER = "never"


def fits(a: Schema, b: Schema) -> Fit:
    """Tell whether every value of `a` (FITS), or no value of `a` (DISJOINT), satisfies `b`; else CHECK."""
    if not b.keys() - MARKS:
        return Fit.FITS
    given = values(a)
    if given is not None:
        check = link(b)
        return _verdict([Fit.DISJOINT if check(value) else Fit.FITS for value in given])
    if "const" in b or "enum" in b:
        check = link(a)
        asked = [b["const"]] if "const" in b else b["enum"]
        return Fit.DISJOINT if all(check(value) for value in asked) else Fit.CHECK
    asked_kinds = kinds(b)
    return _verdict([_fit_kind(kind, a, b) if kind in asked_kinds else Fit.DISJOINT for kind in sorted(kinds(a))])


def _verdict(found: list[Fit]) -> Fit:
    """Return the verdict of a union: FITS or DISJOINT where all its parts say so."""
    if all(fit is Fit.FITS for fit in found):
        return Fit.FITS
    return Fit.DISJOINT if all(fit is Fit.DISJOINT for fit in found) else Fit.CHECK


def _fit_kind(kind: str, a: Schema, b: Schema) -> Fit:
    if kind == "number":
        return _fit_number(a, b)
    if kind == "string":
        return _fit_string(a, b)
    if kind == "array":
        return _fit_array(a, b)
    if kind == "object":
        return _fit_object(a, b)
    return Fit.FITS


def _fit_number(a: Schema, b: Schema) -> Fit:
    whole = integral(a) or integral(b)
    low, low_open, high, high_open = number_range(a, whole=whole)
    least, least_open, most, most_open = number_range(b, whole=whole)
    if high < least or most < low or high < low or most < least:
        return Fit.DISJOINT
    if (high == least and (high_open or least_open)) or (most == low and (most_open or low_open)):
        return Fit.DISJOINT
    inside = (low > least or (low == least and (low_open or not least_open))) and (
        high < most or (high == most and (high_open or not most_open))
    )
    return Fit.FITS if inside and (integral(a) or not integral(b)) else Fit.CHECK


def _lengths(a: Schema, b: Schema, low: str, high: str) -> Fit:
    start, end = a.get(low, 0), a.get(high, math.inf)
    least, most = b.get(low, 0), b.get(high, math.inf)
    if end < least or most < start:
        return Fit.DISJOINT
    return Fit.FITS if least <= start and end <= most else Fit.CHECK


def _fit_string(a: Schema, b: Schema) -> Fit:
    fit = _lengths(a, b, "minLength", "maxLength")
    same_form = all(key not in b or a.get(key) == b[key] for key in ("pattern", "format"))
    return fit if same_form or fit is Fit.DISJOINT else Fit.CHECK


def _fit_array(a: Schema, b: Schema) -> Fit:
    fit = _lengths(a, b, "minItems", "maxItems")
    if fit is Fit.DISJOINT or a.get("maxItems") == 0:
        return fit
    items = fits(a.get("items", {}), b.get("items", {}))
    if items is Fit.FITS:
        return fit
    never_empty = a.get("minItems", 0) > 0 or b.get("minItems", 0) > 0
    return Fit.DISJOINT if items is Fit.DISJOINT and never_empty else Fit.CHECK


def _fit_object(a: Schema, b: Schema) -> Fit:
    given_always, required = always(a), set(b.get("required", ()))
    fit = Fit.FITS
    for key in {*a.get("properties", {}), *b.get("properties", {}), *given_always, *required}:
        given, asked = inner_of(a, key), inner_of(b, key)
        if key in required and key not in given_always:
            fit = Fit.CHECK
        if given is None:
            if key in required:
                return Fit.DISJOINT
            continue
        inner = Fit.DISJOINT if asked is None else fits(given, asked)
        if inner is Fit.DISJOINT and (key in given_always or key in required):
            return Fit.DISJOINT
        if inner is not Fit.FITS:
            fit = Fit.CHECK
    given, asked = a.get("additionalProperties", True), b.get("additionalProperties", True)
    if given is False or asked is True:
        return fit
    if asked is False or fits({} if given is True else given, asked) is not Fit.FITS:
        return Fit.CHECK
    return fit


def member(schema: Schema, segment: str | int) -> tuple[Schema, Presence]:
    """Return what a name or an index reads from values of a schema, and whether it is there.

    The schema is {} where nothing is known. NEVER: no value of the schema has it.
    """
    listed = values(schema) if "const" in schema or "enum" in schema else None
    if listed is not None:
        return _member_of_values(listed, segment)
    kind = "object" if isinstance(segment, str) else "array"
    named = kinds(schema)
    if kind not in named:
        return {}, Presence.NEVER
    if isinstance(segment, str):
        inner = inner_of(schema, segment)
        there = segment in schema.get("required", ()) or "default" in schema.get("properties", {}).get(segment, ())
        never = inner is None
    else:
        place = segment if segment >= 0 else -segment - 1
        inner = schema.get("items", {})
        there = place < schema.get("minItems", 0)
        never = place >= schema.get("maxItems", math.inf)
    if never or inner is None:
        return {}, Presence.NEVER
    return settled(inner), Presence.ALWAYS if there and named == {kind} else Presence.OPTIONAL


def _member_of_values(listed: list[Any], segment: str | int) -> tuple[Schema, Presence]:
    found = []
    for value in listed:
        if isinstance(segment, str):
            if isinstance(value, dict) and segment in value:
                found.append(value[segment])
        elif isinstance(value, list) and -len(value) <= segment < len(value):
            found.append(value[segment])
    if not found:
        return {}, Presence.NEVER
    return join_all([literal(value) for value in found]), (
        Presence.ALWAYS if len(found) == len(listed) else Presence.OPTIONAL
    )


def literal(value: Any) -> Schema:
    """Return the type of exactly this value, with the schemas of its members and items where it has any."""
    return {**_shape(value), "const": value}


def _shape(value: Any) -> Schema:
    """Return the narrowest type of a value that needs no `const`."""
    if value is None:
        return {"type": "null"}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, (int, float)):
        return {"type": "integer" if isinstance(value, int) else "number", "minimum": value, "maximum": value}
    if isinstance(value, str):
        return {"type": "string", "minLength": len(value), "maxLength": len(value)}
    if isinstance(value, list):
        return array_of([literal(item) for item in value])
    return object_of({key: literal(item) for key, item in value.items()})


def object_of(members: dict[str, Schema]) -> Schema:
    """Return the type of objects with exactly these members."""
    schema: Schema = {"type": "object", "properties": dict(members), "additionalProperties": False}
    if members:
        schema["required"] = sorted(members)
    return schema


def array_of(items: list[Schema]) -> Schema:
    """Return the type of arrays with exactly these items, as far as a schema can say it."""
    schema: Schema = {"type": "array", "minItems": len(items), "maxItems": len(items)}
    if items:
        schema["items"] = join_all(items)
    return schema


def join_all(schemas: list[Schema]) -> Schema:
    """Return a type that holds the values of all of these; at least one is given."""
    if len(schemas) > 1 and all(schema is schemas[0] for schema in schemas):
        return settled(schemas[0])
    # Records by halves: many that have little in common would else be joined in quadratic time.
    while len(schemas) > 1 and any("object" in kinds(schema) for schema in schemas[:2]):
        pairs = zip(schemas[::2], schemas[1::2], strict=False)
        schemas = [*(join(a, b) for a, b in pairs), *schemas[len(schemas) // 2 * 2 :]]
    joined = schemas[0]
    for schema in schemas[1:]:
        joined = join(joined, schema)
    return joined


def join(a: Schema, b: Schema) -> Schema:
    """Return a type that holds the values of both (after defaults were filled in)."""
    a, b = settled(a), settled(b)
    if a is b or fits(a, b) is Fit.FITS:
        return b
    if fits(b, a) is Fit.FITS:
        return a
    return _merged(a, b)


def _merged(a: Schema, b: Schema) -> Schema:
    """Join two schemas of which neither holds the other."""
    listed = [*(values(a) or ()), *(values(b) or ())] if values(a) is not None and values(b) is not None else None
    named = kinds(a) | kinds(b)
    solid = sorted(named - {"null"})
    if len(solid) != 1:
        return {} if solid else {"type": "null"}
    kind = solid[0]
    parts = [_of_kind(schema, kind) for schema in (a, b) if kind in kinds(schema)]
    merged = parts[0] if len(parts) == 1 else _MERGES[kind](*parts)
    name = "integer" if kind == "number" and all(integral(part) for part in parts) else kind
    merged = {**merged, "type": [name, "null"] if "null" in named else name}
    if listed is not None and len(listed) <= MOST_VALUES and kind not in ("array", "object"):
        once = [value for at, value in enumerate(listed) if not any(same(value, other) for other in listed[:at])]
        return {"type": merged["type"], "enum": once}
    return merged


def _of_kind(schema: Schema, kind: str) -> Schema:
    """Return the values of one kind of a schema, described without `const` and `enum`."""
    listed = values(schema)
    if listed is None or kind == "boolean":
        return {**schema, "type": "integer" if kind == "number" and integral(schema) else kind}
    shapes = [_shape(value) for value in listed if kinds(_shape(value)) == {kind}]
    joined = shapes[0]
    for shape in shapes[1:]:
        joined = _MERGES[kind](joined, shape) | {"type": kind if joined["type"] != shape["type"] else joined["type"]}
    return joined


def _looser(a: Schema, b: Schema, lows: tuple[str, ...], highs: tuple[str, ...]) -> Schema:
    """Keep the bounds that both have, each at its looser value."""
    out: Schema = {key: min(a[key], b[key]) for key in lows if key in a and key in b}
    return out | {key: max(a[key], b[key]) for key in highs if key in a and key in b}


def _merge_numbers(a: Schema, b: Schema) -> Schema:
    out: Schema = {}
    (low, low_open, high, high_open), (least, least_open, most, most_open) = (
        number_range(s, whole=False) for s in (a, b)
    )
    if min(low, least) > 1 - LIMIT:
        left_out = low_open if low < least else least_open if least < low else low_open and least_open
        out["exclusiveMinimum" if left_out else "minimum"] = min(low, least)
    if max(high, most) < LIMIT - 1:
        left_out = high_open if high > most else most_open if most > high else high_open and most_open
        out["exclusiveMaximum" if left_out else "maximum"] = max(high, most)
    return out


def _merge_strings(a: Schema, b: Schema) -> Schema:
    out = _looser(a, b, ("minLength",), ("maxLength",))
    return out | {key: a[key] for key in ("pattern", "format") if key in a and a[key] == b.get(key)}


def _merge_arrays(a: Schema, b: Schema) -> Schema:
    out = _looser(a, b, ("minItems",), ("maxItems",))
    sides = [schema.get("items", {}) for schema in (a, b) if schema.get("maxItems") != 0]
    if sides and (items := join_all(sides)):
        out["items"] = items
    return out


def _merge_objects(a: Schema, b: Schema) -> Schema:
    out: Schema = {}
    properties: Schema = {}
    for key in sorted({*a.get("properties", {}), *b.get("properties", {})}):
        sides = [inner for inner in (inner_of(a, key), inner_of(b, key)) if inner is not None]
        properties[key] = join_all(sides)
    if properties:
        out["properties"] = properties
    if required := sorted(always(a) & always(b)):
        out["required"] = required
    extras = [schema.get("additionalProperties", True) for schema in (a, b)]
    others = [extra for extra in extras if extra is not False]
    if not others:
        out["additionalProperties"] = False
    elif True not in others:
        out["additionalProperties"] = join_all(others)
    return out


_MERGES = {
    "boolean": lambda a, b: {},
    "number": _merge_numbers,
    "string": _merge_strings,
    "array": _merge_arrays,
    "object": _merge_objects,
}
