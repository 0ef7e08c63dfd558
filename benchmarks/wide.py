"""Declarations to compile by the thousand: chains, diamonds, and scientific workflows, each with failing exits.

`shapes.json` holds task graphs drawn with WfCommons (`shapes_from_wfcommons.py` says how): lists of parents. A task
with several parents digests what they gave, any other shifts the instant of its parent; the walk goes from task to
task, and whatever is no success leads to a failing exit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

from omnibachi.wiring import Source

SHAPES = os.path.join(os.path.dirname(__file__), "shapes.json")
FRAME = """\
workflow: {code}
summary: {summary}.
intent: IN_MEASURED_V0
start: {start}
fault: failed
next: {{VIOLATION: refused}}
nodes:
{nodes}
exits:
  done: {{status: COMPLETED, result: {{last: {last}}}}}
  refused: {{status: REJECTED}}
  failed: {{status: FAILED}}
"""
COMMON = """\
domain: wide
summary: Much of the same.
---
intent: IN_MEASURED_V0
payload:
  type: object
  properties: {at: {type: string, format: date-time}, amount: {type: integer, minimum: 0}}
  required: [at, amount]
  additionalProperties: false
"""


def workspace(count: int) -> list[Source]:
    """Return the sources of `count` workflows, each in a file of its own, and of what they share."""
    sources = [source("domain", COMMON)]
    for number, text in zip(range(count), texts(), strict=False):
        sources.append(source(f"w{number:04}", text))
    return sources


def source(name: str, text: str) -> Source:
    """Return one file of the domain."""
    return Source(f"protocols/wide/{name}.yaml", "wide", text.encode())


def texts() -> Iterator[str]:
    """Yield workflows without end: a chain, a diamond, a scientific shape, and so on in growing sizes."""
    with open(SHAPES, encoding="utf-8") as file:
        shapes = sorted(json.load(file).items())
    number = 0
    while True:
        kind, size = number % 3, 8 + number // 3 % 25
        code = f"WF_W{number:04}_V0"
        if kind == 0:
            yield chain(code, size)
        elif kind == 1:
            yield diamonds(code, size // 4)
        else:
            name, parents = shapes[number // 3 % len(shapes)]
            yield tasks(code, f"Tasks as in {name}", parents)
        number += 1


def chain(code: str, size: int) -> str:
    """Return a workflow of `size` nodes, each of which takes what the one before gave."""
    return tasks(code, "One after the other", [[index - 1] if index else [] for index in range(size)])


def tasks(code: str, summary: str, parents: Sequence[Sequence[int]]) -> str:
    """Return a workflow of tasks, one node each, in their order."""
    nodes = []
    gives = ["hash" if len(before) > 1 else "at" for before in parents]
    for index, before in enumerate(parents):
        after = f"t{index + 1}" if index + 1 < len(parents) else "done"
        if len(before) > 1:
            data = ", ".join(f"$.nodes.t{parent}.{gives[parent]}" for parent in before)
            nodes.append(
                f"  t{index}:\n    use: CT_DIGEST_V0\n    with: {{data: [{data}]}}\n    next: {{SUCCESS: {after}}}"
            )
            continue
        # An instant cannot be shifted from a digest: such a task begins anew.
        at = f"$.nodes.t{before[0]}.at" if before and gives[before[0]] == "at" else "$.payload.at"
        shift = f"    use: CT_SHIFT_TIME_V0\n    with: {{at: {at}, seconds: $.payload.amount}}"
        nodes.append(f"  t{index}:\n{shift}\n    next: {{SUCCESS: {after}, VIOLATION: refused}}")
    last = f"$.nodes.t{len(parents) - 1}.{gives[-1]}"
    return FRAME.format(code=code, summary=summary, start="t0", nodes="\n".join(nodes), last=last).replace(
        "next: {VIOLATION: refused}\nnodes", "nodes"
    )


def diamonds(code: str, count: int) -> str:
    """Return a workflow of `count` diamonds of four nodes: a decision, two ways, and what joins them."""
    nodes = []
    for index in range(count):
        after = f"d{index + 1}" if index + 1 < count else "done"
        nodes.append(
            f"""\
  d{index}:
    decide:
      - {{when: "amount > {index * 10}", outcome: LARGE}}
      - {{outcome: SMALL, because: the amount is small}}
    with: {{amount: $.payload.amount}}
    next: {{LARGE: left{index}, SMALL: right{index}}}
  left{index}:
    use: CT_SHIFT_TIME_V0
    with: {{at: $.payload.at, seconds: {index}}}
    next: {{SUCCESS: joined{index}}}
  right{index}:
    use: CT_SHIFT_TIME_V0
    with: {{at: $.payload.at, seconds: -{index + 1}}}
    next: {{SUCCESS: joined{index}}}
  joined{index}:
    use: CT_DIGEST_V0
    with: {{data: {{$first: [$.nodes.left{index}.at, $.nodes.right{index}.at]}}}}
    next: {{SUCCESS: {after}}}"""
        )
    last = f"$.nodes.joined{count - 1}.hash"
    return FRAME.format(code=code, summary="Two ways, again and again", start="d0", nodes="\n".join(nodes), last=last)
