"""What a place of a document asks for: a node, an outcome, an address of some kind, a path, a key.

The language's own schemas say it: a path into a document leads to the schemas that judge it, and the title of each
tells which names go there. So the schema that editors are given and the completion of the language server agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omnibachi_compiler.language import LATER, SCHEMAS

from .scan import Path

Schema = dict[str, Any]

ROLES = {
    "the name of a node or an exit": "target",
    "the name of a node or an outcome": "target",
    "the name of a node": "node",
    "the path of a node": "node path",
    "a node and its outcome": "step",
    "the name of an exit": "exit",
    "the name of an outcome": "outcome",
    "the address of a workflow": "workflow",
    "the address of an intent": "intent",
    "the address of an event": "event",
    "the address of a store": "store",
    "the address of a side effect": "side_effect",
    "the address of a schema": "schema",
    "a transform, a side effect with its operation, a contract or a workflow": "use",
    "a mapping of names to data": "template",
}
# Where names of these roles are declared, not used: the keys of these mappings, and what a row of a decision names.
DECLARING = ("nodes", "exits", "outcomes", "all")
GRAPHS = ("workflow", "contract")


def kind_of(keys: tuple[str, ...]) -> str | None:
    """Return the kind of a document by its keys in order: the first that names one."""
    return next((key for key in keys if key in SCHEMAS), None)


def schemas_at(kind: str, path: Path) -> list[Schema]:
    """Return the schemas that judge the value at a path of a document of a kind."""
    root: Schema = SCHEMAS[kind]
    found = list(_spread(root, root))
    for step in path:
        found = [inner for schema in found for below in _step(schema, step) for inner in _spread(below, root)]
    return found


def _spread(schema: Schema, root: Schema) -> Iterator[Schema]:
    """Yield a schema and those that judge the same value beside it."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        yield from _spread(root["$defs"][reference.rpartition("/")[2]], root)
        return
    yield schema
    for key in ("anyOf", "oneOf", "allOf"):
        for inner in schema.get(key, ()):
            yield from _spread(inner, root)
    for key in ("then", "else"):
        if key in schema:
            yield from _spread(schema[key], root)


def _step(schema: Schema, step: str | int) -> Iterator[Schema]:
    if isinstance(step, int):
        if isinstance(schema.get("items"), dict):
            yield schema["items"]
        return
    inner = schema.get("properties", {}).get(step)
    if inner is None:
        inner = schema.get("additionalProperties")
    if isinstance(inner, dict) and inner != LATER:
        yield inner


def role_of(kind: str, path: Path, *, key: bool) -> str | None:
    """Return what the value at a path (or, with `key`, the key that ends it) is a name of; None for anything else.

    Inside data that may hold paths it is `template`; what is only declared there has no role.
    """
    inside = _template_depth(kind, path)
    if inside is not None and (inside < len(path) or not key):
        return "template"
    if key:
        if path and len(path) > 1 and path[-2] in DECLARING and path[0] != "given":
            return None
        names = [schema["propertyNames"] for schema in schemas_at(kind, path[:-1]) if "propertyNames" in schema]
        return next((ROLES[item["title"]] for item in names if item.get("title") in ROLES), None)
    if len(path) > 2 and path[-1] == "outcome" and "decide" in path:
        return None
    titles = (schema.get("title") for schema in schemas_at(kind, path))
    return next((ROLES[title] for title in titles if title in ROLES), None)


def _template_depth(kind: str, path: Path) -> int | None:
    """Return how many steps of a path lead to the template that it goes into, or None where it goes into none."""
    if kind not in GRAPHS or "$literal" in path:
        return None
    forms: tuple[Path, ...] = (
        ("nodes", "*", "with"),
        ("nodes", "*", "each"),
        ("nodes", "*", "all", "*", "with"),
        ("exits", "*", "result"),
        *((("outcomes", "*"),) if kind == "contract" else ()),
    )
    for form in forms:
        if len(path) >= len(form) and all(want in ("*", step) for want, step in zip(form, path, strict=False)):
            return len(form)
    return None


def keys_at(kind: str, path: Path, present: frozenset[str] = frozenset()) -> dict[str, Schema]:
    """Return the keys that the mapping at a path may have beside those that are present, with their schemas."""
    found: dict[str, Schema] = {}
    for schema in schemas_at(kind, path):
        excluded = _excluded(schema, present)
        for key, inner in schema.get("properties", {}).items():
            if inner != LATER and isinstance(inner, dict) and key not in excluded:
                found.setdefault(key, inner)
    return found


def _excluded(schema: Schema, present: frozenset[str]) -> set[str]:
    """Return the keys that cannot stand beside those that are present, and these."""
    found: set[str] = set()
    choices = {key for option in schema.get("oneOf", ()) for key in option.get("required", ())}
    found |= choices if present & choices else set()
    dependent = schema.get("dependentSchemas", {})
    for key, rule in dependent.items():
        forbidden = set(rule.get("propertyNames", {}).get("not", {}).get("enum", ()))
        found |= forbidden if key in present else set()
        found |= {key} if present & forbidden else set()
    # What needs a key that cannot be there cannot be there either.
    needs = {key: [{other} for other in others] for key, others in schema.get("dependentRequired", {}).items()}
    for key, rule in dependent.items():
        if "oneOf" in rule:
            needs.setdefault(key, []).append({other for option in rule["oneOf"] for other in option["required"]})
    for key, asked in needs.items():
        found |= {key} if any(not one - (found - present) for one in asked) else set()
    return found | present


def values_at(kind: str, path: Path) -> list[str]:
    """Return the texts that the value at a path may be, where the language lists them."""
    found: list[str] = []
    for schema in schemas_at(kind, path):
        if isinstance(schema.get("enum"), list) and schema.get("type") == "string":
            found += [str(item) for item in schema["enum"] if schema.get("not") != {"const": item}]
        elif schema.get("type") == "boolean":
            found += ["true", "false"]
    return list(dict.fromkeys(found))
