"""The picture of a workflow and of the path that a run took, as DOT text.

Shapes say what a node is, so that a picture in black and white says it too: transforms are rounded, computations
square, decisions hexagons, loops deep boxes, effects on a store cylinders, other effects have plugs; an exit's form
tells its status (COMPLETED a double line, REJECTED an octagon, DENIED a double octagon, FAILED crossed corners).
Colour tells how the run ended. The taken path is thick and numbered; the rest is grey and dashed. `picture_plan`
decides what is drawn.
"""

from __future__ import annotations

import html
import itertools
import re
from typing import Any

import graphviz

from omnibachi_model.addresses import split
from omnibachi_model.record import Broken, read
from omnibachi_model.sealed import ALL, CALL, CANCELLED_EXIT, DECIDE, EACH, FAULT, LOOPS, PASS, REPEAT, WAIT
from omnibachi_model.ways import named

from .picture_plan import FAN, Plan, Route, plan
from .renderer import render
from .story import Story, add, exits_of, join

FONT = "Helvetica"
INK = "#1f2328"
QUIET = "#8c959f"
QUIET_LINE = "#c4cad1"
SOFT = "#59636e"
BLUE = ("#0969da", "#ddf4ff")
COLOURS = {
    "COMPLETED": ("#1a7f37", "#dafbe1"),
    "REJECTED": ("#9a6700", "#fff8c5"),
    "DENIED": ("#8250df", "#fbefff"),
    "FAILED": ("#cf222e", "#ffebe9"),
}
EXITS = {
    "COMPLETED": {"shape": "box", "style": "rounded,filled", "peripheries": "2"},
    "REJECTED": {"shape": "octagon", "style": "filled", "margin": "0,0"},
    "DENIED": {"shape": "doubleoctagon", "style": "filled", "margin": "0,0"},
    "FAILED": {"shape": "box", "style": "filled,diagonals"},
}
MOST_BESIDE = 6
LONGEST_LINE = 40
_STRANGE = re.compile(r"[^A-Za-z0-9_./-]")
# Dots per inch by the number of nodes drawn: most of a large picture's time goes into its pixels.
SHARPNESS: tuple[tuple[int | None, str], ...] = ((60, "110"), (240, "84"), (None, "60"))


def draw(record: bytes, workflow: dict[str, Any], form: str) -> bytes:
    """Draw the path of a record over its sealed workflow as `png`, `svg` or `dot` text.

    Of a record that does not hold, what stands before the break is drawn. Raises PictureFailed.
    """
    story = Story(workflow)
    try:
        for event in read(record):
            add(story, event)
    except Broken:
        story.finished = False
        story.end = {}
    join(story)
    path = [(step.node, step.outcome) for step in story.steps]
    text = dot(workflow, path, ending=story.exit)
    return text.encode() if form == "dot" else render(text, form)


def dot(
    workflow: dict[str, Any],
    path: list[tuple[str, str]] | None = None,
    *,
    ending: str | None = None,
    brief: bool = False,
) -> str:
    """Write a sealed workflow as DOT text.

    `path` is the taken path as (node, outcome); None draws the graph without a run. `ending` is the exit that the run
    reached, None for a run without an end. `brief` leaves out the lines beside nodes, and sets the path on the left.
    """
    cancelled = ending == CANCELLED_EXIT and ending not in exits_of(workflow)
    shown = plan(workflow, path, None if cancelled else ending)
    if brief:
        shown.beside = {}
        shown.nodes = dict(sorted(shown.nodes.items(), key=lambda item: item[0] not in shown.steps))
        shown.routes.sort(key=lambda route: not route.taken)
    status = "FAILED" if cancelled else exits_of(workflow).get(ending or "")
    strong, _ = COLOURS.get(status or "", BLUE)
    graph = graphviz.Digraph("workflow")
    graph.attr("graph", **_page(workflow, shown, path, ending, status, strong))
    graph.attr("node", fontname=FONT, fontsize="12", margin="0.12,0.07", penwidth="1")
    graph.attr("edge", fontname=FONT, fontsize="10", arrowsize="0.7")
    _gate(graph, workflow, shown, path, ending, strong)
    for name, node in shown.nodes.items():
        _node(graph, name, node, shown, strong, path is None)
    for name, node in shown.exits.items():
        _exit(graph, name, node, shown)
    depths = _depths(shown.routes) if path is None else {}
    for route in shown.routes:
        _edge(graph, route, path is None, strong, depths.get(route, 1))
    for name, routes in shown.beside.items():
        _beside(graph, name, routes)
    _fold(graph, shown, strong)
    if path and (ending is None or cancelled):
        last = next((named(name) for name, _ in reversed(path) if named(name) in shown.nodes), None)
        if last:
            end, colour = ("cancelled", strong) if cancelled else ("no end is recorded", BLUE[0])
            graph.node("_open", label=f"<{_text(end, 10, colour)}>", shape="plaintext")
            graph.edge(_id(last), "_open", color=colour, style="dotted", penwidth="2")
    return str(graph.source)


def _page(
    workflow: dict[str, Any],
    shown: Plan,
    path: list[tuple[str, str]] | None,
    ending: str | None,
    status: str | None,
    strong: str,
) -> dict[str, str]:
    code = split(str(workflow.get("address")))[1]
    rows = [f"<b>{_text(code, 16, INK)}</b>"]
    if path is not None:
        count = f"{len(path)} step{'' if len(path) == 1 else 's'}" if path else "no node ran"
        end = f"<b>{_text(ending, 12, strong)}</b>{_text(f'  ·  {status}  ·  {count}', 12, SOFT)}" if ending else ""
        rows.append(end or _text(f"not finished  ·  {count}", 12, strong))
    if shown.left_out:
        plural = "" if shown.left_out == 1 else "s"
        rows.append(_text(f"{shown.left_out} further node{plural} not drawn", 10, QUIET))
    crashed = any(route.taken and FAULT in route.outcomes for route in shown.routes)
    if shown.crash is not None and not crashed:
        rows.append(
            _text(f"a crash of any node → {shown.crash}" if shown.crash else "crash routes not drawn", 10, QUIET)
        )
    cells = "".join(f'<tr><td align="left">{row}</td></tr>' for row in rows) + '<tr><td height="8"></td></tr>'
    label = f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="2">{cells}</table>>'
    dpi = next(sharp for most, sharp in SHARPNESS if most is None or len(shown.nodes) <= most)
    return {
        "label": label, "labelloc": "t", "labeljust": "l", "fontname": FONT, "bgcolor": "#ffffff", "pad": "0.3",
        "nodesep": "0.35", "ranksep": "0.35", "rankdir": "TB", "dpi": dpi,
    }  # fmt: skip


def _gate(
    graph: Any, workflow: dict[str, Any], shown: Plan, path: list[Any] | None, ending: str | None, strong: str
) -> None:
    intent = split(str(workflow.get("intent") or "start"))[1]
    graph.node("_gate", label=f"<{_text(intent, 10, '#ffffff')}>", shape="box", style="rounded,filled", fillcolor=INK,
               color=INK, margin="0.1,0.04", height="0.25")  # fmt: skip
    first = shown.first
    refused = path is not None and not path and ending in shown.exits
    if first in shown.nodes or first in shown.exits:
        on = (
            {"color": strong, "penwidth": "2.6", "weight": "8"}
            if path
            else {"color": SOFT if path is None else QUIET_LINE}
        )
        quiet = {"style": "dashed"} if path is not None and not path else {}
        graph.edge("_gate", _id(str(first)), **on, **quiet)
    if refused:
        graph.edge("_gate", _id(str(ending)), label=f"<{_text(' refused', 10, strong)}>", color=strong, penwidth="2.6")


def _node(graph: Any, name: str, node: dict[str, Any], shown: Plan, strong: str, whole: bool) -> None:
    number = shown.steps.get(name)
    bright = whole or number is not None
    title, below = INK if bright else QUIET, SOFT if bright else QUIET
    lines = [f"<b>{_text(piece, 12, title)}</b>" for piece in _pieces(name)]
    lines += [_text(piece, 9, below) for line in subtitle(node, shown.visits[name]) for piece in _pieces(line)]
    style = _form(node)
    if whole:
        look = {"color": SOFT, "fillcolor": "#f6f8fa"}
    elif number is not None:
        look = {"color": strong, "fillcolor": "#ffffff", "penwidth": "2"}
    else:
        look = {"color": QUIET_LINE, "fillcolor": "#ffffff"}
        style["style"] += ",dashed"
    graph.node(_id(name), label=_label(lines, number, strong, lid=style["shape"] == "cylinder"), **style, **look)


def subtitle(node: dict[str, Any], visits: int) -> list[str]:
    """Return the lines below a node's name: what it does, and how often where a loop did it more than once."""
    kind = node.get("kind")
    store = node.get("store")
    lines = {
        CALL: [split(str(node.get("use")))[1], *([split(store)[1]] if isinstance(store, str) else [])],
        DECIDE: ["decide"],
        EACH: [f"for each item, at most {node.get('max')}"],
        REPEAT: [f"again, at most {node.get('max')} times"],
        ALL: ["all of these"],
        PASS: ["what it was given"],
        WAIT: [f"{node.get('quorum')} of {', '.join(map(str, node.get('roles') or ()))}"],
    }.get(str(kind), ["compute"])
    return [*lines, f"{visits} times"] if visits > 1 else lines


def _form(node: dict[str, Any]) -> dict[str, str]:
    if node.get("kind") == DECIDE:
        return {"shape": "hexagon", "style": "filled", "margin": "0,0.02"}
    if node.get("kind") == WAIT:
        return {"shape": "octagon", "style": "filled", "margin": "0,0.02"}
    if node.get("kind") in LOOPS:
        return {"shape": "box3d", "style": "filled", "margin": "0.18,0.14"}
    if node.get("kind") != CALL:
        return {"shape": "box", "style": "filled"}
    if node.get("effect") == "PURE":
        return {"shape": "box", "style": "rounded,filled"}
    if node.get("store"):
        return {"shape": "cylinder", "style": "filled", "margin": "0.12,0"}
    return {"shape": "component", "style": "filled"}


def _label(lines: list[str], number: int | None, strong: str, *, lid: bool = False) -> str:
    """Write a node's label: a badge with the step's number, then the lines; `lid` keeps clear of a cylinder's top."""
    align = "left" if number is not None else "center"
    cells = [f'<td align="{align}">{line}</td>' for line in lines]
    if number is not None:
        badge = f"<b>{_text(str(number), 11, '#ffffff')}</b>"
        cells[0] = (
            f'<td rowspan="{len(lines)}" bgcolor="{strong}" style="rounded" width="20">{badge}</td>'
            f'<td rowspan="{len(lines)}" width="4"></td>{cells[0]}'
        )
    rows = ('<tr><td height="9"></td></tr>' if lid else "") + "".join(f"<tr>{cell}</tr>" for cell in cells)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{rows}</table>>'


def _exit(graph: Any, name: str, node: dict[str, Any], shown: Plan) -> None:
    status = str(node.get("status"))
    strong, soft = COLOURS.get(status, BLUE)
    lines = [*(f"<b>{_text(piece, 12, INK)}</b>" for piece in _pieces(name)), _text(status, 9, strong)]
    form = EXITS.get(status, EXITS["FAILED"])
    wide = {"penwidth": "2"} if shown.steps or name in shown.exits else {}
    graph.node(
        _id(name), label=_label(lines, shown.steps.get(name), strong), color=strong, fillcolor=soft, **form, **wide
    )


def _depths(routes: list[Route]) -> dict[Route, int]:
    """Set the many ways of one node in several rows below it: how many ranks each of them goes down."""
    ways: dict[str, list[Route]] = {}
    for route in routes:
        ways.setdefault(route.source, []).append(route)
    return {route: 1 + place % -(-len(found) // FAN) for found in ways.values() for place, route in enumerate(found)}


def _edge(graph: Any, route: Route, whole: bool, strong: str, depth: int) -> None:
    lines = list(route.outcomes)
    if route.taken:
        colour = COLOURS["FAILED"][0] if FAULT in route.outcomes else strong
        label = f"<b>{_text(' ' + lines[0] + ' ', 10, colour)}</b>"
        look = {"color": colour, "penwidth": "2.6", "weight": "8"}
    else:
        colour = SOFT if whole else QUIET
        label = "<br/>".join(_text(f" {line} ", 9, colour) for line in lines)
        look = {"color": SOFT} if whole else {"color": QUIET_LINE, "style": "dashed"}
    if depth > 1:
        look["minlen"] = str(depth)
    graph.edge(_id(route.source), _id(route.target), label=f"<{label}>", **look)


def _beside(graph: Any, name: str, routes: list[tuple[str, str]]) -> None:
    """Write the routes that are not drawn as edges beside their node, on the same rank."""
    shown = routes[:MOST_BESIDE]
    rows = [
        f"{_text(outcome, 9, QUIET)}{_text(' →  ', 9, QUIET)}<i>{_text(target, 9, SOFT)}</i>"
        for outcome, target in shown
    ]
    if len(routes) > MOST_BESIDE:
        rows.append(_text(f"and {len(routes) - MOST_BESIDE} more", 9, QUIET))
    cells = "".join(f'<tr><td align="left">{row}</td></tr>' for row in rows)
    label = f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="0">{cells}</table>>'
    with graph.subgraph() as rank:
        rank.attr(rank="same")
        rank.node(f"_beside {_id(name)}", label=label, shape="plaintext", margin="0.04,0", height="0.1")
        rank.edge(_id(name), f"_beside {_id(name)}", color=QUIET_LINE, style="dashed", arrowhead="none", weight="20")


def _fold(graph: Any, shown: Plan, strong: str) -> None:
    """Set the columns of a folded path side by side, with connectors from the foot of one to the head of the next."""
    if len(shown.columns) < 2:
        return
    heads = ["_gate"]
    for index, column in enumerate(shown.columns[1:], 1):
        foot, head, number = shown.columns[index - 1][-1], column[0], str(shown.steps[column[0]])
        look = {
            "shape": "circle",
            "style": "filled",
            "color": strong,
            "fillcolor": "#ffffff",
            "margin": "0.02",
            "penwidth": "2",
        }
        label = f"<<b>{_text(number, 10, strong)}</b>>"
        graph.node(f"_to {index}", label=label, **look)
        graph.node(f"_from {index}", label=label, **look)
        graph.edge(_id(foot), f"_to {index}", color=strong, penwidth="2.6", weight="8")
        graph.edge(f"_from {index}", _id(head), color=strong, penwidth="2.6", weight="8")
        heads.append(f"_from {index}")
    with graph.subgraph() as rank:
        rank.attr(rank="same")
        for left, right in itertools.pairwise(heads):
            rank.edge(left, right, style="invis")


def _id(name: str) -> str:
    """Return the DOT identifier of a node: plain ASCII, and never one of the picture's own, which begin with `_`."""
    return "n " + _STRANGE.sub(lambda found: f"({ord(found.group()):x})", name)


def _pieces(name: str) -> list[str]:
    """Cut a long name into lines, behind an underscore or a full stop where there is one."""
    pieces = []
    while len(name) > LONGEST_LINE:
        cut = 1 + max(name.rfind(mark, 0, LONGEST_LINE) for mark in "_.") or LONGEST_LINE
        pieces.append(name[:cut])
        name = name[cut:]
    return [*pieces, name]


def _text(text: object, size: int, colour: str) -> str:
    """Write a piece of an HTML-like label; characters that the renderer has no glyphs for become escapes."""
    shown = "".join(char if drawable(char) else f"\\u{ord(char):04x}" for char in str(text))
    return f'<font point-size="{size}" color="{colour}">{html.escape(shown)}</font>'


def drawable(char: str) -> bool:
    """Tell whether the renderer's fonts have the character: Latin, Greek, Cyrillic and common punctuation."""
    number = ord(char)
    return 0x20 <= number < 0x7F or 0xA0 <= number < 0x530 or 0x1E00 <= number < 0x2000 or char in "–—‘’“”…→·•"
