"""The picture of a workflow as Mermaid text, which many pages draw by themselves.

It shows what `picture` shows of a workflow without a run, but every exit as a box and every route as an edge, since the
reader's program lays it out. All text is escaped by number, so a name can neither end a label nor become markup.
"""

from __future__ import annotations

import re
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.sealed import CALL, DECIDE, EXIT, LOOPS, WAIT

from .picture import COLOURS, subtitle
from .picture_plan import plan
from .story import nodes_of

# A long name is one word: without more room than is usual its end would be cut off.
CONFIG = ("config:", "  flowchart:", "    wrappingWidth: 500")
_PLAIN = re.compile(r"[^A-Za-z0-9_./:,()→ \[\]-]")
_ROUND, _BOX, _HEXAGON, _DRUM, _PLUG, _PILL = (
    ("(", ")"),
    ("[", "]"),
    ("{{", "}}"),
    ("[(", ")]"),
    ("[[", "]]"),
    ("([", "])"),
)


def mermaid(workflow: dict[str, Any]) -> str:
    """Write a sealed workflow as a Mermaid flowchart, nodes from the top to the bottom."""
    shown = plan(workflow, None, None)
    exits = {str(node.get("name")): node for node in nodes_of(workflow) if node.get("kind") == EXIT}
    edges = [(route.source, list(route.outcomes), route.target) for route in shown.routes]
    grouped: dict[tuple[str, str], list[str]] = {}
    for source, routes in shown.beside.items():
        for outcome, target in routes:
            grouped.setdefault((source, target), []).append(outcome)
    edges += [(source, outcomes, target) for (source, target), outcomes in grouped.items()]
    drawn = {*shown.nodes, *(target for _, _, target in edges if target in exits), *shown.exits}
    first = shown.first
    if first in exits:
        drawn.add(first)
    ids = {name: f"n{number}" for number, name in enumerate(sorted(drawn))}
    code = split(str(workflow.get("address")))[1]
    title = [code]
    if shown.crash is not None:
        title.append(f"a crash of any node → {shown.crash}" if shown.crash else "crash routes not drawn")
    if shown.left_out:
        title.append(f"{shown.left_out} further node{'' if shown.left_out == 1 else 's'} not drawn")
    lines = ["---", f'title: "{_text(", ".join(title), "")}"', *CONFIG, "---", "flowchart TD"]
    lines.append(f'  gate{_PILL[0]}"{_text(split(str(workflow.get("intent") or "start"))[1])}"{_PILL[1]}:::gate')
    for name, node in shown.nodes.items():
        lines.append(_box(ids[name], [name, *subtitle(node, 1)], _form(node), "step"))
    for name, node in exits.items():
        if name in ids:
            status = str(node.get("status"))
            lines.append(_box(ids[name], [name, status], _PILL, status.lower() if status in COLOURS else "step"))
    if first in ids:
        lines.append(f"  gate --> {ids[str(first)]}")
    for source, outcomes, target in edges:
        if source in ids and target in ids:
            lines.append(f'  {ids[source]} -->|"{_lines(outcomes)}"| {ids[target]}')
    lines.append("  classDef gate fill:#1f2328,stroke:#1f2328,color:#ffffff")
    lines.append("  classDef step fill:#f6f8fa,stroke:#59636e,color:#1f2328")
    for status, (strong, soft) in COLOURS.items():
        lines.append(f"  classDef {status.lower()} fill:{soft},stroke:{strong},color:#1f2328")
    return "\n".join(lines) + "\n"


def _box(identifier: str, lines: list[str], form: tuple[str, str], style: str) -> str:
    return f'  {identifier}{form[0]}"{_lines(lines)}"{form[1]}:::{style}'


def _lines(lines: list[str]) -> str:
    return "<br/>".join(_text(line) for line in lines)


def _form(node: dict[str, Any]) -> tuple[str, str]:
    """Choose the shape that stands for what a node is, as in the picture."""
    kind = node.get("kind")
    if kind == DECIDE:
        return _HEXAGON
    if kind in LOOPS:
        return _PLUG
    if kind == WAIT:
        return _PILL
    if kind != CALL:
        return _BOX
    if node.get("effect") == "PURE":
        return _ROUND
    return _DRUM if node.get("store") else _PLUG


def _text(text: str, sign: str = "#") -> str:
    """Escape a text for a label: whatever is no plain character by its number (`sign` empty: left out, in a title)."""
    return _PLAIN.sub(lambda found: f"{sign}{ord(found.group())};" if sign else " ", text)
