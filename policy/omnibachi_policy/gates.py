"""Gates: does one hold for some facts? True, false, or None where it cannot be told.

A gate that names a fact which is missing, or is of another type than the whitelist says, cannot be told, and `not` of
what cannot be told cannot be told either: so a missing fact fails its gate from both sides. Only `absent` may ask for
what is missing. `any_of` holds where one of its gates does, and cannot be told where none holds and one is untold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibachi_model.checks import same
from omnibachi_model.expressions import names
from omnibachi_model.linked_expressions import ExpressionFault, link
from omnibachi_model.packs import CLAIMED, FACTS, is_of_type

Gate = Mapping[str, Any]
Facts = Mapping[str, Any]


class Unreadable(Exception):
    """A gate that no compiler sealed."""


def kind_of(gate: Gate) -> str:
    """Return which kind of gate it is; raises Unreadable."""
    kinds = [key for key in gate if key != "because"]
    if len(kinds) != 1:
        raise Unreadable
    return kinds[0]


def holds(gate: Gate, facts: Facts) -> bool | None:
    """Tell whether a sealed gate holds, None where that cannot be told; raises Unreadable."""
    kind = kind_of(gate)
    content = gate[kind]
    if kind == "require":
        return True if _told(content, facts) else None
    if kind == "absent":
        return _known(content) not in facts
    if kind == "deny":
        return False
    if kind == "not":
        inner = holds(content, facts)
        return None if inner is None else not inner
    if kind == "any_of":
        return _any(content, facts)
    if kind == "when":
        return _condition(content, facts)
    if kind not in ("match", "one_of", "bound"):
        raise Unreadable
    if not all(_told(fact, facts) for fact in content):
        return None
    return all(_fits(kind, facts[fact], wanted) for fact, wanted in content.items())


def _known(fact: str) -> str:
    if fact not in FACTS:
        raise Unreadable
    return fact


def _told(fact: str, facts: Facts) -> bool:
    return _known(fact) in facts and is_of_type(fact, facts[fact])


def _fits(kind: str, value: Any, wanted: Any) -> bool:
    if kind == "match":
        return same(value, wanted)
    if kind == "one_of":
        return any(same(value, one) for one in wanted)
    return bool(wanted.get("min", value) <= value <= wanted.get("max", value))


def _any(gates: list[Gate], facts: Facts) -> bool | None:
    found = [holds(gate, facts) for gate in gates]
    return True if True in found else None if None in found else False


def _condition(expression: list[Any], facts: Facts) -> bool | None:
    """Answer a `when`: a claim is a member of the record `claimed`, which is there even where nothing is claimed."""
    read = names(expression)
    given: dict[str, Any] = {CLAIMED: {}}
    for fact in FACTS:
        root, _, member = fact.partition(".")
        if fact not in facts or root not in read:
            continue
        if not is_of_type(fact, facts[fact]):
            return None
        if member:
            given[root][member] = facts[fact]
        else:
            given[root] = facts[fact]
    try:
        answer = link(expression)(given)
    except ExpressionFault:
        return None
    return answer if type(answer) is bool else None
