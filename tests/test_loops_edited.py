"""Sealed loops that were edited: refused when they are linked, or where they are reached, and never walked for ever."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handmade import linked, run
from looped import FUNCTIONS, READ, answer, checks, doubling, nested, program, ran, ref, sealed
from omnibachi_model.diagnostics import Refused
from omnibachi_model.digests import encode
from omnibachi_runtime.link import Malformed
from thoroughness import many

FOUND: dict[str, Callable[..., Any]] = {**FUNCTIONS, READ: answer}


def whole() -> dict[str, Any]:
    """Return a loop in a loop and, where all goes well, an ALL behind it."""
    nodes = [*nested()[:-1], *checks()]
    nodes[0]["next"]["SUCCESS"] = "look"
    return sealed(nodes[:-1], journal=False)


def put(name: str, /, **members: Any) -> Callable[[Any, Any], None]:
    return lambda named, at: named[name].update(members)


def lead(name: str, outcome: str, to: str) -> Callable[[Any, Any], None]:
    return lambda named, at: named[name]["next"].update({outcome: at[to]})


def drop(name: str, *keys: str) -> Callable[[Any, Any], None]:
    def change(named: Any, at: Any) -> None:
        found = named[name]
        for key in keys[:-1]:
            found = found[key]
        del found[keys[-1]]

    return change


CHANGES: list[Callable[[Any, Any], Any]] = [
    put("out", body=0),
    put("out", body=99),
    put("out", body=True),
    lambda named, at: named["out"].update(body=at["out[]/in[]"]),
    put("out", max=0),
    put("out", max=10_001),
    put("out", max=2.0),
    put("out", good=None),
    put("out", **{"as": 1}),
    drop("out", "as"),
    drop("out", "next", "FAULT"),
    drop("out", "next", "PARTIAL"),
    drop("out", "next", "FAILED"),
    drop("out", "next", "SUCCESS"),
    lead("out", "SUCCESS", "out[]/in"),
    lead("out", "SUCCESS", "out"),
    drop("out[]", "of"),
    lambda named, at: named["out[]"].update(of=at["out[]/in"]),
    put("out[]", of=-1),
    put("out[]", of=1),
    put("out[]", of="0"),
    put("out[]", of=True),
    put("out[]", name="in"),
    put("out[]", name="out[0]"),
    put("out[]", name="out[][]"),
    put("out[]", name="out"),
    put("out[]", gate=1),
    lead("out[]", "SUCCESS", "look"),
    lead("out[]/in[]", "SUCCESS", "out[]/size"),
    lead("out[]/in", "SUCCESS", "out[]/in[]/SUCCESS"),
    lead("out[]/in[]/SUCCESS", "SUCCESS", "out[]/size"),
    put("out[]/in[]/SUCCESS", outcome=1),
    drop("out[]/in[]/SUCCESS", "outcome"),
    drop("out[]/in[]/SUCCESS", "output"),
    put("out[]/in[]/ODD", name="out[]/in[]/SUCCESS"),
    put("out[]/in[]/SUCCESS", kind="EXIT", status="FAILED", result=["map", {}]),
    lead("out[]/in[]/SUCCESS", "SUCCESS", "out[]/in[]/FAULT"),
    lambda named, at: named["out[]/in[]/ODD"].update(
        kind="EXIT", status="FAILED", result=["map", {}], next={"FAULT": at["out[]/in[]/FAULT"]}
    ),
    put("out[]/in[]/FAULT", of=0),
    put("out[]/in[]/FAULT", of=None),
    put("done", of=0),
    lead("look", "SUCCESS", "look/b"),
    put("look", bodies=[]),
    put("look", members=["b", "b"]),
    put("look", members=["a", "b"]),
    put("look", members=["b"]),
    put("look/b", effect="PURE"),
    put("look/b", name="look[]/b"),
    drop("look", "next", "FAILED"),
    drop("look", "next", "SUCCESS"),
]


def test_what_was_not_edited_runs() -> None:
    sound = whole()
    kinds = {node["kind"] for node in sound["nodes"]}
    assert {"EACH", "ALL", "PASS", "END", "CALL", "COMPUTE"} <= kinds
    get = {READ: lambda inputs, store, call: ("SUCCESS", {"n": 1})}
    assert run(linked(sound, {**FUNCTIONS, **get}), {"lists": [[2]]}).exit == "done"


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_an_edited_loop_is_refused_when_it_is_linked(change: Callable[[Any, Any], None]) -> None:
    edited = whole()
    named = {node["name"]: node for node in edited["nodes"]}
    change(named, {node["name"]: index for index, node in enumerate(edited["nodes"])})
    assert encode(edited) != encode(whole())
    with pytest.raises(Malformed):
        linked(edited, FOUND)


@pytest.mark.parametrize("start", ["out[]", "out[]/in[]/SUCCESS", "look/b"])
def test_a_start_inside_a_loop_is_refused(start: str) -> None:
    edited = whole()
    edited["start"] = [node["name"] for node in edited["nodes"]].index(start)
    with pytest.raises(Malformed):
        linked(edited, FOUND)


def test_a_nested_node_apart_from_its_loop_is_refused() -> None:
    """Nothing would make it forget what the iteration before left."""
    nodes = doubling()
    assert program(nodes, FUNCTIONS, journal=False)
    apart = [*nodes[:3], *nodes[4:], nodes[3]]
    assert apart[-1]["name"] == "go[]/ODD"
    with pytest.raises(Malformed):
        program(apart, FUNCTIONS, journal=False)
    with pytest.raises(Malformed):
        linked({**sealed(nodes, journal=False), "nodes": sealed(nodes)["nodes"][:5]}, FUNCTIONS)


def test_an_outcome_that_is_no_text_is_refused() -> None:
    nodes = doubling()
    ends = {"SUCCESS": "go[]/SUCCESS", "FAULT": "go[]/FAULT"}
    nodes[1] = {**nodes[1], "outcomes": {"SUCCESS": nodes[1]["outcomes"]["SUCCESS"]}, "next": ends}
    del nodes[3]
    assert program(nodes, FUNCTIONS, journal=False)
    nodes[2] = {**nodes[2], "outcome": 1}
    with pytest.raises(Malformed):
        program(nodes, FUNCTIONS, journal=False)


def test_an_end_without_what_it_gives_is_refused_when_it_is_reached() -> None:
    nodes = doubling()
    nodes[2] = {**nodes[2], "output": ref("go[]", "nothing")}
    with pytest.raises(Refused) as refused:
        ran(nodes, FUNCTIONS, {"items": [2]})
    assert refused.value.diagnostics[0].code == "OB608"


def test_an_end_that_never_comes_is_refused() -> None:
    """A loop whose nested graph has lost its END leads nowhere."""
    nodes = [node for node in doubling() if node["kind"] != "END"]
    nodes[1] = {**nodes[1], "next": {}}
    with pytest.raises(Malformed):
        program(nodes, FUNCTIONS, journal=False)


def values_of(value: Any) -> list[Any]:
    """Return a value and all that is inside of it."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for item in inside for found in values_of(item))]


WHOLE = sealed(nested(), journal=False)
PARTS = [*values_of(WHOLE["nodes"]), *range(-1, 16), "FAULT", "ODD", True, None, {}, []]


@settings(max_examples=many(60, 1_000), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 9), st.sampled_from(PARTS)), min_size=1, max_size=3))
def test_whatever_was_edited_a_walk_ends_and_its_paths_are_its_own(edits: list[tuple[int, int, Any]]) -> None:
    spoilt = copy.deepcopy(WHOLE)
    for index, member, value in edits:
        node = spoilt["nodes"][index % len(spoilt["nodes"])]
        node[sorted(node)[member % len(node)]] = copy.deepcopy(value)
    try:
        found = linked(spoilt, FUNCTIONS)
    except Malformed:
        return
    try:
        ended = run(found, {"lists": [[2, 4], [], [1], [2, 2, 2, 2]]})
    except Refused as refused:
        assert [item.code for item in refused.diagnostics] == ["OB608"]
        return
    paths = [path for path, _, _ in ended.events if path]
    assert ended.exit and len(paths) == len(set(paths)) and ended.loops == []
