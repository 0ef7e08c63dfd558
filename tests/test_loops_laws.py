"""Laws of compiled loops: what the compiler says that a loop may end in, and gives, is what it does when it runs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handmade import bodies
from looping import Round, compiled, payloads, played, rounds, sealed
from omnibachi_model.checks import link
from omnibachi_model.sealed import LOOPS, SILENT
from thoroughness import many

EXAMPLES = many(80, 1_000)


def test_a_loop_ends_and_gives_as_its_type_says() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(rounds(), st.data())
    def law(made: Round, data: st.DataObject) -> None:
        compilation = compiled(made.text, "CT_STEP_V0")
        if compilation.sealed is None or not made.answers:
            seen["refused"] += 1
            return
        promised = compilation.workflows[0].graph.nodes["loop"].outcomes
        listed = {place.node for place in compilation.places}
        check = link(made.payload)
        for _ in range(3):
            payload = data.draw(payloads(made.payload))
            if check(payload):
                continue
            ended = played(made, compilation, payload)
            for mishap in ended.mishaps:
                assert re.sub(r"\[\d+\]", "[]", mishap.node) in listed, (mishap.node, mishap.fault)
            if not ended.mishaps:
                told = next(body for body in bodies(ended) if body.get("path") == "loop")
                seen[told["outcome"]] += 1
                assert not link(promised[told["outcome"]])(told["output"]), (told, promised)

    law()
    assert seen["refused"] <= EXAMPLES / 2
    for outcome in ("SUCCESS", "PARTIAL", "FAILED", "OVERFLOW", "EXHAUSTED", "LOST"):
        assert seen[outcome], (outcome, seen)


@settings(max_examples=many(10, 200), deadline=None, suppress_health_check=list(HealthCheck))
@given(rounds())
def test_the_sealed_form_of_a_loop_is_flat_and_leads_forward(made: Round) -> None:
    compilation = compiled(made.text, "CT_STEP_V0")
    if compilation.sealed is not None:
        flat_and_forward(sealed(compilation)["nodes"])


def flat_and_forward(nodes: list[dict[str, Any]]) -> None:
    """Assert what docs/formats.md says of the order of nodes."""
    assert len({node["name"] for node in nodes}) == len(nodes)
    for index, node in enumerate(nodes):
        assert all(target > index for target in node["next"].values())
        assert all(nodes[target].get("of") == node.get("of") for target in node["next"].values())
        inside = [at for at in range(index + 1, len(nodes)) if _within(nodes, at, index)]
        if node["kind"] in LOOPS:
            bodies = node.get("bodies", [node.get("body")])
            assert inside == list(range(index + 1, index + 1 + len(inside)))  # right behind it
            assert all(nodes[body]["of"] == index for body in bodies)
            assert min(node["next"].values()) > inside[-1]
            assert "FAULT" in node["next"]
        else:
            assert inside == []
        if node["kind"] == "END":
            assert nodes[node["of"]]["kind"] in LOOPS and node["next"] == {}
    assert all(node["kind"] in (*LOOPS, *SILENT, "CALL", "DECIDE", "COMPUTE", "EXIT") for node in nodes)


def _within(nodes: list[dict[str, Any]], at: int, loop: int) -> bool:
    of = nodes[at].get("of")
    return of is not None and (of == loop or _within(nodes, of, loop))
