"""Shades: which parts of a value are secret, and where each of them comes from.

A shade is None (nothing is secret), a trail (all of it is: the path, first reference first, by which the secret came),
or a mapping from members to shades, in which `*` stands for every member that is not named and for every item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from omnibachi_model.sealed import ITEM
from omnibachi_model.secrecy import SECRET, holds_secret

from .templates import Items, Record, Reference, Template, inside

Trail: TypeAlias = tuple[str, ...]
Shade: TypeAlias = "Trail | dict[str, Shade] | None"


def of_schema(schema: Mapping[str, Any], path: str) -> Shade:
    """Return the shade of a value that comes in as a schema says; `path` is what it is called."""
    if not holds_secret(schema):
        return None
    if schema.get(SECRET) is True:
        return (path,)
    found: dict[str, Shade] = {
        name: of_schema(inner, f"{path}.{name}") for name, inner in schema.get("properties", {}).items()
    }
    others = [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    rest = merged([of_schema(inner, f"{path}[*]") for inner in others])
    return {**found, ITEM: rest} if rest is not None else found


def below(shade: Shade, segments: Sequence[str | int]) -> Shade:
    """Return the shade of what a path reads from a value."""
    for segment in segments:
        if shade is None or isinstance(shade, tuple):
            return shade
        shade = shade[segment] if segment in shade else shade.get(ITEM)
    return shade


def trail(shade: Shade) -> Trail | None:
    """Return by which path a secret came that is, or is in, a value; None where there is none."""
    if shade is None or isinstance(shade, tuple):
        return shade
    return next((found for inner in shade.values() if (found := trail(inner)) is not None), None)


def merged(shades: Sequence[Shade]) -> Shade:
    """Return the shade of a value that is one of several."""
    told = [shade for shade in shades if trail(shade) is not None]
    whole = next((shade for shade in told if isinstance(shade, tuple)), None)
    if whole is not None or not told:
        return whole
    parts = [shade for shade in told if isinstance(shade, dict)]
    keys = {key for part in parts for key in part}
    return {key: merged([below(part, (key,)) for part in parts]) for key in sorted(keys)}


def names_in(shade: Shade, declared: Iterable[str]) -> list[str]:
    """Return the members of a record that are secret or hold what is; all that are `declared` where any may be."""
    if not isinstance(shade, dict):
        return sorted(declared) if shade is not None else []
    found = {key for key, inner in shade.items() if key != ITEM and trail(inner)}
    if trail(shade.get(ITEM)) is not None:
        found |= set(declared) - shade.keys()
    return sorted(found)


def of_template(template: Template, read: Callable[[Reference], Shade]) -> Shade:
    """Return the shade of what a template builds; `read` gives that of what a reference reads."""
    if isinstance(template, Reference):
        return read(template)
    if isinstance(template, Record):
        return {key: of_template(value, read) for key, value in template.entries}
    if isinstance(template, Items):
        return {ITEM: merged([of_template(item, read) for item in template.items])}
    # Of several that may be it, and of records laid over one another: whatever one of them holds.
    return merged([of_template(item, read) for item in inside(template)])
