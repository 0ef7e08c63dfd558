"""Macros in a whole workflow, over a list of the payload and over what a loop gives: record, mutants, mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ordering
from front_door import Call
from front_door import call as call
from omnibachi.catalogue import Capabilities
from omnibachi.scenarios.mutants import mutants
from omnibachi.scenarios.mutation import mutate
from omnibachi.scenarios.stage import Stage

PACK = """
store: ST_STOCK_V0
governed_by: CS_RECORDS_V0
record: {type: object, properties: {left: {type: integer, minimum: 0}}, required: [left], additionalProperties: false}
seed: true
---
intent: IN_BASKET_V0
payload:
  type: object
  properties:
    wallet: {type: string, minLength: 1, maxLength: 20}
    lines:
      type: array
      maxItems: 20
      items:
        type: object
        properties: {sku: {type: string, minLength: 1, maxLength: 9}, count: {type: integer, minimum: 1, maximum: 99}}
        required: [sku, count]
        additionalProperties: false
  required: [wallet, lines]
  additionalProperties: false
---
workflow: WF_PACK_V0
summary: Tell what of a basket is there.
intent: IN_BASKET_V0
start: sane
fault: failed
nodes:
  sane:
    decide:
      - {when: "lines.exists(i, i.count > 5)", outcome: REFUSED, because: at most five of a kind}
      - {when: "lines.exists_one(i, i.sku == 'GIFT') && size(lines) > 1", outcome: GIFT}
      - {outcome: FINE}
    with: {lines: $.payload.lines}
    next: {REFUSED: refused, GIFT: gift, FINE: look}
  look:
    each: $.payload.lines
    as: line
    max: 20
    use: CS_RECORDS_V0.GET
    store: ST_STOCK_V0
    with: {key: $.each.line.sku}
    next: {SUCCESS: told, PARTIAL: told, FAILED: refused}
  told:
    compute:
      keys: "lines.map(l, wallet + '/' + string(l.count))"
      missing: size(items.filter(i, i.outcome == 'NOT_FOUND'))
      there: "items.filter(i, has(i.value)).map(i, {'left': i.value.left, 'many': i.value.left > 1})"
    with: {lines: $.payload.lines, items: $.nodes.look.items, wallet: $.payload.wallet}
    next: {SUCCESS: packed}
exits:
  packed:
    status: COMPLETED
    result: {keys: $.nodes.told.keys, missing: $.nodes.told.missing, there: $.nodes.told.there}
  gift: {status: COMPLETED}
  refused: {status: DENIED, result: {because: {$first: [$.nodes.sane.because, ""]}}}
  failed: {status: FAILED}
"""
STOCK: dict[str, Any] = {"AA": {"left": 2}, "BB": {"left": 1}}
LINES = [{"sku": "AA", "count": 5}, {"sku": "ZZ", "count": 1}, {"sku": "BB", "count": 2}]
PACKED = {"keys": ["W/5", "W/1", "W/2"], "missing": 1, "there": [{"left": 2, "many": True}, {"left": 1, "many": False}]}


def scenario(*steps: Any) -> str:
    """Write a scenario as JSON, which YAML reads."""
    stores = {"ST_STOCK_V0": STOCK}
    return json.dumps({"test": "some baskets", "workflow": "WF_PACK_V0", "given": {"stores": stores}, "steps": steps})


def basket(lines: Any, **expected: Any) -> Any:
    """Return a step of a scenario."""
    return {"payload": {"wallet": "W", "lines": lines}, "expect": expected}


STRONG = (
    basket(LINES, exit="packed", result=PACKED),
    basket([{"sku": "AA", "count": 6}, {"sku": "AA", "count": 1}], exit="refused"),
    basket([{"sku": "GIFT", "count": 1}, {"sku": "AA", "count": 1}], exit="gift"),
    basket([{"sku": "GIFT", "count": 1}, {"sku": "AA", "count": 1}, {"sku": "BB", "count": 1}], exit="gift"),
    basket([{"sku": "GIFT", "count": 1}, {"sku": "GIFT", "count": 1}], exit="refused"),
    basket([{"sku": "GIFT", "count": 1}], exit="refused"),
    basket([], exit="packed", result={"keys": [], "missing": 0, "there": []}),
)


def test_a_run_is_recorded_replayed_and_explained(call: Call, tmp_path: Path) -> None:
    ordering.laid(tmp_path, PACK)
    facts = {"schema": "omnibachi.seed/1", "stores": {"shop::ST_STOCK_V0": STOCK}}
    (tmp_path / "facts.json").write_text(json.dumps(facts), "utf-8")
    (tmp_path / "basket.json").write_text(json.dumps({"wallet": "W", "lines": LINES}), "utf-8")
    (tmp_path / "many.json").write_text(json.dumps({"wallet": "W", "lines": [{"sku": "AA", "count": 6}]}), "utf-8")
    assert call("compile").status == 0
    assert call("data", "load", "facts.json", "--data-root", "data").status == 0
    run = ("run", "--wf", "shop::WF_PACK_V0", "--data-root", "data", "--no-picture", "--json")
    said = call(*run, "--payload", "basket.json", "--trace-id", "T1")
    assert said.status == 0, said.err
    assert said.json()["result"] == PACKED
    assert call("verify", "T1", "--data-root", "data").status == 0
    assert call("replay", "T1", "--data-root", "data").status == 0
    said = call(*run, "--payload", "many.json", "--trace-id", "T2")
    assert (said.status, said.json()["result"]) == (5, {"because": "at most five of a kind"})
    told = call("examine", "T2", "--data-root", "data").out
    assert "lines.exists(i, i.count > 5)" in told
    shown = call("show", "shop::WF_PACK_V0").out
    assert shown == "" or "failed" in shown


def test_what_may_be_absent_is_told_and_what_was_asked_is_not(tmp_path: Path) -> None:
    for text, told in ((PACK, []), (PACK.replace("has(i.value)", "i.outcome == 'SUCCESS'"), ["told"])):
        sealed = ordering.laid(tmp_path, text).sealed
        assert sealed is not None
        (origins,) = (data for path, data in sealed.files.items() if path.endswith("WF_PACK_V0.origins.json"))
        assert [item["node"] for item in json.loads(origins)["checked"]] == told


def test_strong_scenarios_kill_what_is_changed_inside_macros(tmp_path: Path) -> None:
    weak = mutate(ordering.laid(tmp_path, PACK, scenario(STRONG[0])), Capabilities(str(tmp_path)))
    survived = {(item["node"], item["change"]) for item in weak.survivors if item["kind"] == "comparison"}
    assert ("sane", "in row 1, `exists` is `all`") in survived
    assert ("sane", "in row 2, `exists_one` is `exists`") in survived
    assert ("told", "in `missing`, `==` is `!=`") not in survived
    assert ("told", "in `there`, `>` is `>=`") not in survived
    strong = mutate(ordering.laid(tmp_path, PACK, scenario(*STRONG)), Capabilities(str(tmp_path)))
    left = [(item["node"], item["change"]) for item in strong.survivors if item["kind"] == "comparison"]
    assert left == []


def test_mutants_reach_into_lists_and_records(tmp_path: Path) -> None:
    stage = Stage(ordering.laid(tmp_path, PACK), Capabilities(str(tmp_path)))
    made = {(mutant.node, mutant.change) for mutant in mutants(stage.sealed("shop::WF_PACK_V0"))}
    assert {("told", "in `there`, `>` is negated"), ("sane", "in row 1, `>` is `>=`")} <= made


def test_payloads_are_found_for_rows_that_ask_lists(tmp_path: Path) -> None:
    report = ordering.played(tmp_path, PACK)
    rows = [item for item in report.missed if "row" in item]
    assert len(rows) >= 2
    assert [item for item in rows if item["payload"] is None] == []


DOUBLE = """
intent: IN_A_V0
payload: {type: object, properties: {v: {type: integer}}, required: [v], additionalProperties: false}
---
workflow: WF_A_V0
summary: Write what is there twice, again and again.
intent: IN_A_V0
start: n0
fault: failed
nodes:
"""


@pytest.mark.parametrize("written", ["compute: {v: v}, with: {v: {a: PLACE, b: PLACE}}",
                                     "compute: {v: \"{'a': v, 'b': v}\"}, with: {v: PLACE}"])  # fmt: skip
def test_types_that_double_with_every_node_are_no_burden(tmp_path: Path, written: str) -> None:
    text, place = DOUBLE, "$.payload.v"
    for number in range(40):
        after = f"n{number + 1}" if number < 39 else "done"
        text += f"  n{number}: {{{written.replace('PLACE', place)}, next: {{SUCCESS: {after}}}}}\n"
        place = f"$.nodes.n{number}.v"
    ordering.laid(tmp_path, text + "exits:\n  done: {status: COMPLETED}\n  failed: {status: FAILED}\n")


def test_the_layout_leaves_expressions_as_they_are(call: Call, tmp_path: Path) -> None:
    before = ordering.laid(tmp_path, PACK).sealed
    assert call("fmt").status == 0
    text = (tmp_path / "protocols/shop/shop.yaml").read_text("utf-8")
    after = ordering.laid(tmp_path, text).sealed
    assert before is not None and after is not None
    (path,) = (path for path in after.files if path.endswith("WF_PACK_V0.json"))
    assert after.files[path] == before.files[path]


@pytest.mark.parametrize(
    ("was", "now", "code", "text"),
    [
        ("i.count > 5", "i.conut > 5", "OB310", "i.conut"),
        ("lines.exists(i, i", "lines.exists(lines, lines", "OB540", "lines.exists(lines, lines.count > 5)"),
        ("lines.exists(i, i.count > 5)", "lines.map(i, i.count > 5)", "OB509", '"lines.map(i, i.count > 5)"'),
        ("lines.exists(i, i.count > 5)", "lines.map(i, lines.map(j, lines.map(k, k)))", "OB226", "m"),
    ],
)
def test_mistakes_are_told_at_their_place(call: Call, tmp_path: Path, was: str, now: str, code: str, text: str) -> None:
    ordering.laid(tmp_path, PACK)
    broken = PACK.replace(was, now)
    (tmp_path / "protocols/shop/shop.yaml").write_text(broken, "utf-8")
    said = call("compile", "--check", "--json")
    (found,) = said.json()["diagnostics"]
    line = broken.splitlines()[found["line"] - 1]
    assert (found["code"], line[found["column"] - 1 : found["end_column"] - 1]) == (code, text)
