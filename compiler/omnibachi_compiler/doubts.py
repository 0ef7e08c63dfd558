"""Doubts: which bounds of a schema values may break that are checked when run.

That something may not fit says little to whoever wants to have it proven, and whoever tries scenarios on changed
workflows need not take bounds away that nothing can break. Each bound is asked about by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .fits import Fit, fits
from .kinds import Schema

KEYWORDS = (
    "const", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength",
    "minItems", "maxItems", "pattern", "format",
)  # fmt: skip
MOST_TOLD = 12


class Bound(NamedTuple):
    """One bound of a schema: the members that lead to the schema that has it (None: the items of a list), its keyword,
    the member that `required` asks for, and the place of what it bounds as people read it (`/claims/*/key`)."""

    path: tuple[str | None, ...]
    keyword: str
    member: str | None
    place: str

    @property
    def told(self) -> str:
        """The bound in words."""
        return f"`{self.keyword}`" + (f" at `{self.place}`" if self.place else "")


def bounds_of(schema: Schema, path: tuple[str | None, ...] = (), place: str = "") -> Iterator[Bound]:
    """Yield the bounds of a sealed schema, outer ones first; types are none."""
    for key in KEYWORDS:
        if key in schema:
            yield Bound(path, key, None, place)
    properties = schema.get("properties", {})
    for member in schema.get("required", ()):
        if "default" not in properties.get(member, {}):
            yield Bound(path, "required", member, f"{place}/{member}")
    if schema.get("additionalProperties") is False:
        yield Bound(path, "additionalProperties", None, place)
    for member, inner in properties.items():
        yield from bounds_of(inner, (*path, member), f"{place}/{member}")
    if isinstance(schema.get("items"), dict):
        yield from bounds_of(schema["items"], (*path, None), f"{place}/*")


def doubts(given: Schema, asked: Schema) -> str:
    """Say which bounds of `asked` values of `given` may break: `": a, b"`, or nothing where it is their type alone, or
    more than anybody reads."""
    found = [bound.told for bound in bounds_of(asked) if fits(given, _alone(asked, bound)) is not Fit.FITS]
    return f": {', '.join(found)}" if 0 < len(found) <= MOST_TOLD else ""


def bounded_by(schema: Schema, bound: Bound) -> Schema:
    """Return the schema, inside of another, that has a bound of it."""
    for member in bound.path:
        schema = schema["items"] if member is None else schema["properties"][member]
    return schema


def _alone(schema: Schema, bound: Bound) -> Schema:
    """Return a schema that has this bound and no other."""
    at = bounded_by(schema, bound)
    alone: Schema = {bound.keyword: at[bound.keyword]}
    if bound.member is not None:
        alone = {"required": [bound.member]}
    elif bound.keyword == "additionalProperties":
        alone["properties"] = {member: {} for member in at.get("properties", {})}
    for member in reversed(bound.path):
        alone = {"items": alone} if member is None else {"properties": {member: alone}}
    return alone
