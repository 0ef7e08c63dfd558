"""Invariants and their points, read out of documents whose shape has been checked."""

from __future__ import annotations

from .declarations import Course, Invariant, Name, Point, Scope
from .language.laws import KINDS_OF_POINT
from .reading import items_at, name_at, named, names_at, text_at, value_at
from .tree import Mapping, Scalar, Tree

START = "start"
EXIT = "exit"


def invariant(tree: Mapping, domain: str) -> Invariant:
    """Read an invariant: where nothing else stands, its courses lead from `start` to `exit`."""
    law, name = tree.get("every_path"), name_at(tree, "invariant")
    # Of a single course what is found is said where the law begins.
    courses = [(law, name.span)] if isinstance(law, Mapping) else [(at, at.span) for at in items_at(tree, "every_path")]
    return Invariant(
        name,
        domain,
        text_at(tree, "summary"),
        _scope(tree) or Scope(None, None, ()),
        tuple(
            Course(
                _point(course.get("from"), START, course),
                _point(course.get("passes"), EXIT, course),
                _point(course.get("before"), EXIT, course),
                _scope(course),
                span,
            )
            for course, span in courses
            if isinstance(course, Mapping)
        ),
        value_at(tree, "never") is True,
        value_at(tree, "exits") == "all",
        tree.span,
    )


def _scope(tree: Mapping) -> Scope | None:
    """Read which workflows are meant; None where nothing is said."""
    found = tree.get("applies_to")
    if found is None:
        return None
    if not isinstance(found, Mapping):
        return Scope(None, None, ())
    workflows = names_at(found, "workflows") if found.entry("workflows") else None
    return Scope(workflows, _some(found, "uses") or None, names_at(found, "except"))


def _point(tree: Tree | None, default: str, law: Mapping) -> Point:
    """Read a point: one of its words, or a mapping that names something and narrows it."""
    if not isinstance(tree, Mapping):
        name = named(tree) if tree is not None else Name(default, law.span)
        return Point(name.text, (name,), (), (), (), (), None, name.span)
    kind = next(key for key in KINDS_OF_POINT if tree.entry(key))
    evidence = value_at(tree, "evidence")
    return Point(
        kind,
        _some(tree, kind),
        _some(tree, "outcome"),
        _some(tree, "except"),
        _some(tree, "store"),
        _some(tree, "event"),
        evidence if isinstance(evidence, bool) else None,
        tree.span,
    )


def _some(tree: Mapping, key: str) -> tuple[Name, ...]:
    """Return the names under a key: of a list, or the one that stands there."""
    found = tree.get(key)
    return (named(found),) if isinstance(found, Scalar) else names_at(tree, key)
