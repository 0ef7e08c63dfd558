"""The pages of what domains declare beside workflows: contract, capability, store, intent, event, law, policy; each
with who uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_observer.expression_text import json
from omnibachi_observer.pack_text import gate

from .frame import Place, facts, page, section
from .markup import Child, Html, anchor, code, joined, listed, table, tag
from .relations import Relations, Told
from .schema_tables import schema_table

KINDS = {
    "contracts": "Contract", "transforms": "Transform", "effects": "Side effect", "stores": "Store",
    "intents": "Intent", "events": "Event", "laws": "Law", "policies": "Policy",
}  # fmt: skip

_ACCOUNTS = {"overdraft": "May go below zero", "opened": "There from the start"}


def declared_page(section_name: str, address: str, told: Told, links: Relations, place: Place) -> bytes:
    """Write the page of one declared thing."""
    domain, name = split(address)
    entry = links.sections[section_name][address]
    content = (
        tag("h1", name),
        tag("p", _summary(address, told)),
        facts([("Address", code(address)), ("Kind", KINDS[section_name]), *_lock(address, told)]),
        *_BODIES[section_name](address, entry, links, place, told),
    )
    way = (tag("a", "Snapshot", href=f"{place.root}index.html"), place.domain(domain), name)
    return page(f"{name} - {domain}", place, way, content, told.seal, script=False)


def _summary(address: str, told: Told) -> str:
    return str(told.domains.get(split(address)[0], {}).get("summaries", {}).get(address, ""))


def _lock(address: str, told: Told) -> Iterator[tuple[str, Child]]:
    lock = told.manifest["capabilities"].get(address)
    if lock is not None:
        yield "Implemented by", code(str(lock["implementation"]))
        yield "Sealed modules", listed([code(f"{name}  {digest}") for name, digest in sorted(lock["modules"].items())])


def _signature(entry: dict[str, Any], of: str) -> Iterator[Child]:
    yield tag("h3", "Inputs")
    yield schema_table(entry["inputs"], f"Inputs of {of}")
    for outcome, schema in sorted(entry["outcomes"].items()):
        yield tag("h3", "Outcome ", code(outcome))
        yield schema_table(schema, f"Output of {of} after {outcome}")


def inlined(address: str, links: Relations, place: Place) -> Html:
    """Name the workflows that a contract, or another workflow, became a part of, and by which uses."""
    ways = links.inlined.get(address, [])
    if not ways:
        return tag("p", "It is a part of no workflow.", class_="soft")
    found = sorted({workflow for workflow, _ in ways})
    told: list[list[Child]] = [
        [place.link(workflow), joined(*(code(node) for other, node in ways if other == workflow), between=", ")]
        for workflow in found
    ]
    return table(("Workflow", "As"), told, f"Where {address} is inlined")


def _users(address: str, links: Relations, place: Place) -> Html:
    """Name the nodes that use a thing, by workflow."""
    rows: dict[str, list[str]] = {}
    for workflow, node in links.nodes.get(address, []):
        rows.setdefault(workflow, []).append(node)
    if not rows:
        return tag("p", "No workflow uses it.", class_="soft")
    told: list[list[Child]] = [
        [place.link(workflow), joined(*(place.link(workflow, node, ("node", node)) for node in nodes), between=", ")]
        for workflow, nodes in sorted(rows.items())
    ]
    return table(("Workflow", "Nodes"), told, f"Who uses {address}")


def _transform(address: str, entry: Any, links: Relations, place: Place, told: Told) -> Iterator[Child]:
    yield section("signature", "Inputs and outcomes", *_signature(entry, address))
    yield section("users", "Used by", _users(address, links, place))


def _contract(address: str, entry: Any, links: Relations, place: Place, told: Told) -> Iterator[Child]:
    yield section("signature", "Inputs and outcomes", *_signature(entry, address))
    yield section("users", "Inlined in", inlined(address, links, place))


def _effect(address: str, entry: Any, links: Relations, place: Place, told: Told) -> Iterator[Child]:
    stores = links.governs.get(address, [])
    if stores:
        yield section("stores", "Governs", listed([place.link(store) for store in stores]))
    for name, operation in sorted(entry.items()):
        whole = f"{address}.{name}"
        yield section(
            anchor("operation", name), name,
            facts([("Effect", operation["effect"]), ("Needs", ", ".join(operation["needs"]) or "nothing"),
                   *_lock(whole, told)]),
            *_signature(operation, whole),
            tag("h3", "Used by"), _users(whole, links, place),
        )  # fmt: skip


def _store(address: str, entry: Any, links: Relations, place: Place, told: Told) -> Iterator[Child]:
    yield facts([
        ("Governed by", place.link(str(entry["governed_by"]))), ("Keeps", str(entry["keeps"])),
        ("Takes facts", "yes" if entry.get("seed") else "no"),
        ("Evidence", "may be written on the way to a denial" if entry.get("evidence") else "no"),
        *((title, ", ".join(entry[key])) for key, title in _ACCOUNTS.items() if key in entry),
        *([("Receiving", "opens an account")] if entry.get("open_on_receipt") else []),
    ])  # fmt: skip
    accounts = entry["keeps"] == "accounts"
    record = None if accounts else entry.get("record")
    of = "Each account has a balance." if accounts else "Its events say what their records are."
    none = tag("p", of, class_="soft")
    yield section("record", "Record", schema_table(record, f"Record of {address}") if record else none)
    yield section("users", "Used by", _users(address, links, place))


def _intent(address: str, entry: Any, links: Relations, place: Place, told: Told) -> Iterator[Child]:
    yield section("payload", "Payload", schema_table(entry, f"Payload of {address}"))
    admits = _workflows(links.admits.get(address, []), place, "It admits to no workflow.")
    yield section("users", "Admits to", admits)


def _event(address: str, entry: Any, links: Relations, place: Place, told: Told) -> Iterator[Child]:
    yield section("record", "Record", schema_table(entry, f"Record of {address}"))
    yield section("users", "Used by", _users(address, links, place))


def _law(address: str, entry: Any, links: Relations, place: Place, told: Told) -> Iterator[Child]:
    yield section("says", "What it says", *_in_words(entry, place))
    bound = _workflows(links.binds.get(address, []), place, "It is proven of no workflow.")
    yield section("users", "Proven of", bound)


def _policy(address: str, entry: Any, links: Relations, place: Place, told: Told) -> Iterator[Child]:
    yield facts([("Digest", code(str(told.manifest["policies"][address]))), ("Allows with", code(entry["allow"]))])
    rows: list[list[Child]] = [[gate(one), code(one["because"])] for one in entry["gates"]]
    none = tag("p", "It has no gates.", class_="soft")
    gates = table(("Holds where", "Else denied with"), rows, f"Gates of {address}") if rows else none
    yield section("gates", "Gates, in this order", gates)


def _in_words(law: Any, place: Place) -> Iterator[Child]:
    """Write a law as sentences, and which paths it binds."""
    verb = " avoids " if law.get("never") else " passes "
    paths = law["every_path"]
    for path in paths if isinstance(paths, list) else [paths]:
        start, passed, end = (_point(path[name], place) for name in ("from", "passes", "before"))
        yield tag("p", "Every path from ", start, verb, passed, " before ", end, ".")
        if "applies_to" in path:
            yield _scope("Of these", path["applies_to"], place)
    failed = "bound too" if law.get("exits") == "all" else "not bound"
    yield tag("p", f"Paths to exits that are FAILED are {failed}.")
    yield _scope("Applies to", law.get("applies_to", "all"), place)


def _scope(words: str, scope: Any, place: Place) -> Child:
    """Write which workflows a law binds, or a part of it."""
    if isinstance(scope, dict):
        return facts([(f"{words} {key}", _addresses(value, place)) for key, value in sorted(scope.items())])
    return tag("p", "It applies to every workflow of every domain.")


def _point(point: Any, place: Place) -> Child:
    """Write what a law speaks of: the start, an exit, or nodes with what narrows them."""
    if not isinstance(point, dict):
        return {"start": "the start", "exit": "any exit"}.get(str(point), str(point))
    first = [key for key in ("exit", "status", "node", "use", "effect") if key in point]
    said = {"exit": "the exit", "status": "an exit of status", "node": "the node", "use": "a node that uses"}
    parts: list[Child] = [joined(said.get(key, "an effect of class"), " ", _any(point[key], place)) for key in first]
    parts += [
        joined("but not " if key == "except" else f"with {key} ", _any(point[key], place))
        for key in sorted(point)
        if key not in first
    ]
    return joined(*parts, between=" ")


def _any(value: Any, place: Place) -> Child:
    items = value if isinstance(value, list) else [value]
    return joined(*(_name(item, place) for item in items), between=" or ")


def _name(value: Any, place: Place) -> Html:
    return place.link(value) if isinstance(value, str) else code(json(value))


def _addresses(value: Any, place: Place) -> Child:
    items = value if isinstance(value, list) else [value]
    return listed([_name(item, place) for item in items])


def _workflows(addresses: Sequence[str], place: Place, none: str) -> Html:
    return listed([place.link(one) for one in addresses]) if addresses else tag("p", none, class_="soft")


_BODIES = {
    "contracts": _contract, "transforms": _transform, "effects": _effect, "stores": _store, "intents": _intent,
    "events": _event, "laws": _law, "policies": _policy,
}  # fmt: skip
