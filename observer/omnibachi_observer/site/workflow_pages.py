"""The page of a workflow: picture, payload, exits, nodes, laws, bounds, checked places, and who covers it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.named_secrets import needed
from omnibachi_model.sealed import CALL, COMPUTE, DECIDE, EXIT, FAULT, PASS, SILENT
from omnibachi_model.ways import onward
from omnibachi_observer.expression_text import template

from .declared_pages import inlined
from .frame import Place, contents, facts, file_of, page, section
from .markup import Child, Html, anchor, code, fragment, joined, listed, table, tag
from .node_facts import given_of, node_facts
from .relations import Relations, Told
from .schema_tables import schema_table

FEW = 3  # crashes that are told one by one
SECTIONS = (
    ("picture", "Picture"), ("payload", "Payload"), ("exits", "Exits"), ("nodes", "Nodes"), ("laws", "Laws and bounds"),
    ("checked", "Checked when run"), ("users", "Part of others"), ("scenarios", "Scenarios"),
)  # fmt: skip


def workflow_page(address: str, told: Told, links: Relations, place: Place) -> bytes:
    """Write the page of one workflow."""
    workflow, origins = told.workflows[address], told.origins[address]
    domain, name = split(address)
    summary = facts([
        ("Address", code(address)),
        ("Declared in", f"{origins['file']}:{origins['span'][0]}"),
        ("Intent", place.link(workflow["intent"])),
        ("Reads of the run", listed_text([f"$.run.{member}" for member in workflow["run"]])),
        ("Needs the secrets", listed_text(list(needed(workflow)))),
        ("Digest", code(told.manifest["workflows"][address]["sha256"])),
        ("Sources", listed_text(origins.get("sources", []))),
    ])  # fmt: skip
    content = (
        tag("h1", name), tag("p", origins["summary"]), summary, contents(SECTIONS),
        section("picture", "Picture", *_picture(address, told)),
        section("payload", "Payload", *_payload(workflow, place)),
        section("exits", "Exits", _exits(workflow, origins)),
        section("nodes", "Nodes", *_nodes(workflow, origins, links, place, told)),
        section("laws", "Laws and bounds", *_laws(workflow, origins, place)),
        section("checked", "Checked when run", _checked(origins)),
        section("users", "Part of others", inlined(address, links, place)),
        section("scenarios", "Scenarios", *_scenarios(address, workflow, told, links)),
    )  # fmt: skip
    way = (tag("a", "Snapshot", href=f"{place.root}index.html"), place.domain(domain), name)
    return page(f"{name} - {domain}", place, way, content, told.seal, script=False)


def listed_text(items: list[str]) -> Html | None:
    """Write texts as a list of code, None where there are none."""
    return joined(*(code(item) for item in items), between=", ") if items else None


def _picture(address: str, told: Told) -> Iterator[Child]:
    if address not in told.pictures:
        yield tag("p", "No picture could be drawn.", class_="soft")
        return
    file = file_of(address).rpartition("/")[2].removesuffix(".html") + ".svg"
    text = f"The graph of {address}: every node, and where its outcomes lead. The nodes are described below."
    yield tag("figure", tag("a", tag("img", src=file, alt=text), href=file))


def _payload(workflow: dict[str, Any], place: Place) -> Iterator[Child]:
    yield tag(
        "p", "What does not fit ", place.link(workflow["intent"]), " ends at the exit ", _exit_link("rejected"),
        ", and no node runs.",
    )  # fmt: skip
    yield schema_table(workflow["payload"], "Members of the payload")


def _exit_link(name: str) -> Html:
    return tag("a", code(name), href=fragment("exit", name))


def target_link(name: str, kind: str) -> Html:
    """Lead to a node or an exit of the same page."""
    return tag("a", code(name), href=fragment("exit" if kind == EXIT else "node", name))


def _exits(workflow: dict[str, Any], origins: dict[str, Any]) -> Html:
    nodes = workflow["nodes"]
    names = [str(node["name"]) for node in nodes]
    leading = _leading(workflow)
    rows: list[list[Child]] = []
    for node in sorted((node for node in nodes if node["kind"] == EXIT), key=lambda node: str(node["name"])):
        result = node["result"]
        members: Child = code(template(result, names))
        if isinstance(result, list) and result[0] == "map":
            made = [tag("code", f"{key}: {template(value, names)}") for key, value in sorted(result[1].items())]
            members = listed(made) if made else "nothing"
        if node["name"] == "rejected" and not leading.get("rejected"):
            members = joined("the violations of the payload: ", code("violations"))
        span = origins["exits"].get(node["name"], {}).get("span")
        rows.append([
            tag("span", code(str(node["name"])), id=anchor("exit", str(node["name"]))),
            tag("span", node["status"], class_=f"status {node['status']}"),
            members,
            _sources(leading.get(str(node["name"]), [])),
            f"line {span[0]}" if span else "",
        ])  # fmt: skip
    return table(("Exit", "Status", "Result", "Reached from", "Declared"), rows, "Exits")


def _sources(ways: list[tuple[str, str]]) -> Html:
    """Name what leads to an exit; where many nodes do by a crash, only how many."""
    crashes = sum(outcome == FAULT for _, outcome in ways)
    told = [joined(target_link(source, ""), f" {outcome}") for source, outcome in ways
            if outcome != FAULT or crashes <= FEW]  # fmt: skip
    if crashes > FEW:
        told.append(joined(f"a crash of any of {crashes} nodes"))
    return joined(*told, between=", ")


def _leading(workflow: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Return, for each name, the visible nodes and outcomes that lead there, silent nodes passed over."""
    nodes = workflow["nodes"]
    found: dict[str, list[tuple[str, str]]] = {}
    for node in nodes:
        if node["kind"] in SILENT or node["kind"] == EXIT:
            continue
        for outcome, index in sorted(node["next"].items()):
            target = onward(nodes, index)
            if target is not None:
                found.setdefault(str(nodes[target]["name"]), []).append((str(node["name"]), outcome))
    return found


def _nodes(
    workflow: dict[str, Any], origins: dict[str, Any], links: Relations, place: Place, told: Told
) -> Iterator[Child]:
    nodes = workflow["nodes"]
    names = [str(node["name"]) for node in nodes]
    first = onward(nodes, workflow["start"])
    if first is not None:
        yield tag("p", "A run begins with ", target_link(names[first], nodes[first]["kind"]), ".")
    entries = {str(node["name"]): _entry(node, nodes, names) for node in nodes if node["kind"] == PASS}
    for node in nodes:
        if node["kind"] == EXIT or node["kind"] in SILENT:
            continue
        name = str(node["name"])
        covered = functools.partial(_covered, links, told, workflow["address"], name)
        yield tag(
            "article",
            tag("h3", code(name), " ", tag("span", _kind(node), class_="kind")),
            facts([*node_facts(node, names, place, covered), *_where(name, origins, entries, place)]),
            _routes(node, nodes, covered),
            id=anchor("node", name), class_="node inner" if "of" in node else "node",
        )  # fmt: skip


def _kind(node: dict[str, Any]) -> str:
    kinds = {CALL: "uses a capability", DECIDE: "decides", COMPUTE: "computes", "EACH": "runs once for each item"}
    return {**kinds, "REPEAT": "repeats", "ALL": "asks all of its members", "WAIT": "waits for people"}.get(
        node["kind"], str(node["kind"])
    )


def _entry(node: dict[str, Any], nodes: list[dict[str, Any]], names: list[str]) -> Child:
    """Say what a use is given, and where it leads if that is checked when run and does not fit."""
    given = given_of(node["with"], names)
    at = onward(nodes, node["next"]["rejected"]) if "rejected" in node["next"] else None
    if at is None:
        return given
    return joined(given, "What does not fit leads to ", target_link(names[at], nodes[at]["kind"]), ".")


def _where(name: str, origins: dict[str, Any], entries: dict[str, Child], place: Place) -> Iterator[tuple[str, Child]]:
    """Say where a node is declared and, of one that was inlined, by which uses; `entries` are the inputs of those."""
    entry = origins["nodes"].get(name)
    if not entry:
        return
    yield "Declared in", f"{entry.get('file') or origins['file']}:{entry['span'][0]}"
    for way in entry.get("via", []):
        used = joined(place.link(way["use"]), ", by ") if way.get("use") else None
        yield "Part of", joined(used, code(way["node"]), f" ({way['file']}:{way['span'][0]})")
        if way["node"] in entries:
            yield "Which is given", entries[way["node"]]


def _routes(node: dict[str, Any], nodes: list[dict[str, Any]], covered: Callable[[str], Child]) -> Html:
    rows: list[list[Child]] = []
    for outcome, index in sorted(node["next"].items(), key=lambda route: (route[0] == FAULT, route[0])):
        at = onward(nodes, index)
        leads = "the end of the iteration" if at is None else target_link(str(nodes[at]["name"]), nodes[at]["kind"])
        rows.append([code(outcome), leads,
                     covered(outcome)])  # fmt: skip
    return table(("Outcome", "Leads to", "Scenarios"), rows, f"Routes of {node['name']}")


def _covered(links: Relations, told: Told, address: str, node: str, what: str) -> Child:
    """Name the scenarios that reach an outcome or a row of a node."""
    if told.reached is None or what == FAULT:
        return ""
    found = links.scenarios.get((address, node, what), [])
    if not found:
        return tag("span", "none", class_="missed")
    return joined(*(tag("a", str(number + 1), href=fragment("scenario", str(number + 1)),
                        title=told.reached[number]["name"]) for number in found), between=", ")  # fmt: skip


def _laws(workflow: dict[str, Any], origins: dict[str, Any], place: Place) -> Iterator[Child]:
    laws = sorted(workflow.get("laws", {}))
    yield (
        listed([joined(place.link(law), " is proven of every path that it binds") for law in laws])
        if laws
        else tag("p", "No law is proven of this workflow.", class_="soft")
    )
    bounds = workflow.get("bounds")
    if bounds is None:
        yield tag("p", "No bounds are sealed in this snapshot.", class_="soft")
        return
    limits = origins.get("limits") or {}
    allowed = {"": limits.get("visits"), **limits.get("effects", {})}
    most = {"": bounds["visits"], **bounds["effects"]}
    rows: list[list[Child]] = [
        [f"effects of class {name}" if name else "visits of nodes", str(count), str(allowed.get(name) or "")]
        for name, count in sorted(most.items())
    ]
    yield table(("The most that a run can make", "Proven", "Declared limit"), rows, "Bounds")


def _checked(origins: dict[str, Any]) -> Html:
    places = origins.get("checked", [])
    if not places:
        return tag("p", "Nothing: every place is proven.", class_="soft")
    rows: list[list[Child]] = [
        [code(str(one["node"])), f"{one['file']}:{one['line']}", str(one["reason"])] for one in places
    ]
    return table(("Node", "Place", "What is checked"), rows, "Places that are checked when run")


def _scenarios(address: str, workflow: dict[str, Any], told: Told, links: Relations) -> Iterator[Child]:
    if told.reached is None:
        yield tag("p", "Not known: they were not played, since no declarations lie beside this snapshot that compile "
                       "to it.", class_="soft")  # fmt: skip
        return
    numbers = sorted({number for key, found in links.scenarios.items() if key[0] == address for number in found})
    if not numbers:
        yield tag("p", "No scenario runs this workflow.", class_="missed")
        return
    rows: list[list[Child]] = []
    for number in numbers:
        scenario = told.reached[number]
        nodes = sorted({one[1] for one in scenario["places"] if one[0] == address})
        held = "held" if scenario["ok"] else "failed"
        rows.append([
            tag("span", str(number + 1), id=anchor("scenario", str(number + 1))),
            scenario["name"], tag("span", held, class_="held" if scenario["ok"] else "broke"),
            f"{scenario['file']}:{scenario['line']}",
            joined(*(target_link(name, "") for name in nodes), between=", "),
        ])  # fmt: skip
    yield table(("Number", "Scenario", "Outcome", "Declared in", "Nodes that it reaches"), rows, "Scenarios")
