"""The JSON Schema (2020-12) of the language, as one schema for any document, made of those that the compiler uses.

What it cannot say, the compiler does: that the kind's own key stands first, that a scenario's step repeats an earlier
one, and everything for which several places of a text must be held together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from omnibachi_compiler.language import SCHEMAS
from omnibachi_model.diagnostics import Defect

from .names import Names
from .roles import DECLARING, ROLES

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def language_schema() -> Schema:
    """Return the schema that accepts a document of any kind; which one it is, its keys tell."""
    definitions: Schema = {}
    for kind, schema in SCHEMAS.items():
        inner = json.loads(json.dumps(schema))  # nothing is shared, so that a part can be replaced alone
        shared = inner.pop("$defs", {})
        for name, definition in {**shared, kind: inner}.items():
            if definitions.setdefault(name, definition) != definition:
                raise Defect(f"two kinds of document define `{name}` differently")
    definitions["test"] = _with_workflow(definitions["test"])
    choice: Schema = {"anyOf": [{"required": [kind]} for kind in SCHEMAS]}
    for kind in reversed(_told_apart()):
        choice = {"if": {"required": [kind]}, "then": {"$ref": f"#/$defs/{kind}"}, "else": choice}
    return {
        "$schema": DIALECT,
        "title": "a document of the protocol language",
        "type": "object",
        **choice,
        "$defs": definitions,
    }


def _told_apart() -> list[str]:
    """Return the kinds so that one comes before those whose own key it may hold for another reason."""
    kinds = list(SCHEMAS)
    return sorted(kinds, key=lambda kind: -sum(kind != other and _reaches(kind, other) for other in kinds))


def _reaches(kind: str, other: str) -> bool:
    """Tell whether a document of a kind may have another kind's key, or that of a kind that may."""
    known = SCHEMAS[kind]["properties"]
    return other in known or any(step != kind and step in known and _reaches(step, other) for step in SCHEMAS)


def _with_workflow(test: Schema) -> Schema:
    """Say of scenarios, too, that a step with a payload needs a workflow, its own or the scenario's."""
    step = {"if": {"required": ["payload"], "not": {"required": ["load"]}}, "then": {"required": ["workflow"]}}
    whole = {"if": {"not": {"required": ["workflow"]}}, "then": {"properties": {"steps": {"items": step}}}}
    return {**test, "allOf": [whole]}


def project_schema(names: Names) -> Schema:
    """Return the same with the names that a project declares as enums, wherever one is used."""
    schema = language_schema()
    for owner, key, role in list(_used(schema, ())):
        known = names.by_role.get(role, frozenset())
        if known:
            kept = {name: value for name, value in owner[key].items() if name not in ("pattern", "examples")}
            owner[key] = {**kept, "enum": sorted(known)}
    return schema


def _used(schema: Any, trail: tuple[str, ...]) -> Iterator[tuple[Any, Any, str]]:
    """Yield where a schema asks for the name of something declared elsewhere: its owner, the key there, the role."""
    items = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    for key, inner in items:
        here = (*trail, str(key))
        role = ROLES.get(inner.get("title", "")) if isinstance(inner, dict) and inner.get("type") == "string" else None
        declared = (key == "propertyNames" and trail[-1:] and trail[-1] in DECLARING) or (
            key == "outcome" and "decide" in trail
        )
        if role is not None and not declared:
            yield schema, key, role
        elif isinstance(inner, dict | list):
            yield from _used(inner, here)
