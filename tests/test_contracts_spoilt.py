"""Contracts that are spoilt, and contracts that are too much: findings with places, never a crash, never a seal."""

from __future__ import annotations

from random import Random

import pytest

from composed import DOMAIN, compiled, parsed, sealed_bytes
from mutations import text_mutated
from omnibachi_compiler.compile import compile_sources
from omnibachi_compiler.phase import Source
from omnibachi_model.sealed import EXIT
from thoroughness import many

TEXT = """\
contract: CC_WEIGH_V0
summary: Weigh a number.
inputs: {n: {type: integer, minimum: 0}, most: {type: integer, default: 9}, note: {type: string, optional: true}}
start: weigh
next: {FAULT: BROKEN}
nodes:
  weigh:
    decide:
      - {when: n > most, outcome: HEAVY, because: it is too much}
      - {outcome: LIGHT}
    with: {n: $.inputs.n, most: $.inputs.most}
    next: {HEAVY: HEAVY, LIGHT: share}
  share:
    compute: {n: most / n, rest: most % n}
    with: {n: $.inputs.n, most: $.inputs.most}
    next: {SUCCESS: SUCCESS}
outcomes:
  SUCCESS: {n: $.nodes.share.n, list: [$.nodes.share.rest, {$first: [$.inputs.note, none]}]}
  HEAVY: {n: $.inputs.n, because: $.nodes.weigh.because}
  BROKEN: {}
---
workflow: WF_WEIGH_V0
summary: Weigh it.
intent: IN_NUMBER_V0
start: one
fault: failed
nodes:
  one:
    use: CC_WEIGH_V0
    with: {n: $.payload.n}
    next: {SUCCESS: two, HEAVY: two, BROKEN: failed}
  two:
    use: CC_WEIGH_V0
    with: {n: $.nodes.one.n, most: 3}
    next: {SUCCESS: done, HEAVY: done, BROKEN: failed}
exits:
  done: {status: COMPLETED, result: {n: $.nodes.two.n, of: {$first: ["$.nodes.two.list[0]", 0]}}}
  failed: {status: FAILED}
---
workflow: WF_AROUND_V0
summary: Use it whole.
intent: IN_NUMBER_V0
start: weigh
fault: failed
nodes:
  weigh: {use: WF_WEIGH_V0, with: {n: $.payload.n}, next: {done: done, failed: failed, rejected: failed}}
exits:
  done: {status: COMPLETED, result: {n: $.nodes.weigh.n}}
  failed: {status: FAILED}
"""


def test_the_text_that_is_spoilt_is_sound() -> None:
    assert compiled(DOMAIN, TEXT).diagnostics == ()


@pytest.mark.parametrize("seed", range(many(4, 24)))
def test_a_spoilt_text_is_a_finding_or_another_sound_text(seed: int) -> None:
    random = Random(seed)
    for _ in range(12):
        sources = [
            Source("protocols/shop/a.yaml", "shop", DOMAIN.encode()),
            Source("protocols/shop/b.yaml", "shop", text_mutated(TEXT, random)),
        ]
        found = compile_sources(sources, {}, {}, str)
        errors = [item for item in found.diagnostics if item.severity == "error"]
        assert (found.sealed is None) == bool(errors)
        assert all(item.span is not None for item in errors), errors
        for name, data in found.sealed.files.items() if found.sealed else ():
            if "/WF_" in name and "origins" not in name:
                _forward(parsed(data)["nodes"])


def _forward(nodes: list[dict[str, object]]) -> None:
    """Every edge of a sealed graph leads to a node behind it, and only exits lead nowhere."""
    for index, node in enumerate(nodes):
        targets = node["next"]
        assert isinstance(targets, dict)
        assert all(index < target < len(nodes) for target in targets.values())
        assert targets or node["kind"] == EXIT


def _wide(outcomes: int) -> str:
    """Return a contract with so many outcomes."""
    rows = "".join(f"      - {{when: n == {number}, outcome: N{number}}}\n" for number in range(outcomes - 1))
    routes = "".join(f"      N{number}: N{number}\n" for number in range(outcomes - 1))
    ends = "".join(f"  N{number}: {{}}\n" for number in range(outcomes - 1))
    return (
        "contract: CC_WIDE_V0\nsummary: Many outcomes.\ninputs: {n: {type: integer}}\nstart: which\nnodes:\n"
        f"  which:\n    decide:\n{rows}      - {{outcome: LAST}}\n    with: {{n: $.inputs.n}}\n"
        f"    next:\n{routes}      LAST: LAST\noutcomes:\n{ends}  LAST: {{}}\n"
    )


def _users(code: str, uses: str, times: int, outcomes: int) -> str:
    """Return a contract that uses another one after the other."""
    common = "".join(f"  N{number}: LAST\n" for number in range(outcomes - 1))
    following = [*(f"n{at}" for at in range(1, times)), "LAST"]
    nodes = "".join(
        f"  n{at}: {{use: {uses}, with: {{n: $.inputs.n}}, next: {{LAST: {to}}}}}\n" for at, to in enumerate(following)
    )
    return (
        f"contract: {code}\nsummary: Uses.\ninputs: {{n: {{type: integer}}}}\nstart: n0\n"
        + (f"next:\n{common}" if common else "")
        + f"nodes:\n{nodes}outcomes: {{LAST: {{}}}}\n"
    )


def test_outcomes_that_nobody_sees_take_their_room() -> None:
    """Edges, and silent nodes, are bounded as well: a few hundred lines cannot ask for millions."""
    wide = _wide(200)
    many = compiled(DOMAIN, wide, _users("CC_EDGES_V0", "CC_WIDE_V0", 1300, 200))
    assert [(item.code, "250000 edges" in item.message) for item in many.diagnostics] == [("OB514", True)]
    some = _users("CC_SOME_V0", "CC_WIDE_V0", 100, 200)
    steps = compiled(DOMAIN, wide, some, _users("CC_STEPS_V0", "CC_SOME_V0", 5, 1))
    assert [(item.code, item.message) for item in steps.diagnostics] == [
        ("OB514", "what the graph uses has 101005 nodes, entries and outcomes too; at most 100000 may be")
    ]


def test_what_reads_the_same_everywhere_has_one_digest_wherever_it_stands() -> None:
    """A contract in the file of the workflow, in its own, in another domain's order: only origins differ."""
    parts = TEXT.split("---\n")
    together = sealed_bytes(compiled(DOMAIN, TEXT), "WF_AROUND_V0")
    assert sealed_bytes(compiled(DOMAIN, *parts), "WF_AROUND_V0") == together
    assert sealed_bytes(compiled(DOMAIN, *reversed(parts)), "WF_AROUND_V0") == together
