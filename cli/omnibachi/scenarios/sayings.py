"""Which declaration says what a mutant changes: the same contract or workflow is sealed into each that uses it.

A mutant is of a declaration, not of a copy of it. Its places are all sealed nodes that came of the same lines; it is
killed when a scenario of any workflow that has such a place notices. What a workflow says is mutated where it is sealed
by itself; where others use it, the same mutants only have more places.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from omnibachi_model.diagnostics import Span
from omnibachi_model.sealed import at_gate

from .mutants import Mutant
from .visits import GATE

_DOUBTED = re.compile(r"`(\w+)` may not fit(?:: (.*))?")  # without bounds: any of them


class Saying(NamedTuple):
    """What of the sources a mutant changes: a key that is the same at all its places, and the workflow that is used
    there, or None where the sealed workflow or one of its contracts says it."""

    key: tuple[Any, ...]
    used: str | None


def saying_of(mutant: Mutant, address: str, origins: Mapping[str, Any], workflows: Collection[str]) -> Saying:
    """Return which declaration says what a mutant of the sealed workflow `address` changes.

    `workflows` are the addresses of all that are sealed by themselves.
    """
    if mutant.at == GATE:
        return Saying((address, mutant.word), None)
    name = mutant.node
    told = _told(name, origins)
    if told is None:
        return Saying((address, name, mutant.kind, mutant.place, mutant.word or mutant.change), None)
    uses = [step["use"] for step in told.get("via", ())]
    used = next((use for use in uses if use in workflows), None)
    if mutant.kind == "check":
        use = _use_of(name, origins)
        if use is not None:
            return Saying((use, mutant.word), use if use in workflows else used)
    within, _, own = name.rpartition("/")
    word = mutant.word or (mutant.change.replace(f"{within}/", "") if within else mutant.change)
    return Saying((_file(told, origins), *told["span"], own, mutant.kind, mutant.place, word), used)


def is_proven(mutant: Mutant, node: Mapping[str, Any], origins: Mapping[str, Any]) -> bool:
    """Tell whether a bound that is gone is one that the compiler has shown to hold of the sealed node's inputs.

    Inputs are checked when called where one of them may not fit; it says which, and which of its bounds (`checked` of
    the origins). That those are given which are asked for, and no others, it always shows.
    """
    if mutant.kind != "check" or mutant.at == GATE or node["with"][0] != "map":
        return False
    name, _, inside = mutant.place[1][1:].partition("/")
    keyword = mutant.word.split("`")[1]
    if not name or (keyword == "required" and not inside):
        return True
    reasons = [place["reason"] for place in origins.get("checked", ()) if place["node"] == node["name"]]
    doubted = [_DOUBTED.fullmatch(reason) for reason in reasons]
    if not all(doubted):
        return False
    bound = f"`{keyword}`" + (f" at `/{inside}`" if inside else "")
    return not any(found and found[1] == name and bound in (found[2] or bound).split(", ") for found in doubted)


def span_of(mutant: Mutant, origins: Mapping[str, Any]) -> Span | None:
    """Return where what was changed was declared."""
    if mutant.at == GATE:
        gate = at_gate(origins, mutant.place[1])
        return Span(gate[0], *gate[1]) if gate is not None and gate[0] and gate[1] else None
    told = _told(mutant.node, origins)
    if told is None:
        return None
    what, which = mutant.place
    spans: Any = told.get(what)
    place = told["span"]
    if what in ("next", "fields") and isinstance(spans, dict):
        place = spans.get(which) or place
    elif what == "rows" and isinstance(spans, list) and which < len(spans):
        place = spans[which] or place
    file = _file(told, origins)
    return Span(file, *place) if file else None


def _told(name: str, origins: Mapping[str, Any]) -> Any:
    return origins.get("nodes", {}).get(name) or origins.get("exits", {}).get(name)


def _file(told: Mapping[str, Any], origins: Mapping[str, Any]) -> Any:
    return told.get("file") or origins.get("file")


def _use_of(name: str, origins: Mapping[str, Any]) -> str | None:
    """Return the contract or workflow that a node uses, where it is inlined."""
    inside = (step for told in origins.get("nodes", {}).values() for step in told.get("via", ()))
    return next((step["use"] for step in inside if step["node"] == name), None)
