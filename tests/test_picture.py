"""Pictures: what is drawn and what is not, that DOT stays DOT, and that what cannot be drawn says why."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import pytest

from omnibachi_observer import renderer
from omnibachi_observer.picture import dot, draw, drawable
from omnibachi_observer.picture_plan import FAN, LONGEST_COLUMN, MOST, plan
from omnibachi_observer.renderer import PictureFailed, render
from sealed_runs import (
    call,
    computed,
    decided,
    finished,
    leave,
    order,
    order_failed,
    ordered,
    record,
    register,
    registered,
    sealed,
    started,
)


def chain(count: int, branches: bool = False) -> dict[str, Any]:
    """Return nodes in a row that share one failing exit; with branches, each also leads two nodes ahead."""
    nodes = []
    for index in range(count):
        routes = {"SUCCESS": index + 1, "VIOLATION": count + 1, "FAULT": count + 1}
        if branches:
            routes["SKIP"] = min(index + 2, count)
        nodes.append(call(f"node_{index}", "std::CT_DIGEST_V0", "PURE", {}, routes))
    return sealed("shop::WF_CHAIN_V0", [*nodes, leave("done", "COMPLETED"), leave("failed", "FAILED")])


def walked(count: int, outcome: str = "SUCCESS", step: int = 1) -> list[tuple[str, str]]:
    return [(f"node_{index}", outcome) for index in range(0, count, step)]


def shape_of(text: str, name: str) -> str:
    found = re.search(rf'^\t"n {name}" \[(.*)\]$', text, re.MULTILINE)
    assert found is not None, name
    shape = re.search(r"shape=(\w+)", found.group(1))
    assert shape is not None
    return shape.group(1)


@pytest.mark.parametrize("form", ["png", "svg"])
def test_a_run_is_drawn(form: str) -> None:
    image = draw(registered(), register(), form)
    if form == "png":
        width, height = struct.unpack(">II", image[16:24])
        assert 300 < width < 1200 and 400 < height < 1600
    else:
        for text in ("WF_REGISTER_ACTOR_UNVERIFIED_V0", "actor_id", "CS_REGISTRY_V0.REGISTER", "SUCCESS", "COMPLETED"):
            assert f">{text}<" in image.decode().replace(" <", "<").replace("> ", ">"), text
    assert image == draw(registered(), register(), form)


def test_the_taken_path_is_numbered_thick_and_coloured() -> None:
    found = plan(order(), [("within_tier", "SUCCESS"), ("fee", "SUCCESS"), ("record", "SUCCESS")], "ordered")
    assert found.steps == {"within_tier": 1, "fee": 2, "record": 3}
    assert [(route.source, route.outcomes, route.target) for route in found.routes if route.taken] == [
        ("within_tier", ("SUCCESS",), "fee"),
        ("fee", ("SUCCESS",), "record"),
        ("record", ("SUCCESS",), "ordered"),
    ]
    text = draw(ordered(), order(), "dot").decode()
    assert text.count("penwidth=2.6") == 1 + 3


def test_shapes_tell_kinds_and_statuses_without_colour() -> None:
    text = dot(order())
    shapes = {name: shape_of(text, name) for name in ("within_tier", "fee", "record", "ordered", "refused")}
    assert shapes == {
        "within_tier": "hexagon", "fee": "box", "record": "cylinder", "ordered": "box", "refused": "doubleoctagon",
    }  # fmt: skip
    other = dot(chain(2))
    assert 'style="rounded,filled"' in other and "diagonals" in other


def test_routes_to_exits_that_were_not_taken_stand_beside_their_node() -> None:
    found = plan(chain(10), walked(10), "done")
    assert set(found.exits) == {"done"}
    assert found.beside == {f"node_{index}": [("VIOLATION", "failed")] for index in range(10)}
    assert len(found.routes) == 10 and found.crash == "failed"


def test_a_crash_route_is_drawn_only_when_it_was_taken() -> None:
    assert "FAULT" not in draw(ordered(), order(), "dot").decode()
    data = order_failed(
        decided("within_tier", {}, "SUCCESS", 0), computed("fee", {}, "FAULT", fault={"reason": "expression"})
    )
    text = draw(data, order(), "dot").decode()
    assert "FAULT" in text and "a crash of any node" not in text
    assert shape_of(text, "failed") == "box"


def test_a_route_that_was_not_taken_is_quiet_and_there() -> None:
    found = plan(order(), [("within_tier", "VIOLATION")], "refused")
    assert [(route.source, route.target) for route in found.routes if not route.taken] == [
        ("within_tier", "fee"),
        ("fee", "record"),
    ]
    assert found.beside["record"] == [("ALREADY_EXISTS", "ordered"), ("SUCCESS", "ordered")]


def test_a_refused_payload_goes_from_the_gate_to_the_exit() -> None:
    data = record(started(order(), {}), finished("rejected", "REJECTED", {"violations": []}))
    text = draw(data, order(), "dot").decode()
    assert '_gate -> "n rejected"' in text and "no node ran" in text and shape_of(text, "rejected") == "octagon"


def test_an_unfinished_run_has_no_end() -> None:
    text = draw(b"".join(ordered().splitlines(True)[:3]), order(), "dot").decode()
    assert '"n fee" -> _open' in text and "not finished" in text and '"n fee" -> "n record"' in text


def test_a_broken_record_is_drawn_as_far_as_it_holds() -> None:
    text = draw(ordered()[:-10], order(), "dot").decode()
    assert "not finished" in text and '"n record"' in text
    assert "not finished" in draw(b"\xff", order(), "dot").decode()


def test_a_large_graph_shows_the_path_and_one_hop_and_counts_the_rest() -> None:
    count = MOST + 40
    found = plan(chain(count, branches=True), [*walked(6)[:5], ("node_5", "VIOLATION")], "failed")
    assert set(found.nodes) == {f"node_{index}" for index in range(8)}
    assert found.left_out == count - 8 and found.columns == []
    assert ("SUCCESS", "node_8") in found.beside["node_7"]
    text = dot(chain(count, branches=True), [("node_0", "VIOLATION")], ending="failed")
    assert f"{count - 3} further nodes not drawn" in text


def test_a_large_graph_without_a_run_shows_what_lies_near_the_start() -> None:
    found = plan(chain(MOST + 40), None, None)
    assert set(found.nodes) == {f"node_{index}" for index in range(MOST)} and found.left_out == 40
    assert ("SUCCESS", f"node_{MOST}") in found.beside[f"node_{MOST - 1}"]


@pytest.mark.parametrize("count", [LONGEST_COLUMN + 1, 100, 1000])
def test_a_long_path_is_folded_into_columns(count: int) -> None:
    found = plan(chain(count), walked(count), "done")
    assert [name for column in found.columns for name in column] == [name for name, _ in walked(count)]
    assert 2 <= len(found.columns) <= len(found.columns[0]) and found.left_out == 0
    assert len(found.routes) == count - len(found.columns) + 1
    text = dot(chain(count), walked(count), ending="done")
    assert text.count('"_to ') == 2 * (len(found.columns) - 1)


def test_a_graph_of_many_branches_stays_thin() -> None:
    nodes = [
        call(f"node_{index}", "std::CT_DIGEST_V0", "PURE", {},
             {"FAULT": 60, **{f"CASE_{way}": min(index + 1 + way, 60) for way in range(FAN)}})
        for index in range(60)
    ]  # fmt: skip
    found = plan(sealed("shop::WF_WIDE_V0", [*nodes, leave("done", "COMPLETED")]), [("node_0", "CASE_0")], None)
    quiet = [route for route in found.routes if not route.taken]
    told = sum(len(routes) for routes in found.beside.values())
    assert len(quiet) == 75 and len(quiet) + told >= 60 * (FAN - 1)


def wide(ways: int) -> dict[str, Any]:
    """Return a decision of so many ways, each with a node of its own."""
    first = call("tier", "std::CT_DIGEST_V0", "PURE", {},
                 {"FAULT": ways + 1, **{f"CASE_{way}": way + 1 for way in range(ways)}})  # fmt: skip
    nodes = [
        call(f"case_{way}", "std::CT_DIGEST_V0", "PURE", {}, {"SUCCESS": ways + 1, "FAULT": ways + 1})
        for way in range(ways)
    ]
    return sealed("shop::WF_FAN_V0", [first, *nodes, leave("done", "COMPLETED")])


def test_the_many_ways_that_were_not_taken_are_told_beside_their_node() -> None:
    found = plan(wide(30), [("tier", "CASE_17"), ("case_17", "SUCCESS")], "done")
    assert set(found.nodes) == {"tier", "case_17"} and found.left_out == 29
    assert len(found.beside["tier"]) == 29 and [route.taken for route in found.routes] == [True, True]
    few = plan(wide(FAN), [("tier", "CASE_1"), ("case_1", "SUCCESS")], "done")
    assert len(few.nodes) == FAN + 1 and few.left_out == 0


def test_the_many_ways_of_a_graph_without_a_run_stand_in_rows() -> None:
    text = dot(wide(30))
    assert [text.count(f"minlen={depth}") for depth in (2, 3, 4, 5)] == [8, 7, 7, 0]
    assert "minlen" not in dot(wide(FAN))


def test_a_long_name_stands_on_several_lines() -> None:
    name = "_".join(["every_detail_of_it"] * 6)
    node = call(name, "std::CT_DIGEST_V0", "PURE", {}, {"SUCCESS": 1, "FAULT": 1})
    text = dot(sealed("shop::WF_LONG_V0", [node, leave("x" * 90, "COMPLETED")]))
    assert f">{name}<" not in text and text.count(">every_detail_of_it_every_detail_of_it_<") == 2
    assert f">{'x' * 40}<" in text and f">{'x' * 10}<" in text


def test_without_a_run_exits_that_many_share_are_told_beside() -> None:
    assert set(plan(order(), None, None).exits) == {"ordered", "refused"}
    assert set(plan(chain(10), None, None).exits) == {"done"}


@pytest.mark.parametrize("text", ['"', "<b>", "]]>", "a\\l\\N\\G", "\n", "&amp;", "🜁漢字", "\u202e", "a:b", "\x00"])
def test_no_name_breaks_the_drawing(text: str) -> None:
    workflow = sealed(f"shop::WF_{text}_V0", [
        {"kind": "DECIDE", "name": f"n{text}", "with": {}, "rows": [],
         "next": {f"O{text}": 1, f"P{text}": 2, "FAULT": 3}},
        call(f"c{text}", f"std::CS_{text}", "READ", {}, {f"Q{text}": 3, "FAULT": 3}, store=f"x::{text}"),
        leave(f"e{text}", "DENIED"), leave("f", "FAILED"),
    ])  # fmt: skip
    for path, ending in ((None, None), ([(f"n{text}", f"P{text}")], f"e{text}")):
        image = render(dot(workflow, path, ending=ending), "svg")
        assert b"DENIED" in image


def test_what_the_fonts_lack_is_escaped() -> None:
    assert all(drawable(char) for char in "aZ9_éßøΩλЖя–…→")
    assert not any(drawable(char) for char in "漢🜁\u202e\n\x7fשا")
    assert "\\u6f22" in dot(sealed("shop::WF_漢_V0", [leave("done", "COMPLETED")]))


def test_a_workflow_that_is_none_is_drawn_empty() -> None:
    for workflow in ({}, {"nodes": 1}, {"nodes": [1, {}], "start": 7}, {"nodes": [], "start": "x"}):
        assert render(dot(workflow, [("x", "y")], ending="z"), "svg")


def test_failures_have_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(PictureFailed, match="no form of picture"):
        render("digraph {}", "pdf")
    with pytest.raises(PictureFailed, match=r"gave no png \(status 1\): .*syntax error"):
        render("digraph {", "png")
    with pytest.raises(PictureFailed, match="took longer than"):
        render(dot(chain(400), walked(400), ending="done"), "png", timeout=0.001)
    monkeypatch.setattr(renderer, "program", lambda: None)
    with pytest.raises(PictureFailed, match="neither `graphviz-pure` nor `dot` is installed"):
        render("digraph {}", "png")
    broken = tmp_path / "dot"
    broken.write_text("#!/nowhere/at/all\n")
    broken.chmod(0o755)
    monkeypatch.setattr(renderer, "program", lambda: str(broken))
    with pytest.raises(PictureFailed, match="cannot be started"):
        render("digraph {}", "png")


def test_the_program_is_found_without_the_search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = renderer.program()
    assert found is not None and Path(found).name.startswith("graphviz-pure")
    assert render("digraph { a -> b }", "svg").startswith(b"<")
