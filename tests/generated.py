"""Generated schemas of the subset, values of them and values near them, for properties over many schemas.

Values come after defaults were filled in, as everything that is read from a payload does.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from omnibachi_model.checks import filler, link

Schema = dict[str, Any]

NAMES = ("a", "b", "c")
TEXTS = ("", "a", "b", "ab", "abc", "é", "𝄞a", "2026-01-01", "a@b.cd")
GREAT = (2**53 - 1, 1 - 2**53, 999999999999999.5, 0.00001)
NUMBERS = (-3, -1, 0, 1, 2, 3, 5, 0.5, 1.5, 2.5, -2.25)
PATTERNS = ("^a", "b$", "^[a-c]*$", "a|b")
TYPES = ("string", "integer", "number", "boolean", "null", "array", "object")

scalars = st.sampled_from((None, True, False, *NUMBERS, *TEXTS))
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*NAMES, "d")), inner, max_size=3),
    max_leaves=5,
)


def _maybe(draw: st.DrawFn, strategy: st.SearchStrategy[Any], chance: int = 3) -> Any:
    return draw(strategy) if draw(st.integers(0, chance)) == 0 else None


@st.composite
def schemas(draw: st.DrawFn, depth: int = 2, defaults: bool = True) -> Schema:
    """Draw a sealed schema that at least one value may satisfy, as a rule."""
    schema: Schema = {}
    kind = (_maybe(draw, st.just("")) is None and draw(st.sampled_from(TYPES if depth else TYPES[:5]))) or None
    if kind:
        schema["type"] = [kind, "null"] if kind != "null" and draw(st.integers(0, 4)) == 0 else kind
    if draw(st.integers(0, 5)) == 0:
        check = link(schema)
        fitting = [value for value in draw(st.lists(anything, min_size=1, max_size=4)) if not check(value)]
        once = [value for at, value in enumerate(fitting) if value not in fitting[:at]]
        if once:
            return {**schema, "const": once[0]} if draw(st.booleans()) else {**schema, "enum": once}
    if kind in ("string", None):
        _bounds(draw, schema, "minLength", "maxLength", st.integers(0, 4))
        if pattern := _maybe(draw, st.sampled_from(PATTERNS)):
            schema["pattern"] = pattern
            schema.setdefault("maxLength", 10_000)
        if form := _maybe(draw, st.sampled_from(("date", "email")), 6):
            schema["format"] = form
    if kind in ("integer", "number", None):
        low, high = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
        numbers = st.integers(-9, 9).map(lambda number: number * 3) if kind == "integer" else st.sampled_from(NUMBERS)
        _bounds(draw, schema, draw(st.sampled_from(low)), draw(st.sampled_from(high)), numbers, apart=True)
    if kind in ("array", None) and depth:
        _bounds(draw, schema, "minItems", "maxItems", st.integers(0, 3))
        if draw(st.booleans()):
            schema["items"] = draw(schemas(depth - 1, defaults))
    if kind in ("object", None) and depth:
        _object(draw, schema, depth, defaults)
    return schema


def _bounds(
    draw: st.DrawFn, schema: Schema, low: str, high: str, numbers: st.SearchStrategy[Any], apart: bool = False
) -> None:
    least, most = _maybe(draw, numbers), _maybe(draw, numbers)
    if least is not None:
        schema[low] = least
    if most is not None and (least is None or least < most or (least == most and not apart)):
        schema[high] = most


def _object(draw: st.DrawFn, schema: Schema, depth: int, defaults: bool) -> None:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), schemas(depth - 1, defaults), max_size=3))
    extra = draw(st.sampled_from((True, False, None)))
    if extra is False:
        schema["additionalProperties"] = False
    elif extra is None:
        schema["additionalProperties"] = draw(schemas(depth - 1, defaults))
    required = []
    for name, inner in list(properties.items()):
        choice = draw(st.integers(0, 2))
        if choice == 0:
            required.append(name)
        elif choice == 1 and defaults:
            default = draw(values_near(inner))
            if not link(inner)(default):
                properties[name] = {**inner, "default": default}
    if properties:
        schema["properties"] = properties
    if extra is not False and draw(st.integers(0, 5)) == 0:
        required.append("d")
    if required:
        schema["required"] = sorted(required)


@st.composite
def changed(draw: st.DrawFn, schema: Schema) -> Schema:
    """Draw a schema that differs from this one in little: what one asks for and the other gives."""
    out = dict(schema)
    for key in (
        "required",
        "additionalProperties",
        "items",
        "enum",
        "minItems",
        "maxLength",
        "minimum",
        "exclusiveMaximum",
    ):
        if key in out and draw(st.integers(0, 5)) == 0:
            del out[key]
    for key in ("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "minItems", "maxItems"):
        if key in out and draw(st.integers(0, 3)) == 0:
            out[key] = max(0, out[key] + draw(st.sampled_from((-1, 1))))
    if isinstance(out.get("items"), dict) and draw(st.booleans()):
        out["items"] = draw(changed(out["items"]))
    properties = dict(out.get("properties", {}))
    for name, inner in list(properties.items()):
        choice = draw(st.integers(0, 5))
        if choice == 0:
            del properties[name]
        elif choice == 1:
            properties[name] = draw(changed({key: value for key, value in inner.items() if key != "default"}))
    if properties:
        out["properties"] = properties
        kept = draw(st.sets(st.sampled_from(sorted(properties))))
        out["required"] = sorted(kept)
    if "object" in str(out.get("type")) and draw(st.integers(0, 3)) == 0:
        out["additionalProperties"] = draw(st.booleans())
    return out


@st.composite
def values_near(draw: st.DrawFn, schema: Schema) -> Any:
    """Draw a value that satisfies the schema or nearly does."""
    if draw(st.integers(0, 9)) == 0:
        return draw(anything)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    named = schema.get("type", draw(st.sampled_from(TYPES)))
    kind = draw(st.sampled_from(named)) if isinstance(named, list) else named
    if kind == "array":
        low, high = schema.get("minItems", 0), schema.get("maxItems", 3)
        count = draw(st.integers(min(low, high), max(low, high)))
        return [draw(values_near(schema.get("items", {}))) for _ in range(count)]
    if kind == "object":
        return draw(_objects_near(schema))
    if kind == "string":
        return draw(st.sampled_from(TEXTS) | st.text("abc", max_size=4))
    if kind in ("integer", "number"):
        edges = [schema[key] for key in schema if key.endswith(("imum", "Minimum", "Maximum"))]
        near = [edge + step for edge in edges for step in (-1, -0.5, 0, 0.5, 1)]
        found = draw(st.sampled_from((*NUMBERS, *near, *GREAT)))
        return int(found) if isinstance(found, int) or found.is_integer() else found
    return None if kind == "null" else draw(st.booleans())


@st.composite
def _objects_near(draw: st.DrawFn, schema: Schema) -> Any:
    found: dict[str, Any] = {}
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        if name in required or draw(st.booleans()):
            found[name] = draw(values_near(inner))
    extra = schema.get("additionalProperties", True)
    if "d" in required or (extra is not False and draw(st.integers(0, 2)) == 0):
        found["d"] = draw(values_near(extra) if isinstance(extra, dict) else anything)
    return found


def filled(schema: Schema, value: Any) -> Any:
    """Return a value with the schema's defaults filled in."""
    fill = filler(schema)
    return value if fill is None else fill(value)
