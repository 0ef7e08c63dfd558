"""A bank in a workspace of its own: a store of accounts, and workflows that open them and pay from one to another."""

from __future__ import annotations

from pathlib import Path

from omnibachi import Workspace

TILL = "bank::ST_TILL_V0"
OPEN, PAY = "bank::WF_OPEN_V0", "bank::WF_PAY_V0"

BANK = """
domain: bank
summary: Accounts that are paid into and out of.
---
store: ST_TILL_V0
summary: What everybody has.
governed_by: CS_ACCOUNTS_V0
overdraft: [MINT]
opened: [FEES]
---
intent: IN_OPEN_V0
payload: {type: object, properties: {who: {type: string}}, required: [who], additionalProperties: false}
---
workflow: WF_OPEN_V0
summary: Open an account.
intent: IN_OPEN_V0
start: open
fault: failed
nodes:
  open:
    use: CS_ACCOUNTS_V0.OPEN
    store: ST_TILL_V0
    with: {account: $.payload.who}
    next: {SUCCESS: opened, ALREADY_EXISTS: exists}
exits:
  opened: {status: COMPLETED}
  exists: {status: COMPLETED}
  failed: {status: FAILED}
---
intent: IN_PAY_V0
payload:
  type: object
  properties:
    from: {type: string}
    to: {type: string}
    amount: {type: integer, minimum: 0}
    key: {type: string}
  required: [from, to, amount]
  additionalProperties: false
---
workflow: WF_PAY_V0
summary: Pay an amount, and one of the unit as a fee.
intent: IN_PAY_V0
start: pay
fault: failed
nodes:
  pay:
    use: CS_ACCOUNTS_V0.POST
    store: ST_TILL_V0
    with:
      key: {$first: [$.payload.key, null]}
      entries:
        - {from: $.payload.from, to: $.payload.to, amount: $.payload.amount}
        - {from: $.payload.from, to: FEES, amount: 1}
    next:
      SUCCESS: balance
      ALREADY_EXISTS: paid_before
      INSUFFICIENT: too_little
      NOT_FOUND: nobody
      CONFLICT: failed
      VIOLATION: refused
  balance:
    use: CS_ACCOUNTS_V0.BALANCE
    store: ST_TILL_V0
    with: {account: $.payload.from}
    next: {SUCCESS: paid, NOT_FOUND: failed}
exits:
  paid: {status: COMPLETED, result: {number: $.nodes.pay.number, left: $.nodes.balance.balance}}
  paid_before: {status: COMPLETED, result: {number: $.nodes.pay.number, entries: $.nodes.pay.entries}}
  too_little: {status: REJECTED, result: {account: $.nodes.pay.account, has: $.nodes.pay.balance}}
  nobody: {status: REJECTED, result: {account: $.nodes.pay.account}}
  refused: {status: REJECTED, result: {reason: $.nodes.pay.reason}}
  failed: {status: FAILED}
"""

SCENARIO = """
test: paying moves all or nothing
workflow: WF_PAY_V0
steps:
  - workflow: WF_OPEN_V0
    payload: {who: anna}
    expect: {exit: opened, stores: {ST_TILL_V0: {count: 3}}}
  - payload: {from: MINT, to: anna, amount: 5}
    expect:
      exit: paid
      result: {number: 1, left: -6}
      stores:
        ST_TILL_V0:
          count: 3
          records: [{account: MINT, balance: -6}, {account: FEES, balance: 1}, {account: anna, balance: 5}]
  - payload: {from: anna, to: MINT, amount: 5}
    expect: {exit: too_little, result: {account: anna, has: 0}}
  - payload: {from: anna, to: bert, amount: 1}
    expect: {exit: nobody, result: {account: bert}}
  - payload: {from: anna, to: MINT, amount: 0}
    expect: {exit: refused, stores: {ST_TILL_V0: {records: {$any: true}, count: 3}}}
  - payload: {from: anna, to: MINT, amount: 4, key: once}
    expect: {exit: paid, result: {number: 2, left: 0}}
  - payload_of: 6
    expect:
      exit: paid_before
      result:
        number: 2
        entries: [{from: anna, to: MINT, amount: 4}, {from: anna, to: FEES, amount: 1}]
"""


def bank(folder: Path, scenario: str = SCENARIO) -> Workspace:
    """Write the workspace into a folder, compile it and return it."""
    for name, text in (("bank.yaml", BANK), ("bank.test.yaml", scenario)):
        path = folder / "protocols/bank" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), "utf-8")
    made = Workspace(folder)
    compiled = made.compile()
    assert compiled.ok, [f"{item.span}: {item.code} {item.message}" for item in compiled.diagnostics]
    return made
