"""The picture of a turn: its path follows from the events alone and is what the run walked; it is drawn for pages."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from governing import events, gateway, post
from omnibachi_observer.turn_picture import CRASHED, DARK, TurnPath, draw_path, draw_turn, told_of, turn_path

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW: dict[str, Any] = json.loads((ROOT / "protocol_snapshot/dbl/WF_GOVERN_INTENT_V0.json").read_bytes())
ALLOWED = (("record_intent", "SUCCESS"), ("facts", "SUCCESS"), ("verdict", "ALLOW"), ("record_allow", "SUCCESS"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]]:
    """Stories of a real gateway: the events of each correlation, and the path that its run walked."""
    root = tmp_path_factory.mktemp("turns")
    walked: dict[str, list[tuple[str, str]]] = {}
    with gateway(root, policy="demo") as door:
        for correlation, message in (("worked", "hello"), ("refused", "x" * 281), ("failed", "")):
            walked[correlation] = [(step.node, step.outcome) for step in post(door, correlation, message).run.path]
    found: dict[str, list[dict[str, Any]]] = {}
    for event in events(root):
        found.setdefault(event["correlation_id"], []).append(event)
    return {name: (found[name], walked[name]) for name in walked}


def changed(story: list[dict[str, Any]], index: int, **payload: Any) -> list[dict[str, Any]]:
    copy = json.loads(json.dumps(story))
    copy[index]["payload"].update(payload)
    return list(copy)


@pytest.mark.parametrize(("name", "ending"), [("worked", "executed"), ("refused", "denied"), ("failed", "executed")])
def test_the_path_is_the_one_that_the_run_walked(told: Any, name: str, ending: str) -> None:
    story, walked = told[name]
    path = turn_path(WORKFLOW, story)
    assert [*path.steps] == walked
    assert (path.ending, path.note) == (ending, "")


def test_of_a_story_that_goes_on_the_path_is_as_far_as_it_is_told(told: Any) -> None:
    story, _ = told["worked"]
    assert turn_path(WORKFLOW, []) == TurnPath((), None)
    assert turn_path(WORKFLOW, story[:1]) == TurnPath(ALLOWED[:1], None)
    assert turn_path(WORKFLOW, story[:2]) == TurnPath(ALLOWED, None)
    assert told_of(WORKFLOW, turn_path(WORKFLOW, story[:1])) == "record_intent, and no end yet."
    assert told_of(WORKFLOW, turn_path(WORKFLOW, [])) == "No step is recorded."


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("outcome_unknown", [("call", "OUTCOME_UNKNOWN"), ("record_unknown", "SUCCESS")]),
        ("internal_error", [("call", "FAULT"), ("record_crash", "SUCCESS")]),
        ("timeout", [("call", "PROVIDER_ERROR"), ("record_execution", "SUCCESS")]),
    ],
)
def test_how_a_call_ended_is_told_by_its_error(told: Any, code: str, last: list[tuple[str, str]]) -> None:
    story, _ = told["failed"]
    path = turn_path(WORKFLOW, changed(story, 2, error={**story[2]["payload"]["error"], "code": code}))
    assert [*path.steps[4:]] == last
    assert path.ending == "executed"


def test_where_a_crash_leaves_two_ways_open_it_is_said(told: Any) -> None:
    story, _ = told["refused"]
    path = turn_path(WORKFLOW, changed(story, 1, reason_codes=["policy.evaluation_error"]))
    assert path.steps[-1] == ("record_undecidable", "SUCCESS")
    assert (path.ending, path.note) == ("denied", CRASHED)
    assert told_of(WORKFLOW, path).endswith(f"denied. {CRASHED}")


def test_what_another_run_recorded_is_no_part_of_the_path(told: Any) -> None:
    story, _ = told["refused"]
    closed = changed(story, 1, reason_codes=["gateway.recovered"])
    closed[1]["obs"]["trace_id"] = "another"
    path = turn_path(WORKFLOW, closed)
    assert path == TurnPath(ALLOWED[:1], None, "Its DECISION was recorded by another run.")
    assert told_of(WORKFLOW, path).endswith("no end yet. Its DECISION was recorded by another run.")


def test_it_follows_from_what_nodes_use_and_not_from_their_names(told: Any) -> None:
    renamed = json.loads(json.dumps(WORKFLOW))
    for index, node in enumerate(renamed["nodes"]):
        node["name"] = f"n{index}"
    names = {node["name"]: f"n{index}" for index, node in enumerate(WORKFLOW["nodes"])}
    for story, walked in told.values():
        assert [*turn_path(renamed, story).steps] == [(names[node], outcome) for node, outcome in walked]


def test_it_is_drawn_as_one_element_for_a_page(told: Any) -> None:
    story, walked = told["refused"]
    drawn = draw_turn(WORKFLOW, story)
    assert drawn == draw_path(WORKFLOW, turn_path(WORKFLOW, story))
    root = ET.fromstring(drawn)
    svg = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{svg}svg"
    assert int(root.get("width", "")) < 700, "it is read on telephones too"
    words = [element.text or "" for element in root.iter(f"{svg}text")]
    assert "denied" in words and "IN_GOVERNED_INTENT_V0" in words
    # The path is numbered, what was not taken is dashed: colour is not needed.
    assert [word for word in words if word.isdigit()] == [str(number) for number in range(1, len(walked) + 1)]
    assert any(element.get("stroke-dasharray") for element in root.iter())
    # Only ours are there: renderers write a title for each node, which browsers show as hints.
    assert [element.text for element in root.iter(f"{svg}title")] == [
        "The path of this turn through WF_GOVERN_INTENT_V0"
    ]
    assert [element.text for element in root.iter(f"{svg}desc")] == [
        "record_intent → facts → verdict (DENY) → record_deny → denied."
    ]
    assert not re.search(r"<!|<\?|<script|<a |href|url\(", drawn)


@pytest.mark.parametrize("name", ["worked", "refused", "failed"])
def test_every_colour_has_a_dark_form(told: Any, name: str) -> None:
    drawn = draw_turn(WORKFLOW, told[name][0])
    used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', drawn.partition("</style>")[2]))
    assert used <= set(DARK)


def test_names_are_escaped(told: Any) -> None:
    evil = json.loads(json.dumps(WORKFLOW))
    for node in evil["nodes"]:
        node["name"] = f'<b>{node["name"]}&"</b>'
    drawn = draw_turn(evil, told["worked"][0])
    root = ET.fromstring(drawn)
    assert (root[1].text or "").startswith('<b>record_intent&"</b> → ')
