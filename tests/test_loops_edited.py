"""Sealed loops that were edited: refused when they are linked, or where they are reached, and never walked for ever."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handmade import linked, run
from looped import FUNCTIONS, READ, answer, checks, doubling, nested, program, ran, ref, sealed
from omnibachi_model.diagnostics import Refused
from omnibachi_runtime.link import Malformed


def broken(change: Callable[[list[Any]], None]) -> None:
    nodes = [*nested(), *checks()[:-1]]
    nodes[-7]["next"] |= {"SUCCESS": "done"}
    whole = sealed(nodes, journal=False)
    functions = {**FUNCTIONS, READ: answer}
    linked(whole, functions)
    change(whole["nodes"])
    linked(whole, functions)


CHANGES: list[Callable[[list[Any]], Any]] = [
    lambda nodes: nodes[0].update(body=0),
    lambda nodes: nodes[0].update(body=99),
    lambda nodes: nodes[0].update(body=True),
    lambda nodes: nodes[0].update(body=3),  # of the inner loop
    lambda nodes: nodes[0].update(max=0),
    lambda nodes: nodes[0].update(max=10_001),
    lambda nodes: nodes[0].update(max=2.0),
    lambda nodes: nodes[0].update(good=None),
    lambda nodes: nodes[0].pop("as"),
    lambda nodes: nodes[0].update({"as": 1}),
    lambda nodes: nodes[4].update(outcome=1),
    lambda nodes: nodes[0]["next"].pop("FAULT"),
    lambda nodes: nodes[0]["next"].pop("PARTIAL"),
    lambda nodes: nodes[0]["next"].update(SUCCESS=2),  # into its own graph
    lambda nodes: nodes[1].pop("of"),
    lambda nodes: nodes[1].update(of=2),
    lambda nodes: nodes[1].update(of=-1),
    lambda nodes: nodes[1].update(of=1),
    lambda nodes: nodes[1].update(of="0"),
    lambda nodes: nodes[1].update(name="in"),
    lambda nodes: nodes[1].update(name="out[0]"),
    lambda nodes: nodes[1].update(name="out[][]"),
    lambda nodes: nodes[1].update(gate=True, next={**nodes[1]["next"], "rejected": 2}),
    lambda nodes: nodes[1].update(gate=1),
    lambda nodes: nodes[3]["next"].update(SUCCESS=7),  # out of the loop, past its END
    lambda nodes: nodes[4].update(next={"SUCCESS": 7}),
    lambda nodes: nodes[5].update(name="out[]/in[]/SUCCESS"),  # a name that is there
    lambda nodes: nodes[4].pop("outcome"),
    lambda nodes: nodes[4].update(kind="EXIT", status="FAILED", result=["map", {}]),
    lambda nodes: nodes[-4].update(of=None),
    lambda nodes: nodes[-10].update(bodies=[]),
    lambda nodes: nodes[-10].update(members=["b", "b"]),
    lambda nodes: nodes[-10].update(members=["a", "b"]),
    lambda nodes: nodes[-9].update(effect="PURE"),
    lambda nodes: nodes[-1].update(of=0),
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_an_edited_loop_is_refused_when_it_is_linked(change: Callable[[Any], None]) -> None:
    with pytest.raises(Malformed):
        broken(change)


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


@settings(max_examples=1000 if os.environ.get("OMNIBACHI_THOROUGH") else 150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 9), st.sampled_from(PARTS)), min_size=1, max_size=3))
def test_whatever_was_edited_a_walk_ends_and_its_paths_are_its_own(edits: list[tuple[int, int, Any]]) -> None:
    whole = copy.deepcopy(WHOLE)
    for index, member, value in edits:
        node = whole["nodes"][index % len(whole["nodes"])]
        node[sorted(node)[member % len(node)]] = copy.deepcopy(value)
    try:
        found = linked(whole, FUNCTIONS)
    except Malformed:
        return
    try:
        ended = run(found, {"lists": [[2, 4], [], [1], [2, 2, 2, 2]]})
    except Refused as refused:
        assert [item.code for item in refused.diagnostics] == ["OB608"]
        return
    paths = [path for path, _, _ in ended.events if path]
    assert ended.exit and len(paths) == len(set(paths)) and ended.loops == []
