"""What the name at a spot refers to: an artifact of the library, a node or an end of the text's own graph, a path into
the payload, the inputs or what a node gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omnibachi_compiler.paths import PathError, parse_path
from omnibachi_model.addresses import candidates
from omnibachi_model.diagnostics import Span

from .calls import Call, address_in, usable
from .roles import GRAPHS
from .scan import Path, Token
from .spots import Open, Project, Spot

KEPT = {"store": "stores", "event": "events", "intent": "intents", "workflow": "workflows",
        "side_effect": "side_effects", "schema": "schemas"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that the library holds: its kind, address, and itself."""

    kind: str
    address: str
    item: Any

    @property
    def span(self) -> Span:
        """Where it is declared."""
        sealed = self.kind in ("store", "event", "intent", "schema", "use")
        found: Span = self.item.span if sealed else self.item.name.span
        return found


def artifact_at(project: Project, opened: Open, spot: Spot) -> Artifact | None:
    """Return the artifact that the name at a spot means."""
    text, library = spot.token.text, project.library
    if spot.role == "use":
        call = used(project, opened, text)
        if call is not None:
            return Artifact("use", call.address, call)
        address = address_in(library.side_effects, text, opened.domain)
        return Artifact("side_effect", address, library.side_effects[address]) if address else None
    if spot.role in KEPT:
        known = getattr(library, KEPT[spot.role])
        address = address_in(known, text, opened.domain)
        return Artifact(spot.role, address, known[address]) if address else None
    return None


def used(project: Project, opened: Open, text: str) -> Call | None:
    """Return what a `use` names."""
    known = usable(project.library)
    code, _, operation = text.partition(".")
    wanted = (f"{item}.{operation}" if operation else item for item in candidates(code, opened.domain))
    return next((known[item] for item in wanted if item in known), None)


def path_at(spot: Spot) -> tuple[str | int, ...] | None:
    """Return the segments of the path that stands at a spot, or None where none does."""
    text = spot.token.text
    if spot.role != "template" or spot.token.key or not text.startswith(("$.", "$[")):
        return None
    found = parse_path(text)
    return None if isinstance(found, PathError) else found


def node_at(opened: Open, spot: Spot) -> str | None:
    """Return the node of the text's own graph that is named or declared at a spot."""
    if spot.kind not in GRAPHS:
        return None
    token = spot.token
    nodes = {item.text for item in opened.keys(token.document, ("nodes",))}
    if token.key:
        return token.text if token.path[:-1] == ("nodes",) else None
    if spot.role in ("target", "node"):
        return token.text if token.text in nodes else None
    path = path_at(spot)
    if path is not None and len(path) > 1 and path[0] == "nodes" and path[1] in nodes:
        return str(path[1])
    return None


def key_of(opened: Open, document: int, path: Path) -> Token | None:
    """Return the key that declares what stands at a path of a document."""
    return next((item for item in opened.keys(document, path[:-1]) if item.path == path), None)


def span_of(opened: Open, token: Token) -> Span:
    """Return the place of a token."""
    return Span(opened.path, *opened.places.place(token.start), *opened.places.place(token.end))
