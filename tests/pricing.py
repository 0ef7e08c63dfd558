"""A workspace of prices that can be loaded as facts, listed and counted, compiled into a folder of the test's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from omnibachi import Workspace

PRICES = "shop::ST_PRICES_V0"
NOTES = "shop::ST_NOTES_V0"
LIST = "shop::WF_LIST_V0"
RAISE = "shop::WF_RAISE_V0"

SHOP = """
domain: shop
---
store: ST_PRICES_V0
governed_by: CS_RECORDS_V0
seed: true
record:
  type: object
  properties:
    kind: {type: string}
    cents: {type: integer, minimum: 1}
    unit: {type: string}
  required: [kind, cents, unit]
  additionalProperties: false
---
store: ST_RAISES_V0
governed_by: CS_EVENTS_V0
---
event: EV_RAISED_V0
record: {type: object}
---
store: ST_NOTES_V0
governed_by: CS_RECORDS_V0
seed: true
---
store: ST_STOCK_V0
governed_by: CS_RECORDS_V0
---
store: ST_ORDERS_V0
governed_by: CS_REGISTRY_V0
seed: true
---
store: ST_LOG_V0
governed_by: CS_EVENTS_V0
seed: true
---
intent: IN_LIST_V0
payload:
  type: object
  properties: {kind: {type: string}, limit: {type: integer, minimum: 1, maximum: 1000}}
  required: [kind, limit]
  additionalProperties: false
---
workflow: WF_LIST_V0
summary: List the prices of a kind.
intent: IN_LIST_V0
start: count
fault: failed
nodes:
  count:
    use: CS_RECORDS_V0.COUNT
    store: ST_PRICES_V0
    with: {where: {kind: $.payload.kind}}
    next: {SUCCESS: some}
  some:
    decide:
      - {when: n > 0, outcome: SUCCESS}
      - {outcome: NONE}
    with: {n: $.nodes.count.count}
    next: {SUCCESS: prices, NONE: none}
  prices:
    use: CS_RECORDS_V0.LIST
    store: ST_PRICES_V0
    with: {where: {kind: $.payload.kind}, limit: $.payload.limit}
    next: {SUCCESS: first}
  first:
    compute: {doubled: cents * 2, name: "key + '/' + unit"}
    with:
      cents: "$.nodes.prices.items[0].value.cents"
      key: "$.nodes.prices.items[0].key"
      unit: "$.nodes.prices.items[0].value.unit"
    next: {SUCCESS: listed}
exits:
  listed:
    status: COMPLETED
    result:
      items: $.nodes.prices.items
      total: $.nodes.prices.total
      doubled: $.nodes.first.doubled
      name: $.nodes.first.name
  none: {status: COMPLETED}
  failed: {status: FAILED}
---
intent: IN_RAISE_V0
payload: {type: object, properties: {key: {type: string}, cents: {type: integer, minimum: 1}}, required: [key, cents]}
---
workflow: WF_RAISE_V0
summary: Write a price whatever was there.
intent: IN_RAISE_V0
start: put
fault: failed
nodes:
  put:
    use: CS_RECORDS_V0.PUT
    store: ST_PRICES_V0
    with: {key: $.payload.key, value: {kind: raised, cents: $.payload.cents, unit: piece}}
    next: {SUCCESS: tell}
  tell:
    use: CS_EVENTS_V0.APPEND
    store: ST_RAISES_V0
    event: EV_RAISED_V0
    with: {record: {cents: $.payload.cents}}
    next: {SUCCESS: raised, VIOLATION: failed}
exits:
  raised: {status: COMPLETED, result: {revision: $.nodes.put.revision}}
  failed: {status: FAILED}
"""


def shop(root: Path, more: str = "") -> Workspace:
    """Lay and compile the workspace; `more` are further declarations."""
    folder = root / "protocols" / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    domain, _, rest = SHOP.strip().partition("\n---\n")
    (folder / "domain.yaml").write_text(domain + "\n", "utf-8")
    (folder / "shop.yaml").write_text(rest + "\n" + more, "utf-8")
    workspace = Workspace(root)
    compiled = workspace.compile()
    assert compiled.ok, [f"{item.span} {item.code} {item.message}" for item in compiled.diagnostics]
    return workspace


def price(cents: Any, kind: str = "tea", **more: Any) -> dict[str, Any]:
    """Return a price as a file of facts holds it."""
    return {"kind": kind, "cents": cents, "unit": "piece", **more}


def seed(path: Path, stores: dict[str, Any], **more: Any) -> str:
    """Write a file of facts and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema": "omnibachi.seed/1", "stores": stores, **more}), "utf-8")
    return str(path)
