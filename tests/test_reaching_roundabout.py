"""Payloads for places that the first road, the nearest value or one kind of item does not reach."""

from __future__ import annotations

from pathlib import Path

import pytest

import ordering
from omnibachi.scenarios.reaching import CRASHES_ONLY

ROUNDABOUT = """
intent: IN_O_V0
payload:
  type: object
  properties:
    tier: {type: string, enum: [free, gold]}
    quantity: {type: integer, minimum: 1, maximum: 1000}
    note: {type: [string, 'null'], maxLength: 40}
    email: {type: string, format: email}
    lines: {type: array, minItems: 1, items: {type: integer}}
  required: [tier, quantity, lines]
  additionalProperties: false
---
contract: CC_LEVEL_V0
summary: Tell a level.
inputs: {q: {type: integer}}
start: twice
nodes:
  twice: {compute: {double: q * 2}, with: {q: $.inputs.q}, next: {SUCCESS: level}}
  level:
    decide: [{when: x > 1900, outcome: HUGE}, {when: x == 34, outcome: ODD}, {outcome: SMALL}]
    with: {x: $.nodes.twice.double}
    next: {HUGE: HUGE, ODD: ODD, SMALL: SMALL}
outcomes: {HUGE: {}, ODD: {}, SMALL: {}}
---
workflow: WF_O_V0
summary: Order.
intent: IN_O_V0
start: row
fault: failed
nodes:
  row:
    decide:
      - {when: "p.tier == 'gold' && p.quantity > 15 && p.quantity < 20", outcome: FEW}
      - when: "has(p.note) && p.note != null && p.note.startsWith('HEY') && p.note.endsWith('!') && size(p.note) > 12"
        outcome: NOTED
      - {when: "has(p.email) && p.email.startsWith('ann') && p.email.endsWith('@x.nl') && size(p.email) > 12",
         outcome: MAILED}
      - {outcome: OTHER}
    with: {p: $.payload}
    next: {FEW: one, NOTED: one, MAILED: done, OTHER: all}
  one: {use: CC_LEVEL_V0, with: {q: $.payload.quantity}, next: {HUGE: done, ODD: done, SMALL: done}}
  all:
    each: $.payload.lines
    max: 3
    use: CC_LEVEL_V0
    good: [HUGE]
    with: {q: $.each.item}
    next: {SUCCESS: done, PARTIAL: done, FAILED: done, OVERFLOW: done}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
"""


def test_what_lies_behind_another_row_or_sum_or_needs_both_ends_of_a_text_is_found(tmp_path: Path) -> None:
    """`one` is entered by two rows, of which the first shuts HUGE out; a loop ends PARTIAL by two unlike items."""
    report = ordering.played(tmp_path, ROUNDABOUT)
    assert [item for item in report.missed if item["payload"] is None] == [
        {"workflow": "shop::WF_O_V0", "exit": "failed", "payload": None, "reason": CRASHES_ONLY}
    ]


def test_what_is_cheap_is_found_though_the_search_is_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnibachi.scenarios.suggested.MOST_EFFORT_OF_ONE", 3_000)
    report = ordering.played(tmp_path, ROUNDABOUT)
    reasons = {item.get("reason") for item in report.missed}
    assert "the search was cut short" in reasons
    (rejected,) = (item for item in report.missed if item.get("exit") == "rejected")
    assert rejected["payload"] == {}
