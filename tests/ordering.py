"""A workspace of orders whose rows compare in every way that the finder of payloads knows, played from inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnibachi.catalogue import Capabilities
from omnibachi.compiling import compile_workspace
from omnibachi.scenarios.runner import Report, run_scenarios
from omnibachi.wiring import Compilation
from omnibachi.workspace import shipped_root

ORDER = "shop::WF_ORDER_V0"

DOMAIN = "domain: shop\n"

SHOP = """
store: ST_ORDERS_V0
governed_by: CS_REGISTRY_V0
---
intent: IN_ORDER_V0
payload:
  type: object
  properties:
    tier: {type: string, enum: [free, standard, enterprise]}
    quantity: {type: integer, minimum: 1, maximum: 1000}
    code: {type: string, pattern: "^[A-Z]{2}-[0-9]{4}$", maxLength: 7}
    note: {type: string, maxLength: 40}
    price: {type: number, exclusiveMinimum: 0}
    tags: {type: array, items: {type: string, minLength: 2, maxLength: 20}, maxItems: 5}
    address:
      type: object
      properties: {country: {type: string, minLength: 2, maxLength: 2}, zip: {type: string, maxLength: 10}}
      required: [country]
      additionalProperties: false
    extra: {}
  required: [tier, quantity, code, address, note, price, tags, extra]
  additionalProperties: false
---
workflow: WF_ORDER_V0
summary: Judge an order in many ways and keep it.
intent: IN_ORDER_V0
start: within
fault: failed
nodes:
  within:
    decide:
      - {when: "tier == 'enterprise'", outcome: SUCCESS, because: enterprise may order any number}
      - {when: "tier == 'standard' && quantity <= 100", outcome: SUCCESS}
      - {when: "tier == 'free' && quantity == 7 && code == 'ZZ-0042'", outcome: LUCKY}
      - {outcome: VIOLATION, because: too many}
    with: {tier: $.payload.tier, quantity: $.payload.quantity, code: $.payload.code}
    next: {SUCCESS: sum, LUCKY: texts, VIOLATION: refused}
  sum:
    compute: {total: "price * quantity", half: "quantity / 2"}
    with: {price: $.payload.price, quantity: $.payload.quantity}
    next: {SUCCESS: dear}
  dear:
    decide:
      - {when: "total > 5000 && quantity < 20", outcome: DEAR}
      - {when: "half == 21 || half == 23", outcome: ODD}
      - {outcome: SUCCESS}
    with: {total: $.nodes.sum.total, quantity: $.payload.quantity, half: $.nodes.sum.half}
    next: {SUCCESS: keep, DEAR: texts, ODD: place}
  texts:
    decide:
      - {when: "note.startsWith('URGENT') && note.endsWith('!') && note.contains('now')", outcome: URGENT}
      - {when: "size(tags) == 3 && 'vip' in tags", outcome: VIP}
      - {when: "!(size(note) < 12)", outcome: LONG}
      - {outcome: PLAIN}
    with: {note: $.payload.note, tags: $.payload.tags}
    next: {URGENT: keep, VIP: keep, LONG: place, PLAIN: refused}
  place:
    decide:
      - {when: "has(address.zip) && address.country in ['AT', 'DE']", outcome: NEAR}
      - {when: "type(extra) == 'record' || type(extra) == 'boolean'", outcome: OPEN}
      - {when: "address.country != 'CH'", outcome: FAR}
      - {outcome: NEIGHBOUR}
    with: {address: $.payload.address, extra: $.payload.extra}
    next: {NEAR: keep, OPEN: refused, FAR: refused, NEIGHBOUR: keep}
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_ORDERS_V0
    with: {key: $.payload.code, value: {tier: $.payload.tier, quantity: $.payload.quantity}}
    next: {SUCCESS: kept, ALREADY_EXISTS: again}
exits:
  kept: {status: COMPLETED, result: {address: $.nodes.keep.address}}
  again: {status: COMPLETED}
  refused: {status: DENIED}
  failed: {status: FAILED}
"""


def laid(root: Path, text: str = SHOP, scenarios: str = "") -> Compilation:
    """Lay a workspace of one domain and compile it, in memory."""
    folder = root / "protocols" / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "domain.yaml").write_text(DOMAIN, "utf-8")
    (folder / "shop.yaml").write_text(text, "utf-8")
    if scenarios:
        (folder / "shop.test.yaml").write_text(scenarios, "utf-8")
    compilation = compile_workspace(str(root), shipped=shipped_root())
    assert compilation.sealed is not None, [f"{item.span}: {item.message}" for item in compilation.diagnostics]
    return compilation


def played(root: Path, text: str = SHOP, scenarios: str = "", selector: str = "") -> Report:
    """Play a workspace's scenarios."""
    return run_scenarios(laid(root, text, scenarios), Capabilities(str(root / "capabilities")), selector)


def unanswered(report: Report) -> list[Any]:
    """Return what was missed and is not reached by any payload, with the reasons."""
    return [item for item in report.missed if item["payload"] is None]
