"""Policies: what gates a pack puts before ALLOW, judged and sealed; the grammar has seen to facts and types of values.

A pack is sealed as `{"policy": ADDRESS, "version": N, "gates": [GATE, …], "allow": REASON}`, with the conditions of
`when` as sealed expressions (docs/formats.md). Its own address is in it, so that its digest is of no other pack.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.packs import CLAIMED, FACTS, GATES, SWITCH, TEXT, WHOLE, is_reserved
from omnibachi_model.values import admit

from .declarations import Name, Policy
from .infer import check_condition
from .library import Library
from .phase import Phase
from .reading import name_at
from .tree import Mapping, Sequence, Tree, plain

Json = dict[str, Any]

MOST_LEVELS = 40  # of a sealed pack, which stands some levels down in a payload of 64
GIVER = "the whitelist of facts"


def _types() -> dict[str, Json]:
    """Return the facts as expressions see them: by name, those that are claimed as members of one record."""
    of_kind: dict[str, Json] = {TEXT: {"type": "string"}, WHOLE: {"type": "integer"}, SWITCH: {"type": "boolean"}}
    listed = {"type": "array", "items": {"type": "string"}}
    types = {fact: of_kind.get(kind, listed) for fact, kind in FACTS.items()}
    claims = {fact.partition(".")[2]: types.pop(fact) for fact in FACTS if fact.startswith(f"{CLAIMED}.")}
    return {**types, CLAIMED: {"type": "object", "properties": claims, "additionalProperties": False}}


TYPES = _types()


def seal_policies(library: Library) -> Phase[dict[str, Json]]:
    """Judge all policies and return them as sealed, by address (OB840 to OB842, and what expressions may break)."""
    found: list[Diagnostic] = []
    return Phase({address: _pack(address, item, found) for address, item in library.policies.items()}, tuple(found))


def _pack(address: str, item: Policy, found: list[Diagnostic]) -> Json:
    gates = item.tree.get("gates")
    pack = {
        "policy": address,
        "version": int(address.rpartition("_V")[2]),
        "gates": [_gate(gate, found) for gate in (gates.items if isinstance(gates, Sequence) else ())],
        "allow": _reason(item.tree, "allow", found),
    }
    levels = _levels(pack)
    if levels > MOST_LEVELS:
        message = f"`{item.name.text}` is nested {levels} levels deep; at most {MOST_LEVELS} may be"
        help = "write several gates, or a shorter condition"
        found.append(Diagnostic("OB842", message, item.name.span, help=help))
    return pack


def _gate(tree: Tree, found: list[Diagnostic]) -> Json:
    entry = next((item for item in tree if item.key in GATES), None) if isinstance(tree, Mapping) else None
    if entry is None or not isinstance(tree, Mapping):
        return {}
    content: Any = admit(plain(entry.value))
    if entry.key == "when":
        condition = check_condition(Name(str(content), entry.value.span), TYPES, GIVER)
        found.extend(condition.diagnostics)
        content = condition.value.sealed if condition.value else None
    elif entry.key == "not":
        content = _gate(entry.value, found)
    elif entry.key == "any_of" and isinstance(entry.value, Sequence):
        content = [_gate(item, found) for item in entry.value.items]
    elif entry.key == "bound" and isinstance(entry.value, Mapping):
        _bounds(entry.value, content, found)
    because = {"because": _reason(tree, "because", found)} if tree.entry("because") else {}
    return {entry.key: content, **because}


def _bounds(tree: Mapping, content: Json, found: list[Diagnostic]) -> None:
    for entry in tree:
        bound = content[entry.key]
        if bound.get("min", 0) > bound.get("max", bound.get("min", 0)):
            message = f"no number is at least {bound['min']} and at most {bound['max']}, so this gate never holds"
            help = "exchange the two, or write `deny: true` where everything is denied"
            found.append(Diagnostic("OB840", message, entry.value.span, help=help))


def _reason(tree: Mapping, key: str, found: list[Diagnostic]) -> str:
    name = name_at(tree, key)
    if is_reserved(name.text):
        message = f"`{name.text}` is a reason that the boundary itself gives"
        found.append(Diagnostic("OB841", message, name.span, help="give a reason of the policy's own"))
    return name.text


def _levels(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_levels, value.values() if isinstance(value, dict) else value), default=0)
