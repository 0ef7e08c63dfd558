"""Sealed loops that were edited: refused when they are linked, or where they are reached, and never walked for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handmade import linked
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
