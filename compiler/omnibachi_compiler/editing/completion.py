"""Completion: what may be written at a place, from the language's schemas, the library and the proven data flow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from omnibachi_compiler.language import SCHEMAS
from omnibachi_compiler.paths import PathError, parse_path
from omnibachi_model.sealed import REJECTED_EXIT

from .bodies import surveyed_at
from .calls import address_in, answering, call_at, decided, node_of, outcomes_at, outcomes_of, usable, written
from .offered import readable
from .roles import GRAPHS, keys_at, role_of, values_at
from .scan import Here, Path
from .spots import Open, Project, here_at

Schema = dict[str, Any]

_BASE = re.compile(r"(.*)[.\[][^.\[]*\Z", re.DOTALL)
MOST_NODES = 1_000  # that are offered at once
_CODED = {"store": "stores", "event": "events", "intent": "intents", "workflow": "workflows",
          "side_effect": "side_effects", "schema": "schemas"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that may be written: instead of the text from `start` to `end`, `insert`. `kind` is the role that it
    plays or `key`, `detail` a few words, `rank` puts what is sure before what is not."""

    label: str
    insert: str
    kind: str
    detail: str
    start: int
    end: int
    rank: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question: where in which text, and where the word ends that stands there."""

    project: Project
    opened: Open
    offset: int
    end: int
    at: Here
    kind: str

    def value(self, path: Path) -> str | None:
        return self.opened.value(self.at.document, path)

    def names(self, *path: str) -> list[str]:
        return [token.text for token in self.opened.keys(self.at.document, path)]


def complete(project: Project, opened: Open, offset: int) -> list[Offer]:
    """Return what may be written at an offset of an open text."""
    at = here_at(opened, offset)
    start, end = offset, offset
    if at.word is not None:
        start = at.word.start
        whole = next((token for token in opened.tokens if token.start == start), None)
        end = max(offset, whole.end) if whole is not None and "\n" not in opened.text[start : whole.end] else offset
    kind = opened.kind(at.document)
    if kind is None:
        offers = [(f"{key}: ", key, "key", str(SCHEMAS[key]["title"]), 0) for key in SCHEMAS] if not at.path else []
    else:
        offers = list(_offers(_Asked(project, opened, offset, end, at, kind)))
    colon = re.compile(r"[ \t]*:(?=\s|\Z)").match(opened.text, end)
    quoted = at.word is not None and at.word.quoted
    found: dict[str, Offer] = {}
    for insert, label, role, detail, rank in offers:
        text = insert.removesuffix(": ") if role == "key" and colon else insert
        if quoted and (quote := opened.text[start]) in "\"'":
            text = f"{quote}{label if role == 'key' else insert}{quote}{': ' if role == 'key' and not colon else ''}"
        found.setdefault(label, Offer(label, text, role, detail, start, end, rank))
    return list(found.values())


_Found = Iterable[tuple[str, str, str, str, int]]  # insert, label, role, detail, rank


def _offers(asked: _Asked) -> _Found:
    at = asked.at
    if at.key or at.loose:
        yield from _keys(asked)
    if not at.key:
        yield from _values(asked)


def _keys(asked: _Asked) -> _Found:
    path, document = asked.at.path, asked.at.document
    word = asked.at.word
    present = {token.text for token in asked.opened.keys(document, path) if word is None or token.start != word.start}
    for key, schema in keys_at(asked.kind, path, frozenset(present)).items():
        yield f"{key}: ", key, "key", str(schema.get("title", "")), 0
    if not path and not present:
        for kind, schema in SCHEMAS.items():
            yield f"{kind}: ", kind, "key", str(schema["title"]), 0
    for name, detail in _named_keys(asked):
        if name not in present:
            yield f'"{name}": ' if "[" in name else f"{name}: ", name, "key", detail, 0


def _named_keys(asked: _Asked) -> Iterable[tuple[str, str]]:
    """Yield the keys that are names of something: outcomes under `next`, inputs under `with`, stores, nodes."""
    path, document, opened = asked.at.path, asked.at.document, asked.opened
    role = role_of(asked.kind, (*path, "x"), key=True)
    if role == "outcome" and path[-1:] == ("next",):
        nodes = [path[:-1]] if path[:1] == ("nodes",) else [("nodes", name) for name in asked.names("nodes")]
        for node in nodes:
            for outcome in outcomes_at(asked.project, opened, document, node):
                yield outcome, "an outcome"
    elif role == "store":
        yield from ((name, "a store") for name in _addresses(asked, "store"))
    elif role == "node path":
        calls = answering(asked.project.library, _workflow(asked) or "")
        yield from ((name, "a node that answers") for name in islice(calls, MOST_NODES))
    elif role == "template":
        owner = _owner(path)
        call = call_at(asked.project, opened, document, owner) if owner else None
        if owner is not None and call is not None:
            schema: Schema = call.inputs
            for step in path[len(owner) + 1 :]:
                schema = schema.get("properties", {}).get(step, {})
            needed = set(schema.get("required", ()))
            for name, inner in schema.get("properties", {}).items():
                words = inner.get("type", "any value")
                kind = words if isinstance(words, str) else " or ".join(words)
                yield name, kind if name in needed and "default" not in inner else f"{kind}, optional"


def _owner(path: Path) -> Path | None:
    """Return the path of the node, or of the member of an `all`, whose `with` a path goes into."""
    if len(path) > 2 and path[2] == "with":
        return path[:2]
    return path[:4] if len(path) > 4 and path[2] == "all" and path[4] == "with" else None


def _values(asked: _Asked) -> _Found:
    path = asked.at.path
    role = role_of(asked.kind, path, key=False)
    if role == "template":
        yield from _paths(asked)
        return
    for text in values_at(asked.kind, path):
        yield text, text, "value", "", 0
    for name, detail in _named_values(asked, role):
        yield name, name, role or "value", detail, 0


def _named_values(asked: _Asked, role: str | None) -> Iterable[tuple[str, str]]:
    path = asked.at.path
    if role in ("target", "node") and asked.kind in GRAPHS:
        own = path[1] if path[:1] == ("nodes",) and len(path) > 1 else None
        yield from ((name, "a node") for name in asked.names("nodes") if name != own)
        if role == "target":
            ends = asked.names("exits" if asked.kind == "workflow" else "outcomes")
            yield from ((name, "an exit" if asked.kind == "workflow" else "an outcome") for name in ends)
            if asked.kind == "workflow":
                yield REJECTED_EXIT, "the reserved exit"
    elif role == "use":
        library, domain = asked.project.library, asked.opened.domain
        known = usable(library)
        for address, call in sorted(known.items()):
            if address != asked.opened.name(asked.at.document):
                yield written(address, domain, known), f"{call.kind}: {call.summary}"
    elif role in _CODED:
        yield from ((name, "") for name in _addresses(asked, role))
    elif role == "outcome":
        yield from ((name, "an outcome") for name in _outcomes(asked))
    elif role in ("exit", "node path", "step"):
        workflow = _workflow(asked)
        if role == "exit":
            body = asked.project.library.workflows.get(workflow or "")
            yield from ((leaving.name.text, "an exit") for leaving in (body.exits if body else ()))
            yield REJECTED_EXIT, "the reserved exit"
        else:
            for name in _nodes_of(asked, workflow):
                outcomes = _outcomes_in(asked, workflow, name) if role == "step" else [""]
                yield from ((f"{name} {outcome}".strip(), "a step" if outcome else "a node") for outcome in outcomes)


def _addresses(asked: _Asked, role: str) -> list[str]:
    """Return the addresses of a kind; of stores, where a node names one, those that its capability governs."""
    known = getattr(asked.project.library, _CODED[role])
    found = sorted(known)
    owner = asked.at.path[:-1]
    if role == "store" and asked.at.path[-1:] == ("store",):
        call = call_at(asked.project, asked.opened, asked.at.document, owner)
        if call is not None and call.governor is not None:
            found = [address for address in found if known[address].governed_by == call.governor] or found
    return [written(address, asked.opened.domain, known) for address in found]


def _outcomes(asked: _Asked) -> list[str]:
    """Return the outcomes that a list or a value may name: of what is called there."""
    path = asked.at.path
    point = path[:-2] if isinstance(path[-1], int) else path[:-1]
    node = path[2] if path[:2] == ("given", "answers") else asked.value((*point, "node"))
    if asked.kind in ("test", "invariant") and node is not None:
        return _outcomes_in(asked, _workflow(asked), str(node))
    for length in range(len(path), 0, -1):
        call = call_at(asked.project, asked.opened, asked.at.document, path[:length])
        if call is not None:
            timed = "retry" in path and asked.value((*path[:length], "deadline"))
            return [*call.outcomes, *(["TIMEOUT"] if timed else [])]
    if path[:1] == ("nodes",) and len(path) > 1:
        return decided(asked.opened, asked.at.document, path[:2])
    if asked.kind == "transform":
        return asked.names("outcomes")
    return ["SUCCESS"]


def _outcomes_in(asked: _Asked, workflow: str | None, path: str) -> list[str]:
    library = asked.project.library
    found = node_of(library, workflow, path) if workflow else None
    return outcomes_of(library, *found) if found else ["SUCCESS"]


def _workflow(asked: _Asked) -> str | None:
    """Return the address of the workflow that a scenario's step, or the scenario, or a law's first choice names."""
    path = asked.at.path
    places: list[Path] = [("workflow",), ("applies_to", "workflows", 0)]
    if path[:1] == ("steps",) and len(path) > 1:
        places.insert(0, (*path[:2], "workflow"))
    if path[:1] == ("every_path",) and isinstance(path[1], int):
        places.insert(0, (*path[:2], "applies_to", "workflows", 0))
    known = asked.project.library.workflows
    return next(
        (found for place in places if (found := address_in(known, asked.value(place) or "", asked.opened.domain))), None
    )


def _nodes_of(asked: _Asked, workflow: str | None) -> list[str]:
    body = asked.project.library.workflows.get(workflow or "")
    return [node.name.text for node in body.nodes] if body else []


def _paths(asked: _Asked) -> _Found:
    path, word = asked.at.path, asked.at.word
    text = word.text if word is not None else ""
    if text and not text.startswith("$"):
        return
    place = (word.start if word else asked.offset, asked.end)
    surveyed = surveyed_at(asked.project, asked.opened, asked.at.document, place)
    base = _BASE.match(text)
    segments = parse_path(base[1]) if base else ()
    if surveyed is None or isinstance(segments, PathError) or len(path) < 2:
        return
    each = path[2:3] == ("with",) and path[:1] == ("nodes",)
    for item in readable(surveyed, str(path[1]), segments, each=each, first="$first" in path):
        detail = ", ".join(part for part in (item.type, item.presence) if part)
        yield item.path, item.path, "path", detail, item.rank
