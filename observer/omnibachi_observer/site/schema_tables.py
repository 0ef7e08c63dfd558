"""A schema for people: one row a member, however deep, with what it must be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omnibachi_model.secrecy import PUBLIC, SECRET
from omnibachi_observer.expression_text import json

from .markup import Child, Html, code, joined, table, tag

Schema = dict[str, Any]
LIMITS = {
    "minimum": "at least {}", "exclusiveMinimum": "more than {}", "maximum": "at most {}",
    "exclusiveMaximum": "less than {}", "minLength": "of length {} or more", "maxLength": "of length {} or less",
    "minItems": "of {} items or more", "maxItems": "of {} items or less",
}  # fmt: skip


def schema_table(schema: Schema, label: str) -> Html:
    """Write a schema as a table of members; one that has none as a sentence."""
    rows = list(_rows(schema, "", True))
    if rows:
        return joined(table(("Member", "Type", "Required", "Must be"), rows, label), _others(schema))
    return tag("p", "No members." if schema.get("additionalProperties") is False else _type(schema) + ".")


def _others(schema: Schema) -> Html | None:
    extra = schema.get("additionalProperties", True)
    return None if extra is False else tag("p", "Other members may be there too.", class_="soft")


def _rows(schema: Schema, pointer: str, top: bool = False) -> Iterator[list[Child]]:
    for name, inner in sorted(schema.get("properties", {}).items()):
        needed = "yes" if name in schema.get("required", ()) else "no"
        yield [code(f"{pointer}{name}"), _type(inner), needed, _limits(inner)]
        yield from _rows(inner, f"{pointer}{name}.")
        if isinstance(inner.get("items"), dict):
            yield from _items(inner["items"], f"{pointer}{name}[]")
    if top and isinstance(schema.get("items"), dict):
        yield from _items(schema["items"], "[]")


def _items(schema: Schema, pointer: str) -> Iterator[list[Child]]:
    if schema:
        yield [code(pointer), _type(schema), "", _limits(schema)]
    yield from _rows(schema, f"{pointer}.")


def _type(schema: Schema) -> str:
    if "const" in schema or "enum" in schema:
        return "one of these" if "enum" in schema else "exactly this"
    named = schema.get("type", "anything")
    return named if isinstance(named, str) else " or ".join(named)


def _limits(schema: Schema) -> Child:
    found: list[Child] = []
    if "const" in schema:
        found.append(code(json(schema["const"])))
    for value in schema.get("enum", ()):
        found.append(code(json(value)))
    found += [words.format(json(schema[key])) for key, words in LIMITS.items() if key in schema]
    if "pattern" in schema:
        found.append(joined("matches ", code(str(schema["pattern"]))))
    if "format" in schema:
        found.append(f"a {schema['format']}")
    if "default" in schema:
        found.append(joined("left out, it is ", code(json(schema["default"]))))
    found += [mark for mark in (SECRET, PUBLIC) if schema.get(mark)]
    if schema.get("additionalProperties") is False and "properties" in schema:
        found.append("no other members")
    return joined(*found, between=", ")
