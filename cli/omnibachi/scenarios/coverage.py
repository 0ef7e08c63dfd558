"""Which nodes, outcomes, decision rows, exits and laws of sealed workflows did scenarios reach.

Counted is the flat sealed graph: nodes of inlined contracts and workflows (`license/read`), bodies of loops
(`mint_all[]/read`, once for all iterations), and loops with the outcomes that they can have. Silent nodes are not
counted, nor is the outcome `FAULT`. A law is reached by a run on which it says something (`laws`). What was reached by
forced answers alone counts and is listed, since nothing shows that the capability ever gives that answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omnibachi_model.sealed import DECIDE, EXIT, FAULT

from .laws import Law, says_something
from .tours import Stop, visible

# Workflow; node, exit or law; and what of it: "" for the node itself, an outcome, `row N` (from 1), EXITED, HELD.
Place = tuple[str, str, str]
EXITED = "exit"
HELD = "law"


@dataclass(slots=True)
class Coverage:
    """What there is to reach, by kind, and what was reached really and by force."""

    nodes: set[Place] = field(default_factory=set)
    outcomes: set[Place] = field(default_factory=set)
    rows: set[Place] = field(default_factory=set)
    exits: set[Place] = field(default_factory=set)
    laws: set[Place] = field(default_factory=set)
    told: set[Place] = field(default_factory=set)  # exits that an outcome leads to, which is missed with them
    reached: set[Place] = field(default_factory=set)
    forced: set[Place] = field(default_factory=set)

    def expect(self, workflow: Mapping[str, Any], laws: Collection[str] = ()) -> None:
        """Add what a sealed workflow offers; `laws` are the addresses of those that bind it."""
        address = workflow["address"]
        nodes = workflow["nodes"]
        self.laws |= {(address, law, HELD) for law in laws}
        for node in nodes:
            name = node["name"]
            ordinary = [nodes[target] for outcome, target in node["next"].items() if outcome != FAULT]
            self.told |= {(address, target["name"], EXITED) for target in ordinary if target["kind"] == EXIT}
            if node["kind"] == EXIT:
                self.exits.add((address, name, EXITED))
            if not visible(node):
                continue
            self.nodes.add((address, name, ""))
            self.outcomes |= {(address, name, outcome) for outcome in node["next"] if outcome != FAULT}
            if node["kind"] == DECIDE:
                self.rows |= {(address, name, f"row {number}") for number, _ in enumerate(node["rows"], 1)}

    def visit(
        self,
        workflow: Mapping[str, Any],
        stops: Sequence[Stop],
        exit: str,
        forced: Collection[str] = (),
        laws: Mapping[str, Law] | None = None,
    ) -> None:
        """Add what one run reached: its tour and its exit; `forced` are the nodes whose answers were."""
        real, by_force = places_of(workflow, stops, exit, forced)
        self.reached |= real
        self.forced |= by_force
        address = workflow["address"]
        self.reached |= {
            (address, name, HELD) for name, law in (laws or {}).items() if says_something(law, workflow, stops)
        }

    def missed(self) -> list[Place]:
        """Return what nothing reached; an outcome stands for the exit that it leads to."""
        there = self.reached | self.forced
        counted = self.nodes | self.outcomes | self.rows | (self.exits - self.told) | self.laws
        return sorted(counted - there)

    def as_json(self) -> dict[str, Any]:
        """Return {nodes, outcomes, rows, exits, laws: [reached, of], forced}."""
        there = self.reached | self.forced
        return {
            **{
                name: [len(places & there), len(places)]
                for name, places in (
                    ("nodes", self.nodes),
                    ("outcomes", self.outcomes),
                    ("rows", self.rows),
                    ("exits", self.exits),
                    ("laws", self.laws),
                )
            },
            "forced": [named(place) for place in sorted((self.outcomes | self.rows) & (self.forced - self.reached))],
        }


def places_of(
    workflow: Mapping[str, Any], stops: Sequence[Stop], exit: str, forced: Collection[str] = ()
) -> tuple[set[Place], set[Place]]:
    """Return what a tour reached really, and what by force: a forced answer marks what it gave, not the node."""
    address = workflow["address"]
    real: set[Place] = {(address, exit, EXITED)}
    by_force: set[Place] = set()
    for stop in stops:
        node = workflow["nodes"][stop.at]
        if not visible(node):
            continue
        name = node["name"]
        real.add((address, name, ""))
        path = stop.event["path"] if stop.event is not None else name
        found = by_force if name in forced or path in forced else real
        if stop.left_by:
            found.add((address, name, stop.left_by))
        if stop.event is not None and stop.event.get("row") is not None:
            found.add((address, name, f"row {stop.event['row'] + 1}"))
    return real, by_force


def named(place: Place) -> dict[str, Any]:
    """Return a place as JSON: {workflow, node, outcome or row}, {workflow, exit} or {workflow, law}."""
    workflow, name, what = place
    if what in (EXITED, HELD):
        return {"workflow": workflow, what: name}
    found: dict[str, Any] = {"workflow": workflow, "node": name}
    if what.startswith("row "):
        found["row"] = int(what[4:])
    elif what:
        found["outcome"] = what
    return found


def worded(place: Mapping[str, Any]) -> str:
    """Write a place that was missed or forced for people."""
    return f"{place['workflow']}: {part_worded(place)}"


def part_worded(place: Mapping[str, Any]) -> str:
    """Write what of its workflow a place is: `read NOT_FOUND`, `within row 2`, `exit refused`, `law …`."""
    for kind in (EXITED, HELD):
        if kind in place:
            return f"{kind} {place[kind]}"
    what = f" row {place['row']}" if "row" in place else f" {place['outcome']}" if "outcome" in place else ""
    return f"{place['node']}{what}"


def gathered(missed: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Leave out the outcomes and rows of nodes that were missed themselves: people need not read them too."""
    nodes = {
        (item["workflow"], item["node"]) for item in missed if item.keys() & {"node", "outcome", "row"} == {"node"}
    }
    return [
        item for item in missed if not item.keys() & {"outcome", "row"} or (item["workflow"], item["node"]) not in nodes
    ]
