"""Words of the shape check for keys of a node that need others beside them: those of loops and waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.nearest import nearest

from .language.nodes import ACTIONS
from .shape_places import Place
from .tree import Mapping

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def lonely(place: Place, error: ValidationError) -> Iterator[Diagnostic]:
    """Report keys of a node that need others: `each` and `repeat` a call, `as` and `max` a loop, `wait` a `with`."""
    assert isinstance(place.tree, Mapping)
    wanted: Any = error.validator_value
    properties: Any = error.schema["properties"]  # type: ignore[index]
    acts = [entry.key for entry in place.tree if entry.key in ACTIONS]
    for entry in place.tree:
        for key in wanted.get(entry.key, ()):
            if place.tree.entry(key) or (entry.key in ("each", "repeat") and acts and "use" not in acts):
                continue  # another action beside a loop is reported as that
            if any(nearest(other.key, [key]) for other in place.tree if other.key not in properties):
                continue
            if key == "each":
                message = f"`{entry.key}` belongs to `each`, and this node has none"
                inside = entry.key == "max" and place.tree.entry("repeat") is not None
                advice = "write it inside `repeat`" if inside else "add `each:`, a list or a path to one"
                yield Diagnostic("OB221", message, entry.key_span, help=advice)
            else:
                advice = f"add `{key}:`, {properties[key]['title']}"
                yield Diagnostic("OB203", f"a node with `{entry.key}` needs `{key}`", entry.key_span, help=advice)


def homeless(place: Place) -> Iterator[Diagnostic]:
    """Report `good` in a node that has no results to judge; in one with two actions that is said already."""
    assert isinstance(place.tree, Mapping)
    entry = place.tree.entry("good")
    if entry is not None and not (place.tree.entry("each") or place.tree.entry("all")):
        message = "`good` belongs to `each` and `all`, and this node has neither"
        yield Diagnostic("OB221", message, entry.key_span, help="route the outcomes of the node in its `next`")
