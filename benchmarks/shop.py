"""The workspace that the benchmarks run on: declared in YAML, compiled and sealed like any other.

Transforms do next to nothing, so that what is measured is the engine and not they. Chains pass 10 or 100 nodes; of the
branching ones every level has three nodes, and which of them is next is decided at each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnibachi import Workspace

TEN, HUNDRED = "bench::WF_TEN_V0", "bench::WF_HUNDRED_V0"
BRANCHES, DECISIONS = "bench::WF_BRANCHES_V0", "bench::WF_DECISIONS_V0"
COMMITTED = "bench::WF_COMMITTED_V0"
KEEP, SELL, LOOK, RAISE = "bench::WF_KEEP_V0", "bench::WF_SELL_V0", "bench::WF_LOOK_V0", "bench::WF_RAISE_V0"
STEP, TURN, REGISTER = "bench::CT_STEP_V0", "bench::CT_TURN_V0", "std::CS_REGISTRY_V0.REGISTER"
ORDERS, LOG, PRICES = "bench::ST_ORDERS_V0", "bench::ST_LOG_V0", "bench::ST_PRICES_V0"
SOLD, KINDS = "bench::EV_SOLD_V0", 50
PAYLOAD: dict[str, Any] = {"n": 1, "name": "an order of something"}
TURNS = ("LEFT", "MIDDLE", "RIGHT")
LEVELS = 10

FUNCTIONS = """
def step(inputs):
    return "SUCCESS", {"n": inputs["n"] + 1}


def turn(inputs):
    n = inputs["n"] + 1
    if n % 3 == 0:
        return "LEFT", {"n": n}
    if n % 3 == 1:
        return "MIDDLE", {"n": n}
    return "RIGHT", {"n": n}
"""
CATALOGUE = """
from .steps import step, turn

CATALOGUE = {"bench::CT_STEP_V0": step, "bench::CT_TURN_V0": turn}
"""
DECLARED = """
transform: CT_STEP_V0
summary: Count one further.
inputs: {n: {type: integer}, name: {type: string}}
outcomes: {SUCCESS: {n: {type: integer}}}
examples: [{with: {n: 1, name: a}, gives: SUCCESS, output: {n: 2}}]
---
transform: CT_TURN_V0
summary: Count one further and turn.
inputs: {n: {type: integer}, name: {type: string}}
outcomes: {LEFT: {n: {type: integer}}, MIDDLE: {n: {type: integer}}, RIGHT: {n: {type: integer}}}
examples: [{with: {n: 1, name: a}, gives: RIGHT, output: {n: 2}}]
---
intent: IN_ORDER_V0
payload:
  type: object
  properties: {name: {type: string, maxLength: 100}, n: {type: integer}}
  required: [name, n]
  additionalProperties: false
---
intent: IN_SALE_V0
payload:
  type: object
  properties: {name: {type: string, maxLength: 100}, kind: {type: string}, cents: {type: integer}}
  required: [name, kind, cents]
  additionalProperties: false
---
event: EV_SOLD_V0
record: {type: object, properties: {name: {type: string}, kind: {type: string}}, required: [name, kind]}
---
store: ST_ORDERS_V0
governed_by: CS_REGISTRY_V0
---
store: ST_LOG_V0
governed_by: CS_EVENTS_V0
---
store: ST_PRICES_V0
governed_by: CS_RECORDS_V0
seed: true
record: {type: object, properties: {kind: {type: string}, cents: {type: integer}}, required: [kind, cents]}
---
workflow: WF_KEEP_V0
summary: One effect.
intent: IN_ORDER_V0
start: keep
fault: failed
nodes:
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_ORDERS_V0
    with: {key: $.payload.name, value: $.payload}
    next: {SUCCESS: done, ALREADY_EXISTS: done}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
---
workflow: WF_SELL_V0
summary: Register an order and tell of it.
intent: IN_SALE_V0
start: keep
fault: failed
nodes:
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_ORDERS_V0
    with: {key: $.payload.name, value: $.payload}
    next: {SUCCESS: tell, ALREADY_EXISTS: done}
  tell:
    use: CS_EVENTS_V0.APPEND
    store: ST_LOG_V0
    event: EV_SOLD_V0
    with: {record: {name: $.payload.name, kind: $.payload.kind}}
    next: {SUCCESS: done, VIOLATION: failed}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
---
workflow: WF_RAISE_V0
summary: Write a price, and tell of it.
intent: IN_SALE_V0
start: put
fault: failed
nodes:
  put:
    use: CS_RECORDS_V0.PUT
    store: ST_PRICES_V0
    with: {key: $.payload.name, value: {kind: $.payload.kind, cents: $.payload.cents}}
    next: {SUCCESS: tell}
  tell:
    use: CS_EVENTS_V0.APPEND
    store: ST_LOG_V0
    event: EV_SOLD_V0
    with: {record: {name: $.payload.name, kind: $.payload.kind}}
    next: {SUCCESS: done, VIOLATION: failed}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
---
workflow: WF_LOOK_V0
summary: Ask every store, and leave one line.
intent: IN_SALE_V0
start: resolve
fault: failed
nodes:
  resolve:
    use: CS_REGISTRY_V0.RESOLVE
    store: ST_ORDERS_V0
    with: {key: $.payload.name}
    next: {SUCCESS: find, NOT_FOUND: find}
  find:
    use: CS_EVENTS_V0.FIND
    store: ST_LOG_V0
    event: EV_SOLD_V0
    with: {match: {kind: $.payload.kind}}
    next: {SUCCESS: count, NOT_FOUND: count}
  count:
    use: CS_EVENTS_V0.COUNT
    store: ST_LOG_V0
    event: EV_SOLD_V0
    with: {match: {kind: $.payload.kind}}
    next: {SUCCESS: prices}
  prices:
    use: CS_RECORDS_V0.LIST
    store: ST_PRICES_V0
    with: {where: {kind: $.payload.kind}, limit: 5}
    next: {SUCCESS: total}
  total:
    use: CS_RECORDS_V0.COUNT
    store: ST_PRICES_V0
    with: {where: {kind: $.payload.kind}}
    next: {SUCCESS: done}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
"""


def lay(folder: Path) -> Workspace:
    """Declare, compile and seal the workspace in a folder."""
    own = folder / "protocols" / "bench"
    package = folder / "capabilities" / "bench_caps"
    own.mkdir(parents=True)
    package.mkdir(parents=True)
    (own / "domain.yaml").write_text("domain: bench\nsummary: What the benchmarks run.\n", "utf-8")
    documents = [DECLARED, chain("WF_TEN_V0", 10), chain("WF_HUNDRED_V0", 100), branches(), decisions(), committed()]
    (own / "bench.yaml").write_text("\n---\n".join(text.strip() for text in documents) + "\n", "utf-8")
    (package / "__init__.py").write_text("", "utf-8")
    (package / "steps.py").write_text(FUNCTIONS.lstrip(), "utf-8")
    (package / "catalogue.py").write_text(CATALOGUE.lstrip(), "utf-8")
    workspace = Workspace(folder)
    compiled = workspace.compile()
    assert compiled.ok, [f"{item.span} {item.code} {item.message}" for item in compiled.diagnostics]
    return workspace


def node_of(level: int, side: int) -> str:
    """Name a node of a branching workflow; the first level has one."""
    return f"node_{level}_{side if level else 0}"


def chain(code: str, size: int) -> str:
    """Declare a workflow of `size` transforms in line, each fed by the one before."""
    nodes = ""
    for index in range(size):
        n = f"$.nodes.node_{index - 1}.n" if index else "$.payload.n"
        following = f"node_{index + 1}" if index + 1 < size else "done"
        use = f"use: CT_STEP_V0, with: {{n: {n}, name: $.payload.name}}"
        nodes += f"  node_{index}: {{{use}, next: {{SUCCESS: {following}}}}}\n"
    return _workflow(code, "node_0", nodes, f"{{n: $.nodes.node_{size - 1}.n}}")


def committed() -> str:
    """Declare ten transforms in line, each followed by an effect, with which it is committed."""
    nodes = ""
    for index in range(LEVELS):
        n = f"$.nodes.node_{index - 1}.n" if index else "$.payload.n"
        following = f"node_{index + 1}" if index + 1 < LEVELS else "done"
        use = f"use: CT_STEP_V0, with: {{n: {n}, name: $.payload.name}}"
        record = "{name: $.payload.name, kind: $.payload.name}"
        nodes += (
            f"  node_{index}: {{{use}, next: {{SUCCESS: keep_{index}}}}}\n"
            f"  keep_{index}: {{use: CS_EVENTS_V0.APPEND, store: ST_LOG_V0, event: EV_SOLD_V0,"
            f" with: {{record: {record}}}, next: {{SUCCESS: {following}, VIOLATION: failed}}}}\n"
        )
    return _workflow("WF_COMMITTED_V0", "node_0", nodes, f"{{n: $.nodes.node_{LEVELS - 1}.n}}")


def branches() -> str:
    """Declare ten levels of three transforms, each of which leads to any of the next level."""
    nodes = ""
    for level in range(LEVELS):
        before = [f"$.nodes.{node_of(level - 1, side)}.n" for side in range(3 if level > 1 else 1)]
        n = "$.payload.n" if not level else before[0] if level == 1 else f"{{$first: [{', '.join(before)}]}}"
        for side in range(3 if level else 1):
            nodes += (
                f"  {node_of(level, side)}: {{use: CT_TURN_V0, with: {{n: {n}, name: $.payload.name}},"
                f" next: {_next(level, TURNS)}}}\n"
            )
    return _workflow("WF_BRANCHES_V0", node_of(0, 0), nodes, "{}")


def decisions() -> str:
    """Declare ten levels of three decisions of three rows, each of which leads to any of the next level."""
    nodes = ""
    for level in range(LEVELS):
        low, high = level % 3, level % 3 + 1
        for side in range(3 if level else 1):
            nodes += (
                f"  {node_of(level, side)}:\n    decide:\n"
                f"      - {{when: n < {low}, outcome: LEFT, because: it is less than {low}}}\n"
                f"      - {{when: n > {high}, outcome: MIDDLE, because: it is more than {high}}}\n"
                f"      - {{outcome: RIGHT, because: it lies between}}\n"
                f"    with: {{n: $.payload.n}}\n    next: {_next(level, TURNS)}\n"
            )
    return _workflow("WF_DECISIONS_V0", node_of(0, 0), nodes, "{}")


def _next(level: int, outcomes: tuple[str, ...]) -> str:
    targets = [node_of(level + 1, side) if level + 1 < LEVELS else "done" for side in range(3)]
    routes = ", ".join(f"{name}: {target}" for name, target in zip(outcomes, targets, strict=True))
    return f"{{{routes}}}"


def _workflow(code: str, start: str, nodes: str, result: str) -> str:
    return (
        f"workflow: {code}\nsummary: Measured.\nintent: IN_ORDER_V0\nstart: {start}\nfault: failed\nnodes:\n{nodes}"
        f"exits:\n  done: {{status: COMPLETED, result: {result}}}\n  failed: {{status: FAILED}}\n"
    )
