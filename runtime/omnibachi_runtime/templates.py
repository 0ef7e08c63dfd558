"""Templates as closures: how a node's inputs are put together from what is there already.

While a run walks, all that can be read lies in one list, `values`: the output of each node at the node's index (None
until it has one), then the payload, then the run's own members. A linked template is a function from that list to a
value; it raises one of `ABSENT` where something optional is not there, and `missing` then says what. Values are
handed on by reference, never copied, save literals that hold lists or records.
"""

from __future__ import annotations

import re

import orjson

from omnibachi_model.checks import types_of
from omnibachi_model.digests import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    Values: TypeAlias = "list[Any]"
    Bind: TypeAlias = "Callable[[Values], Any]"
    Template: TypeAlias = "list[Any]"
    Segments: TypeAlias = "Sequence[str | int]"
    Scopes: TypeAlias = "Sequence[tuple[str, str | None]]"

ABSENT = (KeyError, IndexError, TypeError)


def slot_of(scope: str | int, size: int) -> int:
    """Return where a scope lies in `values` when there are `size` nodes and exits."""
    if scope == "payload":
        return size
    if scope == "run":
        return size + 1
    if type(scope) is int and 0 <= scope < size:
        return scope
    raise ValueError(f"no scope {scope!r}")


def link(template: Template, size: int) -> Bind:
    """Turn a sealed template into the function that builds its value; raises ValueError for an unknown form."""
    kind = template[0]
    if kind == "lit":
        return _literal(template[1])
    if kind == "ref":
        return _reference(slot_of(template[1], size), template[2])
    if kind == "map":
        return _mapping(template[1], size)
    if kind == "list":
        items = tuple(link(item, size) for item in template[1])
        return lambda values: [item(values) for item in items]
    if kind == "first":
        return _first(template[1], size)
    if kind == "optional":
        return link(template[1], size)
    if kind == "merge":
        return _merged(tuple(link(item, size) for item in template[1]))
    if kind == "secret":
        return _secret(template[1])
    raise ValueError(f"no template of kind {kind!r}")


def _secret(name: Any) -> Bind:
    """Build what is recorded of a named secret; the text itself comes with the call (see `leaving`)."""
    from omnibachi_model.named_secrets import NAMED, SECRET_NAME

    if type(name) is not str or not SECRET_NAME.match(name):
        raise ValueError(f"no name of a secret: {name!r}")
    return lambda values: {NAMED: name}


def _literal(value: Any) -> Bind:
    if type(value) not in (dict, list):
        return lambda values: value
    data = encode(value)
    return lambda values: orjson.loads(data)


def _reference(slot: int, segments: Segments) -> Bind:
    if not all(type(part) in (str, int) for part in segments):
        raise ValueError(f"no path {segments!r}")
    if not segments:
        return lambda values: _whole(values, slot)
    if all(type(part) is str for part in segments):
        first = segments[0]
        if len(segments) == 1:
            return lambda values: values[slot][first]
        second = segments[1]
        if len(segments) == 2:
            return lambda values: values[slot][first][second]
    path = tuple(segments)
    return lambda values: follow(_whole(values, slot), path)


def _whole(values: Values, slot: int) -> Any:
    found = values[slot]
    if found is None:
        raise KeyError(slot)
    return found


def follow(value: Any, segments: Segments) -> Any:
    """Return the value at a path below `value`; raises one of ABSENT when there is none (text has no items)."""
    for part in segments:
        if type(part) is int and type(value) is not list:
            if hasattr(value, "withheld"):  # What is not at hand has no parts that are.
                return value
            raise TypeError(part)
        value = value[part]
    return value


def _mapping(members: Mapping[str, Template], size: int) -> Bind:
    if any(item[0] == "optional" for item in members.values()):
        return _some(members, size)
    direct = [(key, slot_of(item[1], size), item[2][0]) for key, item in members.items() if _is_member(item)]
    if direct and len(direct) == len(members):
        return _direct(tuple(direct))
    items = tuple((key, link(item, size)) for key, item in members.items())
    if len(items) == 1:
        ((key, bind),) = items
        return lambda values: {key: bind(values)}
    if len(items) == 2:
        (key, bind), (other, more) = items
        return lambda values: {key: bind(values), other: more(values)}
    return lambda values: {key: bind(values) for key, bind in items}


def _some(members: Mapping[str, Template], size: int) -> Bind:
    """Build a record whose optional members are left out where they are absent."""
    items = tuple((key, link(item, size), item[0] == "optional") for key, item in members.items())

    def some(values: Values) -> Any:
        made = {}
        for key, bind, optional in items:
            try:
                made[key] = bind(values)
            except ABSENT:
                if not optional:
                    raise
        return made

    return some


def _direct(members: tuple[tuple[str, int, Any], ...]) -> Bind:
    """Build a record whose every member is one member of something: by far the commonest shape of inputs."""
    if len(members) == 1:
        ((key, slot, member),) = members
        return lambda values: {key: values[slot][member]}
    if len(members) == 2:
        (key, slot, member), (other, place, part) = members
        return lambda values: {key: values[slot][member], other: values[place][part]}
    return lambda values: {key: values[slot][member] for key, slot, member in members}


def _is_member(item: Template) -> bool:
    """Tell whether a template is one member of something: the commonest reference."""
    return bool(item[0] == "ref" and len(item[2]) == 1 and type(item[2][0]) is str)


def _first(alternatives: Sequence[Template], size: int) -> Bind:
    *before, last = (link(item, size) for item in alternatives)
    if all(map(_is_member, alternatives[:-1])):
        return _first_member(tuple((slot_of(item[1], size), item[2][0]) for item in alternatives[:-1]), last)

    def first(values: Values) -> Any:
        for alternative in before:
            try:
                return alternative(values)
            except ABSENT:
                continue
        return last(values)

    return first


def _merged(records: tuple[Bind, ...]) -> Bind:
    """Lay records over one another; the compiler proved that they are records."""

    def merged(values: Values) -> Any:
        made: dict[str, Any] = {}
        for record in records:
            part = record(values)
            if hasattr(part, "withheld"):  # What is not at hand has no members that are.
                return part
            made.update(part)
        return made

    return merged


def _first_member(members: tuple[tuple[int, Any], ...], last: Bind) -> Bind:
    """Take the first of several members that is there, by looking: an exception would cost ten times as much."""

    def first(values: Values) -> Any:
        for slot, member in members:
            found = values[slot]
            if type(found) is dict and member in found:
                return found[member]
        return last(values)

    return first


def missing(template: Template, values: Values, scopes: Scopes) -> str | None:
    """Return the first reference of a template that leads to nothing, as a path, or None when all are there.

    `scopes` are what each node's output is called in paths, and what an EACH calls its item. Of a `$first` that has no
    present alternative the last one is named.
    """
    kind = template[0]
    if kind == "ref":
        try:
            found = _whole(values, slot_of(template[1], len(scopes)))
            follow(found, template[2])
        except ABSENT:
            return path_text(template[1], template[2], scopes)
        return None
    if kind == "first":
        absent = [missing(item, values, scopes) for item in template[1]]
        return None if None in absent else absent[-1]
    if kind in ("lit", "optional", "secret"):
        return None
    parts = template[1].values() if kind == "map" else template[1]
    return next((found for item in parts if (found := missing(item, values, scopes))), None)


def path_text(scope: str | int, segments: Segments, scopes: Scopes) -> str:
    """Write a reference as its author did: `$.payload.a`, `$.nodes.x.items[0]`, `$.each.one`."""
    if isinstance(scope, str):
        start = f"$.{scope}"
    else:
        start, item = scopes[scope]
        if item is not None and segments and segments[0] == item:
            start = "$.each"
    return start + "".join(_segment(part) for part in segments)


def _segment(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", part):
        return f".{part}"
    return "['" + part.replace("\\", "\\\\").replace("'", "\\'") + "']"


def names_secret(template: Template) -> bool:
    """Tell whether a template names a secret anywhere."""
    kind = template[0]
    if kind == "optional":
        return names_secret(template[1])
    if kind in ("map", "list"):
        return any(map(names_secret, template[1].values() if kind == "map" else template[1]))
    return bool(kind == "secret")


def may_share(template: Template, schemas: Mapping[str | int, Sequence[Mapping[str, Any]]]) -> bool:
    """Tell whether a built value may hold a list or record that the run also holds elsewhere.

    `schemas` gives for each scope the schemas that its value has; a scope that is not there may hold anything.
    """
    kind = template[0]
    if kind in ("lit", "secret"):
        return False
    if kind == "ref":
        known = schemas.get(template[1])
        return known is None or any(_may_hold(schema, template[2]) for schema in known)
    if kind == "optional":
        return may_share(template[1], schemas)
    parts = template[1].values() if kind == "map" else template[1]
    return any(may_share(item, schemas) for item in parts)


def _may_hold(schema: Mapping[str, Any], segments: Segments) -> bool:
    for part in segments:
        below = schema.get("properties", {}).get(part) if isinstance(part, str) else schema.get("items")
        if below is None:
            # A closed record that has no such member gives nothing; whatever else is unknown may be anything.
            return not (isinstance(part, str) and schema.get("additionalProperties") is False)
        schema = below
    return any(name in ("array", "object") for name in types_of(dict(schema)))
