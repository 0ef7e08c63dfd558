"""Overlays: the type of what `$merge` builds, records laid over one another, of whose members the later ones stand."""

from __future__ import annotations

from .fits import join
from .kinds import Schema, always, inner_of, kinds, settled


def is_record(schema: Schema) -> bool:
    """Tell whether every value of a schema is a record."""
    return kinds(schema) == {"object"}


def overlaid(below: Schema, above: Schema) -> Schema:
    """Return the type of one record laid over another."""
    below, above = settled(below), settled(above)
    sure = always(above)
    members: dict[str, Schema] = {}
    for key in sorted({*below.get("properties", {}), *above.get("properties", {})}):
        old, new = inner_of(below, key), inner_of(above, key)
        if new is None or old is None or key in sure:
            found = new if new is not None else old
        else:
            found = join(old, new)
        members[key] = found if found is not None else {}
    made: Schema = {"type": "object"}
    if members:
        made["properties"] = members
    if required := sorted({*always(below), *sure}):
        made["required"] = required
    extras = [schema.get("additionalProperties", True) for schema in (below, above)]
    open_ends = [extra for extra in extras if extra is not False]
    if not open_ends:
        made["additionalProperties"] = False
    elif True not in open_ends:
        made["additionalProperties"] = open_ends[0] if len(open_ends) == 1 else join(*open_ends)
    return made
