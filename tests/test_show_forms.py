"""`show --format`: each form is what it says it is, names everything that is drawn, and no name can break out of it."""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from front_door import GREET, Call, call, workspace
from omnibachi_observer.mermaid import mermaid
from sealed_runs import call as a_call
from sealed_runs import leave, order, register, sealed

__all__ = ["call", "workspace"]

LINE = re.compile(
    r'  (?:gate\(\["[^"]*"\]\):::gate'
    r'|n\d+(?:\("[^"]*"\)|\["[^"]*"\]|\{\{"[^"]*"\}\}|\[\("[^"]*"\)\]|\[\["[^"]*"\]\]|\(\["[^"]*"\]\)):::[a-z]+'
    r'|(?:gate|n\d+) -->(?:\|"[^"]*"\|)? n\d+'
    r"|classDef [a-z]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6})"
)


def parts(text: str) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Read a flowchart: labels by identifier, and edges (from, outcomes, to); every line must have one of its forms."""
    head, title, *config, end, kind = [*text.partition("flowchart TD\n")[0].splitlines(), "flowchart TD"]
    lines = text.partition("flowchart TD\n")[2].splitlines()
    assert (head, end, kind) == ("---", "---", "flowchart TD")
    assert yaml.safe_load("\n".join(config)) == {"config": {"flowchart": {"wrappingWidth": 500}}}
    assert re.fullmatch(r'title: "[^"\\]*"', title)
    labels, edges = {}, []
    for line in lines:
        assert LINE.fullmatch(line), line
        box = re.match(r'  (\w+)[\[({]+"([^"]*)"', line)
        edge = re.match(r'  (\w+) -->(?:\|"([^"]*)"\|)? (\w+)', line)
        if box:
            labels[box[1]] = box[2]
        elif edge:
            edges.append((edge[1], edge[2] or "", edge[3]))
    assert {name for a, _, b in edges for name in (a, b)} <= labels.keys()
    classes = set(re.findall(r":::([a-z]+)$", text, re.MULTILINE))
    assert classes <= set(re.findall(r"classDef ([a-z]+)", text))
    return labels, edges


@pytest.mark.parametrize("workflow", [order(), register()])
def test_mermaid_has_every_node_route_and_exit(workflow: dict[str, Any]) -> None:
    labels, edges = parts(mermaid(workflow))
    names = {label.split("<br/>")[0]: identifier for identifier, label in labels.items()}
    drawn = {(a, word, b) for a, words, b in edges for word in words.split("<br/>")}
    for node in workflow["nodes"]:
        for outcome, index in node.get("next", {}).items():
            if outcome != "FAULT":
                target = workflow["nodes"][index]["name"]
                assert (names[node["name"]], outcome, names[target]) in drawn, (node["name"], outcome)
    assert ("gate", "", names[workflow["nodes"][workflow["start"]]["name"]]) in drawn


def test_shapes_tell_kinds_and_classes_statuses() -> None:
    text = mermaid(order())
    assert '{{"within_tier<br/>decide"}}:::step' in text
    assert re.search(r'n\d+\["fee<br/>compute"\]:::step', text)
    assert re.search(r'\(\["ordered<br/>COMPLETED"\]\):::completed', text)


@pytest.mark.parametrize(
    "name", ['a"]:::x', "a<br/>b", "end", 'x"|y', "a\nb", "`a`", "#quot;", "%%{init}%%", "é𝄞", "click n0"]
)
def test_no_name_breaks_out(name: str) -> None:
    """Names that no compiler lets through, as a file with the right digest might hold them."""
    workflow = copy.deepcopy(order())
    workflow["nodes"][0]["name"] = name
    workflow["address"] = f"shop::{name}"
    for node in workflow["nodes"]:
        if "SUCCESS" in node.get("next", {}):
            node["next"][name] = node["next"].pop("SUCCESS")
    labels, _ = parts(mermaid(workflow))
    assert any(_unescaped(label).split("<br/>")[0] == name or "<br/>" in name for label in labels.values())


def _unescaped(label: str) -> str:
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label)


def test_a_large_workflow_tells_what_is_left_out() -> None:
    nodes = [a_call(f"n{i}", "std::CT_DIGEST_V0", "PURE", {}, {"SUCCESS": i + 1, "FAULT": 301}) for i in range(300)]
    workflow = sealed("shop::WF_CHAIN_V0", [*nodes, leave("done", "COMPLETED"), leave("failed", "FAILED")])
    labels, edges = parts(mermaid(workflow))
    assert "240 further nodes not drawn" in mermaid(workflow) and "a crash of any node → failed" in mermaid(workflow)
    assert len(labels) == 61 and len(edges) == 60


def test_the_command_gives_each_form(call: Call, workspace: Path) -> None:
    for form in ("text", "dot", "svg", "png", "mermaid"):
        said = call("show", GREET, "--format", form, "-o", f"x.{form}")
        assert said.status == 0, said.err
        assert (workspace / f"x.{form}").stat().st_size > 200
    picture = ET.fromstring((workspace / "x.svg").read_bytes())
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    written = {"".join(text.itertext()).strip() for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {"WF_GREET_V0", "words", "remember", "greeted", "COMPLETED", "UNKNOWN_LANGUAGE"} <= written
    labels, _ = parts((workspace / "x.mermaid").read_text())
    assert labels["gate"] == "IN_GREET_V0"
    assert call("show", GREET, "--format", "mermaid").out == (workspace / "x.mermaid").read_text()
    assert call("show", GREET, "--format", "svg").out.encode() == (workspace / "x.svg").read_bytes()
    assert call("show", GREET, "--format", "pdf").status == 2
