"""Renaming a node: its declaration and everything that names it, in its own text, in scenarios and in laws. (A named
schema is renamed too, see `rename_schema`.)

Node paths go through what nodes use (`license/read`), so a scenario or a law may name a node of a contract by way of
any workflow that uses it. What cannot be renamed for certain is refused: nothing is changed then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from omnibachi_compiler.declarations import Each, Node, Repeat, Use
from omnibachi_model.addresses import NAME, candidates, split
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.sealed import RESERVED_EXITS

from .calls import address_in
from .references import node_at, path_at, span_of
from .rename_schema import places_of, refused, schema_at
from .roles import role_of
from .scan import Token
from .spots import Open, Project, Spot, spot_at

_SEGMENT = re.compile(r"([^/\[\s]+)((?:\[[^\]]*\])?)(?:/|(?=\s)|\Z)")


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of a text, by offsets, and what stands there afterwards."""

    start: int
    end: int
    text: str


@dataclass(slots=True)
class _Renaming:
    project: Project
    address: str
    old: str
    new: str
    edits: dict[str, list[Edit]] = field(default_factory=dict)

    def edit(self, opened: Open, start: int, length: int) -> None:
        self.edits.setdefault(opened.path, []).append(Edit(start, start + length, self.new))


def renamable(opened: Open, offset: int) -> tuple[str, Token] | Diagnostic:
    """Return the node of the text's own graph, or the schema, that is named at an offset, and what stands there; else
    why there is nothing to rename."""
    spot = spot_at(opened, offset)
    name = (schema_at(opened, spot) or node_at(opened, spot)) if spot else None
    if spot is None or name is None:
        return Diagnostic(
            "OB770",
            "here is no node of this text, and no schema",
            help="go to the name of a node or a schema, or to a place that names it",
        )
    return name, spot.token


def rename(project: Project, opened: Open, offset: int, new: str) -> dict[str, list[Edit]] | Diagnostic:
    """Return the edits, by path of the text, that give the node or schema at an offset another name; or why it cannot
    have it.

    Diagnostics: OB770 to OB774.
    """
    spot = spot_at(opened, offset)
    schema = schema_at(opened, spot) if spot else None
    if spot is not None and schema is not None:
        return _schema(project, opened, spot, schema, new)
    old = node_at(opened, spot) if spot else None
    if spot is None or old is None:
        found = renamable(opened, offset)
        assert isinstance(found, Diagnostic)
        return found
    wrong = _refused(opened, spot, old, new)
    if wrong is not None:
        return wrong
    renaming = _Renaming(project, opened.name(spot.token.document), old, new)
    wrong = _own(renaming, opened, spot.token.document)
    for path, text in sorted(project.texts.items()):
        if old not in text and "\\" not in text:
            continue  # written plainly or with escapes, it is not there
        other = opened if path == opened.path else Open(path, path.split("/")[1], text)
        for document in {token.document for token in other.tokens}:
            wrong = wrong or _elsewhere(renaming, other, document)
    return wrong or renaming.edits


def _schema(project: Project, opened: Open, spot: Spot, name: str, new: str) -> dict[str, list[Edit]] | Diagnostic:
    wrong = refused(project, opened, spot.token, new)
    places = places_of(project, opened, name)
    if wrong is not None or places is None:
        place = span_of(opened, spot.token)
        advice = "mend it first, then rename"
        return wrong or Diagnostic("OB773", f"no schema is known as `{name}`", place, help=advice)
    edits: dict[str, list[Edit]] = {}
    for other, token in places:
        code = split(token.text)[1]
        at = other.text.rfind(code, token.start, token.end)
        if at < 0:
            message = f"`{token.text}` is written with escapes"
            return Diagnostic("OB773", message, span_of(other, token), help="write the name plainly, then rename")
        edits.setdefault(other.path, []).append(Edit(at, at + len(code), new))
    return edits


def _refused(opened: Open, spot: Spot, old: str, new: str) -> Diagnostic | None:
    document, place = spot.token.document, span_of(opened, spot.token)
    if NAME.match(new) is None or new in RESERVED_EXITS:
        message = f"`{new[:80]}` cannot be the name of a node"
        return Diagnostic("OB771", message, place, help="write a small letter, then small letters, digits and `_`")
    taken = [key.text for part in ("nodes", "exits", "outcomes") for key in opened.keys(document, (part,))]
    if new in taken:
        return Diagnostic("OB772", f"`{new}` is taken already", place, help=f"choose another name for `{old}`")
    if document not in opened.trees or not opened.name(document):
        return Diagnostic("OB773", "the text cannot be read as it stands", place, help="mend it first, then rename")
    return None


def _own(renaming: _Renaming, opened: Open, document: int) -> Diagnostic | None:
    """Note the edits in the graph's own document."""
    kind, old = opened.kind(document), renaming.old
    for token in opened.tokens:
        if token.document != document or kind is None:
            continue
        spot = Spot(kind, token, role_of(kind, token.path, key=token.key))
        if token.key or spot.role in ("target", "node"):
            if token.text == old and node_at(opened, spot) == old:
                renaming.edit(opened, token.start + token.quoted, len(old))
            continue
        path = path_at(spot)
        if path is None or path[:2] != ("nodes", old):
            continue
        written = opened.text[token.start : token.end]
        place = re.compile(rf"""\$\s*(?:\.|\[\s*['"])nodes(?:['"]\s*\])?\s*(?:\.|\[\s*['"])({old})(?!\w)""")
        found = place.search(written)
        if found is None:
            message = f"`{token.text}` is written with escapes"
            return Diagnostic("OB773", message, span_of(opened, token), help="write the path plainly, then rename")
        renaming.edit(opened, token.start + found.start(1), len(old))
    return None


def _elsewhere(renaming: _Renaming, opened: Open, document: int) -> Diagnostic | None:
    """Note the edits in a scenario or a law."""
    tokens = [item for item in opened.tokens if item.document == document and renaming.old in item.text]
    kind = opened.kind(document) if tokens else None
    if kind not in ("test", "invariant"):
        return None
    bound = _workflows(renaming.project, opened, document, kind)
    for token in tokens:
        if role_of(kind, token.path, key=token.key) not in ("node path", "step"):
            continue
        workflows = bound
        if kind == "test" and token.path[:1] == ("steps",):
            own = opened.value(document, (*token.path[:2], "workflow"))
            meant = address_in(renaming.project.library.workflows, own, opened.domain) if own else None
            workflows = [meant] if meant else bound[:1]
        places = {at for workflow in workflows for at in _named(renaming, workflow, token.text)}
        hits = {place for place in places if place[1]}
        if hits and any(not named for at, named in places if (at, True) in hits):
            message = f"`{token.text}` names a node of another workflow too"
            advice = "give the law, or the scenario, one workflow, or rename both nodes by hand"
            return Diagnostic("OB774", message, span_of(opened, token), help=advice)
        for at, _ in sorted(hits):
            renaming.edit(opened, token.start + token.quoted + at, len(renaming.old))
    return None


def _workflows(project: Project, opened: Open, document: int, kind: str) -> list[str]:
    """Return the workflows that a scenario or a law speaks of, the scenario's own first."""
    known = project.library.workflows
    named: list[str] = []
    for token in opened.tokens:
        named_here = token.document == document and not token.key and "except" not in token.path
        if named_here and role_of(kind, token.path, key=False) == "workflow":
            meant = address_in(known, token.text, opened.domain)
            if meant is not None and meant not in named:
                named.insert(0 if token.path == ("workflow",) else len(named), meant)
    return named or (sorted(known) if kind == "invariant" else [])


def _named(renaming: _Renaming, workflow: str, text: str) -> Iterator[tuple[int, bool]]:
    """Follow a node path through a workflow and what its nodes use: where each step that has the old name begins, and
    whether it is the node that is renamed."""
    bodies = renaming.project.library.bodies
    address: str | None = workflow
    for segment in _SEGMENT.finditer(text.partition(" ")[0]):
        body = bodies.get(address or "")
        node = next((item for item in body.nodes if item.name.text == segment[1]), None) if body else None
        if body is None or node is None:
            return
        if segment[1] == renaming.old:
            yield segment.start(1), address == renaming.address
        address = _used(node, body.domain, bodies)


def _used(node: Node, domain: str, bodies: object) -> str | None:
    call = node.call if isinstance(node, Each | Repeat) else node
    if not isinstance(call, Use) or not isinstance(bodies, dict):
        return None
    return next((item for item in candidates(call.use.text, domain) if item in bodies), None)
