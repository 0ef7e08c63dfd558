"""Two snapshots compared whole: every difference, classified, with its reason and its place, in one order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from omnibachi_model.digests import decode
from omnibachi_model.sealed import MANIFEST, at_gate

from . import declared
from .nodes import compare_nodes
from .rules import Change, in_order
from .schemas import Types, taken

Read = Callable[[str], bytes | None]
KNOWN = frozenset(
    ("format", "address", "intent", "payload", "run", "journal", "capabilities", "stores", "events", "start", "nodes")
) | {"bounds", "laws"}
DOMAIN = frozenset(("format", "domain", "hosts", "programs", *declared.GATHERED))
MANIFESTED = frozenset(
    ("format", "capabilities", "domains", "events", "intents", "stores", "laws", "sources", "workflows")
)
MANIFESTED |= {"contracts", "policies"}


@dataclass(frozen=True, slots=True)
class Parts:
    """A snapshot's files, parsed: the manifest, and domains, workflows and origins by name or address."""

    manifest: dict[str, Any]
    domains: dict[str, Any]
    workflows: dict[str, Any]
    origins: dict[str, Any]


def parts_of(read: Read) -> Parts:
    """Parse the files of a snapshot whose digests were verified; `read` gives a file by its relative name."""

    def parsed(name: str) -> Any:
        return decode(read(name) or b"")

    manifest = parsed(MANIFEST)
    workflows = manifest["workflows"]
    return Parts(
        manifest,
        {name: parsed(entry["file"]) for name, entry in manifest["domains"].items()},
        {address: parsed(entry["file"]) for address, entry in workflows.items()},
        {address: parsed(entry["origins"]) for address, entry in workflows.items()},
    )


def differences(old: Parts, new: Parts, types: Types) -> list[Change]:
    """Compare two snapshots: every change, the breaking ones first.

    Raises KeyError, TypeError, ValueError, IndexError or AttributeError for a file that has not the form of
    docs/formats.md, though its digest is right.
    """
    return in_order([_placed(change, old, new) for change in _all(old, new, types)])


def _all(old: Parts, new: Parts, types: Types) -> Iterator[Change]:
    was, now = ({name: declared.gathered(side.domains, name) for name in declared.GATHERED} for side in (old, new))
    for section in declared.GATHERED[:-1]:
        yield from declared.come_and_gone(section, was[section], now[section])
    yield from declared.compare_shapes("intents", was["intents"], now["intents"], types, "payload")
    yield from declared.compare_shapes("events", was["events"], now["events"], types, "record")
    yield from declared.compare_stores(was["stores"], now["stores"], types)
    for section in ("transforms", "operations", "contracts"):
        yield from declared.compare_signatures(was[section], now[section], types)
    users = {use: [] for use in now["transforms"] | now["operations"]}  # type: dict[str, list[str]]
    for address, workflow in sorted(new.workflows.items()):
        for use in workflow["capabilities"]:
            users.setdefault(use, []).append(f"`{address}`")
    yield from declared.compare_locks(old.manifest["capabilities"], new.manifest["capabilities"], users)
    yield from declared.compare_laws(was["laws"], now["laws"])
    yield from declared.compare_policies(was["policies"], now["policies"])
    yield from declared.compare_words(was["summaries"], now["summaries"])
    yield from declared.come_and_gone("domains", old.domains, new.domains)
    yield from declared.come_and_gone("workflows", old.workflows, new.workflows)
    for address in sorted(old.workflows.keys() & new.workflows.keys()):
        one, other = old.workflows[address], new.workflows[address]
        if old.manifest["workflows"][address]["sha256"] != new.manifest["workflows"][address]["sha256"]:
            yield from _workflow(one, other, was["laws"].keys() & now["laws"].keys(), types)
        yield from _told(address, old.origins[address], new.origins[address])
    yield from _rest(old, new)


def _workflow(old: dict[str, Any], new: dict[str, Any], laws: set[str], types: Types) -> Iterator[Change]:
    address = new["address"]

    def said(rule: str, part: str, words: str, name: str = "") -> Change:
        # The name of the node waits in `file` until the places are looked up.
        return Change(rule, address, part, words, name or None)

    if old["intent"] != new["intent"]:
        yield said("intent-changed", "payload", f"its intent was `{old['intent']}` and is `{new['intent']}`")
        for rule, pointer, words in taken(old["payload"], new["payload"], types):
            yield said(rule, f"payload {pointer}".strip(), words)
    starts = [str(one["nodes"][one["start"]]["name"]) for one in (old, new)]
    if starts[0] != starts[1]:
        yield said("start-moved", "", f"it began with `{starts[0]}` and begins with `{starts[1]}`", starts[1])
    yield from compare_nodes(old, new, types, said)
    yield from _bounds(address, old.get("bounds"), new.get("bounds"))
    proven, now = old.get("laws", {}), new.get("laws", {})
    for law in sorted(laws & (proven.keys() ^ now.keys())):
        rule, how = ("law-removed", "no longer") if law in proven else ("law-added", "now")
        yield said(rule, f"law `{law}`", f"it is {how} proven of this workflow")
    for key in sorted({*old, *new} - KNOWN):
        if old.get(key) != new.get(key):
            yield said("unknown", "", f"its `{key}` is otherwise")


def _bounds(address: str, old: Any, new: Any) -> Iterator[Change]:
    """Compare proven bounds; a snapshot that was sealed without them promised none."""
    if not old or not new:
        return
    was, now = ({"": side.get("visits", 0), **side.get("effects", {})} for side in (old, new))
    for name in sorted({*was, *now}):
        before, after = was.get(name, 0), now.get(name, 0)
        if before != after:
            rule = "bound-grown" if after > before else "bound-shrunk"
            of = f"effects of class {name}" if name else "visits of nodes"
            yield Change(rule, address, "bounds", f"the most {of} were {before} and are {after}")


def _told(address: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    if old.get("summary") != new.get("summary"):
        yield Change("summary-changed", address, "", "its summary is worded otherwise")
    if old.get("file") != new.get("file"):
        words = f"it was declared in `{old.get('file')}` and is in `{new.get('file')}`"
        yield Change("file-moved", address, "", words)


def _rest(old: Parts, new: Parts) -> Iterator[Change]:
    """Compare domains and sources, and say what no comparison knows."""
    for name in sorted(old.domains.keys() & new.domains.keys()):
        was, now = old.domains[name], new.domains[name]
        if was.get("hosts", []) != now.get("hosts", []):
            yield Change("hosts-changed", name, "", "the hosts that effects may reach are others")
        if was.get("programs", {}) != now.get("programs", {}):
            yield Change("programs-changed", name, "", "the programs that effects may run are others")
        for key in sorted({*was, *now} - DOMAIN):
            if was.get(key) != now.get(key):
                yield Change("unknown", name, "", f"its `{key}` is otherwise")
    for key in sorted({*old.manifest, *new.manifest} - MANIFESTED):
        if old.manifest.get(key) != new.manifest.get(key):
            yield Change("unknown", MANIFEST, "", f"its `{key}` is otherwise")
    sources, now = old.manifest["sources"], new.manifest["sources"]
    for file in sorted({*sources, *now}):
        if sources.get(file) != now.get(file):
            how = "is new" if file not in sources else "is gone" if file not in now else "was edited"
            yield Change("source-changed", file, "", f"the source {how}", file, None)


def _placed(change: Change, old: Parts, new: Parts) -> Change:
    """Give a change of a workflow, or of an intent, its place: where the new snapshot, or else the old, declares it."""
    if change.rule == "source-changed":
        return change
    name = change.file or ""
    gone = change.rule in ("removed", "node-removed", "exit-removed", "law-removed")
    for side in (old, new) if gone else (new, old):
        origins = side.origins.get(change.address)
        if change.part.startswith("payload"):
            origins = origins or _of_intent(side, change.address)
            pointer = change.part.removeprefix("payload").strip()
            place = at_gate(origins, pointer) if origins else None
            if place and place[1]:
                return dataclasses.replace(change, file=place[0], line=place[1][0])
        elif origins:
            entry = {**origins["exits"], **origins["nodes"]}.get(name) if name else origins
            if entry:
                file = entry.get("file") or origins["file"]
                return dataclasses.replace(change, file=file, line=entry["span"][0])
    return dataclasses.replace(change, file=None)


def _of_intent(side: Parts, intent: str) -> dict[str, Any] | None:
    for address, workflow in sorted(side.workflows.items()):
        if workflow["intent"] == intent:
            found: dict[str, Any] = side.origins[address]
            return found
    return None
