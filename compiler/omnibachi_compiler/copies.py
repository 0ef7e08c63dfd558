"""How often what a run builds may hold the same values: a bound on how far templates make data grow.

A template that reads a value twice holds it twice, and one that reads what that one built, four times: a few lines
would make more than any record can hold. So copies are counted on the sealed nodes, once each in the order of their
indices. What comes from outside (a payload, a capability's output, what a computation gives) is one value, and so is
each part of it, for its size is checked when it comes; likewise what an EACH or ALL gives. What a template builds holds
the sum of what it reads, and a reading that goes on into it, what stands there.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any, TypeAlias

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.sealed import ALL, CALL, COMPUTE, DECIDE, EACH, END, EXIT, PASS, REPEAT, WAIT
from omnibachi_model.ways import holders

Json = dict[str, Any]
Built: TypeAlias = "tuple[int, dict[Any, Built] | None]"  # how many values, and which members, where they are known
Slots = Mapping[Any, Built]
MOST_COPIES = 10_000
ONE: Built = (1, None)
_BUILT = {CALL: "with", WAIT: "with", PASS: "with", EACH: "items", END: "output", EXIT: "result"}
_OUTSIDE = (CALL, WAIT, DECIDE, COMPUTE, EACH, ALL)


def check_copies(workflow: Json, name: Span) -> list[Diagnostic]:
    """Report the first node of a sealed workflow that may build too many copies of values (OB545, at `name`)."""
    slots: dict[Any, Built] = {}
    items: dict[Any, Built] = {}  # the slot of an EACH while it goes on
    nodes = workflow["nodes"]
    for index, node in enumerate(nodes):
        around = holders(nodes, index)
        known: Slots = ChainMap({loop: items[loop] for loop in around if loop in items}, slots) if around else slots
        built = _of_node(node, known)
        if built[0] > MOST_COPIES:
            message = (
                f"what `{node['name']}` builds may hold more than {MOST_COPIES} copies of the values that it reads"
            )
            advice = "hand a value on once, and let who needs it read it there"
            return [Diagnostic("OB545", message, name, help=advice)]
        slots[index] = ONE if node["kind"] in _OUTSIDE else built
        if node["kind"] == EACH:
            items[index] = (built[0], None)
        elif node["kind"] == END and nodes[node["of"]]["kind"] == REPEAT:
            loop = node["of"]
            slots[loop] = built if slots.get(loop, ONE) is ONE else _largest([slots[loop], built])
        elif node["kind"] == REPEAT:
            slots[index] = ONE
    return []


def _of_node(node: Json, slots: Slots) -> Built:
    """Return what a node builds."""
    if node["kind"] in (DECIDE, COMPUTE):
        return _made({key: _of(template, slots) for key, template in node["with"].items()})
    key = _BUILT.get(node["kind"])
    return _of(node[key], slots) if key else ONE


def _of(template: list[Any], slots: Slots) -> Built:
    """Return what a template may give."""
    kind, content = template[0], template[1]
    if kind == "ref":
        return _inside(slots.get(content, ONE), template[2])
    if kind == "map":
        return _made({key: _of(part, slots) for key, part in content.items()})
    if kind == "list":
        return _made({key: _of(part, slots) for key, part in enumerate(content)})
    if kind == "first":
        return _largest([_of(part, slots) for part in content])
    if kind == "merge":
        return _merged([_of(part, slots) for part in content])
    return _of(content, slots) if kind == "optional" else ONE


def _made(members: dict[Any, Built]) -> Built:
    return (max(1, sum(count for count, _ in members.values())), members)


def _inside(built: Built, segments: list[Any]) -> Built:
    """Follow a path into what was built; what is not known there holds no more than all of it."""
    for segment in segments:
        members = built[1]
        if members is None:
            return built
        wanted = len(members) + segment if isinstance(segment, int) and segment < 0 else segment
        built = members.get(wanted, ONE)
    return built


def _largest(several: list[Built]) -> Built:
    """Return what one of several holds at most; its members are known where there is only one."""
    first = several[0]
    return first if all(item is first for item in several) else (max(count for count, _ in several), None)


def _merged(records: list[Built]) -> Built:
    members: dict[Any, Built] = {}
    for _, inner in records:
        if inner is None:
            return (sum(count for count, _ in records), None)
        members |= inner
    return _made(members)
