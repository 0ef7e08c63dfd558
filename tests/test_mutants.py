"""`omnibachi test --mutate`: weak scenarios let mutants live, strong ones kill them all, and nothing is written."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest

import ordering
from front_door import Call
from front_door import call as call
from front_door import workspace as workspace
from omnibachi.catalogue import Capabilities
from omnibachi.scenarios.mutants import GATE, mutants
from omnibachi.scenarios.mutation import Mutation, mutate
from omnibachi.scenarios.stage import Stage
from omnibachi_model.digests import encode

TILL = """
store: ST_SALES_V0
governed_by: CS_REGISTRY_V0
---
intent: IN_SALE_V0
payload:
  type: object
  properties: {id: {type: string, minLength: 1}, count: {type: integer, minimum: 1}}
  required: [id, count]
  additionalProperties: false
---
workflow: WF_SELL_V0
summary: Sell a few things to anybody once.
intent: IN_SALE_V0
start: few
fault: failed
nodes:
  few:
    decide:
      - {when: "count <= 10", outcome: SUCCESS}
      - {outcome: TOO_MANY, because: nobody needs so many}
    with: {count: $.payload.count}
    next: {SUCCESS: keep, TOO_MANY: refused}
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_SALES_V0
    with: {key: $.payload.id, value: {count: $.payload.count}}
    next: {SUCCESS: sold, ALREADY_EXISTS: refused}
exits:
  sold: {status: COMPLETED, result: {address: $.nodes.keep.address}}
  refused: {status: DENIED}
  failed: {status: FAILED}
"""

WEAK = """
test: a sale
workflow: WF_SELL_V0
steps: [{payload: {id: S1, count: 2}, expect: {status: COMPLETED}}]
"""

STRONG = """
test: a sale at the limit is kept, and only once
workflow: WF_SELL_V0
steps:
  - payload: {id: S1, count: 10}
    expect:
      exit: sold
      result: {address: {$matches: "^shop::ST_SALES_V0/S1$"}}
      stores: {ST_SALES_V0: {records: [{key: S1, value: {count: 10}}]}}
  - payload_of: 1
    expect: {exit: refused, stores: {ST_SALES_V0: {count: 1}}}
---
test: one too many
workflow: WF_SELL_V0
steps: [{payload: {id: S2, count: 11}, expect: {exit: refused, stores: {ST_SALES_V0: {count: 0}}}}]
---
test: what is no sale
workflow: WF_SELL_V0
steps:
  - {payload: {id: ""}, expect: {exit: rejected, result: {violations: [
      {pointer: /count, keyword: required}, {pointer: /id, keyword: minLength}]}}}
  - {payload: {count: 0, more: 1}, expect: {exit: rejected, result: {violations: [
      {pointer: /count, keyword: minimum}, {pointer: /id, keyword: required},
      {pointer: /more, keyword: additionalProperties}]}}}
"""


def mutated(root: Path, text: str, scenarios: str) -> Mutation:
    compilation = ordering.laid(root, text, scenarios)
    return mutate(compilation, Capabilities(str(root / "capabilities")))


def test_a_weak_scenario_lets_mutants_live_and_they_are_named(tmp_path: Path) -> None:
    found = mutated(tmp_path, TILL, WEAK)
    assert not found.ok
    told = {(item["node"], item["kind"], item["change"]) for item in found.survivors}
    assert ("few", "comparison", "in row 1, `<=` is `<`") in told
    assert ("few", "route", "`TOO_MANY` leads to `failed` instead of `refused`") in told
    assert ("payload", "check", "the payload's `minimum` at `/count` is gone") in told
    # What one sale does show: that it is sold at all.
    assert ("keep", "route", "`SUCCESS` leads to `failed` instead of `sold`") not in told
    (boundary,) = (item for item in found.survivors if item["change"] == "in row 1, `<=` is `<`")
    lines = TILL.splitlines()
    assert (boundary["file"], boundary["played"]) == ("protocols/shop/shop.yaml", 1)
    assert "count <= 10" in lines[boundary["line"] - 1]
    assert {item.code for item in found.diagnostics} == {"OB775"}


def test_strong_scenarios_kill_every_mutant(tmp_path: Path) -> None:
    found = mutated(tmp_path, TILL, STRONG)
    assert [item["change"] for item in found.survivors] == []
    assert found.ok
    assert found.of > 15


def test_the_same_scenarios_always_give_the_same_mutants(tmp_path: Path) -> None:
    assert mutated(tmp_path / "a", TILL, WEAK).as_json() == mutated(tmp_path / "b", TILL, WEAK).as_json()


def test_scenarios_that_fail_already_prove_nothing(tmp_path: Path) -> None:
    found = mutated(tmp_path, TILL, WEAK.replace("COMPLETED", "DENIED"))
    assert (found.ok, found.of, [item.code for item in found.diagnostics]) == (False, 0, ["OB776"])


def test_no_scenario_at_all_notices_nothing(tmp_path: Path) -> None:
    found = mutated(tmp_path, TILL, "")
    assert len(found.survivors) == found.of > 15
    assert {item["played"] for item in found.survivors} == {0}


@pytest.mark.parametrize("text", [TILL, ordering.SHOP], ids=["till", "orders"])
def test_every_mutant_is_another_workflow_that_links(tmp_path: Path, text: str) -> None:
    compilation = ordering.laid(tmp_path, text)
    stage = Stage(compilation, Capabilities(str(tmp_path)))
    (address,) = (name for name in stage.snapshot.workflows if name.startswith("shop::"))
    before = stage.sealed(address)
    untouched = copy.deepcopy(before)
    for mutant in mutants(before):
        sealed = copy.deepcopy(before)
        mutant.apply(sealed)
        assert sealed != before, mutant.change
        with stage.changed(address, encode(sealed)).engine({}, {}) as engine:
            engine.linked(address)
        assert mutant.at == GATE or before["nodes"][mutant.at]["name"] == mutant.node
    assert before == untouched


def test_what_makes_no_difference_is_no_mutant(tmp_path: Path) -> None:
    alike = TILL.replace("because: nobody needs so many", "because: few").replace(
        '"count <= 10", outcome: SUCCESS', '"count <= 10", outcome: TOO_MANY, because: few'
    )
    alike = alike.replace("SUCCESS: keep, TOO_MANY: refused", "TOO_MANY: keep")
    stage = Stage(ordering.laid(tmp_path, alike), Capabilities(str(tmp_path)))
    made = [mutant for mutant in mutants(stage.sealed("shop::WF_SELL_V0")) if mutant.node == "few"]
    assert {mutant.kind for mutant in made} == {"route"}


def test_a_node_that_a_law_names_is_passed_over(tmp_path: Path) -> None:
    stage = Stage(ordering.laid(tmp_path, TILL), Capabilities(str(tmp_path)))
    sealed = stage.sealed("shop::WF_SELL_V0")
    law: dict[str, Any] = {"every_path": {"from": "start", "passes": {"node": "keep"}, "before": "exit"}}
    assert "skipped" not in {mutant.kind for mutant in mutants(sealed)}
    (skipped,) = (mutant for mutant in mutants(sealed, [law]) if mutant.kind == "skipped")
    changed = copy.deepcopy(sealed)
    skipped.apply(changed)
    names = [node["name"] for node in changed["nodes"]]
    assert changed["nodes"][names.index("few")]["next"]["SUCCESS"] == names.index("sold")


def test_the_command_tells_survivors_and_ends_with_1(call: Call, workspace: Path) -> None:
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    said = call("test", "--mutate", "--json")
    told = said.json()
    assert said.status == 1
    assert told["mutants"]["of"] > told["mutants"]["killed"] > 0
    assert len(told["mutants"]["survivors"]) == told["mutants"]["of"] - told["mutants"]["killed"]
    said = call("test", "--mutate")
    last = said.out.splitlines()[-1]
    assert last == f"killed {told['mutants']['killed']} of {told['mutants']['of']}"
    assert said.out.count("survived  protocols/greeting/greet.yaml:") == len(told["mutants"]["survivors"])
    assert "OB775" in said.err
    assert call("test", "--mutate", "--workers", "2").out == said.out
    assert {path: path.read_bytes() for path in before} == before


def test_a_selector_that_chooses_nothing_is_refused(call: Call, workspace: Path) -> None:
    for more in ((), ("--mutate",)):
        said = call("test", "nowhere", *more)
        assert (said.status, said.out) == (2, "")
        assert "error[OB752]" in said.err and "`omnibachi test` alone plays and lists all" in said.err


def test_the_way_round_a_leaving_that_gives_nothing_is_no_change(checkout: Path) -> None:
    """A contract's outcome that leads to where its crash leads says nothing that the crash does not."""
    sealed = orjson.loads((checkout / "protocol_snapshot/ai_governance/WF_DENY_PROVISION_V0.json").read_bytes())
    names = [node["name"] for node in sealed["nodes"]]
    leaving = sealed["nodes"][names.index("deny/VIOLATION")]
    assert [names[target] for target in leaving["next"].values()] == ["failed"]
    found = [item.change for item in mutants(sealed) if (item.node, item.kind) == ("deny/tell", "route")]
    assert "`SUCCESS` leads to `failed` instead of `deny/SUCCESS`" in found
    assert not any("instead of `deny/VIOLATION`" in change and "to `failed`" in change for change in found)
    leaving["with"] = ["map", {"reason": ["lit", "x"]}]  # what it gives, an exit may read
    found = [item.change for item in mutants(sealed) if (item.node, item.kind) == ("deny/tell", "route")]
    assert "`VIOLATION` leads to `failed` instead of `deny/VIOLATION`" in found
