"""A payload that is refused at the gate is placed where the intent declares what it breaks, in whichever file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from front_door import Call, call
from omnibachi import Workspace
from omnibachi_model.sealed import at_gate

__all__ = ["call"]

INTENT = """\
intent: IN_ORDER_V0
payload:
  type: object
  $defs:
    money:
      type: object
      properties: {amount: {type: integer}, currency: {type: string}}
      required: [amount]
      additionalProperties: false
  properties:
    customer:
      type: object
      properties:
        name: {type: string, minLength: 2}
        a/b: {type: string}
      additionalProperties: false
    lines:
      type: array
      items:
        type: object
        properties:
          count: {type: integer, minimum: 1}
        required: [count]
    price: {$ref: '#/$defs/money'}
    "7": {type: integer}
  required: [customer]
  additionalProperties: false
"""
WORKFLOW = """\
workflow: WF_ORDER_V0
summary: Take an order.
intent: IN_ORDER_V0
start: enough
fault: failed
nodes:
  enough:
    decide:
      - {outcome: SUCCESS}
    with: {name: $.payload.customer}
    next: {SUCCESS: done}
exits:
  done: {status: COMPLETED}
  failed: {status: FAILED}
"""
FILE = "protocols/shop/asked.yaml"
LINES = INTENT.splitlines()


def line_of(text: str) -> int:
    """Return the line on which the intent has a text."""
    (found,) = [number for number, line in enumerate(LINES, 1) if text in line]
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("shop")
    declared = folder / "protocols/shop"
    declared.mkdir(parents=True)
    (declared / "domain.yaml").write_text("domain: shop\n")
    (declared / "asked.yaml").write_text(INTENT)
    (declared / "order.yaml").write_text(WORKFLOW)
    compiled = Workspace(folder).compile()
    assert compiled.ok, compiled.diagnostics
    return Workspace(folder)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"customer": {"name": "a"}}, "name: {type: string, minLength: 2}"),
        ({"customer": {"a/b": 1}}, "a/b:"),
        ({"customer": {"surname": "x"}}, "    customer:"),
        ({}, "    customer:"),
        ({"customer": {}, "other": 1}, "  type: object"),
        ({"customer": {}, "7": "x"}, '"7":'),
        ({"customer": {}, "lines": [{"count": 1}, {"count": 0}]}, "count: {type: integer"),
        ({"customer": {}, "lines": [{"count": 1}, {}]}, "count: {type: integer"),
        ({"customer": {}, "lines": [1]}, "    lines:"),
        ({"customer": {}, "price": {"amount": "much"}}, "    price:"),
    ],
)
def test_the_place_is_that_of_the_member(shop: Workspace, payload: dict[str, Any], text: str) -> None:
    (found,) = shop.run("shop::WF_ORDER_V0", payload, picture=False).diagnostics
    expected = 3 if text == "  type: object" else line_of(text)
    assert found.span is not None
    assert (found.code, found.span.file, found.span.line) == ("OB701", FILE, expected)
    assert found.span.column == len(LINES[expected - 1]) - len(LINES[expected - 1].lstrip()) + 1


def test_run_examine_and_a_repeated_run_name_the_same_place(
    shop: Workspace, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.root)
    run = ("run", "--wf", "shop::WF_ORDER_V0", "--set", "customer.name=a", "--trace-id", "T1", "--no-picture")
    place = f"{FILE}:{line_of('name: {type')}:9"
    for _ in range(2):
        said = call(*run)
        assert said.status == 1
        assert f"--> {place}\n" in said.err
        assert "name: {type: string, minLength: 2}\n" in said.err, "the line itself is shown"
    assert f"place: {place}\n" in call("examine", "T1").out
    assert call("examine", "T1", "--json").json()["failed"]["place"] == place


def test_origins_that_tell_of_no_gate_place_nothing(shop: Workspace) -> None:
    result = shop.run("shop::WF_ORDER_V0", {}, picture=False, trace_id="T2")
    assert result.diagnostics[0].span is not None
    origins: dict[str, Any] = {"file": "x.yaml", "span": [1, 1, 1, 2]}
    for gate in (None, [], {}, {"members": []}):
        assert at_gate({**origins, "gate": gate}, "/customer") is None
    assert at_gate(origins, "") is None


def test_names_that_look_like_numbers_come_before_items() -> None:
    members = {"/7": [1], "/*": [2], "/*/*": [3], "/a~1b": [4]}
    gate = {"file": "f", "span": [0], "members": members}

    def at(pointer: str) -> Any:
        found = at_gate({"gate": gate}, pointer)
        assert found is not None and found[0] == "f"
        return found[1]

    assert [at(pointer) for pointer in ("", "/7", "/8", "/7/8", "/a~1b", "/a~1b/0", "/b")] == [
        [0], [1], [2], [3], [4], [4], [0],
    ]  # fmt: skip


def test_a_node_may_lead_to_the_reserved_exit(tmp_path: Path) -> None:
    """Then no payload was refused, so there is nothing to say about one; also when the run is asked for again."""
    sources = tmp_path / "protocols" / "shop"
    sources.mkdir(parents=True)
    ending = WORKFLOW.replace("SUCCESS: done", "SUCCESS: rejected").replace("  done: {status: COMPLETED}\n", "")
    (sources / "asked.yaml").write_text(f"domain: shop\nsummary: A shop.\n---\n{INTENT}---\n{ending}")
    workspace = Workspace(tmp_path)
    assert workspace.compile().ok
    for _ in range(2):
        ended = workspace.run("shop::WF_ORDER_V0", {"customer": {}}, data_root=tmp_path / "data", trace_id="twice")
        assert (ended.exit, ended.status, ended.result, ended.diagnostics) == ("rejected", "REJECTED", {}, ())
        assert [(step.node, step.outcome) for step in ended.path] == [("enough", "SUCCESS")]
