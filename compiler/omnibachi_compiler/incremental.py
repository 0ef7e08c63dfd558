"""Compiling again: a file is read and proven only where it changed, or something that it rests on did.

What is remembered of each file is its entry (see `entries`). A file is taken as it was where its content is the same,
where everything that it looks for, and what that looks for in turn, is declared by files of the same contents or still
by none, and where the snapshot that stands has its sealed bytes, as their digests tell. All else goes through the
phases of every compile. Domains, laws and policies are always read, functions always compared with what is declared,
laws always proven on every workflow that they bind.

Only a workspace in which nothing is wrong comes out of this. At the first error, and wherever anything is not plain,
nothing does, and the caller compiles from nothing: so findings are never told from memory, but for warnings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibachi_model.diagnostics import Diagnostic, Span, has_errors, in_order
from omnibachi_model.digests import decode, digest, digest_of, pretty
from omnibachi_model.sealed import origins_file, workflow_file

from .binding import Place
from .bodies import Body, prove
from .capabilities import check_implementations
from .compile import collector_rests, in_place, lower_proven, named_in, subjects
from .declarations import Declaration, Domain, Scenario
from .declare import declare
from .entries import (
    AS_WRITTEN,
    KEPT,
    asked,
    bodies,
    content_of,
    declared,
    definitions,
    read_finding,
    read_place,
    written_finding,
    written_place,
)
from .fixes import located
from .laws import inlined_uses, prove_laws
from .library import Library, address_of, collect
from .loader import load
from .phase import Implementation, Source
from .points import Subject, subject
from .policies import seal_policies
from .seal import Sealed, Written, seal, signatures, written
from .tree import plain

Json = dict[str, Any]
Entries = Mapping[str, Json]
Stored = Callable[[str], bytes | None]  # gives a file of the snapshot that stands


@dataclass(frozen=True, slots=True)
class Recompiled:
    """What compiling again gave: the snapshot, warnings and places in order, the entries of all files that may have
    one, and the files that were read."""

    sealed: Sealed
    diagnostics: tuple[Diagnostic, ...]
    addresses: tuple[str, ...]
    places: tuple[Place, ...]
    entries: Entries
    read: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that was read."""

    source: Source
    items: tuple[Declaration, ...]
    found: tuple[Diagnostic, ...]
    named: frozenset[str]

    @property
    def scenarios_alone(self) -> bool:
        return bool(self.items) and all(isinstance(item, Scenario) for item in self.items)


@dataclass(frozen=True, slots=True)
class _Declared:
    """What is declared under an address: in which file, the digest of what others may know of it, what it looks for."""

    path: str
    state: str
    asks: Sequence[str]


class _Doubt(Exception):
    """Something is wrong, or not plain: compile from nothing."""


@dataclass(slots=True)
class _Files:
    """The files of a workspace: those that are taken as they were, and those that are read."""

    sources: Mapping[str, Source]
    contents: Mapping[str, str]
    kept: dict[str, Json]
    read: dict[str, _Read]
    written: dict[str, Written]  # of the workflows that are kept

    def declared(self) -> dict[str, _Declared]:
        """Return what is declared, by address; that none is declared twice, and none that a text names is missing."""
        found: list[tuple[str, _Declared]] = []
        named: set[str] = set()
        for path, entry in self.kept.items():
            named.update(entry["named"])
            for address, told in entry["declares"].items():
                if told["kind"] != "test":
                    found.append((address, _Declared(path, self.contents[path], told["asks"])))
        for path, read in self.read.items():
            named |= read.named
            for item in read.items:
                if not isinstance(item, Scenario):
                    state = self.contents[path]
                    if isinstance(item, Domain):  # bodies know its hosts and programs alone
                        programs = plain(item.programs) if item.programs is not None else {}
                        state = digest_of([sorted(host.text for host in item.hosts), programs])
                    found.append((address_of(item), _Declared(path, state, asked(item))))
        by_address = dict(found)
        if len(by_address) < len(found) or named - by_address.keys():
            raise _Doubt
        return by_address


def recompile(
    sources: Sequence[Source],
    implementations: Mapping[str, Implementation],
    versions: Mapping[str, str],
    shown: Callable[[str], str],
    entries: Entries,
    stored: Stored,
) -> Recompiled | None:
    """Compile a workspace with what is remembered of its files; None where it must be compiled from nothing.

    The first four are those of `compile_sources`, and so is the snapshot that comes out, byte for byte. The entries
    must be those that a compile of this very code and this workspace gave.
    """
    with collector_rests():
        try:
            return _recompile(sources, implementations, versions, shown, entries, stored)
        except _Doubt:
            return None


def _recompile(
    sources: Sequence[Source],
    implementations: Mapping[str, Implementation],
    versions: Mapping[str, str],
    shown: Callable[[str], str],
    entries: Entries,
    stored: Stored,
) -> Recompiled:
    files = _sorted_out(sources, entries, stored)
    found: list[Diagnostic] = [item for read in files.read.values() for item in read.found]
    items = [item for read in files.read.values() for item in read.items]
    collected = collect(items, known=definitions(files.kept.values()))
    for path, read in files.read.items():
        own = tuple(item for item in collected.diagnostics if item.span and item.span.file == path)
        files.read[path] = dataclasses.replace(read, found=(*read.found, *own))
    found += collected.diagnostics
    found += check_implementations(collected.value, implementations, shown)
    _sound(found)
    whole = collected.value
    phase = prove(whole)
    found += phase.diagnostics
    _sound(found)
    proven = phase.value
    if len(proven) < len(whole.bodies) or any(source.domain not in whole.domains for source in sources):
        raise _Doubt
    lowered = {item: lower_proven(proven[item], found) for item in whole.workflows}
    bodies(files.kept.values(), whole)
    return _sealed(files, whole, proven, lowered, found, implementations, versions)


def _sound(found: Sequence[Diagnostic]) -> None:
    if has_errors(found):
        raise _Doubt


def _sorted_out(sources: Sequence[Source], entries: Entries, stored: Stored) -> _Files:
    """Decide which files are taken as they were, and read the others."""
    by_path = {source.path: source for source in sorted(sources, key=lambda item: item.path)}
    contents = {path: content_of(source) for path, source in by_path.items()}
    same = {path: entries[path] for path in by_path if path in entries and entries[path]["content"] == contents[path]}
    files = _Files(by_path, contents, same, {}, {})
    for path in by_path.keys() - same.keys():
        _read(path, files)
    known = files.declared()
    for path in list(files.kept):
        entry = files.kept[path]
        if entry["env"] != _env(entry["declares"], known) or not _stands(entry, stored, files):
            _read(path, files)
    # What is read must find the bodies and named schemas that it uses, and these theirs.
    waiting = [path for path, read in files.read.items() if read.items]
    while waiting:
        for item in files.read[waiting.pop()].items:
            for address in asked(item):
                used = known[address].path if address in known else ""
                if used in files.kept and files.kept[used]["declares"][address]["kind"] in AS_WRITTEN:
                    _read(used, files)
                    waiting.append(used)
    files.read = dict(sorted(files.read.items()))
    return files


def _read(path: str, files: _Files) -> None:
    """Read a file; an error in it raises _Doubt."""
    source = files.sources[path]
    trees = load(source)
    documents = declare(source, trees.value)
    found = (*trees.diagnostics, *documents.diagnostics)
    _sound(found)
    files.kept.pop(path, None)
    files.read[path] = _Read(source, documents.value, found, frozenset(named_in(source)))


def _stands(entry: Json, stored: Stored, files: _Files) -> bool:
    """Tell whether the snapshot that stands has what an entry's workflows are sealed as, and take it from there."""
    for address, told in entry["workflows"].items():
        workflow, origins = stored(workflow_file(address)), stored(origins_file(address))
        if workflow is None or origins is None:
            return False
        if (digest(workflow), digest(origins)) != (told["workflow"], told["origins"]):
            return False
        files.written[address] = Written(workflow, origins)
    return True


def _env(addresses: Iterable[str], known: Mapping[str, _Declared]) -> str:
    """Return the digest of all that some addresses rest on: what they look for, and what that looks for in turn, each
    with its state, or without where nothing is declared."""
    seen: dict[str, str] = {}
    waiting = [address for key in addresses if key in known for address in known[key].asks]
    while waiting:
        address = waiting.pop()
        if address not in seen:
            found = known.get(address)
            seen[address] = found.state if found else ""
            waiting.extend(found.asks if found else ())
    return digest_of(seen)


def _sealed(
    files: _Files,
    whole: Library,
    proven: Mapping[str, Body],
    lowered: Mapping[str, Json],
    found: list[Diagnostic],
    implementations: Mapping[str, Implementation],
    versions: Mapping[str, str],
) -> Recompiled:
    """Prove the laws, and seal what was proven now together with what stands."""
    kept = {address: told for entry in files.kept.values() for address, told in entry["workflows"].items()}
    laws = prove_laws(
        whole, {**_subjects(kept, files, whole), **subjects(whole, proven, lowered)} if whole.invariants else {}
    )
    policies = seal_policies(whole)
    found += [*laws.diagnostics, *policies.diagnostics]
    _sound(found)
    texts: dict[str, Written] = {}
    for address, workflow in lowered.items():
        workflow["laws"] = dict(laws.value.bound.get(address, {}))
        texts[address] = written(proven[address], workflow)
    for address, told in kept.items():
        texts[address] = _bound(files.written[address], told["laws"], dict(laws.value.bound.get(address, {})))
    contracts = signatures(proven)
    for entry in files.kept.values():
        contracts.update(entry["contracts"])
    alone = {path for path, entry in files.kept.items() if entry["alone"]}
    alone |= {path for path, read in files.read.items() if read.scenarios_alone}
    sources = [source for path, source in files.sources.items() if path not in alone]
    sealed = seal(texts, contracts, laws.value.laws, policies.value, whole, sources, implementations, versions)
    told = located(found, list(files.sources.values()))
    entries = _entries(files, whole, proven, texts, laws.value.bound, told)
    remembered = [read_finding(item) for entry in files.kept.values() for item in entry["warnings"]]
    places = [read_place(item) for entry in files.kept.values() for item in entry["places"]]
    places += [place for body in proven.values() for place in body.checked.places]
    diagnostics = in_order([*told, *remembered])
    return Recompiled(sealed, diagnostics, tuple(sorted(texts)), in_place(places), entries, tuple(files.read))


def _bound(text: Written, before: Json, now: Json) -> Written:
    """Return a workflow with the laws that bind it now."""
    if before == now:
        return text
    workflow = decode(text.workflow)
    workflow["laws"] = now
    return Written(pretty(workflow), text.origins)


def _subjects(kept: Mapping[str, Json], files: _Files, library: Library) -> dict[str, Subject]:
    """Return the workflows that stand as laws look at them."""
    found: dict[str, Subject] = {}
    for address, told in kept.items():
        workflow, origins = decode(files.written[address].workflow), decode(files.written[address].origins)
        workflow["laws"] = {}
        found[address] = subject(workflow, told["inlined"], library, _spans(workflow, origins))
    return found


def _spans(workflow: Json, origins: Json) -> dict[str, Span]:
    """Return where each node and exit of a workflow stands."""
    places = {**origins["exits"], **origins["nodes"]}
    own = {"span": origins["span"]}
    found: dict[str, Span] = {}
    for node in workflow["nodes"]:
        place = places.get(node["name"], own)
        found[node["name"]] = Span(place.get("file", origins["file"]), *place["span"])
    return found


def _entries(
    files: _Files,
    whole: Library,
    proven: Mapping[str, Body],
    texts: Mapping[str, Written],
    bound: Mapping[str, Mapping[str, str]],
    found: Sequence[Diagnostic],
) -> dict[str, Json]:
    """Return the entries of all files that may have one."""
    entries: dict[str, Json] = {}
    known = files.declared()
    keys = {item.key(): item for item in found}
    for path, entry in files.kept.items():
        workflows = {
            address: {
                **told,
                "workflow": digest(texts[address].workflow),
                "laws": dict(bound.get(address, {})),
            }
            for address, told in entry["workflows"].items()
        }
        entries[path] = {**entry, "workflows": workflows}
    for path, read in files.read.items():
        if not all(isinstance(item, KEPT) for item in read.items):
            continue
        own = [proven[address] for item in read.items if (address := address_of(item)) in proven]
        declares = declared(read.items, whole)
        told = [*read.found, *(item for body in own for item in body.found)]
        entries[path] = {
            "content": files.contents[path],
            "env": _env(declares, known),
            "declares": declares,
            "named": sorted(read.named),
            "workflows": {
                body.address: _of_workflow(body, texts[body.address], dict(bound.get(body.address, {})), whole)
                for body in own
                if body.address in texts
            },
            "contracts": signatures({body.address: body for body in own}),
            "alone": read.scenarios_alone,
            "warnings": [written_finding(keys[key]) for key in sorted({item.key() for item in told})],
            "places": [written_place(place) for body in own for place in body.checked.places],
        }
    return entries


def _of_workflow(body: Body, text: Written, laws: Json, library: Library) -> Json:
    return {
        "workflow": digest(text.workflow),
        "origins": digest(text.origins),
        "laws": laws,
        "inlined": inlined_uses(body.checked.graph.body, library),
    }
