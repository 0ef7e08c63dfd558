"""The lists: the front page with all that a snapshot holds, and one page for each domain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omnibachi_model.addresses import split

from .frame import Place, facts, page, section
from .markup import Child, Html, anchor, code, listed, table, tag
from .relations import SECTIONS, Relations, Told


def front_page(told: Told, links: Relations, place: Place) -> bytes:
    """Write the front page: domains, then everything by kind."""
    counts = {name: len(entries) for name, entries in links.sections.items()}
    rows: list[list[Child]] = [
        [place.domain(name), str(domain.get("summaries", {}).get("", "")), str(_size(name, links))]
        for name, domain in sorted(told.domains.items())
    ]
    pairs: list[tuple[str, Child]] = [("Seal", code(told.seal))]
    pairs += [(SECTIONS[name], str(count)) for name, count in counts.items() if count]
    content = (
        tag("h1", "What this snapshot holds"),
        facts([*pairs, *_played(told)]),
        _filter(),
        section("domains", "Domains", table(("Domain", "Summary", "Declares"), rows, "Domains")),
        *_lists(told, links, place, None),
    )
    return page("What this snapshot holds", place, ("Snapshot",), content, told.seal, script=True)


def domain_page(name: str, told: Told, links: Relations, place: Place) -> bytes:
    """Write the page of one domain."""
    domain = told.domains[name]
    content = (
        tag("h1", name),
        tag("p", str(domain.get("summaries", {}).get("", ""))),
        facts([("Hosts", ", ".join(domain.get("hosts", [])) or "none: nothing leaves the house"), *_programs(domain)]),
        _filter(),
        *_lists(told, links, place, name),
    )
    way = (tag("a", "Snapshot", href=f"{place.root}index.html"), name)
    return page(f"{name} - domain", place, way, content, told.seal, script=True)


def _played(told: Told) -> Iterator[tuple[str, Child]]:
    if told.reached is not None:
        held = sum(bool(one["ok"]) for one in told.reached)
        yield "Scenarios", f"{len(told.reached)}, of which {held} held"


def _size(domain: str, links: Relations) -> int:
    return sum(split(address)[0] == domain for entries in links.sections.values() for address in entries)


def _filter() -> Html:
    label = tag("label", "Show only what has these words ", for_="filter")
    box = tag("p", label, tag("input", id="filter", type="search", autocomplete="off"), class_="filter", hidden=True)
    return Html(box.text + tag("p", "Nothing has these words.", id="none", hidden=True).text)


def _lists(told: Told, links: Relations, place: Place, domain: str | None) -> Iterator[Html]:
    """Write one list for each kind of thing, of one domain or of all."""
    for name, title in SECTIONS.items():
        chosen = [one for one in links.sections[name] if domain is None or split(one)[0] == domain]
        if chosen:
            entries = [(place.link(one), tag("p", _summary(one, told))) for one in chosen]
            yield section(anchor("list", name), title, listed(entries, class_="entries"), class_="list")


def _summary(address: str, told: Told) -> str:
    if address in told.origins:
        return str(told.origins[address]["summary"])
    return str(told.domains.get(split(address)[0], {}).get("summaries", {}).get(address, ""))


def _programs(domain: dict[str, Any]) -> Iterator[tuple[str, Child]]:
    """Give each program that the domain's workflows may run, with its command."""
    for name, program in sorted(domain.get("programs", {}).items()):
        parts = [
            part if isinstance(part, str) else f"{part['prefix']}{{{part['argument']}}}" for part in program["command"]
        ]
        yield f"Program {name}", code(" ".join(parts))
