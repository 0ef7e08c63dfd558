"""Who uses what: the links of a snapshot, found once and asked from both ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omnibachi_model.sealed import CALL

SECTIONS = {
    "workflows": "Workflows", "contracts": "Contracts", "transforms": "Transforms", "effects": "Side effects",
    "stores": "Stores", "intents": "Intents", "events": "Events", "laws": "Laws",
    "policies": "Policies",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What a site is made from: the parsed files of a verified snapshot, by name or address, and its seal.

    `reached` are the scenarios, each {name, file, line, ok, places: [[workflow, node, what], ...]}, where `what` is
    empty for the node itself, an outcome's name, or `row N`; None where nobody could play them.
    `pictures` are the workflows that have one.
    """

    seal: str
    manifest: dict[str, Any]
    domains: dict[str, Any]
    workflows: dict[str, Any]
    origins: dict[str, Any]
    reached: list[dict[str, Any]] | None = None
    pictures: frozenset[str] = frozenset()


@dataclass(slots=True)
class Relations:
    """Links from the used to its users: for each address, (workflow, node) of the nodes that name it."""

    nodes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    admits: dict[str, list[str]] = field(default_factory=dict)
    governs: dict[str, list[str]] = field(default_factory=dict)
    binds: dict[str, list[str]] = field(default_factory=dict)
    inlined: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    scenarios: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)

    def of_section(self, address: str) -> str:
        """Return the section that an address stands in, empty for none."""
        return next((name for name, entries in self.sections.items() if address in entries), "")


def relations(told: Told) -> Relations:
    """Find all links of a snapshot."""
    found = Relations()
    held = {
        section: {
            address: entry for _, domain in sorted(told.domains.items())
            for address, entry in sorted(domain.get(section, {}).items())
        }
        for section in ("contracts", "transforms", "operations", "stores", "intents", "events", "laws", "policies")
    }  # fmt: skip
    effects: dict[str, dict[str, Any]] = {}
    for address, entry in held.pop("operations").items():
        whole, _, operation = address.rpartition(".")
        effects.setdefault(whole, {})[operation] = entry
    every = {"workflows": dict(sorted(told.workflows.items())), **held, "effects": effects}
    found.sections = {name: every[name] for name in SECTIONS}
    for address, workflow in sorted(told.workflows.items()):
        found.admits.setdefault(workflow["intent"], []).append(address)
        ways = [way for entry in told.origins[address]["nodes"].values() for way in entry.get("via", ())]
        for use, node in sorted({(way.get("use", ""), way["node"]) for way in ways}):
            found.inlined.setdefault(use, []).append((address, node))
        for law in sorted(workflow.get("laws", {})):
            found.binds.setdefault(law, []).append(address)
        for node in workflow["nodes"]:
            if node["kind"] == CALL:
                for name in (node["use"], node["store"], node["event"]):
                    if name is not None:
                        found.nodes.setdefault(name, []).append((address, node["name"]))
    for address, store in held["stores"].items():
        found.governs.setdefault(str(store.get("governed_by")), []).append(address)
    for number, scenario in enumerate(told.reached or ()):
        for place in scenario["places"]:
            found.scenarios.setdefault((place[0], place[1], place[2]), []).append(number)
    return found
