"""Narrowing: what an operation's fields hold once its node has named a store or an event.

An operation's declaration says `type: object` where a store's record or an event's record stands, because it serves
every store. By convention a field called `value` of an operation that needs a store is the store's record, a field
called `record` of one that needs an event is the event's record, and `items` of a store's operation are `{value, …}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .library import Capability, SealedStore, Shape

Schema = dict[str, Any]


def narrow_outcomes(capability: Capability, store: SealedStore | None, event: Shape | None) -> dict[str, Schema]:
    """Return the operation's outcomes with the records of its store and event filled in."""
    return {name: narrow(schema, store, event) for name, schema in capability.outcomes.items()}


def narrow(schema: Schema, store: SealedStore | None, event: Shape | None) -> Schema:
    """Return an object schema of fields in which `value`, `record` and `items` are narrowed."""
    if store is None and event is None:
        return schema
    properties: Mapping[str, Schema] = schema.get("properties", {})
    changed = dict(properties)
    if store is not None and _is_object(properties.get("value")):
        changed["value"] = store.record
    if event is not None and _is_object(properties.get("record")):
        changed["record"] = event.schema
    items = properties.get("items")
    if (
        store is not None
        and items is not None
        and _is_object(items.get("items", {}).get("properties", {}).get("value"))
    ):
        changed["items"] = {**items, "items": narrow(items["items"], store, None)}
    return {**schema, "properties": changed} if changed != properties else schema


def _is_object(schema: Schema | None) -> bool:
    return schema == {"type": "object"}
