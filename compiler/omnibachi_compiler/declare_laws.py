"""Invariants and their points, read out of documents whose shape has been checked."""

from __future__ import annotations

from .declarations import Invariant, Name, Point
from .language.laws import KINDS_OF_POINT
from .reading import mapping_at, name_at, named, names_at, optional, required_at, text_at, value_at
from .tree import Mapping, Tree

START = "start"
EXIT = "exit"


def invariant(tree: Mapping, domain: str) -> Invariant:
    """Read an invariant: where nothing else stands, from `start`, before `exit`."""
    law = required_at(tree, "every_path")
    bound = mapping_at(tree, "applies_to")
    return Invariant(
        name_at(tree, "invariant"),
        domain,
        text_at(tree, "summary"),
        names_at(bound, "workflows") if bound is not None and bound.entry("workflows") else None,
        optional(bound, "uses") if bound is not None else None,
        _point(law.get("from"), START, law),
        _point(law.get("passes"), EXIT, law),
        _point(law.get("before"), EXIT, law),
        value_at(tree, "never") is True,
        value_at(tree, "exits") == "all",
        tree.span,
    )


def _point(tree: Tree | None, default: str, law: Mapping) -> Point:
    """Read a point: one of its words, or a mapping that names one thing and narrows it."""
    if not isinstance(tree, Mapping):
        name = named(tree) if tree is not None else Name(default, law.span)
        return Point(name.text, name, None, None, None, None, name.span)
    kind = next(key for key in KINDS_OF_POINT if tree.entry(key))
    evidence = value_at(tree, "evidence")
    return Point(
        kind,
        name_at(tree, kind),
        optional(tree, "outcome"),
        optional(tree, "store"),
        optional(tree, "event"),
        evidence if isinstance(evidence, bool) else None,
        tree.span,
    )
