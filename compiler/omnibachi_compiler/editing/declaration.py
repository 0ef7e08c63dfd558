"""Where the name under the cursor is declared."""

from __future__ import annotations

from omnibachi_model.addresses import candidates
from omnibachi_model.diagnostics import Span

from .calls import address_in
from .references import artifact_at, key_of, node_at, path_at, span_of
from .scan import Path
from .spots import Open, Project, Spot, spot_at


def declarations(project: Project, opened: Open, offset: int) -> list[Span]:
    """Return the places that declare what is named at an offset; of a member of a payload that it is declared in."""
    spot = spot_at(opened, offset)
    if spot is None:
        return []
    artifact = artifact_at(project, opened, spot)
    if artifact is not None:
        return [artifact.span]
    document, path = spot.token.document, path_at(spot)
    places: list[Path] = []
    node = node_at(opened, spot)
    if node is not None:
        places = [("nodes", node)]
        if path is not None and len(path) > 2:
            places.insert(0, ("nodes", node, "compute", path[2]))
    elif spot.role == "target":
        places = [(key, spot.token.text) for key in ("exits", "outcomes")]
    elif path is not None and path[:1] == ("inputs",) and len(path) > 1:
        places = [("inputs", path[1])]
    elif path is not None and path[:1] == ("payload",):
        return _member(project, opened, document, path[1:])
    elif path is not None and path[:1] == ("each",):
        places = [(*spot.token.path[:2], key) for key in ("as", "each")]
    found = [key for place in places if (key := key_of(opened, document, place)) is not None]
    if found:
        return [span_of(opened, found[0])]
    return _in_workflow(project, opened, spot)


def _member(project: Project, opened: Open, document: int, path: Path) -> list[Span]:
    """Return where a member of the payload is declared, or the nearest one around it."""
    known = project.library.intents
    address = address_in(known, opened.value(document, ("intent",)) or "", opened.domain)
    if address is None:
        return []
    shape = known[address]
    for length in range(len(path), 0, -1):
        pointer = "".join(f"/{step}" for step in path[:length])
        if pointer in shape.members:
            return [shape.members[pointer]]
    return [shape.span]


def workflow_of(project: Project, opened: Open, document: int, path: Path) -> str | None:
    """Return the address of the workflow that a scenario's step, or the scenario, runs."""
    own = opened.value(document, (*path[:2], "workflow")) if path[:1] == ("steps",) and len(path) > 1 else None
    text = own or opened.value(document, ("workflow",)) or ""
    return next((item for item in candidates(text, opened.domain) if item in project.library.workflows), None)


def _in_workflow(project: Project, opened: Open, spot: Spot) -> list[Span]:
    """Return where the workflow of a scenario declares the exit or the node that is named in it."""
    if spot.kind != "test" or spot.role not in ("exit", "node path", "step"):
        return []
    address = workflow_of(project, opened, spot.token.document, spot.token.path)
    body = project.library.workflows[address] if address else None
    if body is None:
        return []
    name = spot.token.text.partition(" ")[0].partition("/")[0].partition("[")[0]
    named = body.exits if spot.role == "exit" else body.nodes
    return [item.name.span for item in named if item.name.text == name]
