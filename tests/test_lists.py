"""LIST and COUNT of RECORDS in workflows: compiled, narrowed, run, and refused where they cannot be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnibachi import Workspace
from pricing import LIST, PRICES, RAISE, price, seed, shop


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return shop(tmp_path / "shop")


def test_a_list_is_in_order_of_creation_bounded_and_counted(workspace: Workspace, tmp_path: Path) -> None:
    facts = {key: price(index + 1, kind) for index, (key, kind) in enumerate([*zip("dcba", "xyxx", strict=True)])}
    assert workspace.load_facts(seed(tmp_path / "facts.json", {PRICES: facts})).ok
    result = workspace.run(LIST, {"kind": "x", "limit": 2}, picture=False)
    assert result.result is not None
    assert [item["key"] for item in result.result["items"]] == ["d", "b"]  # type: ignore[union-attr, index, call-overload]
    assert (result.result["total"], result.result["doubled"]) == (3, 2)
    assert workspace.run(LIST, {"kind": "z", "limit": 2}, picture=False).exit == "none"
    # A changed record keeps its place and leaves the lists that it no longer fits.
    workspace.run(RAISE, {"key": "d", "cents": 9}, picture=False)
    assert workspace.run(LIST, {"kind": "x", "limit": 1}, picture=False).result["name"] == "b/piece"  # type: ignore[index]
    raised = workspace.run(LIST, {"kind": "raised", "limit": 1}, picture=False).result
    assert raised is not None
    assert raised["items"] == [{"key": "d", "value": {"kind": "raised", "cents": 9, "unit": "piece"}, "revision": 2}]


def test_the_limit_is_from_one_to_a_thousand(workspace: Workspace) -> None:
    for limit in (0, 1001, -1, "5", 2.5):
        called = workspace.call("std::CS_RECORDS_V0.LIST", {"where": {}, "limit": limit}, store=PRICES)
        assert (called.outcome, [item.code for item in called.diagnostics]) == (None, ["OB744"]), limit
    for limit in (1, 1000):
        called = workspace.call("std::CS_RECORDS_V0.LIST", {"where": {}, "limit": limit}, store=PRICES)
        assert (called.outcome, called.output) == ("SUCCESS", {"items": [], "total": 0})
    counted = workspace.call("std::CS_RECORDS_V0.COUNT", {"where": {"kind": "tea"}}, store=PRICES)
    assert (counted.outcome, counted.output) == ("SUCCESS", {"count": 0})


NODE = """
---
workflow: WF_ASK_V0
summary: Ask.
intent: IN_LIST_V0
start: ask
fault: failed
nodes:
  ask: {{use: CS_RECORDS_V0.{operation}, store: ST_PRICES_V0, with: {{{given}}}, next: {{SUCCESS: done}}}}
exits:
  done: {{status: COMPLETED, result: {{{result}}}}}
  failed: {{status: FAILED}}
"""


@pytest.mark.parametrize(
    ("operation", "given", "result", "code"),
    [
        ("COUNT", "where: $.payload", "", "OB410"),
        ("LIST", "where: $.payload, limit: 5", "", "OB410"),
        ("COUNT", "where: {colour: red}", "", "OB312"),
        ("COUNT", "where: {cents: $.payload.kind}", "", "OB507"),
        ("COUNT", "where: {cents: red}", "", "OB507"),
        ("LIST", "where: {}, limit: 0", "", "OB507"),
        ("LIST", "where: {}, limit: 1001", "", "OB507"),
        ("LIST", "where: {}", "", "OB313"),
        ("LIST", "where: {}, limit: 1", 'x: "$.nodes.ask.items[0].value.colour"', "OB310"),
    ],
)
def test_what_the_compiler_refuses(tmp_path: Path, operation: str, given: str, result: str, code: str) -> None:
    workspace = shop(tmp_path / "shop")
    place = tmp_path / "shop/protocols/shop/ask.yaml"
    place.write_text(NODE.format(operation=operation, given=given, result=result).removeprefix("\n---\n"))
    assert errors(workspace) == [code]


def errors(workspace: Workspace) -> list[str]:
    found = workspace.compile(write=False).diagnostics
    return [item.code for item in found if item.severity == "error"]


LOST = """
workflow: WF_LOST_V0
summary: Lose an update.
intent: IN_LIST_V0
start: ask
fault: failed
nodes:
  ask: {use: CS_RECORDS_V0.LIST, store: ST_PRICES_V0, with: {where: {}, limit: 1}, next: {SUCCESS: write}}
  write:
    use: CS_RECORDS_V0.%s
    store: ST_PRICES_V0
    with: {key: "$.nodes.ask.items[0].key", value: "$.nodes.ask.items[0].value"%s}
    next: {SUCCESS: tell, CONFLICT: failed, NOT_FOUND: failed}
  tell:
    use: CS_EVENTS_V0.APPEND
    store: ST_RAISES_V0
    event: EV_RAISED_V0
    with: {record: {cents: 1}}
    next: {SUCCESS: done, VIOLATION: failed}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
"""


def test_a_list_that_flows_into_a_write_carries_the_revision(tmp_path: Path) -> None:
    workspace = shop(tmp_path / "shop")
    place = tmp_path / "shop/protocols/shop/lost.yaml"
    place.write_text((LOST % ("PUT", "")).replace(", CONFLICT: failed, NOT_FOUND: failed", ""))
    assert errors(workspace) == ["OB512"]
    place.write_text(LOST % ("SWAP", ', revision: "$.nodes.ask.items[0].revision"'))
    assert errors(workspace) == []
