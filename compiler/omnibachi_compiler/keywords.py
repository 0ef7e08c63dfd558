"""Keywords: what each keyword of a schema may hold, and which keywords contradict one another.

Apart from the keywords that hold schemas, which `schemas` reads itself. Every function reports what it refuses and
goes on, so that one compilation shows all mistakes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from omnibachi_model.checks import link
from omnibachi_model.diagnostics import Span
from omnibachi_model.digests import encode
from omnibachi_model.formats import FORMATS
from omnibachi_model.nearest import nearest
from omnibachi_model.values import pointer

from .loader import short
from .patterns import quick_up_to, refusal
from .tree import Mapping, Scalar, Sequence, Tree, plain

PATTERN_LENGTH = 10_000
SUBJECTS = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "items": "array",
    "minItems": "array",
    "maxItems": "array",
    "minLength": "string",
    "maxLength": "string",
    "pattern": "string",
    "format": "string",
    "minimum": "number",
    "maximum": "number",
    "exclusiveMinimum": "number",
    "exclusiveMaximum": "number",
}


class Report(Protocol):
    """Where a reader says what it refuses."""

    def __call__(self, code: str, message: str, span: Span, help: str | None = None, severity: str = "error") -> None:
        """Take one finding."""
        ...


def applies(key: str, types: list[str]) -> bool:
    """Tell whether a keyword says anything about values of these types."""
    subject = SUBJECTS.get(key)
    return subject is None or subject in types or (subject == "number" and "integer" in types)


def text_of(tree: Tree) -> str | None:
    """Return the text of a scalar that is text, else None."""
    return tree.value if isinstance(tree, Scalar) and isinstance(tree.value, str) else None


def _required(key: str, tree: Tree, report: Report) -> list[str] | None:
    if not isinstance(tree, Sequence):
        report("OB208", "`required` is a list of names", tree.span)
        return None
    names: set[str] = set()
    for item in tree:
        name = text_of(item)
        if name is None:
            report("OB208", "`required` lists names", item.span)
        elif name in names:
            report("OB208", f"`{name}` stands twice in `required`", item.span)
        else:
            names.add(name)
    return sorted(names) or None


def _enum(key: str, tree: Tree, report: Report) -> list[Any] | None:
    if not isinstance(tree, Sequence) or not tree.items:
        report("OB208", "`enum` is a list of at least one value", tree.span)
        return None
    values: dict[bytes, Any] = {}  # by canonical bytes, which are the same for values that are
    for item in tree:
        value = plain(item)
        written = encode(value)
        if written in values:
            report("OB208", "a value stands twice in `enum`", item.span)
        values[written] = value
    return list(values.values())


def _bound(key: str, tree: Tree, report: Report) -> float | None:
    value = tree.value if isinstance(tree, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        report("OB208", f"`{key}` is a number", tree.span)
        return None
    return value


def _count(key: str, tree: Tree, report: Report) -> int | None:
    value = tree.value if isinstance(tree, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        report("OB208", f"`{key}` is an integer from 0", tree.span)
        return None
    return value


def _pattern(key: str, tree: Tree, report: Report) -> str | None:
    text = text_of(tree)
    if text is None:
        report("OB208", "`pattern` is text", tree.span)
        return None
    reason = refusal(text)
    if reason is not None:
        report("OB209", f"the pattern `{short(text, 80)}` cannot be used: {reason}", tree.span)
        return None
    return text


def _format(key: str, tree: Tree, report: Report) -> str | None:
    text = text_of(tree)
    if text is not None and text in FORMATS:
        return text
    near = nearest(text, FORMATS) if text else None
    advice = f"did you mean `{near}`?" if near else f"the formats are {', '.join(f'`{name}`' for name in FORMATS)}"
    report("OB208", f"`{text}` is no format" if text else "`format` is the name of a format", tree.span, advice)
    return None


READERS: dict[str, Callable[[str, Tree, Report], Any]] = {
    "required": _required,
    "enum": _enum,
    "minLength": _count,
    "maxLength": _count,
    "minItems": _count,
    "maxItems": _count,
    "minimum": _bound,
    "maximum": _bound,
    "exclusiveMinimum": _bound,
    "exclusiveMaximum": _bound,
    "pattern": _pattern,
    "format": _format,
}


def settle(tree: Mapping, schema: dict[str, Any], report: Report) -> None:
    """Report keywords of one schema that contradict one another, and bring `required` and `maxLength` into sealed form.

    `schema` holds the keywords as read so far, `default` left out.
    """
    places = {entry.key: entry.value.span for entry in tree}
    _counts(schema, places, report)
    _numbers(schema, places, report)
    _members(tree, schema, report)
    if "pattern" in schema:
        schema.setdefault("maxLength", max(PATTERN_LENGTH, schema.get("minLength", 0)))
        _quick(schema["pattern"], schema["maxLength"], places["pattern"], report)
    listed = tree.get("enum")
    if "enum" in schema and isinstance(listed, Sequence):
        check = link({key: value for key, value in schema.items() if key not in ("enum", "const")})
        for item in listed:
            if found := check(plain(item)):
                report("OB208", f"this value of `enum` breaks the schema's own `{found[0][1]}`", item.span)
    if "const" in schema:
        check = link({key: value for key, value in schema.items() if key != "const"})
        if found := check(schema["const"]):
            report("OB208", f"`const` breaks the schema's own `{found[0][1]}`", places["const"])


def _quick(pattern: str, longest: int, place: Span, report: Report) -> None:
    enough = quick_up_to(pattern, longest)
    if enough < longest:
        message = f"a search for `{short(pattern, 80)}` may take minutes in a text of {longest} characters"
        help = f"give `maxLength: {enough}` or less, or a pattern whose repetitions end at what they cannot hold"
        report("OB216", message, place, help, "warning")


def _counts(schema: dict[str, Any], places: dict[str, Span], report: Report) -> None:
    for low, high in (("minLength", "maxLength"), ("minItems", "maxItems")):
        if low in schema and high in schema and schema[low] > schema[high]:
            report("OB208", f"`{low}` is greater than `{high}`", places[low])
            del schema[low]


def _numbers(schema: dict[str, Any], places: dict[str, Span], report: Report) -> None:
    lows = [key for key in ("minimum", "exclusiveMinimum") if key in schema]
    highs = [key for key in ("maximum", "exclusiveMaximum") if key in schema]
    for low in lows:
        for high in highs:
            open_end = "exclusive" in low + high
            if schema[low] > schema[high] or (open_end and schema[low] == schema[high]):
                report("OB208", f"no number lies between `{low}` and `{high}`", places[low])
                for key in (*lows, *highs):
                    del schema[key]
                return
    names = schema.get("type")
    if not lows or not highs or (names != "integer" and names != ["integer", "null"]):
        return
    start = max(math.floor(schema[key]) + 1 if "exclusive" in key else math.ceil(schema[key]) for key in lows)
    end = min(math.ceil(schema[key]) - 1 if "exclusive" in key else math.floor(schema[key]) for key in highs)
    if start > end:
        report("OB208", f"no integer lies between `{lows[0]}` and `{highs[0]}`", places[lows[0]])
        for key in (*lows, *highs):
            del schema[key]


def _members(tree: Mapping, schema: dict[str, Any], report: Report) -> None:
    """Judge `required` against `properties`; a member with a default need not be given."""
    properties = schema.get("properties", {})
    required = frozenset(schema.get("required", ()))
    listed = tree.get("required")
    kept = {name for name in required if "default" not in properties.get(name, {})}
    if schema.get("additionalProperties") is False and isinstance(listed, Sequence):
        for item in listed:
            name = text_of(item)
            if name in required and name not in properties:
                near = nearest(name, properties) if name else None
                report(
                    "OB208",
                    f"`required` names `{name}`, which is not among `properties`",
                    item.span,
                    f"did you mean `{near}`?" if near else "add it to `properties` or allow `additionalProperties`",
                )
                kept.discard(name)
    if kept:
        schema["required"] = sorted(kept)
    else:
        schema.pop("required", None)


def judge_default(value: Any, schema: dict[str, Any], span: Span, report: Report) -> bool:
    """Report a default that does not fit the schema that it belongs to; tell whether it fits."""
    found = link(schema)(value)
    if not found:
        return True
    at, keyword = found[0]
    place = f" at `{pointer(at)}`" if at else ""
    report("OB208", f"the default breaks the schema's own `{keyword}`{place}", span)
    return False
