"""Which nodes, outcomes and decision rows of sealed workflows did scenarios reach.

`FAULT` is not counted, and exits are not: each is reached by an outcome. What was reached by forced answers alone
counts and is listed, since nothing shows that the capability ever gives that answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibachi_model.record import CALLED, COMPUTED, DECIDED
from omnibachi_model.sealed import DECIDE, EXIT, FAULT

Place = tuple[str, str, str]  # workflow, node, and "" for the node itself, an outcome's name, or `row N` (from 1)


@dataclass(slots=True)
class Coverage:
    """What there is to reach, by kind, and what was reached really and by force."""

    nodes: set[Place] = field(default_factory=set)
    outcomes: set[Place] = field(default_factory=set)
    rows: set[Place] = field(default_factory=set)
    reached: set[Place] = field(default_factory=set)
    forced: set[Place] = field(default_factory=set)

    def expect(self, workflow: Mapping[str, Any]) -> None:
        """Add what a sealed workflow offers."""
        address = workflow["address"]
        for node in workflow["nodes"]:
            if node["kind"] == EXIT:
                continue
            name = node["name"]
            self.nodes.add((address, name, ""))
            self.outcomes |= {(address, name, outcome) for outcome in node["next"] if outcome != FAULT}
            if node["kind"] == DECIDE:
                self.rows |= {(address, name, f"row {number}") for number, _ in enumerate(node["rows"], 1)}

    def visit(self, address: str, bodies: Iterable[Mapping[str, Any]], forced: Iterable[str]) -> None:
        """Add what one run's events reached; `forced` are the nodes whose answers were."""
        for body in bodies:
            if body["kind"] not in (CALLED, DECIDED, COMPUTED):
                continue
            name = body["path"]
            places = {(address, name, ""), (address, name, body["outcome"])}
            if body["kind"] == DECIDED and body["row"] is not None:
                places.add((address, name, f"row {body['row'] + 1}"))
            if name in forced:
                self.reached.add((address, name, ""))
                self.forced |= places
            else:
                self.reached |= places

    def missed(self) -> list[Place]:
        """Return what nothing reached: a node that was not reached stands for its outcomes and rows."""
        there = self.reached | self.forced
        nodes = self.nodes - there
        within = {place for place in (self.outcomes | self.rows) - there if (place[0], place[1], "") not in nodes}
        return sorted(nodes | within)

    def as_json(self) -> dict[str, Any]:
        """Return {nodes, outcomes, rows: [reached, of], missed, forced}."""
        there = self.reached | self.forced
        return {
            **{
                name: [len(places & there), len(places)]
                for name, places in (("nodes", self.nodes), ("outcomes", self.outcomes), ("rows", self.rows))
            },
            "missed": [_named(place) for place in self.missed()],
            "forced": [_named(place) for place in sorted((self.outcomes | self.rows) & (self.forced - self.reached))],
        }


def _named(place: Place) -> dict[str, str | int]:
    workflow, node, what = place
    named: dict[str, str | int] = {"workflow": workflow, "node": node}
    if what.startswith("row "):
        named["row"] = int(what[4:])
    elif what:
        named["outcome"] = what
    return named


def worded(place: Mapping[str, str | int]) -> str:
    """Write a place that was missed or forced for people."""
    what = f" row {place['row']}" if "row" in place else f" {place['outcome']}" if "outcome" in place else ""
    return f"{place['workflow']}: {place['node']}{what}"
