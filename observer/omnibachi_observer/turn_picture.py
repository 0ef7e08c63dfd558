"""The picture of the gateway's workflow with the path of one turn, as SVG text for the observer's page.

A turn's events tell which way its run took: every append of the workflow that succeeded left one, a DECISION says what
was decided, and an EXECUTION how the call ended. So the path is read off the sealed workflow and the events alone, by
what its nodes use and hand on, and not by their names. Where the events leave open which node crashed, and where
another workflow completed the story, the path says so.

`picture` draws; here its colours are given a dark form, since the page has one, and the path is told in words.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from omnibachi_model.addresses import split
from omnibachi_model.decisions import DECISION, EXECUTION, INTENT, OK
from omnibachi_model.sealed import EXIT, FAULT, SUCCESS
from omnibachi_model.ways import ways

from .picture import dot
from .renderer import render
from .story import nodes_of

APPENDS = {"APPEND_INTENT": INTENT, "APPEND_DECISION": DECISION, "APPEND_EXECUTION": EXECUTION}
HANDED = {DECISION: "decision", EXECUTION: "execution"}  # the input of an append that holds what is recorded
CRASHED = "Which node crashed the events do not tell."
# Each colour of the picture as it is on a dark page.
DARK = {
    "#ffffff": "#151b23", "#1f2328": "#e6edf3", "#59636e": "#a8b3bf", "#8c959f": "#8b96a2", "#c4cad1": "#4a535e",
    "#0969da": "#79b8ff", "#ddf4ff": "#0c2d4d", "#1a7f37": "#56d364", "#dafbe1": "#12291b", "#9a6700": "#e3b341",
    "#fff8c5": "#2e2611", "#8250df": "#d2a8ff", "#fbefff": "#2a1f3d", "#cf222e": "#ff8f87", "#ffebe9": "#3b1819",
}  # fmt: skip
_HEAD = re.compile(r"^.*?<svg [^>]*?viewBox=\"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)\"[^>]*>", re.DOTALL)
_SCALE = re.compile(r"scale\(([\d.]+)")
_ASIDE = re.compile(r"<!--.*?-->\s*|<title>[^<]*</title>\s*", re.DOTALL)

Event = dict[str, Any]
Step = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TurnPath:
    """The way that a turn took: its steps as (node, outcome), the exit where it reached one, and what is to be noted.

    Equal paths of one workflow have equal pictures.
    """

    steps: tuple[Step, ...]
    ending: str | None
    note: str = ""


def turn_path(workflow: dict[str, Any], events: Sequence[Event]) -> TurnPath:
    """Return the path that the events of one correlation, in order, tell of a sealed workflow.

    It is the longest of the paths that left exactly the events of the run that recorded the INTENT; where there is
    none, the part that left the most of the first of them. Without events it is empty.
    """
    nodes = nodes_of(workflow)
    own = [event for event in events if event["obs"].get("trace_id") == events[0]["obs"].get("trace_id")]
    told: dict[int, list[tuple[list[int], list[str], bool]]] = {}
    start = workflow.get("start")
    if own and type(start) is int:
        for count, places, outcomes, ended in _walks(nodes, start, own):
            told.setdefault(count, []).append((places, outcomes, ended))
    most = max(told, default=0)
    found = told.get(most, [])
    found = [walk for walk in found if walk[2]] or found[:1]
    note = f"Its {events[most]['kind']} was recorded by another run." if most < len(events) else ""
    if not found:
        return TurnPath((), None, note)
    places, outcomes, ended = max(found, key=lambda walk: len(walk[0]))
    names = [str(nodes[place].get("name")) for place in places]
    if len(found) > 1 and FAULT in outcomes:
        note = CRASHED
    steps = tuple(zip(names, outcomes, strict=False))
    return TurnPath(steps, names[-1] if ended else None, note)


def _walks(
    nodes: list[dict[str, Any]], start: int, events: Sequence[Event]
) -> Iterator[tuple[int, list[int], list[str], bool]]:
    """Walk every way that the events do not contradict: how many of them it left, its nodes, outcomes, and whether it
    ends in an exit. A way that ended early is given after each append."""
    own = {code for node in nodes for code in _codes(node)}
    waiting: list[tuple[int, int, list[int], list[str]]] = [(start, 0, [], [])]
    while waiting:
        place, count, places, outcomes = waiting.pop()
        node = nodes[place]
        if node.get("kind") == EXIT:
            if count == len(events):
                yield count, [*places, place], outcomes, True
            continue
        kind = APPENDS.get(str(node.get("use")).rpartition(".")[2])
        for outcome, target in ways(nodes, place).items():
            if kind is None:
                waiting.append((target, count, [*places, place], [*outcomes, outcome]))
            elif outcome == SUCCESS and count < len(events) and _left(node, events[count], places, outcomes, own):
                here = [*places, place], [*outcomes, outcome]
                yield count + 1, *here, False
                waiting.append((target, count + 1, *here))


def _codes(node: dict[str, Any]) -> list[str]:
    """Return the code of the short form that an append hands on, `{undecidable: code}` or `{failed: code}`."""
    form, *given = _handed(node)
    return [value for sort, value in given[0].values() if sort == "lit"] if form == "map" else []


def _handed(node: dict[str, Any]) -> list[Any]:
    """Return where the sealed form says that an append takes what it records from; a literal for what is no append."""
    kind = APPENDS.get(str(node.get("use")).rpartition(".")[2], "")
    given = node["with"][1].get(HANDED.get(kind)) if kind else None
    return given if isinstance(given, list) else ["lit", None]


def _left(node: dict[str, Any], event: Event, places: list[int], outcomes: list[str], own: set[str]) -> bool:
    """Tell whether an append could have left this event, by what was handed to it on this way; `own` are the codes of
    all short forms, which nothing else leaves."""
    kind, payload = event["kind"], event["payload"]
    if kind != APPENDS[node["use"].rpartition(".")[2]]:
        return False
    if kind == INTENT:
        return True
    said = payload["reason_codes"][0] if kind == DECISION else (payload.get("error") or {}).get("code")
    form, *given = _handed(node)
    if form == "map":
        return said in _codes(node)
    if form != "ref" or given[0] not in places or said in own:
        return False
    ended = outcomes[places.index(given[0])]
    return bool(ended == payload["result"] if kind == DECISION else (ended == SUCCESS) == (payload["status"] == OK))


def told_of(workflow: dict[str, Any], path: TurnPath) -> str:
    """Tell a path in words: each node with its outcome, the exit, and what is to be noted."""
    if not path.steps:
        return "No step is recorded."
    steps = [name if outcome == SUCCESS else f"{name} ({outcome})" for name, outcome in path.steps]
    ended = " → ".join([*steps, path.ending] if path.ending else steps)
    return f"{ended}{'.' if path.ending else ', and no end yet.'}{f' {path.note}' if path.note else ''}"


def draw_path(workflow: dict[str, Any], path: TurnPath) -> str:
    """Draw a path over its sealed workflow as one SVG element, with a title and a description. Raises PictureFailed."""
    drawn = render(dot(workflow, list(path.steps), ending=path.ending, brief=True), "svg").decode()
    code = split(str(workflow.get("address")))[1]
    return _for_a_page(drawn, f"The path of this turn through {code}", told_of(workflow, path))


def draw_turn(workflow: dict[str, Any], events: Sequence[Event]) -> str:
    """Draw the path of a turn by its events, in order, over the gateway's sealed workflow. Raises PictureFailed."""
    return draw_path(workflow, turn_path(workflow, events))


def _for_a_page(drawn: str, title: str, told: str) -> str:
    """Make the renderer's document one element: sized in pixels, with words of its own, and colours for dark pages."""
    head, scale = _HEAD.match(drawn), _SCALE.search(drawn)
    assert head is not None and scale is not None, "the renderer's SVG has another form"
    left, top, width, height = head.groups()
    box = [round(float(text) / float(scale.group(1))) for text in (width, height)]
    dark = "".join(
        f'[fill="{light}"]{{fill:{other}}}[stroke="{light}"]{{stroke:{other}}}' for light, other in DARK.items()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{box[0]}" height="{box[1]}"'
        f' viewBox="{left} {top} {width} {height}">'
        f"<title>{html.escape(title)}</title><desc>{html.escape(told)}</desc>"
        f"<style>@media (prefers-color-scheme: dark){{{dark}}}</style>"
        f"{_ASIDE.sub('', drawn[head.end() :])}"
    )
