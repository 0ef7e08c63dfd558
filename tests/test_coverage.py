"""Coverage of the flat graph: contracts, loops, exits and laws, as runs walked them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ordering
from omnibachi.catalogue import Capabilities
from omnibachi.scenarios.coverage import Coverage, gathered, worded
from omnibachi.scenarios.mutation import mutate
from omnibachi.scenarios.runner import Report
from omnibachi.scenarios.stage import Stage
from omnibachi.scenarios.suggested import lines_of
from omnibachi.scenarios.tours import Stop, tour
from omnibachi_model.digests import decode

MINT = """
store: ST_TOKENS_V0
governed_by: CS_REGISTRY_V0
---
contract: CC_KEEP_V0
summary: Keep a token that is not on the list.
inputs: {to: {type: string, maxLength: 20}, kind: {type: string, maxLength: 20, default: plain}}
start: judge
nodes:
  judge:
    decide:
      - {when: "kind == 'forbidden'", outcome: NO}
      - {outcome: YES}
    with: {kind: $.inputs.kind}
    next: {YES: keep, NO: REFUSED}
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_TOKENS_V0
    with: {key: $.inputs.to, value: {kind: $.inputs.kind}}
    next: {SUCCESS: SUCCESS, ALREADY_EXISTS: THERE}
outcomes:
  SUCCESS: {address: $.nodes.keep.address}
  THERE: {}
  REFUSED: {}
---
intent: IN_MINT_V0
payload:
  type: object
  properties:
    owner: {type: string, minLength: 1, maxLength: 20}
    kind: {type: string, maxLength: 20}
    to: {type: array, items: {type: string, minLength: 1, maxLength: 20}, maxItems: 6}
  required: [owner, kind, to]
  additionalProperties: false
---
workflow: WF_MINT_V0
summary: Keep the owner, then a token for each.
intent: IN_MINT_V0
start: owner
fault: failed
nodes:
  owner:
    use: CC_KEEP_V0
    with: {to: $.payload.owner, kind: $.payload.kind}
    next: {SUCCESS: mint_all, THERE: mint_all, REFUSED: refused}
  mint_all:
    each: $.payload.to
    as: one
    max: 4
    use: CC_KEEP_V0
    with: {to: $.each.one}
    next: {SUCCESS: look, PARTIAL: some, FAILED: refused, OVERFLOW: refused}
  look:
    repeat: {max: 3, until: "value.kind == 'gold'"}
    use: CS_REGISTRY_V0.RESOLVE
    store: ST_TOKENS_V0
    with: {key: $.payload.owner}
    next: {SUCCESS: both, EXHAUSTED: both, NOT_FOUND: refused}
  both:
    all:
      mine: {use: CS_REGISTRY_V0.RESOLVE, store: ST_TOKENS_V0, with: {key: $.payload.owner}}
      other: {use: CS_REGISTRY_V0.RESOLVE, store: ST_TOKENS_V0, with: {key: $.payload.kind}}
    next: {SUCCESS: minted, FAILED: some}
exits:
  minted: {status: COMPLETED}
  some: {status: COMPLETED}
  refused: {status: REJECTED}
  failed: {status: FAILED}
---
invariant: IV_OWNER_FIRST_V0
summary: Nothing is minted unless the owner was judged.
applies_to: {workflows: [WF_MINT_V0]}
every_path: {from: start, passes: {node: owner/judge}, before: {node: mint_all}}
---
invariant: IV_NEVER_BOTH_V0
summary: From both to the exit nothing is registered.
applies_to: {workflows: [WF_MINT_V0]}
every_path: {from: {node: both}, passes: {use: CS_REGISTRY_V0.REGISTER}, before: exit}
never: true
"""

MINTED = """
test: %s
workflow: WF_MINT_V0
steps: [{payload: %s}]
"""


def minted(root: Path, payload: str) -> Report:
    report = ordering.played(root, MINT, MINTED % ("a mint", payload))
    assert [item.message for played in report.scenarios for item in played.failures] == []
    return report


def missed(report: Report) -> set[str]:
    return {worded(item).partition(": ")[2] for item in report.missed}


def test_contracts_and_loops_are_counted_and_silent_nodes_are_not(tmp_path: Path) -> None:
    coverage = minted(tmp_path, "{owner: a, kind: gold, to: [b, c]}").as_json()["coverage"]
    # owner/judge, owner/keep, mint_all, mint_all[]/judge, mint_all[]/keep, look, look[], both, both/mine, both/other
    assert coverage["nodes"] == [10, 10]
    assert coverage["rows"] == [2, 4]
    assert coverage["exits"] == [1, 5]
    # of contracts 1 + 1 twice, of loops and their bodies SUCCESS each, and of the second member NOT_FOUND
    assert coverage["outcomes"] == [10, 23]


def test_iterations_are_one_node_and_loops_have_their_own_outcomes(tmp_path: Path) -> None:
    report = minted(tmp_path, "{owner: a, kind: plain, to: [b, b]}")
    left = missed(report)
    assert {"mint_all SUCCESS", "mint_all FAILED", "mint_all OVERFLOW"} < left
    assert not left & {"mint_all PARTIAL", "mint_all[]/keep SUCCESS", "mint_all[]/keep ALREADY_EXISTS"}
    assert {"look", "look SUCCESS", "look EXHAUSTED", "look[]"} < left


def test_an_overflow_enters_no_iteration(tmp_path: Path) -> None:
    report = minted(tmp_path, "{owner: a, kind: plain, to: [b, c, d, e, f]}")
    assert "mint_all[]/judge" in missed(report)
    assert "mint_all OVERFLOW" not in missed(report)


def test_a_law_is_covered_by_a_run_on_which_it_says_something(tmp_path: Path) -> None:
    first, never = "law shop::IV_OWNER_FIRST_V0", "law shop::IV_NEVER_BOTH_V0"
    refused = minted(tmp_path / "a", "{owner: a, kind: forbidden, to: []}")
    assert refused.as_json()["coverage"]["laws"] == [0, 2]
    assert {first, never} <= missed(refused)
    looped = minted(tmp_path / "b", "{owner: a, kind: plain, to: [b, b]}")
    assert (first in missed(looped), never in missed(looped)) == (False, True)
    whole = minted(tmp_path / "c", "{owner: a, kind: gold, to: []}")
    assert whole.as_json()["coverage"]["laws"] == [2, 2]
    # Laws are reached by printed scenarios too.
    (found,) = (item for item in looped.missed if item.get("law") == never[4:])
    assert found["payload"] is not None


def test_what_is_printed_for_contracts_and_loops_reaches_all_but_what_nothing_can(tmp_path: Path) -> None:
    report = ordering.played(tmp_path, MINT)
    text = "\n".join(lines_of(report.missed))
    again = ordering.played(tmp_path, MINT, text)
    assert [item.message for played in again.scenarios for item in played.failures] == []
    # The contract's default is the only kind that the loop gives.
    assert missed(again) == {"mint_all[]/judge NO", "mint_all[]/judge row 1"}


def test_mutants_inside_contracts_are_told_at_their_own_place(tmp_path: Path) -> None:
    compilation = ordering.laid(tmp_path, MINT, MINTED % ("a mint", "{owner: a, kind: gold, to: [b]}"))
    found = mutate(compilation, Capabilities(str(tmp_path)))
    # The contract is used twice; what it says is changed in both places at its own line, and told once.
    inside = [item for item in found.survivors if item["node"].endswith("/judge") and item["kind"] == "row"]
    assert [MINT.splitlines()[item["line"] - 1].strip()[:8] for item in inside] == ["- {when:"]
    # A route that differs only by a silent leaving of the contract is no mutant.
    assert "`SUCCESS` leads to `mint_all` instead of `owner/SUCCESS`" not in {
        item["change"] for item in found.survivors
    }


def test_the_tour_of_a_run_shows_silent_nodes_and_every_iteration(tmp_path: Path) -> None:
    stage = Stage(ordering.laid(tmp_path, MINT), Capabilities(str(tmp_path)))
    workflow = stage.sealed("shop::WF_MINT_V0")
    with stage.engine({}, {}) as engine:
        result = engine.run("shop::WF_MINT_V0", {"owner": "a", "kind": "gold", "to": ["b", "c"]})
    bodies = [decode(body) for _, body, _ in result.events]
    stops = tour(workflow, bodies)
    names = [(workflow["nodes"][stop.at]["name"], stop.left_by) for stop in stops]
    assert names[:4] == [
        ("owner", "SUCCESS"),
        ("owner/judge", "YES"),
        ("owner/keep", "SUCCESS"),
        ("owner/SUCCESS", "SUCCESS"),
    ]
    assert names.count(("mint_all[]/keep", "SUCCESS")) == 2
    assert names[-1] == ("some", "")
    # Events without a node of theirs end the tour, whatever they say.
    assert tour(workflow, [{**body, "path": "x"} for body in bodies if "path" in body])[-1].left_by == "SUCCESS"
    assert tour(workflow, []) == [Stop(workflow["start"], "SUCCESS", None)]


def test_an_answer_that_is_forced_in_one_iteration_alone_is_marked_there(tmp_path: Path) -> None:
    scenario = """
test: one iteration is forced
workflow: WF_MINT_V0
given: {answers: {"mint_all[1]/keep": {outcome: ALREADY_EXISTS, output: {value: {kind: plain}}}}}
steps: [{payload: {owner: a, kind: plain, to: [b, c]}, expect: {exit: some}}]
"""
    coverage = ordering.played(tmp_path, MINT, scenario).as_json()["coverage"]
    forced = {"workflow": "shop::WF_MINT_V0", "node": "mint_all[]/keep", "outcome": "ALREADY_EXISTS"}
    assert coverage["forced"] == [forced]


def test_a_node_that_is_missed_stands_for_its_outcomes_where_people_read(tmp_path: Path) -> None:
    everything = ordering.played(tmp_path).missed
    short = gathered(everything)
    assert [item for item in short if item.keys() & {"outcome", "row"}] == []
    assert len(everything) > len(short) == 6 + 2 + 1  # nodes, the exits that no outcome leads to, and a law of std


def test_nothing_expected_is_nothing_missed() -> None:
    empty: dict[str, Any] = Coverage().as_json()
    assert (Coverage().missed(), empty["laws"], empty["nodes"]) == ([], [0, 0], [0, 0])
