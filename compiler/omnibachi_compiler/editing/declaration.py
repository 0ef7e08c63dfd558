"""Where the name under the cursor is declared."""

from __future__ import annotations

from omnibachi_model.diagnostics import Span

from .calls import address_in, node_of
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


def _in_workflow(project: Project, opened: Open, spot: Spot) -> list[Span]:
    """Return where the workflow of a scenario or a law declares the exit or the node that is named in it."""
    if spot.kind not in ("test", "invariant") or spot.role not in ("exit", "node path", "step"):
        return []
    document, path, library = spot.token.document, spot.token.path, project.library
    places: list[Path] = [("workflow",), ("applies_to", "workflows", 0)]
    if path[:1] == ("steps",):
        places.insert(0, (*path[:2], "workflow"))
    if path[:1] == ("every_path",) and isinstance(path[1], int):
        places.insert(0, (*path[:2], "applies_to", "workflows", 0))
    named = (opened.value(document, place) for place in places)
    address = next(
        (found for text in named if (found := address_in(library.workflows, text or "", opened.domain))), None
    )
    if address is None:
        return []
    if spot.role == "exit":
        return [item.name.span for item in library.workflows[address].exits if item.name.text == spot.token.text]
    node = node_of(library, address, spot.token.text.partition(" ")[0])
    return [node[0].name.span] if node else []
