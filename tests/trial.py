"""A small workspace for hard times: one workflow that holds every kind of node, and a few that do a single thing.

`WF_EVERY_KIND_V0` transforms, decides, computes, reads, asks for time and chance, registers, creates, swaps, puts and
appends; a computation and a transform of its own end in FAULT on the way, and `$first` reads past both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnibachi import Workspace
from trial_loops import SOURCE as LOOPS_SOURCE

EVERY_KIND, CLAIM, COUNT_UP, SAY = (
    f"trial::WF_{name}_V0" for name in ("EVERY_KIND", "CLAIM", "COUNT_UP", "SAY")
)  # fmt: skip
THINGS, NAMES, STREAM = "trial::ST_THINGS_V0", "trial::ST_NAMES_V0", "trial::ST_TOLD_V0"

STORES = """
store: ST_THINGS_V0
summary: Things that change.
governed_by: CS_RECORDS_V0
evidence: true
record: {type: object, properties: {n: {type: integer}, by: {type: string}}, required: [n], additionalProperties: false}
---
store: ST_NAMES_V0
summary: Whose name it is; the first claim stands.
governed_by: CS_REGISTRY_V0
evidence: true
record: {type: object, properties: {owner: {type: string}}, required: [owner], additionalProperties: false}
---
store: ST_TOLD_V0
summary: What happened, in order.
governed_by: CS_EVENTS_V0
evidence: true
---
event: EV_TOLD_V0
summary: Something happened.
record:
  type: object
  properties: {who: {type: string}, what: {type: string}, n: {type: integer}}
  required: [who, what, n]
  additionalProperties: false
---
transform: CT_BREAK_V0
summary: Break down on request.
inputs: {n: {type: integer}}
outcomes: {SUCCESS: {n: {type: integer}}}
"""

INTENT = """
intent: IN_TRIED_V0
summary: Somebody tries something.
payload:
  type: object
  properties: {name: {type: string, minLength: 1}, n: {type: integer}, by: {type: string, default: nobody}}
  required: [name]
  additionalProperties: false
"""

KINDS = """
workflow: WF_EVERY_KIND_V0
summary: Pass every kind of node.
intent: IN_TRIED_V0
start: id
fault: failed
next: {VIOLATION: failed}
nodes:
  id:
    use: CT_GENERATE_ID_V0
    with: {prefix: TR, data: $.payload}
    next: {SUCCESS: claim}
  claim:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_NAMES_V0
    with: {key: $.payload.name, value: {owner: $.payload.by}}
    next: {SUCCESS: create, ALREADY_EXISTS: create}
  create:
    use: CS_RECORDS_V0.CREATE
    store: ST_THINGS_V0
    with: {key: $.nodes.id.id, value: {n: 0, by: $.payload.by}}
    next: {SUCCESS: seen, ALREADY_EXISTS: seen}
  seen:
    use: CS_RECORDS_V0.GET
    store: ST_THINGS_V0
    with: {key: $.nodes.id.id}
    next: {SUCCESS: ratio, NOT_FOUND: failed}
  ratio:
    compute: {n: "10 / n"}
    with: {n: $.nodes.seen.value.n}
    next: {SUCCESS: break, FAULT: break}
  break:
    use: CT_BREAK_V0
    with: {n: 13}
    next: {SUCCESS: sum, FAULT: sum}
  sum:
    compute: {n: "first + 1", big: "first > 100"}
    with: {first: {$first: [$.payload.n, $.nodes.ratio.n, 7]}}
    next: {SUCCESS: now}
  now:
    use: CS_CLOCK_V0.NOW
    next: {SUCCESS: chance}
  chance:
    use: CS_ENTROPY_V0.DRAW
    with: {bytes: 4}
    next: {SUCCESS: tell}
  tell:
    use: CS_EVENTS_V0.APPEND
    store: ST_TOLD_V0
    event: EV_TOLD_V0
    with: {record: {who: $.nodes.chance.hex, what: $.nodes.now.at, n: $.nodes.sum.n}}
    next: {SUCCESS: size}
  size:
    decide:
      - {when: "n > 100", outcome: LARGE, because: more than a hundred is too much}
      - {when: "n > 10", outcome: MIDDLE}
      - {outcome: SMALL, because: ten at most}
    with: {n: $.nodes.sum.n}
    next: {LARGE: refusal, MIDDLE: swap, SMALL: swap}
  swap:
    use: CS_RECORDS_V0.SWAP
    store: ST_THINGS_V0
    with:
      key: $.nodes.id.id
      value: {n: $.nodes.sum.n, by: {$first: [$.nodes.claim.value.owner, $.payload.by]}}
      revision: $.nodes.seen.revision
    next: {SUCCESS: put, CONFLICT: conflict, NOT_FOUND: failed}
  put:
    use: CS_RECORDS_V0.PUT
    store: ST_THINGS_V0
    with: {key: latest, value: {n: 1, by: $.nodes.chance.hex}}
    next: {SUCCESS: counted}
  counted:
    use: CS_EVENTS_V0.COUNT
    store: ST_TOLD_V0
    event: EV_TOLD_V0
    with: {match: {what: $.nodes.now.at}}
    next: {SUCCESS: again}
  again:
    use: CS_EVENTS_V0.APPEND
    store: ST_TOLD_V0
    event: EV_TOLD_V0
    with: {record: {who: $.nodes.id.id, what: $.run.id, n: $.nodes.counted.count}}
    next: {SUCCESS: done}
  refusal:
    use: CS_EVENTS_V0.APPEND
    store: ST_TOLD_V0
    event: EV_TOLD_V0
    with: {record: {who: $.nodes.id.id, what: refused, n: $.nodes.sum.n}}
    next: {SUCCESS: refused}
exits:
  done: {status: COMPLETED, result: {id: $.nodes.id.id, sequence: $.nodes.again.sequence}}
  refused: {status: DENIED, result: {n: $.nodes.sum.n}}
  conflict: {status: REJECTED}
  failed: {status: FAILED}
"""

SINGLE = """
workflow: WF_CLAIM_V0
summary: Claim a name.
intent: IN_TRIED_V0
start: claim
fault: failed
nodes:
  claim:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_NAMES_V0
    with: {key: $.payload.name, value: {owner: $.payload.by}}
    next: {SUCCESS: claimed, ALREADY_EXISTS: taken}
exits:
  claimed: {status: COMPLETED}
  taken: {status: COMPLETED, result: {owner: $.nodes.claim.value.owner}}
  failed: {status: FAILED}
---
workflow: WF_COUNT_UP_V0
summary: Count one further, over the revision that was seen.
intent: IN_TRIED_V0
start: seen
fault: failed
nodes:
  seen:
    use: CS_RECORDS_V0.GET
    store: ST_THINGS_V0
    with: {key: $.payload.name}
    next: {SUCCESS: further, NOT_FOUND: first}
  first:
    use: CS_RECORDS_V0.CREATE
    store: ST_THINGS_V0
    with: {key: $.payload.name, value: {n: 1}}
    next: {SUCCESS: counted, ALREADY_EXISTS: conflict}
  further:
    compute: {n: "n + 1"}
    with: {n: $.nodes.seen.value.n}
    next: {SUCCESS: swap}
  swap:
    use: CS_RECORDS_V0.SWAP
    store: ST_THINGS_V0
    with: {key: $.payload.name, value: {n: $.nodes.further.n}, revision: $.nodes.seen.revision}
    next: {SUCCESS: tell, CONFLICT: conflict, NOT_FOUND: conflict}
  tell:
    use: CS_EVENTS_V0.APPEND
    store: ST_TOLD_V0
    event: EV_TOLD_V0
    with: {record: {who: $.payload.name, what: counted, n: $.nodes.further.n}}
    next: {SUCCESS: counted, VIOLATION: failed}
exits:
  counted: {status: COMPLETED}
  conflict: {status: REJECTED}
  failed: {status: FAILED}
---
workflow: WF_SAY_V0
summary: Leave nothing but a trace.
intent: IN_TRIED_V0
start: id
fault: failed
nodes:
  id:
    use: CT_GENERATE_ID_V0
    with: {prefix: TR, data: $.payload}
    next: {SUCCESS: done}
exits:
  done: {status: COMPLETED, result: {id: $.nodes.id.id}}
  failed: {status: FAILED}
"""

FILES = {
    "protocols/trial/domain.yaml": "domain: trial\nsummary: What is tried in tests.\n",
    "protocols/trial/stores.yaml": STORES,
    "protocols/trial/kinds.yaml": f"{INTENT}---{KINDS}",
    "protocols/trial/single.yaml": SINGLE,
    "protocols/trial/loops.yaml": LOOPS_SOURCE,
    "capabilities/trial_engine/__init__.py": '"""What the trial can do by itself."""\n',
    "capabilities/trial_engine/catalogue.py": (
        '"""What the trial can do by itself: break down."""\n\n\n'
        "def breaking(inputs):\n"
        '    """Break down where 13 is asked for."""\n'
        '    if inputs["n"] == 13:\n'
        '        raise ValueError("thirteen")\n'
        '    return "SUCCESS", {"n": inputs["n"]}\n\n\n'
        'CATALOGUE = {"trial::CT_BREAK_V0": breaking}\n'
    ),
}


def lay_trial(folder: Path) -> Workspace:
    """Write the workspace into a folder, compile it and return it."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), "utf-8")
    made = Workspace(folder)
    compiled = made.compile()
    assert compiled.ok, [f"{item.span}: {item.code} {item.message}" for item in compiled.diagnostics]
    return made


def a_copy(sealed: Path, folder: Path) -> Path:
    """Make a workspace that shares the sealed declarations of another and has data and traces of its own."""
    folder.mkdir()
    for name in ("protocol_snapshot", "capabilities"):
        (folder / name).symlink_to(sealed / name)
    return folder


def payload(name: str = "a", **more: Any) -> dict[str, Any]:
    """Return a payload of these workflows."""
    return {"name": name, **more}
