"""Contracts with effects in a whole workspace: what is sealed for them, what they leave, and what a record tells."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from composed import parsed
from omnibachi import Workspace, replay, verify
from omnibachi.compiling import compile_workspace

ROOT = Path(__file__).resolve().parent.parent
PRELUDE = Path(__file__).parent / "cases" / "prelude"
CONTRACT = """
contract: CC_FILED_V0
summary: File an order once, and say so.
inputs: {item: {type: string}, quantity: {type: integer, default: 2}}
start: price
nodes:
  price:
    use: CT_PRICE_V0
    with: {item: $.inputs.item, quantity: $.inputs.quantity}
    next: {SUCCESS: file, UNKNOWN: UNKNOWN}
  file:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_ORDERS_V0
    with: {key: $.inputs.item, value: {item: $.inputs.item, cents: $.nodes.price.cents}}
    next: {SUCCESS: say, ALREADY_EXISTS: ALREADY}
  say:
    use: CS_EVENTS_V0.APPEND
    store: ST_SHOP_EVENTS_V0
    event: EV_ORDERED_V0
    with: {record: {item: $.inputs.item, at: $.run.started_at}}
    next: {SUCCESS: SUCCESS, VIOLATION: SUCCESS}
outcomes:
  SUCCESS: {cents: $.nodes.price.cents}
  ALREADY: {cents: $.nodes.file.value.cents}
  UNKNOWN: {}
"""
WORKFLOW = """
workflow: WF_ORDER_V0
summary: File an order twice.
intent: IN_ORDER_V0
start: first
fault: failed
nodes:
  first:
    use: CC_FILED_V0
    with: {item: $.payload.item, quantity: $.payload.quantity}
    next: {SUCCESS: second, ALREADY: second, UNKNOWN: unknown}
  second:
    use: CC_FILED_V0
    with: {item: $.payload.item}
    next: {SUCCESS: done, ALREADY: done, UNKNOWN: unknown}
exits:
  done: {status: COMPLETED, result: {first: $.nodes.first.cents, second: $.nodes.second.cents}}
  unknown: {status: REJECTED}
  failed: {status: FAILED}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """The shop of the compiler's cases, with a contract that writes."""
    root = tmp_path / "shop"
    shutil.copytree(PRELUDE, root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "protocols/shop/filed.yaml").write_text(CONTRACT)
    (root / "protocols/shop/order.yaml").write_text(WORKFLOW)
    compiled = Workspace(root).compile()
    assert compiled.ok, compiled.diagnostics
    return Workspace(root)


def test_what_a_contract_works_with_the_workflow_works_with(shop: Workspace, tmp_path: Path) -> None:
    sealed = compile_workspace(str(tmp_path / "shop"), shipped=str(ROOT)).sealed
    assert sealed is not None
    workflow = parsed(sealed.files["shop/WF_ORDER_V0.json"])
    assert workflow["capabilities"] == ["shop::CT_PRICE_V0", "std::CS_EVENTS_V0.APPEND", "std::CS_REGISTRY_V0.REGISTER"]
    assert workflow["stores"] == {
        "shop::ST_ORDERS_V0": {"keeps": "registry"}, "shop::ST_SHOP_EVENTS_V0": {"keeps": "events"},
    }  # fmt: skip
    assert list(workflow["events"]) == ["shop::EV_ORDERED_V0"]
    assert (workflow["run"], workflow["journal"]) == (["started_at"], True)
    assert workflow["bounds"] == {"visits": 6, "effects": {"APPEND_ONLY": 2, "IDEMPOTENT": 2}}
    origins = parsed(sealed.files["shop/WF_ORDER_V0.origins.json"])
    assert {"protocols/shop/base.yaml", "protocols/shop/filed.yaml", "protocols/shop/order.yaml"} < {
        *origins["sources"]
    }
    assert any(name.startswith("protocols/std/") for name in origins["sources"])


def test_a_run_tells_each_step_under_its_path(shop: Workspace, tmp_path: Path) -> None:
    ended = shop.run("shop::WF_ORDER_V0", {"item": "apple", "quantity": 3}, data_root=tmp_path / "data", picture=False)
    assert (ended.exit, ended.result) == ("done", {"first": 90, "second": 90})
    assert [(step.node, step.outcome) for step in ended.path] == [
        ("first/price", "SUCCESS"), ("first/file", "SUCCESS"), ("first/say", "SUCCESS"),
        ("second/price", "SUCCESS"), ("second/file", "ALREADY_EXISTS"),
    ]  # fmt: skip
    assert verify(ended.record, data_root=tmp_path / "data").verdict == "ANCHORED"
    assert replay(ended.record, shop.load()).same


def test_a_crash_inside_is_one_of_the_calling_node(shop: Workspace, tmp_path: Path) -> None:
    prices = tmp_path / "shop/capabilities/shop/prices.py"
    prices.write_text(prices.read_text().replace('return "UNKNOWN", {}', 'raise KeyError("no such item")'))
    caught = WORKFLOW.replace("UNKNOWN: second", "UNKNOWN: unknown").replace(
        "ALREADY: second, UNKNOWN: unknown}", "ALREADY: second, UNKNOWN: unknown, FAULT: unknown}"
    )
    (tmp_path / "shop/protocols/shop/order.yaml").write_text(caught)
    assert shop.compile().ok
    ended = shop.run("shop::WF_ORDER_V0", {"item": "pear", "quantity": 1}, data_root=tmp_path / "data", picture=False)
    assert (ended.exit, [(step.node, step.outcome) for step in ended.path]) == ("unknown", [("first/price", "FAULT")])
