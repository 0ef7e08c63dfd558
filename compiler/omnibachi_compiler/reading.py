"""Parts of documents whose shape has been checked; what the schema allows to be absent gives None or nothing."""

from __future__ import annotations

from collections.abc import Iterator

from .declarations import Field, Name
from .tree import Entry, Mapping, Scalar, Sequence, Tree


def key_of(entry: Entry) -> Name:
    """Return the key of an entry as a name."""
    return Name(entry.key, entry.key_span)


def named(tree: Tree) -> Name:
    """Return a scalar as a name."""
    return Name(str(tree.value) if isinstance(tree, Scalar) else "", tree.span)


def name_at(tree: Mapping, key: str) -> Name:
    """Return a name that must be there."""
    return optional(tree, key) or Name("", tree.span)


def optional(tree: Mapping, key: str) -> Name | None:
    """Return the name under a key, or None."""
    found = tree.get(key)
    return None if found is None else named(found)


def names_at(tree: Mapping, key: str) -> tuple[Name, ...]:
    """Return the names of a list."""
    return tuple(named(item) for item in items_at(tree, key))


def value_at(tree: Mapping, key: str) -> object:
    """Return the scalar under a key, or None."""
    found = tree.get(key)
    return found.value if isinstance(found, Scalar) else None


def text_at(tree: Mapping, key: str) -> str:
    """Return the text under a key, or an empty one."""
    found = value_at(tree, key)
    return found if isinstance(found, str) else ""


def mapping_at(tree: Mapping, key: str) -> Mapping | None:
    """Return the mapping under a key, or None."""
    found = tree.get(key)
    return found if isinstance(found, Mapping) else None


def required_at(tree: Mapping, key: str) -> Mapping:
    """Return the mapping under a key, or an empty one."""
    return mapping_at(tree, key) or Mapping((), tree.span)


def body_of(entry: Entry) -> Mapping:
    """Return the mapping of an entry, or an empty one."""
    return entry.value if isinstance(entry.value, Mapping) else Mapping((), entry.value.span)


def entries_at(tree: Mapping, key: str) -> Iterator[Entry]:
    """Yield the entries of the mapping under a key."""
    return iter(mapping_at(tree, key) or ())


def items_at(tree: Mapping, key: str) -> tuple[Tree, ...]:
    """Return the items of the list under a key."""
    found = tree.get(key)
    return found.items if isinstance(found, Sequence) else ()


def fields_at(tree: Mapping, key: str) -> tuple[Field, ...]:
    """Return the fields that a mapping under a key lists."""
    fields = mapping_at(tree, key)
    return fields_of(fields) if fields is not None else ()


def fields_of(tree: Mapping) -> tuple[Field, ...]:
    """Return the fields that a mapping lists."""
    return tuple(Field(key_of(entry), body_of(entry)) for entry in tree)
