"""What the domains of two snapshots declare: intents, stores, events, capabilities, contracts, laws, policies,
compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omnibachi_model.digests import encode

from .rules import Change
from .schemas import Schema, Types, given, taken

Entries = dict[str, Any]
GATHERED = ("intents", "events", "stores", "transforms", "operations", "contracts", "laws", "policies", "summaries")
KIND = {
    "intents": "intent", "events": "event", "stores": "store", "transforms": "transform", "operations": "operation",
    "contracts": "contract", "laws": "law", "policies": "policy", "workflows": "workflow", "domains": "domain",
}  # fmt: skip


def gathered(domains: dict[str, Entries], section: str) -> Entries:
    """Return one section of all domains, by address; a domain's own summary under the domain's name."""
    return {
        address or domain: entry
        for domain, held in sorted(domains.items())
        for address, entry in held.get(section, {}).items()
    }


def come_and_gone(section: str, old: Entries, new: Entries) -> Iterator[Change]:
    """Tell what stands in one of two sections only."""
    word = KIND[section]
    law = "law-" if section == "laws" else ""
    for address in sorted(old.keys() ^ new.keys()):
        rule, how = ("removed", "is gone") if address in old else ("added", "is new")
        yield Change(law + rule, address, "", f"the {word} {how}")


def compare_shapes(section: str, old: Entries, new: Entries, types: Types, part: str) -> Iterator[Change]:
    """Compare intents or events: what a payload or a record must be."""
    for address in sorted(old.keys() & new.keys()):
        yield from _taken(address, part, old[address], new[address], types)


def compare_stores(old: Entries, new: Entries, types: Types) -> Iterator[Change]:
    """Compare stores: their records, who governs them, and what may be done with them."""
    for address in sorted(old.keys() & new.keys()):
        was, now = old[address], new[address]
        yield from _taken(address, "record", was.get("record") or {}, now.get("record") or {}, types)
        if was.get("seed", False) != now.get("seed", False):
            rule, how = ("seeds-allowed", "takes") if now.get("seed") else ("seeds-refused", "takes no")
            yield Change(rule, address, "", f"the store {how} facts")
        for key in sorted({*was, *now} - {"record", "seed"}):
            if was.get(key) != now.get(key):
                yield Change(
                    "store-changed", address, "", f"its `{key}` was {_text(was, key)} and is {_text(now, key)}"
                )


def compare_signatures(old: Entries, new: Entries, types: Types) -> Iterator[Change]:
    """Compare capabilities or contracts: effect, needs, inputs, outcomes."""
    for address in sorted(old.keys() & new.keys()):
        was, now = old[address], new[address]
        for key, rule in (("effect", "effect-changed"), ("needs", "needs-changed")):
            if was.get(key) != now.get(key):
                yield Change(rule, address, "", f"its `{key}` was {_text(was, key)} and is {_text(now, key)}")
        yield from _taken(address, "inputs", was["inputs"], now["inputs"], types)
        before, after = was["outcomes"], now["outcomes"]
        for name in sorted({*before, *after}):
            part = f"outcome {name}"
            if name not in after:
                yield Change("outcome-removed", address, part, "is gone")
            elif name not in before:
                yield Change("outcome-added", address, part, "is new")
            else:
                for rule, pointer, words in given(before[name], after[name], types):
                    yield Change(rule, address, f"{part} {pointer}".strip(), words)
        for key in sorted({*was, *now} - {"effect", "needs", "inputs", "outcomes"}):
            if encode(was.get(key)) != encode(now.get(key)):
                yield Change("unknown", address, "", f"its `{key}` was {_text(was, key)} and is {_text(now, key)}")


def compare_locks(old: Entries, new: Entries, users: dict[str, list[str]]) -> Iterator[Change]:
    """Compare implementations: which function, and the source that it relies on; `users` are the workflows by use."""
    for address in sorted(old.keys() & new.keys()):
        was, now = old[address], new[address]
        found = []
        if was.get("implementation") != now.get("implementation"):
            found.append(f"the function was {_text(was, 'implementation')} and is {_text(now, 'implementation')}")
        modules, others = was.get("modules", {}), now.get("modules", {})
        names = sorted(name for name in {*modules, *others} if modules.get(name) != others.get(name))
        if names:
            found.append(f"the source of {', '.join(f'`{name}`' for name in names)} is otherwise")
        if found:
            using = f"; used by {', '.join(users[address])}" if users.get(address) else "; no workflow uses it"
            yield Change("implementation-changed", address, "", "; ".join(found) + using)


def compare_laws(old: Entries, new: Entries) -> Iterator[Change]:
    """Compare laws: stronger where all that was proven is, of all paths that were bound, and more."""
    for address in sorted(old.keys() & new.keys()):
        was, now = old[address], new[address]
        if encode(was) == encode(now):
            continue
        more, less = _holds(now, was), _holds(was, now)
        if more:
            yield Change("law-strengthened", address, "", "the law binds more workflows or exits, or says more")
        elif less:
            yield Change("law-weakened", address, "", "the law binds fewer workflows or exits, or says less")
        elif _said(was) != _said(now):
            yield Change("law-changed", address, "", "the law says something else")
        else:
            yield Change("law-changed", address, "", "the law binds other workflows or exits")


def compare_policies(old: Entries, new: Entries) -> Iterator[Change]:
    """Compare packs: whatever changed, the same facts may be decided otherwise."""
    for address in sorted(old.keys() & new.keys()):
        if encode(old[address]) != encode(new[address]):
            yield Change("policy-changed", address, "", "its gates, or the reasons that it gives, are others")


def _courses(law: Entries) -> list[Entries]:
    paths = law.get("every_path", {})
    return paths if isinstance(paths, list) else [paths]


def _said(law: Entries) -> list[bytes]:
    """Return what a law says, apart from whom it binds."""
    said = ({key: course[key] for key in course if key != "applies_to"} for course in _courses(law))
    rest = {key: law[key] for key in law if key not in ("applies_to", "exits", "every_path")}
    return [encode([rest, course]) for course in said]


def _holds(one: Entries, other: Entries) -> bool:
    """Tell whether one law says all that another says, of all paths that it binds."""
    scope = _binds(one.get("applies_to", "all"), other.get("applies_to", "all"))
    mine = list(zip(_said(one), _courses(one), strict=True))
    courses = all(
        any(
            told == said and _binds(course.get("applies_to", "all"), asked.get("applies_to", "all"))
            for told, course in mine
        )
        for said, asked in zip(_said(other), _courses(other), strict=True)
    )
    return scope and courses and (one.get("exits") == "all" or one.get("exits") == other.get("exits"))


def _binds(mine: Any, yours: Any) -> bool:
    """Tell whether one choice of workflows surely has all that another has."""
    if mine == "all" or encode(mine) == encode(yours):
        return True
    if yours == "all":
        return False
    if "workflows" in mine:
        return "workflows" in yours and set(mine["workflows"]) >= set(yours["workflows"])
    if "workflows" in yours:
        return "uses" not in mine and not set(mine.get("except", ())) & set(yours["workflows"])
    users = "uses" not in mine or ("uses" in yours and _listed(mine["uses"]) >= _listed(yours["uses"]))
    return users and set(mine.get("except", ())) <= set(yours.get("except", ()))


def _listed(names: Any) -> set[str]:
    return {names} if isinstance(names, str) else set(names)


def compare_words(old: Entries, new: Entries) -> Iterator[Change]:
    """Compare summaries of what stands in both."""
    for address in sorted(old.keys() & new.keys()):
        if old[address] != new[address]:
            yield Change("summary-changed", address, "", "its summary is worded otherwise")


def _taken(address: str, part: str, old: Schema, new: Schema, types: Types) -> Iterator[Change]:
    for rule, pointer, words in taken(old, new, types):
        yield Change(rule, address, f"{part} {pointer}".strip(), words)


def _text(entry: Entries, key: str) -> str:
    return f"`{encode(entry.get(key)).decode()[:80]}`"
